"""Boosted trees as every model here is trained: on one period, stopped early on another, from a seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

Array = np.ndarray[Any, Any]


class BoostingSettings(Protocol):
    """What the settings of a model say of its trees."""

    @property
    def max_depth(self) -> int:
        """Levels of a tree."""

    @property
    def learning_rate(self) -> float:
        """Share of each tree that is added."""

    @property
    def min_child_weight(self) -> float:
        """Least weight of the examples of a leaf."""

    @property
    def subsample(self) -> float:
        """Share of the examples that a tree is grown on."""

    @property
    def l2(self) -> float:
        """Shrinkage of the leaves."""

    @property
    def rounds_max(self) -> int:
        """Most trees."""

    @property
    def early_stopping_rounds(self) -> int:
        """Trees without a gain on the validation period that end the training."""

    @property
    def seed(self) -> int:
        """Of what is drawn."""

    @property
    def threads(self) -> int:
        """Of the training."""


class Boosted(NamedTuple):
    """A trained ensemble, cut after its best round."""

    booster: Any  # xgboost.Booster
    json: bytes
    rounds: int
    losses: dict[str, dict[str, list[float]]]  # train and validation → metric → by round


def train_boosted(
    objective: Mapping[str, Any],
    names: Sequence[str],
    train: tuple[Array, Array],
    validation: tuple[Array, Array],
    settings: BoostingSettings,
) -> Boosted:
    """Return trees trained on ``train``, with as many rounds as do best on ``validation``.

    Parameters
    ----------
    objective : XGBoost's parameters that say what is learned.
    names : of the inputs, in the order of their columns.
    train, validation : (inputs (n, names), target (n,)).
    """
    import xgboost as xgb  # a second of start-up that only training needs

    matrices = [
        xgb.DMatrix(inputs.astype(np.float32), label=target, feature_names=list(names), nthread=settings.threads)
        for inputs, target in (train, validation)
    ]
    losses: dict[str, dict[str, list[float]]] = {}
    booster = xgb.train(
        {
            **objective,
            "tree_method": "hist",
            "max_depth": settings.max_depth,
            "learning_rate": settings.learning_rate,
            "min_child_weight": settings.min_child_weight,
            "subsample": settings.subsample,
            "reg_lambda": settings.l2,
            "seed": settings.seed,
            "nthread": settings.threads,
            "verbosity": 0,
        },
        matrices[0],
        settings.rounds_max,
        evals=[(matrices[0], "train"), (matrices[1], "validation")],
        early_stopping_rounds=settings.early_stopping_rounds,
        evals_result=losses,
        verbose_eval=False,
    )
    best = booster[: booster.best_iteration + 1]
    best.set_attr(best_iteration=None, best_score=None)
    return Boosted(best, bytes(best.save_raw("json")), booster.best_iteration + 1, losses)
