"""Our events as the plain feed of the comparison: level totals and trades, in the order in which they happened."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.peers.conversion import level_updates
from benchmarks.peers.fills_records import FEED_DTYPE, LEVEL, TRADE
from chimera_platform.market.events import EventFlag, EventKind

Array = np.ndarray[Any, Any]


def plain_feed(events: Array) -> Array:
    """Return the market of ``events`` (EVENT_DTYPE of one instrument, no MODIFY) as FEED_DTYPE.

    An execution of a displayed order is a trade, then the level's new total; hidden executions and snapshot prints
    are nobody's trade. Every source event ends with a row that says so.
    """
    numbered = events.copy()
    numbered["seq"] = np.arange(len(events))  # the conversion keeps it: each update's own row
    levels = level_updates(numbered)
    kind, flags = events["kind"], events["flags"]
    silent = int(EventFlag.HIDDEN) | int(EventFlag.SNAPSHOT)
    is_trade = np.isin(kind, (int(EventKind.TRADE), int(EventKind.EXECUTE))) & (flags & silent == 0)
    rows = np.flatnonzero(is_trade)
    trades = np.zeros(len(rows), FEED_DTYPE)
    trades["ts"], trades["price"] = events["ts_event"][rows], events["price"][rows]
    trades["lots"], trades["kind"] = events["size"][rows], TRADE
    resting = kind[rows] == int(EventKind.EXECUTE)
    trades["side"] = np.where(resting, -events["side"][rows], events["side"][rows])
    out = np.zeros(len(levels) + len(rows), FEED_DTYPE)
    order = np.concatenate([levels["seq"] * 2 + 1, rows * 2])  # of one record the trade comes first
    at = np.argsort(order, kind="stable")
    plain = np.zeros(len(levels), FEED_DTYPE)
    plain["ts"], plain["price"], plain["lots"] = levels["ts_event"], levels["price"], levels["size"]
    plain["kind"], plain["side"] = LEVEL, levels["side"]
    plain["is_window"] = flags[levels["seq"]] & int(EventFlag.WINDOW) != 0
    out[:] = np.concatenate([plain, trades])[at]
    source_event = np.cumsum(flags & int(EventFlag.LAST)) - (flags & int(EventFlag.LAST))
    number = source_event[(order[at] // 2).astype(np.int64)]
    out["is_last"] = np.append(number[1:] != number[:-1], True)
    return out
