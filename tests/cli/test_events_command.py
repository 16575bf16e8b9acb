"""`chimera events`: what it writes gives every command the same events as the source."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from chimera_platform.cli.app import app
from chimera_platform.errors import DataError

FEED = "sim://?symbols=XAUUSD,XAGUSD&seed=9&days=1&rate=0.05"


def chimera(*arguments: object) -> dict[str, object]:
    result = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    assert result.exit_code == 0, result.exception
    content = json.loads(result.stdout)
    assert isinstance(content, dict)
    return content


def test_a_backtest_of_the_file_has_the_digest_of_one_of_the_source(tmp_path: Path) -> None:
    out = tmp_path / "events.parquet"
    written = chimera("events", "--feed", FEED, "--out", out)
    assert written["symbols"] == ["XAUUSD", "XAGUSD"]
    of_file = chimera("backtest", out, "--workdir", tmp_path / "file")
    of_source = chimera("backtest", "--feed", FEED, "--workdir", tmp_path / "source")
    assert of_file["events"] == of_source["events"] == written["events"]
    assert of_file["digest"] == of_source["digest"]


def test_a_file_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    out = tmp_path / "file" / "events.parquet"
    result = CliRunner().invoke(app, ["events", "--feed", FEED, "--out", str(out)])
    assert isinstance(result.exception, DataError) and str(out) in str(result.exception)
