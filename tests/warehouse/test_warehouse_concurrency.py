"""Readers, writers and kill -9: nobody stops anybody, nothing is doubled, nothing half-done stays."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import duckdb
import pytest

from chimera_platform.errors import WarehouseError
from chimera_platform.workdir import WorkDir
from tests.reference.recorded_run import record_run
from tests.warehouse.test_ingest import count, cut
from warehouse.connection import connect, is_conflict, writer_turn
from warehouse.fingerprint import content_hash
from warehouse.ingest import ingest
from warehouse.query import query_frame

REPOSITORY = Path(__file__).parents[2]
INGEST = """
import os, signal, sys
from chimera_platform.workdir import WorkDir
import warehouse.ingest as module
module.ROWS_PER_COMMIT = 400  # several commits, so that a kill can fall between them
insert, left = module._insert_batch, int(sys.argv[2])
def insert_and_die(*arguments):
    global left
    insert(*arguments)
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
module._insert_batch = insert_and_die
print("ingesting", flush=True)
module.ingest(WorkDir(sys.argv[1]))
"""


@pytest.fixture
def work(tmp_path: Path) -> WorkDir:
    workdir = WorkDir(tmp_path / "work")
    record_run(events=900).write(workdir.run_folder("run-1"), settings=cut(150))
    return workdir


@pytest.fixture(scope="module")
def expected(tmp_path_factory) -> dict[str, str]:
    workdir = WorkDir(tmp_path_factory.mktemp("expected"))
    record_run(events=900).write(workdir.run_folder("run-1"))
    ingest(workdir)
    return content_hash(workdir)


def start(work: WorkDir, inserts_until_death: int = 0) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", INGEST, str(work.path), str(inserts_until_death)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
    assert process.stdout is not None and process.stdout.readline() == "ingesting\n"
    return process


def test_a_reader_stays_connected_while_another_process_commits(work: WorkDir) -> None:
    ingest(work, tables=["fills"])
    reader = connect(work)
    try:
        seen = [query_frame(reader, "SELECT count(*) FROM staging.events").item()]
        writer = start(work)
        while writer.poll() is None:
            seen.append(query_frame(reader, "SELECT count(*) FROM staging.events").item())
        assert writer.returncode == 0
        seen.append(query_frame(reader, "SELECT count(*) FROM staging.events").item())
    finally:
        reader.close()
    assert seen[0] == 0 and seen[-1] == 900
    assert seen == sorted(seen), "every commit was seen whole and in order"


def test_a_readers_transaction_keeps_its_snapshot_while_others_commit(work: WorkDir) -> None:
    ingest(work, tables=["events"], day="2024-03-04")
    reader = connect(work)
    try:
        reader.execute("BEGIN")
        before = reader.execute("SELECT count(*) FROM staging.events").fetchall()
        ingest(work)
        assert reader.execute("SELECT count(*) FROM staging.events").fetchall() == before
        reader.execute("COMMIT")
        assert reader.execute("SELECT count(*) FROM staging.events").fetchall() == [(900,)]
    finally:
        reader.close()


@pytest.mark.slow
def test_an_ingestion_killed_between_rows_and_commit_is_completed_without_duplicates(
    work: WorkDir, expected: dict[str, str]
) -> None:
    """Killed with kill -9 after its first, third, … insert, and once at a random moment."""
    survived = []
    for inserts in (1, 3, 5, 0):
        process = start(work, inserts)
        if inserts == 0:
            time.sleep(random.Random(11).uniform(0.1, 0.6))
            process.kill()
        assert process.wait() == -signal.SIGKILL
        connect(work, read_only=False).close()
        reader = connect(work)
        query = "SELECT coalesce(sum(last_row - first_row + 1), 0)::BIGINT FROM segments WHERE table_name = 'events'"
        assert count(work, "staging.events") == query_frame(reader, query).item(), "rows and ledger go together"
        survived.append(query_frame(reader, "SELECT count(*) FROM segments").item())
        reader.close()
    assert survived[0] == 0 and survived == sorted(survived) and survived[2] > 0
    ingest(work)
    assert content_hash(work) == expected


def test_two_ingestions_at_once_do_not_double_a_row(work: WorkDir, expected: dict[str, str]) -> None:
    both = [start(work), start(work)]
    assert [process.wait() for process in both] == [0, 0]
    assert content_hash(work) == expected


def test_two_writers_without_a_common_lock_cannot_both_commit(work: WorkDir) -> None:
    """Writers of two machines do not share a file lock: the row that both update makes one of them begin again."""
    ingest(work, tables=["fills"])
    first, second = connect(work, read_only=False), connect(work, read_only=False)
    try:
        for connection in (first, second):
            connection.execute("BEGIN")
            connection.execute("UPDATE staging.writer_turn SET turn = turn + 1")
            connection.execute("INSERT INTO staging.segments SELECT * FROM staging.segments LIMIT 1")
        first.execute("COMMIT")
        with pytest.raises(duckdb.Error) as caught:
            second.execute("COMMIT")
        assert is_conflict(caught.value)
    finally:
        first.close()
        second.close()


def test_an_ingestion_begins_again_when_another_writer_was_first(
    work: WorkDir, monkeypatch, expected: dict[str, str]
) -> None:
    import warehouse.ingest as module

    genuine, calls = module.refresh, []

    def refresh_late(connection, changes):  # type: ignore[no-untyped-def]
        genuine(connection, changes)
        calls.append(True)
        if len(calls) == 1:
            other = connect(work, read_only=False)
            other.execute("UPDATE staging.writer_turn SET turn = turn + 1")
            other.close()

    monkeypatch.setattr(module, "refresh", refresh_late)
    ingest(work)
    assert len(calls) == 2, "the first commit met a conflict, the second did not"
    assert content_hash(work) == expected


def test_a_writer_waits_for_its_turn_and_says_when_it_takes_too_long(work: WorkDir) -> None:
    with (
        writer_turn(work),
        pytest.raises(WarehouseError, match="another process has been writing"),
        writer_turn(work, 0.1),
    ):
        pass
    turn = writer_turn(work)
    turn.__enter__()
    done: list[int] = []
    thread = threading.Thread(target=lambda: done.append(ingest(work, tables=["fills"]).segments))
    thread.start()
    time.sleep(0.2)
    assert done == []
    turn.__exit__(None, None, None)
    thread.join()
    assert done[0] > 0
