"""Vacuum: one side's depth near the touch has gone at once, and orders were withdrawn rather than traded.

*Near* is ``reach`` times the usual distance of the ``levels``-th level from the touch (the median of both sides'
history), so that it is a stretch of prices: the same orders over wider gaps are less depth. *Depth* is what is
displayed on it, at most ``SCAN_LEVELS``; each side has a history of its own, in buckets of a quarter octave whose
counts are halved when ``memory_samples`` are reached. A side is *thin* with at most ``thin_share`` of its median and
less than its ``low_quantile``. Lots *withdrawn* are those that near orders (L3) or levels (L2, beyond what prints at
the price explain) lost, less those that came new, in the last ``window_ms`` (the current half and the one before). A
feed of the touch alone knows no near depth: nothing is said of it.

All is judged at LAST records of a tradable book, ``sample_ms`` after the last look at least, once ``sample_records``
have come, much of the median has been withdrawn, or a forming vacuum has held long enough.

=========  ===============================================================================================
FORMING    a side is thin, has lost ``loss_share`` of its depth by withdrawal within the window, and of what it lost
           ``withdrawn_share`` did not trade
CONFIRMED  ``hold_ms`` later it is still thin, or its touch has gone through half of the stretch before it was
FAILED     ``refill_share`` of the depth before is there again before its touch has gone through half of the stretch;
           a forming one also when the book is cleared, messages are lost, trading halts or a session begins or ends
=========  ===============================================================================================

Once the touch has gone so far, or after ``follow_ms``, it is forgotten without a word. ``side`` is the direction in
which the price would fall: +1 where asks are thin. Zone: the stretch as it was announced. Strength: withdrawn share
x (1 - depth / median). Evidence: :data:`VACUUM_EVIDENCE`. No source defines the pattern in numbers; this is the usual
description, levels below a low quantile of their own history with cancels rather than trades.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field, model_validator

from chimera_platform.kernels import kernel
from chimera_platform.market.book import ask_level, best_ask, best_bid, bid_level, is_tradable
from chimera_platform.market.events import EventFlag, EventKind
from chimera_platform.settings import Settings
from chimera_platform.signals.records import Detector, Stage

VACUUM_EVIDENCE = ("depth_over_median", "withdrawn_share", "levels", "duration_ms")
BUCKETS = 248  # four an octave, up to 2**62 lots or ticks
SCAN_LEVELS = 64  # of a side, at most, that are near
VACUUM_ROWS_MAX = 2  # a record, at most: one a side
KNOWN_LEVELS = 64  # near levels of a side whose size is remembered (L2); a price has one place
_LOOK_SHARE = 0.1  # of the median: a withdrawal that is looked at without waiting, and each further one
_NO_PRICE = -(1 << 62)


class VacuumSettings(Settings):
    """What counts as a vacuum."""

    sample_ms: int = Field(default=200, ge=1, le=60_000, description="between two looks at the depth at least, ms")
    sample_records: int = Field(default=64, ge=1, le=100_000, description="between two looks at least, event records")
    levels: int = Field(default=10, ge=2, le=SCAN_LEVELS, description="level whose usual distance is near")
    reach: float = Field(default=4.0, ge=0.1, le=100.0, description="near, in usual distances of that level")
    low_quantile: float = Field(default=0.3, gt=0.0, le=0.5, description="of its history that thin depth is below")
    thin_share: float = Field(default=0.5, gt=0.0, le=1.0, description="of median depth that is thin, at most")
    least_share: float = Field(default=0.1, ge=0.0, le=10.0, description="of median depth, withdrawn at least")
    loss_share: float = Field(default=0.65, gt=0.0, le=1.0, description="of the depth before that was lost, at least")
    withdrawn_share: float = Field(default=0.7, gt=0.0, le=1.0, description="of the loss that was not traded, at least")
    window_ms: int = Field(default=500, ge=2, le=3_600_000, description="in which depth is lost, ms")
    hold_ms: int = Field(default=3_000, ge=0, le=3_600_000, description="without a refill until it is confirmed, ms")
    refill_share: float = Field(default=0.6, gt=0.0, le=1.0, description="of the depth before that is a refill")
    follow_ms: int = Field(default=300_000, ge=1, le=36_000_000, description="that a vacuum is followed, ms")
    memory_samples: int = Field(default=2_000, ge=2, le=1_000_000, description="history at which it is halved, samples")
    refresh_samples: int = Field(default=32, ge=1, le=10_000, description="between two readings of it, samples")
    warm_samples: int = Field(default=50, ge=1, le=1_000_000, description="history before anything is said, samples")

    @model_validator(mode="after")
    def _is_consistent(self) -> VacuumSettings:
        if self.warm_samples >= self.memory_samples:
            raise ValueError(f"warm_samples {self.warm_samples} must be below memory_samples {self.memory_samples}")
        return self


VACUUM_STATE_DTYPE = np.dtype(
    [
        ("records", "<i8"),  # since the last sample
        ("sample_ts", "<i8"),  # ns UTC: the last sample
        ("samples", "<i8"),  # counter, to the next reading of the histories
        ("reach", "<i8"),  # ticks: what is near; 0 before the first reading
        ("median", "<i8", (2,)),  # lots, of bids and asks
        ("low", "<i8", (2,)),  # lots: the low quantile
        ("limit", "<i8", (2,)),  # sign x ticks: far end of what is near, at the last sample
        ("look_lots", "<i8", (2,)),  # lots: a withdrawal that is looked at without waiting
        ("next_look", "<i8", (2,)),  # lots withdrawn in the current half that are next looked at
        ("is_urgent", "<i8"),  # 1: to be looked at without waiting
        ("half_start", "<i8"),  # ns UTC: the current half of the window
        ("half_before", "<i8"),  # ns UTC: beginning of the one before
        ("half_end", "<i8"),  # ns UTC: of the current one
        ("withdrawn_now", "<i8", (2,)),  # lots withdrawn less lots added, in the current half
        ("withdrawn_past", "<i8", (2,)),  # the same, in the one before
        ("best_now", "<i8", (2,)),  # sign x ticks: best price withdrawn from, in the current half
        ("best_past", "<i8", (2,)),  # the same, in the one before
        ("traded_now", "<i8", (2,)),  # lots traded against the side
        ("traded_past", "<i8", (2,)),
        ("known_key", "<i8", (2, KNOWN_LEVELS)),  # 2 x ticks + 1: levels as last seen, L2 only; 0: none
        ("known_size", "<i8", (2, KNOWN_LEVELS)),  # lots
        ("printed", "<i8", (2, KNOWN_LEVELS)),  # lots traded there since
        ("look_ts", "<i8"),  # ns UTC: when a forming one has to be looked at, 0: none
        ("stage", "<i8", (2,)),  # Stage of what is announced, 0: nothing
        ("number", "<i8", (2,)),  # its detection_no
        ("start_ts", "<i8", (2,)),  # ns UTC: beginning of the window in which it lost its depth
        ("before", "<i8", (2,)),  # lots: its depth before
        ("said_ts", "<i8", (2,)),  # ns UTC: when it was announced
        ("touch", "<i8", (2,)),  # ticks: the side's touch, then
        ("near", "<i8", (2,)),  # ticks: its zone
        ("far", "<i8", (2,)),  # ticks
        ("withdrawn", "<i8", (2,)),  # lots
        ("share", "<f8", (2,)),  # withdrawn share of the loss
        ("detections", "<i8"),  # counter
        ("distances", "<i8"),  # sum of the counts
        ("depths", "<i8", (2,)),  # sums of the counts
        ("distance_counts", "<i4", (BUCKETS,)),  # distance of the level in ticks, both sides
        ("depth_counts", "<i4", (2, BUCKETS)),  # near depth in lots
    ]
)

_ADD, _MODIFY, _EXECUTE = int(EventKind.ADD), int(EventKind.MODIFY), int(EventKind.EXECUTE)
_LEVEL, _TRADE = int(EventKind.LEVEL), int(EventKind.TRADE)
_CLEAR = int(EventKind.CLEAR)  # STATUS is the one kind behind it
_LAST, _HIDDEN = int(EventFlag.LAST), int(EventFlag.HIDDEN)
_NOT_MARKET = int(EventFlag.SNAPSHOT | EventFlag.WINDOW)
_VACUUM = int(Detector.VACUUM)
_FORMING, _CONFIRMED, _FAILED = int(Stage.FORMING), int(Stage.CONFIRMED), int(Stage.FAILED)
_MS = 1_000_000


def new_vacuum_states(count: int) -> np.ndarray[Any, Any]:
    """Return the states of ``count`` instruments, shape (count,), :data:`VACUUM_STATE_DTYPE`."""
    return np.zeros(count, VACUUM_STATE_DTYPE)


@kernel
def bucket_of(value: int) -> Any:
    """Return the bucket of a number from 0 to 2**62: itself below 8, then four an octave."""
    if value < 8:
        return max(value, 0)
    exponent, rest = 0, value
    for step in (32, 16, 8, 4, 2, 1):
        if rest >> step:
            rest >>= step
            exponent += step
    return min(4 * (exponent - 1) + ((value >> (exponent - 2)) & 3), BUCKETS - 1)


@kernel
def middle_of(bucket: int) -> Any:
    """Return the middle of a bucket, rounded down."""
    if bucket < 8:
        return bucket
    width = np.int64(1) << (bucket // 4 - 1)
    return (4 + bucket % 4) * width + (width >> 1)


@kernel
def _quantile(counts: Any, total: int, share: float) -> Any:
    """Return the middle of the first bucket up to which more than ``share`` of the counts lie."""
    bound, seen = share * total, 0
    for bucket in range(BUCKETS):
        seen += counts[bucket]
        if seen > bound:
            return middle_of(bucket)
    return 0


@kernel
def _count(params: Any, counts: Any, total: int, value: int) -> Any:
    """Take a value into a history; return the new sum of its counts."""
    if total >= params.memory_samples:
        total = 0
        for bucket in range(BUCKETS):
            counts[bucket] >>= 1
            total += counts[bucket]
    counts[bucket_of(value)] += 1
    return total + 1


@kernel
def _depth_to(book: Any, side: int, far: int) -> Any:
    """Return (lots, levels) of side 0 (bids) or 1 (asks) from the touch to ``far``, SCAN_LEVELS at most."""
    lots, levels = 0, 0
    if side == 0:
        count = book.bid_count
        for i in range(count - 1, max(count - 1 - SCAN_LEVELS, -1), -1):
            if book.bid_price[i] < far:
                break
            lots += book.bid_size[i]
            levels += 1
    else:
        count = book.ask_count
        for i in range(count - 1, max(count - 1 - SCAN_LEVELS, -1), -1):
            if book.ask_price[i] > far:
                break
            lots += book.ask_size[i]
            levels += 1
    return lots, levels


@kernel
def _read_histories(params: Any, state: Any) -> None:
    """Take reach, medians and low quantiles from the histories."""
    state.samples = 0
    state.reach = int(params.reach * _quantile(state.distance_counts, state.distances, 0.5))
    for side in range(2):
        state.median[side] = _quantile(state.depth_counts[side], state.depths[side], 0.5)
        state.look_lots[side] = int(_LOOK_SHARE * state.median[side]) + 1
        state.low[side] = _quantile(state.depth_counts[side], state.depths[side], params.low_quantile)


@kernel
def _say(state: Any, side: int, stage: int, ts: int, depth: int, levels: int, out: Any, rows: int) -> Any:
    """Write a row about what is announced of a side."""
    row = out.row[rows]
    left = depth / state.median[side] if state.median[side] > 0 else 0.0
    row.detection_no = state.number[side]
    row.ts_start = state.start_ts[side]
    row.price_low = min(state.near[side], state.far[side])
    row.price_high = max(state.near[side], state.far[side])
    row.size = state.withdrawn[side]
    row.strength = state.share[side] * max(0.0, 1.0 - left)
    row.evidence[0] = left
    row.evidence[1] = state.share[side]
    row.evidence[2] = levels
    row.evidence[3] = (ts - state.start_ts[side]) / _MS
    row.detector = _VACUUM
    row.stage = stage
    row.side = 2 * side - 1
    state.stage[side] = stage
    return rows + 1


@kernel
def _turn(params: Any, state: Any, ts: int) -> None:
    """Begin a new half of the window: the current one is over."""
    half = params.window_ms * (_MS // 2)
    follows = state.half_end != 0 and ts < state.half_end + half
    state.half_before = state.half_start if follows else ts
    state.half_start = ts
    state.half_end = ts + half
    for side in range(2):
        state.withdrawn_past[side] = state.withdrawn_now[side] if follows else 0
        state.traded_past[side] = state.traded_now[side] if follows else 0
        state.best_past[side] = state.best_now[side] if follows else _NO_PRICE
        state.withdrawn_now[side] = 0
        state.best_now[side] = _NO_PRICE
        state.traded_now[side] = 0
        state.next_look[side] = state.look_lots[side]


@kernel
def _announce(
    params: Any, state: Any, book: Any, side: int, ts: int, depth: int, levels: int, out: Any, rows: int
) -> Any:
    """Announce a thin side where it has just lost its depth, and by withdrawal; return the rows written."""
    if ts >= state.half_end:
        _turn(params, state, ts)
    withdrawn = state.withdrawn_now[side] + state.withdrawn_past[side]
    traded = state.traded_now[side] + state.traded_past[side]
    before = depth + withdrawn + traded
    if withdrawn <= 0 or withdrawn < params.least_share * state.median[side] or withdrawn < params.loss_share * before:
        return rows
    if withdrawn < params.withdrawn_share * (withdrawn + traded):
        return rows
    state.number[side] = state.detections
    state.detections += 1
    state.start_ts[side] = state.half_before
    state.before[side] = before
    state.said_ts[side] = ts
    state.look_ts = ts + params.hold_ms * _MS
    sign = 1 - 2 * side
    touch = best_bid(book) if side == 0 else best_ask(book)
    state.touch[side] = touch
    state.near[side] = sign * max(sign * touch, state.best_now[side], state.best_past[side])
    state.far[side] = touch - sign * state.reach
    state.withdrawn[side] = withdrawn
    state.share[side] = withdrawn / (withdrawn + traded)
    return _say(state, side, _FORMING, ts, depth, levels, out, rows)


@kernel
def _judge(params: Any, state: Any, book: Any, side: int, ts: int, depth: int, levels: int, out: Any, rows: int) -> Any:
    """Move what is announced of a side through its life, or announce it; return the rows written."""
    is_thin = depth <= params.thin_share * state.median[side] and depth < state.low[side]
    if state.stage[side] == 0:
        return _announce(params, state, book, side, ts, depth, levels, out, rows) if is_thin else rows
    touch = best_bid(book) if side == 0 else best_ask(book)
    if 2 * (touch - state.touch[side]) * (2 * side - 1) > abs(state.far[side] - state.touch[side]):
        if state.stage[side] == _FORMING:
            rows = _say(state, side, _CONFIRMED, ts, depth, levels, out, rows)
        state.stage[side] = 0
    elif depth >= params.refill_share * state.before[side]:
        rows = _say(state, side, _FAILED, ts, depth, levels, out, rows)
        state.stage[side] = 0
    elif state.stage[side] == _FORMING and is_thin and ts - state.said_ts[side] >= params.hold_ms * _MS:
        rows = _say(state, side, _CONFIRMED, ts, depth, levels, out, rows)
    elif ts - state.said_ts[side] > params.follow_ms * _MS:
        state.stage[side] = 0
    return rows


@kernel
def _sample(params: Any, state: Any, book: Any, ts: int, out: Any, rows: int) -> Any:
    """Look at the depth of both sides; return the rows written."""
    state.records = 0
    state.is_urgent = 0
    state.sample_ts = ts
    if ts >= state.look_ts:
        state.look_ts = 0
    far_bid, bid_lots = bid_level(book, params.levels)
    if bid_lots > 0:
        state.distances = _count(params, state.distance_counts, state.distances, best_bid(book) - far_bid)
    far_ask, ask_lots = ask_level(book, params.levels)
    if ask_lots > 0:
        state.distances = _count(params, state.distance_counts, state.distances, far_ask - best_ask(book))
    state.samples += 1
    if state.samples >= params.refresh_samples:
        _read_histories(params, state)
    if state.reach == 0:
        return rows
    state.limit[0] = best_bid(book) - state.reach
    state.limit[1] = -(best_ask(book) + state.reach)
    for side in range(2):
        depth, levels = _depth_to(book, side, (1 - 2 * side) * state.limit[side])
        state.depths[side] = _count(params, state.depth_counts[side], state.depths[side], depth)
        if state.depths[side] >= params.warm_samples and state.median[side] > 0:
            rows = _judge(params, state, book, side, ts, depth, levels, out, rows)
    return rows


@kernel
def _break_off(state: Any, ts: int, out: Any, rows: int) -> Any:
    """Carry nothing but the histories over a change of the book that is not the market's; return the rows written."""
    state.half_end = 0
    for side in range(2):
        if state.stage[side] == _FORMING:
            rows = _say(state, side, _FAILED, ts, 0, 0, out, rows)
        state.stage[side] = 0
        state.withdrawn_now[side] = 0
        state.traded_now[side] = 0
        for k in range(KNOWN_LEVELS):
            state.known_key[side, k] = 0
    return rows


@kernel
def _withdraw(params: Any, state: Any, side: int, ts: int, key: int, lots: int) -> None:
    """Count near lots that were withdrawn, or added where negative, at sign x ticks ``key``."""
    if ts >= state.half_end:
        _turn(params, state, ts)
    withdrawn = state.withdrawn_now[side] + lots
    state.withdrawn_now[side] = withdrawn
    if lots > 0:
        if key > state.best_now[side]:
            state.best_now[side] = key
        if withdrawn >= state.next_look[side]:
            state.next_look[side] = withdrawn + state.look_lots[side]
            state.is_urgent = 1


@kernel
def _take_order(params: Any, state: Any, event: Any) -> None:
    """Count a new, reduced or withdrawn order where it is near."""
    side, key = (1 - np.int64(event.side)) >> 1, event.side * event.price
    if key >= state.limit[side] and event.size > 0:
        _withdraw(params, state, side, event.ts_event, key, -event.size if event.kind == _ADD else event.size)


@kernel
def _take_level(params: Any, state: Any, event: Any) -> None:
    """Compare a near level with its size before; what prints do not explain was withdrawn or added."""
    side, key, k = (1 - np.int64(event.side)) >> 1, event.side * event.price, event.price & (KNOWN_LEVELS - 1)
    is_known = state.known_key[side, k] == 2 * event.price + 1
    if key < state.limit[side]:
        if is_known:
            state.known_key[side, k] = 0
        return
    if is_known and event.flags & _NOT_MARKET == 0:
        # Prints that the level does not show in full hit size that was not displayed.
        lots = state.known_size[side, k] - state.printed[side, k] - event.size
        _withdraw(params, state, side, event.ts_event, key, lots)
    state.known_key[side, k] = 2 * event.price + 1
    state.known_size[side, k] = event.size
    state.printed[side, k] = 0


@kernel
def _take_trade(params: Any, state: Any, event: Any, resting: int) -> None:
    """Count lots traded against the resting side."""
    side, k = 0 if resting > 0 else 1, event.price & (KNOWN_LEVELS - 1)
    if event.ts_event >= state.half_end:
        _turn(params, state, event.ts_event)
    state.traded_now[side] += event.size
    if event.kind == _TRADE and state.known_key[side, k] == 2 * event.price + 1:
        state.printed[side, k] += event.size


@kernel
def update_vacuum(params: Any, state: Any, book: Any, event: Any, out: Any, rows: int) -> Any:
    """Take in a record, after ``apply_event``; return the rows in ``out`` (at most ``VACUUM_ROWS_MAX`` more).

    Parameters
    ----------
    params : record of :class:`VacuumSettings`.
    state : record of :data:`VACUUM_STATE_DTYPE`, changed in place.
    book, event : the instrument's book and the record just applied to it.
    out : record with ``VACUUM_ROWS_MAX`` rows behind ``rows``, see :func:`update_detectors`.
    rows : rows in use.
    """
    kind = event.kind
    state.records += 1
    if kind == _TRADE or kind == _EXECUTE:  # noqa: SIM109 (a tuple costs a comparison more)
        resting = np.int64(event.side) if kind == _EXECUTE else -event.side
        if resting != 0 and event.size > 0 and event.flags & _HIDDEN == 0:
            _take_trade(params, state, event, resting)
    elif event.side != 0 and state.reach > 0:
        if kind == _LEVEL:
            _take_level(params, state, event)
        elif kind < _EXECUTE:
            _take_order(params, state, event)
    if kind >= _CLEAR or kind == _MODIFY:
        rows = _break_off(state, event.ts_event, out, rows)
    if event.flags & _LAST == 0:
        return rows
    if state.is_urgent == 0:
        if state.records < params.sample_records and (state.look_ts == 0 or event.ts_event < state.look_ts):
            return rows
        if event.ts_event - state.sample_ts < params.sample_ms * _MS:
            return rows
    if not is_tradable(book):
        return rows
    return _sample(params, state, book, event.ts_event, out, rows)
