"""OANDA quotes tick by tick, as QuantConnect's Lean stores them.

One zip (or plain CSV) a day, ``20140501_xauusd_tick_quote.csv``, without header: milliseconds after midnight UTC
(with decimals), bid, ask. No sizes are published: the instrument's ``assumed_size`` stands in on both sides and
every event carries ``SIZE_ASSUMED``. ``seq`` counts the quotes of the symbol from 0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from chimera_platform.errors import DataError
from chimera_platform.market.events import EventFlag, EventKind
from chimera_platform.market.formats.stream import (
    NS_PER_DAY,
    NS_PER_MS,
    DayFile,
    Stream,
    date_in_name,
    find_symbol,
    new_events,
    stream_of_days,
)
from chimera_platform.market.formats.text import Block, Column, TimeOrder, parse_table, text_files, to_ticks
from chimera_platform.market.instruments import Instrument

EXPECTED = "a zip or CSV a day of ms after midnight,bid,ask, named DATE_SYMBOL_tick_quote.csv inside"

_MEMBER = re.compile(r"\d{8}_([a-z0-9]+)_tick_quote\.csv", re.IGNORECASE)
_ROW = re.compile(r"\d+(\.\d+)?,\d+(\.\d+)?,\d+(\.\d+)?\r?")
_COLUMNS = (Column("ms", "number"), Column("bid", "number"), Column("ask", "number"))
_EPOCH = date(1970, 1, 1)


def recognises(path: Path) -> bool:
    """Return whether ``path`` holds OANDA tick quotes."""
    files = text_files(path)
    return len(files) == 1 and (
        _MEMBER.fullmatch(files[0].name) is not None or _ROW.fullmatch(files[0].first_line()) is not None
    )


def open_streams(
    paths: Sequence[Path], instruments: Mapping[str, Instrument], symbols: Sequence[str] | None
) -> list[Stream]:
    """Return one stream a symbol, its files in the order of their days."""
    days: dict[str, list[DayFile]] = {}
    for path in paths:
        files = text_files(path)
        if len(files) != 1:
            raise DataError(f"{path}: expected one CSV file of quotes inside, not {len(files)}")
        named = _MEMBER.fullmatch(files[0].name)
        symbol = find_symbol(named.group(1) if named else None, path, instruments, symbols)
        if symbol is not None:
            days.setdefault(symbol, []).append(DayFile(date_in_name(files[0].name, path.name), files[0]))
    return [stream_of_days(instruments[symbol], files, _parse) for symbol, files in days.items()]


def _parse(
    block: Block, day: date, instrument: Instrument, instrument_id: int, order: TimeOrder
) -> np.ndarray[Any, Any]:
    table = parse_table(block, _COLUMNS)
    since_midnight_ns = np.rint(table["ms"] * NS_PER_MS)
    in_day = (since_midnight_ns >= 0) & (since_midnight_ns < NS_PER_DAY)
    block.require(in_day, "ms", table["ms"], "milliseconds after midnight, 0 to 86400000")
    events = new_events(block.row_count, instrument_id)
    events["ts_event"] = (day - _EPOCH).days * NS_PER_DAY + since_midnight_ns.astype(np.int64)
    events["ts_recv"] = events["ts_event"]
    order.check(block, events["ts_event"], table["ms"])
    events["price"] = to_ticks(block, "bid", table["bid"], instrument)
    events["ask_price"] = to_ticks(block, "ask", table["ask"], instrument)
    events["size"] = events["ask_size"] = instrument.assumed_size
    events["kind"] = int(EventKind.QUOTE)
    events["flags"] = int(EventFlag.LAST | EventFlag.SIZE_ASSUMED)
    return events
