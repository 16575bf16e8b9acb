"""The burst of trades that may become a sweep: its steps, what they took, and when they leave the window."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.kernels import kernel
from chimera_platform.market.book import ask_level, best_ask, best_bid, bid_level
from chimera_platform.market.events import EventKind

STEPS_MAX = 64  # further prices of one burst count as its last step

STEP_DTYPE = np.dtype(
    [
        ("ts", "<i8"),  # ns UTC: first trade at the price
        ("price", "<i8"),  # ticks
        ("lots", "<i8"),  # traded since the step, until the next
        ("depth", "<i8"),  # lots displayed on the first levels before the step's first trade
        ("shown", "<i8"),  # of these levels, how many there were
        ("orders", "<i8"),  # source events whose last trade was in the step
    ]
)
BURST_DTYPE = np.dtype(
    [
        ("steps", "<i8"),  # in use, oldest first; 0: there is no burst
        ("is_fresh", "<i8"),  # 1: traded since the last LAST
        ("is_gone", "<i8"),  # 1: the book has shown the last step's level gone
        ("side", "<i8"),  # aggressor: +1 buys
        ("last_ts", "<i8"),  # ns UTC: its last trade
        ("expires_ts", "<i8"),  # ns UTC: later, a step or the burst leaves the window
        ("stage", "<i8"),  # Stage of its detection, 0: none yet
        ("number", "<i8"),  # detection_no of its detection
        ("step", STEP_DTYPE, (STEPS_MAX,)),
    ]
)

_EXECUTE = int(EventKind.EXECUTE)


@kernel
def is_beyond(book: Any, aggressor: int, price: int) -> Any:
    """Return whether the side that ``aggressor`` trades with has nothing left at ``price`` or inside it."""
    if aggressor > 0:
        return book.ask_count == 0 or best_ask(book) > price
    return book.bid_count == 0 or best_bid(book) < price


@kernel
def _depth_before(levels: int, book: Any, event: Any, aggressor: int) -> Any:
    """Return (lots, levels) displayed, of the first levels, before the trade: unlike a print, an execution has left."""
    lots, shown = 0, 0
    if event.kind == _EXECUTE:
        lots = event.size
        if is_beyond(book, aggressor, event.price):
            levels -= 1
            shown = 1
    for k in range(1, levels + 1):
        size = ask_level(book, k)[1] if aggressor > 0 else bid_level(book, k)[1]
        if size == 0:
            break
        lots += size
        shown += 1
    return lots, shown


@kernel
def figures(burst: Any) -> Any:
    """Return (levels, lots, lots beyond the start, depth share) of the burst."""
    lots = 0
    for k in range(burst.steps):
        lots += burst.step[k].lots
    depth = burst.step[0].depth
    share = lots / depth if depth > 0 else 0.0
    return burst.steps - 1 + burst.is_gone, lots, lots - burst.step[0].lots, share


@kernel
def orders_of(burst: Any) -> Any:
    """Return the source events of the burst's steps."""
    orders = 0
    for k in range(burst.steps):
        orders += burst.step[k].orders
    return orders


@kernel
def add_trade(depth_levels: int, burst: Any, book: Any, event: Any, aggressor: int) -> None:
    """Add a trade to the burst, or begin one with it."""
    n = burst.steps
    if n == 0 or (event.price - burst.step[n - 1].price) * aggressor > 0:
        burst.is_gone = 0
        if n < STEPS_MAX:
            step = burst.step[n]
            step.ts = event.ts_event
            step.price = event.price
            step.lots = 0
            step.orders = 0
            step.depth, step.shown = _depth_before(depth_levels, book, event, aggressor)
            burst.steps = n + 1
        else:
            burst.step[n - 1].price = event.price
    burst.side = aggressor
    burst.step[burst.steps - 1].lots += event.size
    burst.last_ts = event.ts_event
    burst.is_fresh = 1


@kernel
def old_steps(burst: Any, ts: int, window: int) -> Any:
    """Return how many of the first steps, never the last, have left the window of ``window`` ns."""
    old = 0
    while old < burst.steps - 1 and ts - burst.step[old].ts > window:
        old += 1
    return old


@kernel
def drop_steps(burst: Any, count: int) -> None:
    """Let the first ``count`` steps go."""
    left = burst.steps - count
    for k in range(left):
        to, source = burst.step[k], burst.step[k + count]
        to.ts = source.ts
        to.price = source.price
        to.lots = source.lots
        to.depth = source.depth
        to.shown = source.shown
        to.orders = source.orders
    burst.steps = left
