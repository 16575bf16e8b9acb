"""What an order of the simulated venue goes through: accepted, filled, ended; each step is reported."""

from __future__ import annotations

from typing import Any

from chimera_platform.execution.records import Liquidity, OrderReason, OrderType, TimeInForce
from chimera_platform.execution.reports import ReportKind
from chimera_platform.kernels import record_kernel
from chimera_platform.simulation.exchange.records import NEVER, VenueOrderState
from chimera_platform.simulation.exchange.reports_ring import add_report

IN_FLIGHT, WAITING = int(VenueOrderState.IN_FLIGHT), int(VenueOrderState.WAITING)
WORKING, DONE = int(VenueOrderState.WORKING), int(VenueOrderState.DONE)
TRADE = int(ReportKind.TRADE)
NO_REASON = int(OrderReason.NONE)
MAKER, TAKER = int(Liquidity.MAKER), int(Liquidity.TAKER)
MARKET, STOP, STOP_LIMIT = int(OrderType.MARKET), int(OrderType.STOP), int(OrderType.STOP_LIMIT)
TWAP, VWAP, ICEBERG = int(OrderType.TWAP), int(OrderType.VWAP), int(OrderType.ICEBERG)
POST_ONLY = int(OrderType.POST_ONLY)
IOC, FOK, DAY = int(TimeInForce.IOC), int(TimeInForce.FOK), int(TimeInForce.DAY)


@record_kernel
def is_algorithm(order: Any) -> bool:
    """Return whether ``order`` trades in slices over a time."""
    return order.order_type == TWAP or order.order_type == VWAP


@record_kernel
def has_limit(order: Any) -> bool:
    """Return whether the order's price is the worst at which it trades."""
    if is_algorithm(order):
        return order.price != 0
    return order.order_type != MARKET and order.order_type != STOP


@record_kernel
def may_rest(order: Any) -> bool:
    """Return whether what does not trade at once stays: limits of every kind that are not immediate."""
    is_immediate = order.time_in_force == IOC or order.time_in_force == FOK
    return has_limit(order) and not is_algorithm(order) and not is_immediate


@record_kernel
def is_alive(order: Any) -> bool:
    """Return whether the venue has, or is going to have, anything to do with the slot's order."""
    if order.state == DONE:
        return order.cancel_ts != NEVER or order.replace_ts != NEVER
    return order.state != 0


@record_kernel
def report_state(venue: Any, session: Any, market: Any, order: Any, kind: int, reason: int, ts: int) -> None:
    """Report something other than a trade."""
    add_report(venue, session, market, order, kind, reason, order.price, 0, 0, ts)


@record_kernel
def end_order(venue: Any, session: Any, market: Any, order: Any, kind: int, reason: int, ts: int) -> None:
    """End an order that is not filled, and report it."""
    order.state = DONE
    order.shown = 0
    order.matched = 0
    report_state(venue, session, market, order, kind, reason, ts)


@record_kernel
def fill(venue: Any, session: Any, market: Any, order: Any, price: int, lots: int, liquidity: int, ts: int) -> None:
    """Trade ``lots`` of an order at ``price`` (ticks), and report it; the shown part goes first."""
    order.filled += lots
    market.position += order.side * lots
    order.shown = max(order.shown - lots, 0)
    if order.filled >= order.size:
        order.state = DONE
    add_report(venue, session, market, order, TRADE, NO_REASON, price, lots, liquidity, ts)


@record_kernel
def show(market: Any, order: Any) -> None:
    """Put an order, or an iceberg's next part, at the end of the queue of own orders at its price."""
    remaining = order.size - order.filled
    order.shown = remaining
    if order.order_type == ICEBERG and order.display_size > 0:
        order.shown = min(order.display_size, remaining)
    order.priority = market.next_priority
    market.next_priority += 1
