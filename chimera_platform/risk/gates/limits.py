"""Limits that make an order smaller: its own worth, the instrument's position and risk, the loss at its stop.

An amount in the account's currency is compared in whole nanos. A fraction of equity is compared as ``lots * of_a_lot
<= limit`` in double precision, exactly so: the largest number of lots that keeps the product within the limit.
"""

from __future__ import annotations

from typing import Any

from chimera_platform.execution.records import DecisionReason
from chimera_platform.kernels import record_kernel
from chimera_platform.risk.gates.applicability import gates_passed, holds

APPROVED, MAX_ORDER = int(DecisionReason.APPROVED), int(DecisionReason.MAX_ORDER)
MAX_POSITION, CONCENTRATION = int(DecisionReason.MAX_POSITION), int(DecisionReason.CONCENTRATION)
PORTFOLIO_RISK, TRADE_RISK = int(DecisionReason.PORTFOLIO_RISK), int(DecisionReason.TRADE_RISK)
UNLIMITED = 1 << 53
"""Lots that no limit leaves open: what a double counts exactly."""


@record_kernel
def lots_within(limit: float, of_a_lot: float) -> int:
    """Return the most lots with ``lots * of_a_lot <= limit``; UNLIMITED where ``of_a_lot`` is unknown (NaN) or 0."""
    if not of_a_lot > 0.0 or limit / of_a_lot >= float(UNLIMITED):
        return UNLIMITED
    lots = int(max(limit / of_a_lot, 0.0))
    while lots > 0 and float(lots) * of_a_lot > limit:
        lots -= 1
    while float(lots + 1) * of_a_lot <= limit:
        lots += 1
    return lots


@record_kernel
def lots_worth(amount: float, lot_notional_nanos: int) -> int:
    """Return the lots that ``amount`` of the account's currency is worth at least."""
    return int(amount * 1e9) // max(lot_notional_nanos, 1)


@record_kernel
def tighter(lots: int, binding: int, limit: int, reason: int) -> Any:
    """Return the smaller of two limits with its reason; of equal ones the first in DecisionReason's order."""
    if limit < lots or (limit == lots and reason < binding and binding != APPROVED):
        return limit, reason
    return lots, binding


@record_kernel
def limit_lots(row: Any, risk: Any, lots: int, lots_portfolio: int) -> Any:
    """Return (lots within every limit, the limit that binds).

    Parameters
    ----------
    row : DECISION_DTYPE record whose inputs are filled.
    risk : record of RiskSettings.
    lots : lots without these limits.
    lots_portfolio : most lots that keep the risk of all positions together within ``max_portfolio_risk``.

    Returns
    -------
    Lots >= 0 and a DecisionReason: APPROVED where no limit is below ``lots``, else the one that leaves the least, of
    equal ones the first in order.
    """
    passed = gates_passed(row.engine)
    binding = APPROVED
    lots, binding = tighter(lots, binding, lots_worth(risk.max_order_notional, row.lot_notional_nanos), MAX_ORDER)
    if holds(passed, MAX_POSITION):
        room = lots_worth(risk.max_position_notional, row.lot_notional_nanos) - row.symbol_lots
        lots, binding = tighter(lots, binding, max(room, 0), MAX_POSITION)
    if holds(passed, CONCENTRATION):
        room = lots_within(risk.max_concentration * risk.max_portfolio_risk, row.symbol_risk) - row.symbol_lots
        lots, binding = tighter(lots, binding, max(room, 0), CONCENTRATION)
    if holds(passed, PORTFOLIO_RISK):
        lots, binding = tighter(lots, binding, max(lots_portfolio, 0), PORTFOLIO_RISK)
    if holds(passed, TRADE_RISK):
        room = lots_within(risk.max_risk_per_trade, row.trade_risk)
        lots, binding = tighter(lots, binding, room, TRADE_RISK)
    return max(lots, 0), binding
