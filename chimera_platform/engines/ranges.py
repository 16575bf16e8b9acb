"""Ranges on several timeframes and how narrow they are against their own past.

A frame holds high and low of the completed bars of one timeframe, the same as those of
:mod:`chimera_platform.market.bars` for the mids of tradable books. Only the shortest one sees every mid; a longer one
is fed the shorter one's completed bars, so an event costs one comparison and the rest happens once a bar. A bar
counts from the first event at or after its end, so nothing here knows more than the events up to now.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chimera_platform.kernels import record_kernel
from chimera_platform.market.bars import TIMEFRAMES, open_time

RANGE_BARS_MAX = 64
WIDTH_HISTORY_MAX = 128
WIDTH_HISTORY_MIN = 8
"""Past widths without which a range is not ranked: it is then not called compressed."""

FRAME_INTERVALS_NS = (TIMEFRAMES["1m"], TIMEFRAMES["5m"], TIMEFRAMES["15m"])
"""Each a multiple of the one before."""

FRAME_COUNT = len(FRAME_INTERVALS_NS)
_BELOW_ALL, _ABOVE_ALL = -(2**62), 2**62  # extremes of a bar without prices yet

# Prices are half ticks (bid + ask), so the mid is an integer.
FRAME_DTYPE = np.dtype(
    [
        ("interval", "<i8"),  # ns
        ("end_ts", "<i8"),  # ns UTC, end of the bar under way; 0 before the first
        ("high", "<i8"),  # half ticks, of the bar under way
        ("low", "<i8"),  # half ticks
        ("bars", "<i8"),  # completed so far
        ("widths", "<i8"),  # ranges measured so far
        ("range_high", "<i8"),  # half ticks, over the last range_bars completed bars
        ("range_low", "<i8"),  # half ticks
        ("average_bar", "<f8"),  # half ticks, mean of high - low over the same bars; NaN before there are enough
        ("rank", "<f8"),  # share of the past widths smaller than the present one; NaN before there are enough
        ("bar_high", "<i8", (RANGE_BARS_MAX,)),  # half ticks; ring, the k-th completed bar at k % RANGE_BARS_MAX
        ("bar_low", "<i8", (RANGE_BARS_MAX,)),  # half ticks
        ("width", "<i8", (WIDTH_HISTORY_MAX,)),  # half ticks; ring
    ]
)


def new_frames() -> np.ndarray[Any, Any]:
    """Return empty frames of one instrument, shape (FRAME_COUNT,), shortest first."""
    frames = np.zeros(FRAME_COUNT, FRAME_DTYPE)
    frames["interval"] = FRAME_INTERVALS_NS
    frames["average_bar"] = np.nan
    frames["rank"] = np.nan
    return frames


@record_kernel
def update_frames(frames: Any, ts_event: int, mid_doubled: int, range_bars: int, history_bars: int) -> Any:
    """Take in one mid; return whether the shortest frame completed a bar.

    Parameters
    ----------
    frames : FRAME_DTYPE array as of :func:`new_frames`.
    ts_event : ns UTC; a time before the bar under way counts into it.
    mid_doubled : half ticks, bid + ask.
    range_bars : completed bars that make the range, 1 to RANGE_BARS_MAX.
    history_bars : past widths that the present one is ranked among, at most WIDTH_HISTORY_MAX.
    """
    shortest = frames[0]
    if ts_event < shortest.end_ts:
        shortest.high = max(shortest.high, mid_doubled)
        shortest.low = min(shortest.low, mid_doubled)
        return False
    completed = shortest.end_ts != 0
    for k in range(frames.shape[0]):
        frame = frames[k]
        if k > 0 and completed:
            last = (shortest.bars - 1) % RANGE_BARS_MAX
            frame.high = max(frame.high, shortest.bar_high[last])
            frame.low = min(frame.low, shortest.bar_low[last])
        if ts_event >= frame.end_ts:
            if frame.end_ts != 0:
                _complete(frame, range_bars, history_bars)
            frame.end_ts = open_time(ts_event, frame.interval) + frame.interval
            frame.high = mid_doubled if k == 0 else _BELOW_ALL
            frame.low = mid_doubled if k == 0 else _ABOVE_ALL
    return completed


@record_kernel
def _complete(frame: Any, range_bars: int, history_bars: int) -> None:
    """Close the bar under way, then measure the range and rank its width among the past ones."""
    frame.bar_high[frame.bars % RANGE_BARS_MAX] = frame.high
    frame.bar_low[frame.bars % RANGE_BARS_MAX] = frame.low
    frame.bars += 1
    if frame.bars < range_bars:
        frame.average_bar = math.nan
        frame.rank = math.nan
        return
    high, low, total = frame.high, frame.low, 0
    for k in range(frame.bars - range_bars, frame.bars):
        at = k % RANGE_BARS_MAX
        high = max(high, frame.bar_high[at])
        low = min(low, frame.bar_low[at])
        total += frame.bar_high[at] - frame.bar_low[at]
    frame.range_high = high
    frame.range_low = low
    frame.average_bar = total / range_bars
    frame.rank = _rank(frame, high - low, history_bars)
    frame.width[frame.widths % WIDTH_HISTORY_MAX] = high - low
    frame.widths += 1


@record_kernel
def _rank(frame: Any, width: int, history_bars: int) -> float:
    """Return the share of the last ``history_bars`` widths that are smaller than ``width``."""
    count = min(frame.widths, history_bars)
    if count < WIDTH_HISTORY_MIN:
        return math.nan
    smaller = 0
    for k in range(frame.widths - count, frame.widths):
        if frame.width[k % WIDTH_HISTORY_MAX] < width:
            smaller += 1
    return smaller / count
