"""Bad input ends with status 1, one line that names what is wrong, and nothing half-written."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from chimera_platform.errors import JournalError
from tests.e2e.flow_process import ROOT, chimera, journaled_events, kill, start, wait_until

GOOD = "1.0,1200.10,1200.20\n2.0,1200.11,1200.21\n"


def refused(*arguments: object, status: int = 1, **environment: str) -> str:
    """Run a command that must fail and return its one line of error."""
    result = subprocess.run(
        [sys.executable, "-m", "chimera_platform", *map(str, arguments)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | environment,
        timeout=120,
    )
    assert result.returncode == status, result.stdout + result.stderr
    assert "Traceback" not in result.stderr and "panicked" not in result.stderr
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


@pytest.mark.parametrize("command", ["replay", "backtest", "bars", "features", "book", "signals"])
def test_a_missing_file_is_named(tmp_path: Path, command: str) -> None:
    out = ("--workdir", tmp_path) if command in ("replay", "backtest") else ("--out", tmp_path / "x.parquet")
    assert "nowhere.zip" in refused(command, tmp_path / "nowhere.zip", *out)
    assert not (tmp_path / "x.parquet").exists()


def test_a_file_of_no_known_format_is_named(tmp_path: Path) -> None:
    path = tmp_path / "letters.bin"
    path.write_bytes(bytes(range(256)) * 8)
    assert "letters.bin" in refused("replay", path, "--workdir", tmp_path / "w")


def test_a_wrong_format_is_refused(tmp_path: Path, quotes: Path) -> None:
    ticks(quotes, GOOD)
    assert quotes.name in refused("replay", quotes, "--format", "binance", "--workdir", tmp_path / "w")
    assert "nonsense" in refused("replay", quotes, "--format", "nonsense", "--workdir", tmp_path / "w")


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


@pytest.mark.parametrize("command", ["scan", "optimize", "export", "fix", "dashboard"])
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


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 66 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=66m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_fills_up_stops_the_flow_in_order_and_the_same_command_goes_on(
    small_disk: Path, tmp_path: Path
) -> None:
    arguments = ("replay", "--feed", "sim://?seed=5&days=4&symbols=XAUUSD", "--batch-size", 256, "--workdir")
    assert "disk is full" in refused(*arguments, small_disk)
    sealed = journaled_events(small_disk)
    assert sealed > 0, "what was decided before is sealed"
    assert "disk is full" in refused(*arguments, small_disk), "fails early at the next start"
    subprocess.run(["mount", "-o", "remount,size=400m", str(small_disk)], check=True)
    finished = chimera(*arguments, small_disk)
    assert finished["events"] > sealed
    assert finished["digest"] == chimera(*arguments, tmp_path / "other")["digest"]


def test_a_disk_without_room_is_refused_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from streaming.deployment import Deployment
    from streaming.run import run_flow
    from streaming.sources import disk_guard

    monkeypatch.setattr(disk_guard, "free_bytes", lambda folder: 1_000_000)
    with pytest.raises(JournalError, match="1 MB free"):
        run_flow(Deployment(tmp_path, feed="sim://?seed=1", duration_s=60.0))
    assert not list(tmp_path.glob("journal/*"))


def test_a_disk_that_fills_up_while_running_ends_the_flow_with_everything_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from streaming.deployment import Deployment
    from streaming.run import run_flow
    from streaming.sources import disk_guard

    free = iter([10**9] * 12 + [10**6] * 100_000)
    monkeypatch.setattr(disk_guard, "free_bytes", lambda folder: next(free))
    deployment = Deployment(tmp_path, feed="sim://?seed=1&symbols=XAUUSD&days=1", speed=20_000.0, release=None)
    with pytest.raises(JournalError, match="disk is full"):
        run_flow(deployment)
    stopped = journaled_events(tmp_path)
    assert stopped > 0
    monkeypatch.undo()
    assert run_flow(deployment)["events"] > stopped


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
