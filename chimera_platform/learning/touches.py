"""The touch of every instrument over a run's events, each state once: what the fitted microprice is estimated from."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.kernels import kernel
from chimera_platform.market.book import (
    apply_event,
    best_ask,
    best_ask_size,
    best_bid,
    best_bid_size,
    is_tradable,
    new_books,
)
from chimera_platform.market.events import EVENT_DTYPE, EventFlag

TOUCH_DTYPE = np.dtype(
    [
        ("ts_event", "<i8"),  # ns UTC
        ("bid", "<i8"),  # ticks
        ("bid_size", "<i8"),  # lots
        ("ask", "<i8"),  # ticks
        ("ask_size", "<i8"),  # lots
        ("instrument_id", "<i4"),
        ("is_start", "u1"),  # 1: the book was not tradable since the row before, or there is none
    ]
)
_LAST = int(EventFlag.LAST)


@kernel
def _touches(books: Any, last: Any, events: Any, out: Any) -> Any:
    """Write the touch wherever it has changed at the end of a source event; return the rows written."""
    rows = 0
    for i in range(events.shape[0]):
        event = events[i]
        k = event.instrument_id
        book, before = books[k], last[k]
        apply_event(book, event)
        if not is_tradable(book):
            if event.flags & _LAST:
                before.is_start = 1
            continue
        if event.flags & _LAST == 0:
            continue
        bid, bid_size, ask, ask_size = best_bid(book), best_bid_size(book), best_ask(book), best_ask_size(book)
        same = before.bid == bid and before.bid_size == bid_size and before.ask == ask and before.ask_size == ask_size
        if same and before.is_start == 0:
            continue
        row = out[rows]
        row.ts_event = event.ts_event
        row.bid = bid
        row.bid_size = bid_size
        row.ask = ask
        row.ask_size = ask_size
        row.instrument_id = k
        row.is_start = before.is_start
        before.bid = bid
        before.bid_size = bid_size
        before.ask = ask
        before.ask_size = ask_size
        before.is_start = 0
        rows += 1
    return rows


class TouchPath:
    """Follows the touch of every instrument of a run through its events.

    Parameters
    ----------
    instrument_count : size of the run's universe.
    """

    def __init__(self, instrument_count: int) -> None:
        self._books = new_books(instrument_count)
        self._last = np.zeros(instrument_count, TOUCH_DTYPE)
        self._last["is_start"] = 1

    def run(self, events: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return the states of tradable touches, ``TOUCH_DTYPE`` in event order, that the next ``events`` make."""
        out = np.zeros(len(events), TOUCH_DTYPE)
        rows = _touches(self._books, self._last, np.ascontiguousarray(events, EVENT_DTYPE), out)
        return out[:rows].copy()
