"""Invariant: a thread may use exactly the cores of the steps that it runs, once one of them is set."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from chimera_platform.errors import ConfigurationError
from chimera_platform.threading_settings import ThreadingSettings
from streaming.deployment import Deployment
from streaming.thread_cores import check_cores, run_on, unchanged_afterwards

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system cannot bind threads")
FEED = "sim://?symbols=XAUUSD&seed=7&days=1"


def in_a_thread(work: Callable[[], Any]) -> Any:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]


def cores() -> list[int]:
    return sorted(os.sched_getaffinity(0))


def test_a_thread_is_bound_and_no_other() -> None:
    before = cores()
    last = before[-1]

    def bound() -> set[int]:
        run_on({last})
        return os.sched_getaffinity(0)

    assert in_a_thread(bound) == {last}
    assert cores() == before


def test_a_thread_that_runs_two_steps_may_use_the_cores_of_both() -> None:
    usable = cores()
    if len(usable) < 2:
        pytest.skip("needs two cores")

    def bound() -> set[int]:
        run_on({usable[0]})
        run_on({usable[1]})
        return os.sched_getaffinity(0)

    assert in_a_thread(bound) == {usable[0], usable[1]}


def test_without_cores_nothing_is_bound() -> None:
    def unbound() -> set[int]:
        run_on(set())
        return os.sched_getaffinity(0)

    assert in_a_thread(unbound) == set(cores())


def test_afterwards_the_thread_has_its_cores_back_and_claims_none() -> None:
    usable = cores()

    def flow() -> tuple[set[int], set[int]]:
        with unchanged_afterwards():
            run_on({usable[0]})
        after = os.sched_getaffinity(0)
        with unchanged_afterwards():
            run_on({usable[-1]})
            return after, os.sched_getaffinity(0)

    assert in_a_thread(flow) == (set(usable), {usable[-1]})


def test_a_core_that_the_machine_does_not_have_is_refused_before_the_flow_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHIMERA_THREADING__COORDINATOR_THREAD_CORE", "4095")
    with pytest.raises(ConfigurationError, match=r"'threading\.coordinator_thread_core' is 4095; .* the cores 0"):
        Deployment(tmp_path, feed=FEED).prepare()


def test_cores_that_it_has_are_taken() -> None:
    check_cores(ThreadingSettings())
    check_cores(ThreadingSettings(hft_thread_core=cores()[0], execution_thread_core=cores()[-1]))


def test_where_threads_cannot_be_bound_a_core_is_an_error_and_none_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streaming.thread_cores._CAN_BIND", False)
    check_cores(ThreadingSettings())
    with pytest.raises(ConfigurationError, match="does not bind threads"):
        check_cores(ThreadingSettings(hft_thread_core=0))


def test_engines_and_coordinator_have_the_cores_of_their_two_keys() -> None:
    settings = ThreadingSettings(hft_thread_core=1, structure_thread_core=2, coordinator_thread_core=3)
    assert (settings.engine_cores, settings.coordinator_cores) == ({1, 2}, {3})
    assert ThreadingSettings().engine_cores == frozenset()
    with pytest.raises(ValidationError):
        ThreadingSettings(hft_thread_core=-1)


def test_where_threads_run_and_how_often_is_reported_does_not_make_another_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Deployment(tmp_path, feed=FEED)
    assert before.telemetry_interval_s == 60.0
    monkeypatch.setenv("CHIMERA_THREADING__HFT_THREAD_CORE", "0")
    monkeypatch.setenv("CHIMERA_LATENCY_ATTRIBUTION__EXPORT_STATS_INTERVAL_SECONDS", "5")
    again = Deployment(tmp_path, feed=FEED)
    assert (again.run_id, again.telemetry_interval_s) == (before.run_id, 5.0)
    assert again.manifest().identity() == before.manifest().identity()
    assert Deployment(tmp_path, feed=FEED, statistics_s=0.5).telemetry_interval_s == 0.5
    monkeypatch.setenv("CHIMERA_LATENCY_ATTRIBUTION__QUALITY_SCORE_THRESHOLD", "0.7")
    assert Deployment(tmp_path, feed=FEED).run_id != before.run_id
