"""Read-only SQL: convenient names, nothing can be changed, no other file can be reached."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from chimera_platform.errors import WarehouseError
from chimera_platform.workdir import WorkDir
from tests.reference.recorded_run import record_run
from warehouse.connection import connect
from warehouse.ingest import ingest
from warehouse.query import run_sql


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> WorkDir:
    workdir = WorkDir(tmp_path_factory.mktemp("work"))
    record_run(events=300).write(workdir.run_folder("run-1"))
    ingest(workdir)
    return workdir


def test_names_are_looked_up_in_marts_then_core_then_staging(work: WorkDir) -> None:
    assert "slippage_bps" in run_sql(work, "FROM execution_quality LIMIT 1").columns
    assert run_sql(work, "FROM fills LIMIT 1")["symbol"].item() in ("XAUUSD", "XAGUSD")
    assert "cash_nanos" in run_sql(work, "FROM staging.fills LIMIT 1").columns
    assert run_sql(work, "SELECT sha256 FROM segments").height > 0


def test_parameters_are_bound(work: WorkDir) -> None:
    assert run_sql(work, "SELECT count(*) FROM ticks WHERE symbol = ? AND event_no < ?", ["XAUUSD", 0]).item() == 0


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM staging.fills",
        "INSERT INTO staging.writer_turn VALUES (1)",
        "CREATE TABLE memory.main.x AS SELECT 1",
        "DROP VIEW core.fills",
        "COPY staging.fills TO 'x.csv'",
        "ATTACH 'x.db'",
        "SET threads = 1",
        "CALL ducklake_expire_snapshots('chimera', versions => [1])",
        "UPDATE core.bars_1m SET open = 0",
    ],
)
def test_a_statement_that_writes_is_refused(work: WorkDir, statement: str) -> None:
    with pytest.raises(WarehouseError, match=r"read only here: a .* statement is refused"):
        run_sql(work, statement)


def test_a_read_only_connection_refuses_writes_by_itself(work: WorkDir, tmp_path: Path) -> None:
    connection = connect(work)
    for statement in (
        "DELETE FROM staging.fills",
        "SELECT * FROM ducklake_expire_snapshots('chimera', versions => [1])",
        f"COPY (SELECT 1) TO '{tmp_path / 'x.csv'}'",
        "SELECT * FROM read_text('/etc/hostname')",
        "SET enable_external_access = true",
    ):
        with pytest.raises(Exception, match=r"read-only mode|disabled by configuration|configuration has been locked"):
            connection.execute(statement)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT 1; SELECT 2", "expected one SQL statement, got 2"),
        ("SELECT * FROM no_such_table", "no_such_table"),
        ("SELEC 1", "syntax error"),
        ("SELECT * FROM read_csv('/etc/passwd')", "disabled by configuration"),
    ],
)
def test_a_wrong_query_gets_one_clear_line(work: WorkDir, query: str, message: str) -> None:
    with pytest.raises(WarehouseError, match=message) as caught:
        run_sql(work, query)
    assert "\n" not in str(caught.value)


def test_without_a_warehouse_the_remedy_is_named(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match=r"no warehouse yet.*chimera ingest"):
        run_sql(WorkDir(tmp_path), "SELECT 1")


def test_a_warehouse_of_an_older_version_asks_to_be_brought_up_to_date(work: WorkDir, tmp_path: Path) -> None:
    older = WorkDir(shutil.copytree(work.path, tmp_path / "older"))
    connection = connect(older, read_only=False)
    connection.execute("DELETE FROM chimera.main.schema_history WHERE step = 'marts.latency'")
    connection.close()
    with pytest.raises(WarehouseError, match=r"older version \(missing: marts.latency\).*chimera ingest"):
        run_sql(older, "SELECT 1")
    ingest(older)
    assert run_sql(older, "SELECT count(*) FROM latency").height == 1


def test_a_work_folder_may_be_moved(work: WorkDir, tmp_path: Path) -> None:
    moved = WorkDir(shutil.copytree(work.path, tmp_path / "moved"))
    shutil.rmtree(moved.journal)
    assert run_sql(moved, "SELECT count(*) FROM staging.events").item() == 300


def test_a_read_only_disk_and_a_file_in_the_way_are_named(tmp_path: Path, read_only_folder: Path) -> None:
    with pytest.raises(WarehouseError, match="cannot be written"):
        ingest(WorkDir(read_only_folder))
    (tmp_path / "warehouse").write_text("")
    with pytest.raises(WarehouseError, match="expected a folder"):
        ingest(WorkDir(tmp_path))
