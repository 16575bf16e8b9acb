"""The journal's reading side: bounded batches, and no damaged row ever handed out."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from chimera_platform.errors import JournalError
from chimera_platform.journal.reader import JournalReader
from chimera_platform.journal.segments import scan_segments
from tests.journal.test_journal_writer import small
from tests.reference.recorded_run import RecordedRun, record_run


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> tuple[RecordedRun, Path]:
    run = record_run(events=900)
    folder = tmp_path_factory.mktemp("journal") / "run-1"
    run.write(folder, settings=small())
    return run, folder


@pytest.fixture
def copied(recorded, tmp_path: Path) -> tuple[RecordedRun, Path]:
    run, folder = recorded
    return run, Path(shutil.copytree(folder, tmp_path / "run-1"))


@pytest.mark.parametrize(("batch_size", "start"), [(1, 880), (7, 0), (100, 100), (4096, 0), (64, 333), (10, 900)])
def test_batches_are_exact_and_begin_where_asked(recorded, batch_size: int, start: int) -> None:
    run, folder = recorded
    batches = list(JournalReader(folder).batches("events", batch_size, start))
    assert all(len(batch) == batch_size for batch in batches[:-1])
    joined = np.concatenate([*batches, run.tables["events"][:0]])
    np.testing.assert_array_equal(joined, run.tables["events"][start:])


def test_a_range_of_rows_is_read_without_the_rest(recorded) -> None:
    run, folder = recorded
    np.testing.assert_array_equal(JournalReader(folder).read("events", 95, 205), run.tables["events"][95:205])
    assert len(JournalReader(folder).read("events", 900)) == 0


def test_any_flipped_byte_is_noticed_or_harmless(copied) -> None:
    """A changed byte of a segment is refused, or the rows come out unchanged: wrong rows are never returned."""
    run, folder = copied
    segment = JournalReader(folder).segments("orders")[1]
    good = segment.path.read_bytes()
    expected = run.tables["orders"][segment.first : segment.last + 1].tobytes()
    refused = 0
    for at in range(0, len(good), max(1, len(good) // 400)):
        segment.path.write_bytes(good[:at] + bytes([good[at] ^ 0x55]) + good[at + 1 :])
        try:
            rows = JournalReader(folder).read("orders", segment.first, segment.last + 1)
        except JournalError as error:
            assert segment.name in str(error)
            refused += 1
        else:
            assert rows.tobytes() == expected, f"byte {at}"
    assert refused > 100


@pytest.mark.parametrize("kept", [0, 3, 4, 100, -1, -8, -9])
def test_a_truncated_segment_is_named_with_the_remedy(copied, kept: int) -> None:
    _, folder = copied
    segment = JournalReader(folder).segments("events")[0]
    data = segment.path.read_bytes()
    segment.path.write_bytes(data[:kept])
    with pytest.raises(JournalError, match=rf"{segment.name}.*recovery/"):
        JournalReader(folder).read("events")
    with pytest.raises(JournalError, match=segment.name):
        JournalReader(folder).verify()


def test_a_missing_segment_is_a_gap(copied) -> None:
    _, folder = copied
    JournalReader(folder).segments("events")[2].path.unlink()
    with pytest.raises(JournalError, match="rows 200 to 299 of table 'events' are missing"):
        JournalReader(folder).verify()


def test_a_segment_that_repeats_rows_is_an_overlap(copied) -> None:
    _, folder = copied
    path = JournalReader(folder).segments("events")[2].path
    shutil.copy(path, path.with_name("000000000250-000000000349.parquet"))
    with pytest.raises(JournalError, match="rows 250 to 299 of table 'events' stand in two segments"):
        JournalReader(folder).read("events")


def test_a_segment_under_another_name_is_refused(copied) -> None:
    _, folder = copied
    segments = JournalReader(folder).segments("events")
    shutil.copy(segments[1].path, segments[0].path)
    with pytest.raises(JournalError, match="the footer says"):
        JournalReader(folder).read("events", 0, 50)


def test_a_segment_of_another_run_is_refused(copied, tmp_path: Path) -> None:
    _, folder = copied
    record_run(events=900).write(tmp_path / "other", run_id="other", settings=small())
    name = JournalReader(folder).segments("events")[0].name
    shutil.copy(tmp_path / "other" / "events" / name, folder / "events" / name)
    with pytest.raises(JournalError, match="belongs to run other"):
        JournalReader(folder).verify()


def test_a_foreign_file_is_named(copied) -> None:
    _, folder = copied
    (folder / "events" / "notes.parquet").write_bytes(b"")
    with pytest.raises(JournalError, match=r"notes\.parquet: not the name of a segment"):
        JournalReader(folder).segments("events")
    segments, problems = scan_segments(folder / "events", "events")
    assert segments[-1].last == 899 and len(problems) == 1


def test_an_unknown_table_or_a_folder_without_a_run_is_named(recorded, tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="unknown journal table 'trades'; known: events"):
        JournalReader(recorded[1]).read("trades")
    with pytest.raises(JournalError, match="not the journal of a run"):
        JournalReader(tmp_path)


def test_a_damaged_manifest_is_named(copied) -> None:
    _, folder = copied
    (folder / "run.json").write_text('{"run_id": "x"')
    with pytest.raises(JournalError, match=r"run\.json: damaged run manifest"):
        JournalReader(folder)
