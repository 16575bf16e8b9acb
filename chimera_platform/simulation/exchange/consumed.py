"""Which displayed lots own orders have taken already: the replayed market goes on showing them.

A lot that is displayed can be taken once. What own orders took of a level is remembered until the level shows less:
then the lots that left are assumed to be others', and at most what is still shown counts as taken (the pessimistic
end: lots that come back are new only above that). A level that is gone, or out of view, is forgotten; one of a book
that is being rebuilt is not.

``taker_side`` is the side of the orders that take: +1 takes asks, -1 takes bids.
"""

from __future__ import annotations

from typing import Any

from chimera_platform.kernels import record_kernel
from chimera_platform.market.book import ask_level, bid_level, is_trusted
from chimera_platform.simulation.exchange.records import CONSUMED_MAX


@record_kernel
def _entry(market: Any, taker_side: int, price: int) -> int:
    """Return the index of a level's entry, -1 where there is none."""
    for k in range(market.consumed_count):
        if market.consumed[k].price == price and market.consumed[k].side == taker_side:
            return k
    return -1


@record_kernel
def available(market: Any, taker_side: int, price: int, displayed: int) -> int:
    """Return how many of the ``displayed`` lots at ``price`` orders of ``taker_side`` may still take.

    None of a further level where the table is full.
    """
    k = _entry(market, taker_side, price)
    if k >= 0:
        return max(displayed - market.consumed[k].lots, 0)
    return displayed if market.consumed_count < CONSUMED_MAX else 0


@record_kernel
def consume(market: Any, taker_side: int, price: int, lots: int) -> None:
    """Note that an order of ``taker_side`` took ``lots`` of those that :func:`available` named at ``price``."""
    if lots <= 0:
        return
    k = _entry(market, taker_side, price)
    if k < 0:
        k = market.consumed_count
        market.consumed_count = k + 1
        market.consumed[k].price = price
        market.consumed[k].side = taker_side
        market.consumed[k].lots = 0
    market.consumed[k].lots += lots


@record_kernel
def lots_shown(book: Any, book_side: int, price: int) -> int:
    """Return the lots displayed at ``price`` on ``book_side``, 0 where the level is not shown."""
    low, high = 1, book.bid_count if book_side > 0 else book.ask_count
    while low <= high:
        middle = (low + high) // 2
        level, lots = bid_level(book, middle) if book_side > 0 else ask_level(book, middle)
        if level == price:
            return lots
        if book_side * (level - price) > 0:
            low = middle + 1
        else:
            high = middle - 1
    return 0


@record_kernel
def refresh_consumed(market: Any, book: Any) -> None:
    """After a source event: what was taken of a level is at most what it still shows."""
    if not is_trusted(book):
        return
    kept = 0
    for k in range(market.consumed_count):
        taker_side, price = market.consumed[k].side, market.consumed[k].price
        lots = min(market.consumed[k].lots, lots_shown(book, -taker_side, price))
        if lots > 0:
            market.consumed[kept].price = price
            market.consumed[kept].side = taker_side
            market.consumed[kept].lots = lots
            kept += 1
    market.consumed_count = kept
