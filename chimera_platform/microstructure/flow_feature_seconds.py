"""One-second samples of the mid and of signed volume: realised volatility, bipower variation and Kyle's lambda.

The sample of a whole second is the last defined mid before it. Seconds without a change and without volume add
nothing to any sum and are not stored, so a long silence costs nothing.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chimera_platform.kernels import kernel
from chimera_platform.microstructure.flow_feature_windows import BUCKETS, add_compensated

SECOND_NS = 1_000_000_000
REGRESSION_SECONDS, REGRESSION_MINIMUM = 300, 60
_MASK = BUCKETS - 1

SECOND_FIELDS = (
    ("has_mid", "<i8"),  # 1: there has been a mid
    ("mid", "<i8"),  # half ticks, last defined
    ("last_second", "<i8"),  # seconds since 1970 up to which samples are taken
    ("samples", "<i8"),  # samples taken so far
    ("sampled_mid", "<i8"),  # half ticks, at the last sample
    ("second_volume", "<i8"),  # signed lots since the last sample
    ("last_return", "<f8"),  # absolute log return of the last sample
    ("second_head", "<i8"),  # entries ever written to the queue of seconds
    ("tails", "<i8", (5,)),  # entries ever evicted: 10 s, 60 s and 600 s squares, pairs, regression
    ("squares", "<f8", (6,)),  # compensated sums of squared returns over 10, 60 and 600 s
    ("pairs", "<f8", (2,)),  # compensated sum of neighbouring products over 59 pairs
    ("xx", "<f8", (2,)),  # compensated sum of squared signed volume
    ("xy", "<f8", (2,)),  # compensated sum of signed volume times change
    ("x", "<i8"),  # lots
    ("y", "<i8"),  # half ticks
    ("vol", "<f8", (3,)),  # realised volatility over 10, 60 and 600 s
    ("bipower", "<f8"),
    ("slope", "<f8"),  # half ticks per lot
)


def clear_seconds(states: np.ndarray[Any, Any]) -> None:
    """Set what is not defined before the first samples."""
    for name in ("vol", "bipower", "slope"):
        states[name] = np.nan


@kernel
def _store_second(state: Any, windows: Any, second: int) -> None:
    """Put the second that ends at ``second`` into the queue and into all sums."""
    change, volume = state.mid - state.sampled_mid, state.second_volume
    size = 0.0
    if change != 0 and state.mid > 0 and state.sampled_mid > 0:
        size = abs(math.log1p(change / state.sampled_mid))
    if change != 0 or volume != 0:
        i = state.second_head & _MASK
        windows.second[i] = second
        windows.square[i] = size * size
        windows.pair[i] = size * state.last_return
        windows.change[i] = change
        windows.signed_volume[i] = volume
        for k in range(3):
            add_compensated(state.squares[2 * k : 2 * k + 2], windows.square[i])
        add_compensated(state.pairs, windows.pair[i])
        add_compensated(state.xx, float(volume) * float(volume))
        add_compensated(state.xy, float(volume) * float(change))
        state.x += volume
        state.y += change
        state.second_head += 1
    state.last_return = size


@kernel
def _evict_squares(state: Any, windows: Any, k: int, bound: int) -> None:
    """Take squares of seconds up to ``bound`` out of the ``k``-th sum."""
    tail = state.tails[k]
    sums = state.squares[2 * k : 2 * k + 2]
    while tail < state.second_head and windows.second[tail & _MASK] <= bound:
        add_compensated(sums, -windows.square[tail & _MASK])
        tail += 1
    if tail == state.second_head:
        sums[0] = 0.0
        sums[1] = 0.0
    state.tails[k] = tail


@kernel
def _evict_pairs(state: Any, windows: Any, bound: int) -> None:
    """Take neighbouring products of seconds up to ``bound`` out of their sum."""
    tail = state.tails[3]
    while tail < state.second_head and windows.second[tail & _MASK] <= bound:
        add_compensated(state.pairs, -windows.pair[tail & _MASK])
        tail += 1
    if tail == state.second_head:
        state.pairs[0] = 0.0
        state.pairs[1] = 0.0
    state.tails[3] = tail


@kernel
def _evict_regression(state: Any, windows: Any, bound: int) -> None:
    """Take seconds up to ``bound`` out of the regression's sums."""
    tail = state.tails[4]
    while tail < state.second_head and windows.second[tail & _MASK] <= bound:
        i = tail & _MASK
        volume, change = windows.signed_volume[i], windows.change[i]
        add_compensated(state.xx, -float(volume) * float(volume))
        add_compensated(state.xy, -float(volume) * float(change))
        state.x -= volume
        state.y -= change
        tail += 1
    state.tails[4] = tail


@kernel
def _evaluate(state: Any) -> None:
    """Compute the features from the sums; they stay until the next whole second."""
    returns = state.samples - 1
    state.vol[0] = math.sqrt(max(state.squares[0], 0.0)) if returns >= 10 else np.nan
    state.vol[1] = math.sqrt(max(state.squares[2], 0.0)) if returns >= 60 else np.nan
    state.vol[2] = math.sqrt(max(state.squares[4], 0.0)) if returns >= 600 else np.nan
    state.bipower = 0.5 * math.pi * max(state.pairs[0], 0.0) if returns >= 60 else np.nan
    n = float(min(returns, REGRESSION_SECONDS))
    spread = n * state.xx[0] - float(state.x) * float(state.x)
    if returns >= REGRESSION_MINIMUM and spread > 0.0:
        state.slope = (n * state.xy[0] - float(state.x) * float(state.y)) / spread
    else:
        state.slope = np.nan


@kernel
def advance_seconds(state: Any, windows: Any, now: int) -> None:
    """Take the samples of all whole seconds up to ``now``, before this source event counts."""
    second = now // SECOND_NS
    if state.has_mid == 0 or second <= state.last_second:
        return
    if state.samples > 0:
        _store_second(state, windows, state.last_second + 1)
    state.samples += second - state.last_second
    if second > state.last_second + 1:
        state.last_return = 0.0
    state.second_volume = 0
    state.sampled_mid = state.mid
    state.last_second = second
    _evict_squares(state, windows, 0, second - 10)
    _evict_squares(state, windows, 1, second - 60)
    _evict_squares(state, windows, 2, second - 600)
    _evict_pairs(state, windows, second - 59)
    _evict_regression(state, windows, second - REGRESSION_SECONDS)
    _evaluate(state)


@kernel
def take_mid(state: Any, mid: int, now: int) -> None:
    """Make ``mid`` (half ticks) the last defined one."""
    if state.has_mid == 0:
        state.has_mid = 1
        state.last_second = now // SECOND_NS
    state.mid = mid
