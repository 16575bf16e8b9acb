"""The hourly profile of risk against plain Python over the same marks."""

from __future__ import annotations

import datetime
import math
from collections import defaultdict

import numpy as np
import pytest

from chimera_platform.risk.circuit_breaker import BreakerState
from chimera_platform.workdir import WorkDir
from tests.reference.recorded_run import RecordedRun, record_run
from warehouse.ingest import ingest
from warehouse.query import run_sql

HOUR = 3_600_000_000_000
SCENARIOS = ("gap_up", "gap_down", "correlation", "spread")


@pytest.fixture(scope="module")
def run() -> RecordedRun:
    return record_run(seed=9, events=4_000)


@pytest.fixture(scope="module")
def work(run: RecordedRun, tmp_path_factory) -> WorkDir:
    workdir = WorkDir(tmp_path_factory.mktemp("work"))
    run.write(workdir.run_folder("run-1"))
    ingest(workdir)
    return workdir


def largest(figures: list[float]) -> float | None:
    return max((figure for figure in figures if not math.isnan(figure)), default=None)


def test_every_hour_s_figures_are_the_largest_of_its_marks(work: WorkDir, run: RecordedRun) -> None:
    hours: dict[int, list[np.void]] = defaultdict(list)
    for mark in run.tables["risk_marks"]:
        hours[int(mark["ts_event"]) // HOUR].append(mark)
    rows = run_sql(work, "FROM risk_profile ORDER BY hour").rows(named=True)
    assert len(rows) == len(hours) > 50
    for (hour, marks), row in zip(sorted(hours.items()), rows, strict=True):
        assert row["hour"] == datetime.datetime.fromtimestamp(hour * 3_600, datetime.UTC).replace(tzinfo=None)
        assert (row["marks"], row["day"]) == (len(marks), row["hour"].date())
        for column, kind in (("value_at_risk", "var"), ("expected_shortfall", "es")):
            figures = [float(m[f"{kind}_{x}"]) for m in marks for x in ("historical", "cornish_fisher", "filtered")]
            assert row[column] == largest(figures)
        losses = {(n, s): float(m[f"stress_{s}"]) for n, m in enumerate(marks) for s in SCENARIOS}
        assert row["worst_stress"] == largest(list(losses.values()))
        worst = {s for (_, s), loss in losses.items() if loss == row["worst_stress"]}
        assert row["worst_scenario"] in (worst if row["worst_stress"] > 0.0 else {None})
        assert row["gross"] == max(int(m["gross_nanos"]) for m in marks) / 1e9
        assert abs(row["net"]) == max(abs(int(m["net_nanos"])) for m in marks) / 1e9
        assert row["net"] in {int(m["net_nanos"]) / 1e9 for m in marks}
        last = max(marks, key=lambda mark: mark["risk_mark_no"])
        assert (row["equity"], row["day_profit"]) == (last["equity_nanos"] / 1e9, last["day_profit_nanos"] / 1e9)
        assert row["drawdown"] == max(int(m["drawdown_nanos"]) for m in marks) / 1e9
        assert row["drawdown_share"] == pytest.approx(
            max(m["drawdown_nanos"] / (m["equity_nanos"] + m["drawdown_nanos"]) for m in marks)
        )
        assert row["breaker"] == BreakerState(max(int(m["breaker"]) for m in marks)).name.lower()
    assert {row["breaker"] for row in rows} == {"normal", "warning"}


def test_what_is_not_yet_known_is_null(work: WorkDir, run: RecordedRun) -> None:
    first = run_sql(work, "SELECT value_at_risk, expected_shortfall FROM risk_profile ORDER BY hour LIMIT 1").row(0)
    hour = int(run.tables["risk_marks"]["ts_event"][0]) // HOUR
    inside = run.tables["risk_marks"][run.tables["risk_marks"]["ts_event"] // HOUR == hour]
    assert np.isnan(inside["var_historical"]).all() and first == (None, None)
