"""What execution cost: from the mid at the decision to the price that was paid, in parts that add up.

Of a fill of ``q`` lots at price P on side s, with the decision's mid D, and bid, ask and mid M when it filled:

- *delay* s (M - D) q: how the market moved between decision and fill;
- *spread* s (touch - M) q for what took, s (P - M) q for what rested (negative: earned);
- *slippage* s (P - touch) q for what took: beyond the touch;
- *fees* as charged.

They add up to s (P - D) q + fees (implementation shortfall of what filled; Perold 1988), in half nanos without
rounding. A trade's profit at the decisions' mids, less its costs, is its net profit.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.execution.records import Liquidity, OrderStatus

Array = np.ndarray[Any, Any]
PARTS = ("delay", "spread", "slippage", "fees")

FILL_COST_DTYPE = np.dtype([(name, "<i8") for name in PARTS])
"""Half nanos (1e-9 / 2 of the currency); negative: gained."""


def fill_costs(fills: Array) -> Array:
    """Return the FILL_COST_DTYPE row of each fill.

    Parameters
    ----------
    fills : FILL_DTYPE array. Without a two-sided market at the fill its price stands for the mid, without one at the
        decision the mid at the fill does.
    """
    found = np.zeros(len(fills), FILL_COST_DTYPE)
    twice = 2 * fills["price"]
    has_market = (fills["bid_price"] != 0) & (fills["ask_price"] != 0)
    was_market = (fills["decision_bid"] != 0) & (fills["decision_ask"] != 0)
    mid = np.where(has_market, fills["bid_price"] + fills["ask_price"], twice)
    decided = np.where(was_market, fills["decision_bid"] + fills["decision_ask"], mid)
    side = fills["side"].astype(np.int64)
    touch = np.where(has_market, 2 * np.where(side > 0, fills["ask_price"], fills["bid_price"]), twice)
    touch = np.where(fills["liquidity"] == Liquidity.TAKER, touch, twice)
    lot_value = side * fills["size"] * _tick_values(fills)
    found["delay"] = lot_value * (mid - decided)
    found["spread"] = lot_value * (touch - mid)
    found["slippage"] = lot_value * (twice - touch)
    found["fees"] = 2 * fills["fee_nanos"]
    return found


def costs_by_trade(fills: Array, trades: Array) -> Array:
    """Return the FILL_COST_DTYPE sums of each of ``trades`` (TRADE_DTYPE), in their order."""
    costs = fill_costs(fills)
    numbers, group = np.unique(fills["intent_no"], return_inverse=True)
    sums = np.zeros(len(numbers), FILL_COST_DTYPE)
    for name in PARTS:
        np.add.at(sums[name], group, costs[name])
    return sums[np.searchsorted(numbers, trades["intent_no"])] if len(numbers) else sums[: len(trades)]


def order_outcomes(orders: Array) -> dict[str, Any]:
    """Return how orders ended.

    Parameters
    ----------
    orders : rows with at least ``order_no``, ``status``, ``reason``, ``size``, ``filled``, in row-number order.

    Returns
    -------
    dict
        ``orders``; ``lots`` ordered and ``filled_lots``; ``fill_ratio`` of lots and ``filled_orders`` the share of
        orders with any fill (NaN without orders); ``ended``: (OrderStatus, reason number) → how many orders ended so.
    """
    numbers, last = np.unique(orders["order_no"][::-1], return_index=True)
    final = orders[len(orders) - 1 - last]
    filled = np.zeros(len(numbers), np.int64)
    np.maximum.at(filled, np.searchsorted(numbers, orders["order_no"]), orders["filled"])
    lots = int(final["size"].sum())
    working = (OrderStatus.REJECTED, OrderStatus.CANCELLED, OrderStatus.EXPIRED)
    pairs, counts = np.unique(
        np.column_stack([final["status"], final["reason"]])[np.isin(final["status"], working)],
        axis=0,
        return_counts=True,
    )
    return {
        "orders": len(numbers),
        "lots": lots,
        "filled_lots": int(filled.sum()),
        "fill_ratio": float(filled.sum()) / lots if lots else np.nan,
        "filled_orders": float((filled > 0).mean()) if len(numbers) else np.nan,
        "ended": {(int(s), int(r)): int(n) for (s, r), n in zip(pairs.tolist(), counts.tolist(), strict=True)},
    }


def _tick_values(fills: Array) -> Array:
    """Return nanos of one tick on one lot, as the fills' own cash has them; 0 at a price of zero."""
    notional = fills["price"] * fills["size"]
    return np.abs(fills["cash_nanos"]) // np.maximum(np.abs(notional), 1)
