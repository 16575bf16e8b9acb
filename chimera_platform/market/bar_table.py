"""The table of the ``bars`` command: bars in real prices and sizes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from chimera_platform.market.bars import BarBuilder
from chimera_platform.market.instruments import Instrument, Universe
from chimera_platform.market.sources import EventSource

_BATCH_SIZE = 16_384
_MID = ("open", "high", "low", "close")
_QUOTED = tuple(f"{side}_{part}" for side in ("bid", "ask") for part in _MID)
_TRADED = tuple(f"trade_{part}" for part in _MID)
_SIZES = ("volume", "buy_volume", "sell_volume")
_COUNTS = ("trades", "quotes", "events")

BAR_TABLE_SCHEMA = pa.schema(
    [
        pa.field("ts_ns", pa.int64(), nullable=False),  # open time, UTC; of a tick bar, its first event
        pa.field("symbol", pa.string(), nullable=False),
        *(pa.field(name, pa.float64()) for name in _MID),  # of the mid; of the trades in a bar without quotes
        *(pa.field(name, pa.float64()) for name in (*_QUOTED, *_TRADED)),  # null in a bar without quotes / trades
        *(pa.field(name, pa.float64(), nullable=False) for name in (*_SIZES, "delta")),  # delta: bought - sold
        pa.field("vwap", pa.float64()),  # null in a bar without volume
        *(pa.field(name, pa.int64(), nullable=False) for name in _COUNTS),
    ]
)


def bar_table(source: EventSource, interval: str) -> Iterator[pa.RecordBatch]:
    """Yield the bars of a source as :data:`BAR_TABLE_SCHEMA`, in the order of closing; the last ones are unfinished.

    Parameters
    ----------
    source : the events.
    interval : name of the timeframe, see :func:`~chimera_platform.market.bars.parse_interval`.
    """
    builder = BarBuilder(source.universe, [interval])
    for events in source.batches(_BATCH_SIZE):
        closed = builder.update(events)
        if closed.size:
            yield to_real_units(closed, source.universe)
    rest = builder.unfinished()
    if rest.size:
        yield to_real_units(rest, source.universe)


def to_real_units(bars: np.ndarray[Any, Any], universe: Universe) -> pa.RecordBatch:
    """Return bars (n,) of ``BAR_DTYPE`` as :data:`BAR_TABLE_SCHEMA`, rows in the same order."""
    real = {name: np.zeros(bars.size) for name in (*_MID, *_QUOTED, *_TRADED, *_SIZES, "delta", "vwap")}
    for instrument_id in np.unique(bars["instrument_id"]).tolist():
        rows = bars["instrument_id"] == instrument_id
        for name, values in _real_columns(bars[rows], universe[instrument_id]).items():
            real[name][rows] = values
    has_quotes, has_trades = bars["quotes"] > 0, bars["trades"] > 0
    missing = {
        **dict.fromkeys(_MID, ~has_quotes & ~has_trades),
        **dict.fromkeys(_QUOTED, ~has_quotes),
        **dict.fromkeys(_TRADED, ~has_trades),
        "vwap": bars["volume"] == 0,
    }
    columns: dict[str, Any] = {
        "ts_ns": bars["ts_open"],
        "symbol": [universe.symbols[i] for i in bars["instrument_id"].tolist()],
        **{name: pa.array(values, mask=missing.get(name)) for name, values in real.items()},
        **{name: bars[name] for name in _COUNTS},
    }
    return pa.record_batch([pa.array(columns[f.name], f.type) for f in BAR_TABLE_SCHEMA], schema=BAR_TABLE_SCHEMA)


def _real_columns(bars: np.ndarray[Any, Any], instrument: Instrument) -> dict[str, np.ndarray[Any, Any]]:
    price, size = instrument.ticks_to_price, instrument.lots_to_size
    has_quotes = bars["quotes"] > 0
    columns = {name: price(bars[name]) for name in (*_QUOTED, *_TRADED)}
    columns |= {name: np.where(has_quotes, price(bars[name]) / 2, columns[f"trade_{name}"]) for name in _MID}
    columns |= {name: size(bars[name]) for name in _SIZES}
    columns["delta"] = size(bars["buy_volume"] - bars["sell_volume"])
    columns["vwap"] = price(bars["turnover"]) / np.maximum(bars["volume"], 1)
    return columns
