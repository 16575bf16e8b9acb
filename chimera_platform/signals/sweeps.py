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
            touch alone knows no depth); by ``orders`` source events, of at least ``lots_min``, and from the first
            price to the last at least ``move_min`` of the first
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
from chimera_platform.market.book import is_trusted
from chimera_platform.market.events import EventFlag, EventKind
from chimera_platform.settings import Settings
from chimera_platform.signals.records import Stage
from chimera_platform.signals.sweep_burst import (
    BURST_DTYPE,
    STEPS_MAX,
    add_trade,
    drop_steps,
    figures,
    is_beyond,
    old_steps,
    orders_of,
)
from chimera_platform.signals.sweep_returns import (
    FOLLOWED_MAX,
    RETURNS_DTYPE,
    follow,
    has_news,
    is_back,
    remove,
    watch,
)
from chimera_platform.signals.sweep_rows import say_burst, say_return

SWEEP_EVIDENCE = ("levels", "depth_share", "lots_beyond_start", "lots_trapped")
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
    lots_min: int = Field(default=0, ge=0, le=1_000_000_000, description="lots that a sweep trades at least; 0: any")
    move_min: float = Field(
        default=0.0, ge=0.0, le=1.0, description="from its first price to its last, fraction of the first; 0: any"
    )

    @model_validator(mode="after")
    def _is_announced_before(self) -> SweepSettings:
        if self.forming_levels >= self.levels:
            raise ValueError(f"forming_levels {self.forming_levels} must be below levels {self.levels}")
        return self


SWEEP_STATE_DTYPE = np.dtype(
    [
        ("burst", BURST_DTYPE),
        ("returns", RETURNS_DTYPE),
        ("detections", "<i8"),  # counter
    ]
)

_EXECUTE, _TRADE, _CLEAR = int(EventKind.EXECUTE), int(EventKind.TRADE), int(EventKind.CLEAR)
_LAST, _HIDDEN = int(EventFlag.LAST), int(EventFlag.HIDDEN)
_FORMING, _CONFIRMED, _FAILED = int(Stage.FORMING), int(Stage.CONFIRMED), int(Stage.FAILED)
_MS = 1_000_000


def new_sweep_states(count: int) -> np.ndarray[Any, Any]:
    """Return the states of ``count`` instruments, shape (count,), :data:`SWEEP_STATE_DTYPE`."""
    return np.zeros(count, SWEEP_STATE_DTYPE)


# ---- the burst --------------------------------------------------------------------------------------------------


@kernel
def _end_burst(params: Any, state: Any, out: Any, rows: int) -> Any:
    """End the burst; return the rows written."""
    burst = state.burst
    if burst.steps == 0:
        return rows
    if burst.stage == _CONFIRMED:
        follow(state.returns, burst, params.return_ms * _MS)
    elif burst.stage == _FORMING:
        rows = say_burst(params, burst, _FAILED, out, rows)
    burst.steps = 0
    burst.stage = 0
    burst.is_fresh = 0
    return rows


@kernel
def _expire(params: Any, state: Any, ts: int, out: Any, rows: int) -> Any:
    """Let steps that left the window go; return the rows written."""
    burst, window = state.burst, params.window_ms * _MS
    if ts - burst.last_ts > window:
        return _end_burst(params, state, out, rows)
    if burst.stage == _CONFIRMED:
        return rows
    old = old_steps(burst, ts, window)
    if old > 0:
        if burst.stage == _FORMING and burst.steps - old < params.forming_levels:
            rows = say_burst(params, burst, _FAILED, out, rows)
            burst.stage = 0
        drop_steps(burst, old)
    return rows


@kernel
def _watch_window(params: Any, burst: Any) -> None:
    """Work out when the next step, or the burst, leaves the window."""
    window = params.window_ms * _MS
    burst.expires_ts = burst.last_ts + window
    if burst.steps > 1 and burst.stage != _CONFIRMED:
        burst.expires_ts = min(burst.expires_ts, burst.step[0].ts + window)


@kernel
def _take_trade(params: Any, state: Any, book: Any, event: Any, aggressor: int, out: Any, rows: int) -> Any:
    """Add a trade to the burst, or begin one with it; return the rows written."""
    burst = state.burst
    if burst.steps > 0:
        rows = _expire(params, state, event.ts_event, out, rows)
    if burst.steps > 0 and (aggressor != burst.side or (event.price - burst.step[0].price) * aggressor < 0):
        rows = _end_burst(params, state, out, rows)
    add_trade(params.depth_levels, burst, book, event, aggressor)
    return rows


@kernel
def _has_lost_level(burst: Any, book: Any) -> Any:
    """Return whether the book shows the last step's level gone, and did not before."""
    # Where nothing was displayed, an empty side does not mean that the level was taken.
    last = burst.step[burst.steps - 1].price
    return burst.is_gone == 0 and burst.step[0].depth > 0 and is_beyond(book, burst.side, last)


@kernel
def _is_large(params: Any, burst: Any, lots: int) -> Any:
    """Return whether the burst of ``lots`` trades, and moves the price, as much as a sweep does at least."""
    start, last = burst.step[0].price, burst.step[burst.steps - 1].price
    return lots >= params.lots_min and float(abs(last - start)) >= params.move_min * float(abs(start))


@kernel
def _judge(params: Any, state: Any, book: Any, ts: int, out: Any, rows: int) -> Any:
    """Say what the burst has become; return the rows written."""
    burst = state.burst
    rows = _expire(params, state, ts, out, rows)
    if burst.steps == 0:
        return rows
    if _has_lost_level(burst, book):
        burst.is_gone = 1
    if burst.is_fresh != 0:
        burst.step[burst.steps - 1].orders += 1
        burst.is_fresh = 0
    if burst.stage != _CONFIRMED:
        levels, lots, _, share = figures(burst)
        knows_depth = burst.step[0].shown >= params.depth_levels
        takes_enough = levels >= params.levels or (knows_depth and levels >= 2 and share >= params.depth_share)
        stage = burst.stage
        if takes_enough and orders_of(burst) >= params.orders and _is_large(params, burst, lots):
            stage = _CONFIRMED
        elif levels >= params.forming_levels and stage == 0:
            stage = _FORMING
        if stage != burst.stage:
            if burst.stage == 0:
                burst.number = state.detections
                state.detections += 1
            rows = say_burst(params, burst, stage, out, rows)
    _watch_window(params, burst)
    return rows


# ---- what becomes of it -----------------------------------------------------------------------------------------


@kernel
def _look_for_returns(params: Any, state: Any, book: Any, ts: int, out: Any, rows: int) -> Any:
    """Fail the followed sweeps whose start the swept side's touch is back at; return the rows written."""
    returns, k = state.returns, 0
    while k < returns.count:
        sweep = returns.sweep[k]
        if ts - sweep.end_ts > params.return_ms * _MS:
            remove(returns, k)
        elif is_back(sweep, book):
            rows = say_return(params, sweep, out, rows)
            remove(returns, k)
        else:
            k += 1
    watch(returns, params.return_ms * _MS)
    return rows


@kernel
def may_concern_sweeps(state: Any) -> Any:
    """Return whether a record that is not a trade may concern the sweeps at all."""
    return state.burst.steps != 0 or state.returns.count != 0


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
    kind, burst, returns = event.kind, state.burst, state.returns
    if kind == _CLEAR or not is_trusted(book):
        rows = _end_burst(params, state, out, rows)
        returns.count = 0
        return rows
    if (kind == _EXECUTE and event.flags & _HIDDEN == 0) or kind == _TRADE:
        aggressor = -event.side if kind == _EXECUTE else np.int64(event.side)
        if aggressor != 0 and event.size > 0:
            rows = _take_trade(params, state, book, event, aggressor, out, rows)
    if event.flags & _LAST == 0:
        return rows
    if burst.steps > 0 and (burst.is_fresh != 0 or event.ts_event > burst.expires_ts or _has_lost_level(burst, book)):
        rows = _judge(params, state, book, event.ts_event, out, rows)
    if returns.count > 0 and has_news(returns, book, event.ts_event):
        rows = _look_for_returns(params, state, book, event.ts_event, out, rows)
    return rows
