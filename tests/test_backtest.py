"""The backtest: same decisions as the decision path, releases at their events, metrics, report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from chimera_platform.cli.backtest_command import V1_ENGINES
from chimera_platform.configuration import Configuration, with_parameters
from chimera_platform.coordinator import CoordinatorOutput
from chimera_platform.decision_path import DecisionPath
from chimera_platform.digest import digest_of
from chimera_platform.errors import DataError, JournalError, ReleaseError
from chimera_platform.execution.records import (
    DECISION_DTYPE,
    FILL_DTYPE,
    INTENT_DTYPE,
    MARK_DTYPE,
    ORDER_EVENT_DTYPE,
    RISK_EVENT_DTYPE,
    RISK_MARK_DTYPE,
    Engine,
    IntentReason,
)
from chimera_platform.journal.schema import table_named
from chimera_platform.market.instruments import load_instruments
from chimera_platform.market.sources import EventSource, open_source
from chimera_platform.portfolio.performance import trades_of
from chimera_platform.releases import Release
from chimera_platform.simulation.backtest.out_tables import GROUP_ROWS, OutTables
from chimera_platform.simulation.backtest.run import BacktestResult, run_backtest
from chimera_platform.simulation.market.simulator import SimulatedMarket
from chimera_platform.simulation.report import write_report

MARKET = SimulatedMarket.from_url("sim://?symbols=XAUUSD,XAGUSD&seed=9&days=1", load_instruments())


class Recorded:
    """A part of a source, kept in memory."""

    def __init__(self, source: EventSource, count: int) -> None:
        self.universe, self.description = source.universe, f"first {count} of {source.description}"
        self.events = next(iter(source.batches(count)))

    def batches(self, batch_size: int, start: int = 0) -> Iterator[np.ndarray[Any, Any]]:
        for first in range(start, len(self.events), batch_size):
            yield self.events[first : first + batch_size]


SOURCE = Recorded(MARKET, 40_000)


def release(**parameters: dict[str, float]) -> Release:
    return Release("0" * 32, parameters, {}, None, 0.0, {})


@pytest.fixture(scope="module")
def result() -> BacktestResult:
    return run_backtest(SOURCE, Configuration())


def test_its_tables_and_digest_are_those_of_the_decision_path(result: BacktestResult) -> None:
    output = DecisionPath(SOURCE.universe, Configuration()).run(SOURCE.events, 0)
    for name in CoordinatorOutput._fields:
        assert getattr(result, name).tobytes() == getattr(output, name).tobytes(), name
    assert result.digest == digest_of(output.intents, output.orders, output.fills)
    assert len(result.fills) > 50
    assert result.events == 40_000


@pytest.mark.parametrize("batch_size", [7, 4096, 100_000])
def test_the_digest_does_not_depend_on_the_batch_size(result: BacktestResult, batch_size: int) -> None:
    other = run_backtest(SOURCE, Configuration(), batch_size=batch_size)
    assert other.digest == result.digest
    assert other.marks.tobytes() == result.marks.tobytes()
    assert other.metrics.as_dict() == result.metrics.as_dict()
    assert other.monte_carlo == result.monte_carlo


def test_another_setting_gives_another_digest(result: BacktestResult) -> None:
    slower = with_parameters(Configuration(), {"venue": {"order_latency_ns": 50_000_000}})
    assert run_backtest(SOURCE, slower).digest != result.digest


@pytest.mark.parametrize("batch_size", [1_000, 40_000])
def test_scheduled_releases_are_in_force_from_their_events_on(result: BacktestResult, batch_size: int) -> None:
    silent = release(hft={"enabled": 0}, structure={"enabled": 0}, order_flow={"enabled": 0})
    schedule = [(10_000, silent), (20_500, None)]
    run = run_backtest(SOURCE, Configuration(), batch_size=batch_size, release_schedule=schedule)
    numbers = run.intents["event_no"]
    assert set(run.intents["release_no"]) == {0, 2}
    assert not ((numbers >= 10_000) & (numbers < 20_500)).any()
    assert (run.intents["release_no"] == np.where(numbers < 10_000, 0, 2)).all()
    early = result.intents[result.intents["event_no"] < 10_000]
    assert run.intents[: len(early)].tobytes() == early.tobytes()


def test_a_release_at_the_first_event_decides_like_one_from_the_start() -> None:
    strict = release(hft={"queue_imbalance_min": 0.9})
    from_start = run_backtest(SOURCE, Configuration(), release=strict)
    scheduled = run_backtest(SOURCE, Configuration(), release_schedule=[(0, strict)])
    assert scheduled.intents["event_no"].tolist() == from_start.intents["event_no"].tolist()
    assert set(scheduled.intents["release_no"]) == {1}


def test_several_releases_at_one_event_leave_the_last_in_force() -> None:
    silent = release(hft={"enabled": 0}, structure={"enabled": 0}, order_flow={"enabled": 0})
    run = run_backtest(SOURCE, Configuration(), release_schedule=[(5_000, silent), (5_000, None)])
    assert set(run.intents["release_no"]) == {0, 2}


def test_a_release_scheduled_beyond_the_end_is_never_in_force(result: BacktestResult) -> None:
    run = run_backtest(SOURCE, Configuration(), release_schedule=[(40_000, release(hft={"enabled": 0}))])
    assert run.digest == result.digest


@pytest.mark.parametrize("numbers", [[5, 3], [-1]])
def test_a_schedule_out_of_order_is_refused(numbers: list[int]) -> None:
    with pytest.raises(ReleaseError, match="ascending"):
        run_backtest(SOURCE, Configuration(), release_schedule=[(number, None) for number in numbers])


def test_metrics_agree_with_the_accounts_own_books(result: BacktestResult) -> None:
    m, last = result.metrics, result.marks[-1]
    assert m.final_equity == last["equity_nanos"] / 1e9
    realised = result.fills["realised_nanos"].sum() - result.fills["fee_nanos"].sum()
    assert m.net_profit - m.open_profit == pytest.approx(realised / 1e9)
    trades = trades_of(result.fills)
    entered = set(result.fills["intent_no"][result.fills["is_exit"] == 0])
    assert set(trades["intent_no"]) == entered
    assert m.trades + m.open_trades == len(entered)
    parts = result.engine_metrics
    assert sum(parts[e.name.lower()]["trades"] or 0 for e in Engine) == m.trades
    assert result.monte_carlo["trades"] == m.trades
    assert m.days == 1


def test_without_whole_rows_everything_that_is_said_of_the_run_stays_the_same(
    result: BacktestResult, tmp_path: Path
) -> None:
    light = run_backtest(SOURCE, Configuration(), batch_size=3_000, keep_rows=False)
    assert light.digest == result.digest
    assert light.metrics.as_dict() == result.metrics.as_dict()
    assert light.engine_metrics == result.engine_metrics and light.monte_carlo == result.monte_carlo
    assert light.trades.tobytes() == result.trades.tobytes()
    assert light.event_days.tobytes() == result.event_days.tobytes()
    for name in ("intents", "decisions", "orders", "fills", "marks"):
        kept, whole = getattr(light, name), getattr(result, name)
        assert len(kept) == len(whole)
        for field in kept.dtype.names:
            assert (kept[field] == whole[field]).all(), (name, field)
    assert light.intents.nbytes * 15 < result.intents.nbytes
    write_report(light, tmp_path / "report.html")
    assert light.digest in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_rows_written_as_the_run_goes_on_are_those_of_its_tables(result: BacktestResult, tmp_path: Path) -> None:
    contents = []
    for batch_size in (700, 40_000):
        folder = tmp_path / str(batch_size)
        run = run_backtest(SOURCE, Configuration(), batch_size=batch_size, out_folder=folder, keep_rows=False)
        assert run.digest == result.digest
        assert sorted(path.name for path in folder.iterdir()) == ["fills.parquet", "intents.parquet", "orders.parquet"]
        contents.append([path.read_bytes() for path in sorted(folder.iterdir())])
        for name in ("intents", "orders", "fills"):
            read = table_named(name).from_arrow(pq.read_table(folder / f"{name}.parquet"))
            assert read.tobytes() == getattr(result, name).tobytes(), name
    assert contents[0] == contents[1]


def test_a_run_that_fails_leaves_the_files_of_the_one_before(tmp_path: Path) -> None:
    class Broken(Recorded):
        def batches(self, batch_size: int, start: int = 0) -> Iterator[np.ndarray[Any, Any]]:
            yield from super().batches(batch_size, start)
            raise DataError("the file ends here")

    run_backtest(SOURCE, Configuration(), out_folder=tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(DataError, match="ends here"):
        run_backtest(Broken(MARKET, 30_000), Configuration(), out_folder=tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_rows_go_into_groups_of_one_size(tmp_path: Path) -> None:
    rows = np.zeros(2 * GROUP_ROWS + 5, FILL_DTYPE)
    rows["fill_no"] = np.arange(len(rows))
    nothing = (np.zeros(0, INTENT_DTYPE), np.zeros(0, DECISION_DTYPE), np.zeros(0, ORDER_EVENT_DTYPE))
    rest = [np.zeros(0, dtype) for dtype in (MARK_DTYPE, RISK_EVENT_DTYPE, RISK_MARK_DTYPE)]
    with OutTables(tmp_path) as out:
        for first in range(0, len(rows), 5_000):
            out.write(CoordinatorOutput(*nothing, rows[first : first + 5_000], *rest))
    file = pq.ParquetFile(tmp_path / "fills.parquet")
    assert [file.metadata.row_group(k).num_rows for k in range(3)] == [GROUP_ROWS, GROUP_ROWS, 5]
    assert table_named("fills").from_arrow(file.read()).tobytes() == rows.tobytes()
    assert pq.read_table(tmp_path / "intents.parquet").num_rows == 0


def test_a_folder_that_cannot_be_made_is_refused_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(JournalError, match="a file stands in the way"):
        run_backtest(SOURCE, Configuration(), out_folder=tmp_path / "file")


def test_progress_is_told_after_each_batch() -> None:
    seen: list[int] = []
    run_backtest(SOURCE, Configuration(), batch_size=15_000, progress=seen.append)
    assert seen == [15_000, 30_000, 40_000]


def test_a_source_without_events_gives_an_empty_result() -> None:
    empty = Recorded(MARKET, 10)
    empty.events = empty.events[:0]
    result = run_backtest(empty, Configuration())
    assert (result.events, len(result.intents), result.metrics.trades) == (0, 0, 0)
    assert result.metrics.net_profit == 0.0
    json.dumps(result.metrics.as_dict(), allow_nan=False)


@pytest.mark.real_data
def test_a_real_day_of_gold_gives_both_engines_something_to_do(real_data: Path) -> None:
    day = real_data / "oanda" / "tick" / "xauusd" / "20140505_quote.zip"
    result = run_backtest(open_source(day, "oanda", load_instruments()), Configuration())
    counts = np.bincount(result.intents["engine"], minlength=len(Engine))
    assert counts[Engine.HFT] > 100
    assert counts[Engine.STRUCTURE] > 24
    assert result.events == 186_204


def test_the_first_versions_engines_decide_alone_where_they_are_asked_for() -> None:
    run = run_backtest(SOURCE, with_parameters(Configuration(), V1_ENGINES))
    assert set(run.intents["reason"]) == {IntentReason.SPREAD_TRIGGER, IntentReason.EMA_CROSS}
    assert set(run.intents["engine"]) == {Engine.HFT, Engine.STRUCTURE}
    assert len(run.fills) > 10
