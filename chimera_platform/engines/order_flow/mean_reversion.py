"""Mean reversion fade: far from fair value, outside the band, and no longer stretching.

Looked at once a second. Fair value is slow and fast: the session's VWAP, from which the mid must be far, and the
microprice (the fitted one where there is one), which must not lean further away. The mid lies beyond the 1-minute
Bollinger band, and the RSI of 1-minute closes diverges from them or is extreme. The stop lies beyond the extreme of
the last bar and the one under way; the target is the nearest of the band's middle, the VWAP and the profile's levels.

A source without sizes prints no trades and its queues say nothing: fair value is the middle of the 5-minute band
there, and the mid's last ten seconds alone show that it has turned.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from chimera_platform.engines.order_flow.confluence import confidence_of, reversal_confluence
from chimera_platform.engines.order_flow.exits import level_distance, limit_price, proposal, stop_distance
from chimera_platform.engines.order_flow.look import NOTHING, flow_agrees
from chimera_platform.engines.order_flow.strategy_settings import (
    Cooldown,
    Factor,
    LeanMin,
    MaxHold,
    OfiNormMin,
    StrategySettings,
)
from chimera_platform.kernels import kernel


class MeanReversionSettings(StrategySettings):
    """Parameters of the mean reversion fade."""

    lean_min: LeanMin = 0.05
    ofi_norm_min: OfiNormMin = 0.2
    max_hold_ns: MaxHold = 1_800_000_000_000
    cooldown_ns: Cooldown = 300_000_000_000
    quiet_range: Factor = 1.2
    trend_with: Factor = 0.9
    trend_against: Factor = 0.4
    breakout: Factor = 0.3
    stressed: Factor = 0.3
    fair_deviations_min: float = Field(
        default=2.0, ge=0.0, le=20.0, description="mid from fair value, 1 min Bollinger deviations, at least"
    )
    band_deviations_min: float = Field(
        default=2.0, ge=0.0, le=5.0, description="mid from the band's middle, its deviations, at least"
    )
    rsi_stretch_min: float = Field(
        default=20.0, ge=0.0, le=50.0, description="without divergence: RSI from 50 the same way, points, at least"
    )
    divergence_bars: int = Field(
        default=5, ge=1, le=100, description="a divergence counts this long after it is confirmed, 1 min bars"
    )
    momentum_min: float = Field(
        default=0.0, ge=-0.01, le=0.01, description="log return of 10 s towards the trade, at least"
    )


_FAIR_FRAME = 1  # of the timeframes: the one whose middle is fair value where there are no prints


@kernel
def mean_reversion(params: Any, timeframes: Any, regime: Any, profile: Any, look: Any) -> Any:
    """Return the strategy's proposal at this look."""
    own, frame = params.mean_reversion, timeframes[0]
    side = 1 if 2.0 * look.mid < frame.bollinger_middle else -1
    strength = _stretch(own, timeframes, look, side)
    turned = side * look.momentum >= own.momentum_min and flow_agrees(own.common, look, side)
    if not (strength > 0.0 and turned):
        return NOTHING
    confluence = reversal_confluence(params.engine, timeframes, side, look.mid)
    confidence = confidence_of(own.common, regime, side, strength, confluence)
    touch = look.bid if side > 0 else look.ask
    limit = limit_price(own.common, look, side, touch)
    entry = limit if limit != 0 else (look.ask if side > 0 else look.bid)
    extreme = 0.5 * (min(frame.low, frame.running_low) if side > 0 else max(frame.high, frame.running_high))
    stop = stop_distance(own.common, look, side, entry, extreme)
    least = own.common.reward_risk_min * stop
    distance = level_distance(profile, look, 0.5 * frame.bollinger_middle, side, entry, least)
    return proposal(own.common, side, confidence, limit, stop, distance, 0)


@kernel
def _stretch(own: Any, timeframes: Any, look: Any, side: int) -> float:
    """Return how stretched the price is, (0, 1]; 0 where one of the three measures does not say so, or is unknown.

    The mean of r / (1 + r) of distance from fair value and from the band's middle, each relative to its least, and of
    1 for a divergence or else the RSI's distance from 50 as a share of all that is possible.
    """
    frame = timeframes[0]
    deviation = 0.5 * frame.bollinger_deviation  # ticks
    fair = look.vwap if look.is_sized != 0 else 0.5 * timeframes[_FAIR_FRAME].bollinger_middle
    from_fair = side * (fair - look.mid)
    from_middle = side * (0.5 * frame.bollinger_middle - look.mid)
    needed_fair, needed_middle = own.fair_deviations_min * deviation, own.band_deviations_min * deviation
    # A comparison with NaN is false.
    if not (deviation > 0.0 and from_fair >= needed_fair and from_middle >= needed_middle):
        return 0.0
    rsi = side * (50.0 - frame.rsi)
    if frame.divergence == side and frame.bars - frame.divergence_bar < own.divergence_bars:
        turn = 1.0
    elif rsi >= own.rsi_stretch_min:
        turn = rsi / 50.0
    else:
        return 0.0
    return (_relative(from_fair, needed_fair) + _relative(from_middle, needed_middle) + turn) / 3.0


@kernel
def _relative(distance: float, needed: float) -> float:
    """Return r / (1 + r), r = distance / needed; 1 where nothing is needed."""
    return distance / (distance + needed) if needed > 0.0 else 1.0
