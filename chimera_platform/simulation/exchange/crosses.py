"""Resting orders that the opposite side of the displayed book has reached: they trade with what is displayed there."""

from __future__ import annotations

from typing import Any

from chimera_platform.kernels import record_kernel
from chimera_platform.simulation.exchange.lifecycle import MAKER, fill
from chimera_platform.simulation.exchange.queue_models import cross_lots, is_resting, next_in_line
from chimera_platform.simulation.exchange.reports_ring import has_room


@record_kernel
def is_crossed(market: Any, order: Any) -> bool:
    """Return whether the displayed opposite side has reached a resting order's price."""
    touch = market.ask if order.side > 0 else market.bid
    return is_resting(order) and order.side * (order.price - touch) >= 0


@record_kernel
def fill_crossed(venue: Any, session: Any, market: Any, orders: Any, book: Any, ts: int) -> None:
    """Fill the crossed resting orders, by price and time, each as maker at its own price."""
    for side in (1, -1):
        k = next_in_line(orders, side, -1)
        while k >= 0 and is_crossed(market, orders[k]) and has_room(market, 1):
            following = next_in_line(orders, side, k)
            lots = cross_lots(market, orders[k], book, venue.max_walk_levels)
            if lots > 0:
                fill(venue, session, market, orders[k], orders[k].price, lots, MAKER, ts)
            k = following
