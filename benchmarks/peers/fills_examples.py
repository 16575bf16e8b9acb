"""The smallest markets in which a peer's fills differ from ours: one for each rule, a handful of events each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.peers.fills_records import (
    FEED_DTYPE,
    FILL_DTYPE,
    GTC,
    IOC,
    LEVEL,
    LIMIT,
    MARKET,
    NEW,
    SCRIPT_DTYPE,
    TRADE,
)
from benchmarks.peers.fills_rules import Rule
from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind

Array = np.ndarray[Any, Any]
MS = 1_000_000
LATENCY_NS = MS
_Row = tuple[int, int, int, int, int, int, int]  # ms, kind, side, price, lots, is_last, is_window
_Fill = tuple[int, int, int, int]  # order, ms, price, lots


@dataclass(frozen=True)
class Example:
    """A market, a script and what becomes of it.

    Attributes
    ----------
    rule : the one that makes the difference.
    peer : ``hftbacktest`` or ``NautilusTrader``.
    market : rows as :func:`level` and :func:`trade` make them.
    orders : rows as :func:`limit` and :func:`market_order` make them.
    ours, theirs : (order, ms, price, lots) of each fill.
    queue : queue model of both.
    """

    rule: Rule
    peer: str
    market: tuple[_Row, ...]
    orders: tuple[tuple[int, int, int, int, int, int], ...]
    ours: tuple[_Fill, ...]
    theirs: tuple[_Fill, ...]
    queue: str = "risk_averse"


def level(ms: int, side: int, price: int, lots: int, *, is_last: int = 1, is_window: int = 0) -> _Row:
    """Return a level's new total."""
    return ms, LEVEL, side, price, lots, is_last, is_window


def trade(ms: int, aggressor: int, price: int, lots: int) -> _Row:
    """Return a print."""
    return ms, TRADE, aggressor, price, lots, 1, 0


def limit(ms: int, side: int, price: int, size: int, tif: int = GTC) -> tuple[int, int, int, int, int, int]:
    """Return a limit order sent at ``ms``; it arrives one millisecond later."""
    return ms, side, price, size, LIMIT, tif


def market_order(ms: int, side: int, size: int) -> tuple[int, int, int, int, int, int]:
    """Return a market order sent at ``ms``."""
    return ms, side, 0, size, MARKET, GTC


def feed_of(example: Example) -> Array:
    """Return the example's market as FEED_DTYPE; a last row far away lets everything happen."""
    rows = (*example.market, level(100, 1, 1, 1))
    feed = np.zeros(len(rows), FEED_DTYPE)
    for n, (ms, kind, side, price, lots, is_last, is_window) in enumerate(rows):
        feed[n] = (ms * MS, price, lots, kind, side, is_last, is_window)
    return feed


def events_of(feed: Array) -> Array:
    """Return a plain feed as our events."""
    events = np.zeros(len(feed), EVENT_DTYPE)
    events["ts_event"] = events["ts_recv"] = feed["ts"]
    events["price"], events["size"], events["side"] = feed["price"], feed["lots"], feed["side"]
    events["kind"] = np.where(feed["kind"] == TRADE, int(EventKind.TRADE), int(EventKind.LEVEL))
    events["flags"] = feed["is_last"] * int(EventFlag.LAST) + feed["is_window"] * int(EventFlag.WINDOW)
    return events


def script_of(example: Example) -> Array:
    """Return the example's orders as SCRIPT_DTYPE, numbered from 0."""
    script = np.zeros(len(example.orders), SCRIPT_DTYPE)
    for n, (ms, side, price, size, order_type, tif) in enumerate(example.orders):
        script[n] = (ms * MS, n, price, size, NEW, order_type, tif, side)
    return script


def in_short(fills: Array) -> tuple[_Fill, ...]:
    """Return fills (FILL_DTYPE) as the examples write them."""
    if fills.dtype != FILL_DTYPE:
        raise TypeError(f"fills of {fills.dtype}; expected FILL_DTYPE")
    return tuple((order, ts // MS, price, lots) for order, ts, price, lots, _ in fills.tolist())


_BID, _ASK = level(1, 1, 100, 10, is_last=0), level(1, -1, 103, 10)
_QUIET = (_BID, _ASK)

EXAMPLES = (
    Example(
        Rule.CROSS_FILLS_WHOLE,
        "hftbacktest",
        (*_QUIET, level(10, -1, 101, 2)),
        (limit(2, 1, 101, 5),),
        ours=((0, 10, 101, 2),),
        theirs=((0, 10, 101, 5),),
    ),
    Example(
        Rule.PRINT_BEYOND_FILLS_WHOLE,
        "hftbacktest",
        (*_QUIET, trade(10, -1, 100, 3)),
        (limit(2, 1, 101, 5),),
        ours=((0, 10, 101, 3),),
        theirs=((0, 10, 101, 5),),
    ),
    Example(
        Rule.PRINT_FILLS_EVERY_ORDER,
        "hftbacktest",
        (*_QUIET, trade(10, -1, 101, 2)),
        (limit(2, 1, 101, 2), limit(3, 1, 101, 2)),
        ours=((0, 10, 101, 2),),
        theirs=((0, 10, 101, 2), (1, 10, 101, 2)),
    ),
    Example(
        Rule.LIMIT_TAKES_WHOLE,
        "hftbacktest",
        _QUIET,
        (limit(2, 1, 103, 15),),
        ours=((0, 3, 103, 10),),
        theirs=((0, 3, 103, 15),),
    ),
    Example(
        Rule.LOTS_TAKEN_AGAIN,
        "hftbacktest",
        _QUIET,
        (limit(2, 1, 103, 10, IOC), limit(4, 1, 103, 10, IOC)),
        ours=((0, 3, 103, 10),),
        theirs=((0, 3, 103, 10), (1, 5, 103, 10)),
    ),
    Example(
        Rule.MARKET_WITHIN_100_TICKS,
        "hftbacktest",
        (_BID, level(1, -1, 205, 10, is_last=0), level(1, -1, 103, 1)),
        (market_order(2, 1, 5),),
        ours=((0, 3, 103, 1), (0, 3, 205, 4)),
        theirs=((0, 3, 103, 1),),
    ),
    Example(
        Rule.QUEUE_BY_RECORD,
        "hftbacktest",
        (*_QUIET, level(5, 1, 100, 40), level(10, 1, 100, 25, is_last=0), level(10, 1, 100, 10), trade(20, -1, 100, 7)),
        (limit(2, 1, 100, 1),),
        ours=(),
        theirs=((0, 20, 100, 1),),
        queue="power:2",
    ),
    Example(
        Rule.OUT_OF_VIEW_IS_EMPTY,
        "hftbacktest",
        (
            level(1, 1, 101, 5, is_last=0),
            *_QUIET,
            level(10, 1, 100, 0, is_window=1),
            level(11, 1, 100, 10, is_window=1),
            level(12, 1, 101, 0),
            trade(20, -1, 100, 1),
        ),
        (limit(2, 1, 100, 1),),
        ours=(),
        theirs=((0, 20, 100, 1),),
    ),
    Example(
        Rule.QUEUE_BELOW_ZERO,
        "hftbacktest",
        (
            level(1, 1, 100, 3, is_last=0),
            _ASK,
            level(5, 1, 100, 1_000),
            level(10, 1, 100, 100),
            level(11, 1, 100, 90),
            trade(20, -1, 100, 5),
        ),
        (limit(2, 1, 100, 1),),
        ours=((0, 20, 100, 1),),
        theirs=(),
        queue="log",
    ),
    Example(
        Rule.QUEUE_BEFORE_PRICE,
        "NautilusTrader",
        (*_QUIET, trade(10, -1, 99, 5)),
        (limit(2, 1, 100, 2),),
        ours=((0, 10, 100, 2),),
        theirs=(),
    ),
    Example(
        Rule.QUEUE_BY_PRINTS_ALONE,
        "NautilusTrader",
        (*_QUIET, level(10, 1, 100, 3), trade(20, -1, 100, 5)),
        (limit(2, 1, 100, 2),),
        ours=((0, 20, 100, 2),),
        theirs=(),
    ),
    Example(
        Rule.PRINT_MOVES_TOUCH,
        "NautilusTrader",
        (*_QUIET, trade(10, 1, 105, 5)),
        (limit(11, 1, 103, 2, IOC),),
        ours=((0, 12, 103, 2),),
        theirs=(),
    ),
    Example(
        Rule.CHANGED_LEVEL_IS_FRESH,
        "NautilusTrader",
        (*_QUIET, level(10, -1, 103, 9)),
        (limit(2, 1, 103, 10, IOC), limit(12, 1, 103, 10, IOC)),
        ours=((0, 3, 103, 10),),
        theirs=((0, 3, 103, 10), (1, 13, 103, 9)),
    ),
    Example(
        Rule.PRINT_TAKES_DISPLAYED,
        "NautilusTrader",
        (*_QUIET, trade(10, 1, 103, 10)),
        (limit(2, 1, 99, 1), limit(12, 1, 103, 5, IOC)),
        ours=((1, 13, 103, 5),),
        theirs=(),
    ),
    Example(
        Rule.FILL_MOVES_TOUCH,
        "NautilusTrader",
        (*_QUIET, level(10, -1, 101, 5), level(20, 1, 98, 1)),
        (limit(2, 1, 102, 1), limit(3, 1, 101, 1)),
        ours=((0, 10, 102, 1), (1, 10, 101, 1)),
        theirs=((0, 10, 102, 1), (1, 20, 101, 1)),
    ),
    Example(
        Rule.OWN_QUEUES_APART,
        "NautilusTrader",
        (level(1, 1, 100, 5, is_last=0), _ASK, trade(10, -1, 100, 5), trade(20, -1, 100, 5)),
        (limit(2, 1, 101, 5), limit(3, 1, 100, 1)),
        ours=((0, 10, 101, 5),),
        theirs=((0, 10, 101, 5), (1, 20, 100, 1)),
    ),
    Example(
        Rule.OWN_PRIORITY_WRAPS,
        "NautilusTrader",
        (level(1, 1, 880, 10, is_last=0), level(1, -1, 940, 10), trade(10, 1, 930, 1)),
        (limit(2, -1, 921, 1), limit(3, -1, 923, 1)),
        ours=((0, 10, 921, 1),),
        theirs=((1, 10, 923, 1),),
    ),
)
