"""Parquet files: generic tables (the columns: see ``table``), and events as they are (``event_file``).

In errors, a line is the row's number from 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from chimera_platform.errors import DataError
from chimera_platform.market.formats.event_file import event_file_stream, is_event_file
from chimera_platform.market.formats.stream import Stream
from chimera_platform.market.formats.table import is_event_table, order_resolver, table_columns, table_events
from chimera_platform.market.formats.text import Block, TimeOrder, has_magic
from chimera_platform.market.instruments import Instrument

EXPECTED = "a Parquet file that has columns ts_ns,symbol and bid,bid_size,ask,ask_size or price,size"

_ROWS = 1 << 15
_TYPES: dict[str, type[pl.DataType]] = {"number": pl.Float64, "integer": pl.Int64, "text": pl.String}


def recognises(path: Path) -> bool:
    """Return whether ``path`` is a Parquet file with our column names."""
    if not has_magic(path, b"PAR1"):
        return False
    schema = _open(path).schema_arrow
    return is_event_file(schema) or is_event_table(schema.names)


def open_streams(
    paths: Sequence[Path], instruments: Mapping[str, Instrument], symbols: Sequence[str] | None
) -> list[Stream]:
    """Return one stream a file."""
    return [_stream(path, instruments) for path in paths]


def _stream(path: Path, instruments: Mapping[str, Instrument]) -> Stream:
    file = _open(path)
    if is_event_file(file.schema_arrow):
        return event_file_stream(path, file, instruments)
    names = file.schema_arrow.names
    shape, _ = table_columns(str(path), names)

    def chunks(ids: Mapping[str, int]) -> Iterator[np.ndarray[Any, Any]]:
        order, first_row = TimeOrder("ts_ns"), 0
        own = {symbol: ids[symbol] for symbol in found if symbol in ids}
        resolved = order_resolver(shape, names)
        for block, table in _tables(path, names):
            order.check(block, table["ts_ns"], table["ts_ns"])
            yield resolved(table_events(block, shape, table, first_row, instruments, own))
            first_row += table["ts_ns"].size

    found: dict[str, None] = {}
    for _, table in _tables(path, ["symbol"]):
        found |= dict.fromkeys(np.unique(table["symbol"]).tolist())
    for symbol in found:
        if symbol not in instruments:
            raise DataError(f"{path}: field 'symbol' is {symbol!r}; expected a known one of {', '.join(instruments)}")
    if not found:
        raise DataError(f"{path}: no rows")
    return Stream(tuple(instruments[symbol] for symbol in found), (path,), chunks)


def _tables(path: Path, names: list[str]) -> Iterator[tuple[Block, dict[str, np.ndarray[Any, Any]]]]:
    columns = table_columns(str(path), names)[1] if len(names) > 1 else []
    types = {column.name: _TYPES[column.kind] for column in columns} or {"symbol": pl.String}
    first_row = 1
    file = _open(path)
    try:
        for batch in file.iter_batches(_ROWS, columns=names):
            frame = pl.DataFrame(pl.from_arrow(batch))
            block = Block(str(path), first_row, b"")
            for name, type_ in types.items():
                cast = frame[name].cast(type_, strict=False)
                good = cast.is_not_null() & (cast.is_finite() if type_ == pl.Float64 else True)
                block.require(good.to_numpy(), name, frame[name], f"a value of type {type_}")
                frame = frame.with_columns(cast)
            yield block, {name: frame[name].to_numpy() for name in types}
            first_row += frame.height
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: damaged Parquet file ({error}); fetch it again") from error


def _open(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: truncated or damaged Parquet file ({error}); fetch it again") from error
