"""Trades: all fills of one intent, entry and exits, with what wanted it and what came of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chimera_platform.portfolio.ratios import mean, ratio, sharpe

Array = np.ndarray[Any, Any]
NANOS = 1e9

TRADE_DTYPE = np.dtype(
    [
        ("intent_no", "<i8"),
        ("ts_open", "<i8"),  # ns UTC of the first fill
        ("ts_close", "<i8"),  # ns UTC of the last fill
        ("size", "<i8"),  # lots bought or sold to open
        ("position", "<i8"),  # signed lots still open; 0: closed
        ("realised_nanos", "<i8"),  # before fees
        ("fees_nanos", "<i8"),
        ("net_nanos", "<i8"),
        ("instrument_id", "<i4"),
        ("reason", "<u2"),  # IntentReason; 0 where the intents were not given
        ("engine", "u1"),
        ("side", "i1"),
        ("regime", "i1"),  # Regime at the intent; -1: unknown
    ]
)


def trades_of(fills: Array, intents: Array | None = None) -> Array:
    """Return the trades in the order of their first fills.

    Parameters
    ----------
    fills : FILL_DTYPE array in ``fill_no`` order.
    intents : rows with at least ``intent_no`` (ascending), ``reason`` and ``regime``; gives each trade its strategy
        and its regime. An intent that is not there leaves them unknown.

    Returns
    -------
    TRADE_DTYPE array, one row per intent that has fills; ``position`` 0 marks the closed ones.
    """
    order = np.argsort(fills["intent_no"], kind="stable")
    ordered = fills["intent_no"][order]
    starts = np.flatnonzero(np.diff(ordered, prepend=ordered[0] - 1)) if len(ordered) else order
    first, numbers = order[starts], ordered[starts]
    trades = np.zeros(len(numbers), TRADE_DTYPE)
    trades["intent_no"] = numbers
    for name in ("instrument_id", "engine", "side"):
        trades[name] = fills[name][first]
    trades["ts_open"] = fills["ts_event"][first]
    if len(numbers):
        trades["ts_close"] = np.maximum.reduceat(fills["ts_event"][order], starts)
        entered = np.where(fills["is_exit"] == 0, fills["size"], 0)
        signed = fills["side"].astype(np.int64) * fills["size"]
        columns = (("size", entered), ("position", signed), ("realised_nanos", fills["realised_nanos"]),
                   ("fees_nanos", fills["fee_nanos"]))  # fmt: skip
        for name, values in columns:
            trades[name] = np.add.reduceat(values[order], starts)
    trades["net_nanos"] = trades["realised_nanos"] - trades["fees_nanos"]
    trades["regime"] = -1
    if intents is not None and len(intents):
        at = np.minimum(np.searchsorted(intents["intent_no"], numbers), len(intents) - 1)
        known = intents["intent_no"][at] == numbers
        for name in ("reason", "regime"):
            trades[name][known] = intents[name][at[known]]
    return trades[np.argsort(first, kind="stable")]


def trade_metrics(trades: Array) -> dict[str, Any]:
    """Return those metrics of :class:`~chimera_platform.portfolio.performance.Performance` that are about trades alone.

    Parameters
    ----------
    trades : TRADE_DTYPE array, of one engine, instrument or all.
    """
    closed = trades[trades["position"] == 0]
    closed = closed[np.argsort(closed["ts_close"], kind="stable")]
    net, hold = closed["net_nanos"] / NANOS, (closed["ts_close"] - closed["ts_open"]) / 1e9
    wins, losses = net[net > 0], net[net < 0]
    return {
        "trades": len(closed),
        "open_trades": len(trades) - len(closed),
        "win_rate": ratio(len(wins), len(closed)),
        "profit_factor": ratio(float(wins.sum()), -float(losses.sum())),
        "average_trade": mean(net),
        "average_win": mean(wins),
        "average_loss": mean(losses),
        "best_trade": float(net.max()) if len(net) else math.nan,
        "worst_trade": float(net.min()) if len(net) else math.nan,
        "payoff_ratio": ratio(mean(wins), -mean(losses)),
        "expectancy": ratio(mean(net), -mean(losses)),
        "winning_streak": longest_run(net > 0),
        "losing_streak": longest_run(net < 0),
        "average_hold_seconds": mean(hold),
        "median_hold_seconds": float(np.median(hold)) if len(hold) else math.nan,
        "hold_seconds_95": float(np.quantile(hold, 0.95)) if len(hold) else math.nan,
        "longest_hold_seconds": float(hold.max()) if len(hold) else math.nan,
        "sharpe_per_trade": sharpe(net),
    }


def longest_run(flags: Array) -> int:
    """Return the length of the longest run of consecutive true ``flags``, shape (n,)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max()) if len(edges) else 0
