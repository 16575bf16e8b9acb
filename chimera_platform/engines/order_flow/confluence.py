"""How far the timeframes agree with a trade, and how far the regime suits it: the two factors of confidence."""

from __future__ import annotations

import math
from typing import Any

from chimera_platform.kernels import kernel
from chimera_platform.regimes.names import Regime

_QUIET, _ACTIVE = int(Regime.QUIET_RANGE), int(Regime.ACTIVE_RANGE)
_UP, _DOWN = int(Regime.TREND_UP), int(Regime.TREND_DOWN)
_BREAKOUT, _STRESSED = int(Regime.BREAKOUT), int(Regime.STRESSED)


@kernel
def reversal_confluence(engine: Any, timeframes: Any, side: int, mid: float) -> float:
    """Return how far the timeframes allow a turn to ``side``, [0, 1].

    The weighted mean over the timeframes that have their indicators, each giving one half for not being in a strong
    trend against the trade and one half for being stretched: its Bollinger middle lies ``stretch_deviations`` or more
    ahead. 0 where no timeframe has them.
    """
    total, weights = 0.0, 0.0
    for k in range(timeframes.shape[0]):
        frame = timeframes[k]
        if _is_young(frame):
            continue
        weight = _weight(engine, k)
        weights += weight
        share = 0.0
        if side * frame.trend >= 0 or frame.efficiency < engine.efficiency_strong:
            share += 0.5
        ahead = side * (frame.bollinger_middle - 2.0 * mid)
        if ahead >= engine.stretch_deviations * frame.bollinger_deviation:
            share += 0.5
        total += weight * share
    return total / weights if weights > 0.0 else 0.0


@kernel
def continuation_confluence(engine: Any, timeframes: Any, side: int) -> float:
    """Return how far the timeframes' trends agree with ``side``, [0, 1].

    The weighted mean over the timeframes that have their indicators: 1 for a trend with the trade, 1/2 for none, 0
    for one against it. 0 where no timeframe has them.
    """
    total, weights = 0.0, 0.0
    for k in range(timeframes.shape[0]):
        frame = timeframes[k]
        if _is_young(frame):
            continue
        weight = _weight(engine, k)
        weights += weight
        total += weight * (0.5 + 0.5 * side * frame.trend)
    return total / weights if weights > 0.0 else 0.0


@kernel
def _is_young(frame: Any) -> bool:
    return math.isnan(frame.bollinger_deviation) or math.isnan(frame.efficiency)


@kernel
def _weight(engine: Any, k: int) -> float:
    return engine.weight_1m if k == 0 else (engine.weight_5m if k == 1 else engine.weight_15m)


@kernel
def regime_factor(common: Any, regime: Any, side: int) -> float:
    """Return what the regime multiplies confidence with: c·f + (1 - c), c its own confidence, f the table's factor.

    A regime that is not known (confidence 0) changes nothing.

    Parameters
    ----------
    common : the strategy's shared parameters: its row of the table.
    regime : record with ``regime`` and ``confidence``, whoever classifies.
    side : of the trade; a trend is with or against it.
    """
    factor = 1.0
    if regime.regime == _QUIET:
        factor = common.quiet_range
    elif regime.regime == _ACTIVE:
        factor = common.active_range
    elif regime.regime == _UP:
        factor = common.trend_with if side > 0 else common.trend_against
    elif regime.regime == _DOWN:
        factor = common.trend_with if side < 0 else common.trend_against
    elif regime.regime == _BREAKOUT:
        factor = common.breakout
    elif regime.regime == _STRESSED:
        factor = common.stressed
    return regime.confidence * factor + (1.0 - regime.confidence)


@kernel
def confidence_of(common: Any, regime: Any, side: int, strength: float, confluence: float) -> float:
    """Return strength × confluence × regime factor, at most 1; 0 where the strategy's limits or NaN refuse it."""
    if not confluence >= common.confluence_min:
        return 0.0
    confidence = strength * confluence * regime_factor(common, regime, side)
    if confidence > 0.0 and confidence >= common.confidence_min:  # both false for NaN
        return min(confidence, 1.0)
    return 0.0
