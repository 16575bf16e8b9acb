"""Each side's best levels from one source event to the next: their order flow, and how a depleted touch refills."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.kernels import record_kernel
from chimera_platform.microstructure.feature_windows import LEVELS

WATCH_NS = 1_000_000_000
WATCHES = 32  # measurements that the resilience averages
NO_LEVEL = -(2**62)  # key of a level that is not there: infinitely far away
_WATCH_MASK = WATCHES - 1

SIDE_DTYPE = np.dtype(
    [
        ("key", "<i8", (LEVELS,)),  # ticks, asks negative, touch first; at the previous LAST
        ("size", "<i8", (LEVELS,)),  # lots, 0: no such level
        ("flow", "<i8", (LEVELS,)),  # lots, by level: contribution of source event number `flow_event`
        ("flow_event", "<i8"),  # counted as the book counts them
        ("watch_end", "<i8"),  # ns UTC
        ("watch_key", "<i8"),  # the touch that was depleted
        ("watch_left", "<i8"),  # lots that were left
        ("watch_lost", "<i8"),  # lots lost; 0: nothing is watched
    ]
)
WATCH_DTYPE = np.dtype(
    [
        ("back", "<i8"),  # lots of the loss that came back
        ("lost", "<i8"),  # lots
    ]
)


def clear_sides(sides: np.ndarray[Any, Any]) -> None:
    """Set fresh states, dtype :data:`SIDE_DTYPE`: no levels."""
    sides["key"] = NO_LEVEL
    sides["flow_event"] = -1


@record_kernel
def _at_or_better(side: Any, key: int) -> Any:
    """Return the lots at ``key`` or better on the best levels."""
    total = 0
    for k in range(LEVELS):
        if side.key[k] >= key:
            total += side.size[k]
    return total


@record_kernel
def end_watch(state: Any, windows: Any, side: Any) -> None:
    """Record how much of the loss is back, by the levels as they were before this source event."""
    back = _at_or_better(side, side.watch_key) - side.watch_left
    watch = windows.watches[state.watches & _WATCH_MASK]
    watch.back = min(max(back, 0), side.watch_lost)
    watch.lost = side.watch_lost
    state.watches += 1
    side.watch_lost = 0


@record_kernel
def begin_watch(side: Any, now: int, key: int, size: int) -> None:
    """Watch a touch of ``size`` lots at ``key`` if half or more of it has gone from the levels as they are now."""
    left = _at_or_better(side, key)
    if 2 * (size - left) >= size:
        side.watch_key = key
        side.watch_left = left
        side.watch_lost = size - left
        side.watch_end = now + WATCH_NS


@record_kernel
def resilience(state: Any, windows: Any) -> Any:
    """Return the mean share of the last watched losses that came back, NaN before the first."""
    n = min(state.watches, WATCHES)
    if n == 0:
        return np.nan
    total = 0.0
    for k in range(n):
        total += windows.watches[k].back / windows.watches[k].lost
    return total / n


@record_kernel
def _take_level(state: Any, side: Any, k: int, key: int, size: int, weight: int) -> None:
    """Take over one level and add its contribution, times ``weight``, to the order-flow imbalance."""
    key_before, size_before = side.key[k], side.size[k]
    e = size if key >= key_before else 0
    e -= size_before if key <= key_before else 0
    e *= weight
    side.key[k] = key
    side.size[k] = size
    side.flow[k] = e
    state.ofi_total[k] += e


@record_kernel
def follow_bids(state: Any, book: Any, weight: int) -> Any:
    """Take over the best bids and return the touch's contribution to the order-flow imbalance.

    The contribution of each level is the bid half of e of Cont, Kukanov & Stoikov (2014, eq. 4) in lots:
    q·1[P ≥ P'] - q'·1[P ≤ P'] (primes: previous); the ask half is its negative with the prices negated. A level that
    is not there stands infinitely far away: one that appears counts whole, so does one that vanishes. ``weight`` is 1
    where the source event is order flow and 0 where it is not.
    """
    side, best = state.sides[0], book.bid_count - 1
    if best >= LEVELS - 1:
        for k in range(LEVELS):
            _take_level(state, side, k, book.bid_price[best - k], book.bid_size[best - k], weight)
    else:
        for k in range(LEVELS):
            key, size = NO_LEVEL, 0
            if k <= best:
                key, size = book.bid_price[best - k], book.bid_size[best - k]
            _take_level(state, side, k, key, size, weight)
    side.flow_event = book.events
    return side.flow[0]


@record_kernel
def follow_asks(state: Any, book: Any, weight: int) -> Any:
    """Take over the best asks and return the touch's contribution; see :func:`follow_bids`."""
    side, best = state.sides[1], book.ask_count - 1
    if best >= LEVELS - 1:
        for k in range(LEVELS):
            _take_level(state, side, k, -book.ask_price[best - k], book.ask_size[best - k], -weight)
    else:
        for k in range(LEVELS):
            key, size = NO_LEVEL, 0
            if k <= best:
                key, size = -book.ask_price[best - k], book.ask_size[best - k]
            _take_level(state, side, k, key, size, -weight)
    side.flow_event = book.events
    return side.flow[0]
