"""Sweeps: the same results as single backtests, in order, however many workers there are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from chimera_platform.configuration import Configuration, with_parameters
from chimera_platform.errors import CapacityError, ConfigurationError
from chimera_platform.market.instruments import load_instruments
from chimera_platform.portfolio.event_time import DAY_NS
from chimera_platform.releases import Release
from chimera_platform.simulation.backtest.run import run_backtest
from chimera_platform.simulation.backtest.sweep import HeldEvents, SweepResult, hold, run_days, run_sweep
from chimera_platform.simulation.market.simulator import SimulatedMarket

MARKET = SimulatedMarket.from_url("sim://?symbols=XAUUSD,XAGUSD&seed=9&days=3&rate=0.1", load_instruments())
HELD = hold(MARKET, 15_000)
SETS = [
    with_parameters(Configuration(), {"hft": {"queue_imbalance_min": imbalance, "cooldown_ns": cooldown}})
    for imbalance in (0.2, 0.5, 0.8)
    for cooldown in (1_000_000_000, 20_000_000_000)
]


def without_time(results: list[SweepResult]) -> list[tuple[Any, ...]]:
    return [(r.number, r.metrics.as_dict(), r.digest, r.events, r.intents, r.fills) for r in results]


@pytest.fixture(scope="module")
def alone() -> list[SweepResult]:
    return run_sweep(HELD, SETS, workers=1)


def test_every_set_is_what_a_backtest_of_its_own_gives(alone: list[SweepResult]) -> None:
    assert len({result.digest for result in alone}) >= 4
    for result, configuration in zip(alone, SETS, strict=True):
        run = run_backtest(HELD, configuration, batch_size=1_000)
        assert result.digest == run.digest
        assert result.metrics.as_dict() == run.metrics.as_dict()
        assert (result.events, result.intents, result.fills) == (run.events, len(run.intents), len(run.fills))
        assert result.seconds > 0.0 and result.backtest is None


@pytest.mark.parametrize("workers", [2, 5])
def test_results_and_their_order_do_not_depend_on_the_workers(alone: list[SweepResult], workers: int) -> None:
    assert without_time(run_sweep(HELD, SETS, workers=workers)) == without_time(alone)


def test_a_source_read_anew_for_each_set_gives_the_same_as_one_in_memory() -> None:
    few = SimulatedMarket.from_url("sim://?symbols=XAGUSD&seed=4&days=1&rate=0.05", load_instruments())
    assert without_time(run_sweep(few, SETS[:3])) == without_time(run_sweep(hold(few), SETS[:3]))


def test_rows_are_kept_where_they_are_asked_for(alone: list[SweepResult]) -> None:
    kept = run_sweep(HELD, SETS[:2], keep_rows=True)
    assert without_time(kept) == without_time(alone[:2])
    for result in kept:
        assert result.backtest is not None
        assert len(result.backtest.fills) == result.fills > 0


def test_a_release_is_in_force_in_every_set(alone: list[SweepResult]) -> None:
    silent = Release("0" * 32, {"hft": {"enabled": 0}, "order_flow": {"enabled": 0}}, {}, None, 0.0, {})
    under = run_sweep(HELD, SETS, release=silent)
    assert len({result.digest for result in under}) == 1
    assert under[0].digest == run_backtest(HELD, Configuration(), silent).digest != alone[0].digest


def test_the_first_set_that_cannot_be_run_is_the_error() -> None:
    class Broken(HeldEvents):
        def batches(self, batch_size: int, start: int = 0) -> Iterator[np.ndarray[Any, Any]]:
            yield from super().batches(4_000, start)
            raise CapacityError("no more")

    with pytest.raises(CapacityError, match="no more"):
        run_sweep(Broken(HELD.universe, HELD.events, "broken"), SETS)


@pytest.mark.parametrize("workers", [0, 257])
def test_a_number_of_workers_out_of_bounds_is_refused(workers: int) -> None:
    with pytest.raises(ConfigurationError, match="workers"):
        run_sweep(HELD, SETS, workers=workers)


def test_progress_is_told_set_by_set_in_order() -> None:
    seen: list[int] = []
    run_sweep(HELD, SETS[:3], progress=seen.append)
    assert seen == [1, 2, 3]


def test_holding_takes_the_first_events_and_says_so() -> None:
    assert HELD.description.startswith("first 15000 events of ")
    whole = np.concatenate(list(MARKET.batches(10_000)))
    np.testing.assert_array_equal(HELD.events, whole[:15_000])
    everything = hold(MARKET)
    assert everything.description == MARKET.description
    np.testing.assert_array_equal(everything.events, whole)
    assert hold(everything) is everything
    with pytest.raises(ConfigurationError, match="events_max"):
        hold(MARKET, 0)


def test_days_are_runs_of_their_own_with_fresh_state() -> None:
    whole = hold(MARKET)
    found = list(run_days(whole, SETS[:2], workers=2))
    numbers = whole.events["ts_event"] // DAY_NS
    assert [day.day for day in found] == sorted(set(numbers.tolist())) and len(found) == 3
    for day in found:
        own = HeldEvents(whole.universe, whole.events[numbers == day.day], "day")
        assert without_time(day.results) == without_time(run_sweep(own, SETS[:2]))
    assert sum(day.results[0].events for day in found) == len(whole.events)


def test_days_do_not_depend_on_workers_or_on_how_the_source_is_cut() -> None:
    class Cut(HeldEvents):
        def batches(self, batch_size: int, start: int = 0) -> Iterator[np.ndarray[Any, Any]]:
            yield from super().batches(777, start)

    whole = hold(MARKET)
    first = [(day.day, without_time(day.results)) for day in run_days(whole, SETS[:2], workers=1)]
    cut = Cut(whole.universe, whole.events, whole.description)
    assert [(day.day, without_time(day.results)) for day in run_days(cut, SETS[:2], workers=3)] == first


def test_a_clock_that_steps_back_over_midnight_stays_in_the_new_day() -> None:
    events = HELD.events[:6].copy()
    events["ts_event"] = np.array([1, 2, DAY_NS + 5, DAY_NS - 5, DAY_NS + 6, 3 * DAY_NS])
    found = list(run_days(HeldEvents(HELD.universe, events, "back"), SETS[:1]))
    assert [(day.day, day.results[0].events) for day in found] == [(0, 2), (1, 3), (3, 1)]


def test_a_source_without_events_has_no_days_and_an_empty_sweep() -> None:
    empty = HeldEvents(HELD.universe, HELD.events[:0], "empty")
    assert list(run_days(empty, SETS)) == []
    assert [result.events for result in run_sweep(empty, SETS[:2])] == [0, 0]
