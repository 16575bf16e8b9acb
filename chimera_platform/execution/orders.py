"""Orders of the coordinator: one entry and one exit order for each engine and instrument, and their rows.

The table is bounded by construction: an engine has at most one position or one working entry in an instrument, and
a position at most one working exit, so ``orders[instrument, engine, role]`` holds all that can be open.
"""

from __future__ import annotations

from typing import Any

from chimera_platform.execution.records import OrderReason, OrderType, TimeInForce
from chimera_platform.kernels import kernel

ENTRY, EXIT = 0, 1
ROLE_COUNT = 2

MARKET = int(OrderType.MARKET)
IOC = int(TimeInForce.IOC)
REASON_NONE = int(OrderReason.NONE)


@kernel
def new_order(state: Any, i: int, e: int, role: int, side: int, size: int, reason: int, intent_no: int, ts: int) -> Any:
    """Write the terms of a market order into the slot and return it; a limit order sets what differs on top."""
    account, market, order = state.account[0], state.markets[i], state.orders[i, e, role]
    order.order_no = account.next_order_no
    account.next_order_no += 1
    order.intent_no = intent_no
    order.ts_sent = ts
    order.price = 0
    order.stop_price = 0
    order.size = size
    order.display_size = 0
    order.reserved_per_lot_nanos = 0
    order.decision_bid = market.bid
    order.decision_ask = market.ask
    order.reason = reason
    order.cancel_reason = REASON_NONE
    order.order_type = MARKET
    order.time_in_force = IOC
    order.is_exit = 1 if role == EXIT else 0
    order.side = side
    return order


@kernel
def append_order_event(
    state: Any,
    output: Any,
    i: int,
    e: int,
    order: Any,
    reason: int,
    event_no: int,
    ts: int,
    ts_venue: int,
    bid: int,
    ask: int,
) -> None:
    """Append the state that ``order`` of instrument ``i`` and engine ``e`` is in to the order events.

    Parameters
    ----------
    ts, ts_venue : ns UTC at which the client knew, and at which it happened at the venue (0: a request).
    bid, ask : the touch (ticks) at that place and time.
    """
    account = state.account[0]
    row = output.orders[output.counts[1]]
    output.counts[1] += 1
    row.order_event_no = account.next_order_event_no
    account.next_order_event_no += 1
    row.order_no = order.order_no
    row.intent_no = order.intent_no
    row.event_no = event_no
    row.ts_event = ts
    row.ts_venue = ts_venue
    row.ts_sent = order.ts_sent
    row.price = order.price
    row.stop_price = order.stop_price
    row.size = order.size
    row.display_size = order.display_size
    row.filled = order.filled
    row.bid_price = bid
    row.ask_price = ask
    row.instrument_id = i
    row.reason = reason
    row.engine = e
    row.order_type = order.order_type
    row.time_in_force = order.time_in_force
    row.status = order.status
    row.is_exit = order.is_exit
    row.side = order.side
