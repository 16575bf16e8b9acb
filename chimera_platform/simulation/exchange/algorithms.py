"""Orders that trade in slices over a time: TWAP and VWAP, worked by the venue.

An order of S lots over [start, end], a week at most, is cut into n slices: of ``display_size`` lots where that is set
(a thousand slices at most), else ten, and never of less than one lot. Its slices are immediate-or-cancel child orders,
at the order's limit price or, without one, within the protection of a market order; what a slice does not get, the
next one asks for. At ``end`` the rest is asked for, and what then is left is cancelled. (Almgren and Chriss 2000,
"Optimal execution of portfolio transactions", for the even schedule; Konishi 2002, "Optimal slice of a VWAP trade".)

- TWAP: slice j = 0 … n-1 is sent at ``start + j * (end - start) / n``; the target is ``S * (j + 1) / n`` lots.
- VWAP: the target is ``S / n`` lots for each n-th of the expected volume V that the market has traded since
  ``start``, V being the market's volume rate at the start times the duration. With no volume known, as in a stream
  of quotes, it is a TWAP.
"""

from __future__ import annotations

from typing import Any

from chimera_platform.execution.records import OrderReason
from chimera_platform.execution.reports import ReportKind
from chimera_platform.kernels import record_kernel
from chimera_platform.simulation.exchange.lifecycle import DONE, NO_REASON, VWAP, WORKING, end_order
from chimera_platform.simulation.exchange.matching import take_liquidity, worst_price

SLICES, SLICES_MAX = 10, 1_000
DURATION_NS_MAX = 7 * 86_400_000_000_000
_CANCELLED, _NO_LIQUIDITY = int(ReportKind.CANCELLED), int(OrderReason.NO_LIQUIDITY)
_VENUE_CLOSED = int(OrderReason.VENUE_CLOSED)


@record_kernel
def slice_count(order: Any) -> int:
    """Return into how many slices the order is cut."""
    if order.display_size > 0:
        return min((order.size + order.display_size - 1) // order.display_size, SLICES_MAX)
    return min(order.size, SLICES)


@record_kernel
def follows_volume(order: Any) -> bool:
    """Return whether the order's schedule is the market's volume."""
    return order.order_type == VWAP and order.expected_volume >= 1.0


@record_kernel
def slices_due(order: Any, ts: int) -> int:
    """Return how many slices of an order that has not reached its end are due at ``ts`` (ns UTC)."""
    if follows_volume(order):
        return min(int(float(order.volume_seen) * slice_count(order) / order.expected_volume), slice_count(order))
    return min((ts - order.start_ts) * slice_count(order) // (order.end_ts - order.start_ts) + 1, slice_count(order))


@record_kernel
def target_lots(order: Any, ts: int) -> int:
    """Return how many lots the order should have traded with the slice at ``ts`` (ns UTC)."""
    if ts >= order.end_ts:
        return order.size
    return order.size * slices_due(order, ts) // slice_count(order)


@record_kernel
def plan_slice(market: Any, order: Any, ts: int) -> None:
    """Set when the slice after the one at ``ts`` is due; one that follows volume is called by the market's trades."""
    market.is_changed = 1
    order.next_slice_ts = order.end_ts
    if not follows_volume(order):
        count, done = slice_count(order), slices_due(order, ts)
        if done < count:
            order.next_slice_ts = order.start_ts + (done * (order.end_ts - order.start_ts) + count - 1) // count


@record_kernel
def start_algorithm(market: Any, order: Any) -> None:
    """Begin the schedule of an order that has just been accepted."""
    order.start_ts = order.arrive_ts
    order.end_ts = min(max(order.end_ts, order.start_ts), order.start_ts + DURATION_NS_MAX)
    order.volume_seen = 0
    order.expected_volume = market.volume_rate * 1e-9 * float(order.end_ts - order.start_ts)
    order.next_slice_ts = order.end_ts if follows_volume(order) else order.start_ts


@record_kernel
def note_volume(market: Any, orders: Any, lots: int, ts: int) -> None:
    """Let the orders that follow volume see a trade of the market; a slice that it makes due is sent at ``ts``."""
    for k in range(orders.shape[0]):
        order = orders[k]
        if order.state == WORKING and order.order_type == VWAP and follows_volume(order):
            order.volume_seen += lots
            if target_lots(order, ts) > order.filled:
                order.next_slice_ts = min(order.next_slice_ts, ts)
                market.is_changed = 1


@record_kernel
def trade_slice(venue: Any, session: Any, market: Any, orders: Any, order: Any, book: Any, ts: int) -> None:
    """Send the slice that is due at ``ts`` on the book as it stands; at the order's end, end it."""
    stopped = NO_REASON
    lots = target_lots(order, ts) - order.filled
    if market.is_tradable == 1 and lots > 0:
        worst = worst_price(venue, order, book)
        stopped = take_liquidity(venue, session, market, orders, order, book, lots, worst, ts)
    if order.state == DONE:
        return
    if ts < order.end_ts:
        plan_slice(market, order, ts)
        return
    reason = _NO_LIQUIDITY if market.is_tradable == 1 else _VENUE_CLOSED
    end_order(venue, session, market, order, _CANCELLED, stopped if stopped != NO_REASON else reason, ts)
