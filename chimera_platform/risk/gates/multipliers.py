"""Factors on sizes: drawdown, session, rejects and the circuit breaker's. Hedges keep their size.

The circuit breaker's is an input (:func:`~chimera_platform.risk.circuit_breaker.breaker_multiplier`), the others are
worked out here.
"""

from __future__ import annotations

from typing import Any

from chimera_platform.execution.records import DecisionReason
from chimera_platform.kernels import record_kernel
from chimera_platform.market.city_sessions import CitySession
from chimera_platform.risk.gates.applicability import is_hedge

CIRCUIT_BREAKER, REJECT_RATE = int(DecisionReason.CIRCUIT_BREAKER), int(DecisionReason.REJECT_RATE)
DRAWDOWN, SESSION = int(DecisionReason.DRAWDOWN), int(DecisionReason.SESSION)
LONDON, NEW_YORK = int(CitySession.LONDON), int(CitySession.NEW_YORK)


@record_kernel
def drawdown_fraction(row: Any) -> float:
    """Return how far equity is below its peak, as a fraction of the peak; 1 where the peak is not positive."""
    peak = row.equity_nanos + row.drawdown_nanos
    return float(row.drawdown_nanos) / float(peak) if peak > 0 else 1.0


@record_kernel
def drawdown_factor(row: Any, risk: Any) -> float:
    """Return (hard - drawdown) / (hard - soft) within [0, 1]: 1 up to the soft drawdown, 0 from the hard one on."""
    drawdown = drawdown_fraction(row)
    if drawdown <= risk.soft_drawdown:
        return 1.0
    return max((risk.hard_drawdown - drawdown) / (risk.hard_drawdown - risk.soft_drawdown), 0.0)


@record_kernel
def session_factor(adaptive: Any, session: int) -> float:
    """Return the session's factor."""
    if session == LONDON:
        return adaptive.session_scale_london
    if session == NEW_YORK:
        return adaptive.session_scale_newyork
    return adaptive.session_scale_asia


@record_kernel
def set_multipliers(row: Any, risk: Any, adaptive: Any) -> None:
    """Write the factors and their product into the decision's row; the breaker's is there already."""
    if is_hedge(row):
        row.drawdown_multiplier = row.session_multiplier = row.reject_multiplier = row.breaker_multiplier = 1.0
    else:
        row.drawdown_multiplier = drawdown_factor(row, risk)
        row.session_multiplier = session_factor(adaptive, row.session)
        row.reject_multiplier = adaptive.reject_scale if row.reject_step >= 1 else 1.0
    row.size_multiplier = (
        row.drawdown_multiplier * row.session_multiplier * row.reject_multiplier * row.breaker_multiplier
    )


@record_kernel
def smallest_factor(row: Any) -> int:
    """Return the reason of the smallest of the four factors, of equal ones the first in DecisionReason's order."""
    smallest, reason = row.breaker_multiplier, CIRCUIT_BREAKER
    if row.reject_multiplier < smallest:
        smallest, reason = row.reject_multiplier, REJECT_RATE
    if row.drawdown_multiplier < smallest:
        smallest, reason = row.drawdown_multiplier, DRAWDOWN
    if row.session_multiplier < smallest:
        reason = SESSION
    return reason
