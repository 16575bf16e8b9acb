"""One-second samples of mid and spread, and what is computed over them: volatility, return, spread statistics.

The sample of second g is the last value before g·1 s UTC (the close of the second that ends there), carried over
seconds without events; it is taken when the first event at or after g·1 s arrives. Nothing is ever subtracted from
a floating-point sum: the spread sums are integers, and the squared returns are summed as the running block of
sixty plus the matching suffix of the block before it, so rounding does not pile up however long the stream.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chimera_platform.kernels import kernel

SECOND_NS = 1_000_000_000
VOLATILITY_SAMPLES = 60  # returns in the realised volatility
RETURN_SAMPLES = 10  # seconds of the mid return
SPREAD_SAMPLES = 300  # samples in the spread's mean and standard deviation
SPREAD_SAMPLES_MIN = 60  # fewer than these: undefined
SPREAD_TICKS_MAX = 10_000_000  # a wider spread (stub quotes) is sampled as this; keeps the sums within 64 bits

SAMPLING_FIELDS = (
    ("second", "<i8"),  # seconds since 1970 of the current event; samples up to here are taken
    ("has_mid", "<i8"),  # 1 once a mid has been seen
    ("mid_doubled", "<i8"),  # bid + ask in ticks, last value
    ("spread_ticks", "<i8"),  # ticks, last value
    ("samples", "<i8"),  # counter (a pause counts at most SPREAD_SAMPLES + 1)
    ("mids", "<i8", (RETURN_SAMPLES + 1,)),  # last sampled mid_doubled, slot = sample number modulo length
    ("spreads", "<i8", (SPREAD_SAMPLES,)),  # last sampled spreads, ticks
    ("spread_sum", "<i8"),  # ticks
    ("spread_square_sum", "<i8"),  # ticks²
    ("squares", "<f8", (VOLATILITY_SAMPLES,)),  # squared log returns, slot = return number modulo length
    ("suffixes", "<f8", (VOLATILITY_SAMPLES,)),  # sums of the previous block from each slot to its end
    ("block_sum", "<f8"),  # sum of the current block so far
    ("realised_vol", "<f8"),  # results of the last sample; NaN where undefined
    ("mid_return", "<f8"),
    ("spread_mean", "<f8"),  # ticks
    ("spread_deviation", "<f8"),  # ticks
)


def clear_sampling(states: np.ndarray[Any, Any]) -> None:
    """Set the results of fresh states to NaN."""
    for name in ("realised_vol", "mid_return", "spread_mean", "spread_deviation"):
        states[name] = np.nan


@kernel
def _log_return(now: int, before: int) -> Any:
    """Return log(now / before), NaN unless both are positive."""
    if now == before and now > 0:
        return 0.0
    if now <= 0 or before <= 0:
        return np.nan
    return math.log(now / before)


@kernel
def _sample_volatility(state: Any, number: int, squared: float) -> None:
    """Add the squared return of ``number`` (from 0) and refresh the sum over the last sixty."""
    slot = number % VOLATILITY_SAMPLES
    if slot == 0:
        total = 0.0
        for k in range(VOLATILITY_SAMPLES - 1, -1, -1):
            total += state.squares[k]
            state.suffixes[k] = total
        state.block_sum = 0.0
    state.squares[slot] = squared
    state.block_sum += squared
    if number + 1 >= VOLATILITY_SAMPLES:
        older = state.suffixes[slot + 1] if slot + 1 < VOLATILITY_SAMPLES else 0.0
        state.realised_vol = math.sqrt(state.block_sum + older)


@kernel
def _sample_spread(state: Any, number: int, spread: int) -> None:
    """Add a spread to its rolling window and refresh mean and (population) standard deviation.

    In integers to the last step, so that a constant spread has exactly no deviation.
    """
    slot = number % SPREAD_SAMPLES
    spread = min(max(spread, -SPREAD_TICKS_MAX), SPREAD_TICKS_MAX)
    if number >= SPREAD_SAMPLES:
        left = state.spreads[slot]
        state.spread_sum -= left
        state.spread_square_sum -= left * left
    state.spreads[slot] = spread
    state.spread_sum += spread
    state.spread_square_sum += spread * spread
    count = min(number + 1, SPREAD_SAMPLES)
    if count >= SPREAD_SAMPLES_MIN:
        state.spread_mean = state.spread_sum / count
        squared = count * state.spread_square_sum - state.spread_sum * state.spread_sum
        state.spread_deviation = math.sqrt(float(squared)) / count


@kernel
def _take_sample(state: Any) -> None:
    """Take the last value as the next sample."""
    number = state.samples
    mid = state.mid_doubled
    if number > 0:
        step = _log_return(mid, state.mids[(number - 1) % (RETURN_SAMPLES + 1)])
        _sample_volatility(state, number - 1, step * step)
    state.mids[number % (RETURN_SAMPLES + 1)] = mid
    if number >= RETURN_SAMPLES:
        state.mid_return = _log_return(mid, state.mids[(number - RETURN_SAMPLES) % (RETURN_SAMPLES + 1)])
    _sample_spread(state, number, state.spread_ticks)
    state.samples = number + 1


@kernel
def advance_samples(state: Any, ts_event: int) -> None:
    """Take the samples of all seconds that ended at or before ``ts_event`` (which never decreases)."""
    second = ts_event // SECOND_NS
    if second > state.second:
        if state.has_mid:
            # After a pause longer than every window each further sample would change nothing.
            for _ in range(min(second - state.second, SPREAD_SAMPLES + 1)):
                _take_sample(state)
        state.second = second
