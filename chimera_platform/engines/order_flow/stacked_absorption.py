"""Stacked absorption reversal: neighbouring prices took what was traded into them and held.

Started by a stacked absorption that is CONFIRMED with enough levels. Entered at the edge of the zone that faces the
market, stopped beyond its other edge: there those who absorbed have given up.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from chimera_platform.engines.order_flow.exits import better
from chimera_platform.engines.order_flow.look import NOTHING
from chimera_platform.engines.order_flow.reversal import reversal
from chimera_platform.engines.order_flow.signals import is_valid, slot_of
from chimera_platform.engines.order_flow.strategy_settings import Factor, StrategySettings
from chimera_platform.kernels import kernel
from chimera_platform.signals.records import Detector, Stage


class StackedAbsorptionSettings(StrategySettings):
    """Parameters of the stacked absorption reversal."""

    active_range: Factor = 1.1
    trend_against: Factor = 0.6
    breakout: Factor = 0.5
    stressed: Factor = 0.4
    levels_min: float = Field(default=2.0, ge=2.0, le=8.0, description="absorbed levels in the stack, at least")
    valid_ns: int = Field(
        default=15_000_000_000, ge=0, le=600_000_000_000, description="a stack is traded on within this, ns"
    )


_STACKED, _CONFIRMED = int(Detector.STACKED_ABSORPTION), int(Stage.CONFIRMED)
_LEVELS = 0  # in STACKED_ABSORPTION_EVIDENCE


@kernel
def stacked_absorption(
    params: Any, used: Any, memory: Any, timeframes: Any, regime: Any, profile: Any, look: Any
) -> Any:
    """Return the strategy's proposal at this look."""
    own = params.stacked_absorption
    best = NOTHING
    for side in (1, -1):
        k = slot_of(_STACKED, side)
        stack = memory.last[_STACKED, k]
        is_high = stack.evidence[_LEVELS] >= own.levels_min
        if is_high and is_valid(stack, used[_STACKED, k], _CONFIRMED, look.ts, own.valid_ns):
            edge = stack.price_high if side > 0 else stack.price_low
            extreme = stack.price_low if side > 0 else stack.price_high
            found = reversal(
                params, own.common, timeframes, regime, profile, look, side, stack.strength, edge, extreme, _STACKED
            )
            best = better(best, found)
    return best
