"""The target model: learns what is there, gives the same bytes again, knows no future, and is worth its gate."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

from chimera_platform.errors import DataError, ReleaseError
from chimera_platform.execution.records import INTENT_DTYPE
from chimera_platform.journal.schema import NS_PER_DAY
from chimera_platform.learning.dataset import split_rows
from chimera_platform.learning.labels import LABEL_DTYPE, LabelOutcome
from chimera_platform.learning.model_inputs import MODEL_INPUT_COUNT, model_input_rows
from chimera_platform.learning.target_inputs import (
    TARGET_INPUT_COUNT,
    TARGET_INPUT_NAMES,
    StopInput,
    target_input_rows,
)
from chimera_platform.learning.target_model import (
    TargetExamples,
    TargetModel,
    TargetModelSettings,
    evaluate_target,
    pinball_losses,
    predicted_moves,
    target_examples_of,
    train_target_model,
)
from chimera_platform.microstructure.feature_names import Feature
from chimera_platform.releases import ReleaseStore

NS, MINUTE = 1_000_000_000, 60_000_000_000
Parts = tuple[TargetExamples, TargetExamples, TargetExamples]


def planted(days: int = 4, per_day: int = 600, strength: float = 1.0, seed: int = 1) -> TargetExamples:
    """Moves that are the longer the nearer the stop is in volatilities, exponentially distributed around that."""
    random = np.random.default_rng(seed)
    n = days * per_day
    inputs = random.normal(size=(n, TARGET_INPUT_COUNT))
    inputs[:, StopInput.STOP_VOLATILITIES] = random.uniform(0.2, 3.0, n)
    scale = np.exp(-strength * inputs[:, StopInput.STOP_VOLATILITIES])
    ts = np.concatenate([(16_000 + d) * NS_PER_DAY + np.arange(per_day) * 60 * NS for d in range(days)])
    return TargetExamples(inputs, 2.0 * scale * random.exponential(1.0, n), ts, ts + 90 * NS)


def parts_of(examples: TargetExamples) -> Parts:
    train, validation, test = (examples[rows] for rows in split_rows(examples.ts, examples.horizon_end))
    return train, validation, test


def fitted(examples: TargetExamples) -> tuple[TargetModel, TargetExamples]:
    train, validation, test = parts_of(examples)
    return train_target_model(train, validation), test


def test_a_planted_relation_is_found_and_beats_the_constant_on_an_unseen_day() -> None:
    model, test = fitted(planted())
    found = evaluate_target(model, None, test)
    assert found["gain_low"] > 0.05
    assert 0.4 < found["reached"] < 0.6
    importance = model.report["importance"]
    assert max(importance, key=importance.__getitem__) == "stop_volatilities"


def test_of_moves_that_nothing_tells_the_bound_is_not_above_zero() -> None:
    bounds = []
    for seed in range(8):
        model, test = fitted(planted(strength=0.0, per_day=300, seed=seed))
        bounds.append(evaluate_target(model, None, test)["gain_low"])
    assert max(bounds) <= 0.0


def test_moves_dealt_anew_leave_nothing_to_find() -> None:
    examples = planted()
    order = np.random.default_rng(3).permutation(len(examples))
    model, test = fitted(replace(examples, move=examples.move[order]))
    assert evaluate_target(model, None, test)["gain_low"] <= 0.0


def test_training_twice_gives_the_same_bytes() -> None:
    first, second = fitted(planted(days=2))[0], fitted(planted(days=2))[0]
    assert first.model_json == second.model_json
    assert first.report == second.report


def test_the_kernel_predicts_what_xgboost_does() -> None:
    model, test = fitted(planted(days=2))
    booster = xgboost.Booster()
    booster.load_model(bytearray(model.model_json))
    matrix = xgboost.DMatrix(test.inputs.astype(np.float32), feature_names=list(TARGET_INPUT_NAMES))
    np.testing.assert_array_equal(model.trees.margins(test.inputs), booster.predict(matrix).astype(np.float64))


def test_a_higher_quantile_predicts_moves_that_are_reached_less_often() -> None:
    train, validation, test = parts_of(planted())
    reached = []
    for quantile in (0.25, 0.5, 0.8):
        settings = TargetModelSettings.model_validate({"quantile": quantile})
        model = train_target_model(train, validation, settings)
        reached.append(evaluate_target(model, None, test, settings)["reached"])
        assert reached[-1] == pytest.approx(1.0 - quantile, abs=0.08)
    assert reached == sorted(reached, reverse=True)


def test_a_champion_as_good_is_not_beaten_and_a_worse_one_is() -> None:
    model, test = fitted(planted())
    other = fitted(planted(strength=-1.0, seed=9))[0]
    assert evaluate_target(model, model.trees, test)["champion_gain_low"] == 0.0
    assert evaluate_target(model, other.trees, test)["champion_gain_low"] > 0.0


@pytest.mark.parametrize(
    ("move", "predicted", "quantile", "loss"), [(3.0, 1.0, 0.8, 1.6), (1.0, 3.0, 0.8, 0.4), (2.0, 2.0, 0.3, 0.0)]
)
def test_the_pinball_loss_weighs_falling_short_by_the_quantile(
    move: float, predicted: float, quantile: float, loss: float
) -> None:
    assert pinball_losses(np.array([move]), np.array([predicted]), quantile)[0] == pytest.approx(loss)


def test_periods_without_enough_to_learn_from_are_refused() -> None:
    train, validation, test = parts_of(planted(days=2, per_day=40))
    with pytest.raises(DataError, match="the training period has 3 intents whose best move is known"):
        train_target_model(train[:3], validation)
    with pytest.raises(DataError, match="the validation period has 0 intents"):
        train_target_model(train, validation[:0])
    with pytest.raises(DataError, match="have the same best move"):
        train_target_model(replace(train, move=np.ones(len(train))), validation)
    assert evaluate_target(train_target_model(train, validation), None, test[:7]) == {"examples": 7}


# ---- inputs and examples -------------------------------------------------------------------------------------


def intents_of(rows: list[dict[str, Any]]) -> np.ndarray[Any, Any]:
    intents = np.zeros(len(rows), INTENT_DTYPE)
    random = np.random.default_rng(2)
    intents["features"] = random.normal(size=intents["features"].shape)
    intents["features"][:, Feature.REALISED_VOL_60S] = 0.001
    for i, row in enumerate(rows):
        given = {"intent_no": i, "side": 1, "bid_price": 9_998, "ask_price": 10_002, "stop_distance": 10,
                 "max_hold_ns": 4 * MINUTE, **row}  # fmt: skip
        for name, value in given.items():
            intents[name][i] = value
    return intents


def test_the_inputs_are_the_signal_models_then_the_stop_in_volatilities_and_spreads() -> None:
    intents = intents_of([{}, {"side": -1, "stop_distance": 60}])
    rows = target_input_rows(intents)
    assert rows.shape == (2, MODEL_INPUT_COUNT + 2)
    np.testing.assert_array_equal(rows[:, :MODEL_INPUT_COUNT], model_input_rows(intents))
    np.testing.assert_allclose(rows[:, StopInput.STOP_VOLATILITIES], [0.5, 3.0])
    np.testing.assert_allclose(rows[:, StopInput.STOP_SPREADS], [2.5, 15.0])


@pytest.mark.parametrize("volatility", [math.nan, 0.0])
def test_what_cannot_be_divided_by_is_missing(volatility: float) -> None:
    intents = intents_of([{"ask_price": 9_998}])
    intents["features"][:, Feature.REALISED_VOL_60S] = volatility
    assert np.isnan(target_input_rows(intents)[0, [StopInput.STOP_VOLATILITIES, StopInput.STOP_SPREADS]]).all()


def test_examples_are_the_labelled_intents_with_a_known_move_in_time_order() -> None:
    intents = intents_of([{"ts_event": ts} for ts in (30, 10, 20, 40)])
    labels = np.zeros(4, LABEL_DTYPE)
    labels["intent_no"], labels["horizon_end_ts"] = np.arange(4), intents["ts_event"] + 5
    labels["outcome"] = [LabelOutcome.TARGET, LabelOutcome.TIME, LabelOutcome.HORIZON_PASSES_END, LabelOutcome.STOP]
    labels["best_move"] = [25, 0, -1, -1]  # the last was labelled before moves were
    examples = target_examples_of(intents, labels)
    assert examples.move.tolist() == [0.0, 2.5]
    assert examples.ts.tolist() == [10, 30]
    assert examples.horizon_end.tolist() == [15, 35]
    np.testing.assert_array_equal(examples.inputs, target_input_rows(intents)[[1, 0]])
    labels["intent_no"] += 1
    with pytest.raises(DataError, match="do not belong"):
        target_examples_of(intents, labels)


def test_predicted_moves_are_the_models_stops_in_ticks() -> None:
    model, _ = fitted(planted(days=2))
    intents = intents_of([{}, {"stop_distance": 60}])
    moves = predicted_moves(model.trees, intents)
    np.testing.assert_array_equal(moves, model.trees.margins(target_input_rows(intents)) * [10, 60])
    with pytest.raises(DataError, match="5 inputs"):
        predicted_moves(replace(model.trees, feature_count=5), intents)


# ---- in a release --------------------------------------------------------------------------------------------


def test_a_release_keeps_its_target_model_and_one_without_has_the_content_that_it_always_had(tmp_path: Path) -> None:
    model, test = fitted(planted(days=2))
    store = ReleaseStore(tmp_path)
    plain = store.create({}, {}, None, 0.0, {})
    made = store.create({}, {}, None, 0.0, {}, target_json=model.model_json)
    assert plain.target_trees is None and plain.id != made.id
    assert set(plain.manifest) == {"files", "format", "model_inputs", "threshold"}
    assert store.target_json(plain.id) is None and store.target_json(made.id) == model.model_json
    loaded = store.load(made.id)
    assert loaded.target_trees is not None and loaded.trees is None
    np.testing.assert_array_equal(loaded.target_trees.margins(test.inputs), model.trees.margins(test.inputs))
    other = ReleaseStore(tmp_path / "other")
    other.take_over(made.id, store)
    assert other.target_json(made.id) == model.model_json


def test_an_altered_target_model_is_refused(tmp_path: Path) -> None:
    model, _ = fitted(planted(days=2))
    store = ReleaseStore(tmp_path)
    made = store.create({}, {}, None, 0.0, {}, target_json=model.model_json)
    path = tmp_path / made.id / "target_model.json"
    path.write_bytes(path.read_bytes()[:-1] + b" ")
    with pytest.raises(ReleaseError, match=r"target_model\.json was altered"):
        store.load(made.id)


def test_a_model_of_other_inputs_or_another_kind_is_no_target_model(tmp_path: Path) -> None:
    random, store = np.random.default_rng(1), ReleaseStore(tmp_path)
    for objective, names, message in (
        ("reg:quantileerror", TARGET_INPUT_NAMES[:-1], r"target_model\.json reads .*; expected .*stop_spreads"),
        ("reg:squarederror", TARGET_INPUT_NAMES, "'objective' is 'reg:squarederror'"),
    ):
        data = xgboost.DMatrix(random.normal(size=(50, len(names))), random.random(50), feature_names=list(names))
        settings = {"objective": objective, "nthread": 1}
        booster = xgboost.train(settings | ({"quantile_alpha": 0.5} if "quantile" in objective else {}), data, 2)
        with pytest.raises(ReleaseError, match=message):
            store.create({}, {}, None, 0.0, {}, target_json=bytes(booster.save_raw("json")))
    assert store.list() == ()
