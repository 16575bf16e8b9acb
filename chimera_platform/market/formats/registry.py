"""The file formats by name; each module recognises its files and turns them into streams of events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from chimera_platform.market.formats import binance, comex, csv, lobster, oanda, parquet
from chimera_platform.market.formats.stream import Stream
from chimera_platform.market.instruments import Instrument


class FileFormat(Protocol):
    """What a format module offers."""

    EXPECTED: str  # one line: what a file of the format looks like

    def recognises(self, path: Path) -> bool:
        """Return whether the file's content is of this format."""
        ...

    def open_streams(
        self, paths: Sequence[Path], instruments: Mapping[str, Instrument], symbols: Sequence[str] | None
    ) -> list[Stream]:
        """Return the streams that the files hold, in the order that decides between equal times."""
        ...


# In the order in which the content is tried; the generic tables come last.
FORMATS: dict[str, FileFormat] = {
    "oanda": oanda,
    "lobster": lobster,
    "binance": binance,
    "comex": comex,
    "parquet": parquet,
    "csv": csv,
}
