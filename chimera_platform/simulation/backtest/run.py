"""The backtest: a source through the decision path, and what came of it.

The same kernels as the live flow, so the digest equals that of a replay of the same events under the same
configuration and releases.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chimera_platform.configuration import Configuration
from chimera_platform.market.sources import EventSource
from chimera_platform.portfolio.daily_returns import daily_equity
from chimera_platform.portfolio.market_path import MarketPaths, market_activity, new_market_paths
from chimera_platform.portfolio.monte_carlo import monte_carlo
from chimera_platform.portfolio.performance import Performance, engine_metrics, trades_of
from chimera_platform.portfolio.trade_moves import trade_moves
from chimera_platform.releases import Release
from chimera_platform.simulation.backtest.deciding import Schedule, days_of, decide
from chimera_platform.simulation.backtest.fused import FusedPath
from chimera_platform.simulation.backtest.ledger import TABLES, RunLedger
from chimera_platform.simulation.backtest.out_tables import OutTables

Array = np.ndarray[Any, Any]
BATCH_SIZE = 65_536


@dataclass(frozen=True)
class BacktestResult:
    """What a backtest decided and earned.

    Attributes
    ----------
    intents, decisions, orders, fills, marks, risk_events, risk_marks : the run's tables in row-number order; the
        dtypes of :mod:`chimera_platform.execution.records`, or the fields of them that metrics and reports read.
    digest : of intents, orders and fills, 64 hex digits (:mod:`chimera_platform.digest`).
    metrics : of the whole account.
    engine_metrics : engine in lower case → metrics of its own trades; ``net_profit`` there is the realised one.
    monte_carlo : trades and days resampled, entries and sides at random
        (:func:`chimera_platform.portfolio.monte_carlo.monte_carlo`).
    events : how many were run.
    seconds : wall-clock time in the decision path, without reading the source.
    description : the source's.
    symbols : of the source, by instrument_id.
    starting_equity : currency units.
    days : UTC day numbers with events.
    event_days : their first and last event, DAY_DTYPE.
    trades : TRADE_DTYPE, with each one's strategy and regime.
    settings : the configuration in force, as JSON values by section.
    """

    intents: Array
    decisions: Array
    orders: Array
    fills: Array
    marks: Array
    risk_events: Array
    risk_marks: Array
    digest: str
    metrics: Performance
    engine_metrics: dict[str, dict[str, float | int | None]]
    monte_carlo: dict[str, Any]
    events: int
    seconds: float
    description: str
    symbols: tuple[str, ...]
    starting_equity: float
    days: Array
    event_days: Array
    trades: Array
    settings: dict[str, Any]

    @property
    def events_per_second(self) -> float:
        """Events by the time in the decision path."""
        return self.events / self.seconds if self.seconds > 0 else 0.0


def run_backtest(
    source: EventSource,
    configuration: Configuration,
    release: Release | None = None,
    batch_size: int = BATCH_SIZE,
    release_schedule: Schedule | None = None,
    seed: int = 7,
    progress: Callable[[int], None] | None = None,
    out_folder: Path | None = None,
    keep_rows: bool = True,
) -> BacktestResult:
    """Run a source through the decision path.

    Parameters
    ----------
    source : the events.
    configuration : settings of the run.
    release : in force from the first event, as release number 0.
    batch_size : events at a time; the result does not depend on it.
    release_schedule : changes in force from their events on, as release numbers 1, 2, …, in the order
        given, as a recorded run's journal has them; event numbers ascend.
    seed : of the Monte Carlo bootstrap, not of anything that decides.
    progress : called with the number of events run, after each batch.
    out_folder : write ``intents.parquet``, ``orders.parquet`` and ``fills.parquet`` there as the run goes on.
    keep_rows : keep all fields of all rows in memory; without, the tables of the result have
        :data:`~chimera_platform.simulation.backtest.ledger.SUMMARY_FIELDS` alone.

    Raises
    ------
    ChimeraError
        If the source, the configuration or a release cannot be used.
    """
    market = new_market_paths(source.universe.records)
    path = FusedPath(source.universe, configuration, market=market)
    ledger = RunLedger(configuration, tuple(TABLES), whole_rows=keep_rows)
    nanoseconds = 0
    with OutTables(out_folder) if out_folder is not None else nullcontext() as out:
        for batch in decide(path, source, release, batch_size, release_schedule or ()):
            ledger.take(len(batch.events), days_of(batch.events), batch.output)
            if out is not None:
                out.write(batch.output)
            nanoseconds += batch.nanoseconds
            if progress is not None:
                progress(ledger.events)
    trades = trades_of(ledger.rows("fills"), ledger.rows("intents"))
    return BacktestResult(
        **{name: ledger.rows(name) for name in TABLES},
        digest=ledger.digest,
        metrics=ledger.performance(market_activity(market)),
        engine_metrics=engine_metrics(trades),
        monte_carlo=_monte_carlo(ledger, trades, market, seed),
        events=ledger.events,
        seconds=nanoseconds / 1e9,
        description=source.description,
        symbols=source.universe.symbols,
        starting_equity=ledger.starting_equity,
        days=ledger.days["day"],
        event_days=ledger.days,
        trades=trades,
        settings=configuration.model_dump(mode="json"),
    )


def _monte_carlo(ledger: RunLedger, trades: Array, market: MarketPaths, seed: int) -> dict[str, Any]:
    """Resample the run; daily profits are the changes of equity from the end of one day to that of the next."""
    moves = trade_moves(ledger.rows("fills"), trades, market.tick_values)
    equity = daily_equity(ledger.rows("marks"), ledger.days["day"], ledger.starting_equity)
    daily = np.diff(equity, prepend=ledger.starting_equity)
    return monte_carlo(moves.trades["net_nanos"] / 1e9, daily, seed, moves, market)
