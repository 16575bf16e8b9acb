"""Killing a live flow: flat, and flat after a restart, until it is reset; a replay does the same at the same events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chimera_platform.execution.records import DecisionReason, OrderReason
from chimera_platform.journal.reader import JournalReader
from tests.e2e.flow_process import chimera, journaled_events, kill, start, wait_until

pytestmark = pytest.mark.slow  # flows in processes of their own

RUN = ("run", "--feed", "sim://?symbols=XAUUSD,XAGUSD&seed=7&days=1", "--speed", "3000")


def journal(workdir: Path) -> JournalReader:
    (folder,) = (path.parent for path in workdir.glob("journal/*/run.json"))
    return JournalReader(folder)


def changes(workdir: Path) -> list[Any]:
    return journal(workdir).read("releases")[["event_no", "killed"]].tolist()


def positions(fills: np.ndarray) -> dict[tuple[int, int], int]:
    """Return lots held by (instrument, engine) after all fills."""
    held: dict[tuple[int, int], int] = {}
    for fill in fills:
        key = (int(fill["instrument_id"]), int(fill["engine"]))
        held[key] = held.get(key, 0) + int(fill["side"]) * int(fill["size"])
    return held


def test_a_killed_flow_is_flat_across_restarts_until_it_is_reset(tmp_path: Path) -> None:
    workdir = tmp_path / "work"
    flow = start(*RUN, "--workdir", workdir)
    wait_until(lambda: journaled_events(workdir) > 30_000, process=flow)
    thrown = chimera("kill", "--reason", "prices look wrong", "--by", "ann", "--workdir", workdir)
    assert thrown["killed"] and thrown["kill"]["by"] == "ann"
    wait_until(lambda: len(changes(workdir)) == 2, process=flow)
    seen = journaled_events(workdir)
    wait_until(lambda: journaled_events(workdir) > seen + 30_000, process=flow)
    kill(flow)

    flow = start(*RUN, "--workdir", workdir)
    resumed_at = journaled_events(workdir)
    wait_until(lambda: journaled_events(workdir) > resumed_at + 20_000, process=flow)
    assert [killed for _, killed in changes(workdir)] == [0, 1]
    chimera("kill", "--reset", "--reason", "they were right", "--by", "ben", "--workdir", workdir)
    wait_until(lambda: len(changes(workdir)) == 3, process=flow)
    _, err = flow.communicate(timeout=240)
    assert flow.returncode == 0, err

    (_, killed_at, reset_at), reader = [event_no for event_no, _ in changes(workdir)], journal(workdir)
    decisions, fills, orders = (reader.read(name) for name in ("decisions", "fills", "orders"))
    held_back = decisions[(decisions["event_no"] >= killed_at) & (decisions["event_no"] < reset_at)]
    assert len(held_back) > 20 and not held_back["approved"].any()
    assert (held_back["reason"] == DecisionReason.SHUTDOWN).sum() > 0
    assert any(lots for lots in positions(fills[fills["event_no"] < killed_at]).values()), "nothing was held: no test"
    assert not any(positions(fills[fills["event_no"] < reset_at]).values())
    assert (orders["reason"] == OrderReason.FLATTEN).any()
    assert (decisions["event_no"] >= reset_at).any() and decisions[decisions["event_no"] >= reset_at]["approved"].any()

    replayed = chimera("replay", reader.run_folder, "--workdir", tmp_path / "replayed")
    tested = chimera("backtest", reader.run_folder, "--workdir", tmp_path / "tested")
    digest = chimera("replay", reader.run_folder, "--workdir", tmp_path / "again", "--batch-size", "77")["digest"]
    assert replayed["digest"] == tested["digest"] == digest
    assert np.array_equal(journal(tmp_path / "replayed").read("fills"), fills)


def test_a_new_run_in_a_killed_work_folder_takes_no_risk(tmp_path: Path) -> None:
    workdir = tmp_path / "work"
    chimera("kill", "--reason", "maintenance", "--workdir", workdir)
    done = chimera("run", "--feed", "sim://?symbols=XAUUSD&seed=7&days=1", "--speed", "1e9", "--workdir", workdir)
    assert done["events"] > 10_000 and done["intents"] > 0
    assert (done["orders"], done["fills"]) == (0, 0)


def test_killing_needs_a_reason_and_resetting_a_kill(tmp_path: Path) -> None:
    workdir = tmp_path / "work"
    assert "--reason is missing" in chimera("kill", "--workdir", workdir, status=1)["error"]
    assert chimera("kill", "--status", "--workdir", workdir)["killed"] is False
    refused = chimera("kill", "--reset", "--reason", "no reason", "--workdir", workdir, status=1)
    assert "is not thrown" in refused["error"]
