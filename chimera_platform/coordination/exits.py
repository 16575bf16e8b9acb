"""Exits: when a position is to be closed, its remaining entry is withdrawn and a market order closes it."""

from __future__ import annotations

from typing import Any

from chimera_platform.coordination.sending import request_cancel, transmit_order
from chimera_platform.execution.orders import ENTRY, EXIT, new_order
from chimera_platform.execution.records import OrderReason
from chimera_platform.kernels import kernel
from chimera_platform.simulation.exchange.records import NEVER

STOP, TARGET = int(OrderReason.STOP), int(OrderReason.TARGET)
TIME, FLATTEN = int(OrderReason.TIME), int(OrderReason.FLATTEN)


@kernel
def exit_reason(account: Any, market: Any, position: Any, tick_value_nanos: int, ts: int) -> int:
    """Return why ``position`` (or an entry, where all is being closed) is to be closed now, 0 for nothing to do.

    Stop and target are measured from the average entry price to the touch that a closing market order would meet:
    with m the profit a lot at that price, stop where m <= -stop_distance, target where m >= target_distance.
    """
    if position.lots == 0:
        return FLATTEN if account.closing == 1 else 0
    if position.exit_reason != 0:
        return position.exit_reason
    if account.closing == 1:
        return FLATTEN
    closing_price = market.bid if position.lots > 0 else market.ask
    cost_ticks = position.cost_nanos // tick_value_nanos
    profit = position.lots * closing_price - cost_ticks  # lots * ticks
    lots = abs(position.lots)
    if profit <= -position.stop_distance * lots:
        return STOP
    if profit >= position.target_distance * lots:
        return TARGET
    if ts >= position.exit_ts:
        return TIME
    return 0


@kernel
def close_position(
    state: Any, parameters: Any, output: Any, i: int, e: int, reason: int, event_no: int, ts: int
) -> None:
    """Withdraw what is left of the entry and send what closes the position as it is known, unless that is under way.

    Fills of the entry that become known while the exit is on its way are closed by a further exit.
    """
    position = state.positions[i, e]
    request_cancel(state, parameters, output, i, e, ENTRY, reason, event_no, ts)
    if position.lots != 0:
        position.exit_reason = reason
        if state.orders[i, e, EXIT].is_open == 0:
            side = -1 if position.lots > 0 else 1
            new_order(state, i, e, EXIT, side, abs(position.lots), reason, position.intent_no, ts)
            transmit_order(state, parameters, output, i, e, EXIT, NEVER, event_no, ts)
