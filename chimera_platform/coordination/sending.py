"""What the coordinator sends to venues: orders and cancels, each written down as it leaves."""

from __future__ import annotations

from typing import Any

from chimera_platform.execution.order_state import note_cancel, start_order
from chimera_platform.execution.orders import ROLE_COUNT, append_order_event
from chimera_platform.execution.quality import start_execution
from chimera_platform.kernels import kernel
from chimera_platform.simulation.exchange.messages import send_cancel, send_order
from chimera_platform.simulation.exchange.records import NEVER


@kernel
def slot_of(e: int, role: int) -> int:
    """Return the venue's slot for the order of (engine, role)."""
    return e * ROLE_COUNT + role


@kernel
def transmit_order(
    state: Any, parameters: Any, output: Any, i: int, e: int, role: int, expire_ts: int, event_no: int, ts: int
) -> None:
    """Send the order whose terms stand in the slot; it is valid until ``expire_ts`` (ns UTC, NEVER)."""
    market, order, v = state.markets[i], state.orders[i, e, role], parameters.venue_index[i]
    start_order(order)
    start_execution(order.execution, order.side, order.stop_price, market.bid, market.ask, ts)
    market.is_active = 1
    market.is_at_venue = 1
    send_order(
        parameters.venues[v],
        state.exchange_sessions[v],
        state.exchange_markets[i],
        state.exchange_orders[i, slot_of(e, role)],
        order.order_no,
        e,
        order.side,
        order.order_type,
        order.time_in_force,
        order.size,
        order.price,
        order.stop_price,
        order.display_size,
        expire_ts,
        NEVER,
        ts,
    )
    append_order_event(state, output, i, e, order, order.reason, event_no, ts, 0, market.bid, market.ask)


@kernel
def request_cancel(
    state: Any, parameters: Any, output: Any, i: int, e: int, role: int, reason: int, event_no: int, ts: int
) -> None:
    """Send a cancel for an order, where none is on its way; until it has arrived the order can still fill."""
    market, order, v = state.markets[i], state.orders[i, e, role], parameters.venue_index[i]
    if note_cancel(order):
        order.cancel_reason = reason
        slot = state.exchange_orders[i, slot_of(e, role)]
        send_cancel(parameters.venues[v], state.exchange_sessions[v], state.exchange_markets[i], slot, reason, ts)
        append_order_event(state, output, i, e, order, reason, event_no, ts, 0, market.bid, market.ask)
