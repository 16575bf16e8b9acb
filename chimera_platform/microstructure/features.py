"""The feature kernel: one state per instrument, kept at every record and asked for features when they are wanted.

Call :func:`update_features` for *every* record right after ``apply_event``; it keeps totals, queues and the best
levels as they were, in a few nanoseconds where nothing near the touch changes. All that is computed from them, by
:func:`chimera_platform.microstructure.feature_vector.write_features`, is computed at the events where it is asked
for, and does not depend on how often that is.

Conventions: quotes count only in a trusted book (no gap, no rebuild under way) with both sides; rebuilds and levels
that enter or leave a depth-limited view are no flow; all records of a source event count at the time of its LAST
record; a clock that runs backwards within an instrument is held at the latest time seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from chimera_platform.errors import ConfigurationError
from chimera_platform.kernels import record_kernel
from chimera_platform.market.book import is_trusted
from chimera_platform.market.events import EventFlag, EventKind
from chimera_platform.market.instruments import Instrument
from chimera_platform.microstructure import feature_seconds
from chimera_platform.microstructure.feature_seconds import (
    SECOND_ENTRY_DTYPE,
    SECOND_TOTAL_DTYPE,
    SECONDS_DTYPE,
    clear_seconds,
    open_second,
)
from chimera_platform.microstructure.feature_touch import (
    SIDE_DTYPE,
    WATCH_DTYPE,
    WATCHES,
    begin_watch,
    clear_sides,
    end_watch,
    follow_asks,
    follow_bids,
)
from chimera_platform.microstructure.feature_trades import (
    PRINT_CAPACITY,
    PRINT_DTYPE,
    TRADES_DTYPE,
    await_spread,
    gather_print,
    realise_spreads,
    spread_due,
    start_session,
)
from chimera_platform.microstructure.feature_volume import (
    BUCKET_DTYPE,
    BUCKETS_KEPT,
    VOLUME_TIME_DTYPE,
    VolumeTimeSettings,
    begin_volume_time,
)
from chimera_platform.microstructure.feature_windows import (
    FLOW_CAPACITY,
    FLOW_ENTRY_DTYPE,
    LEVELS,
    STEP_CAPACITY,
    STEP_ENTRY_DTYPE,
    STEP_NS,
    STEPS_PER_SECOND,
    TOTAL_FIELDS,
    open_step,
    push_flow,
)

FEATURE_STATE_DTYPE = np.dtype(
    [
        ("open", "<i8"),  # marks of the open source event, see below; its cancels times 256
        ("now", "<i8"),  # ns UTC, latest LAST
        ("timer", "<i8"),  # ns UTC, from when on something is due that time alone brings about
        ("has_previous", "<i8"),  # 1: the sides below are those of a trusted book
        ("has_mid", "<i8"),  # 1 once a mid has been seen
        ("mid_doubled", "<i8"),  # half ticks, last defined
        ("spread", "<i8"),  # ticks, last defined
        ("sides", SIDE_DTYPE, (2,)),  # bids, asks
        *TOTAL_FIELDS,
        ("watches", "<i8"),  # watches of a depleted touch completed
        ("tick_numerator", "<f8"),  # price = ticks · numerator / denominator: correctly rounded where one of them is 1
        ("tick_denominator", "<f8"),
        ("trades", TRADES_DTYPE),
        ("volume", VOLUME_TIME_DTYPE),
        ("seconds", SECONDS_DTYPE),
    ]
)
FEATURE_WINDOWS_DTYPE = np.dtype(
    [
        ("steps", STEP_ENTRY_DTYPE, (STEP_CAPACITY,)),
        ("seconds", SECOND_ENTRY_DTYPE, (feature_seconds.CAPACITY,)),
        ("second_totals", SECOND_TOTAL_DTYPE, (feature_seconds.CAPACITY,)),
        ("prints", PRINT_DTYPE, (PRINT_CAPACITY,)),
        ("buckets", BUCKET_DTYPE, (BUCKETS_KEPT,)),
        ("watches", WATCH_DTYPE, (WATCHES,)),
        ("flow", FLOW_ENTRY_DTYPE, (FLOW_CAPACITY,)),
    ]
)

_CANCEL, _DELETE, _EXECUTE = int(EventKind.CANCEL), int(EventKind.DELETE), int(EventKind.EXECUTE)
_MODIFY, _LEVEL, _TRADE = int(EventKind.MODIFY), int(EventKind.LEVEL), int(EventKind.TRADE)
_QUOTE, _CLEAR = int(EventKind.QUOTE), int(EventKind.CLEAR)
_LAST, _SNAPSHOT = int(EventFlag.LAST), int(EventFlag.SNAPSHOT)
_NO_FLOW = int(EventFlag.WINDOW) | int(EventFlag.HIDDEN)

# Marks of a source event: its records have …
_BIDS, _ASKS = 1, 2  # … changed the best bids, the best asks, or may have
_BOTH = _BIDS | _ASKS
_FLOW = 4  # … changed the book as order flow
_REBUILD = 8  # … cleared the book or brought a snapshot
_PRINT = 16  # … traded
_CANCELLED = 256  # times the number of withdrawals


def new_feature_states(
    instruments: Iterable[Instrument], settings: VolumeTimeSettings | None = None, flow_capacity: int = FLOW_CAPACITY
) -> np.ndarray[Any, Any]:
    """Return fresh states, dtype :data:`FEATURE_STATE_DTYPE`.

    Parameters
    ----------
    instruments : one state each; a ``Universe`` is fine.
    settings : how volume buckets are cut.
    flow_capacity : entries of the ten-second queue that are used, a power of two of at least 2.
    """
    if not 2 <= flow_capacity <= FLOW_CAPACITY or flow_capacity & (flow_capacity - 1):
        raise ConfigurationError(f"flow capacity is {flow_capacity}; expected a power of two, 2 to {FLOW_CAPACITY}")
    ratios = [i.tick_size.as_integer_ratio() for i in instruments]
    states = np.zeros(len(ratios), FEATURE_STATE_DTYPE)
    states["tick_numerator"] = [r[0] for r in ratios]
    states["tick_denominator"] = [r[1] for r in ratios]
    states["open"] = _BOTH
    states["step"] = -1
    states["flow_mask"] = flow_capacity - 1
    clear_sides(states["sides"])
    clear_seconds(states["seconds"])
    begin_volume_time(states["volume"], settings or VolumeTimeSettings())
    return states


def new_feature_windows(count: int) -> np.ndarray[Any, Any]:
    """Return empty windows, one record per instrument (about 570 KB each, of which a market uses what it needs)."""
    return np.zeros(count, FEATURE_WINDOWS_DTYPE)


@record_kernel
def _take_print(state: Any, windows: Any, event: Any) -> None:
    """Add a print to the open source event."""
    bids, asks = state.sides[0], state.sides[1]
    has_quotes = state.has_previous != 0 and bids.size[0] > 0 and asks.size[0] > 0
    gather_print(
        state.trades, state.volume, windows, event, max(event.ts_event, state.now), bids.key[0] - asks.key[0],
        has_quotes, state.ofi_total[0],
    )  # fmt: skip
    if event.ts_event > state.now:
        state.timer = 0  # the session may have begun anew ahead of the source event's end


@record_kernel
def _mark_other(state: Any, windows: Any, event: Any) -> Any:
    """Return the marks of a record that is neither an order's nor a level's plain change."""
    kind = event.kind
    marks = 0 if kind == _TRADE else _BOTH
    if kind == _CLEAR or event.flags & _SNAPSHOT:
        marks |= _BOTH | _REBUILD
    elif kind in (_MODIFY, _QUOTE) and event.flags & _NO_FLOW == 0:
        marks |= _FLOW
    if kind in (_TRADE, _EXECUTE):
        _take_print(state, windows, event)
        marks |= _PRINT
    return marks


@record_kernel
def _elapse(state: Any, windows: Any, events_before: int, now: int) -> None:
    """Do what is due by time alone, on the state as it was before this source event."""
    step = now // STEP_NS
    if step > state.step:
        open_step(state, windows, step, events_before)
        second = step // STEPS_PER_SECOND
        if second > state.seconds.second:
            signed_volume = state.buy_total - state.sell_total
            open_second(state.seconds, windows, second, state.mid_doubled, state.spread, signed_volume)
            start_session(state.trades, now)
    if state.timer == 0:
        start_session(state.trades, now)
    realise_spreads(state.trades, windows, now, state.mid_doubled, state.has_mid)
    due = min((step + 1) * STEP_NS, spread_due(state.trades, windows))
    for k in range(2):
        side = state.sides[k]
        if side.watch_lost > 0:
            if now > side.watch_end:
                end_watch(state, windows, side)
            else:
                due = min(due, side.watch_end + 1)
    state.timer = due


@record_kernel
def _settle_prints(state: Any, windows: Any, now: int) -> Any:
    """Add the source event's prints to the totals; return whether any of them had a sign."""
    trades = state.trades
    signed = trades.buy != 0 or trades.sell != 0
    state.buy_total += trades.buy
    state.sell_total += trades.sell
    state.print_total += trades.prints
    trades.delta += trades.buy - trades.sell
    if trades.signed != 0:
        await_spread(trades, windows, now, state.mid_doubled, state.has_mid)
        state.timer = min(state.timer, spread_due(trades, windows))
    trades.buy = 0
    trades.sell = 0
    trades.prints = 0
    trades.signed = 0
    return signed


@record_kernel
def _follow_touch(state: Any, book: Any, k: int, counts: int, now: int) -> Any:
    """Follow one side and watch its touch where it is depleted; return its contribution to the OFI."""
    side = state.sides[k]
    key, size = side.key[0], side.size[0]
    e = follow_bids(state, book, counts) if k == 0 else follow_asks(state, book, counts)
    if counts != 0 and side.watch_lost == 0 and size > 0 and (side.key[0] != key or side.size[0] < size):
        begin_watch(side, now, key, size)
        if side.watch_lost > 0:
            state.timer = min(state.timer, side.watch_end + 1)
    return e


@record_kernel
def _follow_book(state: Any, book: Any, marks: int, now: int) -> Any:
    """Take over the levels of the marked sides and return the source event's OFI at the touch."""
    if marks & _REBUILD or not is_trusted(book):
        state.sides[0].watch_lost = 0
        state.sides[1].watch_lost = 0
    if not is_trusted(book):
        state.has_previous = 0
        state.open = _BOTH
        return 0
    counts = 1 if state.has_previous != 0 and marks & (_FLOW | _REBUILD) == _FLOW else 0
    if marks & _BOTH == _BOTH:
        e = _follow_touch(state, book, 0, counts, now) + _follow_touch(state, book, 1, counts, now)
    else:
        e = _follow_touch(state, book, (marks & _ASKS) >> 1, counts, now)
    state.has_previous = 1
    bids, asks = state.sides[0], state.sides[1]
    if bids.size[0] > 0 and asks.size[0] > 0:
        state.mid_doubled = bids.key[0] - asks.key[0]
        state.spread = -asks.key[0] - bids.key[0]
        if state.has_mid == 0:
            state.has_mid = 1
            state.seconds.has_mid = 1
            state.seconds.first_second = state.seconds.second
    state.abs_ofi_total += abs(e)
    return e


@record_kernel
def update_features(state: Any, windows: Any, book: Any, event: Any) -> bool:
    """Take in one record, already applied to ``book``.

    Parameters
    ----------
    state : record of :data:`FEATURE_STATE_DTYPE`, changed in place.
    windows : record of :data:`FEATURE_WINDOWS_DTYPE`, changed in place.
    book : record of ``BOOK_DTYPE`` after this event.
    event : record of ``EVENT_DTYPE``.

    Returns
    -------
    bool : whether the source event is complete, so that features may be asked for.

    Notes
    -----
    The event's OFI compares the best quotes of consecutive LAST states. A source event that clears the book or
    carries a snapshot contributes 0, and so does one that only moves levels in or out of a depth-limited view.
    A record beyond the fifth level of its side cannot change the best five, and is not followed any further.
    """
    kind, flags = event.kind, event.flags
    marks = state.open
    if kind <= _LEVEL and kind != _MODIFY and flags & _SNAPSHOT == 0:
        k = 0 if event.side > 0 else 1
        near = event.side * event.price >= state.sides[k].key[LEVELS - 1]
        marks |= (1 << k) if near else 0
        if flags & _NO_FLOW == 0:
            marks |= _FLOW
            if kind in (_CANCEL, _DELETE) or (kind == _LEVEL and event.size == 0):
                marks += _CANCELLED
        if kind == _EXECUTE:
            _take_print(state, windows, event)
            marks |= _PRINT
    else:
        marks |= _mark_other(state, windows, event)
    if flags & _LAST == 0:
        state.open = marks
        return False
    now = max(event.ts_event, state.now)
    state.now = now
    state.open = 0
    if now >= state.timer:
        _elapse(state, windows, book.events - 1, now)
    state.cancel_total += marks >> 8
    changed = marks & _PRINT != 0 and _settle_prints(state, windows, now)
    if marks & _BOTH and _follow_book(state, book, marks, now) != 0:
        changed = True
    if changed:
        push_flow(state, windows, now)
    return True
