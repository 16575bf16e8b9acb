"""Stop runs: a rush of aggressive trades through a recent extreme that does not hold.

The *extreme* of some minutes is the highest ask (for a run upwards; the lowest bid downwards) that a tradable book
showed at their LAST records, no matter for how long; it is *respected* where it was reached first at least
``age_minutes`` ago. What may break is the extreme of the last ``least_minutes``, or where that is not respected of the
fewest minutes, up to ``most_minutes``, whose extreme is. A *rush* is a run of trades of one aggressor, each within
``gap_ms`` of the one before, that began inside that extreme, trades beyond it, and is made of ``orders`` source events
at least: stops set each other off, where a single order is a sweep at most. L3 executions name the resting side, prints
(L1, L2) the aggressor; hidden executions and prints without an aggressor say nothing. Minutes are those of the clock,
a bounded ring of them.

=========  ===============================================================================================
FORMING    at the LAST record at which a rush of ``volume_multiple`` mean trades has gone through the extreme and
           the side's touch stands beyond it
CONFIRMED  the touch is back at or inside the extreme within ``return_ms``: who had to trade beyond is offside
FAILED     it is not, a real breakout; also when the book is cleared, messages are lost, trading halts or a session
           begins or ends, over which nothing is carried
=========  ===============================================================================================

Where a rush goes through farther respected extremes of the last ``most_minutes`` too, the farthest counts. ``side`` is
the expected reversal: -1 for a run through a high. Zone: from the extreme to the farthest price of the rush, which may
go on while the run is open. Strength r / (1 + r), r = lots / (multiple x mean trade) x 1/2 when forming, 1 when
confirmed, 0 when failed. Evidence: :data:`STOP_RUN_EVIDENCE`. Osler 2003, 2005 documents clusters of stop orders beyond
such levels and price cascades through them; the figures are this module's own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field, model_validator

from chimera_platform.kernels import kernel
from chimera_platform.market.book import best_ask, best_bid, is_tradable
from chimera_platform.market.events import EventFlag, EventKind
from chimera_platform.settings import Settings
from chimera_platform.signals.records import Detector, Stage

STOP_RUN_EVIDENCE = ("lots_over_mean_trade", "lots_beyond", "ticks_beyond", "extreme_age_minutes")
MINUTES_MAX = 64  # of the ring
STOP_RUN_ROWS_MAX = 4  # a record, at most: each side one that ends and one that begins


class StopRunSettings(Settings):
    """What counts as a stop run."""

    least_minutes: int = Field(default=10, ge=2, le=MINUTES_MAX - 2, description="extreme of so long at least, min")
    most_minutes: int = Field(default=30, ge=2, le=MINUTES_MAX - 2, description="farther extremes of so long, min")
    age_minutes: int = Field(default=1, ge=1, le=MINUTES_MAX - 2, description="extreme was first reached before, min")
    gap_ms: int = Field(default=250, ge=0, le=60_000, description="between two trades of a rush at most, ms")
    volume_multiple: float = Field(default=8.0, gt=0.0, le=100_000.0, description="of a rush, in mean trades")
    orders: int = Field(default=2, ge=1, le=64, description="source events in which a rush trades at least")
    norm_trades: float = Field(default=500.0, ge=1.0, le=1e6, description="memory of the mean trade, trades")
    warm_trades: int = Field(default=50, ge=1, le=1_000_000, description="trades before the mean is used")
    return_ms: int = Field(default=180_000, ge=1, le=3_600_000, description="in which prices return, ms")

    @model_validator(mode="after")
    def _is_consistent(self) -> StopRunSettings:
        if not self.age_minutes < self.least_minutes <= self.most_minutes:
            raise ValueError(
                f"age_minutes {self.age_minutes} must be below least_minutes {self.least_minutes}, "
                f"and that at most most_minutes {self.most_minutes}"
            )
        return self


STOP_RUN_STATE_DTYPE = np.dtype(
    [
        ("extreme", "<i8", (2, MINUTES_MAX)),  # sign x ticks by past minute: highest ask; lowest bid, negated
        ("now", "<i8", (2,)),  # the same, of the current minute
        ("minute", "<i8"),  # the current one, of the clock since 1970
        ("minute_end", "<i8"),  # ns UTC: when it is over
        ("first_minute", "<i8"),  # the first one since the last break
        ("old", "<i8", (2,)),  # sign x ticks: extreme of the least minutes that are old enough
        ("recent", "<i8", (2,)),  # sign x ticks: extreme of the minutes between those and the current one
        ("trades", "<i8"),  # counter
        ("weight", "<f8"),  # decayed trades
        ("lots_sum", "<f8"),  # decayed lots
        ("rush_side", "<i8"),  # aggressor, 0: none yet
        ("rush_start_ts", "<i8"),  # ns UTC: first trade
        ("rush_ts", "<i8"),  # ns UTC: last trade
        ("rush_minute", "<i8"),  # minute of its first trade
        ("rush_old", "<i8"),  # sign x ticks: extreme that it may break
        ("rush_price", "<i8"),  # sign x ticks: farthest price traded
        ("rush_lots", "<i8"),
        ("rush_orders", "<i8"),  # source events in which it traded, the current one aside
        ("has_traded", "<i8"),  # 1: it has traded in the current source event
        ("rush_beyond", "<i8"),  # lots traded beyond the extreme
        ("rush_stage", "<i8"),  # 0: it has not gone through an extreme, else _PENDING, _OPEN or _SPENT
        ("is_fresh", "<i8"),  # 1: the rush of an open run has traded since the last look
        ("open_runs", "<i8"),  # runs announced and neither confirmed nor failed
        ("detections", "<i8"),  # counter
        ("stage", "<i8", (2,)),  # of the run upwards and downwards: Stage, 0: none is open
        ("number", "<i8", (2,)),  # its detection_no
        ("start_ts", "<i8", (2,)),  # ns UTC: first trade of its rush
        ("said_ts", "<i8", (2,)),  # ns UTC: when it was announced
        ("broken", "<i8", (2,)),  # sign x ticks: the extreme
        ("reached", "<i8", (2,)),  # sign x ticks: farthest price traded
        ("lots", "<i8", (2,)),  # of its rush
        ("beyond", "<i8", (2,)),  # lots of them beyond the extreme that it broke first
        ("age", "<i8", (2,)),  # minutes between the extreme and the rush
    ]
)

_MODIFY, _EXECUTE, _TRADE = int(EventKind.MODIFY), int(EventKind.EXECUTE), int(EventKind.TRADE)
_CLEAR = int(EventKind.CLEAR)  # STATUS is the one kind behind it
_LAST, _HIDDEN = int(EventFlag.LAST), int(EventFlag.HIDDEN)
_STOP_RUN = int(Detector.STOP_RUN)
_FORMING, _CONFIRMED, _FAILED = int(Stage.FORMING), int(Stage.CONFIRMED), int(Stage.FAILED)
_MS, _MINUTE = 1_000_000, 60_000_000_000
_NONE = -(1 << 62)  # sign x ticks: nothing was shown
# Of a rush: trades beyond the extreme but is not announced, its run is open, its run is over.
_PENDING, _OPEN, _SPENT = 1, 2, 3


def new_stop_run_states(count: int) -> np.ndarray[Any, Any]:
    """Return the states of ``count`` instruments, shape (count,), :data:`STOP_RUN_STATE_DTYPE`."""
    return np.zeros(count, STOP_RUN_STATE_DTYPE)


@kernel
def _summarise(params: Any, state: Any) -> None:
    """Take the old and the recent extremes from the ring."""
    for k in range(2):
        old = recent = _NONE
        for back in range(1, params.least_minutes + 1):
            minute = state.minute - back
            if minute < state.first_minute:
                break
            extreme = state.extreme[k, minute & (MINUTES_MAX - 1)]
            if back > params.age_minutes:
                old = max(old, extreme)
            else:
                recent = max(recent, extreme)
        state.old[k] = old
        state.recent[k] = recent


@kernel
def _begin_minute(params: Any, state: Any, ts: int) -> None:
    """Go on to the minute of ``ts``, over those in which nothing was shown."""
    minute = ts // _MINUTE
    if state.minute_end == 0 or minute - state.minute >= MINUTES_MAX:
        state.first_minute = minute
    else:
        for k in range(2):
            state.extreme[k, state.minute & (MINUTES_MAX - 1)] = state.now[k]
            for between in range(state.minute + 1, minute):
                state.extreme[k, between & (MINUTES_MAX - 1)] = _NONE
    state.minute = minute
    state.minute_end = (minute + 1) * _MINUTE
    state.now[0] = _NONE
    state.now[1] = _NONE
    _summarise(params, state)


@kernel
def _respected(params: Any, state: Any, k: int) -> Any:
    """Return the extreme, sign x ticks, that a rush which begins now may break; -_NONE where there is none."""
    if state.minute_end == 0 or state.minute - state.first_minute < params.least_minutes:
        return -_NONE
    old, recent = state.old[k], max(state.recent[k], state.now[k])
    if old > _NONE and old >= recent:
        return old
    for back in range(params.least_minutes + 1, params.most_minutes + 1):
        minute = state.minute - back
        if minute < state.first_minute:
            break
        old = max(old, state.extreme[k, minute & (MINUTES_MAX - 1)])
        if old > _NONE and old >= recent:
            return old
    return -_NONE


@kernel
def _take_trade(params: Any, state: Any, event: Any, aggressor: int) -> None:
    """Count a trade in the norm and add it to the rush, or begin one with it."""
    keep = 1.0 - 1.0 / params.norm_trades
    state.weight = keep * state.weight + 1.0
    state.lots_sum = keep * state.lots_sum + event.size
    state.trades += 1
    k, price = 0 if aggressor > 0 else 1, aggressor * event.price
    if aggressor != state.rush_side or event.ts_event - state.rush_ts > params.gap_ms * _MS:
        state.rush_side = aggressor
        state.rush_start_ts = event.ts_event
        state.rush_minute = state.minute
        state.rush_old = _respected(params, state, k)
        state.rush_price = price
        state.rush_lots = 0
        state.rush_orders = 0
        state.rush_beyond = 0
        state.rush_stage = 0
        state.is_fresh = 0
    state.rush_ts = event.ts_event
    state.has_traded = 1
    state.rush_lots += event.size
    state.rush_price = max(state.rush_price, price)
    if price > state.rush_old:
        state.rush_beyond += event.size
        if state.rush_stage == 0 and state.stage[k] == 0:
            state.rush_stage = _PENDING
    if state.rush_stage == _OPEN:
        state.is_fresh = 1


@kernel
def _farthest(params: Any, state: Any, k: int) -> Any:
    """Return (extreme, age in minutes) of the farthest respected extreme that the rush went through."""
    found, found_minute, later = state.rush_old, state.rush_minute, _NONE
    for back in range(1, params.most_minutes + 1):  # the rush itself may have moved the touch in its first minute
        minute = state.rush_minute - back
        if minute < state.first_minute or state.minute - minute >= MINUTES_MAX:
            break
        extreme = state.extreme[k, minute & (MINUTES_MAX - 1)]
        if extreme >= state.rush_price:
            break
        if extreme >= max(found, later):
            found, found_minute = extreme, minute
        later = max(later, extreme)
    return found, state.rush_minute - found_minute


@kernel
def _say(params: Any, state: Any, k: int, stage: int, out: Any, rows: int) -> Any:
    """Write a row about the run upwards (0) or downwards (1)."""
    sign = 1 - 2 * k
    mean = state.lots_sum / state.weight
    hold = 1.0 if stage == _CONFIRMED else (0.5 if stage == _FORMING else 0.0)
    r = state.lots[k] / (params.volume_multiple * mean) * hold
    row = out.row[rows]
    row.detection_no = state.number[k]
    row.ts_start = state.start_ts[k]
    row.price_low = min(sign * state.broken[k], sign * state.reached[k])
    row.price_high = max(sign * state.broken[k], sign * state.reached[k])
    row.size = state.lots[k]
    row.strength = r / (1.0 + r)
    row.evidence[0] = state.lots[k] / mean
    row.evidence[1] = state.beyond[k]
    row.evidence[2] = state.reached[k] - state.broken[k]
    row.evidence[3] = state.age[k]
    row.detector = _STOP_RUN
    row.stage = stage
    row.side = -sign
    if stage == _FORMING:
        state.open_runs += 1
        state.stage[k] = stage
    else:
        state.open_runs -= 1
        state.stage[k] = 0
        if state.rush_stage == _OPEN and sign == state.rush_side:
            state.rush_stage = _SPENT
    return rows + 1


@kernel
def _take_rush(params: Any, state: Any, k: int) -> None:
    """Let the open run be what the rush has become."""
    extreme, age = _farthest(params, state, k)
    state.broken[k] = extreme
    state.age[k] = age
    state.reached[k] = state.rush_price
    state.lots[k] = state.rush_lots
    state.beyond[k] = state.rush_beyond
    state.is_fresh = 0


@kernel
def _announce(params: Any, state: Any, k: int, touch: int, ts: int, out: Any, rows: int) -> Any:
    """Announce the pending rush where it is large enough and the touch stands beyond; return the rows written."""
    if state.rush_orders < params.orders or state.trades < params.warm_trades:
        return rows
    if state.rush_lots * state.weight < params.volume_multiple * state.lots_sum:
        return rows
    if touch <= _farthest(params, state, k)[0]:
        return rows
    state.number[k] = state.detections
    state.detections += 1
    state.start_ts[k] = state.rush_start_ts
    state.said_ts[k] = ts
    state.rush_stage = _OPEN
    _take_rush(params, state, k)
    return _say(params, state, k, _FORMING, out, rows)


@kernel
def _judge(params: Any, state: Any, k: int, touch: int, ts: int, out: Any, rows: int) -> Any:
    """Confirm an open run whose extreme the touch is back at, fail it after its time; return the rows written."""
    if ts - state.said_ts[k] > params.return_ms * _MS:
        return _say(params, state, k, _FAILED, out, rows)
    if touch <= state.broken[k]:
        return _say(params, state, k, _CONFIRMED, out, rows)
    return rows


@kernel
def _break_off(params: Any, state: Any, out: Any, rows: int) -> Any:
    """Forget all but the mean trade; return the rows written."""
    for k in range(2):
        if state.stage[k] != 0:
            rows = _say(params, state, k, _FAILED, out, rows)
        state.old[k] = _NONE
        state.recent[k] = _NONE
    state.minute_end = 0
    state.rush_side = 0
    state.rush_stage = 0
    state.has_traded = 0
    state.is_fresh = 0
    return rows


@kernel
def may_concern_stop_runs(state: Any, bid: int, ask: int, ts: int) -> Any:
    """Return whether the touch of a tradable book, at a LAST record that is not a trade, may change anything."""
    return (
        ask > state.now[0]
        or -bid > state.now[1]
        or ts >= state.minute_end
        or state.open_runs > 0
        or state.rush_stage == _PENDING
    )


@kernel
def update_stop_runs(params: Any, state: Any, book: Any, event: Any, out: Any, rows: int) -> Any:
    """Take in a record, after ``apply_event``; return the rows in ``out`` (at most ``STOP_RUN_ROWS_MAX`` more).

    Parameters
    ----------
    params : record of :class:`StopRunSettings`.
    state : record of :data:`STOP_RUN_STATE_DTYPE`, changed in place.
    book, event : the instrument's book and the record just applied to it.
    out : record with ``STOP_RUN_ROWS_MAX`` rows behind ``rows``, see :func:`update_detectors`.
    rows : rows in use.
    """
    kind = event.kind
    if kind == _EXECUTE or kind == _TRADE:  # noqa: SIM109 (a tuple costs a comparison more)
        aggressor = -event.side if kind == _EXECUTE else np.int64(event.side)
        if aggressor != 0 and event.size > 0 and event.flags & _HIDDEN == 0:
            _take_trade(params, state, event, aggressor)
    elif kind >= _CLEAR or kind == _MODIFY:
        return _break_off(params, state, out, rows)
    if event.flags & _LAST == 0:
        return rows
    state.rush_orders += state.has_traded
    state.has_traded = 0
    if not is_tradable(book):
        return rows
    ts, ask, bid = event.ts_event, best_ask(book), best_bid(book)
    if state.open_runs > 0:
        if state.is_fresh != 0:
            _take_rush(params, state, 0 if state.rush_side > 0 else 1)
        if state.stage[0] != 0:
            rows = _judge(params, state, 0, ask, ts, out, rows)
        if state.stage[1] != 0:
            rows = _judge(params, state, 1, -bid, ts, out, rows)
    if state.rush_stage == _PENDING:
        k = 0 if state.rush_side > 0 else 1
        rows = _announce(params, state, k, ask if k == 0 else -bid, ts, out, rows)
    if ts >= state.minute_end:
        _begin_minute(params, state, ts)
    if ask > state.now[0]:
        state.now[0] = ask
    if -bid > state.now[1]:
        state.now[1] = -bid
    return rows
