"""Invariant: in the running flow, the threads of the engines and of the coordinator are on the cores that are set."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from streaming.deployment import Deployment
from streaming.run import run_flow
from streaming.steps.coordination import CoordinationLogic
from streaming.steps.engines import EngineLogic


def _watch(patch: pytest.MonkeyPatch, logic: type, name: str, seen: dict[int, dict[str, set[int]]]) -> None:
    on_batch = logic.on_batch  # type: ignore[attr-defined]

    def watched(self: Any, values: Any) -> Any:
        seen[threading.get_native_id()][name] = os.sched_getaffinity(0)
        return on_batch(self, values)

    patch.setattr(logic, "on_batch", watched)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system cannot bind threads")
@pytest.mark.parametrize("workers", [1, 2])
def test_every_thread_is_on_the_cores_of_what_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    before = os.sched_getaffinity(0)
    if len(before) < 2:
        pytest.skip("needs two cores")
    engines, coordinator = min(before), max(before)
    monkeypatch.setenv("CHIMERA_THREADING__HFT_THREAD_CORE", str(engines))
    monkeypatch.setenv("CHIMERA_THREADING__COORDINATOR_THREAD_CORE", str(coordinator))
    seen: dict[int, dict[str, set[int]]] = defaultdict(dict)
    _watch(monkeypatch, EngineLogic, "engines", seen)
    _watch(monkeypatch, CoordinationLogic, "coordinator", seen)
    feed = "sim://?symbols=XAUUSD,XAGUSD,EURUSD&seed=7&days=1"
    summary = run_flow(Deployment(tmp_path, feed=feed, duration_s=600.0, release=None), workers=workers)
    assert summary["events"] > 0
    assert {name for steps in seen.values() for name in steps} == {"engines", "coordinator"}
    for steps in seen.values():
        expected = {engines} if "engines" in steps else set()
        expected |= {coordinator} if "coordinator" in steps else set()
        assert all(cores == expected for cores in steps.values())
    assert os.sched_getaffinity(0) == before
