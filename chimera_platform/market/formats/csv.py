"""Generic tables as comma-separated text with a header line; plain, gzip or zipped. The columns: see ``table``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from chimera_platform.errors import DataError
from chimera_platform.market.formats.stream import Stream
from chimera_platform.market.formats.table import is_event_table, order_resolver, table_columns, table_events
from chimera_platform.market.formats.text import Block, Column, TextFile, TimeOrder, parse_table, text_files
from chimera_platform.market.instruments import Instrument

EXPECTED = "text with a header line that has ts_ns,symbol and bid,bid_size,ask,ask_size or price,size"


def recognises(path: Path) -> bool:
    """Return whether ``path`` is one CSV file with our column names."""
    files = text_files(path)
    return len(files) == 1 and is_event_table(_names(files[0].first_line()))


def open_streams(
    paths: Sequence[Path], instruments: Mapping[str, Instrument], symbols: Sequence[str] | None
) -> list[Stream]:
    """Return one stream a file."""
    return [_stream(text, instruments) for path in paths for text in text_files(path)]


def _stream(text: TextFile, instruments: Mapping[str, Instrument]) -> Stream:
    def chunks(ids: Mapping[str, int]) -> Iterator[np.ndarray[Any, Any]]:
        order, first_row, resolved = TimeOrder("ts_ns"), 0, None
        own = {symbol: ids[symbol] for symbol in found if symbol in ids}
        for block, shape, columns in _body(text):
            table = parse_table(block, columns)
            order.check(block, table["ts_ns"], table["ts_ns"])
            resolved = resolved or order_resolver(shape, table)
            yield resolved(table_events(block, shape, table, first_row, instruments, own))
            first_row += block.row_count

    found = list(_symbols(text, instruments))
    return Stream(tuple(instruments[symbol] for symbol in found), (text.path,), chunks)


def _symbols(text: TextFile, instruments: Mapping[str, Instrument]) -> dict[str, None]:
    found: dict[str, None] = {}
    for block, _, columns in _body(text):
        symbol = parse_table(block, columns)["symbol"]
        block.require(np.isin(symbol, list(instruments)), "symbol", symbol, f"a known one of {', '.join(instruments)}")
        found |= dict.fromkeys(np.unique(symbol).tolist())
    if not found:
        raise DataError(f"{text.label}: a header but no rows")
    return found


def _body(text: TextFile) -> Iterator[tuple[Block, str, list[Column]]]:
    """Yield the lines behind the header with what they hold."""
    shape, columns = "", list[Column]()
    for block in text.blocks():
        if not columns:
            header, _, data = block.data.partition(b"\n")
            shape, columns = table_columns(text.label, _names(header.decode("utf-8", "replace")))
            block = replace(block, first_line=2, data=data)
        if block.data:
            yield block, shape, columns


def _names(header: str) -> list[str]:
    return [name.strip() for name in header.removeprefix("\ufeff").split(",")]
