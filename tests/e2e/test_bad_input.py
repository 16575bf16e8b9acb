"""Bad input ends with status 1, one line that names what is wrong, and nothing half-written."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.e2e.flow_process import ROOT, chimera, journaled_events, kill, start, wait_until

GOOD = "1.0,1200.10,1200.20\n2.0,1200.11,1200.21\n"


def refused(*arguments: object, status: int = 1, **environment: str) -> str:
    """Run a command that must fail and return its one line of error."""
    result = subprocess.run(
        [sys.executable, "-m", "chimera_platform", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | environment,
        timeout=120,
    )
    assert result.returncode == status, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr.strip().splitlines()[-1]


def ticks(path: Path, text: str, name: str = "20140501_quote.csv") -> Path:
    """Write a zip of quotes as the publisher does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, text)
    return path


@pytest.fixture
def quotes(tmp_path: Path) -> Path:
    return tmp_path / "xauusd" / "20140501_quote.zip"


@pytest.mark.parametrize("command", ["replay", "backtest", "bars", "features", "book"])
def test_a_missing_file_is_named(tmp_path: Path, command: str) -> None:
    out = ("--out", tmp_path / "x.parquet") if command in ("bars", "features", "book") else ("--workdir", tmp_path)
    assert "nowhere.zip" in refused(command, tmp_path / "nowhere.zip", *out)
    assert not (tmp_path / "x.parquet").exists()


def test_a_file_of_no_known_format_is_named(tmp_path: Path) -> None:
    path = tmp_path / "letters.bin"
    path.write_bytes(bytes(range(256)) * 8)
    assert "letters.bin" in refused("replay", path, "--workdir", tmp_path / "w")


def test_a_wrong_format_is_refused(tmp_path: Path, quotes: Path) -> None:
    ticks(quotes, GOOD)
    assert quotes.name in refused("replay", quotes, "--format", "binance", "--workdir", tmp_path / "w")
    assert "--format" in refused("replay", quotes, "--format", "nonsense", "--workdir", tmp_path / "w")


def test_a_truncated_archive_is_refused(tmp_path: Path, quotes: Path) -> None:
    ticks(quotes, GOOD * 5000)
    quotes.write_bytes(quotes.read_bytes()[:-200])
    assert quotes.name in refused("replay", quotes, "--format", "oanda", "--workdir", tmp_path / "w")
    capture = tmp_path / "capture.gz"
    with gzip.open(capture, "wb") as file:
        file.write(b'1723075200000000000 {"stream":"btcusdt@depth"}\n' * 50_000)
    capture.write_bytes(capture.read_bytes()[:-100])
    assert capture.name in refused("replay", capture, "--format", "binance", "--workdir", tmp_path / "w")


@pytest.mark.parametrize(
    ("text", "field", "value", "line"),
    [
        (GOOD + "3.0,abc,1200.3\n", "bid", "abc", 3),
        (GOOD + "3.0,1200.3\n", "", "", 3),
        (GOOD + "1.0,1200.1,1200.2\n", "ms", "1.0", 3),
        (GOOD + "3.0,-5,1200.3\n", "bid", "-5", 3),
    ],
    ids=["not a number", "too few fields", "time goes back", "negative price"],
)
def test_a_malformed_row_names_file_line_field_and_value(
    tmp_path: Path, quotes: Path, text: str, field: str, value: str, line: int
) -> None:
    ticks(quotes, text)
    message = refused("replay", quotes, "--format", "oanda", "--symbols", "XAUUSD", "--workdir", tmp_path / "w")
    assert f"line {line}" in message and quotes.name in message
    assert field in message and value in message


def test_an_unknown_symbol_is_named_with_the_known_ones(tmp_path: Path) -> None:
    message = refused("run", "--symbols", "XAUUSD,NOPE", "--duration", 1, "--workdir", tmp_path)
    assert "NOPE" in message and "XAUUSD" in message


@pytest.mark.parametrize(
    ("feed", "named"),
    [
        ("sim://?symbols=XAUUSD&seed=x", "seed"),
        ("sim://?colour=red", "colour"),
        ("carrier-pigeon://x", "carrier-pigeon"),
        ("fix://host", "not available yet"),
    ],
)
def test_a_bad_feed_url_is_explained(tmp_path: Path, feed: str, named: str) -> None:
    assert named in refused("run", "--feed", feed, "--duration", 1, "--workdir", tmp_path)


def test_a_bad_configuration_names_file_key_and_value(tmp_path: Path) -> None:
    config = tmp_path / "settings.toml"
    config.write_text("[risk]\nno_such_key = 3\n")
    message = refused("replay", "--feed", "sim://?seed=1", "--config", config, "--workdir", tmp_path / "w")
    assert "settings.toml" in message and "no_such_key" in message


def test_wrong_usage_has_a_status_of_its_own(tmp_path: Path) -> None:
    refused("replay", "--workdir", tmp_path, status=2)
    refused("replay", "--batch-size", 0, "--feed", "sim://?seed=1", status=2)
    refused("no-such-command", status=2)


@pytest.mark.parametrize("command", ["signals", "scan", "optimize", "report", "export", "fix", "dashboard"])
def test_a_command_that_is_not_built_says_so(command: str) -> None:
    assert "not available yet" in refused(command, "anything", "--at", "all")


def test_a_second_flow_on_the_work_folder_is_locked_out(tmp_path: Path) -> None:
    first = start("run", "--duration", 60, "--workdir", tmp_path)
    try:
        wait_until(lambda: (tmp_path / "flow.lock").exists() and (tmp_path / "flow.lock").read_text(), 60, first)
        message = refused("run", "--duration", 60, "--workdir", tmp_path)
        assert str(first.pid) in message and "another" in message
    finally:
        kill(first)
    # The lock goes with the process: the next flow is not held up.
    assert chimera("run", "--duration", 0.2, "--workdir", tmp_path)["events"] > 0


def test_a_work_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("not a folder")
    assert "file" in refused("run", "--duration", 1, "--workdir", blocker / "work")
    assert "file" in refused("ingest", "--workdir", blocker)
    assert "nowhere" in refused("ingest", "--workdir", tmp_path / "nowhere")


def _limited(tmp_path: Path, arguments: list[object], file_bytes: int) -> subprocess.CompletedProcess[str]:
    """Run with a limit on the size of any file: writing past it fails as on a full disk."""
    program = (
        "import resource, signal, sys\n"
        "from chimera_platform.cli.app import main\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({file_bytes}, {file_bytes}))\n"
        "main()\n"
    )
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_a_disk_that_fills_up_stops_the_flow_and_the_same_command_finishes_later(tmp_path: Path) -> None:
    command = ["replay", "--feed", "sim://?seed=5&days=1&symbols=XAUUSD", "--workdir", tmp_path / "w"]
    result = _limited(tmp_path, command, 600_000)
    assert result.returncode == 1, result.stderr
    assert "Traceback" not in result.stderr and str(tmp_path) in result.stderr
    sealed = journaled_events(tmp_path / "w")
    finished = chimera(*command)
    assert finished["events"] >= sealed
    assert finished["digest"] == chimera(*command[:-1], tmp_path / "other")["digest"]


def test_a_corrupt_segment_is_found_and_named(tmp_path: Path) -> None:
    chimera("run", "--duration", 2, "--workdir", tmp_path)
    segment = sorted(tmp_path.glob("journal/*/events/*.parquet"))[0]
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 0xFF
    segment.write_bytes(data)
    assert segment.name in refused("replay", tmp_path, "--format", "journal", "--workdir", tmp_path / "w")
    assert any(segment.name in str(problem) for problem in chimera("ingest", "--workdir", tmp_path)["problems"])


def test_a_corrupt_release_is_refused_at_the_start_and_not_promoted(tmp_path: Path) -> None:
    from chimera_platform.releases import ReleaseStore

    store = ReleaseStore(tmp_path / "releases")
    good = store.create({}, {"hft": 0.5}, None, 0.5, {}).id
    bad = store.create({}, {"hft": 0.6}, None, 0.5, {}).id
    store.promote(good)
    (tmp_path / "releases" / bad / "weights.json").write_text('{"hft":1.0}')
    assert "weights.json" in refused("release", "promote", bad, "--workdir", tmp_path)
    assert store.current() == good
    (tmp_path / "releases" / good / "weights.json").write_text('{"hft":1.0}')
    assert "weights.json" in refused("run", "--duration", 1, "--workdir", tmp_path)
