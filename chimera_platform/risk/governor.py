"""The risk governor: approves, scales or refuses what the allocator has reserved for, with a named reason.

Its gates, in the order of :class:`~chimera_platform.execution.records.DecisionReason`: the market is not tradable,
the model scores the intent below its threshold, the spread is too wide, the account's drawdown has reached the hard
limit, too many orders in the window, the account is closing. Between the soft and the hard drawdown sizes shrink
linearly: multiplier = (hard - drawdown) / (hard - soft), drawdown being (peak equity - equity) / peak equity.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from chimera_platform.execution.records import DecisionReason
from chimera_platform.kernels import kernel
from chimera_platform.settings import Settings

APPROVED = int(DecisionReason.APPROVED)
MARKET_NOT_TRADABLE, MODEL_SCORE = int(DecisionReason.MARKET_NOT_TRADABLE), int(DecisionReason.MODEL_SCORE)
SPREAD, DRAWDOWN = int(DecisionReason.SPREAD), int(DecisionReason.DRAWDOWN)
ORDER_RATE, SHUTDOWN = int(DecisionReason.ORDER_RATE), int(DecisionReason.SHUTDOWN)

ORDER_RATE_LIMIT_MAX = 4_096
NEVER_SENT = -(1 << 62)
"""What the ring of send times holds before that many orders were sent; ns."""


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


@kernel
def drawdown_fraction(account: Any) -> float:
    """Return how far equity is below its peak, as a fraction of the peak; 1 where the peak is not positive."""
    peak = account.peak_equity_nanos
    if peak <= 0:
        return 1.0
    return float(peak - account.cash_nanos - account.value_nanos) / float(peak)


@kernel
def size_multiplier(account: Any, settings: Any) -> float:
    """Return the factor in [0, 1] by which the drawdown scales sizes."""
    drawdown = drawdown_fraction(account)
    if drawdown <= settings.soft_drawdown:
        return 1.0
    return max((settings.hard_drawdown - drawdown) / (settings.hard_drawdown - settings.soft_drawdown), 0.0)


@kernel
def is_order_rate_reached(account: Any, order_times: Any, settings: Any, ts: int) -> bool:
    """Return whether ``max_orders`` entries were sent in (ts - window, ts]."""
    return ts - order_times[account.order_time_index] < settings.order_window_ns


@kernel
def note_order_time(account: Any, order_times: Any, ts: int) -> None:
    """Enter a sent order into the ring of the last ``max_orders`` send times."""
    order_times[account.order_time_index] = ts
    account.order_time_index = (account.order_time_index + 1) % order_times.shape[0]


@kernel
def review(state: Any, settings: Any, intent: Any, ts: int) -> int:
    """Return APPROVED or the first gate that refuses ``intent``."""
    account, market = state.account[0], state.markets[intent.instrument_id]
    if market.is_tradable == 0 or market.is_complete == 0:  # inside a source event the book is not consistent
        return MARKET_NOT_TRADABLE
    if intent.model_score < intent.model_threshold:  # false where either is NaN
        return MODEL_SCORE
    if float(market.ask - market.bid) * 2e6 > settings.max_spread_ppm * abs(float(market.ask + market.bid)):
        return SPREAD
    if drawdown_fraction(account) >= settings.hard_drawdown:
        return DRAWDOWN
    if is_order_rate_reached(account, state.order_times, settings, ts):
        return ORDER_RATE
    if account.closing == 1:
        return SHUTDOWN
    return APPROVED
