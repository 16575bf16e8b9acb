"""Liquidity sweep reversal: a sweep or stop run that came back leaves those who followed it offside.

Started by a sweep that FAILED with enough of its lots trapped beyond the price that it started from, or by a stop run
that is CONFIRMED. Entered where the sweep had started, stopped beyond its extreme.
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


class SweepReversalSettings(StrategySettings):
    """Parameters of the liquidity sweep reversal."""

    active_range: Factor = 1.1
    trend_against: Factor = 0.6
    breakout: Factor = 0.5
    stressed: Factor = 0.4
    trapped_share_min: float = Field(
        default=0.3, ge=0.01, le=1.0, description="lots trapped / lots of the failed sweep, at least"
    )
    valid_ns: int = Field(
        default=20_000_000_000, ge=0, le=600_000_000_000, description="a return is traded on within this, ns"
    )


_SWEEP, _STOP_RUN = int(Detector.SWEEP), int(Detector.STOP_RUN)
_CONFIRMED, _FAILED = int(Stage.CONFIRMED), int(Stage.FAILED)
_LOTS_TRAPPED = 3  # in SWEEP_EVIDENCE


@kernel
def sweep_reversal(params: Any, used: Any, memory: Any, timeframes: Any, regime: Any, profile: Any, look: Any) -> Any:
    """Return the strategy's proposal at this look."""
    own = params.sweep_reversal
    best = NOTHING
    for side in (1, -1):
        k = slot_of(_SWEEP, side)
        sweep = memory.last[_SWEEP, k]
        is_trap = sweep.size > 0 and sweep.evidence[_LOTS_TRAPPED] >= own.trapped_share_min * sweep.size
        if is_trap and is_valid(sweep, used[_SWEEP, k], _FAILED, look.ts, own.valid_ns):
            found = _back_from(params, timeframes, regime, profile, look, side, sweep, _SWEEP)
            best = better(best, found)
        k = slot_of(_STOP_RUN, side)
        run = memory.last[_STOP_RUN, k]
        if is_valid(run, used[_STOP_RUN, k], _CONFIRMED, look.ts, own.valid_ns):
            found = _back_from(params, timeframes, regime, profile, look, side, run, _STOP_RUN)
            best = better(best, found)
    return best


@kernel
def _back_from(
    params: Any, timeframes: Any, regime: Any, profile: Any, look: Any, side: int, slot: Any, detector: int
) -> Any:
    start = slot.price_high if side > 0 else slot.price_low
    extreme = slot.price_low if side > 0 else slot.price_high
    return reversal(
        params, params.sweep_reversal.common, timeframes, regime, profile, look, side, slot.strength, start, extreme,
        detector,
    )  # fmt: skip
