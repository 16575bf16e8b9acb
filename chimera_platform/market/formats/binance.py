"""Binance captures, futures and spot: websocket messages as they came, each behind its time of receipt.

A line is ``<recv_ns> <json>``: combined-stream messages ``depthUpdate``, ``trade`` and ``bookTicker``, and REST depth
snapshots (``lastUpdateId``). A capture holds one symbol; the files of a symbol are one recording, in the order of
the dates in their names. Only the first needs a snapshot.

- A snapshot becomes CLEAR and LEVEL records with SNAPSHOT, ``seq`` its ``lastUpdateId``.
- A depth update becomes one LEVEL record a level, ``seq`` its last update id ``u``. Updates are held back until a
  snapshot has come; those that reach past it follow it, the older ones are dropped, as the exchange prescribes.
- An update whose ``pu`` is not the ``u`` before it means lost messages: STATUS GAP with its ``seq``, and updates are
  held back again until the next snapshot. A snapshot that comes while the book is in step is not needed and skipped.
- A trade becomes TRADE, ``seq`` its trade id, ``side`` the aggressor.
- ``bookTicker`` becomes nothing: it is an answer key, read by :func:`read_book_tickers`.

``ts_event`` is the exchange's transaction time ``T``; spot's depth updates have the event time ``E`` instead, its
snapshots and ``bookTicker`` neither: there the time of receipt stands in. Streams are sent side by side, so ``T``
goes back by milliseconds between them: events keep the order of receipt, and a time never runs behind the event
before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chimera_platform.errors import ConfigurationError, DataError
from chimera_platform.market.formats.binance_messages import (
    book_tickers,
    depth_updates,
    snapshots,
    split_lines,
    trades,
)
from chimera_platform.market.formats.binance_sync import DepthSynchroniser
from chimera_platform.market.formats.stream import Stream, find_symbol
from chimera_platform.market.formats.text import TextFile, TimeOrder, text_files
from chimera_platform.market.instruments import Instrument

EXPECTED = "gzip or text of lines '<recv_ns> <json>' with streams depth, trade and bookTicker"

_LINE = re.compile(r'\d{19} \{\s*"(stream|lastUpdateId)"\s*:')
_SYMBOL = re.compile(rb'"s"\s*:\s*"([^"]+)"')
_DATE = re.compile(r"\d{8}")


def recognises(path: Path) -> bool:
    """Return whether ``path`` is a Binance capture."""
    files = text_files(path)
    return len(files) == 1 and _LINE.match(files[0].first_line()) is not None


def open_streams(
    paths: Sequence[Path], instruments: Mapping[str, Instrument], symbols: Sequence[str] | None
) -> list[Stream]:
    """Return one stream a symbol, its files as one recording."""
    captures: dict[str, list[TextFile]] = {}
    for path in paths:
        (text,) = text_files(path)
        symbol = find_symbol(_symbol_of(text), path, instruments, symbols)
        if symbol is not None:
            captures.setdefault(symbol, []).append(text)
    return [_stream(instruments[symbol], _in_date_order(texts)) for symbol, texts in captures.items()]


def read_book_tickers(paths: Sequence[Path], instruments: Mapping[str, Instrument]) -> Iterator[np.ndarray[Any, Any]]:
    """Yield the exchange's own best bid and offer of one symbol's captures, arrays of ``BOOK_TICKER_DTYPE``."""
    texts = _in_date_order([text for path in paths for text in text_files(path)])
    symbols = sorted({_symbol_of(text) for text in texts})
    if len(symbols) != 1 or symbols[0] not in instruments:
        raise ConfigurationError(f"expected captures of one known symbol, not {symbols}")
    instrument = instruments[symbols[0]]
    for text in texts:
        for block in text.blocks():
            yield book_tickers(block, split_lines(block), instrument)


def _symbol_of(text: TextFile) -> str:
    """Return the symbol of the first message that names one; snapshots of some markets do not."""
    for block in text.blocks():
        found = _SYMBOL.search(block.data)
        if found is not None:
            return found.group(1).decode("utf-8", "replace")
    raise DataError(f"{text.label}: no message names a symbol; expected {EXPECTED}")


def _in_date_order(texts: list[TextFile]) -> list[TextFile]:
    """Order files by the date in their names; a file without one keeps its place at the front."""
    return sorted(texts, key=lambda text: max(_DATE.findall(text.name), default=""))


def _require_snapshot(texts: Sequence[TextFile]) -> None:
    has_depth = False
    for text in texts:
        for block in text.blocks():
            if b'"lastUpdateId"' in block.data:
                return
            has_depth = has_depth or b'"depthUpdate"' in block.data
    if has_depth:
        names = ", ".join(str(text.path) for text in texts)
        raise DataError(
            f"{names}: depth updates but no snapshot (a line with lastUpdateId), so the book is unknown; "
            "give the capture that this one continues as well"
        )


def _stream(instrument: Instrument, texts: Sequence[TextFile]) -> Stream:
    def chunks(ids: Mapping[str, int]) -> Iterator[np.ndarray[Any, Any]]:
        _require_snapshot(texts)
        instrument_id = ids[instrument.symbol]
        synchroniser = DepthSynchroniser(instrument_id)
        order, latest = TimeOrder("recv_ns"), 0
        for text in texts:
            for block in text.blocks():
                lines = split_lines(block)
                order.check(block, lines["recv_ns"].to_numpy(), lines["recv_ns"])
                traded, trade_rows = trades(block, lines, instrument, instrument_id)
                depth, depth_rows = synchroniser.feed(
                    *depth_updates(block, lines, instrument, instrument_id),
                    *snapshots(block, lines, instrument, instrument_id),
                )
                events = np.concatenate((depth, traded))
                events = events[np.argsort(np.concatenate((depth_rows, trade_rows)), kind="stable")]
                if events.size:
                    events["ts_event"] = np.maximum(np.maximum.accumulate(events["ts_event"]), latest)
                    latest = int(events["ts_event"][-1])
                    yield events

    return Stream((instrument,), tuple(text.path for text in texts), chunks)
