"""Invariant: a promoted release changes what the running flow does, from one journaled event on, and replays there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xgboost

from chimera_platform.execution.records import DecisionReason, Engine
from chimera_platform.journal.reader import JournalReader
from chimera_platform.learning.model_inputs import MODEL_INPUT_COUNT, MODEL_INPUT_NAMES
from chimera_platform.releases import ReleaseStore
from tests.e2e.flow_process import chimera, kill, start, wait_until

COMMAND = (
    *("run", "--feed", "sim://?symbols=XAUUSD,XAGUSD&seed=21&days=2", "--speed", 8000),
    *("--duration", 9, "--statistics", 0.1),
)


def model(seed: int = 3) -> bytes:
    """A small booster over the model's inputs, with scores on both sides of one half."""
    draw = np.random.default_rng(seed)
    inputs = draw.normal(size=(500, MODEL_INPUT_COUNT))
    labels = (inputs[:, 1] + 0.5 * draw.normal(size=500) > 0).astype(int)
    data = xgboost.DMatrix(inputs, labels, feature_names=list(MODEL_INPUT_NAMES))
    settings = {"objective": "binary:logistic", "max_depth": 3, "nthread": 1, "seed": seed}
    return bytes(xgboost.train(settings, data, 8).save_raw("json"))


def seen(workdir: Path) -> int:
    lines = [line for path in workdir.glob("telemetry/*.jsonl") for line in path.read_text().splitlines()]
    return max((json.loads(line)["events"] for line in lines if line.endswith("}")), default=0)


@pytest.mark.slow
def test_a_promotion_takes_effect_in_the_running_flow_and_replays_at_the_same_event(tmp_path: Path) -> None:
    workdir = tmp_path / "live"
    store = ReleaseStore(workdir / "releases")
    release = store.create({"structure": {}}, {"hft": 1.0, "structure": 0.0}, model(), 0.55, {"why": "test"})
    process = start(*COMMAND, "--workdir", workdir, "--json")
    try:
        wait_until(lambda: seen(workdir) > 2_000, 90, process)
        chimera("release", "promote", release.id, "--workdir", workdir)
        out, err = process.communicate(timeout=120)
    finally:
        if process.poll() is None:
            kill(process)
    assert process.returncode == 0, err
    run = json.loads(out)
    assert [r["release_id"] for r in run["releases"]] == ["", release.id], "the running flow took it up"
    taken_up = run["releases"][1]["event_no"]
    assert 0 < taken_up < run["events"]

    reader = JournalReader(next((workdir / "journal").iterdir()))
    intents, decisions = reader.read("intents"), reader.read("decisions")
    before, after = intents["event_no"] < taken_up, intents["event_no"] >= taken_up
    assert before.sum() > 20 and after.sum() > 20
    assert np.isnan(intents["model_score"][before]).all() and (intents["release_no"][before] == 0).all()
    assert (intents["model_threshold"][after] == 0.55).all() and (intents["release_no"][after] == 1).all()
    scores = intents["model_score"][after]
    refused = decisions["reason"][after] == int(DecisionReason.MODEL_SCORE)
    assert refused.any() and not refused.all(), "the model refuses some intents and lets others through"
    assert (scores[refused] < 0.55).all()
    assert not (decisions["reason"][before] == int(DecisionReason.MODEL_SCORE)).any()
    structure = after & (decisions["engine"] == int(Engine.STRUCTURE))
    assert not decisions["approved"][structure].any(), "an engine of weight 0 gets no capital"

    replayed = chimera("replay", workdir, "--workdir", tmp_path / "replay", "--batch-size", 777)
    assert replayed["digest"] == run["digest"]
    assert replayed["releases"] == run["releases"]
    tested = chimera("backtest", workdir, "--workdir", tmp_path / "backtest")
    assert tested["digest"] == run["digest"]
    without = chimera("replay", workdir, "--no-ml", "--workdir", tmp_path / "without")
    assert without["digest"] != run["digest"]


@pytest.mark.slow
def test_a_corrupt_release_is_refused_by_the_running_flow_and_the_old_one_stays(tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path / "releases")
    bad = store.create({}, {"hft": 0.25}, None, 0.5, {})
    process = start(*COMMAND, "--workdir", tmp_path, "--json")
    try:
        wait_until(lambda: seen(tmp_path) > 2_000, 90, process)
        weights = tmp_path / "releases" / bad.id / "weights.json"
        weights.chmod(0o644)
        weights.write_text('{"hft":9.0}')
        (tmp_path / "releases" / "CURRENT").write_text(bad.id)  # as if it had been altered after the promotion
        out, err = process.communicate(timeout=120)
    finally:
        if process.poll() is None:
            kill(process)
    assert process.returncode == 0, err
    assert [r["release_id"] for r in json.loads(out)["releases"]] == [""]
    assert "weights.json" in err, "the refusal is logged with the file's name"


@pytest.mark.slow
def test_a_run_killed_after_a_promotion_applies_it_at_the_same_event(tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path / "releases")
    release = store.create({}, {"hft": 0.5, "structure": 0.5}, None, 0.5, {})
    process = start(*COMMAND, "--workdir", tmp_path)
    wait_until(lambda: seen(tmp_path) > 2_000, 90, process)
    store.promote(release.id)
    wait_until(lambda: len(list(tmp_path.glob("journal/*/releases/*.parquet"))) > 1, 30, process)
    kill(process)
    reader = JournalReader(next((tmp_path / "journal").iterdir()))
    recorded = reader.read("releases")
    finished = chimera(*COMMAND, "--workdir", tmp_path)
    assert finished["releases"][1]["event_no"] == int(recorded["event_no"][1])
    assert chimera("replay", tmp_path, "--workdir", tmp_path / "replay")["digest"] == finished["digest"]
