"""The journal's writing side.

Invariant: whatever is appended, in whatever pieces, with whatever crashes and replays between, the sealed rows of a
table are exactly the run's rows, once each, in order.
"""

from __future__ import annotations

import errno
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.errors import JournalError
from chimera_platform.journal.manifest import RunManifest
from chimera_platform.journal.reader import JournalReader
from chimera_platform.journal.schema import NS_PER_DAY, SCHEMA_VERSION, TABLES, VECTOR_NAMES, content_hash
from chimera_platform.journal.segments import Segment, read_footer
from chimera_platform.journal.writer import JournalSettings, JournalWriter
from tests.reference.recorded_run import manifest, record_run


def small(**limits: float) -> JournalSettings:
    return JournalSettings.model_validate({"event_segment_rows": 100, "segment_rows": 50, **limits})


def quotes(count: int, step_ns: int = 1_000) -> np.ndarray[Any, Any]:
    rows = np.zeros(count, TABLES["events"].dtype)
    rows["ts_event"] = 1_700_000_000_000_000_000 + np.arange(count) * step_ns
    rows["seq"] = np.arange(count)
    return rows


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_every_table_reads_back_bit_for_bit(tmp_path: Path) -> None:
    run = record_run()
    run.tables["intents"]["model_score"][:2] = np.frombuffer(bytes.fromhex("010000000000f87f020000000000f8ff"), "<f8")
    run.write(tmp_path / "run-1", settings=small())
    reader = JournalReader(tmp_path / "run-1")
    for name, rows in run.tables.items():
        assert reader.read(name).tobytes() == rows.tobytes(), name
    assert reader.verify() == {name: len(rows) for name, rows in run.tables.items()}


def test_a_segment_is_named_after_its_rows_and_its_footer_describes_it(tmp_path: Path) -> None:
    rows = quotes(130)
    writer = JournalWriter(tmp_path / "r", manifest("r"), small())
    writer.append_events(rows, 0)
    assert names(tmp_path / "r" / "events") == ["000000000000-000000000099.parquet"]
    writer.seal_all()
    first, last = JournalReader(tmp_path / "r").footers("events")
    assert (last.first, last.last, last.rows, last.day) == (100, 129, 30, "2023-11-14")
    assert first.sha256 == content_hash(rows[:100])
    assert (first.run_id, first.table, first.schema) == ("r", "events", SCHEMA_VERSION)


def test_the_features_of_an_intent_are_columns_of_their_own_names() -> None:
    fields = [n for n in TABLES["intents"].dtype.names or () if n != "features"]
    columns = TABLES["intents"].arrow_schema.names
    assert sorted(columns) == sorted([*fields, *VECTOR_NAMES["features"]])
    assert len(set(columns)) == len(columns)


def test_a_segment_holds_one_utc_day_only(tmp_path: Path) -> None:
    rows = quotes(90)
    rows["ts_event"] = np.repeat([0, 1, 3], 30) * NS_PER_DAY + np.tile(np.arange(30), 3)
    writer = JournalWriter(tmp_path / "r", manifest("r"), small())
    for begin in range(0, 90, 20):
        writer.append_events(rows[begin : begin + 20], begin)
    writer.seal_all()
    days = [f.day for f in JournalReader(tmp_path / "r").footers("events")]
    assert days == ["1970-01-01", "1970-01-02", "1970-01-04"]
    np.testing.assert_array_equal(JournalReader(tmp_path / "r").read("events"), rows)


def test_rows_that_are_sealed_are_dropped_when_a_resume_replays_them(tmp_path: Path) -> None:
    rows = quotes(250)
    JournalWriter(tmp_path / "r", manifest("r"), small()).append_events(rows[:230], 0)  # 30 rows die in the buffer
    before = {n: (tmp_path / "r" / "events" / n).stat().st_mtime_ns for n in names(tmp_path / "r" / "events")}
    writer = JournalWriter(tmp_path / "r", manifest("r"), small())
    for begin in range(0, 250, 7):
        writer.append_events(rows[begin : begin + 7], begin)
    writer.seal_all()
    np.testing.assert_array_equal(JournalReader(tmp_path / "r").read("events"), rows)
    assert {n: (tmp_path / "r" / "events" / n).stat().st_mtime_ns for n in before} == before


def test_a_gap_in_the_row_numbers_is_refused(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "r", manifest("r"), small())
    writer.append_events(quotes(10), 0)
    with pytest.raises(JournalError, match="rows 10 to 11 of table 'events' never reached the journal"):
        writer.append_events(quotes(5), 12)


def test_rows_out_of_sequence_or_of_another_dtype_are_refused(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "r", manifest("r"), small())
    fills = np.zeros(3, TABLES["fills"].dtype)
    fills["fill_no"] = (0, 1, 3)
    with pytest.raises(JournalError, match="3 rows numbered 0 to 3 are no sequence"):
        writer.append("fills", fills)
    fills["fill_no"] = (0, 2, 2)
    with pytest.raises(JournalError, match="do not follow"):
        writer.append("fills", fills)
        writer.seal_all()
    with pytest.raises(JournalError, match="another dtype"):
        writer.append("marks", fills)
    with pytest.raises(JournalError, match="needs the row number"):
        writer.append("events", quotes(1))


def test_age_seals_only_what_waited_long_enough(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "r", manifest("r"), small(segment_age_s=60.0))
    writer.append_events(quotes(3), 0)
    assert writer.seal_due() == []
    writer.tables["events"].oldest_s -= 61.0
    assert [s.rows for s in writer.seal_due()] == [3]
    assert writer.seal_due() == []


def test_a_snapshot_is_bounded_and_restores_what_was_not_sealed_since(tmp_path: Path) -> None:
    rows = quotes(95)
    writer = JournalWriter(tmp_path / "r", manifest("r"), small(snapshot_rows=20))
    writer.append_events(rows[:40], 0)
    assert len(writer.snapshot()["events"]["rows"]) == 0  # 40 > 20: sealed instead
    writer.append_events(rows[40:55], 40)
    snapshot = pickle.loads(pickle.dumps(writer.snapshot()))
    assert len(snapshot["events"]["rows"]) == 15
    writer.append_events(rows[55:60], 55)
    writer.seal_all()  # sealed after the snapshot, then a crash
    resumed = JournalWriter(tmp_path / "r", manifest("r"), small())
    resumed.restore(snapshot)
    resumed.append_events(rows[55:], 55)  # the source replays from the snapshot
    resumed.seal_all()
    np.testing.assert_array_equal(JournalReader(tmp_path / "r").read("events"), rows)


def test_a_snapshot_that_counts_on_lost_segments_is_refused_with_the_remedy(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "r", manifest("r"), small())
    writer.append_events(quotes(120), 0)
    snapshot = writer.snapshot()
    next((tmp_path / "r" / "events").glob("*.parquet")).unlink()
    with pytest.raises(JournalError, match=r"rows 0 to 99 .* are missing.*Delete the work folder's recovery/"):
        JournalWriter(tmp_path / "r", manifest("r"), small()).restore(snapshot)


def test_leftovers_of_a_cut_off_write_are_removed_at_opening(tmp_path: Path) -> None:
    JournalWriter(tmp_path / "r", manifest("r"), small()).append_events(quotes(100), 0)
    left = tmp_path / "r" / "events" / ".000000000100-000000000199.parquet.77.tmp"
    left.write_bytes(b"PAR1 half")
    assert JournalReader(tmp_path / "r").rows("events") == 100
    JournalWriter(tmp_path / "r", manifest("r"), small())
    assert names(tmp_path / "r" / "events") == ["000000000000-000000000099.parquet"]


def test_a_damaged_last_segment_goes_to_quarantine_and_is_made_again(tmp_path: Path, caplog) -> None:
    rows = quotes(300)
    JournalWriter(tmp_path / "r", manifest("r"), small()).append_events(rows, 0)
    last = tmp_path / "r" / "events" / "000000000200-000000000299.parquet"
    last.write_bytes(last.read_bytes()[:-40])
    writer = JournalWriter(tmp_path / "r", manifest("r"), small())
    assert "quarantine" in caplog.text
    assert names(tmp_path / "r" / "quarantine" / "events") == [last.name]
    assert writer.tables["events"].sealed == 200
    writer.append_events(rows, 0)
    np.testing.assert_array_equal(JournalReader(tmp_path / "r").read("events"), rows)


def test_another_run_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    JournalWriter(tmp_path / "r", manifest("r"))
    JournalWriter(tmp_path / "r", manifest("r", created="2030-01-01T00:00:00+00:00"))  # continuing is fine
    other = RunManifest("r", manifest("r").instruments, "synthetic", {"risk": {"spread": 4}})
    with pytest.raises(JournalError, match=r"another source, universe or configuration.*--fresh"):
        JournalWriter(tmp_path / "r", other)


def test_a_full_disk_is_named_and_nothing_half_written_stays(small_disk: Path) -> None:
    rows = quotes(40_000)
    rows["order_id"] = np.random.default_rng(0).integers(0, 2**62, len(rows))
    writer = JournalWriter(small_disk / "r", manifest("r"))
    writer.append_events(rows, 0)
    with pytest.raises(JournalError, match=r"events.*no space left.*Free space"):
        writer.seal_all()
    assert names(small_disk / "r" / "events") == []
    assert writer.tables["events"].unsealed == len(rows)


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_failing_disk_loses_nothing_once_it_works_again(tmp_path: Path, monkeypatch, call: str) -> None:
    rows = quotes(60)
    writer = JournalWriter(tmp_path / "r", manifest("r"), small())
    writer.append_events(rows, 0)

    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as broken:
        broken.setattr(os, call, fail)
        with pytest.raises(JournalError, match="no space left"):
            writer.seal_all()
    assert names(tmp_path / "r" / "events") == []
    writer.seal_all()
    np.testing.assert_array_equal(JournalReader(tmp_path / "r").read("events"), rows)


def test_a_read_only_folder_is_refused(read_only_folder: Path) -> None:
    with pytest.raises(JournalError, match="cannot be written"):
        JournalWriter(read_only_folder / "r", manifest("r"))


@settings(max_examples=25, deadline=None)
@given(
    cuts=st.lists(st.integers(1, 60), min_size=3, max_size=12),
    crashes=st.sets(st.integers(0, 11), max_size=4),
    snapshots=st.sets(st.integers(0, 11), max_size=4),
    jumps=st.sets(st.integers(0, 300), max_size=3),
)
def test_any_batches_crashes_and_resumes_give_the_rows_once_in_order(tmp_path_factory, cuts, crashes, snapshots, jumps):
    """The sealed rows are the run's rows, however they came."""
    folder = tmp_path_factory.mktemp("j") / "r"
    rows = quotes(sum(cuts))
    rows["ts_event"] += np.isin(np.arange(len(rows)), list(jumps)).cumsum() * NS_PER_DAY
    writer, saved, at, n = JournalWriter(folder, manifest("r"), small()), None, 0, 0
    crashes = set(crashes)
    while n < len(cuts):
        writer.append_events(rows[at : at + cuts[n]], at)
        at, n = at + cuts[n], n + 1
        if n in snapshots:
            saved = (pickle.dumps(writer.snapshot()), at, n)
        if n in crashes:
            crashes.discard(n)
            writer = JournalWriter(folder, manifest("r"), small())
            at = n = 0
            if saved is not None:
                writer.restore(pickle.loads(saved[0]))
                at, n = saved[1], saved[2]
    writer.seal_all()
    reader = JournalReader(folder)
    np.testing.assert_array_equal(reader.read("events"), rows)
    for segment in reader.segments("events"):
        days = rows["ts_event"][segment.first : segment.last + 1] // NS_PER_DAY
        assert isinstance(segment, Segment) and len(set(days.tolist())) == 1 and read_footer(segment).rows <= 100
