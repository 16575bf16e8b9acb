"""The backtest: a source through the decision path, and what came of it.

The same kernels as the live flow, so the digest equals that of a replay of the same events under the same
configuration and releases.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chimera_platform.configuration import Configuration
from chimera_platform.coordinator import CoordinatorOutput
from chimera_platform.decision_path import DecisionPath
from chimera_platform.digest import RunDigest
from chimera_platform.errors import ReleaseError
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

Array = np.ndarray[Any, Any]
BATCH_SIZE = 65_536
_DAY_NS = 86_400_000_000_000
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
    path = DecisionPath(source.universe, configuration)
    path.apply_release(release, 0)
    digest, tables, days = RunDigest(), _Tables(), set[int]()
    event_no, nanoseconds = 0, 0
    for events, due in _cut_at_releases(source.batches(batch_size), _checked(release_schedule or ())):
        started = time.perf_counter_ns()
        for number, scheduled in due:
            path.apply_release(scheduled, number)
        output = path.run(events, event_no)
        nanoseconds += time.perf_counter_ns() - started
        digest.update(output.intents, output.orders, output.fills)
        tables.append(output)
        days.update(np.unique(events["ts_event"] // _DAY_NS).tolist())
        event_no += len(events)
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


def _checked(schedule: Sequence[tuple[int, Release | None]]) -> list[tuple[int, int, Release | None]]:
    """Return (event_no, release number, release), refusing what is not in order."""
    event_nos = [event_no for event_no, _ in schedule]
    if any(no < 0 for no in event_nos) or event_nos != sorted(event_nos):
        raise ReleaseError(f"release schedule at events {event_nos}; expected ascending numbers from 0 on")
    return [(event_no, number, release) for number, (event_no, release) in enumerate(schedule, start=1)]


def _cut_at_releases(
    batches: Iterator[Array], schedule: list[tuple[int, int, Release | None]]
) -> Iterator[tuple[Array, list[tuple[int, Release | None]]]]:
    """Yield pieces of batches with the releases to put in force before each."""
    first, waiting = 0, list(schedule)
    for batch in batches:
        start = 0
        while start < len(batch):
            due = [(number, release) for event_no, number, release in waiting if event_no <= first + start]
            waiting = waiting[len(due) :]
            end = min(len(batch), waiting[0][0] - first) if waiting else len(batch)
            yield batch[start:end], due
            start = end
        first += len(batch)


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
