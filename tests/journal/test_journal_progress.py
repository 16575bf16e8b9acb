"""How far a journal goes: the first event that no sealed row is about."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from chimera_platform.execution.records import ORDER_EVENT_DTYPE, RELEASE_CHANGE_DTYPE
from chimera_platform.journal.progress import first_event_not_in
from chimera_platform.journal.schema import TABLES
from chimera_platform.journal.segments import write_segment
from chimera_platform.market.events import EVENT_DTYPE


def seal(folder: Path, table: str, rows: np.ndarray, first: int = 0) -> None:
    (folder / table).mkdir(parents=True, exist_ok=True)
    write_segment(folder / table, TABLES[table], "run-1", first, rows)


def orders(*event_nos: int) -> np.ndarray:
    rows = np.zeros(len(event_nos), ORDER_EVENT_DTYPE)
    rows["order_event_no"], rows["event_no"] = np.arange(len(event_nos)), event_nos
    return rows


def test_a_run_without_a_journal_begins_at_event_0(tmp_path: Path) -> None:
    assert first_event_not_in(tmp_path / "run-1") == 0


def test_sealed_events_are_counted(tmp_path: Path) -> None:
    seal(tmp_path, "events", np.zeros(10, EVENT_DTYPE))
    seal(tmp_path, "events", np.zeros(5, EVENT_DTYPE), first=10)
    assert first_event_not_in(tmp_path) == 15


def test_a_table_that_is_ahead_of_the_events_decides(tmp_path: Path) -> None:
    seal(tmp_path, "events", np.zeros(10, EVENT_DTYPE))
    seal(tmp_path, "orders", orders(3, 17))
    assert first_event_not_in(tmp_path) == 18


def test_changes_of_release_that_are_written_ahead_do_not_count(tmp_path: Path) -> None:
    seal(tmp_path, "events", np.zeros(10, EVENT_DTYPE))
    change = np.zeros(1, RELEASE_CHANGE_DTYPE)
    change["event_no"] = 500
    seal(tmp_path, "releases", change)
    assert first_event_not_in(tmp_path) == 10
