"""Journaled forecasts against what equity did: which loss belongs to which forecast, and that right ones pass."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from chimera_platform.execution.records import MARK_DTYPE, RISK_MARK_DTYPE
from chimera_platform.risk.value_at_risk import coverage
from chimera_platform.workdir import WorkDir
from pipelines.live_coverage import LATE, coverage_row, judge_live_forecasts, outcomes
from pipelines.measuring_risk import coverage_failures
from tests.reference.recorded_run import FIRST_DAY, record_run
from warehouse.ingest import ingest
from warehouse.query import run_sql

MINUTE, DAY = 60_000_000_000, 86_400_000_000_000
SEED = 17


def found(ts: list[int], path_ts: list[int], path: list[float], period: int = 60) -> list[tuple[int, float, float]]:
    equity = [path[path_ts.index(each)] for each in ts]
    each = outcomes(np.array(ts), np.array(equity), np.array(path_ts), np.array(path, float), period)
    return [(int(n), float(loss), float(passed)) for n, loss, passed in zip(*each, strict=True)]


def test_the_loss_is_that_up_to_the_first_mark_at_or_after_the_period_s_end() -> None:
    assert found([0], [0, 30, 60, 90], [100.0, 50.0, 90.0, 10.0]) == [(0, pytest.approx(0.1), 60.0)]
    assert found([0], [0, 30, 75, 90], [100.0, 50.0, 90.0, 10.0]) == [(0, pytest.approx(0.1), 75.0)]


def test_where_the_next_mark_is_late_it_is_the_last_one_inside_the_period() -> None:
    assert found([0], [0, 20, 200], [100.0, 95.0, 10.0]) == [(0, pytest.approx(0.05), 60.0)]


def test_without_any_mark_inside_or_after_the_period_nothing_is_judged() -> None:
    assert found([0], [0, 200], [100.0, 10.0]) == []
    assert found([0], [0, 30], [100.0, 90.0]) == []
    assert found([0], [0], [100.0]) == []


def test_without_equity_there_is_no_share_of_it() -> None:
    assert found([0, 60], [0, 60, 120], [0.0, -5.0, 1.0]) == []


@given(
    st.lists(st.integers(1, 90), min_size=1, max_size=60).map(lambda steps: list(np.cumsum([0, *steps]))),
    st.integers(0, 2**32 - 1),
    st.integers(10, 120),
)
def test_no_two_forecasts_share_a_loss(path_ts: list[int], seed: int, period: int) -> None:
    """Chosen periods do not overlap, and each loss is that between two marks of the path within the late limit."""
    rng = np.random.default_rng(seed)
    path = rng.uniform(50.0, 150.0, len(path_ts))
    ts = [t for t in path_ts if rng.random() < 0.6]
    equity = dict(zip(path_ts, path, strict=True))
    end = -1.0
    for n, loss, passed in found(ts, path_ts, list(path), period):
        assert ts[n] >= end and period <= passed <= LATE * period
        end = ts[n] + passed
        reached = [t for t in path_ts if ts[n] < t <= end and 1.0 - equity[t] / equity[ts[n]] == loss]
        assert reached


def test_the_row_counts_what_fell_further_than_forecast() -> None:
    losses, forecasts = np.array([0.01, 0.03, -0.02, 0.05]), np.full(4, 0.02)
    row = coverage_row(losses, forecasts, 0.95)
    tested = coverage(-losses, forecasts, 0.95)
    assert (row["forecasts"], row["exceptions"], row["expected"]) == (4, 2, pytest.approx(0.2))
    assert (row["mean_forecast"], row["mean_excess"]) == (pytest.approx(0.02), pytest.approx(0.02))
    assert (row["kupiec_p"], row["conditional_p"]) == (tested.kupiec_p, tested.conditional_p)
    empty = coverage_row(np.zeros(0), np.zeros(0), 0.95)
    assert empty["forecasts"] == 0 and empty["mean_forecast"] is empty["mean_excess"] is empty["kupiec_p"] is None


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> WorkDir:
    """A run whose equity is a random walk of a standard deviation of 1e-4 a minute, forecast rightly and wrongly.

    ``historical`` is right, ``cornish_fisher`` half of that, ``filtered`` twice as much; in the first ten minutes all
    are unknown, and in the last hour nothing is held. Not to be written: take a copy.
    """
    rng = np.random.default_rng(SEED)
    minutes = 2_000
    equity = 1e15 * np.exp(np.cumsum(rng.normal(0.0, 1e-4, minutes)))
    run = record_run(seed=1, events=600)
    marks, rows = np.zeros(minutes, MARK_DTYPE), np.zeros(minutes, RISK_MARK_DTYPE)
    for table, number in ((marks, "mark_no"), (rows, "risk_mark_no")):
        table[number] = np.arange(minutes)
        table["event_no"] = np.arange(minutes) * 600 // minutes
        table["ts_event"] = FIRST_DAY + np.arange(minutes) * MINUTE
        table["equity_nanos"] = equity.astype(np.int64)
    rows["gross_nanos"][:-60] = 10**14
    right = float(stats.norm.ppf(0.95)) * 1e-4 * math.sqrt(1_440.0)
    for method, factor in (("historical", 1.0), ("cornish_fisher", 0.5), ("filtered", 2.0)):
        rows[f"var_{method}"] = rows[f"es_{method}"] = factor * right
        rows[f"var_{method}"][:10] = np.nan
    run.tables["marks"], run.tables["risk_marks"] = marks, rows
    workdir = WorkDir(tmp_path_factory.mktemp("judged") / "work")
    run.write(workdir.run_folder("run-1"))
    ingest(workdir)
    return workdir


@pytest.fixture
def work(ingested: WorkDir, tmp_path: Path) -> WorkDir:
    return WorkDir(shutil.copytree(ingested.path, tmp_path / "work"))


def test_right_forecasts_pass_and_wrong_ones_are_named(work: WorkDir) -> None:
    rows = {(row["method"], row["period_s"]): row for row in judge_live_forecasts(work)}
    assert {period for _, period in rows} == {60.0, 86_400.0}
    minute = {method: rows[method, 60.0] for method in ("historical", "cornish_fisher", "filtered")}
    assert {row["forecasts"] for row in minute.values()} == {1_930}
    assert {str(row["day"]) for row in rows.values()} == {"2024-03-05"}
    print(f"\nseed {SEED}: {minute['historical']}")
    assert minute["historical"]["kupiec_p"] > 0.05 and minute["historical"]["independence_p"] > 0.05
    assert minute["historical"]["mean_forecast"] == pytest.approx(stats.norm.ppf(0.95) * 1e-4, rel=1e-9)
    assert minute["cornish_fisher"]["exceptions"] > 2 * minute["cornish_fisher"]["expected"]
    assert minute["filtered"]["exceptions"] < minute["filtered"]["expected"] / 2
    assert {rows[method, 86_400.0]["forecasts"] for method in minute} == {1}
    failures = coverage_failures(work)
    assert len(failures) == 2
    assert failures[0].startswith("run run-1, cornish_fisher, live over 60 s: ")
    assert failures[1].startswith("run run-1, filtered, live over 60 s: ") and "Kupiec p = 0.0000" in failures[1]


def test_judging_again_replaces_the_rows(work: WorkDir) -> None:
    first = judge_live_forecasts(work)
    assert judge_live_forecasts(work) == first
    assert run_sql(work, "SELECT count(*) FROM learning.live_coverage").item() == len(first) == 6


def test_a_run_that_never_forecast_anything_is_not_judged(work: WorkDir) -> None:
    run = record_run(seed=1, events=600)
    run.tables["risk_marks"]["gross_nanos"] = 0
    run.write(work.run_folder("run-2"), "run-2")
    ingest(work)
    assert {row["run_id"] for row in judge_live_forecasts(work)} == {"run-1"}
