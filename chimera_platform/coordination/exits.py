"""Exits: when a position is to be closed, its remaining entry is withdrawn and a market order closes it."""

from __future__ import annotations

from typing import Any

from chimera_platform.execution.orders import ENTRY, EXIT, append_order_event, new_order, request_cancel
from chimera_platform.execution.records import OrderReason
from chimera_platform.kernels import kernel

STOP, TARGET = int(OrderReason.STOP), int(OrderReason.TARGET)
TIME, FLATTEN = int(OrderReason.TIME), int(OrderReason.FLATTEN)


@kernel
def exit_reason(account: Any, market: Any, position: Any, tick_value_nanos: int, ts: int) -> int:
    """Return why ``position`` is to be closed now, 0 to hold it.

    Stop and target are measured from the average entry price to the touch that a closing market order would meet:
    with m the profit a lot at that price, stop where m <= -stop_distance, target where m >= target_distance.
    """
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
def handle_exit(state: Any, parameters: Any, output: Any, i: int, e: int, event_no: int, ts: int) -> None:
    """Decide on one engine's position in a tradable market, after a source event, and send what closes it."""
    account, position = state.account[0], state.positions[i, e]
    latency_ns = parameters.venue[0].order_latency_ns
    if position.lots == 0:
        if account.closing == 1:
            request_cancel(state, output, latency_ns, i, e, ENTRY, FLATTEN, event_no, ts)
        return
    reason = exit_reason(account, state.markets[i], position, parameters.instruments[i].tick_value_nanos, ts)
    if reason == 0:
        return
    position.exit_reason = reason
    request_cancel(state, output, latency_ns, i, e, ENTRY, reason, event_no, ts)
    if state.orders[i, e, EXIT].is_open == 0:
        side = -1 if position.lots > 0 else 1
        order = new_order(state, latency_ns, i, e, EXIT, side, abs(position.lots), reason, position.intent_no, ts)
        append_order_event(state, output, i, e, order, reason, event_no, ts)
