"""Stress at each day's end: what fills have left, at closing quotes, with the run's own settings."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from chimera_platform.configuration import Configuration
from chimera_platform.workdir import WorkDir
from pipelines.stressing import RETURNS_MIN, VOLATILITY_MINUTES, DayEnd, stress_days, stress_rows
from tests.reference.recorded_run import INSTRUMENTS, RecordedRun, record_run
from warehouse.connection import connect
from warehouse.ingest import ingest
from warehouse.query import run_sql

Alter = Callable[[WorkDir, str], None]
MINUTE, DAY = 60_000_000_000, 86_400_000_000_000
QUOTES = {0: (2_000_000, 2_000_030), 1: (300_000, 300_020)}


@pytest.fixture(scope="module")
def run() -> RecordedRun:
    run = record_run(seed=3, events=4_000)
    run.tables["marks"]["equity_nanos"] = 10**15 - 10**9 * run.tables["marks"]["mark_no"]
    return run


@pytest.fixture(scope="module")
def ingested(run: RecordedRun, tmp_path_factory: pytest.TempPathFactory) -> WorkDir:
    """An ingested run with closing quotes of its first and last day. Not to be written: take a copy."""
    workdir = WorkDir(tmp_path_factory.mktemp("stressed") / "work")
    run.write(workdir.run_folder("run-1"))
    ingest(workdir)
    quotes = [
        f"('run-1', DATE '{day}', {i}, {bid + change}, {ask + change})"
        for i, (bid, ask) in QUOTES.items()
        for day, change in (("2024-03-04", 0), ("2024-03-06", 500))
    ]
    connection = connect(workdir, read_only=False)
    connection.execute(f"INSERT INTO learning.closing_quotes VALUES {', '.join(quotes)}")
    connection.close()
    return workdir


@pytest.fixture
def work(ingested: WorkDir, tmp_path: Path) -> WorkDir:
    return WorkDir(shutil.copytree(ingested.path, tmp_path / "work"))


def held(run: RecordedRun, day: int) -> list[int]:
    """Lots of each instrument after the fills up to the end of day ``day`` (from 0), all engines together."""
    first = int(run.tables["events"]["ts_event"][0]) // DAY
    fills = run.tables["fills"][run.tables["fills"]["ts_event"] // DAY <= first + day]
    return [sum(int(f["side"]) * int(f["size"]) for f in fills if f["instrument_id"] == i) for i in (0, 1)]


def test_each_day_is_stressed_with_what_was_held_at_its_end(work: WorkDir, run: RecordedRun) -> None:
    rows = stress_days(work)
    stored = run_sql(work, "SELECT CAST(day AS VARCHAR) AS day, * EXCLUDE day FROM learning.stress").rows(named=True)
    assert sorted(map(repr, stored)) == sorted(repr({name: row[name] for name in stored[0]}) for row in rows)
    days = ["2024-03-04", "2024-03-05", "2024-03-06"]
    seen_positions = set()
    for n, day in enumerate(days):
        found = {row["scenario"]: row for row in rows if row["day"] == day}
        change = 500 if day == days[2] else 0  # the second day has no quotes of its own
        lots, equity = held(run, n), _equity(run, n)
        values, crossing = [], 0.0
        for i, count in enumerate(lots):
            bid, ask = (price + change for price in QUOTES[i])
            values.append(count * (bid + ask) * INSTRUMENTS[i].tick_value_nanos / 2)
            crossing += abs(count) * (ask - bid) * INSTRUMENTS[i].tick_value_nanos / 2
        seen_positions.add(tuple(lots))
        expected = {
            "spread": 5.0 * crossing / equity,
            "gap_up": -0.03 * sum(values) / equity,
            "gap_down": 0.03 * sum(values) / equity,
        }
        assert {name: found[name]["loss"] for name in expected} == pytest.approx(expected, rel=1e-12)
        for row in found.values():
            assert (row["equity_nanos"], row["instruments"]) == (equity, np.count_nonzero(lots))
            assert row["gross_nanos"] == pytest.approx(sum(map(abs, values)))
            assert row["net_nanos"] == pytest.approx(sum(values))
    assert len(seen_positions) > 1
    last = run_sql(work, "SELECT symbol, sum(position_lots) FROM core.positions GROUP BY symbol").rows()
    assert dict(last) == {i.symbol: lots for i, lots in zip(INSTRUMENTS, held(run, 2), strict=True)}


def _equity(run: RecordedRun, day: int) -> int:
    first = int(run.tables["events"]["ts_event"][0]) // DAY
    return int(run.tables["marks"]["equity_nanos"][run.tables["marks"]["ts_event"] // DAY <= first + day][-1])


def test_the_correlation_scenario_takes_volatilities_from_minutes_next_to_each_other(
    work: WorkDir, run: RecordedRun, alter: Alter
) -> None:
    alter(work, "DELETE FROM core.bars_1m")
    start = int(run.tables["events"]["ts_event"][0]) // DAY * DAY
    few = [
        f"('run-1', {i}, 'X', DATE '2024-03-04', 'quote', {start + n * MINUTE}, {2_000.0 + n})"
        for i in (0, 1)
        for n in range(RETURNS_MIN)
    ]
    columns = "run_id, instrument_id, symbol, day, basis, ts_ns, close"
    alter(work, f"INSERT INTO core.bars_1m ({columns}) VALUES {', '.join(few)}")  # one return too few
    unknown = [row for row in stress_days(work) if row["scenario"] == "correlation" and row["instruments"]]
    assert unknown and all(row["loss"] is None for row in unknown)
    alter(work, "DELETE FROM core.bars_1m")
    rng = np.random.default_rng(5)
    closes = {i: 2_000.0 * np.exp(np.cumsum(rng.normal(0.0, 2e-4 * (i + 1), 900))) for i in (0, 1)}
    bars = [
        f"('run-1', {i}, 'X', DATE '2024-03-04', '{basis}', {start + (n + (n >= 400)) * MINUTE}, {close!r})"
        for i, path in closes.items()
        for basis, shown in (("quote", path), ("trade", path[:50] * 1.01))
        for n, close in enumerate(map(float, shown))
    ]
    alter(work, f"INSERT INTO core.bars_1m ({columns}) VALUES {', '.join(bars)}")
    rows = [row for row in stress_days(work) if row["scenario"] == "correlation"]
    lots, expected = held(run, 0), 0.0
    for i, path in closes.items():
        returns = np.delete(np.diff(np.log(path)), 399)[-VOLATILITY_MINUTES:]  # one minute is missing there
        bid, ask = QUOTES[i]
        value = abs(lots[i]) * (bid + ask) * INSTRUMENTS[i].tick_value_nanos / 2
        expected += value * math.sqrt(float(np.mean(returns**2)) * 1_440)
    assert any(lots)
    assert rows[0]["loss"] == pytest.approx(stats.norm.ppf(0.95) * expected / _equity(run, 0), rel=1e-9)


def test_stressing_again_replaces_the_rows(work: WorkDir) -> None:
    first = stress_days(work)
    assert stress_days(work) == first
    assert run_sql(work, "SELECT count(*) FROM learning.stress").item() == len(first) == 12


def test_the_settings_are_the_run_s_own(work: WorkDir) -> None:
    before = {(row["day"], row["scenario"]): row["loss"] for row in stress_days(work)}
    path = work.run_folder("run-1") / "run.json"
    manifest = json.loads(path.read_text())
    manifest["configuration"] = {
        "stress": {"gap": 0.06, "spread_multiple": 10.0},
        "covariance": {"risk_horizon_ns": 4 * DAY},
    }
    path.write_text(json.dumps(manifest))
    after = {(row["day"], row["scenario"]): row["loss"] for row in stress_days(work)}
    for key, loss in before.items():
        assert after[key] == (loss if loss is None else pytest.approx(2.0 * loss, rel=1e-12))


def test_a_held_instrument_that_never_had_a_quote_leaves_the_losses_unknown(work: WorkDir, alter: Alter) -> None:
    alter(work, "DELETE FROM learning.closing_quotes WHERE instrument_id = 0")
    connection = connect(work)
    query = (
        "SELECT CAST(day AS VARCHAR), sum(side * size) FROM staging.fills WHERE instrument_id = 0 GROUP BY 1 ORDER BY 1"
    )
    by_day = connection.execute(query).fetchall()
    connection.close()
    net = dict(zip([day for day, _ in by_day], np.cumsum([lots for _, lots in by_day]), strict=True))
    rows = stress_days(work)
    assert any(net.values())
    for row in rows:
        if net[row["day"]]:
            assert row["loss"] is row["gross_nanos"] is row["net_nanos"] is None and row["instruments"] > 0


def test_volatilities_that_are_unknown_leave_only_their_scenario_open() -> None:
    end = DayEnd(np.array([1e14, 0.0]), np.array([1e-4, np.nan]), np.array([np.nan, np.nan]), 10**15)
    losses = {row["scenario"]: row["loss"] for row in stress_rows(end, Configuration())}
    assert losses == {"spread": pytest.approx(5e-5), "gap_up": -0.003, "gap_down": 0.003, "correlation": None}
