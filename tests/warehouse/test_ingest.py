"""Journal → warehouse.

Invariant: the warehouse's content is a function of the journal's rows, not of how they were cut into segments, in
which order or how often they were ingested.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from chimera_platform.errors import WarehouseError
from chimera_platform.journal.reader import JournalReader
from chimera_platform.journal.schema import TABLES
from chimera_platform.journal.writer import JournalSettings, JournalWriter
from chimera_platform.workdir import WorkDir
from tests.reference.recorded_run import RecordedRun, manifest, record_run
from warehouse.connection import connect
from warehouse.days import days
from warehouse.fingerprint import content_hash
from warehouse.ingest import ingest
from warehouse.query import run_sql
from warehouse.rebuild import rebuild
from warehouse.snapshots import snapshot_id


def cut(rows: int) -> JournalSettings:
    return JournalSettings.model_validate({"event_segment_rows": rows, "segment_rows": rows})


@pytest.fixture(scope="module")
def run() -> RecordedRun:
    return record_run(events=900)


@pytest.fixture(scope="module")
def expected(run: RecordedRun, tmp_path_factory) -> dict[str, str]:
    """Content hashes of a warehouse that was filled at once."""
    workdir = WorkDir(tmp_path_factory.mktemp("expected"))
    run.write(workdir.run_folder("run-1"))
    ingest(workdir)
    return content_hash(workdir)


@pytest.fixture
def work(tmp_path: Path, run: RecordedRun) -> WorkDir:
    workdir = WorkDir(tmp_path / "work")
    run.write(workdir.run_folder("run-1"), settings=cut(100))
    return workdir


def count(work: WorkDir, table: str) -> int:
    return int(run_sql(work, f"SELECT count(*) FROM {table}").item())


def test_every_row_of_the_journal_arrives_unchanged(work: WorkDir, run: RecordedRun) -> None:
    result = ingest(work)
    assert result.rows == sum(len(rows) for rows in run.tables.values()) and result.problems == []
    reader = JournalReader(work.run_folder("run-1"))
    for name, table in TABLES.items():
        frame = run_sql(work, f"SELECT * FROM staging.{name} ORDER BY {table.row_number}")
        rows = table.from_arrow(frame.to_arrow().select(table.arrow_schema.names))
        assert rows.tobytes() == reader.read(name).tobytes(), name
        names = ["run_id", "day", *table.arrow_schema.names]
        assert sorted(frame.columns) == sorted(names), (
            "the staging table's columns are not those of the journal: a migration is missing"
        )


def test_doing_it_again_changes_nothing(work: WorkDir, expected: dict[str, str]) -> None:
    ingest(work)
    before = snapshot_id(work)
    again = ingest(work)
    assert (again.segments, again.rows, again.snapshot_id) == (0, 0, before)
    assert content_hash(work) == expected


def test_a_rebuild_gives_the_same_content(work: WorkDir, expected: dict[str, str]) -> None:
    ingest(work)
    connection = connect(work, read_only=False)
    connection.execute("DELETE FROM staging.fills WHERE fill_no % 2 = 0; UPDATE core.bars_1m SET open = 0")
    connection.close()
    assert content_hash(work) != expected
    rebuild(work)
    assert content_hash(work) == expected
    (work.warehouse / "catalog.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(WarehouseError, match="chimera rebuild"):
        ingest(work)
    rebuild(work, discard=True)
    assert content_hash(work) == expected


def test_segment_by_segment_as_a_run_writes_them_gives_the_same_content(
    tmp_path: Path, run: RecordedRun, expected: dict[str, str]
) -> None:
    work = WorkDir(tmp_path)
    writer = JournalWriter(work.run_folder("run-1"), manifest(), cut(1000))
    for part in range(4):
        for name, rows in reversed(run.tables.items()):  # fills come before their orders, orders before their intents
            begin, end = len(rows) * part // 4, len(rows) * (part + 1) // 4
            writer.append(name, rows[begin:end], begin)
            writer.tables[name].seal()
            if name in ("fills", "orders"):
                ingest(work)
    ingest(work)
    assert content_hash(work) == expected


def test_days_and_tables_can_be_ingested_apart(work: WorkDir, expected: dict[str, str]) -> None:
    assert days(work) == ["2024-03-04", "2024-03-05", "2024-03-06"]
    ingest(work, day="2024-03-06", tables=["fills", "orders"])
    assert run_sql(work, "SELECT DISTINCT day::VARCHAR FROM staging.fills").to_series().to_list() == ["2024-03-06"]
    assert count(work, "staging.events") == 0
    for day in ("2024-03-05", "2024-03-04", "2024-03-06"):
        ingest(work, day=day)
    assert content_hash(work) == expected


def test_other_cuts_of_the_same_rows_replace_the_former_ones(
    work: WorkDir, run: RecordedRun, expected: dict[str, str]
) -> None:
    ingest(work)
    shutil.rmtree(work.journal)
    run.write(work.run_folder("run-1"), settings=cut(70))
    assert ingest(work).segments > 0
    assert content_hash(work) == expected
    ledger = run_sql(work, "SELECT max(last_row - first_row) + 1 FROM segments").item()
    assert ledger == 70


def test_a_run_begun_afresh_replaces_the_former_one(work: WorkDir) -> None:
    ingest(work)
    shutil.rmtree(work.journal)
    other = record_run(seed=2, events=300)
    writer = JournalWriter(work.run_folder("run-1"), manifest(created="2025-01-01T00:00:00+00:00"))
    for name, rows in other.tables.items():
        writer.append(name, rows, 0)
    writer.seal_all()
    ingest(work)
    for name, rows in other.tables.items():
        assert count(work, f"staging.{name}") == len(rows), name
    assert count(work, "core.order_lifecycle") == len(set(other.tables["orders"]["order_no"].tolist()))


def test_a_damaged_segment_is_refused_and_named_while_the_others_go_on(work: WorkDir, expected: dict[str, str]) -> None:
    segment = JournalReader(work.run_folder("run-1")).segments("events")[2]
    good = segment.path.read_bytes()
    segment.path.write_bytes(good[:500] + bytes(100) + good[600:])
    torn = JournalReader(work.run_folder("run-1")).segments("marks")[0]
    whole = torn.path.read_bytes()
    torn.path.write_bytes(whole[: len(whole) // 2])
    result = ingest(work)
    assert [segment.name in p or torn.name in p for p in result.problems] == [True, True]
    assert count(work, "staging.events") == 900 - segment.rows
    segment.path.write_bytes(good)
    torn.path.write_bytes(whole)
    assert ingest(work).segments == 2
    assert content_hash(work) == expected


def test_a_missing_segment_is_reported_as_a_gap(work: WorkDir) -> None:
    JournalReader(work.run_folder("run-1")).segments("events")[1].path.unlink()
    problems = ingest(work).problems
    assert len(problems) == 1 and "rows 100 to 199 of table 'events' are missing" in problems[0]
    assert count(work, "staging.events") == 800


def test_a_run_with_a_damaged_manifest_is_named_while_others_go_on(work: WorkDir, expected: dict[str, str]) -> None:
    for run_id, spoil in (("run-2", '"tick_size": "-1"'), ("run-3", '"tick_size"')):
        record_run(seed=3, events=200).write(work.run_folder(run_id), run_id=run_id)
        path = work.run_folder(run_id) / "run.json"
        path.write_text(path.read_text().replace('"tick_size": "0.001"', spoil, 1))
    problems = ingest(work).problems
    assert len(problems) == 2
    assert "run run-2: run.json describes an instrument that is not one" in problems[0]
    assert "run.json: damaged run manifest" in problems[1]
    assert content_hash(work) == expected


def test_a_full_disk_fails_the_ingestion_with_one_line_and_commits_nothing(
    work: WorkDir, small_disk: Path, expected: dict[str, str]
) -> None:
    work.warehouse = small_disk / "warehouse"
    with pytest.raises(WarehouseError, match=r"(?i)space|full|disk") as caught:
        ingest(work)
    assert "\n" not in str(caught.value)
    work.warehouse = work.path / "warehouse"
    ingest(work)
    assert content_hash(work) == expected


def test_the_ledger_has_one_entry_a_segment(work: WorkDir) -> None:
    ingest(work)
    reader = JournalReader(work.run_folder("run-1"))
    written = sorted((t, f.first, f.last, f.day, f.sha256) for t in TABLES for f in reader.footers(t))
    entries = run_sql(work, "SELECT table_name, first_row, last_row, day::VARCHAR AS day, sha256 FROM segments")
    assert sorted(entries.rows()) == written


def test_a_failure_between_rows_and_ledger_leaves_nothing(work: WorkDir, monkeypatch, expected: dict[str, str]) -> None:
    import warehouse.ingest as module

    def fail(*_: Any) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as broken:
        broken.setattr(module, "refresh", fail)
        with pytest.raises(RuntimeError, match="power cut"):
            ingest(work)
    assert count(work, "staging.events") == 0 and count(work, "segments") == 0
    ingest(work)
    assert content_hash(work) == expected


def test_two_runs_stand_side_by_side(work: WorkDir) -> None:
    record_run(seed=3, events=200).write(work.run_folder("run-2"), run_id="run-2")
    ingest(work)
    runs = run_sql(work, "SELECT run_id, count(*) AS n FROM staging.events GROUP BY run_id ORDER BY run_id").rows()
    assert runs == [("run-1", 900), ("run-2", 200)]


def test_a_run_that_left_the_journal_leaves_the_warehouse_at_the_next_rebuild(
    work: WorkDir, expected: dict[str, str]
) -> None:
    record_run(seed=3, events=200).write(work.run_folder("run-2"), run_id="run-2")
    ingest(work)
    shutil.rmtree(work.run_folder("run-2"))
    ingest(work)
    assert count(work, "staging.runs") == 2, "ingestion keeps what was archived from the journal"
    rebuild(work)
    assert content_hash(work) == expected
