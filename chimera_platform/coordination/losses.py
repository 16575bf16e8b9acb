"""What losses lead to: the circuit breaker's state, and the account closed down where it is triggered."""

from __future__ import annotations

from typing import Any

from chimera_platform.coordination.risk_rows import ALL_ENGINES, NO_INSTRUMENT, append_risk_event
from chimera_platform.execution.records import RiskEventKind
from chimera_platform.kernels import kernel
from chimera_platform.portfolio.account import CLOSING_BREAKER
from chimera_platform.risk.circuit_breaker import (
    DAY_CHANGED,
    STATE_CHANGED,
    TRIGGERED,
    follow_breaker,
    loss_and_limit,
)

_BREAKER, _DAY = int(RiskEventKind.BREAKER), int(RiskEventKind.DAY)


@kernel
def follow_losses(state: Any, parameters: Any, output: Any, event_no: int, ts: int) -> None:
    """Let the breaker follow the account's equity, and write down what has changed."""
    account, breaker, settings = state.account[0], state.desk[0].breaker, parameters.settings[0].circuit_breaker
    equity = account.cash_nanos + account.value_nanos
    changed = follow_breaker(breaker, settings, equity, ts)
    if changed & DAY_CHANGED:
        start = float(breaker.day_start_nanos) * 1e-9
        append_risk_event(state, output, _DAY, 0, ALL_ENGINES, NO_INSTRUMENT, start, 0.0, event_no, ts)
    if changed & STATE_CHANGED:
        loss, limit = loss_and_limit(breaker, settings, equity)
        append_risk_event(state, output, _BREAKER, breaker.state, ALL_ENGINES, NO_INSTRUMENT, loss, limit, event_no, ts)
        if breaker.state == TRIGGERED:
            account.closing |= CLOSING_BREAKER
