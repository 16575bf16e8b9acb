"""The simulator's own order book: price-level queues in time priority over bounded tables.

Prices are in quote steps. A level's place is its price modulo the ladder's length, so the resting orders of both
sides must lie within one ladder of each other; ``fault`` is set, and the caller raises, if they ever do not.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.kernels import kernel

ORDER_CAPACITY = 1024
LADDER = 4096  # price levels; a power of two
_MASK = LADDER - 1
BID, ASK = 0, 1  # index of a side
NO_ORDER = -1

FLOW_BOOK_DTYPE = np.dtype(
    [
        ("order_id", "<i8", (ORDER_CAPACITY,)),
        ("order_price", "<i8", (ORDER_CAPACITY,)),  # quote steps
        ("order_size", "<i8", (ORDER_CAPACITY,)),  # lots displayed
        ("order_hidden", "<i8", (ORDER_CAPACITY,)),  # lots still hidden (icebergs)
        ("order_side", "<i8", (ORDER_CAPACITY,)),  # BID or ASK
        ("order_next", "<i8", (ORDER_CAPACITY,)),  # slot behind it in its level's queue
        ("order_previous", "<i8", (ORDER_CAPACITY,)),  # slot before it in its level's queue
        ("order_place", "<i8", (ORDER_CAPACITY,)),  # where it stands in `live`
        ("live", "<i8", (2, ORDER_CAPACITY)),  # slots in use by side, dense, in no order
        ("live_count", "<i8", (2,)),
        ("free", "<i8", (ORDER_CAPACITY,)),  # stack of free slots
        ("level_price", "<i8", (LADDER,)),
        ("level_head", "<i8", (LADDER,)),
        ("level_tail", "<i8", (LADDER,)),
        ("level_size", "<i8", (LADDER,)),  # lots displayed
        ("level_count", "<i8", (LADDER,)),  # orders; 0 where there is no such level
        ("best", "<i8", (2,)),  # quote steps; undefined while `depth` is 0
        ("worst", "<i8", (2,)),
        ("depth", "<i8", (2,)),  # price levels in use
        ("free_count", "<i8"),
        ("fault", "<i8"),  # 1: a table overflowed
    ]
)


@kernel
def clear_flow_book(book: Any) -> None:
    """Remove every order."""
    for slot in range(ORDER_CAPACITY):
        book.free[slot] = ORDER_CAPACITY - 1 - slot
    book.free_count = ORDER_CAPACITY
    for level in range(LADDER):
        book.level_count[level] = 0
        book.level_size[level] = 0
    for side in range(2):
        book.live_count[side] = 0
        book.depth[side] = 0


@kernel
def level_lots(book: Any, price: Any) -> Any:
    """Return the displayed lots at ``price`` (quote steps), 0 where there is no level."""
    place = price & _MASK
    if book.level_count[place] == 0 or book.level_price[place] != price:
        return 0
    return book.level_size[place]


@kernel
def head_of(book: Any, price: Any) -> Any:
    """Return the slot of the order first in the queue at an existing level."""
    return book.level_head[price & _MASK]


@kernel
def next_level(book: Any, side: Any, price: Any) -> Any:
    """Return the next price in use behind ``price`` on ``side``; ``price`` must not be the worst."""
    step = -1 if side == BID else 1
    price += step
    while level_lots(book, price) == 0:
        price += step
    return price


@kernel
def _append(book: Any, slot: Any, place: Any) -> None:
    tail = book.level_tail[place]
    if book.level_count[place] == 0:
        book.level_head[place] = slot
        book.order_previous[slot] = NO_ORDER
    else:
        book.order_next[tail] = slot
        book.order_previous[slot] = tail
    book.order_next[slot] = NO_ORDER
    book.level_tail[place] = slot
    book.level_count[place] += 1
    book.level_size[place] += book.order_size[slot]


@kernel
def _unlink(book: Any, slot: Any, place: Any) -> None:
    before, behind = book.order_previous[slot], book.order_next[slot]
    if before == NO_ORDER:
        book.level_head[place] = behind
    else:
        book.order_next[before] = behind
    if behind == NO_ORDER:
        book.level_tail[place] = before
    else:
        book.order_previous[behind] = before
    book.level_count[place] -= 1
    book.level_size[place] -= book.order_size[slot]


@kernel
def add_order(book: Any, side: Any, price: Any, size: Any, order_id: Any) -> Any:
    """Add an order behind its level's queue; return its slot, or NO_ORDER (with ``fault``) where it has no room."""
    place = price & _MASK
    if book.free_count == 0 or (book.level_count[place] > 0 and book.level_price[place] != price):
        book.fault = 1
        return NO_ORDER
    book.free_count -= 1
    slot = book.free[book.free_count]
    book.order_id[slot] = order_id
    book.order_price[slot] = price
    book.order_size[slot] = size
    book.order_hidden[slot] = 0
    book.order_side[slot] = side
    book.order_place[slot] = book.live_count[side]
    book.live[side, book.live_count[side]] = slot
    book.live_count[side] += 1
    if book.level_count[place] == 0:
        book.level_price[place] = price
        direction = 1 if side == BID else -1
        if book.depth[side] == 0 or direction * (price - book.best[side]) > 0:
            book.best[side] = price
        if book.depth[side] == 0 or direction * (price - book.worst[side]) < 0:
            book.worst[side] = price
        book.depth[side] += 1
    _append(book, slot, place)
    return slot


@kernel
def remove_order(book: Any, slot: Any) -> None:
    """Remove an order; the side's best and worst price follow."""
    side, price = book.order_side[slot], book.order_price[slot]
    place = price & _MASK
    _unlink(book, slot, place)
    last = book.live[side, book.live_count[side] - 1]
    book.live[side, book.order_place[slot]] = last
    book.order_place[last] = book.order_place[slot]
    book.live_count[side] -= 1
    book.free[book.free_count] = slot
    book.free_count += 1
    if book.level_count[place] > 0:
        return
    book.depth[side] -= 1
    if book.depth[side] == 0:
        return
    if price == book.best[side]:
        book.best[side] = next_level(book, side, price)
    elif price == book.worst[side]:
        book.worst[side] = next_level(book, 1 - side, price)


@kernel
def reduce_order(book: Any, slot: Any, lots: Any) -> None:
    """Take ``lots`` (at most what is displayed) off an order; it keeps its place in the queue, even at 0 lots."""
    book.order_size[slot] -= lots
    book.level_size[book.order_price[slot] & _MASK] -= lots


@kernel
def refill_order(book: Any, slot: Any, lots: Any) -> None:
    """Show ``lots`` more of an iceberg's hidden part, behind its level's queue."""
    place = book.order_price[slot] & _MASK
    _unlink(book, slot, place)
    book.order_size[slot] += lots
    book.order_hidden[slot] -= lots
    _append(book, slot, place)
