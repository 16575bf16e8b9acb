"""The trade that three strategies share: back from a price that has just shown who stands there."""

from __future__ import annotations

import math
from typing import Any

from chimera_platform.engines.order_flow.confluence import confidence_of, reversal_confluence
from chimera_platform.engines.order_flow.exits import level_distance, limit_price, proposal, stop_distance
from chimera_platform.engines.order_flow.look import NOTHING, flow_agrees
from chimera_platform.kernels import kernel


@kernel
def reversal(
    params: Any,
    common: Any,
    timeframes: Any,
    regime: Any,
    profile: Any,
    look: Any,
    side: int,
    strength: float,
    anchor: int,
    extreme: int,
    detector: int,
) -> Any:
    """Return the trade to ``side`` from ``anchor`` with its stop beyond ``extreme``, both ticks; or nothing.

    It needs a flow that has stopped pushing against it, timeframes that allow a turn, and a level of structure ahead.
    """
    if not flow_agrees(common, look, side):
        return NOTHING
    confluence = reversal_confluence(params.engine, timeframes, side, look.mid)
    confidence = confidence_of(common, regime, side, strength, confluence)
    if confidence == 0.0:
        return NOTHING
    limit = limit_price(common, look, side, anchor)
    entry = limit if limit != 0 else (look.ask if side > 0 else look.bid)
    stop = stop_distance(common, look, side, entry, float(extreme))
    distance = level_distance(profile, look, math.nan, side, entry, common.reward_risk_min * stop)
    return proposal(common, side, confidence, limit, stop, distance, detector)
