"""The table of the ``book`` command: the book after every source event, in real prices and sizes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from chimera_platform.errors import ConfigurationError
from chimera_platform.kernels import kernel
from chimera_platform.market.book import BOOK_LEVELS, apply_event, new_books
from chimera_platform.market.events import EventFlag, EventKind, StatusCode
from chimera_platform.market.instruments import Universe
from chimera_platform.market.sources import EventSource

CELLS_MAX = 1 << 18  # rows × levels of one batch

_LAST, _SNAPSHOT = int(EventFlag.LAST), int(EventFlag.SNAPSHOT)
_EXECUTE, _TRADE = int(EventKind.EXECUTE), int(EventKind.TRADE)
_CLEAR, _STATUS, _GAP = int(EventKind.CLEAR), int(EventKind.STATUS), int(StatusCode.GAP)


@kernel
def _is_row(event: Any, by_order: int) -> bool:
    """Return whether a record makes its source event a row of the table."""
    if event.kind == _TRADE:
        return by_order != 0
    if event.kind == _STATUS:
        return event.price != _GAP
    return event.kind != _CLEAR and event.flags & _SNAPSHOT == 0


@kernel
def _export_depth(books: Any, pending: Any, by_order: Any, events: Any, positions: Any, prices: Any, sizes: Any) -> Any:
    """Apply the events; write index and levels (side, level, row) of each source event that is a row; return rows."""
    levels = prices.shape[1]
    rows = 0
    for i in range(events.shape[0]):
        event = events[i]
        k = event.instrument_id
        apply_event(books[k], event)
        if event.kind <= _EXECUTE:
            by_order[k] = 1
        if _is_row(event, by_order[k]):
            pending[k] = 1
        if event.flags & _LAST == 0 or pending[k] == 0:
            continue
        pending[k] = 0
        book = books[k]
        for level in range(levels):
            b, a = book.bid_count - 1 - level, book.ask_count - 1 - level
            prices[0, level, rows] = book.bid_price[b] if b >= 0 else 0
            sizes[0, level, rows] = book.bid_size[b] if b >= 0 else 0
            prices[1, level, rows] = book.ask_price[a] if a >= 0 else 0
            sizes[1, level, rows] = book.ask_size[a] if a >= 0 else 0
        positions[rows] = i
        rows += 1
    return rows


class BookTable:
    """Rows ``ts_ns, seq, symbol, bid_px_1, bid_sz_1, …, ask_px_1, ask_sz_1, …``: one per source event.

    A source event made of a snapshot or a lost-messages notice only gives no row, nor does a print beside a stream of
    levels (in a stream of orders it does, as in LOBSTER's own book file). Absent levels are null.
    Iterating reads the source once, batch by batch; the counters are complete afterwards.

    Parameters
    ----------
    source : where the events come from.
    levels : levels a side, 1 to ``BOOK_LEVELS``.
    batch_size : records read at a time, which bounds memory; None: as many as fill ``CELLS_MAX`` levels.

    Attributes
    ----------
    schema : Arrow schema of every batch.
    books : the books, one record per instrument, with their counters.
    rows : rows so far.
    """

    def __init__(self, source: EventSource, levels: int = 10, batch_size: int | None = None) -> None:
        if not 1 <= levels <= BOOK_LEVELS:
            raise ConfigurationError(f"levels is {levels}; expected 1 to {BOOK_LEVELS}")
        self.source, self.levels = source, levels
        self.batch_size = batch_size or max(CELLS_MAX // levels, 1)
        self.rows = 0
        self.books = new_books(len(source.universe))
        names = [f"{side}_{what}_{k}" for side in ("bid", "ask") for k in range(1, levels + 1) for what in ("px", "sz")]
        head = [("ts_ns", pa.int64()), ("seq", pa.int64()), ("symbol", pa.dictionary(pa.int32(), pa.string()))]
        self.schema = pa.schema(head + [(name, pa.float64()) for name in names])

    @property
    def events(self) -> int:
        """Source events so far."""
        return int(self.books["events"].sum())

    @property
    def gaps(self) -> int:
        """Lost-messages notices so far."""
        return int(self.books["gaps"].sum())

    @property
    def crossed(self) -> int:
        """Source events so far that left a book crossed or locked."""
        return int(self.books["crossed"].sum())

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        universe = self.source.universe
        pending, by_order = np.zeros((2, len(universe)), np.int64)
        positions = np.empty(self.batch_size, np.int64)
        prices = np.empty((2, self.levels, self.batch_size), np.int64)
        sizes = np.empty_like(prices)
        tick, lot = _ratios(universe, "tick_size"), _ratios(universe, "lot_size")
        symbols = pa.array(universe.symbols, pa.string())
        for events in self.source.batches(self.batch_size):
            rows = _export_depth(self.books, pending, by_order, events, positions, prices, sizes)
            chosen = events[positions[:rows]]
            ids = chosen["instrument_id"]
            columns = [
                pa.array(chosen["ts_event"]),
                pa.array(chosen["seq"]),
                pa.DictionaryArray.from_arrays(pa.array(ids, pa.int32()), symbols),
            ]
            for side in range(2):
                for level in range(self.levels):
                    lots = sizes[side, level, :rows]
                    absent = lots == 0
                    columns.append(pa.array(_real(prices[side, level, :rows], tick, ids), mask=absent))
                    columns.append(pa.array(_real(lots, lot, ids), mask=absent))
            self.rows += rows
            yield pa.RecordBatch.from_arrays(columns, schema=self.schema)


def _ratios(universe: Universe, field: str) -> np.ndarray[Any, Any]:
    """Return numerators and denominators, shape (2, instruments), of a decimal field of the instruments."""
    return np.array([getattr(i, field).as_integer_ratio() for i in universe.instruments], np.int64).T


def _real(steps: np.ndarray[Any, Any], ratios: np.ndarray[Any, Any], ids: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return ticks or lots as real numbers, correctly rounded."""
    return steps * ratios[0][ids] / ratios[1][ids]


def book_table(source: EventSource, levels: int = 10) -> BookTable:
    """Return the :class:`BookTable` of ``source``: an iterable of Arrow record batches with counters."""
    return BookTable(source, levels)
