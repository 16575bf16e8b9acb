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

from chimera_platform.execution.records import FILL_DTYPE, MARK_DTYPE, RISK_MARK_DTYPE
from chimera_platform.learning.quotes import QUOTE_CHANGE_DTYPE
from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind
from chimera_platform.risk.value_at_risk import coverage
from chimera_platform.workdir import WorkDir
from pipelines.live_coverage import LATE, coverage_row, held_outcomes, judge_live_forecasts, outcomes
from pipelines.measuring_risk import coverage_failures, equity_failures
from tests.reference.recorded_run import FIRST_DAY, INSTRUMENTS, RecordedRun, record_run
from warehouse.ingest import ingest
from warehouse.query import run_sql

SECOND, MINUTE = 1_000_000_000, 60_000_000_000
SEED = 17
MINUTES, PRICE, EQUITY = 2_000, 2_000_000, 10**15
LOTS = EQUITY // (PRICE * INSTRUMENTS[0].tick_value_nanos)


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
    """A run that holds as much gold as its equity, whose mid is a random walk of 1e-4 a minute. Take a copy to write.

    ``historical`` forecasts it rightly, ``cornish_fisher`` half of that, ``filtered`` twice as much; in the first ten
    minutes all are unknown, and in the last hour nothing is held. Equity pays half a forecast more each minute.
    """
    rng = np.random.default_rng(SEED)
    start = FIRST_DAY + np.arange(MINUTES) * MINUTE
    mids = np.round(PRICE * np.exp(np.cumsum(rng.normal(0.0, 1e-4, MINUTES)))).astype(np.int64)
    events = np.zeros(2 * MINUTES, EVENT_DTYPE)  # each minute a quote, and a second later a trade at which it is marked
    events["ts_event"] = np.column_stack([start, start + SECOND]).ravel()
    events["ts_recv"], events["seq"], events["flags"] = events["ts_event"], np.arange(2 * MINUTES), EventFlag.LAST
    events["kind"][::2], events["kind"][1::2] = EventKind.QUOTE, EventKind.TRADE
    events["price"][::2], events["ask_price"][::2], events["price"][1::2] = mids - 5, mids + 5, mids
    events["size"], events["ask_size"][::2], events["side"][1::2] = 10, 10, 1
    fills = np.zeros(2, FILL_DTYPE)
    fills["fill_no"], fills["event_no"] = (0, 1), (0, 2 * (MINUTES - 60))
    fills["ts_event"], fills["side"], fills["size"] = events["ts_event"][fills["event_no"]], (1, -1), LOTS
    lots = np.where(np.arange(MINUTES) < MINUTES - 60, LOTS, 0)
    forecast = float(stats.norm.ppf(0.95)) * 1e-4
    moved = np.diff(mids, prepend=mids[0]) * LOTS * INSTRUMENTS[0].tick_value_nanos * (np.roll(lots, 1) > 0)
    equity = EQUITY + np.cumsum(moved - int(EQUITY * forecast / 2))
    marks, rows = np.zeros(MINUTES, MARK_DTYPE), np.zeros(MINUTES, RISK_MARK_DTYPE)
    for table, number in ((marks, "mark_no"), (rows, "risk_mark_no")):
        table[number], table["event_no"] = np.arange(MINUTES), 2 * np.arange(MINUTES) + 1
        table["ts_event"], table["equity_nanos"] = start + SECOND, equity
    rows["gross_nanos"] = lots * mids * INSTRUMENTS[0].tick_value_nanos
    for method, factor in (("historical", 1.0), ("cornish_fisher", 0.5), ("filtered", 2.0)):
        right = factor * forecast * rows["gross_nanos"] / equity * math.sqrt(1_440.0)
        rows[f"var_{method}"] = rows[f"es_{method}"] = np.where(np.arange(MINUTES) < 10, np.nan, right)
    run = record_run(seed=1, events=600)
    tables = {"events": events, "fills": fills, "marks": marks, "risk_marks": rows}
    workdir = WorkDir(tmp_path_factory.mktemp("judged") / "work")
    RecordedRun({"releases": run.tables["releases"][:1], **tables}, {}).write(workdir.run_folder("run-1"))
    ingest(workdir)
    return workdir


@pytest.fixture
def work(ingested: WorkDir, tmp_path: Path) -> WorkDir:
    return WorkDir(shutil.copytree(ingested.path, tmp_path / "work"))


def test_right_forecasts_of_what_is_held_pass_and_wrong_ones_are_named(work: WorkDir) -> None:
    rows = {(row["basis"], row["method"], row["period_s"]): row for row in judge_live_forecasts(work)}
    assert {period for _, _, period in rows} == {60.0, 86_400.0}
    minute = {method: rows["positions", method, 60.0] for method in ("historical", "cornish_fisher", "filtered")}
    assert {row["forecasts"] for row in minute.values()} == {MINUTES - 70}
    assert {str(row["day"]) for row in rows.values()} == {"2024-03-05"}
    print(f"\nseed {SEED}: {minute['historical']}")
    assert minute["historical"]["kupiec_p"] > 0.05 and minute["historical"]["independence_p"] > 0.05
    assert minute["cornish_fisher"]["exceptions"] > 2 * minute["cornish_fisher"]["expected"]
    assert minute["filtered"]["exceptions"] < minute["filtered"]["expected"] / 2
    assert {rows["positions", method, 86_400.0]["forecasts"] for method in minute} == {1}
    failures = coverage_failures(work)
    assert len(failures) == 2
    assert failures[0].startswith("run run-1, cornish_fisher, live over 60 s: ")
    assert failures[1].startswith("run run-1, filtered, live over 60 s: ") and "Kupiec p = 0.0000" in failures[1]


def test_what_costs_take_from_equity_stands_apart(work: WorkDir) -> None:
    rows = {(row["basis"], row["method"]): row for row in judge_live_forecasts(work) if row["period_s"] == 60.0}
    held, equity = rows["positions", "historical"], rows["equity", "historical"]
    assert equity["forecasts"] == held["forecasts"]
    assert equity["exceptions"] > 2 * held["exceptions"]
    assert any("historical, live over 60 s" in sentence for sentence in equity_failures(work))
    assert not any("historical, live" in sentence for sentence in coverage_failures(work))


def test_what_was_held_before_the_mark_is_what_loses_and_what_is_traded_at_it_or_after_is_not() -> None:
    quotes = np.zeros(4, QUOTE_CHANGE_DTYPE)
    quotes["event_no"], quotes["ts_event"] = (0, 5, 6, 8), (0, 50, 60, 170)
    quotes["bid_price"], quotes["ask_price"] = (100, 110, 0, 90), (102, 112, 0, 92)
    fills = {"event_no": np.array([0, 3]), "instrument_id": np.array([0, 0]), "lots": np.array([3, 4])}
    forecasts = {"event_no": np.array([3]), "ts_event": np.array([30]), "equity_nanos": np.array([1_000])}
    for period, loss in (
        (10, 0.0),
        (20, -3 * 10 * 2.0 / 1_000),
        (100, -3 * 10 * 2.0 / 1_000),
        (140, 3 * 10 * 2 / 1_000),
    ):
        chosen, losses, elapsed = held_outcomes(forecasts, fills, quotes, np.array([2.0]), period)
        assert (list(chosen), list(losses), list(elapsed)) == ([0], [pytest.approx(loss)], [period])
    assert len(held_outcomes(forecasts, fills, quotes, np.array([2.0]), 141)[0]) == 0  # no quote as late as that
    silent = {**fills, "instrument_id": np.array([1, 1])}
    assert len(held_outcomes(forecasts, silent, quotes, np.array([2.0, 2.0]), 20)[0]) == 0


def test_judging_again_replaces_the_rows(work: WorkDir) -> None:
    first = judge_live_forecasts(work)
    assert judge_live_forecasts(work) == first
    assert run_sql(work, "SELECT count(*) FROM learning.live_coverage").item() == len(first) == 12


def test_a_run_that_never_forecast_anything_is_not_judged(work: WorkDir) -> None:
    run = record_run(seed=1, events=600)
    run.tables["risk_marks"]["gross_nanos"] = 0
    run.write(work.run_folder("run-2"), "run-2")
    ingest(work)
    assert {row["run_id"] for row in judge_live_forecasts(work)} == {"run-1"}


def test_the_flow_journals_forecasts_that_can_be_judged(copy: WorkDir) -> None:
    rows = {(row["method"], row["period_s"], row["basis"]): row for row in judge_live_forecasts(copy)}
    minute = rows["historical", 60.0, "positions"]
    assert {method for method, _, _ in rows} == {"historical", "cornish_fisher", "filtered"}
    assert minute["level"] == 0.95 and minute["forecasts"] > 100
    assert 0.0 < minute["mean_forecast"] < 0.01
    query = """
        SELECT bool_and(value_at_risk >= 0) AND bool_and(expected_shortfall >= value_at_risk),
            bool_and(worst_stress > 0) FILTER (gross > 0), bool_or(gross > 0), bool_and(breaker IS NOT NULL)
        FROM risk_profile"""
    assert run_sql(copy, query).row(0) == (True, True, True, True)
