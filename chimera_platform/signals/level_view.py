"""A market of orders as a venue of levels and prints would show it: the same events without order ids."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.kernels import kernel
from chimera_platform.market.book import apply_event, new_books
from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind

_ADD, _EXECUTE = int(EventKind.ADD), int(EventKind.EXECUTE)
_LEVEL, _TRADE, _HIDDEN = int(EventKind.LEVEL), int(EventKind.TRADE), int(EventFlag.HIDDEN)


@kernel
def _lots_at(prices: Any, sizes: Any, count: int, price: int) -> Any:
    """Return the lots of the level at ``price``, 0 where there is none; searched from the touch."""
    for i in range(count - 1, -1, -1):
        if prices[i] == price:
            return sizes[i]
    return 0


@kernel
def _show(books: Any, events: Any, out: Any, rows: Any) -> Any:
    """Write what is shown of ``events`` to ``out``, and each record's row among them to ``rows``; return the count."""
    n = 0
    for i in range(events.shape[0]):
        event = events[i]
        book = books[event.instrument_id]
        apply_event(book, event)
        if event.kind == _EXECUTE:
            is_hidden = event.flags & _HIDDEN != 0
            out[n] = event
            out[n].kind = _TRADE
            out[n].side = -event.side
            out[n].flags = event.flags if is_hidden else 0
            out[n].order_id = 0
            rows[n] = i
            n += 1
            if is_hidden:
                continue
        out[n] = event
        out[n].order_id = 0
        rows[n] = i
        if event.kind >= _ADD and event.kind <= _EXECUTE:
            out[n].kind = _LEVEL
            if event.side > 0:
                out[n].size = _lots_at(book.bid_price, book.bid_size, book.bid_count, event.price)
            else:
                out[n].size = _lots_at(book.ask_price, book.ask_size, book.ask_count, event.price)
        n += 1
    return n


class LevelView:
    """Shows ADD, CANCEL, DELETE and EXECUTE records as LEVEL totals, an EXECUTE with a TRADE print before it.

    Of a hidden execution only the print is shown; MODIFY, which names no old price, cannot be.

    Parameters
    ----------
    instruments : how many there are.
    """

    def __init__(self, instruments: int) -> None:
        self._books = new_books(instruments)

    def run(self, events: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Return what is shown of the next events, EVENT_DTYPE, and the row in ``events`` of each shown record."""
        out, rows = np.zeros(2 * len(events), EVENT_DTYPE), np.zeros(2 * len(events), np.int64)
        count = _show(self._books, np.ascontiguousarray(events, EVENT_DTYPE), out, rows)
        return out[:count], rows[:count]
