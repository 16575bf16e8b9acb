"""The circuit breaker of a live flow: flat, the kill switch thrown, across restarts and runs until a person resets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chimera_platform.execution.records import DecisionReason, OrderReason, RiskEventKind
from chimera_platform.journal.reader import JournalReader
from chimera_platform.risk.circuit_breaker import BreakerState
from tests.e2e.flow_process import chimera, journaled_events, kill, start, wait_until

pytestmark = pytest.mark.slow  # flows in processes of their own

FEED = "sim://?symbols=XAUUSD,XAGUSD&seed=7&days=1"
LIMITS = "[circuit_breaker]\ndaily_loss_limit = 0.0001\n"


def runs(workdir: Path) -> list[Path]:
    return [path.parent for path in workdir.glob("journal/*/run.json")]


def changes(run_folder: Path) -> list[Any]:
    return JournalReader(run_folder).read("releases")[["event_no", "killed"]].tolist()


def lots_held(fills: np.ndarray) -> dict[tuple[int, int], int]:
    held: dict[tuple[int, int], int] = {}
    for fill in fills:
        key = (int(fill["instrument_id"]), int(fill["engine"]))
        held[key] = held.get(key, 0) + int(fill["side"]) * int(fill["size"])
    return held


def test_a_triggered_breaker_keeps_the_work_folder_flat_until_a_person_resets_it(tmp_path: Path) -> None:
    workdir, config = tmp_path / "work", tmp_path / "limits.toml"
    config.write_text(LIMITS)
    command = ("run", "--feed", FEED, "--speed", "3000", "--config", config, "--workdir", workdir)
    flow = start(*command)
    wait_until(lambda: (workdir / "KILLED").exists(), process=flow)
    status = chimera("kill", "--status", "--workdir", workdir)
    assert status["kill"]["by"] == "circuit breaker" and "limit 0.0100%" in status["kill"]["reason"]
    assert status["circuit_breaker"] == "triggered"
    (run_folder,) = runs(workdir)
    wait_until(lambda: len(changes(run_folder)) == 2, process=flow)
    seen = journaled_events(workdir)
    wait_until(lambda: journaled_events(workdir) > seen + 5_000, process=flow)
    kill(flow)

    other = FEED.replace("seed=7", "seed=8")
    done = chimera("run", "--feed", other, "--speed", "1e7", "--duration", "0.001", "--workdir", workdir)
    assert done["events"] > 10_000 and (done["orders"], done["fills"]) == (0, 0)

    flow = start(*command)
    resumed_at = JournalReader(run_folder).rows("events")
    wait_until(lambda: JournalReader(run_folder).rows("events") > resumed_at + 5_000, process=flow)
    assert [killed for _, killed in changes(run_folder)] == [0, 1]
    chimera("kill", "--reset", "--reason", "the limit was a joke", "--by", "ben", "--workdir", workdir)
    wait_until(lambda: len(changes(run_folder)) >= 3, process=flow)
    _, err = flow.communicate(timeout=240)
    assert flow.returncode == 0, err

    reader = JournalReader(run_folder)
    decisions, fills, orders = (reader.read(name) for name in ("decisions", "fills", "orders"))
    breaker = reader.read("risk_events")
    breaker = breaker[breaker["kind"] == RiskEventKind.BREAKER]
    triggered_at = int(breaker["event_no"][breaker["state"] == BreakerState.TRIGGERED][0])
    (_, killed_at, reset_at) = [event_no for event_no, _ in changes(run_folder)][:3]
    assert triggered_at < killed_at < reset_at
    held_back = decisions[(decisions["event_no"] > triggered_at) & (decisions["event_no"] < reset_at)]
    assert len(held_back) > 0 and not held_back["approved"].any()
    before_the_kill = held_back[held_back["event_no"] < killed_at]
    assert (before_the_kill["reason"] == DecisionReason.CIRCUIT_BREAKER).all()
    assert any(lots_held(fills[fills["event_no"] < triggered_at]).values()), "nothing was held: no test"
    assert not any(lots_held(fills[fills["event_no"] < reset_at]).values())
    assert (orders["reason"] == OrderReason.FLATTEN).any()
    assert decisions[decisions["event_no"] >= reset_at]["approved"].any(), "it does not trade again"

    replayed = chimera("replay", run_folder, "--config", config, "--workdir", tmp_path / "replayed")
    tested = chimera("backtest", run_folder, "--config", config, "--workdir", tmp_path / "tested")
    assert replayed["digest"] == tested["digest"]
    assert not (tmp_path / "replayed" / "KILLED").exists() and not (tmp_path / "tested" / "KILLED").exists()
    (again,) = runs(tmp_path / "replayed")
    for table in ("decisions", "orders", "fills", "marks", "risk_events", "risk_marks"):
        assert JournalReader(again).read(table).tobytes() == reader.read(table).tobytes(), table
