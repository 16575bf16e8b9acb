"""An order reaches the venue: refused with a reason, or accepted and let loose on the book.

What the venue checks, in this order, and the reason it gives:

================  ====================================================================================================
``THROTTLED``     the session had sent more messages than it may; ``VENUE_REJECT``: refused by chance
``VENUE_CLOSED``  no two-sided, uncrossed, complete book of an open, running session
``SIZE_LIMIT``    more than ``max_order_lots``, or less than one lot
``PRICE_BAND``    a limit better for the other side than the touch by more than ``price_band_ppm`` of it
``STOP_REACHED``  the last trade (the touch, where the market has had no trade) is at the stop price or beyond it
``WOULD_TAKE``    a post-only order that would meet a displayed or an own order at once
================  ====================================================================================================
"""

from __future__ import annotations

from typing import Any

from chimera_platform.execution.records import OrderReason
from chimera_platform.execution.reports import ReportKind
from chimera_platform.kernels import record_kernel
from chimera_platform.simulation.exchange.algorithms import start_algorithm
from chimera_platform.simulation.exchange.lifecycle import (
    DONE,
    FOK,
    NO_REASON,
    POST_ONLY,
    WAITING,
    WORKING,
    end_order,
    has_limit,
    is_algorithm,
    may_rest,
    report_state,
)
from chimera_platform.simulation.exchange.matching import (
    own_against,
    take_liquidity,
    takeable_lots,
    touch_against,
    worst_price,
)
from chimera_platform.simulation.exchange.resting import rest
from chimera_platform.simulation.exchange.stops import is_stop, is_stop_reached

NEW, CANCELLED = int(ReportKind.NEW), int(ReportKind.CANCELLED)
REJECTED, EXPIRED = int(ReportKind.REJECTED), int(ReportKind.EXPIRED)
_NO_LIQUIDITY, _VENUE_CLOSED = int(OrderReason.NO_LIQUIDITY), int(OrderReason.VENUE_CLOSED)
_SIZE_LIMIT, _PRICE_BAND = int(OrderReason.SIZE_LIMIT), int(OrderReason.PRICE_BAND)
_STOP_REACHED, _WOULD_TAKE = int(OrderReason.STOP_REACHED), int(OrderReason.WOULD_TAKE)
_NOT_ALL_AT_ONCE, TIME_TO_LIVE = int(OrderReason.NOT_ALL_AT_ONCE), int(OrderReason.TIME_TO_LIVE)


@record_kernel
def is_beyond_band(venue: Any, order: Any, book: Any) -> bool:
    """Return whether the order's limit lies further beyond the touch that it meets than the venue allows."""
    if venue.price_band_ppm == 0 or not has_limit(order):
        return False
    touch = touch_against(book, order.side)
    return order.side * (order.price - touch) > abs(touch) * venue.price_band_ppm // 1_000_000


@record_kernel
def would_take(orders: Any, order: Any, book: Any) -> bool:
    """Return whether the order's limit meets the displayed touch, or an own order."""
    if order.side * (order.price - touch_against(book, order.side)) >= 0:
        return True
    return own_against(orders, order, order.price) >= 0


@record_kernel
def refusal_of_terms(venue: Any, market: Any, orders: Any, order: Any, book: Any) -> int:
    """Return why the venue does not accept an order as it stands, OrderReason.NONE where it does."""
    if market.is_tradable == 0:
        return _VENUE_CLOSED
    if order.size < 1 or (venue.max_order_lots > 0 and order.size > venue.max_order_lots):
        return _SIZE_LIMIT
    if is_beyond_band(venue, order, book):
        return _PRICE_BAND
    if is_stop(order) and order.state != WORKING and is_stop_reached(market, order):
        return _STOP_REACHED
    if order.order_type == POST_ONLY and would_take(orders, order, book):
        return _WOULD_TAKE
    return NO_REASON


@record_kernel
def enter_book(venue: Any, session: Any, market: Any, orders: Any, order: Any, book: Any, ts: int) -> None:
    """Let a working order take what it may; the rest of it rests, or is cancelled."""
    worst, remaining = worst_price(venue, order, book), order.size - order.filled
    if order.time_in_force == FOK and takeable_lots(venue, market, orders, order, book, worst, ts) < remaining:
        end_order(venue, session, market, order, CANCELLED, _NOT_ALL_AT_ONCE, ts)
        return
    stopped = take_liquidity(venue, session, market, orders, order, book, remaining, worst, ts)
    if order.state == DONE:
        return
    if stopped != NO_REASON:
        end_order(venue, session, market, order, CANCELLED, stopped, ts)
    elif may_rest(order):
        rest(market, order, book)
    else:
        end_order(venue, session, market, order, CANCELLED, _NO_LIQUIDITY, ts)


@record_kernel
def arrive(venue: Any, session: Any, market: Any, orders: Any, order: Any, book: Any) -> None:
    """Let an order reach the venue at its own time, on the (complete) book as it stands.

    One that is past its expiry on arrival expires without trading.
    """
    ts = order.arrive_ts
    reason = order.refusal
    if reason == NO_REASON:
        reason = refusal_of_terms(venue, market, orders, order, book)
    if reason != NO_REASON:
        end_order(venue, session, market, order, REJECTED, reason, ts)
        return
    order.state = WAITING if is_stop(order) else WORKING
    report_state(venue, session, market, order, NEW, NO_REASON, ts)
    if order.expire_ts < ts:
        end_order(venue, session, market, order, EXPIRED, TIME_TO_LIVE, ts)
    elif is_algorithm(order):
        start_algorithm(market, order)
    elif order.state == WORKING:
        enter_book(venue, session, market, orders, order, book, ts)
