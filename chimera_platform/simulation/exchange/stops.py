"""Stop orders: held back until the market reaches their stop price.

A stop is triggered by a trade of the market at its stop price or beyond it (CME Globex: stop orders trigger on
trades), and enters the book at the end of that source event, as a market order or as a limit order. In a market that
has had no trade at all, as a stream of quotes, the touch that the order would meet stands in for the trade.
"""

from __future__ import annotations

from typing import Any

from chimera_platform.kernels import record_kernel
from chimera_platform.simulation.exchange.lifecycle import STOP, STOP_LIMIT, WAITING


@record_kernel
def is_stop(order: Any) -> bool:
    """Return whether ``order`` has a stop price."""
    return order.order_type == STOP or order.order_type == STOP_LIMIT


@record_kernel
def is_stop_reached(market: Any, order: Any) -> bool:
    """Return whether the market stands at the order's stop price, or beyond it."""
    reference = market.last_trade
    if market.has_traded == 0:
        reference = market.ask if order.side > 0 else market.bid
    return order.side * (reference - order.stop_price) >= 0


@record_kernel
def note_trade_at_stops(orders: Any, price: int) -> None:
    """Trigger the waiting stops that a trade at ``price`` (ticks) reaches; they enter at the source event's end."""
    for k in range(orders.shape[0]):
        order = orders[k]
        if order.state == WAITING and order.side * (price - order.stop_price) >= 0:
            order.is_triggered = 1


@record_kernel
def next_triggered(market: Any, orders: Any) -> int:
    """Return the slot of the triggered stop that was sent first, -1 where there is none."""
    found = -1
    for k in range(orders.shape[0]):
        order = orders[k]
        if order.state != WAITING or (found >= 0 and order.order_no > orders[found].order_no):
            continue
        if order.is_triggered == 1 or (market.has_traded == 0 and is_stop_reached(market, order)):
            found = k
    return found
