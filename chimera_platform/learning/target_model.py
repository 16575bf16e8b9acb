"""The target model: how far the market carries a trade before its stop or its time, in multiples of the stop.

A quantile of that move, not its mean: what is asked for is a price that is reached so and so often. A prediction times
the stop's distance is the intent's ``predicted_move`` in ticks; with ``exits.target_source`` = model it is the target.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field

from chimera_platform.errors import DataError
from chimera_platform.learning.boosting import train_boosted
from chimera_platform.learning.labels import is_labelled
from chimera_platform.learning.target_inputs import TARGET_INPUT_COUNT, TARGET_INPUT_NAMES, target_input_rows
from chimera_platform.learning.trees import QUANTILE_REGRESSOR, Trees
from chimera_platform.learning.validation import block_length, bootstrap_rows
from chimera_platform.settings import Settings

EXAMPLES_MIN = 8
"""Fewest examples of a period that anything can be said of."""


class TargetModelSettings(Settings):
    """How the target model is trained."""

    quantile: float = Field(
        0.5,
        ge=0.05,
        le=0.95,
        description="of the move that is predicted: the target is reached in 1 - quantile of cases",
    )
    max_depth: int = Field(2, ge=1, le=8, description="splits from root to leaf")
    learning_rate: float = Field(0.05, gt=0.0, le=1.0, description="shrinkage of each tree")
    rounds_max: int = Field(150, ge=1, le=5_000, description="trees at most")
    early_stopping_rounds: int = Field(20, ge=1, le=500, description="trees without a better validation loss")
    min_child_weight: float = Field(30.0, ge=0.0, le=1e6, description="examples that a leaf needs")
    subsample: float = Field(0.8, gt=0.0, le=1.0, description="share of rows a tree sees")
    l2: float = Field(1.0, ge=0.0, le=1e6, description="L2 penalty on leaf values")
    threads: int = Field(1, ge=1, le=64, description="threads of XGBoost")
    seed: int = Field(7, ge=0, le=2**31 - 1, description="of the row subsamples")


@dataclass(frozen=True)
class TargetExamples:
    """Labelled intents in time order, with how far the market carried them.

    Attributes
    ----------
    inputs : float64, shape (n, TARGET_INPUT_COUNT).
    move : float64, shape (n,): largest profit before stop or time, multiples of the stop's distance, at least 0.
    ts, horizon_end : int64, shape (n,): decision time, and up to where the label knows the market, ns UTC.
    """

    inputs: np.ndarray[Any, Any]
    move: np.ndarray[Any, Any]
    ts: np.ndarray[Any, Any]
    horizon_end: np.ndarray[Any, Any]

    def __len__(self) -> int:
        return len(self.move)

    def __getitem__(self, rows: Any) -> TargetExamples:
        return TargetExamples(self.inputs[rows], self.move[rows], self.ts[rows], self.horizon_end[rows])


def target_examples_of(intents: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> TargetExamples:
    """Return the labelled intents of which the best move is known as examples, in time order.

    Parameters
    ----------
    intents, labels : INTENT_DTYPE and LABEL_DTYPE arrays, row for row, shape (n,).
    """
    if not np.array_equal(intents["intent_no"], labels["intent_no"]):
        raise DataError("labels do not belong to these intents: their intent_no differ")
    mask = is_labelled(labels) & (labels["best_move"] >= 0)
    intents, labels = intents[mask], labels[mask]
    order = np.argsort(intents["ts_event"], kind="stable")
    intents, labels = intents[order], labels[order]
    return TargetExamples(
        target_input_rows(intents),
        labels["best_move"] / intents["stop_distance"],
        intents["ts_event"].copy(),
        labels["horizon_end_ts"].copy(),
    )


@dataclass(frozen=True)
class TargetModel:
    """A trained model.

    Attributes
    ----------
    model_json : XGBoost's JSON; equal examples and settings give equal bytes.
    trees : the same model as the kernels score it; its margin is the move in multiples of the stop.
    constant : the quantile of the training period's moves: what a prediction without inputs would be.
    report : what was seen in training. JSON values.
    """

    model_json: bytes
    trees: Trees
    constant: float
    report: dict[str, Any]


def train_target_model(
    train: TargetExamples, validation: TargetExamples, settings: TargetModelSettings | None = None
) -> TargetModel:
    """Fit on ``train``, stop early on ``validation``.

    Raises
    ------
    DataError
        If either period has too few examples, or the moves of the training period are all the same.
    """
    settings = settings or TargetModelSettings.model_validate({})
    for name, part in (("training", train), ("validation", validation)):
        if len(part) < EXAMPLES_MIN:
            raise DataError(
                f"the {name} period has {len(part)} intents whose best move is known, too few to learn from"
            )
    if np.ptp(train.move) == 0.0:
        raise DataError(f"all {len(train)} intents of the training period have the same best move")
    boosted = train_boosted(
        {"objective": QUANTILE_REGRESSOR, "quantile_alpha": settings.quantile},
        TARGET_INPUT_NAMES,
        (train.inputs, train.move),
        (validation.inputs, validation.move),
        settings,
    )
    model_json = boosted.json
    gain = boosted.booster.get_score(importance_type="total_gain")
    constant = float(np.quantile(train.move, settings.quantile))
    report = {
        "rounds": boosted.rounds,
        "quantile": settings.quantile,
        "constant": constant,
        "train_loss": np.round(boosted.losses["train"]["quantile"], 6).tolist(),
        "validation_loss": np.round(boosted.losses["validation"]["quantile"], 6).tolist(),
        "examples": {"train": len(train), "validation": len(validation)},
        "importance": {name: float(np.asarray(gain.get(name, 0.0))) for name in TARGET_INPUT_NAMES},
    }
    trees = Trees.from_xgboost_json(model_json, objective=QUANTILE_REGRESSOR)
    return TargetModel(model_json, trees, constant, report)


def pinball_losses(
    move: np.ndarray[Any, Any], predicted: np.ndarray[Any, Any] | float, quantile: float
) -> np.ndarray[Any, Any]:
    """Return the loss of each prediction that the ``quantile`` of the outcome minimises (Koenker & Bassett 1978)."""
    short = move - predicted
    return np.asarray(np.maximum(quantile * short, (quantile - 1.0) * short))


def evaluate_target(
    model: TargetModel,
    champion: Trees | None,
    test: TargetExamples,
    settings: TargetModelSettings | None = None,
    evidence: float = 0.975,
    draws: int = 1_000,
    seed: int = 7,
) -> dict[str, Any]:
    """Compare a model with the constant, and with the model in force, on examples that it never saw.

    Parameters
    ----------
    champion : the target model in force, None where there is none.
    test : later than everything that the model was fitted on.
    evidence : the bounds are the 1 - evidence quantiles of a block bootstrap.

    Returns
    -------
    JSON values: ``examples``, ``loss`` and ``loss_constant`` (means), ``reached`` (share of moves at least as far as
    predicted), ``gain`` (relative to the constant's loss) and its bound ``gain_low``; with a champion
    ``champion_gain_low`` likewise.
    """
    settings = settings or TargetModelSettings.model_validate({})
    if len(test) < EXAMPLES_MIN:
        return {"examples": len(test)}
    predicted = model.trees.margins(test.inputs)
    losses = pinball_losses(test.move, predicted, settings.quantile)
    plain = pinball_losses(test.move, model.constant, settings.quantile)
    block = block_length(test)
    rows = bootstrap_rows(len(test), block, draws, seed)
    found = {
        "examples": len(test),
        "block": block,
        "loss": float(losses.mean()),
        "loss_constant": float(plain.mean()),
        "reached": float((test.move >= predicted).mean()),
        "gain": _gain(plain, losses),
        "gain_low": _gain_low(plain, losses, rows, evidence),
        "predicted": [float(each) for each in np.quantile(predicted, (0.05, 0.5, 0.95))],
    }
    if champion is not None:
        before = pinball_losses(test.move, champion.margins(test.inputs), settings.quantile)
        found["champion_gain_low"] = _gain_low(before, losses, rows, evidence)
    return found


def predicted_moves(trees: Trees, intents: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the ``predicted_move`` in ticks that the engines write into these intents, shape (n,)."""
    if trees.feature_count != TARGET_INPUT_COUNT:
        raise DataError(f"a target model of {trees.feature_count} inputs; expected {TARGET_INPUT_COUNT}")
    return np.asarray(trees.margins(target_input_rows(intents)) * intents["stop_distance"])


def _gain(before: np.ndarray[Any, Any], now: np.ndarray[Any, Any]) -> float:
    """Return by which share the mean loss has fallen; 0 where there was none."""
    return float(1.0 - now.mean() / before.mean()) if before.mean() > 0.0 else 0.0


def _gain_low(
    before: np.ndarray[Any, Any], now: np.ndarray[Any, Any], rows: np.ndarray[Any, Any], evidence: float
) -> float:
    least = float(np.quantile((before - now)[rows].mean(axis=1), 1.0 - evidence))
    return least / float(before.mean()) if before.mean() > 0.0 else 0.0
