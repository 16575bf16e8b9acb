"""Cancels and replacements arrive.

A replacement names a new price and a new total size. As on CME Globex, an order keeps its place in the queue where
only its size goes down; any other change takes a new place, and may trade at once, as an arriving order does. A new
size that is filled already ends the order (``CANCELLED``; FIX 4.4, appendix D: the total is then what was filled).
One that the venue would refuse as a new order (closed, size, price band, post-only, stop) leaves the order as it is:
CANCEL_REJECTED with the reason. TOO_LATE answers what comes for an order that has ended.
"""

from __future__ import annotations

from typing import Any

from chimera_platform.execution.records import OrderReason
from chimera_platform.execution.reports import ReportKind
from chimera_platform.kernels import record_kernel
from chimera_platform.simulation.exchange.algorithms import plan_slice
from chimera_platform.simulation.exchange.arrivals import CANCELLED, enter_book, refusal_of_terms
from chimera_platform.simulation.exchange.lifecycle import (
    DONE,
    ICEBERG,
    NO_REASON,
    STOP,
    WAITING,
    end_order,
    is_algorithm,
    report_state,
)
from chimera_platform.simulation.exchange.records import NEVER

_REPLACED, _CANCEL_REJECTED = int(ReportKind.REPLACED), int(ReportKind.CANCEL_REJECTED)
_TOO_LATE = int(OrderReason.TOO_LATE)


@record_kernel
def cancel(venue: Any, session: Any, market: Any, order: Any) -> None:
    """Let a cancel arrive at its own time."""
    ts, reason = order.cancel_ts, order.cancel_refusal
    order.cancel_ts = NEVER
    if order.state == DONE:
        reason = _TOO_LATE
    if reason != NO_REASON:
        report_state(venue, session, market, order, _CANCEL_REJECTED, reason, ts)
    else:
        end_order(venue, session, market, order, CANCELLED, order.cancel_reason, ts)


@record_kernel
def swap_terms(order: Any) -> None:
    """Exchange the order's price and size with those of its replacement."""
    size = order.size
    order.size, order.replace_size = order.replace_size, size
    if order.order_type == STOP:
        price = order.stop_price
        order.stop_price, order.replace_price = order.replace_price, price
    else:
        price = order.price
        order.price, order.replace_price = order.replace_price, price


@record_kernel
def reduce_shown(order: Any) -> None:
    """Let the part in the book shrink with the order; it keeps its place."""
    remaining = order.size - order.filled
    order.shown = min(order.shown, remaining) if order.order_type == ICEBERG else remaining


@record_kernel
def accept_replacement(venue: Any, session: Any, market: Any, orders: Any, order: Any, book: Any, ts: int) -> None:
    """Go on with an order whose terms have been exchanged; ``replace_price`` and ``replace_size`` are the old ones."""
    report_state(venue, session, market, order, _REPLACED, NO_REASON, ts)
    if order.state == WAITING:
        return
    if is_algorithm(order):
        plan_slice(market, order, ts)
    elif order.price == order.replace_price and order.size <= order.replace_size:
        reduce_shown(order)
    else:
        order.shown = 0
        enter_book(venue, session, market, orders, order, book, ts)


@record_kernel
def replace(venue: Any, session: Any, market: Any, orders: Any, order: Any, book: Any) -> None:
    """Let a replacement arrive at its own time, on the (complete) book as it stands."""
    ts, reason = order.replace_ts, order.replace_refusal
    order.replace_ts = NEVER
    if order.state == DONE:
        reason = _TOO_LATE
    if reason == NO_REASON:
        swap_terms(order)
        reason = refusal_of_terms(venue, market, orders, order, book)
        if reason != NO_REASON or order.size <= order.filled:
            swap_terms(order)
    if reason != NO_REASON:
        report_state(venue, session, market, order, _CANCEL_REJECTED, reason, ts)
    elif order.replace_size <= order.filled:
        end_order(venue, session, market, order, CANCELLED, NO_REASON, ts)
    else:
        accept_replacement(venue, session, market, orders, order, book, ts)
