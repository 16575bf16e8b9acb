"""A recorded run as an event source, and its tables as Parquet files for people."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from chimera_platform.errors import JournalError
from chimera_platform.journal.export import write_out
from chimera_platform.journal.source import JournalSource
from chimera_platform.market.sources import EventSource
from chimera_platform.microstructure.feature_names import FEATURE_NAMES
from chimera_platform.workdir import WorkDir
from tests.journal.test_journal_writer import small
from tests.reference.recorded_run import INSTRUMENTS, record_run


@pytest.fixture
def work(tmp_path: Path) -> WorkDir:
    workdir = WorkDir(tmp_path / "work").prepare()
    record_run(events=700).write(workdir.run_folder("run-1"), settings=small())
    return workdir


@pytest.mark.parametrize("below", ["", "journal", "journal/run-1"])
def test_the_events_come_back_with_the_runs_own_instruments(work: WorkDir, below: str) -> None:
    source = JournalSource(work.path / below)
    assert isinstance(source, EventSource)
    assert source.universe.instruments == tuple(INSTRUMENTS)
    np.testing.assert_array_equal(np.concatenate(list(source.batches(64))), record_run(events=700).tables["events"])
    np.testing.assert_array_equal(next(source.batches(5, start=690)), record_run(events=700).tables["events"][690:695])
    assert source.release_schedule["release_id"].tolist() == [b"", b"0123456789abcdef0123456789abcdef"]


def test_the_description_goes_with_the_content_not_with_the_place(work: WorkDir, tmp_path: Path) -> None:
    here = JournalSource(work.path).description
    shutil.copytree(work.run_folder("run-1"), tmp_path / "copy")
    assert JournalSource(tmp_path / "copy").description == here
    record_run(seed=2, events=700).write(tmp_path / "other", settings=small())
    assert JournalSource(tmp_path / "other").description != here


def test_a_folder_with_several_runs_asks_for_one(work: WorkDir) -> None:
    record_run(events=300).write(work.run_folder("run-2"), run_id="run-2")
    with pytest.raises(JournalError, match=r"holds 2 runs \(run-1, run-2\)"):
        JournalSource(work.path)
    with pytest.raises(JournalError, match="no run's journal here"):
        JournalSource(work.out)
    with pytest.raises(JournalError, match="no such file"):
        JournalSource(work.path / "absent")


def test_out_files_hold_the_journals_columns_and_rows(work: WorkDir) -> None:
    tables = record_run(events=700).tables
    counts = write_out(work.run_folder("run-1"), work.out)
    assert counts == {name: len(tables[name]) for name in ("intents", "orders", "fills")}
    assert sorted(p.name for p in work.out.iterdir()) == ["fills.parquet", "intents.parquet", "orders.parquet"]
    intents = pl.read_parquet(work.out / "intents.parquet")
    assert set(FEATURE_NAMES) <= set(intents.columns)
    np.testing.assert_array_equal(intents[FEATURE_NAMES[3]].to_numpy(), tables["intents"]["features"][:, 3])
    np.testing.assert_array_equal(
        pl.read_parquet(work.out / "fills.parquet")["realised_nanos"].to_numpy(), tables["fills"]["realised_nanos"]
    )


def test_a_manifest_with_an_impossible_instrument_is_named(work: WorkDir) -> None:
    path = work.run_folder("run-1") / "run.json"
    path.write_text(path.read_text().replace('"tick_size": "0.001"', '"tick_size": "-1"', 1))
    with pytest.raises(JournalError, match=r"run run-1: run\.json describes an instrument that is not one"):
        JournalSource(work.path)
