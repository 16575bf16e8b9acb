"""The regime by rules, from completed bars, spread and depth, each ranked in the instrument's own history.

Five measures are taken once a 1-minute bar. A *rank* is the share of the last values that are smaller, ties half.

- Volatility: the square root of the average of (high - low)² / (4 ln 2) (Parkinson 1980) with exponential weights.
- Spread and touch depth at the bar's end, averaged alike.
- Band width: the Bollinger deviation; *compressed* where its rank is low.
- Efficiency of the 1-minute closes.

Each rule gives a degree between 0 and 1, linear between two thresholds: *stress* (mean rank of volatility, spread
and thinness), *breakout* (how far a close leaves the band shortly after a compression; fading, and void once the
price is back in the middle of that band), *trend* (efficiency, with the direction of the EMAs). What one
rule leaves is shared by the next, and what all leave is a range, active in proportion to the rank of the volatility.
The six shares sum to one, like a classifier's probabilities. The regime in force changes when another one leads by a
margin for some bars in a row (for stress and breakout: at once); its share is the confidence, which thus sinks, to
nothing where need be, while another one leads but not yet for long enough.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pydantic import Field

from chimera_platform.kernels import kernel
from chimera_platform.regimes.names import REGIME_COUNT, Regime
from chimera_platform.settings import Settings

HISTORY_STEP_BARS = 4  # every fourth bar is remembered: the measures move slowly
HISTORY_MAX = 128  # values
VOLATILITY, SPREAD, DEPTH, WIDTH = range(4)  # what is ranked
MEASURES = 4
_PARKINSON = 4.0 * math.log(2.0)
_QUIET_RANGE, _ACTIVE_RANGE = int(Regime.QUIET_RANGE), int(Regime.ACTIVE_RANGE)
_TREND_UP, _TREND_DOWN = int(Regime.TREND_UP), int(Regime.TREND_DOWN)
_BREAKOUT, _STRESSED = int(Regime.BREAKOUT), int(Regime.STRESSED)


class RegimeRuleSettings(Settings):
    """Thresholds of the rules."""

    history_bars: int = Field(480, ge=30, le=512, description="past values that the present one is ranked among, bars")
    history_bars_min: int = Field(60, ge=20, le=512, description="confidence is 0 before as many, bars")
    smoothing_bars: int = Field(8, ge=1, le=60, description="mean age of volatility, spread and depth, bars")
    stress_low: float = Field(0.70, ge=0.5, le=0.85, description="mean rank where stress begins")
    stress_high: float = Field(0.92, ge=0.86, le=1.0, description="mean rank of certain stress")
    trend_low: float = Field(0.25, ge=0.05, le=0.35, description="efficiency where a trend begins")
    trend_high: float = Field(0.60, ge=0.4, le=1.0, description="efficiency of a certain trend")
    compression_quantile: float = Field(0.2, ge=0.02, le=0.5, description="rank below which the band is compressed")
    release_bars: int = Field(10, ge=1, le=60, description="a breakout follows a compression within this, bars")
    breakout_low: float = Field(2.0, ge=1.0, le=2.5, description="distance where a breakout begins, deviations")
    breakout_high: float = Field(3.5, ge=2.6, le=8.0, description="distance of a certain breakout, deviations")
    breakout_bars: int = Field(15, ge=2, le=120, description="a breakout fades away over this, bars")
    switch_margin: float = Field(0.10, ge=0.0, le=0.5, description="lead that a new regime needs, share")
    switch_bars: int = Field(3, ge=1, le=30, description="bars in a row that it leads; not for stress and breakout")


REGIME_STATE_DTYPE = np.dtype(
    [
        ("regime", "<i8"),  # Regime in force
        ("confidence", "<f8"),  # [0, 1]: its share; 0 before there is enough history
        ("shares", "<f8", (REGIME_COUNT,)),  # by Regime, sum to 1; all 0 before there is enough history
        ("bars", "<i8"),  # seen so far
        ("decisions", "<i8"),  # bars with shares so far; 0: regime has no meaning
        ("challenger", "<i8"),  # Regime that leads but is not in force
        ("challenger_bars", "<i8"),  # in a row
        ("level", "<f8", (MEASURES,)),  # smoothed: half ticks², half ticks, lots; of WIDTH the last one, half ticks
        ("rank", "<f8", (MEASURES,)),  # [0, 1]
        ("remembered", "<i8"),  # values in each ring
        ("oldest", "<i8"),  # where the next value goes
        ("compressed_bar", "<i8"),  # value of `bars` at the last compressed one; 0: none yet
        ("band_middle", "<f8"),  # half ticks, of the bar before; NaN early
        ("band_deviation", "<f8"),  # half ticks
        ("breakout_bar", "<i8"),  # value of `bars` when it began
        ("breakout_side", "<i8"),  # +1 up, -1 down, 0 none under way
        ("breakout_degree", "<f8"),  # [0, 1], as it began
        ("breakout_middle", "<f8"),  # half ticks: void once the price is back here
        ("history", "<f8", (MEASURES, HISTORY_MAX)),  # rings
    ]
)


def new_regime_states(count: int) -> np.ndarray[Any, Any]:
    """Return states of ``count`` instruments that have seen nothing."""
    states = np.zeros(count, REGIME_STATE_DTYPE)
    states["band_middle"] = np.nan
    return states


@kernel
def update_regime(params: Any, state: Any, timeframes: Any, spread_ticks: int, depth_lots: int) -> None:
    """Take in a completed 1-minute bar.

    Parameters
    ----------
    params : record of :class:`RegimeRuleSettings`.
    state : record of :data:`REGIME_STATE_DTYPE`, changed in place.
    timeframes : TIMEFRAME_DTYPE array in which ``update_timeframes`` has just completed a bar.
    spread_ticks : best ask - best bid now.
    depth_lots : best bid size + best ask size now; where it never varies (assumed sizes), it is left out.
    """
    state.bars += 1
    frame = timeframes[0]
    extent = float(frame.high - frame.low)
    weight = 1.0 / min(params.smoothing_bars + 1, state.bars)
    state.level[VOLATILITY] += weight * (extent * extent / _PARKINSON - state.level[VOLATILITY])
    state.level[SPREAD] += weight * (spread_ticks - state.level[SPREAD])
    state.level[DEPTH] += weight * (depth_lots - state.level[DEPTH])
    state.level[WIDTH] = frame.bollinger_deviation
    for measure in range(MEASURES):
        _rank(state, measure)
    if state.bars % HISTORY_STEP_BARS == 0 and not math.isnan(state.level[WIDTH]):
        _remember(state, params.history_bars // HISTORY_STEP_BARS)
    _watch_breakout(params, state, frame)
    state.band_middle = frame.bollinger_middle
    state.band_deviation = frame.bollinger_deviation
    if state.remembered * HISTORY_STEP_BARS < params.history_bars_min:
        state.confidence = 0.0
        return
    _share_out(params, state, frame)
    _choose(params, state)


@kernel
def _rank(state: Any, measure: int) -> None:
    """Rank the measure's level among its past values; 0.5 without any, or where all are equal."""
    value, ring, count = state.level[measure], state.history[measure], state.remembered
    twice = 0
    for k in range(count):
        twice += int(ring[k] < value) + int(ring[k] <= value)
    state.rank[measure] = 0.5 * twice / count if count > 0 else 0.5


@kernel
def _remember(state: Any, capacity: int) -> None:
    """Put the levels into the rings, in the place of the oldest ones where there are ``capacity``."""
    if state.oldest >= capacity:  # also where the setting has shrunk
        state.oldest = 0
        state.remembered = capacity
    for measure in range(MEASURES):
        state.history[measure, state.oldest] = state.level[measure]
    state.oldest += 1
    state.remembered = min(max(state.remembered, state.oldest), capacity)


@kernel
def _ramp(value: float, low: float, high: float) -> float:
    """Return 0 up to ``low``, 1 from ``high``, linear between; 0 for NaN."""
    if not value > low:
        return 0.0
    return min((value - low) / (high - low), 1.0)


@kernel
def _watch_breakout(params: Any, state: Any, frame: Any) -> None:
    """Begin a breakout where a close leaves the band before it, shortly after a compression; end a void one."""
    side = state.breakout_side
    if side != 0:
        is_back = side * (frame.close - state.breakout_middle) <= 0.0
        if is_back or state.bars - state.breakout_bar >= params.breakout_bars:
            state.breakout_side = 0
    is_released = state.compressed_bar > 0 and state.bars - state.compressed_bar <= params.release_bars
    distance = frame.close - state.band_middle
    # A spread of n ticks is 2n half ticks: the band counts as at least half the spread, so a still market has one too.
    deviation = max(state.band_deviation, state.level[SPREAD])
    degree = _ramp(abs(distance), params.breakout_low * deviation, params.breakout_high * deviation)
    if state.breakout_side == 0 and is_released and degree > 0.0:
        state.breakout_side = 1 if distance > 0.0 else -1
        state.breakout_bar = state.bars
        state.breakout_degree = degree
        state.breakout_middle = state.band_middle
        state.compressed_bar = 0
    has_history = 2 * HISTORY_STEP_BARS * state.remembered >= params.history_bars_min
    if has_history and state.breakout_side == 0 and state.rank[WIDTH] <= params.compression_quantile:
        state.compressed_bar = state.bars


@kernel
def _share_out(params: Any, state: Any, frame: Any) -> None:
    """Write the six shares."""
    rank, shares = state.rank, state.shares
    score = (rank[VOLATILITY] + rank[SPREAD] + 1.0 - rank[DEPTH]) / 3.0
    depth, past = state.level[DEPTH], state.history[DEPTH]
    if depth == past[0] and depth == past[1]:  # it never varies: the source publishes no sizes
        score = 0.5 * (rank[VOLATILITY] + rank[SPREAD])
    shares[_STRESSED] = _ramp(score, params.stress_low, params.stress_high)
    rest = 1.0 - shares[_STRESSED]
    degree = 0.0
    if state.breakout_side != 0:
        degree = state.breakout_degree * (1.0 - (state.bars - state.breakout_bar) / params.breakout_bars)
    shares[_BREAKOUT] = rest * degree
    rest -= shares[_BREAKOUT]
    above = frame.close - frame.ema_slow  # the EMAs follow late: the price must still be on the trend's side
    trending = rest * _ramp(frame.efficiency, params.trend_low, params.trend_high)
    shares[_TREND_UP] = trending if frame.trend > 0 and above > 0.0 else 0.0
    shares[_TREND_DOWN] = trending if frame.trend < 0 and above < 0.0 else 0.0
    rest -= shares[_TREND_UP] + shares[_TREND_DOWN]
    shares[_ACTIVE_RANGE] = rest * rank[VOLATILITY]
    shares[_QUIET_RANGE] = rest - shares[_ACTIVE_RANGE]


@kernel
def _choose(params: Any, state: Any) -> None:
    """Keep the regime in force unless another leads by the margin for long enough."""
    shares, leader = state.shares, 0
    for k in range(1, REGIME_COUNT):
        if shares[k] > shares[leader]:
            leader = k
    is_first = state.decisions == 0
    state.decisions += 1
    if is_first or leader == state.regime or shares[leader] - shares[state.regime] < params.switch_margin:
        state.challenger_bars = 0
    else:
        state.challenger_bars = state.challenger_bars + 1 if leader == state.challenger else 1
    state.challenger = leader
    is_urgent = leader in (_STRESSED, _BREAKOUT) and state.challenger_bars > 0
    if is_first or is_urgent or state.challenger_bars >= params.switch_bars:
        state.regime = leader
        state.challenger_bars = 0
    state.confidence = shares[state.regime]
