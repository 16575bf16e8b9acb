"""A boosted-tree model as flat arrays, scored one row at a time inside the decision path.

The model is read from the JSON that XGBoost writes (``booster.save_model("model.json")``; the format is
documented under "Introduction to Model IO" in XGBoost's manual) without importing XGBoost, whose own prediction
of one row costs over 100 µs. Only the ``gbtree`` booster with numerical splits and one of :data:`OBJECTIVES` is taken;
anything else is refused rather than scored wrongly.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chimera_platform.errors import ReleaseError
from chimera_platform.kernels import kernel

NODE_DTYPE = np.dtype(
    [
        ("value", "<f4"),  # split threshold (left if feature < value), or the margin of a leaf
        ("feature", "<i4"),  # column of the feature row; -1 marks a leaf
        ("left", "<i4"),  # row of the left child in the node array
        ("right", "<i4"),
        ("missing", "<i4"),  # child taken where the feature is NaN
    ]
)
CLASSIFIER, QUANTILE_REGRESSOR = "binary:logistic", "reg:quantileerror"
OBJECTIVES = (CLASSIFIER, QUANTILE_REGRESSOR)
_INDEX_LIMIT = 2**31 - 1


@dataclass(frozen=True)
class Trees:
    """A compiled-form model.

    Attributes
    ----------
    nodes : NODE_DTYPE array of all trees' nodes, shape (n_nodes,).
    roots : int64 array, the root node of each tree in boosting order, shape (n_trees,).
    base_margin : what the trees add to: log-odds of a classifier, the value itself of a regressor.
    feature_count : columns of the rows that the model scores.
    feature_names : their names as the model file gives them; empty where it gives none.
    """

    nodes: np.ndarray[Any, Any]
    roots: np.ndarray[Any, Any]
    base_margin: float
    feature_count: int
    feature_names: tuple[str, ...] = ()

    @classmethod
    def from_xgboost_json(cls, text: str | bytes, where: str = "model", objective: str = CLASSIFIER) -> Trees:
        """Parse XGBoost's JSON model.

        Parameters
        ----------
        text : the content of the model file.
        where : what error messages call it.
        objective : which of :data:`OBJECTIVES` it must have been trained for.

        Raises
        ------
        ReleaseError
            If it is not such a model, is damaged, or is of a kind that is not supported.
        """
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ReleaseError(f"{where}: not a JSON model: {error}") from error
        try:
            return _parse(document, where, objective)
        except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
            what = f"{type(error).__name__}: {error}"
            raise ReleaseError(f"{where}: not a complete XGBoost model ({what}); write it with save_model") from error

    def predict(self, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return the probability of the positive class for ``rows`` of shape (n, feature_count); NaN is missing."""
        rows = self._checked(rows)
        scores = np.empty(len(rows), "<f8")
        _score_rows(self.nodes, self.roots, self.base_margin, rows, scores)
        return scores

    def margins(self, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return the sum of base and leaves, a regressor's prediction, for ``rows`` as :meth:`predict` takes them."""
        rows = self._checked(rows)
        found = np.empty(len(rows), "<f8")
        _add_rows(self.nodes, self.roots, self.base_margin, rows, found)
        return found

    def _checked(self, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        rows = np.ascontiguousarray(rows, "<f8")
        if rows.ndim != 2 or rows.shape[1] != self.feature_count:
            raise ReleaseError(f"feature rows of shape {rows.shape}; the model expects (n, {self.feature_count})")
        return rows


def joined_trees(models: Sequence[Trees]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return nodes and roots of several models in one array each; the roots stand in the models' order."""
    nodes, roots, count = [np.zeros(0, NODE_DTYPE)], [np.zeros(0, np.int64)], 0
    for model in models:
        moved = model.nodes.copy()
        for child in ("left", "right", "missing"):
            moved[child] += np.int32(count)
        nodes.append(moved)
        roots.append(model.roots + count)
        count += len(moved)
    return np.concatenate(nodes), np.concatenate(roots)


@kernel
def margin_of_trees(nodes: Any, roots: Any, first: int, end: int, base_margin: float, features: Any) -> float:
    """Return base and leaves of one row of features, added as XGBoost does, in float32.

    Parameters
    ----------
    nodes, roots, base_margin : as in :class:`Trees`.
    first, end : which of the trees, the end excluded.
    features : float64 array; NaN is missing. Compared as float32.
    """
    margin = np.float32(base_margin)
    for tree in range(first, end):
        node = roots[tree]
        column = nodes[node].feature
        while column >= 0:
            value = np.float32(features[column])
            if np.isnan(value):
                node = np.int64(nodes[node].missing)
            elif value < nodes[node].value:
                node = np.int64(nodes[node].left)
            else:
                node = np.int64(nodes[node].right)
            column = nodes[node].feature
        margin = np.float32(margin + nodes[node].value)
    return np.float64(margin)


@kernel
def probability(margin: float) -> float:
    """Return the probability of the positive class for a classifier's margin."""
    return 1.0 / (1.0 + math.exp(-margin))


@kernel
def score_row(nodes: Any, roots: Any, base_margin: float, features: Any) -> float:
    """Return the probability of the positive class for one row of features, see :func:`margin_of_trees`."""
    return probability(margin_of_trees(nodes, roots, 0, roots.shape[0], base_margin, features))


@kernel
def _add_rows(nodes: Any, roots: Any, base_margin: float, rows: Any, out: Any) -> None:
    for i in range(rows.shape[0]):
        out[i] = margin_of_trees(nodes, roots, 0, roots.shape[0], base_margin, rows[i])


@kernel
def _score_rows(nodes: Any, roots: Any, base_margin: float, rows: Any, out: Any) -> None:
    for i in range(rows.shape[0]):
        out[i] = score_row(nodes, roots, base_margin, rows[i])


def _parse(document: dict[str, Any], where: str, objective: str) -> Trees:
    learner = document["learner"]
    _expect(where, "objective", learner["objective"]["name"], objective)
    _expect(where, "booster", learner["gradient_booster"]["name"], "gbtree")
    parameters = learner["learner_model_param"]
    feature_count = int(parameters["num_feature"])
    names = tuple(str(name) for name in learner.get("feature_names") or ())
    if names and len(names) != feature_count:
        raise ReleaseError(f"{where}: {len(names)} feature names for {feature_count} features")
    model = learner["gradient_booster"]["model"]
    if any(int(group) != 0 for group in model["tree_info"]):
        raise ReleaseError(f"{where}: more than one output; expected a model of one")
    trees = [_parse_tree(tree, number, feature_count, where) for number, tree in enumerate(model["trees"])]
    sizes = [len(tree) for tree in trees]
    roots = np.cumsum([0, *sizes[:-1]] if sizes else [], dtype="<i8")
    if sum(sizes) > _INDEX_LIMIT:
        raise ReleaseError(f"{where}: {sum(sizes)} nodes are more than an index of 32 bits can name")
    for tree, root in zip(trees, roots, strict=True):
        for child in ("left", "right", "missing"):
            tree[child] += np.int32(root)
    nodes = np.concatenate(trees) if trees else np.zeros(0, NODE_DTYPE)
    base_margin = (_base_margin if objective == CLASSIFIER else _base_value)(parameters["base_score"], where)
    return Trees(nodes, roots, base_margin, feature_count, names)


def _parse_tree(tree: dict[str, Any], number: int, feature_count: int, where: str) -> np.ndarray[Any, Any]:
    """Return one tree's nodes with child rows counted from its own root, checked to be a tree."""
    label = f"{where}: tree {number}"
    left, right = np.asarray(tree["left_children"], "<i8"), np.asarray(tree["right_children"], "<i8")
    count = len(left)
    columns = ("right_children", "split_indices", "split_conditions", "default_left")
    if count == 0 or any(len(tree[column]) != count for column in columns):
        raise ReleaseError(f"{label}: its node arrays differ in length or are empty")
    if any(int(kind) != 0 for kind in tree.get("split_type", ())):
        raise ReleaseError(f"{label}: a categorical split; expected numerical splits only")
    features, values = np.asarray(tree["split_indices"], "<i8"), np.asarray(tree["split_conditions"], "<f4")
    inner = left != -1
    if not np.array_equal(inner, right != -1):
        raise ReleaseError(f"{label}: a node with one child; expected two or none")
    if not np.isfinite(values).all():
        raise ReleaseError(f"{label}: a threshold or leaf value that is not finite")
    if np.any(features[inner] < 0) or np.any(features[inner] >= feature_count):
        raise ReleaseError(f"{label}: a split on a feature outside 0…{feature_count - 1}")
    _require_one_parent_each(left[inner], right[inner], count, label)
    nodes = np.zeros(count, NODE_DTYPE)
    nodes["value"], nodes["left"], nodes["right"] = values, left, right
    nodes["feature"] = np.where(inner, features, -1)
    nodes["missing"] = np.where(np.asarray(tree["default_left"], "<i8") != 0, left, right)
    return nodes


def _require_one_parent_each(left: np.ndarray[Any, Any], right: np.ndarray[Any, Any], count: int, label: str) -> None:
    """Refuse what a walk from the root could not leave.

    Where the root is nobody's child and no node has two parents, a cycle cannot be entered from the root (the
    node of entry would have two parents), so every walk ends at a leaf within ``count`` steps.
    """
    children = np.concatenate([left, right])
    if np.any(children <= 0) or np.any(children >= count):
        raise ReleaseError(f"{label}: a child outside 1…{count - 1}")
    if len(np.unique(children)) != len(children):
        raise ReleaseError(f"{label}: a node with two parents")


def _base_margin(base_score: object, where: str) -> float:
    """Return the log-odds of ``base_score``, which XGBoost writes as "5E-1" or, since 3.1, as "[5E-1]"."""
    probability = float(str(base_score).strip("[]"))
    if not 0.0 < probability < 1.0:
        raise ReleaseError(f"{where}: 'base_score' is {base_score!r}; expected a probability between 0 and 1")
    return float(np.float32(-math.log(1.0 / np.float64(np.float32(probability)) - 1.0)))


def _base_value(base_score: object, where: str) -> float:
    """Return a regressor's ``base_score``, written as that of a classifier is."""
    value = float(np.float32(str(base_score).strip("[]")))
    if not math.isfinite(value):
        raise ReleaseError(f"{where}: 'base_score' is {base_score!r}; expected a finite number")
    return value


def _expect(where: str, field: str, value: object, expected: str) -> None:
    if value != expected:
        raise ReleaseError(f"{where}: '{field}' is {value!r}; expected {expected!r}")
