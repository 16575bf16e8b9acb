"""What all strategies of the order-flow engine have in common to set; each gives defaults of its own.

Distances are in *noises*: one noise is the larger of the spread and one standard deviation of the mid over the
engine's ``noise_horizon_ns``, so that the same numbers fit a market whose spread is one tick and one that is wide.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from chimera_platform.settings import Settings

Enabled = Annotated[bool, Field(description="whether the strategy is looked at")]
ConfidenceMin = Annotated[float, Field(ge=0.0, le=1.0, description="least confidence of an intent")]
ConfluenceMin = Annotated[float, Field(ge=0.0, le=1.0, description="least agreement of the timeframes, a share")]
LeanMin = Annotated[
    float, Field(ge=-0.5, le=0.5, description="least (microprice - mid) / spread towards the trade; -0.5: any")
]
OfiNormMin = Annotated[
    float, Field(ge=-1.0, le=1.0, description="least normalised 10 s OFI towards the trade; -1: any")
]
ChaseNoise = Annotated[
    float,
    Field(ge=0.0, le=20.0, description="further from the entry's price than this, entry is a limit order, noises"),
]
StopBufferNoise = Annotated[float, Field(ge=0.0, le=10.0, description="stop beyond the structure, noises")]
StopNoiseMin = Annotated[float, Field(ge=0.25, le=5.0, description="least stop distance, noises")]
StopNoiseMax = Annotated[float, Field(ge=5.0, le=100.0, description="largest stop distance, noises")]
RewardRiskMin = Annotated[
    float, Field(ge=0.25, le=3.0, description="no trade unless a structural target is so many stops away")
]
RewardRiskMax = Annotated[float, Field(ge=3.0, le=20.0, description="a target further away is cut to so many stops")]
MaxHold = Annotated[int, Field(ge=1_000_000_000, le=28_800_000_000_000, description="exit after this long, ns")]
TimeToLive = Annotated[
    int, Field(ge=1_000_000, le=3_600_000_000_000, description="cancel an unfilled limit entry after this, ns")
]
Cooldown = Annotated[
    int, Field(ge=0, le=28_800_000_000_000, description="shortest time between two intents of the strategy, ns")
]
Factor = Annotated[float, Field(ge=0.0, le=1.5, description="multiplies confidence when it is certain")]


class StrategySettings(Settings):
    """Entry, exits and regime of one strategy; the bounds are the optimiser's search space.

    The last six make the strategy's row of the table of regime factors.
    """

    enabled: Enabled = True
    confidence_min: ConfidenceMin = 0.25
    confluence_min: ConfluenceMin = 0.4
    lean_min: LeanMin = 0.0
    ofi_norm_min: OfiNormMin = 0.0
    chase_noise: ChaseNoise = 2.0
    stop_buffer_noise: StopBufferNoise = 1.0
    stop_noise_min: StopNoiseMin = 2.0
    stop_noise_max: StopNoiseMax = 15.0
    reward_risk_min: RewardRiskMin = 1.2
    reward_risk_max: RewardRiskMax = 4.0
    max_hold_ns: MaxHold = 600_000_000_000
    time_to_live_ns: TimeToLive = 30_000_000_000
    cooldown_ns: Cooldown = 0
    quiet_range: Factor = 1.0
    active_range: Factor = 1.0
    trend_with: Factor = 1.0
    trend_against: Factor = 1.0
    breakout: Factor = 1.0
    stressed: Factor = 1.0
