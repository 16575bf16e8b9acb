"""`chimera quality` and the doctor: bad days are named, and taken in only with a name and a reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from chimera_platform.cli.app import app
from chimera_platform.cli.doctor import _quality
from chimera_platform.errors import ConfigurationError
from chimera_platform.workdir import WorkDir
from pipelines.quality import inspect_days
from pipelines.quality_policy import load_policy, policy_file

Alter = Callable[[WorkDir, str], None]


def quality(workdir: WorkDir, *arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(
        app, ["quality", "--workdir", str(workdir.path), "--json", *arguments], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    said: dict[str, Any] = json.loads(result.stdout)
    return said


@pytest.fixture
def stale(copy: WorkDir, alter: Alter, trading_days: list[str]) -> WorkDir:
    """A work folder whose first day has a stale clock."""
    head = "UPDATE staging.events SET ts_recv = ts_event + 11000000000"
    alter(copy, f"{head} WHERE event_no % 10 = 0 AND day = DATE '{trading_days[0]}'")
    inspect_days(copy, trading_days[:1])
    return copy


def test_a_bad_day_is_named_with_what_is_wrong_until_it_is_accepted(stale: WorkDir, trading_days: list[str]) -> None:
    before = quality(stale)
    assert (before["days"], before["quarantined"], before["accepted"]) == (len(trading_days), 1, 0)
    (finding,) = before["findings"]
    assert finding["day"] == trading_days[0] and "stale clock" in finding["reasons"]
    doctor = _quality(stale.path)
    assert (doctor.ok, doctor.needed) == (False, False)
    assert f"{trading_days[0]}, run run" in doctor.detail and "chimera quality" in doctor.mend
    after = quality(stale, "--accept", trading_days[0], "--check", "stale_clock", "--by", "J. Doe", "--why", "replayed")
    assert (after["quarantined"], after["accepted"]) == (0, 1)
    assert after["judged_anew"] == [f"{trading_days[0]}, run run"]
    assert after["findings"][0]["accepted"] == "stale_clock by J. Doe: replayed"
    assert _quality(stale.path).ok
    assert quality(stale)["judged_anew"] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--accept", "2024-01-02"], "reason"),
        (["--accept", "yesterday", "--why", "x"], "--accept 'yesterday'"),
        (["--accept", "2024-01-02", "--why", "x", "--check", "gap"], "missing_rows"),
        (["--why", "x"], "--accept DAY"),
    ],
)
def test_an_acceptance_without_day_reason_or_known_check_is_refused_and_nothing_is_written(
    labelled: WorkDir, arguments: list[str], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        quality(labelled, *arguments)
    assert not policy_file(labelled).exists()


def test_the_doctor_reads_the_policy_and_looks_at_no_warehouse_that_is_not_there(tmp_path: Any) -> None:
    workdir = WorkDir(tmp_path)
    assert _quality(tmp_path).detail == "0 days inspected, 0 quarantined"
    policy_file(workdir).write_text("[limits]\nno_such = 1\n")
    assert "no_such" in _quality(tmp_path).detail
    with pytest.raises(ConfigurationError):
        load_policy(workdir)
