"""HVN/LVN bounce: a price at which significantly much, or little, was traded turns the market back.

Looked at once a second. The mid has come to a node of the profile from a side on which it has been (the slow average
of 1-minute closes lies well on that side), and the flow has stopped pushing. Entered at the node, stopped beyond it
and what the bar under way has pierced, with the next node or level of structure as target. Without prints there is
no profile and nothing is said.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from chimera_platform.engines.order_flow.confluence import confidence_of, reversal_confluence
from chimera_platform.engines.order_flow.exits import (
    level_distance,
    limit_price,
    node_distance,
    proposal,
    stop_distance,
)
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


class NodeBounceSettings(StrategySettings):
    """Parameters of the HVN/LVN bounce."""

    lean_min: LeanMin = 0.05
    ofi_norm_min: OfiNormMin = 0.2
    max_hold_ns: MaxHold = 1_800_000_000_000
    cooldown_ns: Cooldown = 300_000_000_000
    quiet_range: Factor = 1.1
    trend_with: Factor = 0.9
    trend_against: Factor = 0.5
    breakout: Factor = 0.4
    stressed: Factor = 0.4
    strength_min: float = Field(default=2.0, ge=0.1, le=50.0, description="of the node, standard errors, at least")
    near_noise: float = Field(default=1.5, ge=0.1, le=20.0, description="mid from the node at most, noises")
    approach_noise: float = Field(
        default=3.0, ge=0.0, le=100.0, description="slow 1 min average from the node at least, noises"
    )
    momentum_min: float = Field(
        default=0.0, ge=-0.01, le=0.01, description="log return of 10 s towards the trade, at least"
    )


@kernel
def node_bounce(params: Any, timeframes: Any, regime: Any, profile: Any, look: Any) -> Any:
    """Return the strategy's proposal at this look: of the strongest node that is near."""
    own = params.node_bounce
    best, strongest = NOTHING, own.strength_min
    for k in range(profile.node_count):
        strength = profile.node_strength[k]
        if not strength >= strongest:
            continue
        for which in range(2):
            node = profile.node_high[k] if which == 0 else profile.node_low[k]
            side = _side_of_bounce(own, timeframes[0], look, node)
            if side == 0:
                continue
            found = _from_node(params, timeframes, regime, profile, look, side, node, strength)
            if found.side != 0 and (best.side == 0 or strength > strongest):
                best, strongest = found, strength
    return best


@kernel
def _side_of_bounce(own: Any, frame: Any, look: Any, node: int) -> int:
    """Return the side from which the mid has come to ``node``, 0 where it has not or still pushes on."""
    if not abs(look.mid - node) <= own.near_noise * look.noise:
        return 0
    side = 1 if 0.5 * frame.ema_slow > node else -1
    came = side * (0.5 * frame.ema_slow - node) >= own.approach_noise * look.noise  # false for NaN
    turned = side * look.momentum >= own.momentum_min and flow_agrees(own.common, look, side)
    return side if came and turned else 0


@kernel
def _from_node(
    params: Any, timeframes: Any, regime: Any, profile: Any, look: Any, side: int, node: int, strength: float
) -> Any:
    own, frame = params.node_bounce, timeframes[0]
    confluence = reversal_confluence(params.engine, timeframes, side, look.mid)
    confidence = confidence_of(own.common, regime, side, strength / (strength + own.strength_min), confluence)
    limit = limit_price(own.common, look, side, node)
    entry = limit if limit != 0 else (look.ask if side > 0 else look.bid)
    pierced = 0.5 * (frame.running_low if side > 0 else frame.running_high)
    extreme = min(float(node), pierced) if side > 0 else max(float(node), pierced)
    stop = stop_distance(own.common, look, side, entry, extreme)
    least = own.common.reward_risk_min * stop
    distance = level_distance(profile, look, 0.5 * frame.bollinger_middle, side, entry, least)
    distance = node_distance(profile, side, entry, least, distance)
    return proposal(own.common, side, confidence, limit, stop, distance, 0)
