"""The signal model: learns what is there, gives the same bytes again, and is scored by the kernel as by XGBoost."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from chimera_platform.errors import DataError, ReleaseError
from chimera_platform.learning.dataset import split
from chimera_platform.learning.model_inputs import MODEL_INPUT_NAMES
from chimera_platform.learning.signal_model import SignalModelSettings, choose_threshold, train_signal_model
from chimera_platform.learning.validation import area_under_curve
from chimera_platform.releases import ReleaseStore
from tests.learning.planted import planted_examples, with_shuffled_outcomes


def test_a_planted_relation_is_found_on_an_unseen_day() -> None:
    parts = split(planted_examples())
    model = train_signal_model(parts.train, parts.validation)
    assert area_under_curve(parts.test.won, model.trees.predict(parts.test.inputs)) > 0.8
    importance = model.report["importance"]
    assert max(importance, key=importance.__getitem__) == "queue_imbalance"
    kept = model.keeps(parts.test)
    assert parts.test.net_bps[kept].sum() > max(0.0, parts.test.net_bps.sum())


def test_outcomes_dealt_at_random_leave_nothing_to_find() -> None:
    parts = split(with_shuffled_outcomes(planted_examples()))
    model = train_signal_model(parts.train, parts.validation)
    assert abs(area_under_curve(parts.test.won, model.trees.predict(parts.test.inputs)) - 0.5) < 0.06


def test_shuffling_time_between_inputs_and_outcomes_destroys_the_score() -> None:
    """Leak test: a score that survived this would come from knowing the answer."""
    parts = split(planted_examples())
    model = train_signal_model(parts.train, parts.validation)
    honest = area_under_curve(parts.test.won, model.trees.predict(parts.test.inputs))
    shuffled = with_shuffled_outcomes(parts.test)
    assert honest - area_under_curve(shuffled.won, model.trees.predict(shuffled.inputs)) > 0.25


def test_training_twice_gives_the_same_bytes() -> None:
    parts = split(planted_examples(days=2))
    first, second = (train_signal_model(parts.train, parts.validation) for _ in range(2))
    assert first.model_json == second.model_json
    assert first.threshold == second.threshold
    assert first.report == second.report


def test_the_kernel_scores_as_xgboost_does() -> None:
    import xgboost as xgb

    parts = split(planted_examples(days=2))
    model = train_signal_model(parts.train, parts.validation)
    booster = xgb.Booster()
    booster.load_model(bytearray(model.model_json))
    rows = parts.test.inputs.astype(np.float32)
    rows[::7, 3] = np.nan
    expected = booster.predict(xgb.DMatrix(rows, feature_names=list(MODEL_INPUT_NAMES)))
    assert np.abs(model.trees.predict(rows) - expected).max() < 1e-6


def test_the_model_stops_before_it_has_learned_the_noise() -> None:
    parts = split(planted_examples())
    model = train_signal_model(parts.train, parts.validation, SignalModelSettings(rounds_max=2_000))
    losses = model.report["validation_logloss"]
    assert model.report["rounds"] == int(np.argmin(losses)) + 1 < len(losses) < 2_000
    assert len(model.trees.roots) == model.report["rounds"]


def test_a_period_with_one_kind_of_outcome_cannot_be_trained_on() -> None:
    parts = split(planted_examples(days=2))
    with pytest.raises(DataError, match=r"validation period has .* not both won and lost"):
        train_signal_model(parts.train, parts.validation[parts.validation.won > 0])


def test_the_threshold_keeps_what_pays() -> None:
    scores = np.linspace(0.0, 1.0, 101)
    threshold, curve = choose_threshold(scores, np.where(scores >= 0.6, 1.0, -1.0))
    assert 0.58 < threshold <= 0.62
    assert max(row["net_bps_sum"] for row in curve) == next(
        row["net_bps_sum"] for row in curve if row["threshold"] == threshold
    )


def test_the_threshold_takes_everything_where_everything_pays() -> None:
    threshold, _ = choose_threshold(np.linspace(0.2, 0.8, 50), np.ones(50))
    assert threshold == 0.0


def test_a_trained_model_travels_in_a_release_and_scores_the_same(tmp_path: Path) -> None:
    parts = split(planted_examples(days=2))
    model = train_signal_model(parts.train, parts.validation)
    store = ReleaseStore(tmp_path)
    made = store.create({}, {}, model.model_json, model.threshold, {"report": model.report})
    loaded = store.load(made.id)
    assert loaded.trees is not None
    assert loaded.threshold == model.threshold
    assert np.array_equal(loaded.trees.predict(parts.test.inputs), model.trees.predict(parts.test.inputs))


def test_an_altered_model_is_refused(tmp_path: Path) -> None:
    parts = split(planted_examples(days=2))
    model = train_signal_model(parts.train, parts.validation)
    store = ReleaseStore(tmp_path)
    made = store.create({}, {}, model.model_json, model.threshold, {})
    path = tmp_path / made.id / "model.json"
    path.write_bytes(path.read_bytes().replace(b"0", b"1", 1))
    with pytest.raises(ReleaseError, match=r"model\.json was altered"):
        store.promote(made.id)


def test_a_model_over_other_inputs_is_refused(tmp_path: Path) -> None:
    parts = split(planted_examples(days=2))
    model = train_signal_model(parts.train, parts.validation)
    document = json.loads(model.model_json)
    document["learner"]["feature_names"][0] = "something_else"
    with pytest.raises(ReleaseError, match="something_else"):
        ReleaseStore(tmp_path).create({}, {}, json.dumps(document).encode(), 0.5, {})
