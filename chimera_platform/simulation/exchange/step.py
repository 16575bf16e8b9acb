"""The simulated exchange in event time, for one instrument.

At every record of the instrument the caller does, in this order:

1. :func:`before_event`, unless :func:`is_exchange_idle`: what own orders are due for strictly before the record, in
   the order of time (the lower ``order_no`` first at one time), on the book as it stood; then what the record itself
   means for the queues of resting orders.
2. ``apply_event(book, event)``.
3. :func:`follow_market`, always.
4. :func:`after_event`, unless idle: crosses, stops and the next parts of icebergs, at the end of a source event.

Then it hands over the reports that :func:`~chimera_platform.simulation.exchange.reports_ring.has_report` names.

Arrivals, replacements and slices of algorithms wait for the end of a source event that is under way, so that they
meet a complete book; cancels and expiries do not. The own fills do not change the replayed book: what own orders have
taken is remembered apart, and what own trading does to prices is the impact.
"""

from __future__ import annotations

from typing import Any

from chimera_platform.execution.records import OrderReason
from chimera_platform.execution.reports import ReportKind
from chimera_platform.kernels import record_kernel
from chimera_platform.market.book import best_ask, best_bid, is_tradable
from chimera_platform.market.events import EventFlag, EventKind, StatusCode
from chimera_platform.simulation.exchange.algorithms import note_volume, trade_slice
from chimera_platform.simulation.exchange.arrivals import EXPIRED, TIME_TO_LIVE, arrive, enter_book
from chimera_platform.simulation.exchange.consumed import refresh_consumed
from chimera_platform.simulation.exchange.crosses import fill_crossed
from chimera_platform.simulation.exchange.impact import follow_rates
from chimera_platform.simulation.exchange.lifecycle import (
    DAY,
    IN_FLIGHT,
    MAKER,
    NO_REASON,
    WAITING,
    WORKING,
    end_order,
    fill,
    report_state,
)
from chimera_platform.simulation.exchange.overview import (
    count_orders,
    due_ts,
    is_own_crossed,
    is_queue_look_due,
    next_due,
    note_level,
)
from chimera_platform.simulation.exchange.queue_models import queue_on_book, queue_on_cancel, queue_on_trade
from chimera_platform.simulation.exchange.replacements import cancel, replace
from chimera_platform.simulation.exchange.reports_ring import has_room
from chimera_platform.simulation.exchange.resting import refill_all
from chimera_platform.simulation.exchange.stops import next_triggered, note_trade_at_stops

_TRADE, _EXECUTE, _STATUS = int(EventKind.TRADE), int(EventKind.EXECUTE), int(EventKind.STATUS)
_LAST, _SNAPSHOT = int(EventFlag.LAST), int(EventFlag.SNAPSHOT)
_OPEN, _CLOSE = int(StatusCode.SESSION_OPEN), int(StatusCode.SESSION_CLOSE)
_TRIGGERED, _SESSION_CLOSE = int(ReportKind.TRIGGERED), int(OrderReason.SESSION_CLOSE)
ACTION_REPORTS = 72  # room for a walk through all levels, and for what ends it


@record_kernel
def act(venue: Any, session: Any, market: Any, orders: Any, order: Any, book: Any) -> None:
    """Do what is due first for ``order``: at one time a replacement, then a cancel, expiry, slice."""
    due = due_ts(order, market.is_complete)
    if order.state == IN_FLIGHT:
        arrive(venue, session, market, orders, order, book)
    elif order.replace_ts == due and market.is_complete == 1:
        replace(venue, session, market, orders, order, book)
    elif order.cancel_ts == due:
        cancel(venue, session, market, order)
    elif order.expire_ts == due:
        end_order(venue, session, market, order, EXPIRED, TIME_TO_LIVE, due)
    else:
        trade_slice(venue, session, market, orders, order, book, due)


@record_kernel
def next_matched(orders: Any) -> int:
    """Return the slot of the matched order that was sent first, -1 where there is none."""
    found = -1
    for k in range(orders.shape[0]):
        if orders[k].matched > 0 and (found < 0 or orders[k].order_no < orders[found].order_no):
            found = k
    return found


@record_kernel
def fill_matched(venue: Any, session: Any, market: Any, orders: Any, ts: int) -> None:
    """Fill the resting orders that the record has matched, each as maker at its own price."""
    k = next_matched(orders)
    while k >= 0:
        order = orders[k]
        lots = order.matched
        order.matched = 0
        if has_room(market, 1):
            fill(venue, session, market, order, order.price, lots, MAKER, ts)
        k = next_matched(orders)


@record_kernel
def do_what_is_due(venue: Any, session: Any, market: Any, orders: Any, book: Any, ts: int) -> None:
    """Do what own orders are due for before ``ts``, in the order of time."""
    k = next_due(market, orders, ts)
    while k >= 0 and has_room(market, ACTION_REPORTS):
        act(venue, session, market, orders, orders[k], book)
        k = next_due(market, orders, ts)
    count_orders(market, orders)


@record_kernel
def is_trade(event: Any) -> bool:
    """Return whether ``event`` is a trade of the market."""
    return (event.kind == _TRADE or event.kind == _EXECUTE) and event.flags & _SNAPSHOT == 0


@record_kernel
def meet_trade(venue: Any, session: Any, market: Any, orders: Any, members: Any, event: Any, ts: int) -> None:
    """Let a trade of the market trigger stops, count for VWAPs, and fill resting orders."""
    if market.waiting > 0:
        note_trade_at_stops(orders, event.price)
    if market.following > 0:
        note_volume(market, orders, event.size, ts)
    if market.resting > 0 and queue_on_trade(venue, market, orders, members, event):
        fill_matched(venue, session, market, orders, ts)


@record_kernel
def before_event(
    venue: Any, session: Any, market: Any, orders: Any, members: Any, book: Any, event: Any, ts: int
) -> None:
    """Let time pass to ``ts``, the record's, and the record meet the resting orders; the book is still without it.

    Parameters
    ----------
    venue, session, market : records of VENUE_DTYPE, SESSION_DTYPE, EXCHANGE_MARKET_DTYPE.
    orders : VENUE_ORDER_DTYPE (slots,), the instrument's.
    members : MEMBERS_DTYPE (…,), the instrument's table.
    book, event : records of BOOK_DTYPE and EVENT_DTYPE.
    """
    count_orders(market, orders)
    if market.due_ts < ts:
        do_what_is_due(venue, session, market, orders, book, ts)
    if market.resting > 0:
        note_level(market, orders, event)
        queue_on_cancel(venue, market, orders, members, event)
    if market.is_tradable == 1 and event.kind >= _EXECUTE and is_trade(event):
        meet_trade(venue, session, market, orders, members, event, ts)


@record_kernel
def follow_market(venue: Any, market: Any, book: Any, event: Any) -> None:
    """Keep the touch, the last trade, the session and the market's rates, after ``book`` has had ``event``."""
    market.is_complete = 1 if event.flags & _LAST != 0 else 0
    if is_trade(event):
        market.last_trade = event.price
        market.has_traded = 1
    elif event.kind == _STATUS:
        if event.price == _CLOSE:
            market.is_closed = 1
        elif event.price == _OPEN:
            market.is_closed = 0
    if market.is_complete == 1:
        market.is_tradable = 1 if is_tradable(book) else 0
        if market.is_tradable == 1:
            market.bid = best_bid(book)
            market.ask = best_ask(book)
        if market.consumed_count > 0:
            refresh_consumed(market, book)
    follow_rates(venue, market, event, market.bid, market.ask)


@record_kernel
def end_session(venue: Any, session: Any, market: Any, orders: Any, ts: int) -> None:
    """Let the day orders of a session that has closed expire."""
    for k in range(orders.shape[0]):
        order = orders[k]
        if (order.state == WAITING or order.state == WORKING) and order.time_in_force == DAY and has_room(market, 1):
            end_order(venue, session, market, order, EXPIRED, _SESSION_CLOSE, ts)


@record_kernel
def release_stops(venue: Any, session: Any, market: Any, orders: Any, book: Any, ts: int) -> None:
    """Let the triggered stops enter the book, in the order in which they were sent."""
    k = next_triggered(market, orders)
    while k >= 0 and has_room(market, ACTION_REPORTS):
        order = orders[k]
        order.state = WORKING
        report_state(venue, session, market, order, _TRIGGERED, NO_REASON, ts)
        enter_book(venue, session, market, orders, order, book, ts)
        k = next_triggered(market, orders)


@record_kernel
def after_event(
    venue: Any, session: Any, market: Any, orders: Any, members: Any, book: Any, event: Any, ts: int
) -> None:
    """At the end of a source event: what the book, which now has it, means for own orders."""
    if market.is_complete == 0:
        return
    if market.is_closed == 1:
        end_session(venue, session, market, orders, ts)
    count_orders(market, orders)
    if market.is_tradable == 0:
        return
    if market.resting > 0:
        if is_queue_look_due(market, orders, book):
            queue_on_book(venue, market, orders, book)
            market.is_queue_changed = 0
        if is_own_crossed(market):
            fill_crossed(venue, session, market, orders, book, ts)
    count_orders(market, orders)
    if market.hidden > 0:
        refill_all(orders, market, book)
    if market.waiting > 0:
        release_stops(venue, session, market, orders, book, ts)


@record_kernel
def is_exchange_idle(market: Any, orders: Any) -> bool:
    """Return whether there is nothing to do but :func:`follow_market`: no order alive, no report under way."""
    count_orders(market, orders)
    return market.alive == 0 and market.reports_count == 0
