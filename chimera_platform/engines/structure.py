"""The structure engine: a range that was compressed on several timeframes, and its breakout.

Compression: the range of the last completed bars is narrow against its own past, on at least two of the timeframes
of 1, 5 and 15 minutes. Breakout: the mid then leaves the 1-minute range by a share of the average bar. A breakout
that is caught close to the range's edge is bought at the market; one that has run further is waited for with a limit
order at the edge. The stop lies at the range's middle, held between two multiples of the average bar and at least two
spreads away. After a breakout the mid must have been back inside the range before there is another.

This is version 2, the default; version 1 is the baseline of :mod:`chimera_platform.engines.structure_baseline`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pydantic import Field

from chimera_platform.engines.interface import distance_ticks, order_size_lots, write_intent
from chimera_platform.engines.ranges import RANGE_BARS_MAX, WIDTH_HISTORY_MAX, WIDTH_HISTORY_MIN, update_frames
from chimera_platform.engines.structure_baseline import averages_crossed, cross_step
from chimera_platform.execution.records import Engine, IntentReason, OrderType
from chimera_platform.kernels import kernel, record_kernel
from chimera_platform.market.book import best_ask, best_bid
from chimera_platform.settings import Settings


class StructureSettings(Settings):
    """Parameters of the structure engine; the bounds are the optimiser's search space.

    An *average bar* is the mean of high - low over the 1-minute bars of the range.
    """

    enabled: bool = Field(True, description="whether the engine emits intents")
    version: int = Field(2, ge=1, le=2, description="2: compression and breakout; 1: crossing averages, the baseline")
    range_bars: int = Field(
        12, ge=2, le=RANGE_BARS_MAX, description="completed bars that make the range, each timeframe"
    )
    history_bars: int = Field(
        48,
        ge=WIDTH_HISTORY_MIN,
        le=WIDTH_HISTORY_MAX,
        description="past widths that the present range is ranked among",
    )
    compression_quantile: float = Field(
        0.35, ge=0.0, le=1.0, description="compressed: at most this share of the past widths is smaller"
    )
    timeframes_min: int = Field(2, ge=1, le=3, description="timeframes of 1, 5, 15 min that must be compressed")
    breakout_bars: float = Field(
        0.1, ge=0.0, le=3.0, description="how far beyond the range the mid must be, average bars"
    )
    chase_bars: float = Field(
        0.3, ge=0.0, le=5.0, description="further beyond the range than this, entry is a limit order, average bars"
    )
    stop_bars_min: float = Field(1.0, ge=0.1, le=2.0, description="least stop distance, average bars")
    stop_bars_max: float = Field(4.0, ge=2.0, le=20.0, description="largest stop distance, average bars")
    stop_spreads_min: float = Field(2.0, ge=0.25, le=20.0, description="least stop distance, spreads; wins over bars")
    reward_risk: float = Field(1.5, ge=0.25, le=10.0, description="target distance over stop distance")
    cross_bars_a: int = Field(12, ge=2, le=500, description="version 1: minutes of one average")
    cross_bars_b: int = Field(26, ge=2, le=500, description="version 1: minutes of the other average")
    cross_stop_ppm: float = Field(
        1_000.0, ge=1.0, le=100_000.0, description="version 1: stop distance, millionths of the mid"
    )
    max_hold_ns: int = Field(
        900_000_000_000, ge=1_000_000_000, le=28_800_000_000_000, description="exit after this long, ns"
    )
    time_to_live_ns: int = Field(
        60_000_000_000, ge=1_000_000, le=3_600_000_000_000, description="cancel an unfilled limit entry after this, ns"
    )
    cooldown_ns: int = Field(
        120_000_000_000, ge=0, le=28_800_000_000_000, description="shortest time between two intents, ns"
    )
    order_notional: float = Field(50_000.0, ge=1.0, le=1e9, description="size wanted, account currency")


STRUCTURE_STATE_DTYPE = np.dtype(
    [
        ("last_intent_ts", "<i8"),  # ns UTC of the last intent
        ("intents", "<i8"),  # emitted so far; 0: last_intent_ts has no meaning
        ("outside", "<i8"),  # side on which the mid has left the 1-minute range, 0 while inside
        ("is_due", "<i8"),  # 1: a breakout (version 1: a crossing) began at the last look, outside a cooldown
        # version 1 only
        ("minute_end_ts", "<i8"),  # ns UTC, end of the minute under way; 0 before the first
        ("close_doubled", "<i8"),  # half ticks, the last mid
        ("minutes", "<i8"),  # completed so far
        ("fast", "<f8"),  # half ticks, average of the closes
        ("slow", "<f8"),  # half ticks
        ("cross_side", "<i8"),  # of the fast average against the slow one, 0 before they differ
    ]
)

_ENGINE = int(Engine.STRUCTURE)
_REASON = int(IntentReason.BREAKOUT)
_LIMIT = int(OrderType.LIMIT)


@record_kernel
def structure_is_due(params: Any, state: Any, frames: Any, event: Any, book: Any) -> bool:
    """Take in the mid at this event; return whether a breakout begins that :func:`structure_step` is to look at.

    To be called at every last record of a source event with a tradable book: the ranges and the side on which they
    have been left are kept here. Parameters as :func:`structure_step`.
    """
    if params.version == 1:
        return averages_crossed(params, state, event, book)
    mid_doubled = best_bid(book) + best_ask(book)
    update_frames(frames, event.ts_event, mid_doubled, params.range_bars, params.history_bars)
    state.is_due = 0
    if _breakout(params, state, frames[0], mid_doubled) == 0 or params.enabled == 0:
        return False
    if state.intents > 0 and event.ts_event - state.last_intent_ts < params.cooldown_ns:
        return False
    state.is_due = 1
    return True


@kernel
def structure_step(
    params: Any,
    state: Any,
    frames: Any,
    instrument: Any,
    event: Any,
    event_no: int,
    book: Any,
    features: Any,
    out: Any,
    row: int,
) -> int:
    """Write the engine's intent, if it has one, into ``out[row]``; only where :func:`structure_is_due` has just held.

    Parameters
    ----------
    params : record of :class:`StructureSettings`.
    state : STRUCTURE_STATE_DTYPE record.
    frames : FRAME_DTYPE array.
    instrument : INSTRUMENT_DTYPE record.
    event : EVENT_DTYPE record, last of its source event.
    event_no : its row number in the run.
    book, features : after the event; the book must be tradable.
    out : INTENT_DTYPE array with room at ``row``.

    Returns
    -------
    Rows written: 0 or 1.
    """
    if params.version == 1:
        return cross_step(params, state, instrument, event, event_no, book, features, out, row)
    if state.is_due == 0:
        return 0
    state.is_due = 0
    compressed, confidence = _compression(params, frames)
    if compressed < params.timeframes_min:
        return 0
    state.last_intent_ts = event.ts_event
    state.intents += 1
    mid_doubled, side = best_bid(book) + best_ask(book), state.outside
    intent = out[row]
    write_intent(intent, event, event_no, book, features)
    intent.size = order_size_lots(params.order_notional, instrument.tick_value_nanos, 0.5 * mid_doubled)
    intent.confidence = confidence
    intent.reason = _REASON
    intent.engine = _ENGINE
    intent.side = side
    intent.max_hold_ns = params.max_hold_ns
    _set_entry_and_exits(params, frames[0], side, mid_doubled, intent)
    return 1


@record_kernel
def _breakout(params: Any, state: Any, frame: Any, mid_doubled: int) -> int:
    """Return the side of a breakout that begins with this mid, 0 if none does."""
    if math.isnan(frame.average_bar):
        return 0
    margin = params.breakout_bars * frame.average_bar
    side = 0
    if mid_doubled > frame.range_high + margin:
        side = 1
    elif mid_doubled < frame.range_low - margin:
        side = -1
    elif frame.range_low <= mid_doubled <= frame.range_high:
        state.outside = 0
    if side == 0 or side == state.outside:
        return 0
    state.outside = side
    return side


@kernel
def _compression(params: Any, frames: Any) -> Any:
    """Return (how many timeframes are compressed, confidence).

    Confidence is the mean over all timeframes of 1 - rank, an unranked one counting 0: the narrower, the higher.
    """
    compressed, total = 0, 0.0
    for k in range(frames.shape[0]):
        rank = frames[k].rank
        if rank <= params.compression_quantile:  # false for NaN
            compressed += 1
        if not math.isnan(rank):
            total += 1.0 - rank
    return compressed, total / frames.shape[0]


@kernel
def _set_entry_and_exits(params: Any, frame: Any, side: int, mid_doubled: int, intent: Any) -> None:
    """Choose market or limit entry, then stop and target distance from it."""
    edge = frame.range_high if side > 0 else frame.range_low
    entry = intent.ask_price if side > 0 else intent.bid_price
    if side * (mid_doubled - edge) > params.chase_bars * frame.average_bar:
        entry = edge >> 1 if side > 0 else (edge + 1) >> 1  # rounded to the patient side
        intent.order_type = _LIMIT
        intent.limit_price = entry
        intent.time_to_live_ns = params.time_to_live_ns
    average_bar = 0.5 * frame.average_bar  # ticks
    middle = 0.25 * (frame.range_high + frame.range_low)  # ticks
    stop = side * (entry - middle)
    stop = min(max(stop, params.stop_bars_min * average_bar), params.stop_bars_max * average_bar)
    stop = max(stop, params.stop_spreads_min * (intent.ask_price - intent.bid_price))
    intent.stop_distance = distance_ticks(stop)
    intent.target_distance = distance_ticks(params.reward_risk * stop)
