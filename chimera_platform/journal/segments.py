"""One segment file: named ``<first>-<last>.parquet`` after its row numbers, immutable, checked when it is read.

The footer says what the file holds (table, run, rows, UTC day, dtype, SHA-256 over the packed rows). There is no index
file beside the segments: the names are the index, one folder listing reads it, and nothing can disagree with it
after a crash.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from chimera_platform.errors import JournalError
from chimera_platform.journal.schema import SCHEMA_VERSION, Table, content_hash, day_name, table_named
from chimera_platform.journal.storage import storage_error, write_atomically

_NAME = re.compile(r"^(\d{12,19})-(\d{12,19})\.parquet$")
_FOOTER_KEY = b"chimera"
_MEND = (
    "The file is damaged. Restore it from a backup, or move it and the later segments of this table away, delete the "
    "work folder's recovery/ and run the same command again: it re-makes the missing rows"
)


@dataclass(frozen=True, order=True)
class Segment:
    """A sealed segment: rows ``first`` to ``last`` (both included) of one table of one run."""

    table: str
    first: int
    last: int
    path: Path

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.last - self.first + 1

    @property
    def name(self) -> str:
        """File name."""
        return self.path.name


@dataclass(frozen=True)
class Footer:
    """What a segment says about itself; times in ns UTC."""

    schema: int
    table: str
    run_id: str
    first: int
    last: int
    rows: int
    day: str
    sha256: str
    dtype: list[list[Any]]


def damaged(path: Path, what: str) -> JournalError:
    """Return the error for a segment that cannot be trusted."""
    return JournalError(f"{path}: {what}. {_MEND}")


def write_segment(folder: Path, table: Table, run_id: str, first: int, rows: np.ndarray[Any, Any]) -> Segment:
    """Write ``rows`` (shape (n,), n >= 1, one UTC day) as the segment that begins at row ``first``."""
    last = first + len(rows) - 1
    footer = {
        "schema": SCHEMA_VERSION,
        "table": table.name,
        "run_id": run_id,
        "first": first,
        "last": last,
        "rows": len(rows),
        "day": day_name(rows["ts_event"][0]),
        "sha256": content_hash(rows),
        "dtype": table.description,
    }
    columns = table.to_arrow(rows, first)
    columns = columns.replace_schema_metadata({_FOOTER_KEY: json.dumps(footer, sort_keys=True)})
    out = pa.BufferOutputStream()
    # Row numbers, times and prices change little from row to row; codes take few values. Floats stay plain: a
    # dictionary could merge NaN bit patterns, and the checksum is over bits.
    wide = {field.name: "DELTA_BINARY_PACKED" for field in columns.schema if field.type == pa.int64()}
    codes = [field.name for field in columns.schema if field.name not in wide and not pa.types.is_floating(field.type)]
    pq.write_table(columns, out, compression="zstd", compression_level=1, use_dictionary=codes, column_encoding=wide)
    path = folder / f"{first:012d}-{last:012d}.parquet"
    write_atomically(path, memoryview(out.getvalue()))
    return Segment(table.name, first, last, path)


def scan_segments(folder: Path, table: str) -> tuple[list[Segment], list[str]]:
    """Return the segments of ``table`` that can be used, in row order, and a message for everything that is amiss.

    Amiss are names that are no segment's, rows that are missing before a segment (it is returned all the same), and
    a segment that begins inside an earlier one (it is left out).
    """
    segments: list[Segment] = []
    problems: list[str] = []
    expected = 0
    for path in sorted(folder.glob("*.parquet")) if folder.is_dir() else []:
        match = _NAME.match(path.name)
        if match is None or int(match[2]) < int(match[1]):
            problems.append(f"{path}: not the name of a segment (<first row>-<last row>.parquet); move it away")
            continue
        segment = Segment(table, int(match[1]), int(match[2]), path)
        if segment.first < expected:
            rows = f"rows {segment.first} to {min(expected, segment.last + 1) - 1} of table '{table}'"
            problems.append(str(damaged(path, f"{rows} stand in two segments")))
            continue
        if segment.first > expected:
            rows = f"rows {expected} to {segment.first - 1} of table '{table}'"
            problems.append(str(damaged(path, f"{rows} are missing before it")))
        segments.append(segment)
        expected = segment.last + 1
    return segments, problems


def list_segments(folder: Path, table: str) -> list[Segment]:
    """Return the segments of ``table`` in row order; JournalError on a gap, an overlap or a foreign file name."""
    segments, problems = scan_segments(folder, table)
    if problems:
        raise JournalError(problems[0])
    return segments


def _parse_footer(segment: Segment, metadata: dict[bytes, bytes] | None) -> Footer:
    try:
        footer = Footer(**json.loads((metadata or {})[_FOOTER_KEY]))
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(segment.path, "the footer carries no segment description") from error
    table = table_named(segment.table)
    if footer.schema != SCHEMA_VERSION or footer.dtype != table.description:
        raise JournalError(
            f"{segment.path}: written with schema version {footer.schema}, this program reads version "
            f"{SCHEMA_VERSION} of table '{table.name}'. Read it with the version that wrote it, or run afresh"
        )
    named = (segment.table, segment.first, segment.last, segment.rows)
    said = (footer.table, footer.first, footer.last, footer.rows)
    if named != said:
        raise damaged(segment.path, f"the footer says table, rows {said}, the name says {named}")
    return footer


def read_footer(segment: Segment) -> Footer:
    """Return what the segment says about itself, without reading its rows."""
    try:
        metadata = pq.read_schema(segment.path).metadata
    except OSError as error:
        if error.errno is None:
            raise damaged(segment.path, f"not a complete Parquet file ({error})") from error
        raise storage_error(segment.path, error) from error
    except pa.ArrowException as error:
        raise damaged(segment.path, f"not a complete Parquet file ({_first_line(error)})") from error
    return _parse_footer(segment, metadata)


def read_columns(segment: Segment) -> tuple[Footer, pa.Table, np.ndarray[Any, Any]]:
    """Return footer, Arrow columns and packed rows of a segment, with its checksum and row numbers verified."""
    table = table_named(segment.table)
    try:
        data = segment.path.read_bytes()
    except OSError as error:
        raise storage_error(segment.path, error) from error
    try:
        columns = pq.read_table(pa.BufferReader(data), use_threads=False)
        footer = _parse_footer(segment, columns.schema.metadata)
        columns = columns.replace_schema_metadata(None)
        if columns.schema != table.arrow_schema:
            raise damaged(segment.path, f"columns differ from those of table '{table.name}'")
        rows = table.from_arrow(columns)
    except (pa.ArrowException, OSError, UnicodeError, ValueError) as error:
        raise damaged(segment.path, f"not a complete Parquet file ({_first_line(error)})") from error
    if len(rows) != footer.rows:
        raise damaged(segment.path, f"holds {len(rows)} rows, the footer says {footer.rows}")
    if content_hash(rows) != footer.sha256:
        raise damaged(segment.path, "the content does not have the checksum in the footer")
    numbers = columns.column(table.row_number).to_numpy()
    if not np.array_equal(numbers, np.arange(footer.first, footer.last + 1)):
        raise damaged(segment.path, f"column '{table.row_number}' does not count {footer.first} to {footer.last}")
    return footer, columns, rows


def read_rows(segment: Segment) -> np.ndarray[Any, Any]:
    """Return the packed rows of a segment, verified."""
    return read_columns(segment)[2]


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:200]
