"""Iceberg defense: an order that refills defends its price; trade with it while the market is there.

Started by an iceberg that is CONFIRMED, and again whenever the touch comes back to its price while that is recent and
has not FAILED. Entered in front of it, stopped behind it: when it has been traded through, the reason is gone.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from chimera_platform.engines.order_flow.exits import better
from chimera_platform.engines.order_flow.look import NOTHING
from chimera_platform.engines.order_flow.reversal import reversal
from chimera_platform.engines.order_flow.signals import is_valid, slot_of
from chimera_platform.engines.order_flow.strategy_settings import ChaseNoise, Factor, StrategySettings
from chimera_platform.kernels import kernel
from chimera_platform.signals.records import Detector, Stage


class IcebergDefenseSettings(StrategySettings):
    """Parameters of the iceberg defense entry."""

    chase_noise: ChaseNoise = 0.5
    quiet_range: Factor = 1.1
    trend_with: Factor = 1.1
    trend_against: Factor = 0.7
    breakout: Factor = 0.6
    stressed: Factor = 0.4
    hidden_over_peak_min: float = Field(
        default=1.0, ge=0.0, le=100.0, description="hidden lots seen so far / lots displayed at most, at least"
    )
    approach_spreads: float = Field(
        default=1.0, ge=0.0, le=20.0, description="its side's touch is no further in front of it than this, spreads"
    )
    front_ticks: int = Field(default=1, ge=0, le=1_000, description="a limit entry stands this far in front, ticks")
    valid_ns: int = Field(
        default=60_000_000_000, ge=0, le=3_600_000_000_000, description="an iceberg is traded on within this, ns"
    )


_ICEBERG, _CONFIRMED = int(Detector.ICEBERG), int(Stage.CONFIRMED)
_PEAK_LOTS, _HIDDEN_LOTS = 0, 2  # in ICEBERG_EVIDENCE


@kernel
def stands_at_iceberg(params: Any, used: Any, memory: Any, side: int, ts: int, bid: int, ask: int) -> bool:
    """Return whether the touch of ``side`` stands at, or shortly in front of, a valid iceberg."""
    own = params.iceberg_defense
    k = slot_of(_ICEBERG, side)
    iceberg = memory.last[_ICEBERG, k]
    if not is_valid(iceberg, used[_ICEBERG, k], _CONFIRMED, ts, own.valid_ns):
        return False
    ahead = bid - iceberg.price_low if side > 0 else iceberg.price_high - ask
    return 0 <= ahead <= own.approach_spreads * (ask - bid)


@kernel
def iceberg_defense(params: Any, used: Any, memory: Any, timeframes: Any, regime: Any, profile: Any, look: Any) -> Any:
    """Return the strategy's proposal at this look."""
    own = params.iceberg_defense
    best = NOTHING
    for side in (1, -1):
        if not stands_at_iceberg(params, used, memory, side, look.ts, look.bid, look.ask):
            continue
        iceberg = memory.last[_ICEBERG, slot_of(_ICEBERG, side)]
        if iceberg.evidence[_HIDDEN_LOTS] >= own.hidden_over_peak_min * iceberg.evidence[_PEAK_LOTS]:
            price = iceberg.price_low if side > 0 else iceberg.price_high
            front = price + side * own.front_ticks
            found = reversal(
                params, own.common, timeframes, regime, profile, look, side, iceberg.strength, front, price, _ICEBERG
            )
            best = better(best, found)
    return best
