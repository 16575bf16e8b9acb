"""Text files read in blocks of whole lines: plain, gzip, or members of a zip archive.

Memory is bounded by the block, never by the file; an error in a row names archive, member and line.
"""

from __future__ import annotations

import gzip
import math
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple, NoReturn

import numpy as np
import polars as pl

from chimera_platform.errors import DataError, MalformedRow
from chimera_platform.market.instruments import Instrument

BLOCK_BYTES = 1 << 20
_LINE_BYTES_MAX = 1 << 25
_STEPS_MAX = 2.0**53  # above it a float no longer holds every integer

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_INTEGER = re.compile(r"[+-]?\d{1,18}")
_EXPECTED = {"number": "a number", "integer": "a whole number", "text": "text"}
_POLARS = {"number": pl.Float64, "integer": pl.Int64, "text": pl.String}


class Column(NamedTuple):
    """A column of a headerless table: its name and what stands in it."""

    name: str
    kind: Literal["number", "integer", "text"]


@dataclass(frozen=True)
class Block:
    """Whole lines of a text file."""

    label: str  # file, or archive!member
    first_line: int  # number of the first line, from 1
    data: bytes
    rows: np.ndarray[Any, Any] | None = None  # of a selection: the line of each of its rows

    def at(self, rows: np.ndarray[Any, Any]) -> Block:
        """Return the block for checking values that came from its lines ``rows`` (from 0)."""
        return replace(self, rows=rows)

    @property
    def row_count(self) -> int:
        """How many lines there are."""
        return self.data.count(b"\n") + (not self.data.endswith(b"\n"))

    def line(self, row: int) -> str:
        """Return line ``row`` (from 0) of the block, without its end."""
        return self.data.split(b"\n", row + 1)[row].rstrip(b"\r").decode("utf-8", "replace")

    def reject(self, row: int, field: str, value: object, expected: str) -> NoReturn:
        """Raise :class:`MalformedRow` for row ``row`` (from 0) of the block or selection."""
        line = row if self.rows is None else int(self.rows[row])
        raise MalformedRow(self.label, self.first_line + line, field, value, expected)

    def require(self, good: np.ndarray[Any, Any], field: str, values: Any, expected: str) -> None:
        """Raise :class:`MalformedRow` for the first row where ``good`` is false; ``values`` is what stood there."""
        if not good.all():
            row = int(np.argmin(good))
            value = values[row]
            self.reject(row, field, value.item() if isinstance(value, np.generic) else value, expected)


@dataclass(frozen=True)
class TextFile:
    """A plain or gzip text file, or one member of a zip archive."""

    path: Path
    member: str | None = None

    @property
    def label(self) -> str:
        """How errors name the file: the path, with ``!member`` behind it inside an archive."""
        return str(self.path) if self.member is None else f"{self.path}!{self.member}"

    @property
    def name(self) -> str:
        """The base name that carries date and symbol."""
        return Path(self.member).name if self.member is not None else self.path.name

    @property
    def size(self) -> int:
        """Bytes of the text; of a gzip file, its compressed bytes."""
        if self.member is None:
            return self.path.stat().st_size
        with zipfile.ZipFile(self.path) as archive:
            return archive.getinfo(self.member).file_size

    def blocks(self, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
        """Yield the lines of the file in blocks; :class:`DataError` where it is empty, truncated or damaged."""
        first_line, rest, empty = 1, b"", True
        for piece in self._pieces(block_bytes):
            empty = False
            cut = piece.rfind(b"\n") + 1
            if cut:
                block = Block(self.label, first_line, rest + piece[:cut])
                yield block
                first_line += block.row_count
                rest = piece[cut:]
            else:
                rest += piece
            if len(rest) > _LINE_BYTES_MAX:
                raise DataError(
                    f"{self.label}, line {first_line}: longer than {_LINE_BYTES_MAX} bytes; not a text of rows"
                )
        if rest:
            yield Block(self.label, first_line, rest)
        if empty:
            raise DataError(f"{self.label}: the file is empty")

    def first_line(self) -> str:
        """Return the first line, or its beginning, for guessing the format; :class:`DataError` as in ``blocks``."""
        piece = next(self._pieces(1 << 16), None)
        if piece is None:
            raise DataError(f"{self.label}: the file is empty")
        return Block(self.label, 1, piece).line(0)

    def _pieces(self, size: int) -> Iterator[bytes]:
        try:
            with _open(self.path, self.member) as stream:
                while piece := stream.read(size):
                    yield piece
        except (zipfile.BadZipFile, zlib.error, gzip.BadGzipFile, EOFError, OSError, RuntimeError) as error:
            raise DataError(f"{self.label}: truncated, damaged or unreadable ({error}); fetch it again") from error


class _Member:
    """A zip member whose archive is closed with it."""

    def __init__(self, path: Path, member: str) -> None:
        self._archive = zipfile.ZipFile(path)
        try:
            self._stream = self._archive.open(member)
        except BaseException:
            self._archive.close()
            raise

    def __enter__(self) -> IO[bytes]:
        return self._stream

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._archive.close()


def _open(path: Path, member: str | None) -> Any:
    if member is not None:
        return _Member(path, member)
    return gzip.open(path) if has_magic(path, b"\x1f\x8b") else path.open("rb")


def has_magic(path: Path, magic: bytes) -> bool:
    """Return whether the file begins with ``magic``."""
    with path.open("rb") as stream:
        return stream.read(len(magic)) == magic


def text_files(path: Path) -> list[TextFile]:
    """Return the text files in ``path``: the members of a zip archive in name order, or the file itself.

    Raises
    ------
    DataError : the file does not exist, cannot be read, is empty, or is a truncated archive.
    """
    try:
        if path.stat().st_size == 0:
            raise DataError(f"{path}: the file is empty")
        if path.suffix.lower() != ".zip" and not has_magic(path, b"PK\x03\x04"):
            return [TextFile(path)]
        with zipfile.ZipFile(path) as archive:
            members = sorted(i.filename for i in archive.infolist() if not i.is_dir())
    except zipfile.BadZipFile as error:
        raise DataError(f"{path}: truncated or damaged zip archive ({error}); fetch it again") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    if not members:
        raise DataError(f"{path}: the archive is empty")
    return [TextFile(path, member) for member in members]


def parse_table(block: Block, columns: Sequence[Column]) -> dict[str, np.ndarray[Any, Any]]:
    """Return the columns of a headerless, comma-separated block, one array of ``row_count`` a column.

    Numbers are f8 and finite, integers i8, text an object array with ``""`` for an empty field. Polars parses
    the block at once; where it stumbles, the block is read again line by line to name the offending field.
    """
    try:
        frame = pl.read_csv(
            block.data,
            has_header=False,
            schema={c.name: _POLARS[c.kind] for c in columns},
            quote_char=None,
        )
    except pl.exceptions.PolarsError:
        _reject_first_bad_row(block, columns)
    numeric = [c.name for c in columns if c.kind != "text"]
    clean = frame.height == block.row_count and not any(frame[name].null_count() for name in numeric)
    if not clean or not all(frame[c.name].is_finite().all() for c in columns if c.kind == "number"):
        _reject_first_bad_row(block, columns)
    if any(frame[c.name].null_count() for c in columns if c.kind == "text"):
        if block.data.count(b",") != block.row_count * (len(columns) - 1):
            _reject_first_bad_row(block, columns)  # a short row, not an empty text
        frame = frame.fill_null("")
    return {c.name: frame[c.name].to_numpy() for c in columns}


def _reject_first_bad_row(block: Block, columns: Sequence[Column]) -> NoReturn:
    names = ",".join(c.name for c in columns)
    for row, line in enumerate(block.data.decode("utf-8", "replace").removesuffix("\n").split("\n")):
        line = line.removesuffix("\r")
        fields = line.split(",")
        if len(fields) != len(columns):
            block.reject(
                row, "row", line, f"{len(columns)} fields ({names}), not {len(fields) if line else 'an empty line'}"
            )
        for column, text in zip(columns, fields, strict=True):
            pattern = {"number": _NUMBER, "integer": _INTEGER}.get(column.kind)
            if pattern is not None and not (pattern.fullmatch(text) and math.isfinite(float(text))):
                block.reject(row, column.name, text, _EXPECTED[column.kind])
    last_line = block.first_line + block.row_count - 1
    raise DataError(f"{block.label}, lines {block.first_line} to {last_line}: not a table of {names}")


def to_ticks(
    block: Block, field: str, prices: np.ndarray[Any, Any], instrument: Instrument, scale: int = 1
) -> np.ndarray[Any, Any]:
    """Return positive ``prices`` (in 1/``scale`` of the price currency) in ticks, shape unchanged.

    A price that is not positive or not on the tick grid raises :class:`MalformedRow`.
    """
    numerator, denominator = instrument.tick_size.as_integer_ratio()
    block.require(prices > 0, field, prices, "a price above 0")
    steps = prices * (denominator / (numerator * scale))
    block.require(steps < _STEPS_MAX, field, prices, "a price of less than 2**53 ticks")
    ticks = np.rint(steps)
    expected = f"a multiple of the tick {instrument.tick_size} of {instrument.symbol} (give it a finer tick_size)"
    block.require(np.abs(steps - ticks) < 1e-4, field, prices, expected)
    return ticks.astype(np.int64)


def to_lots(block: Block, field: str, sizes: np.ndarray[Any, Any], instrument: Instrument) -> np.ndarray[Any, Any]:
    """Return ``sizes`` >= 0 in lots; :class:`MalformedRow` for a negative size or a broken lot."""
    numerator, denominator = instrument.lot_size.as_integer_ratio()
    block.require(sizes >= 0, field, sizes, "a size of 0 or more")
    steps = sizes * (denominator / numerator)
    block.require(steps < _STEPS_MAX, field, sizes, "a size of less than 2**53 lots")
    lots = np.rint(steps)
    expected = f"a multiple of the lot {instrument.lot_size} of {instrument.symbol} (give it a finer lot_size)"
    block.require(np.abs(steps - lots) < 1e-4, field, sizes, expected)
    return lots.astype(np.int64)


class TimeOrder:
    """Checks that times never go back, across blocks and files."""

    def __init__(self, field: str) -> None:
        self._field, self._last, self._where = field, np.iinfo(np.int64).min, ""

    def check(self, block: Block, times: np.ndarray[Any, Any], shown: Any) -> None:
        """Raise :class:`MalformedRow` for the first of ``times`` (ns) below the one before; ``shown`` is its text."""
        if times.size == 0:
            return
        previous = np.concatenate(([self._last], times[:-1]))
        where = f" in {self._where}" if times[0] < self._last and self._where != block.label else ""
        block.require(times >= previous, self._field, shown, f"a time not before the previous row's{where}")
        self._last, self._where = int(times[-1]), block.label
