"""Absorption: aggressive volume trades into a price that holds. Stacked: two such prices near each other.

L3 executions name the resting side, prints (L1, L2) the aggressor; hidden executions and prints without an aggressor
say nothing. A *level* is a price and resting side; its lots count from its first trade for ``window_ms``, after which
an unannounced level starts anew. All is judged at LAST records, on a tradable book.

=========  =========================================================================================
FORMING    lots reach ``volume_multiple`` mean trades, and the mid's adverse move since the level's first trade is
           at most ``displacement_share`` of what as many lots moved it on average
CONFIRMED  ``hold_ms`` after the level's last trade, its own side's touch still at the price or better
FAILED     the touch is worse than the price; a forming level also when the book is not trusted
=========  =========================================================================================

Strength r / (1 + r), r = lots / (multiple x mean trade) x hold x (1 - displacement / expected); hold is 1/2 when
forming, 1 when confirmed. Stacked levels (said once, CONFIRMED, when the later is confirmed) combine to
1 - product(1 - strength). ``LEVELS_MAX`` levels are tracked: a further one replaces the unannounced level whose last
trade is oldest, and is not followed where all are announced. A confirmed level is forgotten after ``follow_ms``,
or silently when the book is not trusted.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field

from chimera_platform.kernels import kernel
from chimera_platform.market.book import best_ask, best_bid, is_tradable, is_trusted
from chimera_platform.market.events import EventFlag, EventKind
from chimera_platform.settings import Settings
from chimera_platform.signals.records import Detector, Stage

ABSORPTION_EVIDENCE = ("lots_over_mean_trade", "displacement_half_ticks", "expected_half_ticks", "hold")
STACKED_ABSORPTION_EVIDENCE = ("levels",)
LEVELS_MAX = 8
ABSORPTION_ROWS_MAX = 2 * LEVELS_MAX  # rows a record, at most: each level one, and a stack with each


class AbsorptionSettings(Settings):
    """What counts as absorption."""

    window_ms: int = Field(default=5_000, ge=1, le=3_600_000, description="time in which the volume trades, ms")
    volume_multiple: float = Field(default=10.0, gt=0.0, le=10_000.0, description="volume, in mean trades")
    displacement_share: float = Field(default=0.5, ge=0.0, le=1.0, description="of the expected move, at most")
    norm_trades: float = Field(default=500.0, ge=1.0, le=1e6, description="memory of the rolling norms, trades")
    warm_trades: int = Field(default=50, ge=1, le=1_000_000, description="trades before the norms are used")
    hold_ms: int = Field(default=2_000, ge=0, le=3_600_000, description="time held after the last trade, ms")
    follow_ms: int = Field(default=60_000, ge=1, le=3_600_000, description="time a confirmed level is followed, ms")
    stack_ticks: int = Field(default=10, ge=1, le=100_000, description="distance of stacked levels at most, ticks")
    stack_ms: int = Field(default=30_000, ge=1, le=3_600_000, description="time between confirmations at most, ms")


ABSORPTION_STATE_DTYPE = np.dtype(
    [
        ("price", "<i8", (LEVELS_MAX,)),  # ticks
        ("side", "<i8", (LEVELS_MAX,)),  # resting side, 0: slot is free
        ("start_ts", "<i8", (LEVELS_MAX,)),  # ns UTC: first trade
        ("last_ts", "<i8", (LEVELS_MAX,)),  # ns UTC: last trade
        ("lots", "<i8", (LEVELS_MAX,)),
        ("start_mid2", "<i8", (LEVELS_MAX,)),  # half ticks: mid before the first trade
        ("stage", "<i8", (LEVELS_MAX,)),  # Stage, 0: unannounced
        ("number", "<i8", (LEVELS_MAX,)),  # detection_no
        ("confirmed_ts", "<i8", (LEVELS_MAX,)),  # ns UTC
        ("strength", "<f8", (LEVELS_MAX,)),  # as last said
        ("active", "<i8"),  # slots in use
        ("detections", "<i8"),  # counter
        ("stacks", "<i8"),  # counter
        ("trades", "<i8"),  # counter
        ("weight", "<f8"),  # decayed trades
        ("lots_sum", "<f8"),  # decayed lots
        ("move_sum", "<f8"),  # decayed half ticks that the mid moved from trade to trade
        ("mid2", "<i8"),  # half ticks: mid at the last LAST of a tradable book, 0: none yet
        ("traded_mid2", "<i8"),  # the same, before the last trade
    ]
)

_EXECUTE, _TRADE = int(EventKind.EXECUTE), int(EventKind.TRADE)
_LAST, _HIDDEN = int(EventFlag.LAST), int(EventFlag.HIDDEN)
_ABSORPTION, _STACKED = int(Detector.ABSORPTION), int(Detector.STACKED_ABSORPTION)
_FORMING, _CONFIRMED, _FAILED = int(Stage.FORMING), int(Stage.CONFIRMED), int(Stage.FAILED)
_MS = 1_000_000


def new_absorption_states(count: int) -> np.ndarray[Any, Any]:
    """Return the states of ``count`` instruments, shape (count,), :data:`ABSORPTION_STATE_DTYPE`."""
    return np.zeros(count, ABSORPTION_STATE_DTYPE)


@kernel
def _slot(state: Any, price: int, side: int) -> Any:
    """Return the slot of a level, else a free or replaceable one, cleared; -1 where all are announced."""
    chosen = -1
    for k in range(LEVELS_MAX):
        if state.side[k] == side and state.price[k] == price:
            return k
        if chosen >= 0 and state.side[chosen] == 0:
            continue
        if state.side[k] == 0 or (state.stage[k] == 0 and (chosen < 0 or state.last_ts[k] < state.last_ts[chosen])):
            chosen = k
    if chosen >= 0:
        if state.side[chosen] == 0:
            state.active += 1
        state.side[chosen] = side
        state.price[chosen] = price
        state.lots[chosen] = 0
        state.stage[chosen] = 0
    return chosen


@kernel
def _take_trade(params: Any, state: Any, event: Any, side: int) -> None:
    """Count a trade against the resting ``side`` in the norms and its level."""
    keep = 1.0 - 1.0 / params.norm_trades
    moved = abs(state.mid2 - state.traded_mid2) if state.traded_mid2 != 0 else 0
    state.weight = keep * state.weight + 1.0
    state.lots_sum = keep * state.lots_sum + event.size
    state.move_sum = keep * state.move_sum + moved
    state.traded_mid2 = state.mid2
    state.trades += 1
    k = _slot(state, event.price, side)
    if k < 0:
        return
    fresh = state.lots[k] == 0 or (state.stage[k] == 0 and event.ts_event - state.start_ts[k] > params.window_ms * _MS)
    if fresh:
        state.start_ts[k] = event.ts_event
        state.start_mid2[k] = state.mid2
        state.lots[k] = 0
    state.lots[k] += event.size
    state.last_ts[k] = event.ts_event


@kernel
def _say(params: Any, state: Any, k: int, stage: int, out: Any, rows: int) -> Any:
    """Write a row about a level."""
    if state.stage[k] == 0:
        state.number[k] = state.detections
        state.detections += 1
    lots, mean = state.lots[k], state.lots_sum / state.weight
    displacement = max(0, state.side[k] * (state.start_mid2[k] - state.mid2))
    expected = lots * state.move_sum / state.lots_sum
    hold = 1.0 if stage == _CONFIRMED else (0.5 if stage == _FORMING else 0.0)
    calm = max(0.0, 1.0 - displacement / expected) if expected > 0 else (1.0 if displacement == 0 else 0.0)
    r = lots / (params.volume_multiple * mean) * hold * calm
    state.strength[k] = r / (1.0 + r)
    state.stage[k] = stage
    row = out.row[rows]
    row.detection_no = state.number[k]
    row.ts_start = state.start_ts[k]
    row.price_low = state.price[k]
    row.price_high = state.price[k]
    row.size = lots
    row.strength = state.strength[k]
    row.evidence[0] = lots / mean
    row.evidence[1] = displacement
    row.evidence[2] = expected
    row.evidence[3] = hold
    row.detector = _ABSORPTION
    row.stage = stage
    row.side = state.side[k]
    return rows + 1


@kernel
def _say_stack(params: Any, state: Any, k: int, out: Any, rows: int) -> Any:
    """Write a row where the level ``k``, just confirmed, stands near others of its side."""
    low = high = state.price[k]
    start, lots, levels, doubt = state.start_ts[k], state.lots[k], 1, 1.0 - state.strength[k]
    for j in range(LEVELS_MAX):
        if j == k or state.side[j] != state.side[k] or state.stage[j] != _CONFIRMED:
            continue
        near = abs(state.price[j] - state.price[k]) <= params.stack_ticks
        if near and state.confirmed_ts[k] - state.confirmed_ts[j] <= params.stack_ms * _MS:
            low, high = min(low, state.price[j]), max(high, state.price[j])
            start = min(start, state.start_ts[j])
            lots += state.lots[j]
            levels += 1
            doubt *= 1.0 - state.strength[j]
    if levels < 2:
        return rows
    row = out.row[rows]
    row.detection_no = state.stacks
    row.ts_start = start
    row.price_low = low
    row.price_high = high
    row.size = lots
    row.strength = 1.0 - doubt
    row.evidence[0] = levels
    row.evidence[1] = 0.0
    row.evidence[2] = 0.0
    row.evidence[3] = 0.0
    row.detector = _STACKED
    row.stage = _CONFIRMED
    row.side = state.side[k]
    state.stacks += 1
    return rows + 1


@kernel
def _forms(params: Any, state: Any, k: int, ts: int) -> Any:
    """Return whether an unannounced level has the volume without the displacement."""
    if state.trades < params.warm_trades or state.start_mid2[k] == 0 or ts - state.start_ts[k] > params.window_ms * _MS:
        return False
    if state.lots[k] * state.weight < params.volume_multiple * state.lots_sum:
        return False
    displacement = max(0, state.side[k] * (state.start_mid2[k] - state.mid2))
    return displacement * state.lots_sum <= params.displacement_share * state.lots[k] * state.move_sum


@kernel
def _free(state: Any, k: int) -> None:
    state.side[k] = 0
    state.stage[k] = 0
    state.lots[k] = 0
    state.active -= 1


@kernel
def _judge(params: Any, state: Any, book: Any, k: int, ts: int, out: Any, rows: int) -> Any:
    """Move one level through its life at a LAST record of a tradable book."""
    side, stage = state.side[k], state.stage[k]
    touch = best_bid(book) if side > 0 else best_ask(book)
    if side * (touch - state.price[k]) < 0:
        if stage != 0:
            rows = _say(params, state, k, _FAILED, out, rows)
        _free(state, k)
    elif stage == 0:
        if _forms(params, state, k, ts):
            rows = _say(params, state, k, _FORMING, out, rows)
    elif stage == _FORMING:
        if ts - state.last_ts[k] >= params.hold_ms * _MS:
            rows = _say(params, state, k, _CONFIRMED, out, rows)
            state.confirmed_ts[k] = ts
            rows = _say_stack(params, state, k, out, rows)
    elif ts - state.confirmed_ts[k] > params.follow_ms * _MS:
        _free(state, k)
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
    if event.size > 0 and event.side != 0 and event.flags & _HIDDEN == 0:
        if event.kind == _EXECUTE:
            _take_trade(params, state, event, event.side)
        elif event.kind == _TRADE:
            _take_trade(params, state, event, -event.side)
    if event.flags & _LAST == 0:
        return rows
    if not is_trusted(book):
        for k in range(LEVELS_MAX):
            if state.side[k] != 0:
                if state.stage[k] == _FORMING:
                    rows = _say(params, state, k, _FAILED, out, rows)
                _free(state, k)
        return rows
    if is_tradable(book):
        state.mid2 = best_bid(book) + best_ask(book)
        if state.active > 0:
            for k in range(LEVELS_MAX):
                if state.side[k] != 0:
                    rows = _judge(params, state, book, k, event.ts_event, out, rows)
    return rows
