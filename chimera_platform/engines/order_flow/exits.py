"""Where a trade would be entered, where it would be wrong, and where the market may take it: prices of structure."""

from __future__ import annotations

import math
from typing import Any

from chimera_platform.engines.interface import distance_ticks
from chimera_platform.engines.order_flow.look import NOTHING, Proposal
from chimera_platform.kernels import kernel


@kernel
def limit_price(common: Any, look: Any, side: int, anchor: int) -> int:
    """Return the limit of an entry at ``anchor``, a price of structure in ticks; 0: at the market.

    At the market while the touch is within ``chase_noise`` of it, else a limit order there: on the trade's own side
    of the opposite touch, so that it rests.
    """
    touch = look.ask if side > 0 else look.bid
    if side * (touch - anchor) <= common.chase_noise * look.noise:
        return 0
    return min(anchor, look.ask - 1) if side > 0 else max(anchor, look.bid + 1)


@kernel
def stop_distance(common: Any, look: Any, side: int, entry: int, extreme: float) -> int:
    """Return the stop's distance in ticks: beyond ``extreme`` (ticks) by a buffer, held within bounds; 0: no trade.

    No trade where the entry lies beyond the extreme already: the structure has not held.
    """
    distance = side * (entry - extreme)
    if not distance >= 0.0:
        return 0
    distance += common.stop_buffer_noise * look.noise
    distance = min(max(distance, common.stop_noise_min * look.noise), common.stop_noise_max * look.noise)
    return distance_ticks(distance)


@kernel
def level_distance(profile: Any, look: Any, other: float, side: int, entry: int, least: float) -> float:
    """Return how far ahead the nearest level of structure is that is at least ``least`` away, ticks; infinite: none.

    Levels: the session's VWAP, point of control and value edges of the session under way and of the one before, and
    ``other`` (ticks; NaN for none).
    """
    nearest = _nearer(side * (other - entry), least, math.inf)
    nearest = _nearer(side * (look.vwap - entry), least, nearest)
    if profile.developing.volume > 0:
        nearest = _nearest_edge(profile.developing, side, entry, least, nearest)
    if profile.finished.volume > 0:
        nearest = _nearest_edge(profile.finished, side, entry, least, nearest)
    return nearest


@kernel
def _nearest_edge(levels: Any, side: int, entry: int, least: float, nearest: float) -> float:
    nearest = _nearer(float(side * (levels.poc - entry)), least, nearest)
    nearest = _nearer(float(side * (levels.value_low - entry)), least, nearest)
    return _nearer(float(side * (levels.value_high - entry)), least, nearest)


@kernel
def node_distance(profile: Any, side: int, entry: int, least: float, nearest: float) -> float:
    """Return the distance of the nearest node at least ``least`` ticks ahead, or ``nearest`` if that is less."""
    for k in range(profile.node_count):
        nearest = _nearer(float(side * (profile.node_high[k] - entry)), least, nearest)
        nearest = _nearer(float(side * (profile.node_low[k] - entry)), least, nearest)
    return nearest


@kernel
def _nearer(distance: float, least: float, nearest: float) -> float:
    return distance if least <= distance < nearest else nearest  # false for NaN


@kernel
def proposal(common: Any, side: int, confidence: float, limit: int, stop: int, distance: float, detector: int) -> Any:
    """Return the trade with its target ``distance`` ticks ahead, cut to ``reward_risk_max`` stops.

    Nothing where there is no stop, no confidence, or the target is less than ``reward_risk_min`` stops away.
    """
    if stop < 1 or not (confidence > 0.0 and common.reward_risk_min * stop <= distance < math.inf):
        return NOTHING
    return Proposal(
        side, confidence, limit, stop, distance_ticks(min(distance, common.reward_risk_max * stop)), detector
    )


@kernel
def better(first: Any, second: Any) -> Any:
    """Return the more confident proposal, the first at equality."""
    return second if second.confidence > first.confidence else first
