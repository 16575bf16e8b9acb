"""How a resting limit order of the simulated venue fills.

An order rests at the end of the lots displayed at its price. Those ahead of it (``queue_ahead``) go by trading at
the price, and by cancelling: they are never more than what is displayed there. It fills, as maker at its own price,

- by *trades*: a print (or execution of a resting order on its side) at its price first takes the lots ahead, the
  rest of the printed volume is its own; a print beyond its price would have met it first and is its own in full;
- by a *cross*: when the opposite touch reaches its price, the lots displayed there and beyond are its own, each lot
  once as long as the opposite side stays there. This is all that an L1 quote feed can show.

Prints of unknown aggressor count for both sides; hidden executions and snapshot records for none. Where the price
is outside the displayed depth the queue is unknown, and only trades beyond it or a cross can fill the order, until
the price is displayed and the order takes the end of the queue. Queue position after Moallemi & Yuan 2017, with all
cancels behind the order until the level is smaller than what was ahead (the pessimistic end).
"""

from __future__ import annotations

from typing import Any

from chimera_platform.execution.orders import QUEUE_UNKNOWN
from chimera_platform.kernels import kernel
from chimera_platform.market.book import ask_level, bid_level
from chimera_platform.market.events import EventFlag, EventKind

TRADE, EXECUTE = int(EventKind.TRADE), int(EventKind.EXECUTE)
_NO_TRADE = int(EventFlag.HIDDEN | EventFlag.SNAPSHOT)


@kernel
def displayed_at(book: Any, side: int, price: int) -> int:
    """Return the lots shown at ``price`` on ``side``; QUEUE_UNKNOWN beyond the worst level shown."""
    low, high = 1, book.bid_count if side > 0 else book.ask_count
    if high == 0:
        return QUEUE_UNKNOWN
    while low < high:  # the first level that is not better than `price`
        middle = (low + high) // 2
        level, _ = bid_level(book, middle) if side > 0 else ask_level(book, middle)
        if side * (level - price) > 0:
            low = middle + 1
        else:
            high = middle
    level, lots = bid_level(book, low) if side > 0 else ask_level(book, low)
    if level == price:
        return lots
    return QUEUE_UNKNOWN if side * (level - price) > 0 else 0


@kernel
def displayed_against(book: Any, side: int, price: int, max_levels: int) -> int:
    """Return the lots on the opposite side at ``price`` or better for an order of ``side``."""
    total = 0
    for k in range(1, max_levels + 1):
        level, lots = ask_level(book, k) if side > 0 else bid_level(book, k)
        if lots <= 0 or side * (price - level) < 0:
            break
        total += lots
    return total


@kernel
def is_trade(event: Any) -> bool:
    """Return whether ``event`` is a trade that resting orders may take part in."""
    return (event.kind == TRADE or event.kind == EXECUTE) and event.flags & _NO_TRADE == 0


@kernel
def traded_against(event: Any, order: Any) -> int:
    """Return the lots of a trade that traded at the resting order's price or beyond it, against its own side."""
    resting_side = event.side if event.kind == EXECUTE else -event.side
    if resting_side * order.side < 0 or order.side * (order.price - event.price) < 0:
        return 0
    return event.size


@kernel
def lots_from_trade(order: Any, event: Any) -> int:
    """Let a trade of the market take the queue ahead of a resting order; return the lots of it that are the order's."""
    lots = traded_against(event, order)
    if lots > 0 and event.price == order.price:
        if order.queue_ahead == QUEUE_UNKNOWN:
            return 0
        ahead = min(order.queue_ahead, lots)
        order.queue_ahead -= ahead
        lots -= ahead
    return min(lots, order.size - order.filled)


@kernel
def lots_from_book(order: Any, book: Any, max_levels: int) -> int:
    """After a source event: shorten the queue to what is displayed; return the lots of a crossing opposite side."""
    order.queue_ahead = min(order.queue_ahead, displayed_at(book, order.side, order.price))
    shown = displayed_against(book, order.side, order.price, max_levels)
    if shown == 0:
        order.cross_taken = 0
        return 0
    lots = max(min(shown - order.cross_taken, order.size - order.filled), 0)
    order.cross_taken += lots
    return lots
