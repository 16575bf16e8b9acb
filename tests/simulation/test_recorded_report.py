"""Reports of a journal: the run's equals the backtest's of the same events, and its days add up to it."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from chimera_platform.configuration import Configuration
from chimera_platform.errors import DataError
from chimera_platform.journal.reader import JournalReader
from chimera_platform.journal.source import JournalSource
from chimera_platform.simulation.backtest.run import run_backtest
from chimera_platform.simulation.report import ReportedRun
from chimera_platform.simulation.report.recorded import recorded_run, write_recorded_reports
from chimera_platform.workdir import WorkDir
from tests.pipelines.conftest import write_journal

DAYS = ("2024-01-02", "2024-01-03", "2024-01-04")


@pytest.fixture(scope="module")
def workdir(tmp_path_factory: pytest.TempPathFactory) -> WorkDir:
    folder = WorkDir(tmp_path_factory.mktemp("recorded"))
    write_journal(folder)
    return folder


@pytest.fixture(scope="module")
def whole(workdir: WorkDir) -> ReportedRun:
    return recorded_run(JournalReader(workdir.run_folder("run")))


@pytest.fixture(scope="module")
def by_day(workdir: WorkDir) -> list[ReportedRun]:
    return [recorded_run(JournalReader(workdir.run_folder("run")), day) for day in DAYS]


def test_a_runs_report_has_the_figures_of_the_backtest_of_its_events(workdir: WorkDir, whole: ReportedRun) -> None:
    tested = run_backtest(JournalSource(workdir.path), Configuration())
    assert whole.digest == tested.digest
    assert whole.metrics.as_dict() == tested.metrics.as_dict()
    assert whole.monte_carlo == tested.monte_carlo
    assert whole.trades.tobytes() == tested.trades.tobytes()
    assert whole.event_days.tobytes() == tested.event_days.tobytes()
    assert whole.settings["account"] == tested.settings["account"]


def test_days_add_up_to_the_run(whole: ReportedRun, by_day: list[ReportedRun]) -> None:
    assert sum(run.metrics.net_profit for run in by_day) == pytest.approx(whole.metrics.net_profit, abs=1e-6)
    assert by_day[0].starting_equity == whole.starting_equity
    for eve, day in itertools.pairwise(by_day):
        assert day.starting_equity == pytest.approx(eve.metrics.final_equity)
    for name in ("realised_nanos", "fees_nanos", "net_nanos"):
        assert sum(int(run.trades[name].sum()) for run in by_day) == int(whole.trades[name].sum())
    for name in ("intents", "decisions", "orders", "fills", "marks"):
        assert sum(len(getattr(run, name)) for run in by_day) == len(getattr(whole, name))
    assert sum(run.events for run in by_day) == whole.events
    assert [run.metrics.days for run in by_day] == [1, 1, 1]


def test_a_trade_held_over_night_is_the_days_share_of_the_whole_trade(
    whole: ReportedRun, by_day: list[ReportedRun]
) -> None:
    held = {
        int(trade["intent_no"])
        for trade in whole.trades
        if trade["ts_open"] // 86_400_000_000_000 != trade["ts_close"] // 86_400_000_000_000
    }
    assert held
    for number in held:
        (trade,) = whole.trades[whole.trades["intent_no"] == number]
        parts = [part for run in by_day for part in run.trades[run.trades["intent_no"] == number]]
        assert len(parts) >= 2
        assert sum(int(part["net_nanos"]) for part in parts) == trade["net_nanos"]
        assert {int(part["ts_open"]) for part in parts} == {int(trade["ts_open"])}
        assert [part["position"] == 0 for part in parts] == [False] * (len(parts) - 1) + [trade["position"] == 0]


def test_closed_trades_are_counted_on_the_day_of_their_closing(whole: ReportedRun, by_day: list[ReportedRun]) -> None:
    assert sum(run.metrics.trades for run in by_day) == whole.metrics.trades
    last = np.sort(whole.trades["ts_close"][whole.trades["position"] == 0])[-1]
    assert by_day[-1].trades["ts_close"].max() >= last


def test_each_run_with_events_of_the_day_gets_a_page(workdir: WorkDir) -> None:
    (written,) = write_recorded_reports(workdir, DAYS[1])
    assert written.path == workdir.reports / f"{DAYS[1]}-run.html"
    assert DAYS[1] in written.path.read_text(encoding="utf-8")
    (everything,) = write_recorded_reports(workdir)
    assert everything.path.name == "run-run.html"


@pytest.mark.parametrize("day", ["2023-01-01", "yesterday", "2024-1-2"])
def test_a_day_without_events_is_refused_naming_those_there_are(workdir: WorkDir, day: str) -> None:
    with pytest.raises(DataError, match=f"no events of {day}.*2024-01-02, 2024-01-03"):
        write_recorded_reports(workdir, day)


def test_a_work_folder_without_runs_has_nothing_to_report(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no events.*none"):
        write_recorded_reports(WorkDir(tmp_path).prepare())
