"""COMEX futures trades tick by tick, as QuantConnect's Lean stores them.

A zip a day holds one CSV a contract, ``20131007_gc_tick_trade_201312.csv``, without header: milliseconds after
midnight in New York, price, quantity, exchange, condition, suspicious (0 or 1).

- Each row becomes TRADE of unknown aggressor, ``seq`` counts the trades of the symbol from 0.
- **Contracts.** ``GC`` is the contract with the most data in all the files given; a single contract is asked for as
  ``GC.201312`` and takes its units from ``GC``.
- **Quantity 0** is kept as a TRADE of size 0: the publisher's minute bars count it for open, high, low and close
  with no volume, and so do ours.
- **Suspicious** rows are left out: the publisher marks prints that were not part of the regular market.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

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
from chimera_platform.market.formats.text import Block, Column, TimeOrder, parse_table, text_files, to_lots, to_ticks
from chimera_platform.market.instruments import Instrument
from chimera_platform.market.sessions import wall_clock_to_utc

EXPECTED = "zip files with one DATE_SYMBOL_tick_trade_CONTRACT.csv a contract"
TIMEZONE = "America/New_York"

_MEMBER = re.compile(r"\d{8}_([a-z0-9]+)_tick_trade_(\d{6})\.csv", re.IGNORECASE)
_COLUMNS = (
    Column("ms", "number"),
    Column("price", "number"),
    Column("quantity", "number"),
    Column("exchange", "text"),
    Column("condition", "text"),
    Column("suspicious", "integer"),
)


def recognises(path: Path) -> bool:
    """Return whether ``path`` holds COMEX trades."""
    return any(_MEMBER.fullmatch(f.name) for f in text_files(path))


def open_streams(
    paths: Sequence[Path], instruments: Mapping[str, Instrument], symbols: Sequence[str] | None
) -> list[Stream]:
    """Return a stream for each root's most active contract, and for each contract asked for by name."""
    contracts: dict[tuple[str, str], list[DayFile]] = {}
    sizes: Counter[tuple[str, str]] = Counter()
    for path in paths:
        for text in text_files(path):
            named = _MEMBER.fullmatch(text.name)
            if named is None:
                continue
            symbol = find_symbol(named.group(1), path, instruments, symbols)
            if symbol is None:
                continue
            key = (symbol, named.group(2))
            contracts.setdefault(key, []).append(DayFile(date_in_name(text.name), text))
            sizes[key] += text.size
    streams = []
    for root in dict.fromkeys(root for root, _ in contracts):
        own = {contract: files for (r, contract), files in contracts.items() if r == root}
        _, busiest = max((sizes[root, contract], contract) for contract in own)
        streams.append(stream_of_days(instruments[root], own[busiest], _parse))
        for contract, files in own.items():
            symbol = f"{root}.{contract}"
            if symbols is not None and symbol in symbols:
                streams.append(stream_of_days(instruments[root].model_copy(update={"symbol": symbol}), files, _parse))
    return streams


def _parse(
    block: Block, day: date, instrument: Instrument, instrument_id: int, order: TimeOrder
) -> np.ndarray[Any, Any]:
    table = parse_table(block, _COLUMNS)
    since_midnight_ns = np.rint(table["ms"] * NS_PER_MS)
    in_day = (since_midnight_ns >= 0) & (since_midnight_ns < NS_PER_DAY)
    block.require(in_day, "ms", table["ms"], "milliseconds after midnight, 0 to 86400000")
    suspicious = table["suspicious"]
    block.require((suspicious == 0) | (suspicious == 1), "suspicious", suspicious, "0 or 1")
    events = new_events(block.row_count, instrument_id)
    events["ts_event"] = wall_clock_to_utc(day, since_midnight_ns.astype(np.int64), TIMEZONE)
    events["ts_recv"] = events["ts_event"]
    order.check(block, events["ts_event"], table["ms"])
    events["price"] = to_ticks(block, "price", table["price"], instrument)
    events["size"] = to_lots(block, "quantity", table["quantity"], instrument)
    events["kind"] = int(EventKind.TRADE)
    events["flags"] = int(EventFlag.LAST)
    return events[suspicious == 0]
