"""Absorption: aggressive volume trades into a price that holds. Stacked: two such prices near each other.

L3 executions name the resting side, prints (L1, L2) the aggressor; hidden executions and prints without an aggressor
say nothing. A *level* is a price and resting side; its lots count from its first trade for ``window_ms``, after which
an unannounced level starts anew. All is judged at LAST records, on a tradable book.

=========  =========================================================================================
FORMING    lots reach ``volume_multiple`` mean trades, and the mid's adverse move since the level's first trade is
           at most ``displacement_share`` of what is expected of as many lots by the square-root law of impact; lots
           reach ``lots_min`` too, traded at ``attempts_min`` separate times, and since the first of them
           ``flow_share_min`` of all lots were traded into the level's side
CONFIRMED  ``hold_ms`` after the level's last trade, its own side's touch still at the price or better
FAILED     the touch is worse than the price; a forming level also at lost messages or a cleared book
=========  =========================================================================================

Expected is c · sqrt(lots / mean trade), c the root mean square of the mid's moves from trade to trade: impact is
concave in volume (Almgren et al. 2005; Tóth et al. 2011), a norm that grows in proportion would excuse any move of a
large volume. Both are rolling norms.

Strength r / (1 + r), r = lots / (multiple x mean trade) x hold x (1 - displacement / expected); hold is 1/2 when
forming, 1 when confirmed. Stacked levels (said once, CONFIRMED, when the later is confirmed) combine to
1 - product(1 - strength). ``LEVELS_MAX`` levels are tracked: a further one replaces the unannounced level whose last
trade is oldest, and is not followed where all are announced. A confirmed level is forgotten ``follow_ms`` after
its last trade, or its confirmation if that came later, and silently with the book.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field

from chimera_platform.kernels import kernel
from chimera_platform.market.book import best_ask, best_bid, is_tradable, is_trusted
from chimera_platform.market.events import EventFlag, EventKind
from chimera_platform.settings import Settings
from chimera_platform.signals.absorption_levels import (
    LEVELS_MAX,
    NORMS_DTYPE,
    TRADED_LEVEL_DTYPE,
    count_lots,
    count_trade,
    displacement,
    expected_square,
    flow_share,
    free,
    is_broken,
    last_seen,
    take_level,
)
from chimera_platform.signals.absorption_rows import say_level, say_stack
from chimera_platform.signals.records import Stage

ABSORPTION_EVIDENCE = ("lots_over_mean_trade", "displacement_half_ticks", "expected_half_ticks", "hold")
STACKED_ABSORPTION_EVIDENCE = ("levels",)
ABSORPTION_ROWS_MAX = 2 * LEVELS_MAX  # rows a record, at most: each level one, and a stack with each


class AbsorptionSettings(Settings):
    """What counts as absorption.

    The defaults find a level that is refilled against an attack of a minute or so: on simulated attacks that are clear
    (``episode_difficulty`` 1), precision and recall are above 0.9. Fainter attacks trade too little for
    ``volume_multiple``, and less volume would confirm what the usual flow does at a quiet touch.
    """

    window_ms: int = Field(default=90_000, ge=1, le=3_600_000, description="time in which the volume trades, ms")
    volume_multiple: float = Field(default=36.0, gt=0.0, le=10_000.0, description="volume, in mean trades")
    displacement_share: float = Field(default=0.5, ge=0.0, le=1.0, description="of the expected move, at most")
    norm_trades: float = Field(default=500.0, ge=1.0, le=1e6, description="memory of the rolling norms, trades")
    warm_trades: int = Field(default=50, ge=1, le=1_000_000, description="trades before the norms are used")
    hold_ms: int = Field(default=1_000, ge=0, le=3_600_000, description="time held after the last trade, ms")
    follow_ms: int = Field(
        default=120_000, ge=1, le=3_600_000, description="a confirmed level is followed after its last trade, ms"
    )
    stack_ticks: int = Field(
        default=10, ge=1, le=100_000, description="distance of stacked levels at most, ticks; the larger of the two"
    )
    stack_spreads: float = Field(default=3.0, ge=0.0, le=1_000.0, description="distance of stacked levels, spreads")
    stack_ms: int = Field(
        default=120_000, ge=1, le=3_600_000, description="from a level's last trade to the next's confirmation, ms"
    )
    lots_min: int = Field(default=0, ge=0, le=1_000_000_000, description="lots that trade at least; 0: any")
    attempts_min: int = Field(
        default=1, ge=1, le=1_000_000, description="separate times at which it is traded into at least, and holds"
    )
    flow_share_min: float = Field(
        default=0.0, ge=0.0, le=1.0, description="of all lots since its first trade, those into its side at least"
    )


ABSORPTION_STATE_DTYPE = np.dtype(
    [
        ("level", TRADED_LEVEL_DTYPE, (LEVELS_MAX,)),
        ("norms", NORMS_DTYPE),
        ("active", "<i8"),  # levels in use
        ("detections", "<i8"),  # counter
        ("stacks", "<i8"),  # counter
        ("traded", "<i8"),  # 1: there was a trade since the touch was last looked at
        # When a level can change; all of it may say so in vain, none may miss it:
        ("most_lots", "<i8"),  # of the unannounced levels
        ("due_ts", "<i8"),  # ns UTC: from here on, one is confirmed or forgotten
        ("until_ts", "<i8"),  # ns UTC: up to here, one has the volume and may form as the mid comes back
        ("bid", "<i8"),  # ticks: a bid below it breaks one
        ("ask", "<i8"),  # ticks: an ask above it breaks one
    ]
)

_EXECUTE, _TRADE, _CLEAR = int(EventKind.EXECUTE), int(EventKind.TRADE), int(EventKind.CLEAR)
_LAST, _HIDDEN = int(EventFlag.LAST), int(EventFlag.HIDDEN)
_FORMING, _CONFIRMED, _FAILED = int(Stage.FORMING), int(Stage.CONFIRMED), int(Stage.FAILED)
_MS = 1_000_000
_NEVER, _LOWEST = np.iinfo(np.int64).max, np.iinfo(np.int64).min


def new_absorption_states(count: int) -> np.ndarray[Any, Any]:
    """Return the states of ``count`` instruments, shape (count,), :data:`ABSORPTION_STATE_DTYPE`."""
    return np.zeros(count, ABSORPTION_STATE_DTYPE)


@kernel
def _take_trade(params: Any, state: Any, event: Any, side: int) -> None:
    """Count a trade against the resting ``side`` in the norms and its level."""
    count_lots(state.norms, params.norm_trades, event.size, side)
    state.traded = 1
    k = take_level(state, event.price, side)
    if k < 0:
        return
    level = state.level[k]
    count_trade(level, state.norms, event, params.window_ms * _MS)
    if level.stage == 0:
        state.most_lots = max(state.most_lots, level.lots)
    elif level.stage == _FORMING:
        state.due_ts = min(state.due_ts, level.last_ts + params.hold_ms * _MS)
    if side > 0:
        state.bid = max(state.bid, level.price)
    else:
        state.ask = min(state.ask, level.price)


@kernel
def _has_volume(params: Any, level: Any, norms: Any) -> Any:
    """Return whether an unannounced level lacks at most the calm to form, and the time for it."""
    known = norms.trades >= params.warm_trades and level.start_mid2 != 0
    return known and level.lots * norms.weight >= params.volume_multiple * norms.lots


@kernel
def _forms(params: Any, level: Any, norms: Any, ts: int) -> Any:
    """Return whether an unannounced level has the volume without the displacement."""
    if ts - level.start_ts > params.window_ms * _MS or not _has_volume(params, level, norms):
        return False
    if level.lots < params.lots_min or level.attempts < params.attempts_min:
        return False
    if flow_share(level, norms) < params.flow_share_min:
        return False
    moved = displacement(level, norms)
    return moved * moved <= params.displacement_share * params.displacement_share * expected_square(level.lots, norms)


@kernel
def _judge_level(params: Any, state: Any, book: Any, k: int, ts: int, out: Any, rows: int) -> Any:
    """Move one level through its life at a LAST record of a tradable book."""
    level = state.level[k]
    stage = level.stage
    if is_broken(level, book):
        if stage != 0:
            rows = say_level(params, state, level, _FAILED, out, rows)
        free(state, level)
    elif stage == 0:
        if _forms(params, level, state.norms, ts):
            rows = say_level(params, state, level, _FORMING, out, rows)
    elif stage == _FORMING:
        if ts - level.last_ts >= params.hold_ms * _MS:
            rows = say_level(params, state, level, _CONFIRMED, out, rows)
            level.confirmed_ts = ts
            rows = say_stack(params, state, k, best_ask(book) - best_bid(book), out, rows)
    elif ts - last_seen(level) > params.follow_ms * _MS:
        free(state, level)
    return rows


@kernel
def _watch(params: Any, state: Any) -> None:
    """Work out when a level can change next."""
    due, until, bid, ask, most = _NEVER, _LOWEST, _LOWEST, _NEVER, 0
    for k in range(LEVELS_MAX):
        level = state.level[k]
        if level.side > 0:
            bid = max(bid, level.price)
        elif level.side < 0:
            ask = min(ask, level.price)
        else:
            continue
        if level.stage == _FORMING:
            due = min(due, level.last_ts + params.hold_ms * _MS)
        elif level.stage != 0:
            due = min(due, last_seen(level) + params.follow_ms * _MS + 1)
        else:
            most = max(most, level.lots)
            if _has_volume(params, level, state.norms):
                until = max(until, level.start_ts + params.window_ms * _MS)
    state.due_ts = due
    state.until_ts = until
    state.bid = bid
    state.ask = ask
    state.most_lots = most


@kernel
def look_at_touch(params: Any, state: Any, bid: int, ask: int, ts: int) -> Any:
    """Take in the touch of a tradable book at a LAST record; return whether a level may change by it."""
    norms = state.norms
    norms.mid2 = bid + ask
    if state.traded != 0:
        state.traded = 0
        if state.most_lots * norms.weight >= params.volume_multiple * norms.lots:
            return True
    return ts >= state.due_ts or ts <= state.until_ts or bid < state.bid or ask > state.ask


@kernel
def judge_levels(params: Any, state: Any, book: Any, ts: int, out: Any, rows: int) -> Any:
    """Move every level through its life, after :func:`look_at_touch`; return the rows in use."""
    for k in range(LEVELS_MAX):
        if state.level[k].side != 0:
            rows = _judge_level(params, state, book, k, ts, out, rows)
    _watch(params, state)
    return rows


@kernel
def _lose(params: Any, state: Any, out: Any, rows: int) -> Any:
    """Forget every level as the book is not known any more; return the rows in use."""
    if state.active == 0:
        return rows
    for k in range(LEVELS_MAX):
        level = state.level[k]
        if level.side != 0:
            if level.stage == _FORMING:
                rows = say_level(params, state, level, _FAILED, out, rows)
            free(state, level)
    return rows


@kernel
def update_absorption(params: Any, state: Any, book: Any, event: Any, out: Any, rows: int) -> Any:
    """Take in a record, after ``apply_event``; return the rows in ``out`` (at most ``ABSORPTION_ROWS_MAX`` more).

    Parameters
    ----------
    params : record of :class:`AbsorptionSettings`.
    state : record of :data:`ABSORPTION_STATE_DTYPE`, changed in place.
    book, event : the instrument's book and the record just applied to it.
    out : record with ``ABSORPTION_ROWS_MAX`` rows behind ``rows``, see :func:`update_detectors`.
    rows : rows in use.
    """
    kind = event.kind
    resting = np.int64(event.side) if kind == _EXECUTE else (-np.int64(event.side) if kind == _TRADE else 0)
    if resting != 0 and event.size > 0 and event.flags & _HIDDEN == 0:
        _take_trade(params, state, event, resting)
    if kind == _CLEAR:
        return _lose(params, state, out, rows)
    if event.flags & _LAST == 0:
        return rows
    if not is_tradable(book):
        return rows if is_trusted(book) else _lose(params, state, out, rows)
    ts = event.ts_event
    if look_at_touch(params, state, best_bid(book), best_ask(book), ts):
        rows = judge_levels(params, state, book, ts, out, rows)
    return rows
