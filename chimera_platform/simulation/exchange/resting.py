"""Orders that rest in the book: they take the end of the queue, and icebergs take it again with each part shown."""

from __future__ import annotations

from typing import Any

from chimera_platform.kernels import record_kernel
from chimera_platform.simulation.exchange.lifecycle import show
from chimera_platform.simulation.exchange.queue_models import is_resting, join_queue


@record_kernel
def rest(market: Any, order: Any, book: Any) -> None:
    """Put ``order`` behind everything that is displayed at its price, and behind own orders there."""
    show(market, order)
    market.is_changed = 1
    join_queue(order, book)


@record_kernel
def refill(market: Any, order: Any, book: Any) -> None:
    """Show an iceberg's next part, at the end of the queue, where the one before it has traded."""
    if is_resting(order) and order.shown == 0:
        rest(market, order, book)


@record_kernel
def refill_all(orders: Any, market: Any, book: Any) -> None:
    """Show the next part of each iceberg whose part in the book has traded."""
    for k in range(orders.shape[0]):
        refill(market, orders[k], book)
