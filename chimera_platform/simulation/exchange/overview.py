"""What an instrument's orders want, counted once for all events until one of them changes.

Most records concern no own order. So that an active instrument costs little more than an idle one, its market keeps
when the next thing is due, the best own prices, and how many orders are in which state.
"""

from __future__ import annotations

from typing import Any

from chimera_platform.kernels import record_kernel
from chimera_platform.market.events import EventKind
from chimera_platform.simulation.exchange.lifecycle import IN_FLIGHT, VWAP, WAITING, WORKING, is_alive
from chimera_platform.simulation.exchange.queue_models import UNKNOWN, is_resting
from chimera_platform.simulation.exchange.records import NEVER, NO_BID

_TRADE = int(EventKind.TRADE)


@record_kernel
def due_ts(order: Any, is_complete: int) -> int:
    """Return when (ns UTC) the venue has something to do with the slot's order, NEVER where it has nothing.

    What needs a complete book is not due while there is none.
    """
    if order.state == IN_FLIGHT:
        return order.arrive_ts if is_complete == 1 else NEVER
    due = NEVER
    if order.state != 0:
        due = order.cancel_ts
        if is_complete == 1:
            due = min(due, order.replace_ts)
    if order.state == WAITING or order.state == WORKING:
        due = min(due, order.expire_ts)
        if is_complete == 1:
            due = min(due, order.next_slice_ts)
    return due


@record_kernel
def next_due(market: Any, orders: Any, ts: int) -> int:
    """Return the slot that is due first before ``ts``, the lower order_no at one time; -1 where none is."""
    found, first = -1, ts
    for k in range(orders.shape[0]):
        if orders[k].state != 0:
            due = due_ts(orders[k], market.is_complete)
            if due < first or (found >= 0 and due == first and orders[k].order_no < orders[found].order_no):
                found, first = k, due
    return found


@record_kernel
def _count_resting(market: Any, order: Any) -> None:
    market.resting += 1
    if order.side > 0:
        market.own_bid = max(market.own_bid, order.price)
    else:
        market.own_ask = min(market.own_ask, order.price)
    if order.shown == 0:
        market.hidden += 1


@record_kernel
def count_orders(market: Any, orders: Any) -> None:
    """Count the instrument's orders anew, where one of them has changed."""
    if market.is_changed == 0:
        return
    market.is_changed = 0
    market.due_ts, market.own_bid, market.own_ask = NEVER, NO_BID, NEVER
    market.alive, market.resting, market.waiting, market.following, market.hidden = 0, 0, 0, 0, 0
    for k in range(orders.shape[0]):
        order = orders[k]
        if not is_alive(order):
            continue
        market.alive += 1
        market.due_ts = min(market.due_ts, due_ts(order, 1))
        if is_resting(order):
            _count_resting(market, order)
        elif order.state == WAITING:
            market.waiting += 1
        elif order.state == WORKING and order.order_type == VWAP:
            market.following += 1


@record_kernel
def is_own_crossed(market: Any) -> bool:
    """Return whether the displayed touch has reached an own resting order."""
    return market.ask <= market.own_bid or market.bid >= market.own_ask


@record_kernel
def note_level(market: Any, orders: Any, event: Any) -> None:
    """Note whether the record is about a level at which an own order rests; what is about all levels is, too."""
    if event.kind > _TRADE:
        market.is_queue_changed = 1
    elif event.kind != _TRADE:
        for k in range(orders.shape[0]):
            order = orders[k]
            if order.price == event.price and order.side == event.side and order.state == WORKING:
                market.is_queue_changed = 1


@record_kernel
def is_queue_look_due(market: Any, orders: Any, book: Any) -> bool:
    """Return whether a queue may have changed: its level has had a record, or has come into view or left it."""
    if market.is_queue_changed == 1:
        return True
    worst_bid, worst_ask = book.bid_price[0], book.ask_price[0]
    found = False
    for k in range(orders.shape[0]):
        order = orders[k]
        if order.state == WORKING:
            worst = worst_bid if order.side > 0 else worst_ask
            is_unknown = order.side * (order.price - worst) < 0
            found = found or is_unknown != (order.level_size == UNKNOWN)
    return found
