"""Invariant: the digest depends on events, settings and release only; not on batches, workers, processes or crashes."""

from __future__ import annotations

import json
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chimera_platform.configuration import Configuration
from chimera_platform.decision_path import DecisionPath
from chimera_platform.digest import RunDigest
from chimera_platform.market.feeds import open_feed
from chimera_platform.market.instruments import load_instruments
from chimera_platform.market.sources import open_source
from chimera_platform.simulation.backtest.run import run_backtest
from streaming.deployment import Deployment
from streaming.run import run_flow
from tests.e2e.flow_process import bytewax, chimera, journaled_events, kill, start, wait_until

FEED = "sim://?symbols=XAUUSD,XAGUSD&seed=11&days=1"
MARKET_SECONDS = 14_400.0


def replay(workdir: Path, batch_size: int, workers: int = 1, **options: object) -> dict[str, object]:
    deployment = Deployment(
        workdir, feed=FEED, duration_s=MARKET_SECONDS, batch_size=batch_size, release=None, segment_age_s=0.0, **options
    )
    return run_flow(deployment, workers=workers)


@pytest.fixture(scope="module")
def reference() -> dict[str, object]:
    """The decision path called directly, in one batch."""
    source = open_feed(FEED, load_instruments()).source
    path = DecisionPath(source.universe, Configuration())
    path.apply_release(None, 0)
    digest, events = RunDigest(), 0
    first_ts = None
    for batch in source.batches(50_000):
        first_ts = int(batch["ts_event"][0]) if first_ts is None else first_ts
        batch = batch[batch["ts_event"] < first_ts + int(MARKET_SECONDS * 1e9)]
        output = path.run(batch, events)
        digest.update(intents=output.intents, orders=output.orders, fills=output.fills)
        events += len(batch)
    assert digest.rows["fills"] > 20, "the stream must make the venue work"
    return {"events": events, "digest": digest.hexdigest()} | digest.rows


@pytest.mark.parametrize("batch_size", [1, 7, 4096])
@pytest.mark.parametrize("workers", [1, 2])
def test_batch_size_and_workers_cannot_be_seen_in_the_digest(
    tmp_path: Path, reference: dict[str, object], batch_size: int, workers: int
) -> None:
    result = replay(tmp_path, batch_size, workers)
    assert (result["events"], result["digest"]) == (reference["events"], reference["digest"])


def test_a_replay_of_the_journal_gives_the_digest_of_the_run(tmp_path: Path, reference: dict[str, object]) -> None:
    run = replay(tmp_path / "run", 1024)
    again = run_flow(Deployment(tmp_path / "again", paths=(tmp_path / "run",), release=None, batch_size=333))
    assert again["digest"] == run["digest"] == reference["digest"]
    assert again["run_id"] != run["run_id"]


def test_backtest_gives_the_digest_of_the_replay(tmp_path: Path) -> None:
    feed = "sim://?symbols=XAUUSD&seed=4&days=1"
    replayed = chimera("replay", "--feed", feed, "--workdir", tmp_path / "replay")
    tested = chimera("backtest", "--feed", feed, "--workdir", tmp_path / "backtest")
    assert tested["digest"] == replayed["digest"]
    journaled = chimera("backtest", tmp_path / "replay", "--workdir", tmp_path / "backtest")
    assert journaled["digest"] == replayed["digest"]


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("path", "symbol"),
    [("lobster/LOBSTER_SampleFile_GOOG_2012-06-21_10.zip", "GOOG"), ("binance/usdm_btcusdt_20240808.gz", "BTCUSDT")],
)
def test_real_books_give_one_digest_too(tmp_path: Path, real_data: Path, path: str, symbol: str) -> None:
    source = (real_data / path,)
    few = run_flow(Deployment(tmp_path / "few", paths=source, release=None, batch_size=4096), workers=2)
    many = run_flow(Deployment(tmp_path / "many", paths=source, release=None, batch_size=37))
    tested = run_backtest(open_source(list(source), None, load_instruments()), Configuration())
    print(f"{symbol}: {few['events']} events, {few['fills']} fills, digest {few['digest'][:16]}")
    assert few["digest"] == many["digest"] == tested.digest and few["fills"] > 10


def test_another_fee_is_another_run(tmp_path: Path) -> None:
    dearer = tmp_path / "instruments.toml"
    dearer.write_text("[XAUUSD.fees]\ntaker_ppm = 11\n")
    usual = Deployment(tmp_path, feed=FEED, duration_s=60.0, release=None)
    other = Deployment(tmp_path, feed=FEED, duration_s=60.0, release=None, instruments=dearer)
    assert usual.run_id != other.run_id
    assert run_flow(usual)["run_id"] != run_flow(other)["run_id"]


def test_a_finished_run_started_again_changes_nothing(tmp_path: Path) -> None:
    first = replay(tmp_path, 4096)
    segments = {p: p.stat().st_mtime_ns for p in tmp_path.glob("journal/**/*.parquet")}
    assert replay(tmp_path, 4096)["digest"] == first["digest"]
    assert {p: p.stat().st_mtime_ns for p in tmp_path.glob("journal/**/*.parquet")} == segments


@pytest.mark.slow
@pytest.mark.parametrize("workers", [(1, 1, 1, 1), (2, 1, 2, 2)], ids=["one worker", "changing number of workers"])
def test_killed_at_random_points_and_resumed_it_ends_with_the_unbroken_digest(
    tmp_path: Path, reference: dict[str, object], workers: tuple[int, ...]
) -> None:
    seed = 20_000 + sum(workers)
    print(f"seed {seed}")
    draw = random.Random(seed)
    command = (
        *("run", "--feed", FEED, "--duration", MARKET_SECONDS / 2400, "--speed", 2400, "--no-ml"),
        *("--batch-size", 64, "--workdir", tmp_path),
    )
    reached = 0
    for count in workers[:-1]:
        process = start(*command, "--workers", count)
        before = journaled_events(tmp_path)
        while journaled_events(tmp_path) <= before and process.poll() is None:
            time.sleep(0.01)
        time.sleep(draw.uniform(0, 0.8))
        if process.poll() is None:
            kill(process, signal.SIGKILL)
            reached += 1
        else:
            process.communicate()
    result = chimera(*command, "--workers", workers[-1])
    assert reached >= 1, "no execution was alive to be killed"
    assert (result["events"], result["digest"]) == (reference["events"], reference["digest"])
    verified = chimera("doctor", "--workdir", tmp_path)
    assert next(c for c in verified["checks"] if c["name"] == "journal")["ok"]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_flow_in_order_and_the_same_command_goes_on(
    tmp_path: Path, reference: dict[str, object], number: signal.Signals
) -> None:
    command = (
        *("run", "--feed", FEED, "--duration", MARKET_SECONDS / 1200, "--speed", 1200, "--no-ml"),
        *("--workdir", tmp_path, "--statistics", 0.1),
    )
    process = start(*command, "--json")
    wait_until(lambda: any(tmp_path.glob("telemetry/*.jsonl")) and _seen(tmp_path) > 500, 60, process)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    stopped = json.loads(out)
    assert stopped["stopped"] and 0 < stopped["events"] < reference["events"]  # type: ignore[operator]
    assert journaled_events(tmp_path) == stopped["events"], "everything that was seen is sealed"
    finished = chimera(*command)
    assert (finished["events"], finished["digest"]) == (reference["events"], reference["digest"])


def _seen(workdir: Path) -> int:
    lines = [line for path in workdir.glob("telemetry/*.jsonl") for line in path.read_text().splitlines()]
    return max((json.loads(line)["events"] for line in lines), default=0)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.slow
def test_a_cluster_of_processes_gives_the_same_digest(tmp_path: Path, reference: dict[str, object]) -> None:
    flow = f'streaming.flows.live:flow("{tmp_path}", feed="{FEED}", duration_s={MARKET_SECONDS}, release=None)'
    addresses = f"127.0.0.1:{_free_port()};127.0.0.1:{_free_port()}"
    processes = [bytewax([flow, "-i", k, "-a", addresses]) for k in range(2)]
    for process in processes:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert (summary["events"], summary["digest"]) == (reference["events"], reference["digest"])


@pytest.mark.slow
def test_a_cluster_that_was_killed_goes_on_as_one_process_with_two_workers(
    tmp_path: Path, reference: dict[str, object]
) -> None:
    recovery = tmp_path / "recovery" / "module"
    recovery.mkdir(parents=True)
    subprocess.run([sys.executable, "-m", "bytewax.recovery", str(recovery), "1"], check=True)
    snapshots = ("-r", recovery, "-s", 1, "-b", 0)
    begin = f'streaming.flows.live:flow("{tmp_path}", feed="{FEED}", release=None, '
    # The same end in market time: history plus duration times speed.
    paced = begin + f"segment_age_s=0.5, backfill_s=7200.0, speed=1200.0, duration_s={(MARKET_SECONDS - 7200) / 1200})"
    whole = begin + f"duration_s={MARKET_SECONDS})"
    addresses = f"127.0.0.1:{_free_port()};127.0.0.1:{_free_port()}"
    # A backfill moves the end, so the limit of the whole stays where the reference has it.
    paced = paced.replace(f"duration_s={MARKET_SECONDS}", f"duration_s={(MARKET_SECONDS - 7200) / 1200}")
    processes = [bytewax([paced, "-i", k, "-a", addresses, *snapshots]) for k in range(2)]
    wait_until(lambda: journaled_events(tmp_path) > 2_000, 60, processes[0])
    for process in processes:
        kill(process)
    before = journaled_events(tmp_path)
    assert 0 < before < reference["events"]  # type: ignore[operator]
    process = bytewax([whole, "-w", 2, *snapshots])
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert (summary["events"], summary["digest"]) == (reference["events"], reference["digest"])
