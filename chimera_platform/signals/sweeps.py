"""Liquidity sweeps: one aggressor side takes several levels, or a share of the depth, within a short window.

A *burst* is a run of trades of one aggressor side; each price beyond all before it is a *step*. Steps older than the
window leave the burst from its beginning until it is confirmed. The levels taken are the prices that were traded
through, and the last one where the book shows it gone. L3 executions name the resting side, prints (L1, L2) the
aggressor; hidden executions and prints without an aggressor say nothing.

==========  ===========================================================================================
stage       said
==========  ===========================================================================================
FORMING     at the LAST record at which ``forming_levels`` are taken within the window
CONFIRMED   at the LAST record at which ``levels`` are, or at least two levels and ``depth_share`` of what the
            first ``depth_levels``, all of them there, displayed before the burst's first trade (a feed of the
            touch alone knows no depth); by ``orders`` source events
FAILED      a forming burst ends short of that; or, within ``return_ms`` of a confirmed one's end, the swept
            side's touch stands at or inside the price that the sweep started from: what was traded beyond
            that price is offside, it is *trapped*
==========  ===========================================================================================

A source event is one market order on venues that report an order's fills together: ``orders`` of 2 tells a sweep from
a single large order there, 1 takes both. Where each fill comes alone, two levels are two source events anyway.

A burst ends with a trade of the other side, a trade inside its first price, lost messages or a cleared book, or when
the window passes without a trade. Evidence: see :data:`SWEEP_EVIDENCE`; strength r / (1 + r) where r is the larger of
levels and depth share relative to their thresholds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field, model_validator

from chimera_platform.kernels import kernel
from chimera_platform.market.book import ask_level, best_ask, best_bid, bid_level, is_tradable, is_trusted
from chimera_platform.market.events import EventFlag, EventKind
from chimera_platform.settings import Settings
from chimera_platform.signals.records import Detector, Stage

SWEEP_EVIDENCE = ("levels", "depth_share", "lots_beyond_start", "lots_trapped")
STEPS_MAX = 64  # further prices of one burst count as its last step
FOLLOWED_MAX = 8  # confirmed sweeps followed for a return; a ninth replaces the oldest
SWEEP_ROWS_MAX = FOLLOWED_MAX + 4  # a record, at most


class SweepSettings(Settings):
    """What counts as a sweep."""

    window_ms: int = Field(default=50, ge=1, le=10_000, description="time within which the levels are taken, ms")
    levels: int = Field(default=5, ge=2, le=STEPS_MAX, description="price levels that make a sweep")
    forming_levels: int = Field(default=3, ge=1, le=STEPS_MAX, description="price levels that announce one")
    depth_levels: int = Field(default=10, ge=1, le=100, description="levels whose displayed depth is compared")
    depth_share: float = Field(default=0.9, gt=0.0, le=10.0, description="share of that depth that makes a sweep")
    orders: int = Field(default=2, ge=1, le=64, description="source events in which a sweep trades at least")
    return_ms: int = Field(default=30_000, ge=1, le=3_600_000, description="time in which a return fails it, ms")

    @model_validator(mode="after")
    def _is_announced_before(self) -> SweepSettings:
        if self.forming_levels >= self.levels:
            raise ValueError(f"forming_levels {self.forming_levels} must be below levels {self.levels}")
        return self


SWEEP_STATE_DTYPE = np.dtype(
    [
        ("step_ts", "<i8", (STEPS_MAX,)),  # ns UTC: first trade at the price
        ("step_price", "<i8", (STEPS_MAX,)),  # ticks
        ("step_lots", "<i8", (STEPS_MAX,)),  # lots traded since the step, until the next
        ("step_depth", "<i8", (STEPS_MAX,)),  # lots displayed on the first levels before the step's first trade
        ("step_shown", "<i8", (STEPS_MAX,)),  # of these levels, how many there were
        ("step_orders", "<i8", (STEPS_MAX,)),  # source events whose last trade was in the step
        ("fresh", "<i8"),  # 1: traded since the last LAST
        ("steps", "<i8"),  # in use, oldest first
        ("gone", "<i8"),  # 1: the book has shown the last step's level gone
        ("side", "<i8"),  # aggressor of the burst: +1 buys
        ("last_ts", "<i8"),  # ns UTC: its last trade
        ("stage", "<i8"),  # Stage of its detection, 0: none yet
        ("number", "<i8"),  # detection_no of its detection
        ("detections", "<i8"),  # counter
        ("followed", "<i8"),  # confirmed sweeps in the fields below, oldest first
        ("followed_number", "<i8", (FOLLOWED_MAX,)),
        ("followed_side", "<i8", (FOLLOWED_MAX,)),
        ("followed_start_ts", "<i8", (FOLLOWED_MAX,)),  # ns UTC
        ("followed_end_ts", "<i8", (FOLLOWED_MAX,)),  # ns UTC: last trade
        ("followed_start", "<i8", (FOLLOWED_MAX,)),  # ticks: price it started from
        ("followed_extreme", "<i8", (FOLLOWED_MAX,)),  # ticks: last price taken
        ("followed_lots", "<i8", (FOLLOWED_MAX,)),
        ("followed_beyond", "<i8", (FOLLOWED_MAX,)),  # lots traded beyond the start
        ("followed_levels", "<i8", (FOLLOWED_MAX,)),
        ("followed_share", "<f8", (FOLLOWED_MAX,)),  # of the depth
    ]
)

_EXECUTE, _TRADE, _CLEAR = int(EventKind.EXECUTE), int(EventKind.TRADE), int(EventKind.CLEAR)
_LAST, _HIDDEN = int(EventFlag.LAST), int(EventFlag.HIDDEN)
_SWEEP = int(Detector.SWEEP)
_FORMING, _CONFIRMED, _FAILED = int(Stage.FORMING), int(Stage.CONFIRMED), int(Stage.FAILED)
_MS = 1_000_000


def new_sweep_states(count: int) -> np.ndarray[Any, Any]:
    """Return the states of ``count`` instruments, shape (count,), :data:`SWEEP_STATE_DTYPE`."""
    return np.zeros(count, SWEEP_STATE_DTYPE)


@kernel
def _is_beyond(book: Any, aggressor: int, price: int) -> Any:
    """Return whether the side that ``aggressor`` trades with has nothing left at ``price`` or inside it."""
    if aggressor > 0:
        return book.ask_count == 0 or best_ask(book) > price
    return book.bid_count == 0 or best_bid(book) < price


@kernel
def _depth_before(params: Any, book: Any, event: Any, aggressor: int) -> Any:
    """Return (lots, levels) displayed, of the first levels, before the trade: unlike a print, an execution has left."""
    levels, lots, shown = params.depth_levels, 0, 0
    if event.kind == _EXECUTE:
        lots = event.size
        if _is_beyond(book, aggressor, event.price):
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
def _figures(state: Any) -> Any:
    """Return (levels, lots, lots beyond the start, depth share) of the burst."""
    lots = 0
    for k in range(state.steps):
        lots += state.step_lots[k]
    share = lots / state.step_depth[0] if state.step_depth[0] > 0 else 0.0
    return state.steps - 1 + state.gone, lots, lots - state.step_lots[0], share


@kernel
def _orders(state: Any) -> Any:
    """Return the source events of the burst's steps."""
    orders = 0
    for k in range(state.steps):
        orders += state.step_orders[k]
    return orders


@kernel
def _strength(params: Any, levels: int, share: float) -> Any:
    ratio = max(levels / params.levels, share / params.depth_share)
    return ratio / (1.0 + ratio)


@kernel
def _say(params: Any, state: Any, stage: int, out: Any, rows: int) -> Any:
    """Write a row about the burst."""
    levels, lots, beyond, share = _figures(state)
    start, extreme = state.step_price[0], state.step_price[state.steps - 1]
    row = out.row[rows]
    row.detection_no = state.number
    row.ts_start = state.step_ts[0]
    row.price_low = min(start, extreme)
    row.price_high = max(start, extreme)
    row.size = lots
    row.strength = _strength(params, levels, share)
    row.evidence[0] = levels
    row.evidence[1] = share
    row.evidence[2] = beyond
    row.evidence[3] = 0.0
    row.detector = _SWEEP
    row.stage = stage
    row.side = state.side
    state.stage = stage
    return rows + 1


@kernel
def _remove_followed(state: Any, at: int) -> None:
    for k in range(at, state.followed - 1):
        state.followed_number[k] = state.followed_number[k + 1]
        state.followed_side[k] = state.followed_side[k + 1]
        state.followed_start_ts[k] = state.followed_start_ts[k + 1]
        state.followed_end_ts[k] = state.followed_end_ts[k + 1]
        state.followed_start[k] = state.followed_start[k + 1]
        state.followed_extreme[k] = state.followed_extreme[k + 1]
        state.followed_lots[k] = state.followed_lots[k + 1]
        state.followed_beyond[k] = state.followed_beyond[k + 1]
        state.followed_levels[k] = state.followed_levels[k + 1]
        state.followed_share[k] = state.followed_share[k + 1]
    state.followed -= 1


@kernel
def _follow(state: Any) -> None:
    """Take the burst, confirmed and over, among those followed for a return."""
    if state.followed == FOLLOWED_MAX:
        _remove_followed(state, 0)
    levels, lots, beyond, share = _figures(state)
    k = state.followed
    state.followed_number[k] = state.number
    state.followed_side[k] = state.side
    state.followed_start_ts[k] = state.step_ts[0]
    state.followed_end_ts[k] = state.last_ts
    state.followed_start[k] = state.step_price[0]
    state.followed_extreme[k] = state.step_price[state.steps - 1]
    state.followed_lots[k] = lots
    state.followed_beyond[k] = beyond
    state.followed_levels[k] = levels
    state.followed_share[k] = share
    state.followed += 1


@kernel
def _end_burst(params: Any, state: Any, out: Any, rows: int) -> Any:
    """End the burst; return the rows written."""
    if state.steps == 0:
        return rows
    if state.stage == _CONFIRMED:
        _follow(state)
    elif state.stage == _FORMING:
        rows = _say(params, state, _FAILED, out, rows)
    state.steps = 0
    state.stage = 0
    state.fresh = 0
    return rows


@kernel
def _expire(params: Any, state: Any, ts: int, out: Any, rows: int) -> Any:
    """Let steps that left the window go; return the rows written."""
    window = params.window_ms * _MS
    if ts - state.last_ts > window:
        return _end_burst(params, state, out, rows)
    if state.stage == _CONFIRMED:
        return rows
    old = 0
    while old < state.steps - 1 and ts - state.step_ts[old] > window:
        old += 1
    if old == 0:
        return rows
    left = state.steps - old
    if state.stage == _FORMING and left < params.forming_levels:
        rows = _say(params, state, _FAILED, out, rows)
        state.stage = 0
    for k in range(left):
        state.step_ts[k] = state.step_ts[k + old]
        state.step_price[k] = state.step_price[k + old]
        state.step_lots[k] = state.step_lots[k + old]
        state.step_depth[k] = state.step_depth[k + old]
        state.step_shown[k] = state.step_shown[k + old]
        state.step_orders[k] = state.step_orders[k + old]
    state.steps = left
    return rows


@kernel
def _take_trade(params: Any, state: Any, book: Any, event: Any, aggressor: int, out: Any, rows: int) -> Any:
    """Add a trade to the burst, or begin one with it; return the rows written."""
    if state.steps > 0:
        rows = _expire(params, state, event.ts_event, out, rows)
    if state.steps > 0 and (aggressor != state.side or (event.price - state.step_price[0]) * aggressor < 0):
        rows = _end_burst(params, state, out, rows)
    n = state.steps
    if n == 0 or ((event.price - state.step_price[n - 1]) * aggressor > 0 and n < STEPS_MAX):
        state.step_ts[n] = event.ts_event
        state.step_price[n] = event.price
        state.step_lots[n] = 0
        state.step_orders[n] = 0
        depth, shown = _depth_before(params, book, event, aggressor)
        state.step_depth[n] = depth
        state.step_shown[n] = shown
        state.steps = n + 1
        state.gone = 0
    elif (event.price - state.step_price[n - 1]) * aggressor > 0:
        state.step_price[n - 1] = event.price
        state.gone = 0
    state.side = aggressor
    state.step_lots[state.steps - 1] += event.size
    state.last_ts = event.ts_event
    state.fresh = 1
    return rows


@kernel
def _judge(params: Any, state: Any, book: Any, out: Any, rows: int) -> Any:
    """Say what the burst has become; return the rows written."""
    # Where nothing was displayed, an empty side does not mean that the level was taken.
    if state.gone == 0 and state.step_depth[0] > 0 and _is_beyond(book, state.side, state.step_price[state.steps - 1]):
        state.gone = 1
    if state.fresh != 0:
        state.step_orders[state.steps - 1] += 1
        state.fresh = 0
    if state.stage == _CONFIRMED:
        return rows
    levels, _, _, share = _figures(state)
    knows_depth = state.step_shown[0] >= params.depth_levels
    takes_enough = levels >= params.levels or (knows_depth and levels >= 2 and share >= params.depth_share)
    if takes_enough and _orders(state) >= params.orders:
        stage = _CONFIRMED
    elif levels >= params.forming_levels and state.stage == 0:
        stage = _FORMING
    else:
        return rows
    if state.stage == 0:
        state.number = state.detections
        state.detections += 1
    return _say(params, state, stage, out, rows)


@kernel
def _look_for_returns(params: Any, state: Any, book: Any, ts: int, out: Any, rows: int) -> Any:
    """Fail the followed sweeps whose start the swept side's touch is back at; return the rows written."""
    tradable = is_tradable(book)
    k = 0
    while k < state.followed:
        side = state.followed_side[k]
        if ts - state.followed_end_ts[k] > params.return_ms * _MS:
            _remove_followed(state, k)
        elif tradable and not _is_beyond(book, side, state.followed_start[k]):
            row = out.row[rows]
            row.detection_no = state.followed_number[k]
            row.ts_start = state.followed_start_ts[k]
            row.price_low = min(state.followed_start[k], state.followed_extreme[k])
            row.price_high = max(state.followed_start[k], state.followed_extreme[k])
            row.size = state.followed_lots[k]
            row.strength = _strength(params, state.followed_levels[k], state.followed_share[k])
            row.evidence[0] = state.followed_levels[k]
            row.evidence[1] = state.followed_share[k]
            row.evidence[2] = state.followed_beyond[k]
            row.evidence[3] = state.followed_beyond[k]
            row.detector = _SWEEP
            row.stage = _FAILED
            row.side = side
            rows += 1
            _remove_followed(state, k)
        else:
            k += 1
    return rows


@kernel
def update_sweeps(params: Any, state: Any, book: Any, event: Any, out: Any, rows: int) -> Any:
    """Take in one record, after the book has; write what there is to say behind row ``rows`` and return the new count.

    Parameters
    ----------
    params : record of :class:`SweepSettings`.
    state : record of :data:`SWEEP_STATE_DTYPE`, changed in place.
    book : the instrument's ``BOOK_DTYPE`` record with ``event`` applied.
    event : ``EVENT_DTYPE`` record of any kind.
    out : record with ``SWEEP_ROWS_MAX`` rows behind ``rows``, see :func:`update_detectors`.
    """
    kind = event.kind
    if kind == _CLEAR or not is_trusted(book):
        rows = _end_burst(params, state, out, rows)
        state.followed = 0
        return rows
    if (kind == _EXECUTE and event.flags & _HIDDEN == 0) or kind == _TRADE:
        aggressor = -event.side if kind == _EXECUTE else np.int64(event.side)
        if aggressor != 0 and event.size > 0:
            rows = _take_trade(params, state, book, event, aggressor, out, rows)
    if event.flags & _LAST:
        if state.steps > 0:
            rows = _expire(params, state, event.ts_event, out, rows)
        if state.steps > 0:
            rows = _judge(params, state, book, out, rows)
        if state.followed > 0:
            rows = _look_for_returns(params, state, book, event.ts_event, out, rows)
    return rows
