"""Orders: one entry and one exit order for each engine and instrument, from sending to their end.

The table is bounded by construction: an engine has at most one position or one working entry in an instrument, and
a position at most one working exit, so ``orders[instrument, engine, role]`` holds all that can be open.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.execution.records import OrderReason, OrderStatus, OrderType, TimeInForce
from chimera_platform.kernels import kernel
from chimera_platform.portfolio.exposure import add_reserved

ENTRY, EXIT = 0, 1
ROLE_COUNT = 2
NEVER = np.iinfo(np.int64).max
QUEUE_UNKNOWN = np.iinfo(np.int64).max

PENDING_NEW, NEW = int(OrderStatus.PENDING_NEW), int(OrderStatus.NEW)
PARTIALLY_FILLED, FILLED = int(OrderStatus.PARTIALLY_FILLED), int(OrderStatus.FILLED)
PENDING_CANCEL, CANCELLED = int(OrderStatus.PENDING_CANCEL), int(OrderStatus.CANCELLED)
REJECTED, EXPIRED = int(OrderStatus.REJECTED), int(OrderStatus.EXPIRED)
MARKET, LIMIT = int(OrderType.MARKET), int(OrderType.LIMIT)
GTC, IOC = int(TimeInForce.GTC), int(TimeInForce.IOC)
REASON_ENTRY, REASON_NONE = int(OrderReason.ENTRY), int(OrderReason.NONE)

ORDER_DTYPE = np.dtype(
    [
        ("order_no", "<i8"),
        ("intent_no", "<i8"),
        ("ts_sent", "<i8"),  # ns UTC
        ("venue_ts", "<i8"),  # ns UTC, when it reaches the venue
        ("cancel_ts", "<i8"),  # ns UTC, when a cancel reaches the venue; NEVER where none was sent
        ("expire_ts", "<i8"),  # ns UTC, when the venue lets it expire; NEVER
        ("price", "<i8"),  # ticks; limit, 0 for a market order
        ("size", "<i8"),  # lots ordered
        ("filled", "<i8"),  # lots
        ("reserved_per_lot_nanos", "<i8"),  # notional of a lot at the decision price; 0 for an exit
        ("queue_ahead", "<i8"),  # lots that trade before it at its price; QUEUE_UNKNOWN
        ("cross_taken", "<i8"),  # lots taken from the opposite side since that reached the limit price
        ("matched", "<i8"),  # lots that the current event fills; 0 between events
        ("decision_bid", "<i8"),  # ticks
        ("decision_ask", "<i8"),  # ticks
        ("reason", "<u2"),  # OrderReason it was sent for
        ("cancel_reason", "<u2"),  # OrderReason of the cancel
        ("order_type", "u1"),
        ("time_in_force", "u1"),
        ("status", "u1"),  # OrderStatus; 0 before the first order
        ("is_open", "u1"),
        ("at_venue", "u1"),
        ("is_exit", "u1"),
        ("side", "i1"),
    ]
)


@kernel
def is_resting(order: Any) -> bool:
    """Return whether ``order`` is in the venue's book."""
    return order.is_open == 1 and order.at_venue == 1


@kernel
def append_order_event(
    state: Any, output: Any, i: int, e: int, order: Any, reason: int, event_no: int, ts: int
) -> None:
    """Append the state that ``order`` of instrument ``i`` and engine ``e`` is in to the order events."""
    account, market = state.account[0], state.markets[i]
    row = output.orders[output.counts[1]]
    output.counts[1] += 1
    row.order_event_no = account.next_order_event_no
    account.next_order_event_no += 1
    row.order_no = order.order_no
    row.intent_no = order.intent_no
    row.event_no = event_no
    row.ts_event = ts
    row.ts_sent = order.ts_sent
    row.price = order.price
    row.size = order.size
    row.filled = order.filled
    row.bid_price = market.bid
    row.ask_price = market.ask
    row.instrument_id = i
    row.reason = reason
    row.engine = e
    row.order_type = order.order_type
    row.time_in_force = order.time_in_force
    row.status = order.status
    row.is_exit = order.is_exit
    row.side = order.side


@kernel
def new_order(
    state: Any, latency_ns: int, i: int, e: int, role: int, side: int, size: int, reason: int, intent_no: int, ts: int
) -> Any:
    """Fill the slot with a market order sent now and return it; a limit order sets what differs on top."""
    account, market, order = state.account[0], state.markets[i], state.orders[i, e, role]
    order.order_no = account.next_order_no
    account.next_order_no += 1
    order.intent_no = intent_no
    order.ts_sent = ts
    order.venue_ts = ts + latency_ns
    order.cancel_ts = NEVER
    order.expire_ts = NEVER
    order.price = 0
    order.size = size
    order.filled = 0
    order.reserved_per_lot_nanos = 0
    order.queue_ahead = QUEUE_UNKNOWN
    order.cross_taken = 0
    order.matched = 0
    order.decision_bid = market.bid
    order.decision_ask = market.ask
    order.reason = reason
    order.cancel_reason = REASON_NONE
    order.order_type = MARKET
    order.time_in_force = IOC
    order.status = PENDING_NEW
    order.is_open = 1
    order.at_venue = 0
    order.is_exit = 1 if role == EXIT else 0
    order.side = side
    market.is_active = 1
    return order


@kernel
def request_cancel(
    state: Any, output: Any, latency_ns: int, i: int, e: int, role: int, reason: int, event_no: int, ts: int
) -> None:
    """Send a cancel for an open order, once; until it arrives the order can still fill."""
    order = state.orders[i, e, role]
    if order.is_open == 1 and order.cancel_ts == NEVER:
        order.cancel_ts = ts + latency_ns
        order.cancel_reason = reason
        order.status = PENDING_CANCEL
        append_order_event(state, output, i, e, order, reason, event_no, ts)


@kernel
def end_order(
    state: Any, output: Any, i: int, e: int, role: int, status: int, reason: int, event_no: int, ts: int
) -> None:
    """End an order without filling the rest of it; the rest's reservation goes back."""
    order = state.orders[i, e, role]
    remainder_nanos = (order.size - order.filled) * order.reserved_per_lot_nanos
    add_reserved(state.account[0], state.markets[i], state.positions[i, e], e, -remainder_nanos)
    order.status = status
    order.is_open = 0
    append_order_event(state, output, i, e, order, reason, event_no, ts)
