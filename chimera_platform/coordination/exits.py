"""Exits: when a position, or a part of it, is to be closed, a market order does it."""

from __future__ import annotations

from typing import Any

from chimera_platform.coordination.sending import request_cancel, transmit_order
from chimera_platform.execution.exit_due import next_exit
from chimera_platform.execution.orders import ENTRY, EXIT, new_order
from chimera_platform.execution.records import OrderReason
from chimera_platform.kernels import kernel
from chimera_platform.simulation.exchange.records import NEVER

FLATTEN = int(OrderReason.FLATTEN)


@kernel
def due_exit(account: Any, market: Any, position: Any, tick_value_nanos: int, ts: int) -> Any:
    """Return (why, lots): what of ``position``, or of an entry where all is being closed, is to be closed now.

    The reason is 0 for nothing to do. The plan of the position is measured from the average entry price to the touch
    that a closing market order would meet.
    """
    if position.lots == 0:
        return (FLATTEN, 0) if account.closing != 0 else (0, 0)
    if account.closing != 0 and position.exit_reason == 0:
        return FLATTEN, abs(position.lots)
    closing_price = market.bid if position.lots > 0 else market.ask
    cost_ticks = position.cost_nanos // tick_value_nanos
    profit = position.lots * closing_price - cost_ticks  # lots * ticks
    return next_exit(position, position.lots, profit, closing_price, ts)


@kernel
def close_position(
    state: Any, parameters: Any, output: Any, i: int, e: int, reason: int, lots: int, event_no: int, ts: int
) -> None:
    """Send what closes ``lots`` of a position as it is known, unless an exit is under way; all of it: for good.

    What is left of the entry is withdrawn, so that it never meets the exit; fills of it that become known while the
    exit of all is on its way are closed by a further exit.
    """
    position = state.positions[i, e]
    request_cancel(state, parameters, output, i, e, ENTRY, reason, event_no, ts)
    if position.lots != 0:
        if lots >= abs(position.lots):
            position.exit_reason = reason
        if state.orders[i, e, EXIT].is_open == 0:
            side = -1 if position.lots > 0 else 1
            new_order(state, i, e, EXIT, side, min(lots, abs(position.lots)), reason, position.intent_no, ts)
            transmit_order(state, parameters, output, i, e, EXIT, NEVER, event_no, ts)
