"""The risk governor: approves, shrinks or refuses what the allocator has reserved for, with a named reason.

A decision is a function of its row alone (:data:`~chimera_platform.execution.records.DECISION_DTYPE`) and the
settings, in three parts:

- *gates that refuse* (:mod:`~chimera_platform.risk.gates.refusals`), the first in DecisionReason's order;
- *limits that shrink* (:mod:`~chimera_platform.risk.gates.limits`) what the allocator has left of the size;
- *factors* (:mod:`~chimera_platform.risk.gates.multipliers`) on the size that the sizing method wants.

The size approved is the least of: the lots allocated, each limit, and the size wanted times the factors, in whole lots.
Which of this does not hold for hedges stands in :mod:`~chimera_platform.risk.gates.applicability`.
"""

from __future__ import annotations

from typing import Any

from chimera_platform.execution.records import DecisionReason
from chimera_platform.kernels import kernel, record_kernel
from chimera_platform.risk.gates.limits import limit_lots, tighter
from chimera_platform.risk.gates.multipliers import set_multipliers, smallest_factor
from chimera_platform.risk.gates.refusals import review as review_row
from chimera_platform.risk.order_rate import NEVER_SENT as NEVER_SENT
from chimera_platform.risk.order_rate import note_order_time as note_order_time
from chimera_platform.risk.risk_settings import RiskSettings as RiskSettings

APPROVED, SIZING = int(DecisionReason.APPROVED), int(DecisionReason.SIZING)
SIZE_ZERO = int(DecisionReason.SIZE_ZERO)
MARKET_NOT_TRADABLE, MODEL_SCORE = int(DecisionReason.MARKET_NOT_TRADABLE), int(DecisionReason.MODEL_SCORE)
SPREAD, DRAWDOWN = int(DecisionReason.SPREAD), int(DecisionReason.DRAWDOWN)
ORDER_RATE, SHUTDOWN = int(DecisionReason.ORDER_RATE), int(DecisionReason.SHUTDOWN)


@record_kernel
def decide(row: Any, risk: Any, adaptive: Any, cap: int, lots_portfolio: int) -> int:
    """Decide on an intent and return the lots approved, 0 where it is refused.

    Parameters
    ----------
    row : DECISION_DTYPE record with all inputs filled, ``size_wanted``, ``size_sized``, ``size_allocated`` and
        ``breaker_multiplier`` among them. Written are the factors, ``size_multiplier``, ``reason``, ``binding``,
        ``approved`` and ``size_approved``.
    risk, adaptive : records of RiskSettings and RiskAdaptiveSettings.
    cap : the gate that :func:`~chimera_platform.risk.allocator.allocate` names for ``size_allocated``.
    lots_portfolio : most lots that keep the risk of all positions together within ``max_portfolio_risk``.

    Where the sizing method, a cap or a limit leaves less than a lot, it is the reason; where only the factors do, the
    reason is SIZE_ZERO and ``binding`` names the smallest factor. An intent of no size at all is SIZE_ZERO.
    """
    set_multipliers(row, risk, adaptive)
    row.size_approved = 0
    row.reason = review_row(row, risk, adaptive)
    row.binding = row.reason
    if row.reason == APPROVED:
        _decide_size(row, risk, cap, lots_portfolio)
    row.approved = 1 if row.size_approved > 0 else 0
    return row.size_approved


@record_kernel
def _decide_size(row: Any, risk: Any, cap: int, lots_portfolio: int) -> None:
    """Write reason, binding and size of an intent that no gate refuses."""
    refusal, binding = _without_limits(row, cap)
    if refusal != APPROVED:
        row.reason = row.binding = refusal
        return
    lots, limit = limit_lots(row, risk, row.size_allocated, lots_portfolio)
    if limit != APPROVED:
        binding = limit
    scaled = int(float(row.size_sized) * row.size_multiplier)
    if lots < 1:
        row.reason = row.binding = binding
    elif scaled < 1:
        row.reason, row.binding = SIZE_ZERO, smallest_factor(row)
    else:
        if scaled < row.size_sized:
            lots, binding = tighter(lots, binding, scaled, smallest_factor(row))
        row.binding = binding
        row.size_approved = lots


@record_kernel
def _without_limits(row: Any, cap: int) -> Any:
    """Return (the reason if sizing method or caps leave nothing, what made the size another than the one wanted)."""
    if row.size_sized < 1 and row.size_wanted >= 1:
        return SIZING, SIZING
    if row.size_allocated < 1:
        return (SIZE_ZERO if cap == APPROVED else cap), cap
    if row.size_allocated < row.size_sized:
        return APPROVED, cap
    return APPROVED, APPROVED if row.size_sized == row.size_wanted else SIZING


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
