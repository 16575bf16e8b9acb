"""Trend, bands and momentum on three timeframes, measured once a bar.

A timeframe holds the indicators of its completed bars of the mid. Only the shortest sees every mid; a longer one is
fed the shorter one's completed bars, so an event costs one comparison and the rest happens once a bar. A bar counts
from the first event at or after its end, so nothing here knows more than the events up to now. Minutes without
events make no bars: the bars around a halt or a session break follow each other.

Indicators, of closes c in half ticks:

- EMA: e += 2 / (n + 1) · (c - e), starting as the mean of the first n closes.
- RSI (Wilder 1978): 100 · gain / (gain + loss), both averaged over the first n changes, then a += (x - a) / n; 50
  where nothing has moved.
- Bollinger's middle and deviation: mean and population standard deviation of the last n closes.
- Efficiency (Kaufman 1995): |c_t - c_{t-n}| / sum of |changes| between; 0 where nothing has moved.
- Divergence: the close makes a lower low than at the swing low before, the RSI a higher one (bullish, +1), or the
  mirror image at highs (bearish, -1). A swing low is strictly below the k closes before it and not above the k after
  it, and known only when those have come.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pydantic import Field

from chimera_platform.kernels import kernel
from chimera_platform.market.bars import TIMEFRAMES, open_time
from chimera_platform.settings import Settings

RING_BARS = 64  # a power of two
TIMEFRAME_INTERVALS_NS = (TIMEFRAMES["1m"], TIMEFRAMES["5m"], TIMEFRAMES["15m"])
"""Each a multiple of the one before."""

TIMEFRAME_COUNT = len(TIMEFRAME_INTERVALS_NS)
LOWS, HIGHS = 0, 1  # index of swings
_MASK = RING_BARS - 1
_BELOW_ALL, _ABOVE_ALL = -(2**62), 2**62  # extremes of a bar without prices yet


class TimeframeSettings(Settings):
    """Periods of the indicators, the same on every timeframe."""

    fast_bars: int = Field(9, ge=2, le=20, description="period of the fast EMA, bars")
    slow_bars: int = Field(21, ge=21, le=64, description="period of the slow EMA, bars")
    trend_deviations: float = Field(
        0.25, ge=0.0, le=2.0, description="a trend is EMAs at least this far apart, Bollinger deviations"
    )
    rsi_bars: int = Field(14, ge=2, le=50, description="period of Wilder's RSI, bars")
    bollinger_bars: int = Field(20, ge=5, le=64, description="period of the Bollinger band, bars")
    efficiency_bars: int = Field(20, ge=3, le=63, description="period of Kaufman's efficiency ratio, bars")
    swing_bars: int = Field(2, ge=1, le=10, description="bars on either side that confirm a swing point")
    divergence_bars: int = Field(
        40, ge=5, le=500, description="both swing points of a divergence are this recent, bars"
    )


# Prices are half ticks (bid + ask), so the mid is an integer.
TIMEFRAME_DTYPE = np.dtype(
    [
        ("interval", "<i8"),  # ns
        ("end_ts", "<i8"),  # ns UTC, end of the bar under way; 0 before the first
        ("running_high", "<i8"),  # half ticks, of the bar under way
        ("running_low", "<i8"),  # half ticks
        ("running_close", "<i8"),  # half ticks
        ("bars", "<i8"),  # completed so far; those below are of the completed bars
        ("close", "<i8"),  # half ticks, last bar
        ("high", "<i8"),  # half ticks, last bar
        ("low", "<i8"),  # half ticks, last bar
        ("trend", "<i8"),  # +1 fast EMA above the slow one, -1 below, 0 neither clearly, or not yet known
        ("ema_fast", "<f8"),  # half ticks; NaN early
        ("ema_slow", "<f8"),  # half ticks; NaN early
        ("gain", "<f8"),  # half ticks a bar, Wilder's average; a sum until there are enough bars
        ("loss", "<f8"),  # half ticks a bar
        ("rsi", "<f8"),  # 0 to 100; NaN early
        ("bollinger_middle", "<f8"),  # half ticks; NaN early
        ("bollinger_deviation", "<f8"),  # half ticks; NaN early
        ("efficiency", "<f8"),  # 0 to 1; NaN early
        ("divergence", "<i8"),  # +1 bullish, -1 bearish, 0 none, of the swing points that are recent enough
        ("divergence_bar", "<i8"),  # value of `bars` when it was confirmed; 0 without one
        ("swing_bar", "<i8", (2, 2)),  # LOWS or HIGHS, then [before, last]: 1-based number of the bar; 0: none yet
        ("swing_close", "<i8", (2, 2)),  # half ticks
        ("swing_rsi", "<f8", (2, 2)),  # 0 to 100; NaN early
        ("close_ring", "<i8", (RING_BARS,)),  # half ticks; the k-th completed bar (0-based) at k % RING_BARS
        ("rsi_ring", "<f8", (RING_BARS,)),  # as close_ring
    ]
)
TIMEFRAMES_DTYPE = np.dtype((TIMEFRAME_DTYPE, (TIMEFRAME_COUNT,)))
"""All timeframes of an instrument, shortest first: a field of this type is an array of records."""


def new_timeframes(count: int | None = None) -> np.ndarray[Any, Any]:
    """Return empty timeframes, shape (TIMEFRAME_COUNT,), or (count, TIMEFRAME_COUNT) for several instruments."""
    frames = np.zeros((() if count is None else (count,)) + (TIMEFRAME_COUNT,), TIMEFRAME_DTYPE)
    frames["interval"] = TIMEFRAME_INTERVALS_NS
    for name in ("ema_fast", "ema_slow", "rsi", "bollinger_middle", "bollinger_deviation", "efficiency"):
        frames[name] = np.nan
    return frames


@kernel
def update_timeframes(params: Any, timeframes: Any, ts_event: int, mid_doubled: int) -> bool:
    """Take in one mid; return whether the shortest timeframe completed a bar.

    Parameters
    ----------
    params : record of :class:`TimeframeSettings`.
    timeframes : TIMEFRAME_DTYPE array as of :func:`new_timeframes`, changed in place.
    ts_event : ns UTC; a time before the bar under way counts into it.
    mid_doubled : half ticks, bid + ask.
    """
    shortest = timeframes[0]
    if ts_event < shortest.end_ts:
        shortest.running_close = mid_doubled  # without branches: which way they go is hard to foresee
        shortest.running_high = max(shortest.running_high, mid_doubled)
        shortest.running_low = min(shortest.running_low, mid_doubled)
        return False
    return _turn(params, timeframes, ts_event, mid_doubled)


@kernel
def _turn(params: Any, timeframes: Any, ts_event: int, mid_doubled: int) -> bool:
    """Complete the bars that have ended and open new ones with this mid."""
    shortest = timeframes[0]
    completed = shortest.end_ts != 0
    for k in range(timeframes.shape[0]):
        frame = timeframes[k]
        if k > 0 and completed:
            frame.running_high = max(frame.running_high, shortest.high)
            frame.running_low = min(frame.running_low, shortest.low)
            frame.running_close = shortest.close
        if ts_event >= frame.end_ts:
            if frame.end_ts != 0:
                _complete(params, frame)
            frame.end_ts = open_time(ts_event, frame.interval) + frame.interval
            frame.running_high = mid_doubled if k == 0 else _BELOW_ALL
            frame.running_low = mid_doubled if k == 0 else _ABOVE_ALL
            frame.running_close = mid_doubled
    return completed


@kernel
def _complete(params: Any, frame: Any) -> None:
    """Close the bar under way and measure."""
    before, close = frame.close, frame.running_close
    frame.close = close
    frame.high = frame.running_high
    frame.low = frame.running_low
    at = frame.bars & _MASK
    frame.close_ring[at] = close
    frame.bars += 1
    frame.ema_fast = _average(frame, frame.ema_fast, params.fast_bars)
    frame.ema_slow = _average(frame, frame.ema_slow, params.slow_bars)
    _measure_rsi(frame, close - before, params.rsi_bars)
    frame.rsi_ring[at] = frame.rsi
    _measure_band(frame, params.bollinger_bars)
    _measure_efficiency(frame, params.efficiency_bars)
    _measure_trend(frame, params.trend_deviations)
    _find_divergence(params, frame)


@kernel
def _average(frame: Any, average: float, period: int) -> float:
    """Return the EMA after the last close; NaN before ``period`` of them."""
    if frame.bars > period:
        return average + (frame.close - average) * 2.0 / (period + 1)
    if frame.bars < period:
        return math.nan
    return frame.close + _mean_offset(frame, period)


@kernel
def _mean_offset(frame: Any, period: int) -> float:
    """Return the mean of the last closes less the very last one, so that no digits of large prices are lost."""
    total = 0
    for k in range(frame.bars - period, frame.bars):
        total += frame.close_ring[k & _MASK] - frame.close
    return total / period


@kernel
def _measure_rsi(frame: Any, change: int, period: int) -> None:
    changes = frame.bars - 1
    if changes == 0:
        return
    gain, loss = float(max(change, 0)), float(max(-change, 0))
    if changes <= period:
        frame.gain += gain
        frame.loss += loss
        if changes < period:
            return
        frame.gain /= period
        frame.loss /= period
    else:
        frame.gain += (gain - frame.gain) / period
        frame.loss += (loss - frame.loss) / period
    total = frame.gain + frame.loss
    frame.rsi = 100.0 * frame.gain / total if total > 0.0 else 50.0


@kernel
def _measure_band(frame: Any, period: int) -> None:
    if frame.bars < period:
        return
    middle = _mean_offset(frame, period)
    squares = 0.0
    for k in range(frame.bars - period, frame.bars):
        squares += (frame.close_ring[k & _MASK] - frame.close - middle) ** 2
    frame.bollinger_middle = frame.close + middle
    frame.bollinger_deviation = math.sqrt(squares / period)


@kernel
def _measure_efficiency(frame: Any, period: int) -> None:
    if frame.bars <= period:
        return
    path, close = 0, frame.close
    for k in range(frame.bars - 2, frame.bars - 2 - period, -1):
        before = frame.close_ring[k & _MASK]
        path += abs(close - before)
        close = before
    frame.efficiency = abs(frame.close - close) / path if path > 0 else 0.0


@kernel
def _measure_trend(frame: Any, deviations: float) -> None:
    gap = frame.ema_fast - frame.ema_slow
    band = deviations * frame.bollinger_deviation
    frame.trend = 0
    if gap > 0.0 and gap >= band:  # both false for NaN
        frame.trend = 1
    elif gap < 0.0 and -gap >= band:
        frame.trend = -1


@kernel
def _find_divergence(params: Any, frame: Any) -> None:
    """Look whether a swing point is now confirmed, then for the latest divergence among recent swing points."""
    for which in range(2):
        if _is_swing(frame, params.swing_bars, 1 if which == LOWS else -1):
            number = frame.bars - params.swing_bars
            _shift(frame.swing_bar[which], number)
            _shift(frame.swing_close[which], frame.close_ring[(number - 1) & _MASK])
            _shift(frame.swing_rsi[which], frame.rsi_ring[(number - 1) & _MASK])
    frame.divergence = 0
    frame.divergence_bar = 0
    oldest = max(frame.bars - params.divergence_bars + 1, 1)
    for which in range(2):
        sign = 1 if which == LOWS else -1
        bar, close, rsi = frame.swing_bar[which], frame.swing_close[which], frame.swing_rsi[which]
        confirmed = bar[1] + params.swing_bars
        is_recent = bar[0] >= oldest and confirmed > frame.divergence_bar
        if is_recent and sign * (close[1] - close[0]) < 0 and sign * (rsi[1] - rsi[0]) > 0.0:  # false for NaN
            frame.divergence = sign
            frame.divergence_bar = confirmed


@kernel
def _shift(pair: Any, value: Any) -> None:
    pair[0] = pair[1]
    pair[1] = value


@kernel
def _is_swing(frame: Any, reach: int, sign: int) -> bool:
    """Return whether the close ``reach`` bars ago is a low (sign +1) or high (-1) among those around it."""
    middle = frame.bars - 1 - reach
    if middle < reach:
        return False
    close = sign * frame.close_ring[middle & _MASK]
    for k in range(1, reach + 1):
        if sign * frame.close_ring[(middle - k) & _MASK] <= close:
            return False
        if sign * frame.close_ring[(middle + k) & _MASK] < close:
            return False
    return True
