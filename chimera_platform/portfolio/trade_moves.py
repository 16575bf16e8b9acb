"""What closed trades earned, in two parts: the market's move in their favour, and what trading cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chimera_platform.execution.records import Engine

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class TradeMoves:
    """Closed trades in the order of closing; arrays of shape (n,).

    Attributes
    ----------
    trades : TRADE_DTYPE rows.
    moved : profit of the same fills at the mid instead of at their prices, before fees; currency units.
    cost : what half spreads and fees took from it (negative: what resting orders gained); currency units. ``moved -
        cost`` is the net profit.
    """

    trades: Array
    moved: Array
    cost: Array


def without_hedge_moves(moves: TradeMoves) -> TradeMoves:
    """Return the moves of the engines' own trades."""
    own = moves.trades["engine"] != Engine.HEDGE
    return moves if own.all() else TradeMoves(moves.trades[own], moves.moved[own], moves.cost[own])


def trade_moves(fills: Array, trades: Array, tick_values: Array) -> TradeMoves:
    """Split the net profit of the closed trades.

    Parameters
    ----------
    fills : FILL_DTYPE array; a fill without a two-sided market beside it is taken at its own price.
    trades : TRADE_DTYPE array of the same fills.
    tick_values : i8 by instrument_id, nanos of one tick on one lot.
    """
    closed = trades[trades["position"] == 0]
    closed = closed[np.argsort(closed["ts_close"], kind="stable")]
    has_market = (fills["bid_price"] != 0) & (fills["ask_price"] != 0)
    mid2 = np.where(has_market, fills["bid_price"] + fills["ask_price"], 2 * fills["price"])
    lots = fills["side"].astype(np.int64) * fills["size"]
    at_mid = -(lots * mid2 * tick_values[fills["instrument_id"]] / 2.0)
    numbers, group = np.unique(fills["intent_no"], return_inverse=True)
    sums = np.bincount(group, weights=at_mid, minlength=len(numbers))
    moved = sums[np.searchsorted(numbers, closed["intent_no"])] / 1e9 if len(closed) else np.zeros(0)
    return TradeMoves(closed, moved, moved - closed["net_nanos"] / 1e9)
