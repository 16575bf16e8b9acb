"""The risk governor: approves, scales or refuses what the allocator has reserved for, with a named reason."""

from __future__ import annotations

from pydantic import Field, model_validator

from chimera_platform.settings import Settings

ORDER_RATE_LIMIT_MAX = 4_096


class RiskSettings(Settings):
    """Limits that every entry has to pass; exits always pass."""

    max_spread_ppm: float = Field(1_000.0, gt=0.0, le=1e6, description="largest spread, millionths of the mid")
    soft_drawdown: float = Field(
        0.05, ge=0.0, lt=1.0, description="fall below peak equity, as a fraction, from which sizes shrink"
    )
    hard_drawdown: float = Field(
        0.10, gt=0.0, le=1.0, description="fall below peak equity, as a fraction, from which every entry is refused"
    )
    max_orders: int = Field(
        100, ge=1, le=ORDER_RATE_LIMIT_MAX, description="most entry orders within order_window_ns, whole account"
    )
    order_window_ns: int = Field(
        60_000_000_000, ge=1, le=86_400_000_000_000, description="length of the order-rate window, ns of event time"
    )

    @model_validator(mode="after")
    def _limits_in_order(self) -> RiskSettings:
        if self.soft_drawdown >= self.hard_drawdown:
            raise ValueError(
                f"soft_drawdown is {self.soft_drawdown}; expected less than hard_drawdown ({self.hard_drawdown})"
            )
        return self
