"""Small source files for tests, in the forms that the publishers use."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chimera_platform.market.instruments import Instrument, load_instruments
from chimera_platform.market.sources import EventSource, open_source

INSTRUMENTS: dict[str, Instrument] = load_instruments()


def write_zip(path: Path, members: dict[str, str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def write_oanda(folder: Path, day: str, rows: Sequence[str], symbol: str = "xauusd") -> Path:
    return write_zip(folder / f"{day}_quote.zip", {f"{day}_{symbol}_tick_quote.csv": "\n".join(rows)})


def write_lobster(folder: Path, messages: Sequence[str], books: Sequence[str] | None, day: str = "2012-06-21") -> Path:
    name = f"GOOG_{day}_34200000_57600000_{{}}_1.csv"
    members = {name.format("message"): "\n".join(messages)}
    if books is not None:
        members[name.format("orderbook")] = "\n".join(books)
    return write_zip(folder / f"LOBSTER_GOOG_{day}.zip", members)


class Capture:
    """Lines of a Binance capture of BTCUSDT, a millisecond apart."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def _add(self, message: dict[str, Any]) -> None:
        self.lines.append(
            f"{1_723_161_255_000_000_000 + 1_000_000 * len(self.lines)} {json.dumps(message, separators=(',', ':'))}"
        )

    @property
    def now(self) -> int:
        return 1_723_161_256_000 + len(self.lines)

    def snapshot(self, last_id: int, bids: Sequence[Sequence[str]], asks: Sequence[Sequence[str]]) -> None:
        self._add({"lastUpdateId": last_id, "E": self.now, "T": self.now, "bids": bids, "asks": asks})

    def depth(self, ids: tuple[int, int, int], bids: Sequence[Sequence[str]], asks: Sequence[Sequence[str]]) -> None:
        first, last, previous = ids
        data = {"e": "depthUpdate", "E": self.now, "T": self.now, "s": "BTCUSDT", "U": first, "u": last, "pu": previous}
        self._add({"stream": "btcusdt@depth@0ms", "data": data | {"b": bids, "a": asks}})

    def trade(self, number: int, price: str, size: str, buyer_is_maker: bool, time: int | None = None) -> None:
        data = {"e": "trade", "E": self.now, "T": time or self.now, "s": "BTCUSDT", "t": number, "p": price, "q": size}
        self._add({"stream": "btcusdt@trade", "data": data | {"X": "MARKET", "m": buyer_is_maker}})

    def write(self, path: Path) -> Path:
        path.write_bytes(gzip.compress("".join(f"{line}\n" for line in self.lines).encode()))
        return path


def read(paths: Any, format: str | None = None, symbols: Sequence[str] | None = None) -> np.ndarray[Any, Any]:
    """All events of the files."""
    return read_source(open_source(paths, format, INSTRUMENTS, symbols))


def read_source(source: EventSource) -> np.ndarray[Any, Any]:
    return np.concatenate(list(source.batches(100_000)))


def rows(events: np.ndarray[Any, Any], *names: str) -> list[tuple[int, ...]]:
    """The named fields of all events, as plain tuples."""
    return [tuple(int(event[name]) for name in names) for event in events]


def cut_file(path: Path, to: Path, share: float) -> Path:
    """A copy that ends after ``share`` of the bytes."""
    data = path.read_bytes()
    to.write_bytes(data[: int(len(data) * share)])
    return to
