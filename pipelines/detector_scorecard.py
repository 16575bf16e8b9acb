"""What the detectors' signals were worth, over all usable days: lift and forward returns with intervals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from chimera_platform.market.city_sessions import CitySession
from chimera_platform.regimes.names import Regime
from chimera_platform.signals.directional import SIGNALS
from chimera_platform.signals.forward_returns import HORIZONS_NS
from chimera_platform.signals.lift import SUMS, Edge, bin_width, edge_of_sums
from chimera_platform.workdir import WorkDir
from pipelines.detecting import CHANGE_COLUMNS
from warehouse.connection import connect

MINUTE_NS = 60_000_000_000
ALL = "all"
_USABLE = """
    LEFT JOIN learning.data_quality AS q ON q.run_id = d.run_id AND q.day = d.day
    WHERE NOT coalesce(q.quarantined, false)"""
_SIGNALS = f"""
    SELECT d.run_id, i.symbol, d.ts_event // {MINUTE_NS} AS minute, d.signal, d.direction, d.session, d.regime,
        d.spread, {", ".join(f"d.{name}" for name in CHANGE_COLUMNS)}
    FROM learning.detections AS d
    JOIN staging.instruments AS i ON i.run_id = d.run_id AND i.instrument_id = d.instrument_id {_USABLE}
        AND d.signal IS NOT NULL
    ORDER BY d.run_id, d.event_no"""
_CHANGES = f"""
    SELECT d.run_id, i.symbol, d.minute_ts // {MINUTE_NS} AS minute, d.session, d.regime, d.horizon_s, d.moments,
        d.ups, d.downs
    FROM learning.price_changes AS d
    JOIN staging.instruments AS i ON i.run_id = d.run_id AND i.instrument_id = d.instrument_id {_USABLE}
    ORDER BY d.run_id, d.minute_ts"""


@dataclass(frozen=True)
class SignalEdge:
    """What one signal was worth over one horizon, on one symbol, in one part of the time."""

    symbol: str
    signal: str
    horizon: int  # index into HORIZONS_NS
    part: str  # ALL, a session or a regime
    edge: Edge


def scorecard_of_days(workdir: WorkDir) -> list[SignalEdge]:
    """Return the worth of every signal that spoke on a usable day: by symbol, horizon, and session or regime.

    Days that are quarantined do not count. Runs follow each other as if time went on. Bins are of whole minutes, wide
    enough for their number to stay bounded however many days there are.
    """
    connection = connect(workdir)
    try:
        signals, changes = connection.execute(_SIGNALS).pl(), connection.execute(_CHANGES).pl()
    finally:
        connection.close()
    found = []
    for symbol in sorted(set(changes["symbol"])):
        own, free = signals.filter(pl.col("symbol") == symbol), changes.filter(pl.col("symbol") == symbol)
        minutes = max(1, bin_width(free.select("run_id", "minute").n_unique() * MINUTE_NS) // MINUTE_NS)
        own, free = (f.with_columns(pl.col("minute") // minutes) for f in (own, free))
        for signal in (s.name for s in SIGNALS):
            said = own.filter(pl.col("signal") == signal)
            for part, condition in _parts():
                inside = said.filter(condition)
                if len(inside):
                    every = free.filter(condition)
                    found += [
                        SignalEdge(symbol, signal, h, part, _edge(inside, every, h, minutes))
                        for h in range(len(HORIZONS_NS))
                    ]
    return found


def _parts() -> Iterator[tuple[str, pl.Expr]]:
    yield ALL, pl.lit(True)
    for session in CitySession:
        yield session.name.lower(), pl.col("session") == int(session)
    for regime in Regime:
        yield regime.name.lower(), pl.col("regime") == int(regime)


def _edge(said: pl.DataFrame, every: pl.DataFrame, horizon: int, minutes: int) -> Edge:
    change = pl.col(CHANGE_COLUMNS[horizon])
    signed, has_spread = change * pl.col("direction"), pl.col("spread") > 0
    own = (
        said.filter(change.is_not_null())
        .group_by("run_id", "minute")
        .agg(
            pl.len().alias("known"),
            (signed > 0).sum().alias("hits"),
            (signed < 0).sum().alias("misses"),
            signed.sum().alias("ticks"),
            (signed / pl.col("spread")).filter(has_spread).sum().alias("spreads"),
            has_spread.sum().alias("with_spread"),
            (pl.col("direction") > 0).sum().alias("bullish"),
            (pl.col("direction") < 0).sum().alias("bearish"),
        )
    )
    free = (
        every.filter((pl.col("horizon_s") == HORIZONS_NS[horizon] // 1_000_000_000) & (pl.col("moments") > 0))
        .group_by("run_id", "minute")
        .agg(pl.col("moments").sum().alias("seconds"), pl.col("ups").sum(), pl.col("downs").sum())
    )
    joined = own.join(free, on=["run_id", "minute"], how="full", coalesce=True).sort("run_id", "minute")
    sums = joined.select(pl.col(name).fill_null(0).cast(pl.Float64) for name in SUMS).to_numpy()
    return edge_of_sums(np.ascontiguousarray(sums), len(said), horizon, minutes * MINUTE_NS)
