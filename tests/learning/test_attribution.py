"""Attribution: the parts add up to net P&L to the nano, for any fills."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.execution.records import ENGINE_COUNT, FILL_DTYPE, Engine
from chimera_platform.journal.schema import NS_PER_DAY
from chimera_platform.learning.attribution import (
    ATTRIBUTION_DTYPE,
    WeightSettings,
    attribute,
    engine_weights,
    trade_returns,
)
from chimera_platform.market.instruments import INSTRUMENT_DTYPE

INSTRUMENTS = np.zeros(2, INSTRUMENT_DTYPE)
INSTRUMENTS["tick_value_nanos"] = [1_000_001, 7]  # odd, so that half nanos occur

ROWS = st.tuples(
    st.integers(0, 2),  # day
    st.integers(0, ENGINE_COUNT - 1),  # engine, hedges among them
    st.integers(0, 1),  # instrument
    st.sampled_from([1, -1]),
    st.integers(1, 9),  # lots
    st.integers(-3, 3),  # price from the touch
    st.integers(90, 110),  # bid
    st.integers(1, 5),  # spread
    st.integers(-50, 1_000),  # fee
)


def fills_of(rows: list[tuple[int, ...]]) -> np.ndarray[Any, Any]:
    fills = np.zeros(len(rows), FILL_DTYPE)
    positions: dict[tuple[int, int], int] = {}
    for n, (day, engine, k, side, size, away, bid, spread, fee) in enumerate(sorted(rows, key=lambda r: r[0])):
        ask = bid + spread
        price = (ask if side > 0 else bid) + away
        held = positions.get((engine, k), 0)
        positions[engine, k] = held + side * size
        row = fills[n]
        row["fill_no"], row["ts_event"], row["intent_no"] = n, day * NS_PER_DAY + n, n
        row["engine"], row["instrument_id"], row["side"], row["size"], row["price"] = engine, k, side, size, price
        row["cash_nanos"] = -side * price * size * INSTRUMENTS["tick_value_nanos"][k]
        row["decision_bid"], row["decision_ask"], row["fee_nanos"] = bid, ask, fee
        row["position_after"], row["is_exit"] = held + side * size, int(held * side < 0)
    return fills


@given(st.lists(ROWS, max_size=40), st.lists(st.integers(150, 250), min_size=6, max_size=6))
@settings(max_examples=200, deadline=None)
def test_the_parts_add_up_to_net_profit_to_the_nano(rows: list[tuple[int, ...]], mids: list[int]) -> None:
    """For any fills: mid alpha - spread - slippage - fees = net = cash - fees + closing value of the positions."""
    fills = fills_of(rows)
    closing = {(day, k): mids[2 * day + k] for day in range(3) for k in range(2)}
    parts = attribute(fills, closing, INSTRUMENTS)
    summed = parts["mid_alpha_nanos"] - parts["spread_nanos"] - parts["slippage_nanos"] - parts["fee_nanos"]
    assert np.array_equal(summed, parts["net_nanos"])
    for engine in range(ENGINE_COUNT):
        for k in range(2):
            mine = fills[(fills["engine"] == engine) & (fills["instrument_id"] == k)]
            position = int(mine["position_after"][-1]) if len(mine) else 0
            value = position * closing[2, k] * int(INSTRUMENTS["tick_value_nanos"][k]) // 2
            expected = int(mine["cash_nanos"].sum()) - int(mine["fee_nanos"].sum()) + value
            got = parts[(parts["engine"] == engine) & (parts["instrument_id"] == k)]
            assert int(got["net_nanos"].sum()) == expected


@given(ROWS)
@settings(max_examples=100, deadline=None)
def test_each_part_is_its_definition(row: tuple[int, ...]) -> None:
    """For one fill closed at the arrival mid: spread, slippage and fees by exact fractions; alpha is nothing."""
    fill = fills_of([row])
    part = attribute(fill, {(row[0], row[2]): int(fill["decision_bid"][0] + fill["decision_ask"][0])}, INSTRUMENTS)[0]
    tick = int(INSTRUMENTS["tick_value_nanos"][row[2]])
    touch = int(fill["decision_ask" if row[3] > 0 else "decision_bid"][0])
    spread = Fraction(int(fill["decision_ask"][0] - fill["decision_bid"][0]) * row[4] * tick, 2)
    assert 0 <= spread - int(part["spread_nanos"]) < 1
    assert int(part["slippage_nanos"]) == row[3] * (int(fill["price"][0]) - touch) * row[4] * tick
    assert int(part["fee_nanos"]) == row[8]
    assert abs(int(part["mid_alpha_nanos"])) <= 1


def test_a_position_held_overnight_earns_on_both_days() -> None:
    fills = fills_of([(0, 0, 0, 1, 2, 0, 100, 2, 0)])
    parts = attribute(fills, {(0, 0): 202, (1, 0): 222}, INSTRUMENTS)
    tick = 1_000_001
    assert parts["day"].tolist() == [0, 1]
    assert parts["net_nanos"].tolist() == [-2 * tick, 20 * tick]
    assert parts["mid_alpha_nanos"].tolist() == [0, 20 * tick]
    assert parts["spread_nanos"].tolist() == [2 * tick, 0]


def test_no_fills_give_no_rows() -> None:
    parts = attribute(np.zeros(0, FILL_DTYPE), {(0, 0): 200}, INSTRUMENTS)
    assert parts.dtype == ATTRIBUTION_DTYPE
    assert len(parts) == 0


def round_trip(intent_no: int, engine: int, entry: int, leave: int, closed: bool = True) -> np.ndarray[Any, Any]:
    tick = int(INSTRUMENTS["tick_value_nanos"][0])
    fills = np.zeros(2, FILL_DTYPE)
    fills["intent_no"], fills["engine"], fills["size"] = intent_no, engine, 3
    fills["side"], fills["price"], fills["is_exit"] = [1, -1], [entry, leave], [0, 1]
    fills["cash_nanos"] = -fills["side"].astype(np.int64) * fills["price"] * fills["size"] * tick
    return fills if closed else fills[:1]


def test_the_return_of_a_trade_is_over_its_entry_notional_and_open_trades_have_none() -> None:
    fills = np.concatenate([round_trip(0, 0, 1000, 1001), round_trip(1, 0, 1000, 990, closed=False)])
    returns = trade_returns(fills, INSTRUMENTS)
    assert returns[0].tolist() == pytest.approx([10.0])
    assert len(returns[1]) == 0


def test_an_engine_that_loses_has_its_weight_cut_and_one_that_earns_keeps_it() -> None:
    random = np.random.default_rng(3)
    weights = engine_weights({0: random.normal(-0.5, 1.0, 400), 1: random.normal(0.5, 1.0, 400)})
    assert weights["structure"] == 1.0
    assert weights["hft"] == 0.2
    assert weights["order_flow"] == 1.0, "an engine without trades keeps what the configuration gives it"


def test_hedges_have_no_weight_however_much_they_lose() -> None:
    weights = engine_weights({int(Engine.HEDGE): np.random.default_rng(1).normal(-5.0, 1.0, 400)})
    assert weights == {"hft": 1.0, "structure": 1.0, "order_flow": 1.0}


def test_a_few_bad_trades_move_a_weight_less_than_many() -> None:
    trades = np.tile([-1.2, 1.0], 200)
    few, many = engine_weights({0: trades[:10]})["hft"], engine_weights({0: trades})["hft"]
    assert many < few < 1.0


@given(st.lists(st.floats(-1e4, 1e4), max_size=50))
@settings(max_examples=100, deadline=None)
def test_weights_stay_within_their_bounds(trades: list[float]) -> None:
    """For any returns every engine has a weight in [weight_min, 1]."""
    for weight in engine_weights({0: np.array(trades)}, WeightSettings(weight_min=0.3)).values():
        assert 0.3 <= weight <= 1.0
