"""The best bid and offer over time, as the book kernel leaves it after each source event: what labels are made on."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.kernels import kernel
from chimera_platform.market.book import apply_event, best_ask, best_bid, is_tradable, new_books
from chimera_platform.market.events import EVENT_DTYPE, EventFlag

QUOTE_CHANGE_DTYPE = np.dtype(
    [
        ("event_no", "<i8"),  # the LAST record after which it holds
        ("ts_event", "<i8"),  # ns UTC
        ("bid_price", "<i8"),  # ticks; 0 where the market is not tradable from here on
        ("ask_price", "<i8"),  # ticks; 0 where the market is not tradable from here on
        ("instrument_id", "<i4"),
    ],
    align=True,
)

_LAST = int(EventFlag.LAST)


@kernel
def _quote_changes(books: Any, last: Any, events: Any, first_event_no: int, out: Any) -> int:
    """Apply ``events`` and write a row to ``out`` each time the tradable touch changes; return the rows written."""
    count = 0
    for i in range(events.shape[0]):
        event = events[i]
        k = event.instrument_id
        apply_event(books[k], event)
        if (event.flags & _LAST) == 0:
            continue
        bid, ask = np.int64(0), np.int64(0)
        if is_tradable(books[k]):
            bid, ask = np.int64(best_bid(books[k])), np.int64(best_ask(books[k]))
        if bid != last[k, 0] or ask != last[k, 1]:
            last[k, 0], last[k, 1] = bid, ask
            row = out[count]
            row.event_no, row.ts_event = first_event_no + i, event.ts_event
            row.bid_price, row.ask_price, row.instrument_id = bid, ask, k
            count += 1
    return count


class QuotePath:
    """Follows the touch of every instrument of a run through its events.

    Parameters
    ----------
    instrument_count : size of the run's universe.
    """

    def __init__(self, instrument_count: int) -> None:
        self._books = new_books(instrument_count)
        self._last = np.zeros((instrument_count, 2), np.int64)

    def run(self, events: np.ndarray[Any, Any], first_event_no: int) -> np.ndarray[Any, Any]:
        """Return the changes of the touch, QUOTE_CHANGE_DTYPE in event order, made by the next ``events``.

        Parameters
        ----------
        events : EVENT_DTYPE array, shape (n,), continuing what came before.
        first_event_no : row number of ``events[0]`` in the run.
        """
        out = np.zeros(len(events), QUOTE_CHANGE_DTYPE)
        count = _quote_changes(self._books, self._last, np.ascontiguousarray(events, EVENT_DTYPE), first_event_no, out)
        return out[:count].copy()
