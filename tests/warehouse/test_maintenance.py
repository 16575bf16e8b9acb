"""Upkeep: fewer files, fewer snapshots, and every kept snapshot reads the same rows as before."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chimera_platform.errors import WarehouseError
from chimera_platform.workdir import WorkDir
from tests.reference.recorded_run import record_run
from tests.warehouse.test_ingest import cut
from warehouse.connection import connect
from warehouse.fingerprint import content_hash
from warehouse.ingest import ingest
from warehouse.maintenance import MaintenanceSettings, maintain
from warehouse.query import query_frame, run_sql
from warehouse.rebuild import rebuild
from warehouse.snapshots import snapshot_id

KEEP_NOTHING = MaintenanceSettings.model_validate({"snapshot_days": 0.0, "file_grace_hours": 0.0})


def files(work: WorkDir) -> set[Path]:
    return set((work.warehouse / "data").rglob("*.parquet"))


def later() -> datetime:
    return datetime.now(UTC) + timedelta(minutes=1)


@pytest.fixture(scope="module")
def filled(tmp_path_factory) -> WorkDir:
    """A warehouse that was filled day by day, with a release that names the first day's snapshot."""
    workdir = WorkDir(tmp_path_factory.mktemp("work")).prepare()
    record_run(events=600).write(workdir.run_folder("run-1"), settings=cut(100))
    for day in ("2024-03-04", "2024-03-05", "2024-03-06"):
        ingest(workdir, day=day)
        if day == "2024-03-04":
            release = workdir.releases / "abc"
            release.mkdir()
            (release / "manifest.json").write_text(json.dumps({"warehouse_snapshot": snapshot_id(workdir)}))
    return workdir


@pytest.fixture
def work(filled: WorkDir, tmp_path: Path) -> WorkDir:
    return WorkDir(shutil.copytree(filled.path, tmp_path / "work"))


def test_upkeep_merges_files_expires_snapshots_and_keeps_what_a_release_was_trained_on(work: WorkDir) -> None:
    named = json.loads((work.releases / "abc" / "manifest.json").read_text())["warehouse_snapshot"]
    query = f"SELECT fill_no, cash_nanos FROM staging.fills AT (VERSION => {named}) ORDER BY fill_no"
    bars = f"SELECT * FROM core.bars_1m AT (VERSION => {named}) ORDER BY ALL"
    trained_on, bars_then, content = run_sql(work, query), run_sql(work, bars), content_hash(work)
    before = files(work)
    result = maintain(work, KEEP_NOTHING, now=later())
    assert result.files_after < result.files_before
    assert result.snapshots_expired > 0 and result.files_removed > 0
    assert content_hash(work) == content
    assert run_sql(work, query).equals(trained_on) and trained_on.height > 0
    assert run_sql(work, bars).equals(bars_then)
    snapshots = run_sql(work, "SELECT snapshot_id FROM ducklake_snapshots('chimera')").to_series().to_list()
    assert named in snapshots and len(snapshots) <= 4
    assert len(files(work)) < len(before)
    expired = min(set(range(named)) - set(snapshots))
    with pytest.raises(WarehouseError, match=r"(?i)snapshot|version"):
        run_sql(work, f"SELECT count(*) FROM staging.fills AT (VERSION => {expired})")


def test_a_rebuild_leaves_the_snapshot_of_a_release_readable(work: WorkDir) -> None:
    named = json.loads((work.releases / "abc" / "manifest.json").read_text())["warehouse_snapshot"]
    query = f"SELECT sum(cash_nanos)::BIGINT FROM staging.fills AT (VERSION => {named})"
    before = run_sql(work, query).item()
    rebuild(work)
    maintain(work, KEEP_NOTHING, now=later())
    assert run_sql(work, query).item() == before


def test_deleted_rows_are_written_out_of_the_files_but_stay_in_the_snapshots_that_have_them(work: WorkDir) -> None:
    named = json.loads((work.releases / "abc" / "manifest.json").read_text())["warehouse_snapshot"]
    connection = connect(work, read_only=False)
    connection.execute("DELETE FROM core.bars_1m WHERE day >= '2024-03-04'")
    connection.execute("DELETE FROM staging.marks WHERE mark_no % 4 <> 0")
    connection.close()
    queries = [
        f"SELECT count(*), sum(updates)::BIGINT FROM core.bars_1m AT (VERSION => {version})"
        for version in range(named, snapshot_id(work) + 1)
    ]
    marks = "SELECT count(*), sum(mark_no)::BIGINT FROM staging.marks"
    before, marks_before = [run_sql(work, query).row(0) for query in queries], run_sql(work, marks).row(0)
    assert len({count for count, _ in before}) > 1
    maintain(work)
    maintain(work)
    assert [run_sql(work, query).row(0) for query in queries] == before
    assert run_sql(work, marks).row(0) == marks_before
    deletes = [p for p in files(work) if "delete" in p.name]
    maintain(work, KEEP_NOTHING, now=later())
    assert len([p for p in files(work) if "delete" in p.name]) < len(deletes)
    assert run_sql(work, marks).row(0) == marks_before
    assert run_sql(work, queries[0]).row(0) == before[0]


def test_upkeep_within_the_grace_time_removes_nothing(work: WorkDir) -> None:
    before = files(work)
    result = maintain(work)
    assert (result.snapshots_expired, result.files_removed, result.orphans_removed) == (0, 0, 0)
    assert before <= files(work)


def test_a_reader_goes_on_during_upkeep(work: WorkDir) -> None:
    reader = connect(work)
    try:
        before = query_frame(reader, "SELECT count(*) FROM staging.events").item()
        maintain(work)
        assert query_frame(reader, "SELECT count(*) FROM staging.events").item() == before == 600
    finally:
        reader.close()


def test_files_that_a_crash_left_uncommitted_are_removed_after_the_grace_time(work: WorkDir) -> None:
    some = next(iter(files(work)))
    orphan = some.with_name("ducklake-00000000-0000-7000-8000-000000000000.parquet")
    orphan.write_bytes(some.read_bytes())
    assert maintain(work).orphans_removed == 0
    assert orphan.exists()
    content = content_hash(work)
    assert maintain(work, KEEP_NOTHING, now=later()).orphans_removed >= 1
    assert not orphan.exists()
    assert content_hash(work) == content


def test_a_release_that_cannot_be_read_stops_the_expiry(work: WorkDir) -> None:
    (work.releases / "abc" / "manifest.json").write_text("{")
    with pytest.raises(WarehouseError, match="cannot tell which snapshot this release needs"):
        maintain(work, KEEP_NOTHING, now=later())
    assert len(run_sql(work, "FROM ducklake_snapshots('chimera')")) > 3
