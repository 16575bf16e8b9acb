"""The backtest: a source through the decision path, and what came of it.

The same kernels as the live flow, so the digest equals that of a replay of the same events under the same
configuration and releases.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chimera_platform.configuration import Configuration
from chimera_platform.coordinator import CoordinatorOutput
from chimera_platform.decision_path import DecisionPath
from chimera_platform.digest import RunDigest
from chimera_platform.execution.records import (
    DECISION_DTYPE,
    FILL_DTYPE,
    INTENT_DTYPE,
    MARK_DTYPE,
    ORDER_EVENT_DTYPE,
)
from chimera_platform.market.sources import EventSource
from chimera_platform.portfolio.monte_carlo import bootstrap
from chimera_platform.portfolio.performance import Performance, engine_metrics, measure, trades_of
from chimera_platform.releases import Release
from chimera_platform.simulation.deciding import days_of, decide

Array = np.ndarray[Any, Any]
BATCH_SIZE = 65_536
_TABLES: tuple[tuple[str, np.dtype[Any]], ...] = (
    ("intents", INTENT_DTYPE),
    ("decisions", DECISION_DTYPE),
    ("orders", ORDER_EVENT_DTYPE),
    ("fills", FILL_DTYPE),
    ("marks", MARK_DTYPE),
)


@dataclass(frozen=True)
class BacktestResult:
    """What a backtest decided and earned.

    Attributes
    ----------
    intents, decisions, orders, fills, marks : the run's tables in row-number order; the dtypes of
        :mod:`chimera_platform.execution.records`.
    digest : of intents, orders and fills, 64 hex digits (:mod:`chimera_platform.digest`).
    metrics : of the whole account.
    engine_metrics : engine in lower case → metrics of its own trades; ``net_profit`` there is the realised one.
    monte_carlo : the bootstrap of the closed trades (:func:`chimera_platform.portfolio.monte_carlo.bootstrap`).
    events : how many were run.
    seconds : wall-clock time in the decision path, without reading the source.
    description : the source's.
    symbols : of the source, by instrument_id.
    starting_equity : currency units.
    days : UTC day numbers with events.
    """

    intents: Array
    decisions: Array
    orders: Array
    fills: Array
    marks: Array
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

    @property
    def events_per_second(self) -> float:
        """Events by the time in the decision path."""
        return self.events / self.seconds if self.seconds > 0 else 0.0


def run_backtest(
    source: EventSource,
    configuration: Configuration,
    release: Release | None = None,
    batch_size: int = BATCH_SIZE,
    release_schedule: Sequence[tuple[int, Release | None]] | None = None,
    seed: int = 7,
    progress: Callable[[int], None] | None = None,
) -> BacktestResult:
    """Run a source through the decision path.

    Parameters
    ----------
    source : the events.
    configuration : settings of the run.
    release : in force from the first event, as release number 0.
    batch_size : events at a time; the result does not depend on it.
    release_schedule : (event_no, release): in force from that event on, as release numbers 1, 2, …, in the order
        given, as a recorded run's journal has them; event numbers ascend.
    seed : of the Monte Carlo bootstrap, not of anything that decides.
    progress : called with the number of events run, after each batch.

    Raises
    ------
    ChimeraError
        If the source, the configuration or a release cannot be used.
    """
    digest, tables, days = RunDigest(), _Tables(), set[int]()
    event_no, nanoseconds = 0, 0
    path = DecisionPath(source.universe, configuration)
    for batch in decide(path, source, release, batch_size, release_schedule or ()):
        digest.update(batch.output.intents, batch.output.orders, batch.output.fills)
        tables.append(batch.output)
        days |= days_of(batch.events)
        nanoseconds += batch.nanoseconds
        event_no += len(batch.events)
        if progress is not None:
            progress(event_no)
    rows, all_days = tables.joined(), np.array(sorted(days), np.int64)
    starting_equity = float(configuration.account.starting_equity)
    trades = trades_of(rows["fills"])
    return BacktestResult(
        **rows,
        digest=digest.hexdigest(),
        metrics=measure(rows["fills"], rows["marks"], all_days, starting_equity),
        engine_metrics=engine_metrics(trades),
        monte_carlo=bootstrap(trades["net_nanos"][trades["position"] == 0] / 1e9, seed),
        events=event_no,
        seconds=nanoseconds / 1e9,
        description=source.description,
        symbols=source.universe.symbols,
        starting_equity=starting_equity,
        days=all_days,
    )


class _Tables:
    """The output of all batches, joined once at the end."""

    def __init__(self) -> None:
        self._parts: dict[str, list[Array]] = {name: [] for name, _ in _TABLES}

    def append(self, output: CoordinatorOutput) -> None:
        for name, _ in _TABLES:
            rows = getattr(output, name)
            if len(rows):
                self._parts[name].append(rows)

    def joined(self) -> dict[str, Array]:
        return {
            name: np.concatenate(self._parts[name]) if self._parts[name] else np.zeros(0, dtype)
            for name, dtype in _TABLES
        }
