"""Execution costs add up to what was paid against the decision's mid, and trades' parts to their net profit."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.execution.records import FILL_DTYPE, ORDER_EVENT_DTYPE, Liquidity, OrderReason, OrderStatus
from chimera_platform.portfolio.execution_costs import PARTS, costs_by_trade, fill_costs, order_outcomes
from chimera_platform.portfolio.trades import trades_of

TICK_VALUE = 7_000_000


def fill(side: int, price: int, touch: tuple[int, int], decision: tuple[int, int], maker: bool = False) -> np.ndarray:
    fills = np.zeros(1, FILL_DTYPE)
    fills["side"], fills["price"], fills["size"], fills["fee_nanos"] = side, price, 3, 11
    fills["bid_price"], fills["ask_price"] = touch
    fills["decision_bid"], fills["decision_ask"] = decision
    fills["liquidity"] = Liquidity.MAKER if maker else Liquidity.TAKER
    fills["cash_nanos"] = -side * price * 3 * TICK_VALUE
    return fills


def in_ticks(fills: np.ndarray) -> dict[str, float]:
    """Return the parts of one fill in ticks a lot."""
    cost = fill_costs(fills)[0]
    return {name: int(cost[name]) / 2 / 3 / TICK_VALUE for name in PARTS[:3]}


def test_a_buyer_who_takes_pays_delay_half_spread_and_what_is_beyond_the_touch() -> None:
    bought = fill(1, 1_008, touch=(1_002, 1_006), decision=(1_000, 1_003))
    assert in_ticks(bought) == {"delay": 2.5, "spread": 2.0, "slippage": 2.0}
    assert fill_costs(bought)["fees"] == 22


def test_a_seller_pays_the_same_the_other_way_round() -> None:
    sold = fill(-1, 998, touch=(1_000, 1_004), decision=(1_003, 1_006))
    assert in_ticks(sold) == {"delay": 2.5, "spread": 2.0, "slippage": 2.0}


def test_what_rests_earns_its_distance_from_the_mid() -> None:
    assert in_ticks(fill(1, 1_000, (1_000, 1_004), (1_000, 1_004), maker=True)) == {
        "delay": 0.0, "spread": -2.0, "slippage": 0.0,
    }  # fmt: skip


def test_without_a_market_beside_it_a_fill_costs_the_delay_alone() -> None:
    assert in_ticks(fill(1, 1_010, (0, 0), (1_000, 1_002))) == {"delay": 9.0, "spread": 0.0, "slippage": 0.0}
    assert in_ticks(fill(1, 1_010, (0, 0), (0, 0))) == {"delay": 0.0, "spread": 0.0, "slippage": 0.0}


prices = st.integers(1, 10**6)
rows = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from([-1, 1]), prices, st.integers(1, 50), prices, prices, prices, prices,
              st.booleans(), st.integers(-(10**9), 10**9)),
    max_size=30,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(rows=rows)
def test_the_parts_are_the_whole_distance_from_the_decisions_mid(rows: list[tuple[int, ...]]) -> None:
    """Invariant: delay + spread + slippage = side × (2 price - bid - ask at the decision) × lots × tick value."""
    fills = np.zeros(len(rows), FILL_DTYPE)
    for row, (intent, side, price, size, bid, ask, decision_bid, decision_ask, maker, fee) in zip(
        fills, rows, strict=True
    ):
        row["intent_no"], row["side"], row["price"], row["size"], row["fee_nanos"] = intent, side, price, size, fee
        row["bid_price"], row["ask_price"] = bid, ask
        row["decision_bid"], row["decision_ask"] = decision_bid, decision_ask
        row["liquidity"] = Liquidity.MAKER if maker else Liquidity.TAKER
        row["cash_nanos"] = -side * price * size * TICK_VALUE
    costs = fill_costs(fills)
    for cost, row in zip(costs, fills, strict=True):
        apart = 2 * int(row["price"]) - int(row["decision_bid"]) - int(row["decision_ask"])
        expected = int(row["side"]) * apart * int(row["size"]) * TICK_VALUE
        assert sum(int(cost[name]) for name in PARTS[:3]) == expected
        assert cost["fees"] == 2 * row["fee_nanos"]
    by_trade = costs_by_trade(fills, trades_of(fills))
    for name in PARTS:
        assert by_trade[name].sum() == costs[name].sum()


def test_orders_are_counted_by_how_they_ended() -> None:
    rows = [
        (0, OrderStatus.PENDING_NEW, OrderReason.ENTRY, 5, 0),
        (1, OrderStatus.PENDING_NEW, OrderReason.ENTRY, 4, 0),
        (0, OrderStatus.PARTIALLY_FILLED, OrderReason.ENTRY, 5, 2),
        (2, OrderStatus.PENDING_NEW, OrderReason.STOP, 2, 0),
        (1, OrderStatus.REJECTED, OrderReason.THROTTLED, 4, 0),
        (0, OrderStatus.CANCELLED, OrderReason.TIME_TO_LIVE, 5, 2),
        (2, OrderStatus.FILLED, OrderReason.STOP, 2, 2),
        (3, OrderStatus.REJECTED, OrderReason.THROTTLED, 1, 0),
    ]
    orders = np.zeros(len(rows), ORDER_EVENT_DTYPE)
    for order, (number, status, reason, size, filled) in zip(orders, rows, strict=True):
        order["order_no"], order["status"], order["reason"] = number, status, reason
        order["size"], order["filled"] = size, filled
    found = order_outcomes(orders)
    assert (found["orders"], found["lots"], found["filled_lots"]) == (4, 12, 4)
    assert found["fill_ratio"] == 4 / 12
    assert found["filled_orders"] == 0.5
    assert found["ended"] == {
        (OrderStatus.CANCELLED, OrderReason.TIME_TO_LIVE): 1,
        (OrderStatus.REJECTED, OrderReason.THROTTLED): 2,
    }
    nothing = order_outcomes(orders[:0])
    assert (nothing["orders"], nothing["ended"]) == (0, {})
    assert np.isnan(nothing["fill_ratio"])
