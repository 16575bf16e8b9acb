"""The kill switch: thrown and reset by a person, on record, and thrown whatever is in its file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chimera_platform.errors import ConfigurationError, JournalError
from chimera_platform.kill_switch import FILE, KillSwitch


def test_a_throw_lasts_until_it_is_reset_and_both_are_on_record(tmp_path: Path) -> None:
    switch = KillSwitch(tmp_path)
    assert not switch.is_thrown() and switch.kill() is None and switch.history() == []
    thrown = switch.throw("ann", "prices look wrong")
    assert KillSwitch(tmp_path).is_thrown() and KillSwitch(tmp_path).kill() == thrown
    assert switch.reset("ben", "they were right") == thrown
    assert not switch.is_thrown()
    assert [(h["what"], h["by"], h["reason"]) for h in switch.history()] == [
        ("thrown", "ann", "prices look wrong"),
        ("reset", "ben", "they were right"),
    ]


def test_throwing_twice_keeps_the_first(tmp_path: Path) -> None:
    switch = KillSwitch(tmp_path)
    first = switch.throw("ann", "prices look wrong")
    assert switch.throw("ben", "me too") == first
    assert len(switch.history()) == 1


@pytest.mark.parametrize("content", [b"", b"stop!", b"\xff\xfe", b"[1]", b'{"by": "ann"}'])
def test_any_file_of_the_name_counts(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    switch = KillSwitch(tmp_path)
    kill = switch.kill()
    assert switch.is_thrown() and kill is not None and kill.by == "unknown"
    switch.reset("ann", "by hand")
    assert not switch.is_thrown()


def test_who_and_why_are_needed(tmp_path: Path) -> None:
    switch = KillSwitch(tmp_path)
    with pytest.raises(ConfigurationError, match="--reason is empty"):
        switch.throw("ann", " ")
    with pytest.raises(ConfigurationError, match="--by is empty"):
        switch.throw("", "prices look wrong")
    with pytest.raises(JournalError, match="is not thrown"):
        switch.reset("ann", "why not")
    assert not switch.is_thrown()


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(JournalError, match=str(tmp_path)):
        KillSwitch(tmp_path).throw("ann", "prices look wrong")
