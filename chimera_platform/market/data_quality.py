"""Is a stretch of market data what it should be: what is wrong with it, counted event by event.

The kernel follows every instrument's book and counts, beside what the book itself counts (gaps, crossed, unmatched):

================  ====================================================================================================
out of order      records earlier than the record before them, of any instrument
stale clock       records received more than ``stale_ms`` after, or before, their exchange time
frozen clock      the longest run of an instrument's source events in which the time does not advance
repeated          records of a source event that is over already: their ``seq`` is not above that of the instrument's
                  last completed one; prints have a sequence of their own, a new UTC day or book may begin anew
locked            the longest stretch in which a trusted, open book was locked or crossed, ns of event time
one-sided         the longest stretch in which such a book had one side only, ns of event time
bad sizes         trades and orders of no or negative size, levels and quotes of negative size
price spikes      a mid or a print that jumps by more than ``spike_sigmas`` of its usual changes and ``spike_ppm``, and
                  within ``spike_changes`` further changes and ``spike_ms`` is back by three quarters
================  ====================================================================================================

A stretch ends where the instrument is silent for longer than ``silence_ms``: what is not heard of is not known to
last. The usual change is the mean absolute one (over some 256 changes, spikes left out) times sqrt(pi / 2), the
standard deviation of normal changes with that mean.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pydantic import Field

from chimera_platform.kernels import kernel
from chimera_platform.market.book import apply_event, best_ask, best_bid, is_crossed, is_tradable, is_trusted
from chimera_platform.market.events import EventFlag, EventKind, StatusCode
from chimera_platform.settings import Settings

_PATH = [  # a price path: of the mid (half ticks) or of the prints (ticks)
    ("last", "<i8"),
    ("before", "<i8"),  # the price before the jump that is watched
    ("jump", "<i8"),  # the jump that is watched, 0 for none
    ("jump_ts", "<i8"),  # ns UTC
    ("left", "<i8"),  # changes in which it may still come back
    ("changes", "<i8"),  # usual ones so far
    ("scale", "<f8"),  # their mean size
    ("known", "<i8"),  # 1: last has a meaning
]
PATH_DTYPE = np.dtype(_PATH)
QUALITY_STATE_DTYPE = np.dtype(
    [
        ("last_ts", "<i8"),  # ns UTC, of the last record; 0 before the first
        ("seq", "<i8", (2,)),  # highest so far: of book records, of prints
        ("is_over", "<i8", (2,)),  # 1: its source event is complete
        ("has_seq", "<i8", (2,)),  # 1: seq has a meaning
        ("frozen", "<i8"),  # source events since the time advanced
        ("crossed_since", "<i8"),  # ns UTC, 0: the book is not
        ("one_sided_since", "<i8"),  # ns UTC, 0: the book is not
        ("mid", PATH_DTYPE),
        ("prints", PATH_DTYPE),
    ]
)
QUALITY_COUNTS_DTYPE = np.dtype(
    [
        ("records", "<i8"),
        ("source_events", "<i8"),
        ("out_of_order", "<i8"),  # records
        ("stale_clock", "<i8"),  # records
        ("frozen_clock", "<i8"),  # source events, the longest run
        ("repeated", "<i8"),  # records
        ("gaps", "<i8"),
        ("crossed", "<i8"),  # source events
        ("locked_ns", "<i8"),  # the longest stretch
        ("one_sided_ns", "<i8"),  # the longest stretch
        ("unmatched", "<i8"),  # records
        ("bad_sizes", "<i8"),  # records
        ("price_spikes", "<i8"),
    ]
)


class QualitySettings(Settings):
    """What is called wrong with market data, and how much of it in a day is too much to learn from."""

    stale_ms: int = Field(10_000, ge=1, le=86_400_000, description="receipt this far from exchange time is stale, ms")
    silence_ms: int = Field(300_000, ge=1, le=86_400_000, description="a longer silence ends a stretch, ms")
    spike_sigmas: float = Field(20.0, ge=1.0, le=1e6, description="least jump, standard deviations of usual changes")
    spike_ppm: float = Field(1_000.0, ge=0.0, le=1e6, description="least jump, millionths of the price")
    spike_changes: int = Field(5, ge=1, le=1_000, description="changes of the price in which a spike comes back")
    spike_ms: int = Field(5_000, ge=1, le=3_600_000, description="time in which a spike comes back, ms")
    missing_rows_max: int = Field(0, ge=0, le=10**12, description="event numbers that are not there")
    duplicate_rows_max: int = Field(0, ge=0, le=10**12, description="event numbers that are there twice")
    out_of_order_share_max: float = Field(0.001, ge=0.0, le=1.0, description="share of records that step back in time")
    stale_clock_share_max: float = Field(0.001, ge=0.0, le=1.0, description="share of records with a stale clock")
    frozen_clock_max: int = Field(2_000, ge=1, le=10**12, description="source events in a row at one time")
    repeated_share_max: float = Field(0.001, ge=0.0, le=1.0, description="share of records sent before")
    gaps_max: int = Field(20, ge=0, le=10**9, description="losses reported by the feed")
    crossed_share_max: float = Field(0.01, ge=0.0, le=1.0, description="share of source events with a crossed book")
    locked_ms_max: int = Field(60_000, ge=0, le=86_400_000, description="longest locked or crossed stretch, ms")
    one_sided_ms_max: int = Field(600_000, ge=0, le=86_400_000, description="longest one-sided stretch, ms")
    unmatched_share_max: float = Field(0.05, ge=0.0, le=1.0, description="share of records that do not fit the book")
    bad_sizes_share_max: float = Field(0.01, ge=0.0, le=1.0, description="share of records with an impossible size")
    price_spikes_max: int = Field(3, ge=0, le=10**9, description="jumps of the price that came back at once")


_ADD, _MODIFY, _EXECUTE, _LEVEL = (
    int(k) for k in (EventKind.ADD, EventKind.MODIFY, EventKind.EXECUTE, EventKind.LEVEL)
)
_TRADE, _QUOTE, _CLEAR, _STATUS = (
    int(k) for k in (EventKind.TRADE, EventKind.QUOTE, EventKind.CLEAR, EventKind.STATUS)
)
_LAST, _HIDDEN = int(EventFlag.LAST), int(EventFlag.HIDDEN)
_GAP = int(StatusCode.GAP)
_NS_PER_MS, _NS_PER_DAY = 1_000_000, 86_400_000_000_000
_PATH_MEMORY = 256  # changes over which the mean is taken
_PATH_WARM = 64  # changes without which none is called a jump
_DEVIATION = math.sqrt(math.pi / 2.0)


def new_quality_states(count: int) -> np.ndarray[Any, Any]:
    """Return the states of ``count`` instruments, shape (count,), :data:`QUALITY_STATE_DTYPE`."""
    return np.zeros(count, QUALITY_STATE_DTYPE)


@kernel
def _is_repeated(state: Any, event: Any) -> bool:
    """Take in a record's sequence number; return whether its source event is over already."""
    kind, seq = event.kind, event.seq
    if kind == _CLEAR or (kind == _STATUS and event.price == _GAP):
        state.has_seq[:] = 0
        return False
    if kind == _STATUS:
        return False
    if event.ts_event // _NS_PER_DAY > state.last_ts // _NS_PER_DAY:
        state.has_seq[:] = 0
    stream = 1 if kind == _TRADE else 0
    if state.has_seq[stream] and (seq < state.seq[stream] or (seq == state.seq[stream] and state.is_over[stream])):
        return True
    state.has_seq[stream] = 1
    state.seq[stream] = seq
    state.is_over[stream] = 1 if event.flags & _LAST else 0
    return False


@kernel
def _has_bad_size(event: Any) -> bool:
    """Return whether the size is one that its kind cannot have."""
    kind = event.kind
    if kind in (_LEVEL, _MODIFY):
        return event.size < 0
    if kind == _QUOTE:
        return event.size < 0 or event.ask_size < 0
    return (kind <= _EXECUTE or kind == _TRADE) and event.size <= 0


@kernel
def _follow_path(params: Any, path: Any, price: int, ts: int) -> int:
    """Take in a price; return 1 where a jump has just come back, 0 otherwise."""
    if path.known == 0:
        path.known = 1
        path.last = price
        return 0
    change = price - path.last
    if change == 0:
        return 0
    size, found = float(abs(change)), 0
    limit = max(params.spike_sigmas * _DEVIATION * path.scale, params.spike_ppm * 1e-6 * abs(path.last))
    if path.jump != 0:
        path.left -= 1
        if ts - path.jump_ts > params.spike_ms * _NS_PER_MS:
            path.jump = 0
        elif 4 * abs(price - path.before) <= abs(path.jump):
            path.jump = 0
            found = 1
        elif path.left == 0:
            path.jump = 0
    elif path.changes >= _PATH_WARM and size > limit:
        path.jump, path.before, path.jump_ts, path.left = change, path.last, ts, params.spike_changes
    else:
        path.changes += 1
        path.scale += (size - path.scale) / min(path.changes, _PATH_MEMORY)
    path.last = price
    return found


@kernel
def _follow_stretches(params: Any, state: Any, ts: int, found: Any) -> None:
    """Measure how long the book has been as it was before an event at ``ts``."""
    if ts - state.last_ts > params.silence_ms * _NS_PER_MS:
        state.crossed_since = 0
        state.one_sided_since = 0
    if state.crossed_since != 0:
        found.locked_ns = max(found.locked_ns, ts - state.crossed_since)
    if state.one_sided_since != 0:
        found.one_sided_ns = max(found.one_sided_ns, ts - state.one_sided_since)


@kernel
def _note_book(state: Any, book: Any, ts: int) -> None:
    """Note what a completed book is from here on."""
    watched = is_trusted(book) and book.halted == 0 and book.closed == 0
    if not (watched and is_crossed(book)):
        state.crossed_since = 0
    elif state.crossed_since == 0:
        state.crossed_since = ts
    if not (watched and (book.bid_count == 0) != (book.ask_count == 0)):
        state.one_sided_since = 0
    elif state.one_sided_since == 0:
        state.one_sided_since = ts


@kernel
def _inspect_event(params: Any, state: Any, book: Any, event: Any, found: Any) -> None:
    """Count what is wrong with one record and apply it to its book."""
    ts = event.ts_event
    found.records += 1
    if abs(event.ts_recv - ts) > params.stale_ms * _NS_PER_MS:
        found.stale_clock += 1
    if _has_bad_size(event):
        found.bad_sizes += 1
    if _is_repeated(state, event):
        found.repeated += 1
    if ts > state.last_ts:
        state.frozen = 0
    elif event.flags & _LAST:
        state.frozen += 1
        found.frozen_clock = max(found.frozen_clock, state.frozen)
    _follow_stretches(params, state, ts, found)
    gaps, crossed, unmatched, source_events = book.gaps, book.crossed, book.unmatched, book.events
    apply_event(book, event)
    found.gaps += book.gaps - gaps
    found.crossed += book.crossed - crossed
    found.unmatched += book.unmatched - unmatched
    found.source_events += book.events - source_events
    if event.kind == _TRADE or (event.kind == _EXECUTE and event.flags & _HIDDEN == 0):
        found.price_spikes += _follow_path(params, state.prints, event.price, ts)
    if event.flags & _LAST:
        _note_book(state, book, ts)
        if is_tradable(book):
            found.price_spikes += _follow_path(params, state.mid, best_bid(book) + best_ask(book), ts)
    state.last_ts = ts


@kernel
def inspect_events(params: Any, states: Any, books: Any, events: Any, before_ts: int, found: Any) -> int:
    """Count what is wrong with events; return the time of the last one.

    Parameters
    ----------
    params : record of :class:`QualitySettings`.
    states, books : of all instruments, by ``instrument_id``; followed from the start of the run.
    events : EVENT_DTYPE (n,), in the run's order.
    before_ts : ns UTC, of the record before them; 0 at the start.
    found : QUALITY_COUNTS_DTYPE record that is added to; longest runs and stretches become the larger of two.
    """
    for i in range(events.shape[0]):
        event = events[i]
        if event.ts_event < before_ts:
            found.out_of_order += 1
        before_ts = event.ts_event
        _inspect_event(params, states[event.instrument_id], books[event.instrument_id], event, found)
    return before_ts
