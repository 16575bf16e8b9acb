"""The risk governor: approves, shrinks or refuses what the allocator has reserved for, with a named reason.

A decision is a function of its row (:data:`~chimera_platform.execution.records.DECISION_DTYPE`), of the settings and,
for PORTFOLIO_RISK only, of how many lots the covariances leave room for. It has three parts:

- *gates that refuse* (:mod:`~chimera_platform.risk.gates.refusals`), the first in DecisionReason's order;
- *limits that shrink* (:mod:`~chimera_platform.risk.gates.limits`) what the allocator has left of the size;
- *factors* (:mod:`~chimera_platform.risk.gates.multipliers`) on the size that the sizing method wants.

The size approved is the least of: the lots allocated, each limit, and the size wanted times the factors, in whole lots.
Which of this does not hold for hedges stands in :mod:`~chimera_platform.risk.gates.applicability`.
"""

from __future__ import annotations

from typing import Any

from chimera_platform.execution.records import DecisionReason
from chimera_platform.kernels import record_kernel
from chimera_platform.risk.gates.limits import limit_lots, tighter
from chimera_platform.risk.gates.multipliers import set_multipliers, smallest_factor
from chimera_platform.risk.gates.refusals import review

APPROVED, SIZING = int(DecisionReason.APPROVED), int(DecisionReason.SIZING)
SIZE_ZERO = int(DecisionReason.SIZE_ZERO)


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
    row.reason = review(row, risk, adaptive)
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
