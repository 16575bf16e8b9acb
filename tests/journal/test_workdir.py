"""The work folder: one writing flow at a time, and plain errors where it cannot be used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from chimera_platform.errors import JournalError
from chimera_platform.workdir import FOLDERS, WorkDir


def test_preparing_creates_all_folders(tmp_path: Path) -> None:
    WorkDir(tmp_path / "work").prepare()
    assert sorted(p.name for p in (tmp_path / "work").iterdir()) == sorted(FOLDERS)


def test_naming_a_work_folder_creates_nothing(tmp_path: Path) -> None:
    assert WorkDir(tmp_path / "work").runs() == []
    assert not (tmp_path / "work").exists()


def test_a_second_flow_is_locked_out_with_the_holders_process_id(tmp_path: Path) -> None:
    code = (
        "import sys, time; from chimera_platform.workdir import WorkDir\n"
        "with WorkDir(sys.argv[1]).lock():\n"
        "    print('locked', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "locked\n"
        with (
            pytest.raises(JournalError, match=rf"process {holder.pid}.*choose another --workdir"),
            WorkDir(tmp_path).lock(),
        ):
            pass
    finally:
        holder.kill()
        holder.wait()
    with WorkDir(tmp_path).lock():  # a killed holder leaves no lock behind
        pass


def test_a_lock_is_free_again_after_its_block(tmp_path: Path) -> None:
    for _ in range(2):
        with (
            WorkDir(tmp_path).lock(),
            pytest.raises(JournalError, match=f"process {os.getpid()}"),
            WorkDir(tmp_path).lock(),
        ):
            pass


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "work").write_text("")
    with pytest.raises(JournalError, match=r"work.*expected a folder.*--workdir"):
        WorkDir(tmp_path / "work").prepare()
    with pytest.raises(JournalError, match="is a file"):
        WorkDir(tmp_path / "work").require()


def test_a_missing_folder_is_named_to_who_wants_to_read_it(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no such work folder"):
        WorkDir(tmp_path / "absent").require()


def test_a_read_only_folder_is_refused_with_the_remedy(read_only_folder: Path) -> None:
    with pytest.raises(JournalError, match=r"cannot be written.*choose another --workdir"):
        WorkDir(read_only_folder).prepare()
