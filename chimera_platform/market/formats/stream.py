"""What a format module gives: streams of events, each in time order, for the source to merge."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from chimera_platform.errors import ConfigurationError, DataError
from chimera_platform.market.events import EVENT_DTYPE
from chimera_platform.market.formats.text import Block, TextFile, TimeOrder
from chimera_platform.market.instruments import Instrument

NS_PER_MS = 1_000_000
NS_PER_DAY = 86_400_000_000_000

_DATE = re.compile(r"(?<!\d)(\d{4})[-_]?(\d{2})[-_]?(\d{2})(?!\d)")


@dataclass(frozen=True)
class Stream:
    """Events of one or more instruments, in time order.

    Attributes
    ----------
    instruments : those it holds.
    paths : the files it is read from, which are its identity.
    chunks : given each symbol's ``instrument_id``, yields arrays of ``EVENT_DTYPE`` of bounded size; the records
        of one source event never lie in two chunks.
    """

    instruments: tuple[Instrument, ...]
    paths: tuple[Path, ...]
    chunks: Callable[[Mapping[str, int]], Iterator[np.ndarray[Any, Any]]]


@dataclass(frozen=True)
class DayFile:
    """One day of one symbol."""

    day: date
    text: TextFile


ParseDay = Callable[[Block, date, Instrument, int, TimeOrder], np.ndarray[Any, Any]]


def stream_of_days(instrument: Instrument, files: Sequence[DayFile], parse: ParseDay) -> Stream:
    """Return one symbol's files, which count milliseconds from midnight, as one stream in the order of their days.

    Parameters
    ----------
    parse : given a block of lines, its day, the instrument, its ``instrument_id`` and the check that times never go
        back, returns the block's events; ``seq`` is filled here, counting over all files.
    """
    files = sorted(files, key=lambda file: file.day)

    def chunks(ids: Mapping[str, int]) -> Iterator[np.ndarray[Any, Any]]:
        seq, order = 0, TimeOrder("ms")
        for file in files:
            for block in file.text.blocks():
                events = parse(block, file.day, instrument, ids[instrument.symbol], order)
                events["seq"] = np.arange(seq, seq + events.size)
                seq += events.size
                yield events

    return Stream((instrument,), tuple(file.text.path for file in files), chunks)


def new_events(count: int, instrument_id: int) -> np.ndarray[Any, Any]:
    """Return ``count`` zeroed events of one instrument."""
    events = np.zeros(count, EVENT_DTYPE)
    events["instrument_id"] = instrument_id
    return events


def date_in_name(*names: str) -> date:
    """Return the first date (``YYYYMMDD`` or ``YYYY-MM-DD``) in ``names``; :class:`DataError` where there is none."""
    for name in names:
        for year, month, day in _DATE.findall(name):
            try:
                return date(int(year), int(month), int(day))
            except ValueError:
                continue
    raise DataError(f"{names[0]}: no date in the file's name; expected YYYYMMDD or YYYY-MM-DD, which dates its rows")


def find_symbol(
    named: str | None, path: Path, instruments: Mapping[str, Instrument], symbols: Sequence[str] | None
) -> str | None:
    """Return the symbol of a file; None for one whose name says that it is not among ``symbols``.

    Parameters
    ----------
    named : what the file's own name says; None where it says nothing: then the folder's name counts, or else the
        only symbol that was asked for.

    Raises
    ------
    ConfigurationError : no known symbol is found.
    """
    known = {symbol.upper(): symbol for symbol in instruments}
    if named is not None and named.upper() not in known and symbols is not None:
        return None
    for candidate in (named,) if named is not None else (path.resolve().parent.name,):
        if candidate.upper() in known:
            return known[candidate.upper()]
    if named is None and symbols is not None and len(symbols) == 1:
        return symbols[0]
    said = f"'{named}' is" if named is not None else "the name of file or folder gives"
    raise ConfigurationError(
        f"{path}: {said} no known symbol; known: {', '.join(instruments)}; add it to the instruments file"
        + ("" if named is not None else ", or ask for exactly one symbol")
    )
