"""Many parameter sets over one stream, and many days, side by side on threads.

The decision path is compiled and holds no lock of the interpreter, so threads share the events in memory and run at
the same time. A set's result depends on its configuration and the events alone: neither on how many workers there
are nor on which one ran it, and results come in the order of the sets.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from chimera_platform.configuration import Configuration
from chimera_platform.engines.step import writable
from chimera_platform.errors import ConfigurationError
from chimera_platform.market.events import EVENT_DTYPE
from chimera_platform.market.instruments import Universe
from chimera_platform.market.sources import EventSource
from chimera_platform.portfolio.event_time import DAY_NS
from chimera_platform.portfolio.market_path import MarketObserver, MarketPaths, market_activity, new_market_paths
from chimera_platform.portfolio.performance import Performance
from chimera_platform.simulation.backtest.deciding import days_of, decide
from chimera_platform.simulation.backtest.fused import Arena, FusedPath
from chimera_platform.simulation.backtest.ledger import RunLedger
from chimera_platform.simulation.backtest.run import BacktestResult, run_backtest

if TYPE_CHECKING:
    from chimera_platform.releases import Release

Array = np.ndarray[Any, Any]
BATCH_SIZE = 131_072
WORKERS_MAX = 256


class HeldEvents:
    """Events in memory as an event source; threads may read it at the same time.

    Parameters
    ----------
    universe : what ``instrument_id`` refers to.
    events : EVENT_DTYPE, in the run's order.
    description : identity of the events.
    """

    def __init__(self, universe: Universe, events: Array, description: str) -> None:
        self.universe, self.description = universe, description
        self.events = np.ascontiguousarray(events)
        self.days = days_of(self.events)

    @cached_property
    def activity(self) -> Array:
        """Volume and variance rates of the markets, MARKET_ACTIVITY_DTYPE by instrument_id."""
        observer = MarketObserver(self.universe.records)
        observer.observe(writable(self.events))
        return market_activity(observer.market)

    def batches(self, batch_size: int, start: int = 0) -> Iterator[Array]:
        """Yield the events from number ``start`` on, as parts of the one array."""
        for first in range(start, len(self.events), batch_size):
            yield self.events[first : first + batch_size]


@dataclass(frozen=True)
class SweepResult:
    """What one parameter set came to.

    Attributes
    ----------
    number : of the set, from 0.
    metrics : of the whole account.
    digest : of intents, orders and fills, as a backtest's.
    events, intents, fills : how many there were.
    seconds : wall-clock time in the decision path.
    backtest : everything, rows included, where that was asked for.
    """

    number: int
    metrics: Performance
    digest: str
    events: int
    intents: int
    fills: int
    seconds: float
    backtest: BacktestResult | None = None


@dataclass(frozen=True)
class DayResult:
    """What all parameter sets came to on one UTC day, with state that is fresh at its start.

    Attributes
    ----------
    day : UTC day number, ns // 86,400e9.
    results : one for each set, in their order.
    """

    day: int
    results: list[SweepResult]


def hold(source: EventSource, events_max: int | None = None) -> HeldEvents:
    """Read a source, or its first ``events_max`` events, into memory (72 bytes an event)."""
    if isinstance(source, HeldEvents) and events_max is None:
        return source
    if events_max is not None and events_max < 1:
        raise ConfigurationError(f"events_max is {events_max}; expected at least 1")
    parts, left = [np.zeros(0, EVENT_DTYPE)], events_max
    for events in source.batches(BATCH_SIZE if left is None else min(BATCH_SIZE, left)):
        parts.append(np.array(events[:left]))
        if left is not None:
            left -= len(parts[-1])
            if left == 0:
                break
    events = np.concatenate(parts)
    cut = "" if left is None or left > 0 else f"first {len(events)} events of "
    return HeldEvents(source.universe, events, cut + source.description)


def run_sweep(
    source: EventSource,
    configurations: Sequence[Configuration],
    *,
    release: Release | None = None,
    workers: int | None = None,
    keep_rows: bool = False,
    progress: Callable[[int], None] | None = None,
) -> list[SweepResult]:
    """Run every configuration over the same events.

    Parameters
    ----------
    source : the events. :func:`hold` reads them once for all; any other source is read anew for each set, in bounded
        memory.
    configurations : the parameter sets.
    release : in force from the first event, in all of them.
    workers : threads; None: one for each processor that this process may use.
    keep_rows : keep every set's whole backtest, with its rows and Monte Carlo, beside its metrics.
    progress : called with the number of sets done, in the order of the sets.

    Returns
    -------
    list of SweepResult : in the order of ``configurations``.

    Raises
    ------
    ChimeraError
        Of the first set, in their order, that cannot be run.
    """
    results: list[SweepResult] = []
    with _Pool(workers, source.universe) as pool:
        waiting = [pool.submit(k, source, each, release, keep_rows) for k, each in enumerate(configurations)]
        for future in waiting:
            results.append(future.result())
            if progress is not None:
                progress(len(results))
    return results


def run_days(
    source: EventSource,
    configurations: Sequence[Configuration],
    *,
    release: Release | None = None,
    workers: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Iterator[DayResult]:
    """Run every configuration over every UTC day of a source by itself; yield the days in their order.

    Each day begins with fresh state: flat, with the starting equity, empty books and engines that know nothing of the
    day before, and its events are numbered from 0. So a source must bring its books' snapshots each day, and what
    engines need to warm up they miss at its beginning; in return days do not depend on each other and run side by
    side. One day more than there are workers is held in memory.

    Parameters
    ----------
    source : read once, in order; a day ends where the time first reaches the next one.
    configurations, release, workers : see :func:`run_sweep`.
    progress : called with the number of days done.
    """
    held: list[tuple[int, list[Future[SweepResult]]]] = []
    done = 0
    with _Pool(workers, source.universe) as pool:
        for day, events in _by_day(source):
            one = HeldEvents(source.universe, events, f"day {np.datetime64(day, 'D')} of {source.description}")
            held.append((day, [pool.submit(k, one, each, release, False) for k, each in enumerate(configurations)]))
            while len(held) > pool.workers:
                yield _day_result(*held.pop(0))
                done += 1
                if progress is not None:
                    progress(done)
        for waiting in held:
            yield _day_result(*waiting)
            done += 1
            if progress is not None:
                progress(done)


def _day_result(day: int, futures: list[Future[SweepResult]]) -> DayResult:
    return DayResult(day, [future.result() for future in futures])


def _by_day(source: EventSource) -> Iterator[tuple[int, Array]]:
    """Yield (UTC day number, its events); a time that goes back does not reopen the day before."""
    day, parts = None, list[Array]()
    for events in source.batches(BATCH_SIZE):
        numbers = np.maximum.accumulate(events["ts_event"] // DAY_NS)
        if day is not None:
            np.maximum(numbers, day, out=numbers)
        cuts = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(events)]
        for start, end in itertools.pairwise(cuts):
            if day is not None and int(numbers[start]) != day:
                yield day, np.concatenate(parts)
                parts = []
            day = int(numbers[start])
            parts.append(np.array(events[start:end]))
    if day is not None:
        yield day, np.concatenate(parts)


class _Pool:
    """Threads that each run one set at a time."""

    def __init__(self, workers: int | None, universe: Universe) -> None:
        self.workers = workers if workers is not None else len(os.sched_getaffinity(0))
        if not 1 <= self.workers <= WORKERS_MAX:
            raise ConfigurationError(f"workers is {self.workers}; expected 1 to {WORKERS_MAX}")
        self._universe = universe
        self._executor = ThreadPoolExecutor(self.workers, "sweep")
        self._own = threading.local()

    def __enter__(self) -> _Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown(cancel_futures=True)

    def submit(
        self, number: int, source: EventSource, configuration: Configuration, release: Release | None, keep_rows: bool
    ) -> Future[SweepResult]:
        work = self._full if keep_rows else self._light
        return self._executor.submit(work, number, source, configuration, release)

    def _light(
        self, number: int, source: EventSource, configuration: Configuration, release: Release | None
    ) -> SweepResult:
        held_days = source.days if isinstance(source, HeldEvents) else None
        market = None if isinstance(source, HeldEvents) else new_market_paths(self._universe.records)
        path = FusedPath(self._universe, configuration, self._arena(), market)
        ledger, nanoseconds = RunLedger(configuration), 0
        for batch in decide(path, source, release, BATCH_SIZE):
            days = days_of(batch.events) if held_days is None else held_days
            ledger.take(len(batch.events), days, batch.output)
            nanoseconds += batch.nanoseconds
        activity = source.activity if isinstance(source, HeldEvents) else market_activity(cast(MarketPaths, market))
        counts = (ledger.events, ledger.intents, len(ledger.rows("fills")))
        return SweepResult(number, ledger.performance(activity), ledger.digest, *counts, nanoseconds / 1e9)

    def _arena(self) -> Arena:
        """Return the memory of the thread's paths, one after another."""
        if not hasattr(self._own, "arena"):
            self._own.arena = Arena(self._universe)
        arena: Arena = self._own.arena
        return arena

    def _full(
        self, number: int, source: EventSource, configuration: Configuration, release: Release | None
    ) -> SweepResult:
        run = run_backtest(source, configuration, release, BATCH_SIZE)
        counts = (run.events, len(run.intents), len(run.fills))
        return SweepResult(number, run.metrics, run.digest, *counts, run.seconds, run)
