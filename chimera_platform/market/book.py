"""The order book kernel: one record per instrument, for L1 quotes, L2 levels and L3 orders (requirements row A2).

Each side is a pair of sorted arrays of levels with the best level *last*, so that what happens near the touch moves
a handful of elements only. The book is bounded: on a full side the level farthest from the touch is dropped and
counted. L3 records carry price and size, so level totals need no order table; what does need one (a modification
that names only its new state) is made self-contained beforehand by :mod:`chimera_platform.market.orders_l3`.

A book is trusted only when complete: after a ``GAP`` it stays untradable until a ``CLEAR`` and a snapshot have come
through to their ``LAST`` record (or a quote, which is complete in itself), and a crossed or locked book is counted
and untradable while it lasts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.errors import DataError
from chimera_platform.kernels import record_kernel
from chimera_platform.market.array_move import move_elements
from chimera_platform.market.events import EventFlag, EventKind, StatusCode

BOOK_LEVELS = 4096  # levels a side

_LEVEL_FIELDS = (
    ("bid_price", "<i8"),  # ticks, ascending: the best bid is at index bid_count - 1
    ("bid_size", "<i8"),  # lots
    ("ask_price", "<i8"),  # ticks, descending: the best ask is at index ask_count - 1
    ("ask_size", "<i8"),  # lots
)
_SCALAR_FIELDS = (
    ("bid_count", "<i8"),  # levels in use
    ("ask_count", "<i8"),
    ("ts_event", "<i8"),  # ns UTC of the last record
    ("seq", "<i8"),  # source sequence of the last record
    ("gap", "<i8"),  # 1: messages were lost and the book has not been rebuilt since
    ("rebuild", "<i8"),  # bit 0: cleared, the source event that clears is still open or its snapshot is awaited
    #                      bit 1: snapshot records have come since
    ("halted", "<i8"),  # 1: trading is halted
    ("closed", "<i8"),  # 1: the session is closed
    ("events", "<i8"),  # counter: source events, that is LAST records
    ("gaps", "<i8"),  # counter: GAP records
    ("crossed", "<i8"),  # counter: source events that left the book crossed or locked
    ("dropped_levels", "<i8"),  # counter: levels lost to the bound
    ("unmatched", "<i8"),  # counter: records that do not fit the book (unknown level, more than is there, no side)
)
BOOK_DTYPE = np.dtype([(n, t, (BOOK_LEVELS,)) for n, t in _LEVEL_FIELDS] + list(_SCALAR_FIELDS))

_ADD, _MODIFY, _EXECUTE = int(EventKind.ADD), int(EventKind.MODIFY), int(EventKind.EXECUTE)
_LEVEL, _TRADE, _QUOTE = int(EventKind.LEVEL), int(EventKind.TRADE), int(EventKind.QUOTE)
_CLEAR, _STATUS = int(EventKind.CLEAR), int(EventKind.STATUS)
_LAST, _SNAPSHOT, _HIDDEN = int(EventFlag.LAST), int(EventFlag.SNAPSHOT), int(EventFlag.HIDDEN)
_GAP, _HALT, _RESUME = int(StatusCode.GAP), int(StatusCode.HALT), int(StatusCode.RESUME)
_OPEN, _CLOSE = int(StatusCode.SESSION_OPEN), int(StatusCode.SESSION_CLOSE)
_CLEARED, _SNAPSHOT_SEEN = 1, 2
_SCAN = 16  # levels scanned from the touch before the binary search takes over


def new_books(count: int) -> np.ndarray[Any, Any]:
    """Return ``count`` empty books, shape (count,), dtype :data:`BOOK_DTYPE` (128 KB each, used sparsely)."""
    return np.zeros(count, BOOK_DTYPE)


# ---- reading a book ---------------------------------------------------------------------------------------------


@record_kernel
def best_bid(book: Any) -> Any:
    """Return the best bid in ticks, 0 on an empty side (its size is 0 then)."""
    n = book.bid_count
    return book.bid_price[n - 1] if n > 0 else 0


@record_kernel
def best_bid_size(book: Any) -> Any:
    """Return the lots at the best bid, 0 on an empty side."""
    n = book.bid_count
    return book.bid_size[n - 1] if n > 0 else 0


@record_kernel
def best_ask(book: Any) -> Any:
    """Return the best ask in ticks, 0 on an empty side (its size is 0 then)."""
    n = book.ask_count
    return book.ask_price[n - 1] if n > 0 else 0


@record_kernel
def best_ask_size(book: Any) -> Any:
    """Return the lots at the best ask, 0 on an empty side."""
    n = book.ask_count
    return book.ask_size[n - 1] if n > 0 else 0


@record_kernel
def bid_level(book: Any, k: int) -> Any:
    """Return (ticks, lots) of the ``k``-th bid level, 1 being the touch; (0, 0) where there is none."""
    i = book.bid_count - k
    if k < 1 or i < 0:
        return 0, 0
    return book.bid_price[i], book.bid_size[i]


@record_kernel
def ask_level(book: Any, k: int) -> Any:
    """Return (ticks, lots) of the ``k``-th ask level, 1 being the touch; (0, 0) where there is none."""
    i = book.ask_count - k
    if k < 1 or i < 0:
        return 0, 0
    return book.ask_price[i], book.ask_size[i]


@record_kernel
def is_two_sided(book: Any) -> Any:
    """Return whether both sides have a level."""
    return book.bid_count > 0 and book.ask_count > 0


@record_kernel
def is_crossed(book: Any) -> Any:
    """Return whether the best bid is at or above the best ask."""
    return is_two_sided(book) and best_bid(book) >= best_ask(book)


@record_kernel
def is_trusted(book: Any) -> Any:
    """Return whether the book is complete: no unresolved gap and no rebuild under way."""
    return book.gap == 0 and book.rebuild == 0


@record_kernel
def is_tradable(book: Any) -> Any:
    """Return whether orders may be priced off this book: trusted, two-sided, bid < ask, neither halted nor closed."""
    return (
        book.gap == 0
        and book.rebuild == 0
        and book.halted == 0
        and book.closed == 0
        and is_two_sided(book)
        and best_bid(book) < best_ask(book)
    )


# ---- one side ---------------------------------------------------------------------------------------------------
# `sign` is +1 for bids and -1 for asks; sign * price ascends with the index.


@record_kernel
def _find(prices: Any, count: int, sign: int, price: int) -> Any:
    """Return the index of the level at ``price``, or of its worse neighbour (-1: none); from the touch outwards."""
    key = sign * price
    i = count - 1
    stop = max(i - _SCAN, -1)
    while i > stop:
        if sign * prices[i] <= key:
            return i
        i -= 1
    low, high = -1, i  # the answer is in [low, high]
    while low < high:
        middle = (low + high + 1) >> 1
        if sign * prices[middle] <= key:
            low = middle
        else:
            high = middle - 1
    return low


@record_kernel
def _insert(prices: Any, sizes: Any, count: int, after: int, price: int, size: int) -> Any:
    """Insert a level behind index ``after``; return (new count, levels dropped)."""
    if count < BOOK_LEVELS:
        behind = count - after - 1
        if behind > 0:
            move_elements(prices, after + 2, after + 1, behind)
            move_elements(sizes, after + 2, after + 1, behind)
        prices[after + 1] = price
        sizes[after + 1] = size
        return count + 1, 0
    if after >= 0:
        move_elements(prices, 0, 1, after)
        move_elements(sizes, 0, 1, after)
        prices[after] = price
        sizes[after] = size
    return count, 1


@record_kernel
def _remove(prices: Any, sizes: Any, count: int, at: int) -> Any:
    """Remove the level at index ``at``; return the new count."""
    behind = count - at - 1
    if behind > 0:
        move_elements(prices, at, at + 1, behind)
        move_elements(sizes, at, at + 1, behind)
    return count - 1


@record_kernel
def _set_level(prices: Any, sizes: Any, count: int, sign: int, price: int, size: int) -> Any:
    """Set a level's total (0 removes it); return (new count, levels dropped)."""
    i = _find(prices, count, sign, price)
    found = i >= 0 and prices[i] == price
    if size > 0:
        if not found:
            return _insert(prices, sizes, count, i, price, size)
        sizes[i] = size
    elif found:
        return _remove(prices, sizes, count, i), 0
    return count, 0


@record_kernel
def _change_level(prices: Any, sizes: Any, count: int, sign: int, price: int, change: int) -> Any:
    """Add ``change`` lots to a level; return (new count, levels dropped, 1 if the book did not have what was taken)."""
    i = _find(prices, count, sign, price)
    if i < 0 or prices[i] != price:
        if change > 0:
            n, dropped = _insert(prices, sizes, count, i, price, change)
            return n, dropped, 0
        return count, 0, 1
    size = sizes[i] + change
    if size > 0:
        sizes[i] = size
        return count, 0, 0
    return _remove(prices, sizes, count, i), 0, 1 if size < 0 else 0


# ---- applying records -------------------------------------------------------------------------------------------


@record_kernel
def _apply_order(book: Any, event: Any) -> None:
    """Apply ADD, CANCEL, DELETE or EXECUTE to its level."""
    change = event.size if event.kind == _ADD else -event.size
    if event.size <= 0 or event.side == 0:
        book.unmatched += 1
    elif event.side > 0:
        count, dropped, unmatched = _change_level(book.bid_price, book.bid_size, book.bid_count, 1, event.price, change)
        book.bid_count = count
        book.dropped_levels += dropped
        book.unmatched += unmatched
    else:
        count, dropped, unmatched = _change_level(
            book.ask_price, book.ask_size, book.ask_count, -1, event.price, change
        )
        book.ask_count = count
        book.dropped_levels += dropped
        book.unmatched += unmatched


@record_kernel
def _apply_level(book: Any, event: Any) -> None:
    """Set one level's total."""
    if event.side > 0:
        count, dropped = _set_level(book.bid_price, book.bid_size, book.bid_count, 1, event.price, event.size)
        book.bid_count = count
        book.dropped_levels += dropped
    elif event.side < 0:
        count, dropped = _set_level(book.ask_price, book.ask_size, book.ask_count, -1, event.price, event.size)
        book.ask_count = count
        book.dropped_levels += dropped
    else:
        book.unmatched += 1


@record_kernel
def _apply_quote(book: Any, event: Any) -> None:
    """Replace the whole book by the quote; a side without size is empty."""
    book.bid_price[0] = event.price
    book.bid_size[0] = event.size
    book.bid_count = 1 if event.size > 0 else 0
    book.ask_price[0] = event.ask_price
    book.ask_size[0] = event.ask_size
    book.ask_count = 1 if event.ask_size > 0 else 0
    if event.flags & _LAST:
        book.gap = 0
        book.rebuild = 0


@record_kernel
def _apply_status(book: Any, code: int) -> None:
    """Take over a STATUS record's meaning."""
    if code == _GAP:
        book.gap = 1
        book.rebuild = 0
        book.gaps += 1
    elif code == _HALT:
        book.halted = 1
    elif code == _RESUME:
        book.halted = 0
    elif code == _OPEN:
        book.closed = 0
    elif code == _CLOSE:
        book.closed = 1


@record_kernel
def _complete(book: Any) -> None:
    """Close a source event: resolve a rebuild, count a crossed state."""
    book.events += 1
    if book.rebuild != 0 and (book.gap == 0 or book.rebuild & _SNAPSHOT_SEEN):
        book.gap = 0
        book.rebuild = 0
    if is_crossed(book):
        book.crossed += 1


@record_kernel
def apply_event(book: Any, event: Any) -> None:
    """Apply one event record to its instrument's book.

    Parameters
    ----------
    book : record of :data:`BOOK_DTYPE`, changed in place.
    event : record of :data:`chimera_platform.market.events.EVENT_DTYPE`.

    Notes
    -----
    TRADE and HIDDEN executions change nothing. A MODIFY that no order table has resolved cannot be applied: it
    opens a gap, because from there on the book is not known.
    """
    kind = event.kind
    book.ts_event = event.ts_event
    book.seq = event.seq
    if kind == _LEVEL:
        _apply_level(book, event)
    elif kind == _QUOTE:
        _apply_quote(book, event)
    elif kind == _MODIFY:
        book.unmatched += 1
        _apply_status(book, _GAP)
    elif kind <= _EXECUTE:
        if event.flags & _HIDDEN == 0:
            _apply_order(book, event)
    elif kind == _CLEAR:
        book.bid_count = 0
        book.ask_count = 0
        book.rebuild = _CLEARED
    elif kind == _STATUS:
        _apply_status(book, event.price)
    if book.rebuild != 0 and event.flags & _SNAPSHOT:
        book.rebuild |= _SNAPSHOT_SEEN
    if event.flags & _LAST:
        _complete(book)


@record_kernel
def apply_events(books: Any, events: Any) -> None:
    """Apply event records of many instruments in order; ``books[k]`` is the book of ``instrument_id`` k."""
    for i in range(events.shape[0]):
        apply_event(books[events[i].instrument_id], events[i])


# ---- snapshots --------------------------------------------------------------------------------------------------

_SCALAR_DTYPE = np.dtype(list(_SCALAR_FIELDS))


def pack_book(book: Any) -> bytes:
    """Return one book's state as bytes that hold its scalar fields and the levels in use only.

    Two books in the same state pack to the same bytes, so their hash is the book's state hash.
    """
    scalars = np.zeros(1, _SCALAR_DTYPE)
    for name in _SCALAR_DTYPE.names or ():
        scalars[name] = book[name]
    counts = {"bid": int(book["bid_count"]), "ask": int(book["ask_count"])}
    levels = [book[name][: counts[name[:3]]].tobytes() for name, _ in _LEVEL_FIELDS]
    return b"".join([scalars.tobytes(), *levels])


def unpack_book(packed: bytes, book: Any) -> None:
    """Write the state packed by :func:`pack_book` into the record ``book``; unused levels become zero.

    Raises
    ------
    DataError : the bytes are not what :func:`pack_book` makes.
    """
    head = _SCALAR_DTYPE.itemsize
    if len(packed) < head:
        raise DataError(f"packed book of {len(packed)} bytes; expected at least {head}")
    scalars = np.frombuffer(packed, _SCALAR_DTYPE, 1)[0]
    counts = {"bid": int(scalars["bid_count"]), "ask": int(scalars["ask_count"])}
    expected = head + 16 * (counts["bid"] + counts["ask"])
    if not all(0 <= n <= BOOK_LEVELS for n in counts.values()) or len(packed) != expected:
        raise DataError(f"packed book of {len(packed)} bytes with {counts} levels; expected {expected} bytes")
    for name in _SCALAR_DTYPE.names or ():
        book[name] = scalars[name]
    offset = head
    for name, _ in _LEVEL_FIELDS:
        count = counts[name[:3]]
        book[name][:count] = np.frombuffer(packed, "<i8", count, offset)
        book[name][count:] = 0
        offset += 8 * count
