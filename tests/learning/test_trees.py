"""The compiled tree model against XGBoost itself, and models that must be refused."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

from chimera_platform.errors import ReleaseError
from chimera_platform.learning.trees import NODE_DTYPE, QUANTILE_REGRESSOR, Trees, score_row

FEATURES = 13


def rows(count: int, seed: int, missing: float) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(count, FEATURES))
    values[:, 3] = np.round(values[:, 3])  # ties with thresholds
    values[rng.random(values.shape) < missing] = np.nan
    return values


def fitted(seed: int = 0, rounds: int = 60, missing: float = 0.1, **parameters: Any) -> xgboost.Booster:
    rng = np.random.default_rng(seed + 1000)
    x = rows(3000, seed, missing)
    y = (np.nan_to_num(x[:, 0]) + np.nan_to_num(x[:, 3]) * 0.5 + rng.normal(size=len(x)) > 0.8).astype(int)
    settings = {"objective": "binary:logistic", "max_depth": 5, "nthread": 1, "seed": seed} | parameters
    return xgboost.train(settings, xgboost.DMatrix(x, y), rounds)


def saved(booster: xgboost.Booster) -> bytes:
    return bytes(booster.save_raw("json"))


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """A small model as the JSON document that the refusal tests damage."""
    return json.loads(saved(fitted(rounds=3, max_depth=3)))


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"tree_method": "exact", "gamma": 1.0},
        {"base_score": 0.05},
        {"scale_pos_weight": 3.0, "grow_policy": "lossguide", "max_leaves": 12, "max_depth": 0},
        {"num_parallel_tree": 4, "subsample": 0.7},
    ],
)
@pytest.mark.parametrize("missing", [0.0, 0.1, 0.6])
def test_scores_equal_xgboosts_own_prediction(parameters: dict[str, Any], missing: float) -> None:
    booster = fitted(7, missing=missing, **parameters)
    trees = Trees.from_xgboost_json(saved(booster))
    unseen = rows(2000, 99, missing)
    expected = booster.predict(xgboost.DMatrix(unseen))
    np.testing.assert_allclose(trees.predict(unseen), expected, rtol=3e-7, atol=1e-7)
    assert np.ptp(expected) > 0.2  # the model says different things of different rows


def test_a_row_of_nothing_but_missing_values_takes_every_default_branch() -> None:
    booster = fitted(3, missing=0.3)
    nothing = np.full((1, FEATURES), np.nan)
    trees = Trees.from_xgboost_json(saved(booster))
    assert trees.predict(nothing)[0] == pytest.approx(booster.predict(xgboost.DMatrix(nothing))[0], rel=3e-7)


def test_a_value_equal_to_the_threshold_in_float32_goes_right_as_in_xgboost() -> None:
    booster = fitted(5)
    trees = Trees.from_xgboost_json(saved(booster))
    inner = trees.nodes[trees.nodes["feature"] >= 0]
    at_thresholds = np.tile(rows(1, 1, 0.0), (len(inner), 1))
    at_thresholds[np.arange(len(inner)), inner["feature"]] = inner["value"]
    just_below = at_thresholds.copy()
    just_below[np.arange(len(inner)), inner["feature"]] -= 1e-12  # the same float32
    for values in (at_thresholds, just_below):
        expected = booster.predict(xgboost.DMatrix(values.astype(np.float32)))
        np.testing.assert_allclose(trees.predict(values), expected, rtol=3e-7, atol=1e-7)


def test_a_model_written_to_a_file_by_save_model_is_read(tmp_path: Path) -> None:
    booster = fitted(11)
    booster.feature_names = [f"input_{i}" for i in range(FEATURES)]
    booster.save_model(tmp_path / "model.json")
    trees = Trees.from_xgboost_json((tmp_path / "model.json").read_bytes())
    assert trees.feature_names == tuple(booster.feature_names)
    unseen = rows(100, 2, 0.2)
    expected = booster.predict(xgboost.DMatrix(unseen, feature_names=booster.feature_names))
    np.testing.assert_allclose(trees.predict(unseen), expected, rtol=3e-7, atol=1e-7)


def test_base_score_is_read_in_the_old_and_the_new_spelling(document: dict[str, Any]) -> None:
    margins = set()
    for spelling in ("2.5E-1", "[2.5E-1]"):
        document["learner"]["learner_model_param"]["base_score"] = spelling
        margins.add(Trees.from_xgboost_json(json.dumps(document)).base_margin)
    assert len(margins) == 1
    assert margins.pop() == pytest.approx(np.log(0.25 / 0.75))


def test_a_model_without_trees_gives_its_base_score() -> None:
    booster = xgboost.train(
        {"objective": "binary:logistic", "base_score": 0.3}, xgboost.DMatrix(rows(10, 0, 0), np.arange(10) % 2), 0
    )
    trees = Trees.from_xgboost_json(saved(booster))
    assert trees.predict(rows(1, 0, 0))[0] == pytest.approx(0.3, rel=1e-6)


@pytest.mark.parametrize("parameters", [{}, {"quantile_alpha": 0.8}, {"base_score": -3.5, "subsample": 0.7}])
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_predictions_of_a_regressor_equal_xgboosts_own(parameters: dict[str, Any], missing: float) -> None:
    x = rows(3000, 4, missing)
    y = 40.0 * np.nan_to_num(x[:, 1]) + np.random.default_rng(5).exponential(9.0, len(x))
    settings = {"objective": QUANTILE_REGRESSOR, "quantile_alpha": 0.5, "max_depth": 3, "nthread": 1} | parameters
    booster = xgboost.train(settings, xgboost.DMatrix(x, y), 40)
    trees = Trees.from_xgboost_json(saved(booster), objective=QUANTILE_REGRESSOR)
    unseen = rows(2000, 98, missing)
    expected = booster.predict(xgboost.DMatrix(unseen))
    np.testing.assert_array_equal(trees.margins(unseen), expected.astype(np.float64))
    assert np.ptp(expected) > 20.0


def test_a_model_of_one_objective_is_not_taken_for_another(document: dict[str, Any]) -> None:
    with pytest.raises(ReleaseError, match="'objective' is 'binary:logistic'; expected 'reg:quantileerror'"):
        Trees.from_xgboost_json(json.dumps(document), objective=QUANTILE_REGRESSOR)


@pytest.mark.parametrize("spelling", ["nan", "[inf]"])
def test_a_regressor_starts_from_a_finite_number(document: dict[str, Any], spelling: str) -> None:
    damaged = copy.deepcopy(document)
    damaged["learner"]["objective"]["name"] = QUANTILE_REGRESSOR
    damaged["learner"]["learner_model_param"]["base_score"] = spelling
    with pytest.raises(ReleaseError, match="expected a finite number"):
        Trees.from_xgboost_json(json.dumps(damaged), objective=QUANTILE_REGRESSOR)


def test_one_row_is_scored_in_less_than_ten_microseconds() -> None:
    trees = Trees.from_xgboost_json(saved(fitted(1, rounds=100)))
    row = rows(1, 5, 0.1)[0]
    score_row(trees.nodes, trees.roots, trees.base_margin, row)
    durations = []
    for _ in range(2000):
        start = time.perf_counter_ns()
        score_row(trees.nodes, trees.roots, trees.base_margin, row)
        durations.append(time.perf_counter_ns() - start)
    assert np.median(durations) < 10_000


def test_rows_of_another_width_are_refused() -> None:
    trees = Trees.from_xgboost_json(saved(fitted(1, rounds=1)))
    with pytest.raises(ReleaseError, match=rf"\(4, {FEATURES - 1}\).*\(n, {FEATURES}\)"):
        trees.predict(np.zeros((4, FEATURES - 1)))


def _tree(document: dict[str, Any]) -> dict[str, Any]:
    return document["learner"]["gradient_booster"]["model"]["trees"][1]


def _set(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def damage(document: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        node = document
        for parent in parents:
            node = node[parent]
        node[last] = value

    return damage


DAMAGES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "regression": (_set("learner.objective.name", "reg:squarederror"), "'objective' is 'reg:squarederror'"),
    "dart": (_set("learner.gradient_booster.name", "dart"), "'booster' is 'dart'"),
    "several outputs": (_set("learner.gradient_booster.model.tree_info", [0, 1, 2]), "more than one output"),
    "certain base score": (_set("learner.learner_model_param.base_score", "1E0"), "'base_score' is '1E0'"),
    "base score in words": (_set("learner.learner_model_param.base_score", "half"), "not a complete XGBoost model"),
    "names of other features": (_set("learner.feature_names", ["a", "b"]), "2 feature names for 13 features"),
    "no trees key": (lambda d: d["learner"]["gradient_booster"]["model"].pop("trees"), "not a complete XGBoost model"),
    "learner is a list": (_set("learner", []), "not a complete XGBoost model"),
    "arrays of different length": (lambda d: _tree(d)["left_children"].pop(), "tree 1: its node arrays differ"),
    "empty tree": (lambda d: [_tree(d)[k].clear() for k in list(_tree(d)) if isinstance(_tree(d)[k], list)], "empty"),
    "cycle": (lambda d: _tree(d)["left_children"].__setitem__(1, 0), "tree 1: a child outside"),
    "two parents": (lambda d: _tree(d)["left_children"].__setitem__(1, 2), "tree 1: a node with two parents"),
    "child beyond the end": (lambda d: _tree(d)["left_children"].__setitem__(0, 999), "tree 1: a child outside"),
    "one child": (lambda d: _tree(d)["left_children"].__setitem__(0, -1), "tree 1: a node with one child"),
    "unknown feature": (lambda d: _tree(d)["split_indices"].__setitem__(0, 13), "tree 1: a split on a feature"),
    "categorical split": (lambda d: _tree(d)["split_type"].__setitem__(0, 1), "tree 1: a categorical split"),
    "infinite threshold": (lambda d: _tree(d)["split_conditions"].__setitem__(0, float("inf")), "not finite"),
    "threshold in words": (lambda d: _tree(d)["split_conditions"].__setitem__(0, "low"), "not a complete"),
    "huge child": (lambda d: _tree(d)["left_children"].__setitem__(0, 2**70), "not a complete"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_or_foreign_model_is_refused_with_the_reason(document: dict[str, Any], name: str) -> None:
    damage, reason = DAMAGES[name]
    damaged = copy.deepcopy(document)
    Trees.from_xgboost_json(json.dumps(damaged))
    damage(damaged)
    with pytest.raises(ReleaseError) as caught:
        Trees.from_xgboost_json(json.dumps(damaged), "release x")
    assert reason in str(caught.value)
    assert str(caught.value).startswith("release x")


@pytest.mark.parametrize("text", [b"", b"\x80ubj", b"{", b"[" * 100_000, b"null", b"42", b'{"learner": null}'])
def test_what_is_not_a_json_model_is_refused(text: bytes) -> None:
    with pytest.raises(ReleaseError):
        Trees.from_xgboost_json(text)


def test_nodes_are_packed_in_twenty_bytes() -> None:
    assert NODE_DTYPE.itemsize == 20
