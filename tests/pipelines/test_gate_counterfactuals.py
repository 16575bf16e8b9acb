"""Gates valued from a journal: a strict account on a simulated market, what it was kept from, and the control."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from chimera_platform.cli.app import app
from chimera_platform.configuration import Configuration
from chimera_platform.risk.risk_settings import RiskAdaptiveSettings, RiskSettings
from chimera_platform.simulation.exchange.settings import VenueSettings
from chimera_platform.workdir import WorkDir
from pipelines.gate_controls import control_failures, draws
from pipelines.gate_counterfactuals import carry_out_gated
from pipelines.gate_intervals import gates_markdown, value_gates
from tests.pipelines.conftest import write_journal
from warehouse.ingest import ingest
from warehouse.query import run_sql

Alter = Callable[[WorkDir, str], None]
STRICT = Configuration(
    risk=RiskSettings(max_spread_ppm=250.0, max_order_notional=30_000.0),
    risk_adaptive=RiskAdaptiveSettings(session_scale_asia=0.5),
)


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> WorkDir:
    """Two days of an account with a strict spread limit and small orders. Not to be written: take a copy."""
    workdir = WorkDir(tmp_path_factory.mktemp("strict") / "work")
    write_journal(workdir, feed="sim://?symbols=XAUUSD&seed=7&rate=0.4", day_count=2, configuration=STRICT)
    ingest(workdir)
    return workdir


@pytest.fixture(scope="module")
def valued(ingested: WorkDir) -> tuple[WorkDir, list[dict[str, Any]], list[dict[str, Any]]]:
    return ingested, carry_out_gated(ingested), value_gates(ingested)


@pytest.fixture
def work(valued: tuple[WorkDir, Any, Any], tmp_path: Path) -> WorkDir:
    return WorkDir(shutil.copytree(valued[0].path, tmp_path / "work"))


Valued = tuple[WorkDir, list[dict[str, Any]], list[dict[str, Any]]]
_ROWS = "SELECT CAST(day AS VARCHAR) AS day, * EXCLUDE day FROM learning."


def rows(workdir: WorkDir, query: str) -> list[dict[str, Any]]:
    return run_sql(workdir, query).rows(named=True)


def test_every_intent_that_a_gate_held_back_has_a_row_and_the_parts_of_each_row_add_up(valued: Valued) -> None:
    work, _, _ = valued
    held_back = """SELECT intent_no, reason, binding, approved, size_wanted, size_approved FROM staging.decisions
        WHERE (approved = 0 AND is_engaged = 0 AND is_tradable = 1) OR (approved = 1 AND size_approved <> size_wanted)
        ORDER BY intent_no"""
    found = rows(work, _ROWS + "gate_counterfactuals ORDER BY intent_no")
    decided = rows(work, held_back)
    assert [row["intent_no"] for row in found] == [row["intent_no"] for row in decided]
    outcomes = {row["outcome"] for row in found}
    assert outcomes >= {"closed", "repeat"} and len(found) > 200
    for row, decision in zip(found, decided, strict=True):
        assert row["gate"] == decision["reason" if decision["approved"] == 0 else "binding"]
        assert (row["size_wanted"], row["size_approved"]) == (decision["size_wanted"], decision["size_approved"])
        if row["outcome"] == "repeat":
            assert row["pnl_wanted_nanos"] is row["effect_nanos"] is row["held_ns"] is None
            continue
        assert row["effect_nanos"] == row["pnl_approved_nanos"] - row["pnl_wanted_nanos"]
        assert row["size_approved"] > 0 or row["pnl_approved_nanos"] == 0
        assert 0 <= row["entered_lots"] <= row["size_wanted"]
        assert row["entered_lots"] > 0 or row["fees_wanted_nanos"] == row["held_ns"] == 0


def test_a_resized_intent_earns_in_its_approved_size_what_the_books_say(valued: Valued) -> None:
    work, _, _ = valued
    pairs = run_sql(
        work,
        """SELECT c.pnl_approved_nanos, t.net_nanos FROM learning.gate_counterfactuals AS c
        JOIN core.trades AS t USING (run_id, intent_no) WHERE t.closed AND c.outcome = 'closed'""",
    ).rows()
    assert len(pairs) > 100
    assert np.mean([carried == booked for carried, booked in pairs]) > 0.95


def test_the_control_reproduces_what_was_earned(valued: Valued) -> None:
    work, controls, _ = valued
    assert sum(row["alone"] for row in controls) > 300
    assert [row["alone"] for row in controls] == [row["alone_equal"] for row in controls]
    assert sum(row["equal"] for row in controls) > 0.97 * sum(row["compared"] for row in controls)
    assert control_failures(work) == []
    booked = run_sql(work, "SELECT sum(net_nanos)::BIGINT FROM core.trades WHERE closed").item()
    assert sum(row["booked_nanos"] for row in controls) == booked
    assert rows(work, _ROWS + "gate_controls ORDER BY day") == [_ordered(row) for row in controls]


def _ordered(row: dict[str, Any]) -> dict[str, Any]:
    return {"day": row["day"]} | row


def test_the_mart_sums_up_the_rows_and_carries_the_intervals(valued: Valued) -> None:
    work, _, intervals = valued
    found = {(row["gate"], row["session"], row["engine"]): row for row in rows(work, "FROM marts.gate_value")}
    stored = run_sql(
        work,
        """SELECT g.name, effect_nanos FROM learning.gate_counterfactuals
        JOIN staging.enumerations AS g ON g.enumeration = 'DecisionReason' AND g.code = gate ORDER BY intent_no""",
    ).rows()
    gates = {name for name, _ in stored}
    assert gates == {"spread", "max_order", "session"}
    for gate in gates:
        effects = [effect for name, effect in stored if name == gate and effect is not None]
        row = found[gate, "all", "all"]
        assert row["carried_out"] == len(effects)
        assert row["repeats"] == sum(name == gate and effect is None for name, effect in stored)
        assert row["saved"] == pytest.approx(sum(e for e in effects if e > 0) / 1e9)
        assert row["missed"] == pytest.approx(-sum(e for e in effects if e < 0) / 1e9)
        assert row["net_effect"] == pytest.approx(row["saved"] - row["missed"])
        assert row["mean_effect"] == pytest.approx(row["net_effect"] / len(effects))
        assert row["low"] < row["mean_effect"] < row["high"]
    assert found["session", "asia", "all"]["verdict"] == "costs" and found["session", "asia", "all"]["high"] < 0
    assert found["position_open", "all", "all"]["engaged"] == found["position_open", "all", "all"]["held_back"] > 0
    assert found["position_open", "all", "all"]["net_effect"] is None
    assert len(intervals) == sum(row["carried_out"] > 0 for row in found.values())
    assert "| run | session |" in str(gates_markdown(intervals).md_str)


def test_doing_it_again_changes_nothing_and_only_runs_with_new_events_are_followed(
    work: WorkDir, valued: Valued, alter: Alter
) -> None:
    before = rows(work, _ROWS + "gate_counterfactuals ORDER BY intent_no")
    assert carry_out_gated(work) == []
    assert value_gates(work) == valued[2]
    write_journal(work, run_id="other", feed="sim://?symbols=XAUUSD&seed=9&rate=0.05", day_count=1)
    ingest(work)
    assert {row["run_id"] for row in carry_out_gated(work)} == {"other"}
    alter(work, "DELETE FROM learning.gate_controls WHERE run_id = 'run'")
    assert carry_out_gated(work) == valued[1]
    assert rows(work, _ROWS + "gate_counterfactuals WHERE run_id = 'run' ORDER BY intent_no") == before


def test_quarantined_days_are_not_valued(work: WorkDir, valued: Valued, alter: Alter) -> None:
    day = valued[1][0]["day"]
    columns = dict.fromkeys(_required(work, "data_quality"), "0") | {
        "run_id": "'run'",
        "day": f"DATE '{day}'",
        "quarantined": "true",
    }
    alter(work, f"INSERT INTO learning.data_quality ({', '.join(columns)}) VALUES ({', '.join(columns.values())})")
    kept = run_sql(
        work, f"SELECT count(effect_nanos) FROM learning.gate_counterfactuals WHERE day <> DATE '{day}'"
    ).item()
    found = [row for row in value_gates(work) if row["gate"] == row["session"] == row["engine"] == "all"]
    assert [row["intents"] for row in found] == [kept]
    query = "SELECT carried_out FROM gate_value WHERE gate = 'all' AND session = 'all' AND engine = 'all'"
    assert run_sql(work, query).item() == kept < sum(row["intents"] for row in valued[2] if _is_total(row))


def _is_total(row: dict[str, Any]) -> bool:
    return bool(row["gate"] == row["session"] == row["engine"] == "all")


def _required(workdir: WorkDir, table: str) -> list[str]:
    query = f"""SELECT column_name FROM information_schema.columns
        WHERE table_schema = 'learning' AND table_name = '{table}' AND is_nullable = 'NO'"""
    return [str(name) for (name,) in run_sql(workdir, query).rows()]


def test_a_control_that_does_not_reproduce_names_its_run_unless_the_venue_draws(work: WorkDir, alter: Alter) -> None:
    alter(work, "UPDATE learning.gate_controls SET alone_equal = alone - 40")
    (sentence,) = control_failures(work)
    assert sentence.startswith("run run: of 417") and "337 earned the same" in sentence
    alter(work, "UPDATE learning.gate_controls SET is_drawn = true")
    assert control_failures(work) == []


def test_drawn_latencies_chances_and_message_limits_make_a_venue_one_that_draws() -> None:
    assert not draws(VenueSettings())
    assert draws(VenueSettings(report_latency_quantiles_ns=(1, 2)))
    assert draws(VenueSettings(reject_probability=0.1))
    assert draws(VenueSettings(messages_per_second=5))


def test_the_command_says_what_each_gate_saved_and_what_the_control_found(work: WorkDir) -> None:
    called = CliRunner().invoke(app, ["attribute", "--gates", "--workdir", str(work.path), "--json"])
    assert called.exit_code == 0, called.output
    said = json.loads(called.stdout)
    assert {row["gate"] for row in said["gates"]} == {"all", "spread", "max_order", "session"}
    costs = [row["net_effect"] for row in said["gates"]]
    assert costs == sorted(costs)
    (control,) = said["controls"]
    assert control["alone"] == control["alone_equal"] > 300 and said["failures"] == []
