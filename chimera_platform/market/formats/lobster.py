"""LOBSTER: Nasdaq order messages, and the publisher's book after each of them.

A zip holds ``SYMBOL_YYYY-MM-DD_…_message_L.csv`` and ``…_orderbook_L.csv``; plain CSV files of these names may be
given instead. A message is: seconds after midnight (New York), type, order id, size, price × 10000, direction of the
resting order. A book row is: ask price, ask size, bid price, bid size, L times.

Each message becomes one record, with ``seq`` its row number from 0 (counted on through the files of a symbol):

====  =====================================================================
type  record
====  =====================================================================
1     ADD
2     CANCEL
3     DELETE
4     EXECUTE
5     EXECUTE with HIDDEN: an order that was not displayed
6     TRADE of unknown aggressor: a cross
7     STATUS: HALT for price -1 and 0 (quoting only), RESUME for 1
====  =====================================================================

Where the book file is given, LEVEL records with WINDOW follow (or precede) the message, so that the book after it
equals the publisher's row (:mod:`~chimera_platform.market.formats.lobster_window`). Without it there are only the
messages, and what changes outside the shown levels is missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from chimera_platform.errors import DataError
from chimera_platform.market.events import EventFlag, EventKind, StatusCode
from chimera_platform.market.formats.lobster_window import WindowReconciler
from chimera_platform.market.formats.stream import Stream, date_in_name, find_symbol, new_events
from chimera_platform.market.formats.text import (
    Block,
    Column,
    TextFile,
    TimeOrder,
    parse_table,
    text_files,
    to_lots,
    to_ticks,
)
from chimera_platform.market.instruments import Instrument
from chimera_platform.market.sessions import wall_clock_to_utc

EXPECTED = "zip or CSV files SYMBOL_DATE_…_message_L.csv and …_orderbook_L.csv"
TIMEZONE = "America/New_York"
PRICE_SCALE = 10_000
NO_PRICE = 9_999_999_999  # stands, with its sign, where the book has no such level

_NAME = re.compile(r"([A-Za-z0-9.]+)_\d{4}-\d{2}-\d{2}_.*(message|orderbook)_\d+\.csv")
_COLUMNS = (
    Column("time", "number"),
    Column("type", "integer"),
    Column("order_id", "integer"),
    Column("size", "integer"),
    Column("price", "integer"),
    Column("direction", "integer"),
)
_CROSS, _HALT_MESSAGE = 6, 7
_KINDS = np.zeros(8, np.uint8)
_KINDS[1:] = [
    EventKind.ADD,
    EventKind.CANCEL,
    EventKind.DELETE,
    EventKind.EXECUTE,
    EventKind.EXECUTE,
    EventKind.TRADE,
    EventKind.STATUS,
]


@dataclass(frozen=True)
class _Day:
    day: date
    messages: TextFile
    books: TextFile | None


def recognises(path: Path) -> bool:
    """Return whether ``path`` holds LOBSTER messages or book rows."""
    return any(_NAME.fullmatch(f.name) for f in text_files(path))


def open_streams(
    paths: Sequence[Path], instruments: Mapping[str, Instrument], symbols: Sequence[str] | None
) -> list[Stream]:
    """Return one stream a symbol, its files in the order of their days."""
    texts = [(path, text) for path in paths for text in text_files(path)]
    books = {text.name: text for _, text in texts if "_orderbook_" in text.name}
    days: dict[str, list[_Day]] = {}
    for path, text in texts:
        named = _NAME.fullmatch(text.name)
        if named is None or named.group(2) != "message":
            continue
        symbol = find_symbol(named.group(1), path, instruments, symbols)
        book = books.pop(text.name.replace("_message_", "_orderbook_"), None)
        if symbol is not None:
            days.setdefault(symbol, []).append(_Day(date_in_name(text.name), text, book))
    for text in books.values():
        raise DataError(f"{text.label}: a book file without its message file; give both")
    return [_stream(instruments[symbol], sorted(files, key=lambda d: d.day)) for symbol, files in days.items()]


def _stream(instrument: Instrument, days: Sequence[_Day]) -> Stream:
    def chunks(ids: Mapping[str, int]) -> Iterator[np.ndarray[Any, Any]]:
        seq, order = 0, TimeOrder("time")
        for number, day in enumerate(days):
            rows = None if day.books is None else _Rows(book_rows(day.books, instrument), day.books.label)
            reconciler = WindowReconciler()
            for block in day.messages.blocks():
                events = _parse_messages(block, day.day, instrument, ids[instrument.symbol], order)
                events["seq"] = np.arange(seq, seq + events.size)
                seq += events.size
                if number > 0 and block.first_line == 1:
                    yield _clear_before(events[0])
                if rows is None:
                    yield events
                else:
                    yield from reconciler.reconcile(events, rows.take(events.size, block))
            if rows is not None:
                rows.finish(day.messages.label)

    texts = [text for day in days for text in (day.messages, day.books) if text is not None]
    return Stream((instrument,), tuple(dict.fromkeys(text.path for text in texts)), chunks)


def _clear_before(event: np.void) -> np.ndarray[Any, Any]:
    """Return a CLEAR record as part of the source event of ``event``: a new day's book starts empty."""
    clear = new_events(1, int(event["instrument_id"]))
    for name in ("ts_event", "ts_recv", "seq"):
        clear[name] = event[name]
    clear["kind"] = int(EventKind.CLEAR)
    return clear


def _parse_messages(
    block: Block, day: date, instrument: Instrument, instrument_id: int, order: TimeOrder
) -> np.ndarray[Any, Any]:
    table = parse_table(block, _COLUMNS)
    time, kind, size, price, side = (table[name] for name in ("time", "type", "size", "price", "direction"))
    block.require((time >= 0) & (time < 86_400), "time", time, "seconds after midnight, 0 to 86400")
    block.require((kind >= 1) & (kind <= 7), "type", kind, "a message type, 1 to 7")
    halt = kind == _HALT_MESSAGE
    block.require((size > 0) | ((size == 0) & (kind >= _CROSS)), "size", size, "a size above 0")
    block.require((np.abs(side) == 1) | (kind >= _CROSS), "direction", side, "1 or -1")
    block.require(~halt | (np.abs(price) <= 1), "price", price, "-1, 0 or 1 in a halt message")
    events = new_events(block.row_count, instrument_id)
    events["ts_event"] = wall_clock_to_utc(day, np.rint(time * 1e9).astype(np.int64), TIMEZONE)
    order.check(block, events["ts_event"], time)
    events["ts_recv"] = events["ts_event"]
    events["order_id"] = table["order_id"]
    events["kind"] = _KINDS[kind]
    events["side"] = np.where(kind < _CROSS, side, 0)
    # A halt has no price: a grid price stands in for the check and is overwritten.
    on_grid = round(instrument.tick_size * PRICE_SCALE) or 1
    ticks = to_ticks(block, "price", np.where(halt, on_grid, price), instrument, PRICE_SCALE)
    status = np.where(price > 0, int(StatusCode.RESUME), int(StatusCode.HALT))
    events["price"] = np.where(halt, status, ticks)
    events["size"] = to_lots(block, "size", size, instrument)
    events["flags"] = int(EventFlag.LAST) | np.where(kind == 5, int(EventFlag.HIDDEN), 0)
    return events


def book_rows(text: TextFile, instrument: Instrument) -> Iterator[np.ndarray[Any, Any]]:
    """Yield the publisher's book rows in blocks: (n, L, 4) i8, ask ticks, ask lots, bid ticks, bid lots.

    An absent level has price and size 0.
    """
    columns: list[Column] = []
    for block in text.blocks():
        if not columns:
            count = block.line(0).count(",") + 1
            if count % 4:
                block.reject(0, "row", block.line(0), "four fields a level: ask price, ask size, bid price, bid size")
            names = ("ask_price", "ask_size", "bid_price", "bid_size")
            columns = [Column(f"{name}_{k + 1}", "integer") for k in range(count // 4) for name in names]
        table = parse_table(block, columns)
        rows = np.empty((block.row_count, len(columns) // 4, 4), np.int64)
        for position, column in enumerate(columns):
            values = table[column.name]
            level, field = divmod(position, 4)
            if field % 2:
                rows[:, level, field] = to_lots(block, column.name, values, instrument)
            else:
                absent = np.abs(values) == NO_PRICE
                prices = to_ticks(block, column.name, np.where(absent, PRICE_SCALE, values), instrument, PRICE_SCALE)
                rows[:, level, field] = np.where(absent, 0, prices)
        rows[rows[:, :, 0] == 0, 1] = 0
        rows[rows[:, :, 2] == 0, 3] = 0
        yield rows


class _Rows:
    """Book rows handed out in the counts that the message blocks need."""

    def __init__(self, blocks: Iterator[np.ndarray[Any, Any]], label: str) -> None:
        self._blocks, self._label = blocks, label
        self._held: np.ndarray[Any, Any] | None = None

    def take(self, count: int, wanted_by: Block) -> np.ndarray[Any, Any]:
        parts, missing = [], count
        while missing:
            if self._held is None or not self._held.size:
                self._held = next(self._blocks, None)
                if self._held is None:
                    last = wanted_by.first_line + count - missing
                    raise DataError(f"{self._label}: ends before line {last} of {wanted_by.label}; expected a row each")
            parts.append(self._held[:missing])
            self._held = self._held[missing:]
            missing -= len(parts[-1])
        return np.concatenate(parts)

    def finish(self, messages_label: str) -> None:
        if (self._held is not None and self._held.size) or next(self._blocks, None) is not None:
            raise DataError(f"{self._label}: more rows than {messages_label}; expected a row each")
