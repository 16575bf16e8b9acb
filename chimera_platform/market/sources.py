"""Where market events come from: one protocol for files, captures, the journal and the simulator."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from chimera_platform.errors import ChimeraError, ConfigurationError, DataError
from chimera_platform.market.formats.registry import FORMATS, FileFormat
from chimera_platform.market.formats.stream import Stream
from chimera_platform.market.instruments import Instrument, Universe, find_instrument
from chimera_platform.market.merging import merge_streams, rebatch

_DATA_SUFFIXES = (".zip", ".gz", ".csv", ".parquet")


@runtime_checkable
class EventSource(Protocol):
    """A finite, repeatable stream of market events in one deterministic order."""

    @property
    def universe(self) -> Universe:
        """The instruments; an event's ``instrument_id`` is an index into it."""
        ...

    @property
    def description(self) -> str:
        """Canonical identity of the data: equal descriptions mean equal events."""
        ...

    def batches(self, batch_size: int, start: int = 0) -> Iterator[np.ndarray[Any, Any]]:
        """Yield arrays of ``EVENT_DTYPE``, each of exactly ``batch_size`` rows except the last.

        The cut into batches does not depend on files or chunks; ``start`` is the ``event_no`` to begin at.
        """
        ...


class FileSource:
    """Events of recorded files, merged in the order of (ts_event, order of the files).

    Parameters
    ----------
    format_name : one of ``FORMATS``, part of the description.
    streams : what the format module made of them.
    universe : the instruments that events may refer to.
    """

    def __init__(self, format_name: str, streams: Sequence[Stream], universe: Universe) -> None:
        self.universe = universe
        self._format, self._streams = format_name, tuple(streams)

    @cached_property
    def description(self) -> str:
        """Format, instruments, and each file's name, size and the first half of its SHA-256."""
        units = [
            f"{i.symbol}:{i.tick_size.normalize()}:{i.lot_size.normalize()}:{i.assumed_size}"
            for i in self.universe.instruments
        ]
        paths = [path for stream in self._streams for path in stream.paths]
        files = [f"{path.name}:{path.stat().st_size}:{_content_hash(path)}" for path in paths]
        return f"format={self._format}; instruments={','.join(units)}; files={','.join(files)}"

    def batches(self, batch_size: int, start: int = 0) -> Iterator[np.ndarray[Any, Any]]:
        """Yield the events from number ``start`` in batches; see :meth:`EventSource.batches`."""
        if batch_size < 1 or start < 0:
            raise ConfigurationError(f"batch_size {batch_size} must be at least 1 and start {start} at least 0")
        ids = {symbol: i for i, symbol in enumerate(self.universe.symbols)}
        yield from rebatch(merge_streams([s.chunks(ids) for s in self._streams]), batch_size, start)


def open_source(
    paths: Path | str | Sequence[Path | str],
    format: str | None,
    instruments: Mapping[str, Instrument],
    symbols: Sequence[str] | None = None,
) -> EventSource:
    """Return the recorded events of ``paths``.

    Parameters
    ----------
    paths : files or folders; of a folder, all files below it that the format recognises.
    format : one of ``lobster, binance, oanda, comex, csv, parquet, journal``; None: guessed from the content.
    instruments : the known instruments by symbol.
    symbols : those wanted, in the universe's order; None: all that the files hold.

    Raises
    ------
    ConfigurationError : unknown format or symbol.
    DataError : a file is missing, empty, damaged, or not of the format.
    """
    given = [Path(p) for p in ([paths] if isinstance(paths, str | Path) else paths)]
    if not given:
        raise ConfigurationError("no file to read was given")
    for path in given:
        if not path.exists():
            raise DataError(f"{path}: no such file or folder")
    for symbol in symbols or ():
        if symbol not in instruments:
            find_instrument(dict(instruments), symbol.partition(".")[0])  # ROOT.CONTRACT takes its units from ROOT
    if format == "journal" or (format is None and len(given) == 1 and _is_journal(given[0])):
        return _open_journal(given, instruments, symbols)
    if format is not None and format not in FORMATS:
        raise _unavailable("format", format, [*FORMATS, "journal"])
    name, files = _files_of_one_format(given, format)
    streams = FORMATS[name].open_streams(files, instruments, symbols)
    found = {instrument.symbol: instrument for stream in streams for instrument in stream.instruments}
    wanted = list(dict.fromkeys(symbols if symbols is not None else found))
    for symbol in wanted:
        if symbol not in found:
            raise ConfigurationError(f"symbol '{symbol}' is not in the data; it holds: {', '.join(found)}")
    streams = [s for s in streams if any(i.symbol in wanted for i in s.instruments)]
    return FileSource(name, streams, Universe([found[symbol] for symbol in wanted]))


def _files_of_one_format(given: Sequence[Path], format: str | None) -> tuple[str, list[Path]]:
    """Return the format and its files; a file named by the user must be of it, one found in a folder may not be."""
    candidates = {format: FORMATS[format]} if format is not None else FORMATS
    files: list[Path] = []
    formats: set[str] = set()
    for path in given:
        inside = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        recognised = [(p, name) for p in inside if (name := _recognise(p, candidates, strict=p is path)) is not None]
        if not recognised:
            raise _not_recognised(path, candidates)
        files += [p for p, _ in recognised]
        formats |= {name for _, name in recognised}
    if len(formats) > 1:
        raise DataError(
            f"{', '.join(map(str, given))}: files of several formats ({', '.join(sorted(formats))}); name one"
        )
    return formats.pop(), files


def _recognise(path: Path, candidates: Mapping[str, FileFormat], strict: bool) -> str | None:
    """Return the format of a file; a damaged file is an error unless it is a stray one that no reader would take."""
    for name, candidate in candidates.items():
        try:
            if candidate.recognises(path):
                return name
        except ChimeraError:
            if strict or path.suffix.lower() in _DATA_SUFFIXES:
                raise
            return None
    return None


def _not_recognised(path: Path, candidates: Mapping[str, FileFormat]) -> DataError:
    expected = "; ".join(f"{name}: {f.EXPECTED}" for name, f in candidates.items())
    return DataError(f"{path}: {'no file inside is' if path.is_dir() else 'not'} of the expected format ({expected})")


def _is_journal(path: Path) -> bool:
    from chimera_platform.journal.manifest import NAME

    return path.is_dir() and any(any(path.glob(pattern)) for pattern in (NAME, f"*/{NAME}", f"journal/*/{NAME}"))


def _open_journal(
    paths: Sequence[Path], instruments: Mapping[str, Instrument], symbols: Sequence[str] | None
) -> EventSource:
    from chimera_platform.journal.source import JournalSource

    if len(paths) != 1 or symbols is not None:
        raise ConfigurationError("a journal is read alone and whole: one folder and no choice of symbols")
    source: EventSource = JournalSource(paths[0], dict(instruments))
    return source


def _unavailable(what: str, name: str, available: Sequence[str]) -> ConfigurationError:
    planned = {"dbn", "fix", "ibkr"}
    reason = "is not available yet" if name in planned else "is unknown"
    return ConfigurationError(f"{what} '{name}' {reason}; available: {', '.join(available)}")


def _content_hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:32]
