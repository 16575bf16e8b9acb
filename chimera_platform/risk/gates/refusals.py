"""Gates that refuse: a decision's row in, the first gate that refuses out.

Everything is decided from the row, so a journaled decision can be taken again. Comparisons are written so that an
unknown value (NaN) passes.
"""

from __future__ import annotations

from typing import Any

from chimera_platform.execution.records import DecisionReason
from chimera_platform.kernels import record_kernel
from chimera_platform.risk.circuit_breaker import BreakerState
from chimera_platform.risk.gates.applicability import gates_passed, holds
from chimera_platform.risk.gates.market import is_beyond_collar, is_spread_too_wide
from chimera_platform.risk.gates.multipliers import drawdown_fraction

APPROVED, SHUTDOWN = int(DecisionReason.APPROVED), int(DecisionReason.SHUTDOWN)
CIRCUIT_BREAKER, MARKET_NOT_TRADABLE = int(DecisionReason.CIRCUIT_BREAKER), int(DecisionReason.MARKET_NOT_TRADABLE)
STALE_DATA, LATENCY = int(DecisionReason.STALE_DATA), int(DecisionReason.LATENCY)
REJECT_RATE, MODEL_SCORE = int(DecisionReason.REJECT_RATE), int(DecisionReason.MODEL_SCORE)
CONFIDENCE, SPREAD = int(DecisionReason.CONFIDENCE), int(DecisionReason.SPREAD)
VOLATILITY, PRICE_COLLAR = int(DecisionReason.VOLATILITY), int(DecisionReason.PRICE_COLLAR)
DUPLICATE, DRAWDOWN = int(DecisionReason.DUPLICATE), int(DecisionReason.DRAWDOWN)
VALUE_AT_RISK, STRESS = int(DecisionReason.VALUE_AT_RISK), int(DecisionReason.STRESS)
ORDER_RATE, POSITION_OPEN = int(DecisionReason.ORDER_RATE), int(DecisionReason.POSITION_OPEN)
MAX_POSITIONS = int(DecisionReason.MAX_POSITIONS)
TRIGGERED, PAUSED = int(BreakerState.TRIGGERED), 2


@record_kernel
def review(row: Any, risk: Any, adaptive: Any) -> int:
    """Return APPROVED or the first gate, in DecisionReason's order, that refuses the decision's intent.

    Parameters
    ----------
    row : DECISION_DTYPE record whose inputs are filled.
    risk, adaptive : records of RiskSettings and RiskAdaptiveSettings.
    """
    reason = _review_state(row, risk)
    if reason == APPROVED:
        reason = _review_intent(row, risk, adaptive)
    if reason == APPROVED:
        reason = _review_account(row, risk)
    return reason


@record_kernel
def _review_state(row: Any, risk: Any) -> int:
    """Return the first gate that refuses because nothing is traded now: the flow, the market or the venue."""
    if row.is_closing != 0:
        return SHUTDOWN
    if row.breaker >= TRIGGERED:
        return CIRCUIT_BREAKER
    if row.is_tradable == 0:
        return MARKET_NOT_TRADABLE
    if row.data_age_ns > risk.max_data_age_ns:
        return STALE_DATA
    if row.is_latency_paused != 0 and holds(gates_passed(row.engine), LATENCY):
        return LATENCY
    if row.reject_step >= PAUSED:
        return REJECT_RATE
    return APPROVED


@record_kernel
def _review_intent(row: Any, risk: Any, adaptive: Any) -> int:
    """Return the first gate that refuses this intent in this market."""
    passed = gates_passed(row.engine)
    if row.model_score < row.model_threshold and holds(passed, MODEL_SCORE):
        return MODEL_SCORE
    if row.confidence < risk.signal_confidence_threshold and holds(passed, CONFIDENCE):
        return CONFIDENCE
    if is_spread_too_wide(row, risk, adaptive):
        return SPREAD
    if row.volatility_ratio > risk.max_volatility_ratio and holds(passed, VOLATILITY):
        return VOLATILITY
    if is_beyond_collar(row, risk):
        return PRICE_COLLAR
    if row.since_same_ns < risk.duplicate_window_ns:
        return DUPLICATE
    return APPROVED


@record_kernel
def _review_account(row: Any, risk: Any) -> int:
    """Return the first gate that refuses because of what the account has lost, risks or has done already."""
    passed = gates_passed(row.engine)
    if holds(passed, DRAWDOWN) and drawdown_fraction(row) >= risk.hard_drawdown:
        return DRAWDOWN
    if row.value_at_risk > risk.max_value_at_risk and holds(passed, VALUE_AT_RISK):
        return VALUE_AT_RISK
    if row.stress_loss > risk.max_stress_loss and holds(passed, STRESS):
        return STRESS
    if row.orders_in_window >= risk.max_orders:
        return ORDER_RATE
    if row.is_engaged != 0:
        return POSITION_OPEN
    if row.open_positions >= risk.max_positions and holds(passed, MAX_POSITIONS):
        return MAX_POSITIONS
    return APPROVED
