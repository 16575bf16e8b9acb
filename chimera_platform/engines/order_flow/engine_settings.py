"""What the order-flow engine's strategies share: size, gates, and how often and over which timeframes they look."""

from __future__ import annotations

from pydantic import Field

from chimera_platform.settings import Settings


class OrderFlowSettings(Settings):
    """Parameters of the order-flow engine as a whole; the bounds are the optimiser's search space."""

    enabled: bool = Field(default=True, description="whether the engine emits intents")
    cooldown_ns: int = Field(
        default=30_000_000_000, ge=0, le=3_600_000_000_000, description="shortest time between two intents, ns"
    )
    order_notional: float = Field(default=25_000.0, ge=1.0, le=1e9, description="size wanted, account currency")
    spread_bps_max: float = Field(
        default=10.0, gt=0.0, le=1_000.0, description="largest spread traded in, 0.0001 of the mid"
    )
    look_interval_ns: int = Field(
        default=1_000_000_000, ge=10_000_000, le=60_000_000_000, description="without news, time between looks, ns"
    )
    touch_interval_ns: int = Field(
        default=100_000_000, ge=1_000_000, le=60_000_000_000, description="the same while a touch is at an iceberg, ns"
    )
    noise_horizon_ns: int = Field(
        default=10_000_000_000,
        ge=1_000_000_000,
        le=600_000_000_000,
        description="a noise is at least one standard deviation of the mid over this, ns",
    )
    weight_1m: float = Field(default=1.0, ge=0.01, le=10.0, description="of the 1 min timeframe in confluence")
    weight_5m: float = Field(default=1.0, ge=0.01, le=10.0, description="of the 5 min timeframe in confluence")
    weight_15m: float = Field(default=1.0, ge=0.01, le=10.0, description="of the 15 min timeframe in confluence")
    efficiency_strong: float = Field(
        default=0.35, ge=0.0, le=1.0, description="a trend with this efficiency ratio is strong, at least"
    )
    stretch_deviations: float = Field(
        default=1.0, ge=0.0, le=4.0, description="stretched: so many Bollinger deviations from the middle"
    )
