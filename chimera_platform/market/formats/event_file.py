"""Events as they are, in Parquet: the fields of ``EVENT_DTYPE`` as columns, for streams that are read again and again.

Nothing is parsed or rounded on the way back: a row group is decoded, checked and laid out as records in one pass.
The file's schema names the instruments by ``instrument_id``, with the units in which prices and sizes are counted;
a reader with other units for one of them is refused.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from chimera_platform.errors import DataError
from chimera_platform.kernels import kernel
from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind
from chimera_platform.market.formats.stream import Stream
from chimera_platform.market.instruments import Instrument

if TYPE_CHECKING:
    from chimera_platform.market.sources import EventSource

GROUP_ROWS = 131_072
_KEY = b"chimera.instruments"
_NAMES: tuple[str, ...] = EVENT_DTYPE.names or ()
_SCHEMA = pa.schema([(name, pa.from_numpy_dtype(EVENT_DTYPE[name])) for name in _NAMES])
_INTEGERS = [name for name in _NAMES if EVENT_DTYPE[name].itemsize >= 4]
_LAST = int(EventFlag.LAST)
_FLAGS_MAX = int(sum(EventFlag))
_KINDS = len(EventKind)
_FAULTS = {1: "ts_event", 2: "instrument_id", 3: "kind", 4: "side", 5: "flags"}
_EXPECTED = {
    "ts_event": "a time not before the previous row's",
    "instrument_id": "the index of one of the file's instruments",
    "kind": f"an event kind, 1 to {_KINDS}",
    "side": "1, -1 or 0",
    "flags": f"a sum of event flags, 0 to {_FLAGS_MAX}",
}


def is_event_file(schema: pa.Schema) -> bool:
    """Return whether a Parquet schema is that of events as they are."""
    return _KEY in (schema.metadata or {})


def write_events(source: EventSource, path: Path, batch_size: int = GROUP_ROWS) -> int:
    """Write all events of a source to ``path`` and return how many there are; whole or not at all.

    Raises
    ------
    DataError
        If the source's times go back, if it has no events, or if the file cannot be written.
    """
    instruments = [[i.symbol, str(i.tick_size), str(i.lot_size)] for i in source.universe.instruments]
    schema = _SCHEMA.with_metadata({_KEY: json.dumps(instruments).encode()})
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    rows, last = 0, np.iinfo(np.int64).min
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with pq.ParquetWriter(
            temporary, schema, compression="lz4", use_dictionary=False, write_statistics=["ts_event"],
            column_encoding=dict.fromkeys(_INTEGERS, "DELTA_BINARY_PACKED"),
        ) as writer:  # fmt: skip
            for events in source.batches(batch_size):
                times = events["ts_event"]
                if len(times) == 0:
                    continue
                if times[0] < last or (np.diff(times) < 0).any():
                    raise DataError(f"{path}: the events of {source.description} are not in the order of their times")
                last = int(times[-1])
                columns = [pa.array(np.ascontiguousarray(events[name])) for name in _NAMES]
                writer.write_table(pa.Table.from_arrays(columns, schema=schema), row_group_size=batch_size)
                rows += len(events)
        if rows == 0:
            raise DataError(f"{path}: the source gave no events to write")
        temporary.replace(path)
    except OSError as error:
        raise DataError(f"{path}: cannot write: {error.strerror or error}") from error
    finally:
        if path.parent.is_dir():
            temporary.unlink(missing_ok=True)
    return rows


def event_file_stream(path: Path, file: pq.ParquetFile, instruments: Mapping[str, Instrument]) -> Stream:
    """Return the file's events as one stream; the known instruments give everything but what the file counts in.

    Raises
    ------
    DataError
        If the file's columns or instruments are not as expected, or counted in other units than the known ones.
    """
    own = _instruments(path, file.schema_arrow, instruments)

    def chunks(ids: Mapping[str, int]) -> Iterator[np.ndarray[Any, Any]]:
        numbers = np.array([ids.get(instrument.symbol, -1) for instrument in own], np.int32)
        return _chunks(path, file, numbers)

    return Stream(tuple(own), (path,), chunks)


def _instruments(path: Path, schema: pa.Schema, instruments: Mapping[str, Instrument]) -> list[Instrument]:
    if not schema.remove_metadata().equals(_SCHEMA):
        raise DataError(f"{path}: columns {', '.join(schema.names)}; expected {', '.join(_NAMES)} in their own types")
    try:
        named = [(str(symbol), str(tick), str(lot)) for symbol, tick, lot in json.loads(schema.metadata[_KEY])]
    except (ValueError, TypeError) as error:
        raise DataError(f"{path}: the schema's list of instruments is damaged; write the file again") from error
    found = []
    for symbol, tick_size, lot_size in named:
        known = instruments.get(symbol)
        if known is None:
            raise DataError(f"{path}: instrument {symbol!r}; expected a known one of {', '.join(instruments)}")
        if (str(known.tick_size), str(known.lot_size)) != (tick_size, lot_size):
            raise DataError(
                f"{path}: {symbol} is counted in ticks of {tick_size} and lots of {lot_size}; "
                f"expected {known.tick_size} and {known.lot_size}: write the file again, or give it its own instruments"
            )
        found.append(known)
    return found


def _chunks(path: Path, file: pq.ParquetFile, numbers: np.ndarray[Any, Any]) -> Iterator[np.ndarray[Any, Any]]:
    """Yield the row groups' events, cut behind the last LAST; a source event goes on in the next chunk."""
    last, rows_before = int(np.iinfo(np.int64).min), 0
    rest = np.zeros(0, EVENT_DTYPE)
    for group in range(file.metadata.num_row_groups):
        try:
            table = file.read_row_group(group)
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{path}: damaged Parquet file ({error}); fetch it again") from error
        columns = [_column(path, table, name) for name in _NAMES]
        events = np.empty(len(rest) + table.num_rows, EVENT_DTYPE)
        events[: len(rest)] = rest
        count, fault, row = _lay_out(*columns, numbers, last, len(rest), events)
        if fault:
            name = _FAULTS[int(fault)]
            value = columns[_NAMES.index(name)][row]
            raise DataError(f"{path}: row {rows_before + row + 1}: '{name}' is {value}; expected {_EXPECTED[name]}")
        rows_before += table.num_rows
        if table.num_rows:
            last = int(columns[0][-1])
        end = int(_end_of_last(events, count))
        rest = events[end:count].copy()
        if end:
            yield events[:end]
    if len(rest):
        yield rest


def _column(path: Path, table: pa.Table, name: str) -> np.ndarray[Any, Any]:
    """Return a column as it lies in Arrow's memory."""
    column = table.column(name)
    if column.null_count:
        raise DataError(f"{path}: '{name}' has rows without a value; expected one in each")
    array = (
        column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks or [pa.array([], column.type)])
    )
    return np.frombuffer(
        array.buffers()[1] or b"", EVENT_DTYPE[name], len(array), array.offset * EVENT_DTYPE[name].itemsize
    )


@kernel
def _lay_out(
    ts_event: Any,
    ts_recv: Any,
    seq: Any,
    order_id: Any,
    price: Any,
    size: Any,
    ask_price: Any,
    ask_size: Any,
    instrument_id: Any,
    flags: Any,
    kind: Any,
    side: Any,
    numbers: Any,
    last: int,
    start: int,
    events: Any,
) -> Any:
    """Write the rows of wanted instruments as records; return (end of the records, fault, its row), fault 0 for none.

    Parameters
    ----------
    ts_event, … : the columns, shape (n,).
    numbers : instrument_id of the run by that of the file, -1 for one that is not wanted.
    last : the time of the row before.
    start : index of the first record to write.
    events : EVENT_DTYPE (start + n,).
    """
    count = start
    for i in range(ts_event.shape[0]):
        ts = ts_event[i]
        if ts < last:
            return count, 1, i
        last = ts
        own = instrument_id[i]
        if own < 0 or own >= numbers.shape[0]:
            return count, 2, i
        if kind[i] < 1 or kind[i] > _KINDS:
            return count, 3, i
        if side[i] < -1 or side[i] > 1:
            return count, 4, i
        if flags[i] > _FLAGS_MAX:
            return count, 5, i
        number = numbers[own]
        if number < 0:
            continue
        event = events[count]
        event.ts_event = ts
        event.ts_recv = ts_recv[i]
        event.seq = seq[i]
        event.order_id = order_id[i]
        event.price = price[i]
        event.size = size[i]
        event.ask_price = ask_price[i]
        event.ask_size = ask_size[i]
        event.instrument_id = number
        event.flags = flags[i]
        event.kind = kind[i]
        event.side = side[i]
        count += 1
    return count, 0, 0


@kernel
def _end_of_last(events: Any, count: int) -> int:
    """Return the row behind the last record that ends a source event, 0 where there is none."""
    row = count
    while row > 0 and events[row - 1].flags & _LAST == 0:
        row -= 1
    return row
