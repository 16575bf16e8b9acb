"""A flow killed while an entry is on its way goes on exactly: same state at the same event, same journal at the end."""

from __future__ import annotations

import pickle
import sqlite3
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chimera_platform.configuration import load_configuration
from chimera_platform.coordinator import Coordinator, CoordinatorOutput
from chimera_platform.decision_path import DecisionPath
from chimera_platform.journal.reader import JournalReader
from chimera_platform.market.feeds import open_feed
from chimera_platform.market.instruments import load_instruments
from tests.e2e.flow_process import chimera, kill, start

pytestmark = pytest.mark.slow  # flows in processes of their own

FEED = "sim://?symbols=XAUUSD,XAGUSD&seed=11&days=1"
MARKET_SECONDS = 7_200
SLOW_VENUE = (
    "[venue]\norder_latency_ns = 40_000_000_000\nreport_latency_ns = 20_000_000_000\n"
    "[risk_adaptive]\nlatency_threshold_ms = 60000.0\nlatency_spikes_to_pause = 10\n"
)
TABLES = ("intents", "decisions", "orders", "fills", "marks", "risk_events", "risk_marks")


def last_snapshot(workdir: Path) -> tuple[int, dict[str, Any]] | None:
    """Return the event before which the newest whole snapshot was taken, and the coordinator's state in it."""
    for path in workdir.glob("recovery/*/part-0.sqlite3"):
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10) as store:
            rows = store.execute(
                "SELECT step_id, snap_epoch, ser_change FROM snaps WHERE step_id IN ('chimera.sequencer',"
                " 'chimera.coordinator') AND ser_change IS NOT NULL ORDER BY snap_epoch DESC"
            ).fetchall()
        break
    else:
        return None
    states: dict[str, dict[int, Any]] = {"chimera.sequencer": {}, "chimera.coordinator": {}}
    for step, epoch, content in rows:
        states[step][epoch] = content
    both = sorted(set(states["chimera.sequencer"]) & set(states["chimera.coordinator"]), reverse=True)
    for epoch in both:
        position = pickle.loads(states["chimera.sequencer"][epoch])
        state = pickle.loads(states["chimera.coordinator"][epoch])
        if state["next_batch"] == position.batch_no:
            return position.event_no, state["coordinator"]
    return None


def has_reserved_since(workdir: Path, event_no: int) -> bool:
    """Return whether the newest snapshot is of after ``event_no``, with something reserved."""
    try:
        found = last_snapshot(workdir)
    except sqlite3.OperationalError:  # it is being written
        return False
    return found is not None and found[0] > event_no and found[1]["account"]["reserved_nanos"][0] > 0


def unbroken(config: Path) -> tuple[np.ndarray, DecisionPath]:
    """Return the run's events and a path that has seen none of them."""
    source = open_feed(FEED, load_instruments()).source
    batch = np.concatenate([part.copy() for part in source.batches(65_536)])
    path = DecisionPath(source.universe, load_configuration(config))
    path.apply_release(None, 0)
    return batch[batch["ts_event"] < batch["ts_event"][0] + MARKET_SECONDS * 1_000_000_000], path


def restored(state: dict[str, Any], config: Path) -> Coordinator:
    """Return a coordinator in a state of a snapshot."""
    coordinator = Coordinator(open_feed(FEED, load_instruments()).source.universe, load_configuration(config))
    coordinator.restore(state)
    return coordinator


def test_a_flow_killed_with_a_reserved_entry_resumes_in_the_state_of_an_unbroken_run(tmp_path: Path) -> None:
    workdir, config = tmp_path / "work", tmp_path / "slow.toml"
    config.write_text(SLOW_VENUE)
    speed = 300
    command = (
        *("run", "--feed", FEED, "--duration", MARKET_SECONDS / speed, "--speed", speed, "--no-ml"),
        *("--config", config, "--workdir", workdir),
    )
    events, path = unbroken(config)
    outputs: list[CoordinatorOutput] = []
    reached = kills = 0
    for _ in range(8):
        flow = start(*command)
        while flow.poll() is None and not has_reserved_since(workdir, reached):
            time.sleep(0.02)
        if flow.poll() is not None:
            break
        kill(flow)
        event_no, state = last_snapshot(workdir) or (0, {})
        outputs.append(path.run(events[reached:event_no], reached))
        reached = event_no
        resumed = restored(state, config)
        assert resumed.state_hash() == restored(path.snapshot()["coordinator"], config).state_hash(), event_no
        kills += int(resumed.state.account["reserved_nanos"][0] > 0)
        if kills == 2:
            break
    assert kills == 2, "no two kills fell into a reserved order"
    chimera(*command)
    outputs.append(path.run(events[reached:], reached))
    (run_json,) = workdir.glob("journal/*/run.json")
    reader = JournalReader(run_json.parent)
    assert reader.rows("events") == len(events)
    for table in TABLES:
        expected = np.concatenate([getattr(output, table) for output in outputs])
        assert reader.read(table).tobytes() == expected.tobytes(), table
