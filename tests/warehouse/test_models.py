"""The SQL models against plain Python over the same run, and their keys."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from chimera_platform.execution.records import DecisionReason, Engine, OrderStatus
from chimera_platform.market.events import EventKind
from chimera_platform.workdir import WorkDir
from tests.reference.recorded_run import INSTRUMENTS, RecordedRun, record_run
from warehouse.ingest import ingest
from warehouse.query import run_sql
from warehouse.relations import parse, relations

MINUTE = 60_000_000_000


@pytest.fixture(scope="module")
def run() -> RecordedRun:
    return record_run(seed=4, events=4000)


@pytest.fixture(scope="module")
def work(run: RecordedRun, tmp_path_factory) -> WorkDir:
    workdir = WorkDir(tmp_path_factory.mktemp("work"))
    run.write(workdir.run_folder("run-1"))
    ingest(workdir)
    return workdir


@pytest.mark.parametrize("relation", relations(), ids=lambda r: r.full_name)
def test_the_key_of_every_relation_is_unique_and_complete(work: WorkDir, relation) -> None:
    keys = ", ".join(relation.key)
    nulls = " OR ".join(f"{column} IS NULL" for column in relation.key)
    row = run_sql(
        work,
        f"SELECT count(*) AS n, count(DISTINCT ({keys})) AS keys, count(*) FILTER ({nulls}) AS nulls "
        f"FROM {relation.full_name}",
    ).row(0)
    assert row[0] == row[1] > 0 and row[2] == 0


def test_a_model_without_a_complete_head_is_refused(tmp_path) -> None:
    path = tmp_path / "core" / "x.sql"
    path.parent.mkdir()
    path.write_text("-- core.x: something.\n-- grain: a thing\n-- kind: view\nSELECT 1")
    with pytest.raises(ValueError, match=r"must name core\.x, grain, key, kind"):
        parse(path)


def test_positions_are_what_the_accounts_hold(work: WorkDir, run: RecordedRun) -> None:
    rows = run_sql(work, "FROM positions").rows(named=True)
    assert len(rows) == len(Engine) * len(INSTRUMENTS)
    for row in rows:
        engine = int(Engine[row["engine"].upper()])
        instrument = [i.symbol for i in INSTRUMENTS].index(row["symbol"])
        account = run.accounts[engine, instrument]
        assert row["position_lots"] == row["position_stated"] == account.position
        assert row["cash_nanos"] == account.cash
        assert row["fee_nanos"] == account.fees
        assert row["realised_nanos"] == account.realised
        assert row["position"] == account.position * float(INSTRUMENTS[instrument].lot_size)
        if row["value_nanos"] is not None:
            assert row["pnl"] == pytest.approx((account.cash + row["value_nanos"] - account.fees) / 1e9)


def test_daily_pnl_is_the_change_of_cash_plus_value_minus_fees(work: WorkDir, run: RecordedRun) -> None:
    rows = run_sql(work, "SELECT day::VARCHAR AS day, * EXCLUDE day FROM engine_pnl_daily").rows(named=True)
    found = {
        (r["day"], int(Engine[r["engine"].upper()]), [i.symbol for i in INSTRUMENTS].index(r["symbol"])): r["pnl_nanos"]
        for r in rows
    }
    assert found == run.pnl
    totals: dict[str, int] = defaultdict(int)
    for (day, _, _), nanos in run.pnl.items():
        totals[day] += nanos
    assert len(totals) == 3 and any(totals.values())


def _minutes(run: RecordedRun, quotes: bool) -> dict[tuple[int, int], list[np.void]]:
    kinds = (EventKind.QUOTE,) if quotes else (EventKind.TRADE, EventKind.EXECUTE)
    minutes: dict[tuple[int, int], list[np.void]] = defaultdict(list)
    for event in run.tables["events"]:
        if event["kind"] in kinds:
            minutes[int(event["instrument_id"]), int(event["ts_event"]) // MINUTE * MINUTE].append(event)
    return minutes


def test_quote_bars_are_those_of_a_loop_over_the_quotes(work: WorkDir, run: RecordedRun) -> None:
    bars = run_sql(work, "FROM bars_1m WHERE basis = 'quote'").rows(named=True)
    minutes = _minutes(run, quotes=True)
    assert len(bars) == len(minutes)
    for bar in bars:
        events = minutes[bar["instrument_id"], bar["ts_ns"]]
        tick = float(INSTRUMENTS[bar["instrument_id"]].tick_size)
        mids = [(int(e["price"]) + int(e["ask_price"])) / 2 for e in events]
        asks = [int(e["ask_price"]) for e in events]
        expected = [mids[0], max(mids), min(mids), mids[-1], asks[0], max(asks), min(asks), asks[-1]]
        found = [bar[n] for n in ("open", "high", "low", "close", "ask_open", "ask_high", "ask_low", "ask_close")]
        np.testing.assert_allclose(found, np.array(expected) * tick, rtol=1e-13)
        assert bar["updates"] == len(events)


def test_trade_bars_are_those_of_a_loop_over_the_trades(work: WorkDir, run: RecordedRun) -> None:
    bars = run_sql(work, "FROM bars_1m WHERE basis = 'trade'").rows(named=True)
    minutes = _minutes(run, quotes=False)
    assert len(bars) == len(minutes)
    for bar in bars:
        events = minutes[bar["instrument_id"], bar["ts_ns"]]
        instrument = INSTRUMENTS[bar["instrument_id"]]
        prices, sizes = [int(e["price"]) for e in events], [int(e["size"]) for e in events]
        buys = sum(int(e["size"]) for e in events if e["side"] > 0)
        vwap = sum(p * s for p, s in zip(prices, sizes, strict=True)) / sum(sizes)
        found = [bar["open"], bar["high"], bar["low"], bar["close"], bar["vwap"]]
        expected = np.array([prices[0], max(prices), min(prices), prices[-1], vwap]) * float(instrument.tick_size)
        np.testing.assert_allclose(found, expected, rtol=1e-13)
        lot = float(instrument.lot_size)
        assert (bar["volume"], bar["buy_volume"]) == (sum(sizes) * lot, buys * lot)
        assert bar["trades"] == len(events)


def test_prices_in_views_are_exactly_the_nearest_to_the_decimal_price(work: WorkDir, run: RecordedRun) -> None:
    ticks = run_sql(work, "SELECT price FROM ticks ORDER BY event_no")["price"].to_list()
    events = run.tables["events"]
    assert ticks == [float(int(e["price"]) * INSTRUMENTS[e["instrument_id"]].tick_size) for e in events]


def test_the_lifecycle_tells_what_happened_to_each_order(work: WorkDir, run: RecordedRun) -> None:
    orders, fills = run.tables["orders"], run.tables["fills"]
    for row in run_sql(work, "FROM order_lifecycle").rows(named=True):
        states = orders[orders["order_no"] == row["order_no"]]
        trades = fills[fills["order_no"] == row["order_no"]]
        answers = states[~np.isin(states["status"], [OrderStatus.PENDING_NEW, OrderStatus.PENDING_CANCEL])]
        assert row["ts_sent"] == states["ts_sent"][0]
        assert row["ts_acknowledged"] == answers["ts_event"][0]
        assert row["ts_venue_acknowledged"] == answers["ts_venue"][0]
        assert row["last_status"] == states["status"][-1]
        assert row["filled"] == row["fill_lots"] == trades["size"].sum()
        assert row["ts_first_fill"] == (trades["ts_event"][0] if len(trades) else None)
        assert row["ts_venue_first_fill"] == (trades["ts_venue"][0] if len(trades) else None)
        assert row["ts_ended"] == states["ts_event"][-1]
        assert row["fee_nanos"] == trades["fee_nanos"].sum()
        if len(trades):
            average = (trades["price"] * trades["size"]).sum() / trades["size"].sum()
            assert row["average_price"] == pytest.approx(average, rel=1e-14)


def test_slippage_and_its_parts_are_those_of_the_definition(work: WorkDir, run: RecordedRun) -> None:
    rows = run_sql(work, "FROM execution_quality ORDER BY fill_no").rows(named=True)
    assert len(rows) == len(run.tables["fills"])
    for row, fill in zip(rows, run.tables["fills"], strict=True):
        instrument = INSTRUMENTS[fill["instrument_id"]]
        tick, side = float(instrument.tick_size), int(fill["side"])
        arrival = (int(fill["decision_bid"]) + int(fill["decision_ask"])) / 2
        mid = (int(fill["bid_price"]) + int(fill["ask_price"])) / 2
        slippage = side * (int(fill["price"]) - arrival)
        assert row["slippage"] == pytest.approx(slippage * tick, abs=1e-12)
        assert row["slippage_bps"] == pytest.approx(1e4 * slippage / arrival, abs=1e-12)
        assert row["delay"] == pytest.approx(side * (mid - arrival) * tick, abs=1e-12)
        assert row["effective_spread"] == pytest.approx(2 * side * (int(fill["price"]) - mid) * tick, abs=1e-12)
        assert row["slippage"] == pytest.approx(row["delay"] + row["effective_spread"] / 2, abs=1e-12)
        cost = slippage * int(fill["size"]) * instrument.tick_value_nanos / 1e9
        assert row["slippage_cost"] == pytest.approx(cost, abs=1e-9)
        assert row["sent_to_fill_ns"] == fill["ts_event"] - fill["ts_sent"]
        assert row["sent_to_trade_ns"] == fill["ts_venue"] - fill["ts_sent"]
        assert row["sent_to_acknowledged_ns"] + row["acknowledged_to_fill_ns"] == row["sent_to_fill_ns"]


def test_the_summary_weighs_slippage_by_size(work: WorkDir, run: RecordedRun) -> None:
    fills = run.tables["fills"]
    own = fills[(fills["engine"] == 1) & (fills["instrument_id"] == 1) & (fills["is_exit"] == 1)]
    arrival = (own["decision_bid"] + own["decision_ask"]) / 2
    cost = own["side"] * (own["price"] - arrival) * own["size"]
    query = (
        "SELECT sum(fills)::BIGINT, sum(volume), sum(slippage * volume) / sum(volume), sum(fees), sum(slippage_cost) "
        "FROM execution_summary WHERE engine = 'structure' AND symbol = 'XAGUSD' AND is_exit"
    )
    count, volume, slippage, fees, slippage_cost = run_sql(work, query).row(0)
    assert count == len(own) and volume == own["size"].sum() * float(INSTRUMENTS[1].lot_size)
    assert slippage == pytest.approx(cost.sum() / own["size"].sum() * float(INSTRUMENTS[1].tick_size), abs=1e-9)
    assert fees == pytest.approx(own["fee_nanos"].sum() / 1e9, abs=1e-9)
    assert slippage_cost == pytest.approx(cost.sum() * INSTRUMENTS[1].tick_value_nanos / 1e9, abs=1e-6)


def test_latency_percentiles_are_orders_own_values(work: WorkDir, run: RecordedRun) -> None:
    orders, fills = run.tables["orders"], run.tables["fills"]
    first = {int(f["order_no"]): f for f in reversed(fills)}
    engine = orders["engine"][np.unique(orders["order_no"], return_index=True)[1]]
    expected = sorted(
        int(f["ts_event"] - f["ts_sent"]) for n, f in first.items() if f["instrument_id"] == 0 and engine[n] == 0
    )
    row = run_sql(work, "FROM latency WHERE stage = 'sent_to_fill' AND engine = 'hft' AND symbol = 'XAUUSD'").row(
        0, named=True
    )
    assert row["orders"] == len(expected)
    assert (row["minimum_ns"], row["maximum_ns"]) == (expected[0], expected[-1])
    assert row["p50_ns"] == expected[(len(expected) - 1) // 2]


def test_reasons_add_up_to_the_decisions(work: WorkDir, run: RecordedRun) -> None:
    decisions = run.tables["decisions"]
    rows = run_sql(work, "SELECT reason, sum(intents)::BIGINT FROM decision_reasons GROUP BY reason").rows()
    counted = {
        DecisionReason(int(r)).name.lower(): int((decisions["reason"] == r).sum()) for r in set(decisions["reason"])
    }
    assert dict(rows) == counted
    assert run_sql(
        work, "SELECT sum(share) FROM decision_reasons GROUP BY day, engine, symbol"
    ).to_series().to_list() == (pytest.approx([1.0] * (3 * len(Engine) * len(INSTRUMENTS))))


def test_monitoring_and_outcomes_count_every_intent_once(work: WorkDir, run: RecordedRun) -> None:
    intents, decisions, fills = (run.tables[n] for n in ("intents", "decisions", "fills"))
    scored = int((~np.isnan(intents["model_score"])).sum())
    assert run_sql(work, "SELECT sum(intents)::BIGINT FROM model_monitoring").item() == scored
    assert run_sql(work, "SELECT count(*) FROM intent_outcomes").item() == int(decisions["approved"].sum())
    net = run_sql(work, "SELECT sum(net), count(*) FROM intent_outcomes WHERE closed").row(0)
    earned = 0
    closed = 0
    for number in decisions["intent_no"][decisions["approved"] == 1]:
        own = fills[fills["intent_no"] == number]
        if len(own) and own["size"][own["is_exit"] == 0].sum() == own["size"][own["is_exit"] == 1].sum():
            earned += int(own["realised_nanos"].sum() - own["fee_nanos"].sum())
            closed += 1
    assert net[1] == closed > 20
    assert net[0] == pytest.approx(earned / 1e9, abs=1e-9)


def test_gates_count_what_they_held_back_before_any_of_it_is_valued(work: WorkDir, run: RecordedRun) -> None:
    decisions = run.tables["decisions"]
    decisions = decisions[decisions["engine"] != Engine.HEDGE]
    refused, resized = decisions["approved"] == 0, decisions["size_approved"] != decisions["size_wanted"]
    rows = run_sql(work, "FROM gate_value").rows(named=True)
    (total,) = (row for row in rows if row["gate"] == row["session"] == row["engine"] == "all")
    assert total["held_back"] == int((refused | resized).sum()) > 0
    assert total["engaged"] == int((refused & (decisions["is_engaged"] == 1)).sum())
    assert (total["carried_out"], total["saved"], total["net_effect"], total["verdict"]) == (0, None, None, None)
    gates = np.where(refused, decisions["reason"], decisions["binding"])
    for gate in np.unique(gates[refused | resized]):
        name, of_gate = DecisionReason(int(gate)).name.lower(), (gates == gate) & (refused | resized)
        mine = [row for row in rows if row["gate"] == name]
        for summed, kept in (("session", "engine"), ("engine", "session")):
            parts = [row["held_back"] for row in mine if row[summed] == "all" and row[kept] != "all"]
            assert sum(parts) == int(of_gate.sum())
