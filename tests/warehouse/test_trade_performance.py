"""Trades, their performance by group and the orders' quality in SQL, against Python and the kernels of the flow."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from chimera_platform.configuration import Configuration
from chimera_platform.execution.quality import (
    EXECUTION_DTYPE,
    LatencyAttributionSettings,
    note_answer,
    note_execution,
    order_score,
    quality_record,
    start_execution,
)
from chimera_platform.execution.records import Engine, IntentReason, OrderStatus
from chimera_platform.journal.writer import JournalWriter
from chimera_platform.market.city_sessions import CitySession
from chimera_platform.portfolio.breakdown import breakdown, group_names
from chimera_platform.portfolio.trades import trades_of
from chimera_platform.regimes.names import Regime
from chimera_platform.workdir import WorkDir
from tests.reference.recorded_run import INSTRUMENTS, RecordedRun, manifest, record_run
from warehouse.ingest import ingest
from warehouse.query import run_sql

DIMENSIONS = ("engine", "strategy", "symbol", "session", "regime")
SYMBOLS = [i.symbol for i in INSTRUMENTS]
DAY_NS = 86_400_000_000_000
SETTINGS = LatencyAttributionSettings(slippage_half_ticks=3.0, acknowledgement_half_ms=0.02, fill_half_ms=0.05)
ENDS = (OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.EXPIRED)


@pytest.fixture(scope="module")
def run() -> RecordedRun:
    found = record_run(seed=11, events=6000, days=6)
    rng = np.random.default_rng(3)
    intents, orders = found.tables["intents"], found.tables["orders"]
    intents["reason"] = rng.choice([int(r) for r in IntentReason], len(intents))
    intents["regime"] = rng.choice([-1, *map(int, Regime)], len(intents))
    first = orders["status"] == OrderStatus.PENDING_NEW
    orders["stop_price"][first & (orders["order_no"] % 5 == 0)] = orders["bid_price"][
        first & (orders["order_no"] % 5 == 0)
    ]
    # fills that slip, so that not all scores are alike
    found.tables["fills"]["price"] += rng.integers(-3, 12, len(found.tables["fills"]))
    return found


@pytest.fixture(scope="module")
def work(run: RecordedRun, tmp_path_factory: pytest.TempPathFactory) -> WorkDir:
    workdir = WorkDir(tmp_path_factory.mktemp("work"))
    configuration = Configuration(latency_attribution=SETTINGS).deciding()
    for run_id, content in (("run-1", configuration), ("run-2", {})):
        described = dataclasses.replace(manifest(run_id), configuration=content)
        writer = JournalWriter(workdir.run_folder(run_id), described)
        for name, rows in run.tables.items():
            writer.append(name, rows, 0)
        writer.seal_all()
    ingest(workdir)
    return workdir


def test_trades_are_those_of_python(work: WorkDir, run: RecordedRun) -> None:
    trades = trades_of(run.tables["fills"], run.tables["intents"])
    rows = run_sql(work, "FROM core.trades WHERE run_id = 'run-1' ORDER BY first_fill_no").rows(named=True)
    assert len(rows) == len(trades) > 100
    for by in DIMENSIONS:
        assert [row[by] for row in rows] == group_names(trades, by, SYMBOLS)
    for column, name in [("lots", "size"), ("position_lots", "position"), ("ts_close", "ts_close")]:
        assert [row[column] for row in rows] == trades[name].tolist()
    for column, name in [("realised_nanos", "realised_nanos"), ("fee_nanos", "fees_nanos"), ("net_nanos", "net_nanos")]:
        assert [row[column] for row in rows] == trades[name].tolist()
    assert [row["closed"] for row in rows] == (trades["position"] == 0).tolist()
    assert {row["session"] for row in rows} == {s.name.lower() for s in CitySession}


def test_performance_by_group_is_that_of_python(work: WorkDir, run: RecordedRun) -> None:
    trades = trades_of(run.tables["fills"], run.tables["intents"])
    days = np.unique(run.tables["events"]["ts_event"] // DAY_NS)
    rows = run_sql(work, "FROM trade_performance WHERE run_id = 'run-1'").rows(named=True)
    found = {(row["dimension"], row["name"]): row for row in rows}
    names = {"net": "net_profit", "trades": "trades", "open_trades": "open_trades", "lots": "lots"}
    names |= {n: n for n in ("win_rate", "profit_factor", "average_trade", "sharpe_per_trade", "max_drawdown")}
    names |= {n: n for n in ("sharpe", "sortino", "calmar")}
    compared = 0
    for by in DIMENSIONS:
        for expected in breakdown(trades, by, SYMBOLS, days, 1.0).rows(named=True):
            row = found.pop((by, expected["group"]))
            for column, name in names.items():
                value = expected[name]
                finite = value is not None and math.isfinite(value)
                wanted = pytest.approx(value, rel=1e-9, abs=1e-9) if finite else None
                assert row[column] == wanted, (by, row["name"], column)
                compared += finite
            assert row["fees"] == pytest.approx(expected["fees_nanos"] / 1e9)
    assert not found
    assert compared > 200


def test_the_groups_of_a_dimension_add_up_to_the_run(work: WorkDir, run: RecordedRun) -> None:
    totals = run_sql(
        work,
        "SELECT dimension, sum(net) AS net, sum(trades) AS n FROM trade_performance WHERE run_id = 'run-1' GROUP BY 1",
    ).rows(named=True)
    trades = trades_of(run.tables["fills"])
    assert len(totals) == len(DIMENSIONS)
    for row in totals:
        assert row["net"] == pytest.approx(trades["net_nanos"].sum() / 1e9)
        assert int(row["n"]) == int((trades["position"] == 0).sum())


def kernel_scores(run: RecordedRun) -> dict[int, float]:
    """Return the flow's score of each ended order, reports in the order in which they came."""
    parameters, scores = quality_record(SETTINGS)[0], {}
    fills = run.tables["fills"]
    for order_no in np.unique(run.tables["orders"]["order_no"]):
        rows = run.tables["orders"][run.tables["orders"]["order_no"] == order_no]
        first, side = rows[0], int(rows[0]["side"])
        execution = np.zeros(1, EXECUTION_DTYPE)[0]
        start_execution(
            execution, side, first["stop_price"], first["bid_price"], first["ask_price"], int(first["ts_sent"])
        )
        for row in rows[1:]:
            note_answer(execution, int(row["ts_event"]))
        for fill in fills[fills["order_no"] == order_no]:
            note_execution(execution, side, int(fill["price"]), int(fill["size"]), int(fill["ts_event"]))
        if rows[-1]["status"] in ENDS:
            scores[int(order_no)] = float(order_score(execution, parameters, int(first["size"])))
    return scores


def test_the_score_of_every_ended_order_is_that_of_the_flow(work: WorkDir, run: RecordedRun) -> None:
    rows = run_sql(work, "SELECT order_no, score, engine FROM order_quality WHERE run_id = 'run-1'").rows(named=True)
    found = {row["order_no"]: row["score"] for row in rows}
    expected = kernel_scores(run)
    assert found.keys() == expected.keys()
    assert np.array([found[k] for k in expected]) == pytest.approx(np.array(list(expected.values())), rel=1e-9)
    assert len({round(score, 6) for score in expected.values()}) > 50
    assert {row["engine"] for row in rows} == {engine.name.lower() for engine in Engine}


def test_a_run_that_does_not_say_how_to_score_has_no_scores(work: WorkDir) -> None:
    row = run_sql(work, "SELECT count(*) AS n, count(score) AS scored FROM order_quality WHERE run_id = 'run-2'").row(0)
    assert row[0] > 0
    assert row[1] == 0
