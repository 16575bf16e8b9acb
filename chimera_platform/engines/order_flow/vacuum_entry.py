"""Vacuum entry: one side's orders have been withdrawn; go with the price that falls into the void.

Started by a vacuum that is CONFIRMED, with a flow that pushes into it. Entered near the void's start, stopped behind
that start, with the far end of the void as target.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from chimera_platform.engines.order_flow.confluence import confidence_of, continuation_confluence
from chimera_platform.engines.order_flow.exits import better, limit_price, proposal, stop_distance
from chimera_platform.engines.order_flow.look import NOTHING, flow_agrees
from chimera_platform.engines.order_flow.signals import is_valid, slot_of
from chimera_platform.engines.order_flow.strategy_settings import (
    ChaseNoise,
    ConfluenceMin,
    Factor,
    LeanMin,
    MaxHold,
    OfiNormMin,
    StrategySettings,
)
from chimera_platform.kernels import kernel
from chimera_platform.signals.records import Detector, Stage


class VacuumEntrySettings(StrategySettings):
    """Parameters of the vacuum entry."""

    confluence_min: ConfluenceMin = 0.4
    lean_min: LeanMin = 0.05
    ofi_norm_min: OfiNormMin = 0.1
    chase_noise: ChaseNoise = 1.5
    max_hold_ns: MaxHold = 300_000_000_000
    quiet_range: Factor = 0.6
    active_range: Factor = 0.9
    trend_with: Factor = 1.2
    trend_against: Factor = 0.5
    breakout: Factor = 1.2
    stressed: Factor = 0.6
    valid_ns: int = Field(
        default=10_000_000_000, ge=0, le=600_000_000_000, description="a void is traded on within this, ns"
    )


_VACUUM, _CONFIRMED = int(Detector.VACUUM), int(Stage.CONFIRMED)


@kernel
def vacuum_entry(params: Any, used: Any, memory: Any, timeframes: Any, regime: Any, look: Any) -> Any:
    """Return the strategy's proposal at this look."""
    own = params.vacuum_entry
    best = NOTHING
    for side in (1, -1):
        k = slot_of(_VACUUM, side)
        void = memory.last[_VACUUM, k]
        if is_valid(void, used[_VACUUM, k], _CONFIRMED, look.ts, own.valid_ns) and flow_agrees(own.common, look, side):
            best = better(best, _into(params, timeframes, regime, look, side, void))
    return best


@kernel
def _into(params: Any, timeframes: Any, regime: Any, look: Any, side: int, void: Any) -> Any:
    common = params.vacuum_entry.common
    start = void.price_low if side > 0 else void.price_high
    end = void.price_high if side > 0 else void.price_low
    confluence = continuation_confluence(params.engine, timeframes, side)
    confidence = confidence_of(common, regime, side, void.strength, confluence)
    limit = limit_price(common, look, side, start)
    entry = limit if limit != 0 else (look.ask if side > 0 else look.bid)
    stop = stop_distance(common, look, side, entry, float(start))
    return proposal(common, side, confidence, limit, stop, float(side * (end - entry)), _VACUUM)
