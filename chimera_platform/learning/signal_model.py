"""The signal filter: boosted trees that tell intents worth taking from those that are not, net of cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field

from chimera_platform.errors import DataError
from chimera_platform.learning.boosting import train_boosted
from chimera_platform.learning.dataset import Examples
from chimera_platform.learning.model_inputs import MODEL_INPUT_NAMES
from chimera_platform.learning.trees import Trees
from chimera_platform.settings import Settings


class SignalModelSettings(Settings):
    """How the signal model is trained."""

    max_depth: int = Field(2, ge=1, le=8, description="splits from root to leaf")
    learning_rate: float = Field(0.05, gt=0.0, le=1.0, description="shrinkage of each tree")
    rounds_max: int = Field(200, ge=1, le=5_000, description="trees at most")
    early_stopping_rounds: int = Field(20, ge=1, le=500, description="trees without a better validation loss")
    min_child_weight: float = Field(30.0, ge=0.0, le=1e6, description="sum of hessians that a leaf needs")
    subsample: float = Field(0.8, gt=0.0, le=1.0, description="share of rows a tree sees")
    l2: float = Field(1.0, ge=0.0, le=1e6, description="L2 penalty on leaf values")
    threads: int = Field(1, ge=1, le=64, description="threads of XGBoost; one spins on no busy machine")
    seed: int = Field(7, ge=0, le=2**31 - 1, description="of the row subsamples")
    kept_share_min: float = Field(0.05, gt=0.0, le=1.0, description="share of intents that the threshold must keep")
    thresholds: int = Field(50, ge=2, le=1_000, description="candidate thresholds, at quantiles of the scores")


@dataclass(frozen=True)
class SignalModel:
    """A trained model and the threshold chosen for it.

    Attributes
    ----------
    model_json : XGBoost's JSON; equal examples and settings give equal bytes.
    trees : the same model as the kernels score it.
    threshold : an intent is taken where its score is at or above it.
    report : what was seen in training: rounds, losses, threshold curve, importances. JSON values.
    """

    model_json: bytes
    trees: Trees
    threshold: float
    report: dict[str, Any]

    def keeps(self, examples: Examples) -> np.ndarray[Any, Any]:
        """Return the mask of examples that the model takes, shape (n,)."""
        return self.trees.predict(examples.inputs) >= self.threshold


def train_signal_model(
    train: Examples, validation: Examples, settings: SignalModelSettings | None = None
) -> SignalModel:
    """Fit on ``train``, stop early and choose the threshold on ``validation``.

    Raises
    ------
    DataError
        If either period has no examples or only one kind of outcome.
    """
    settings = settings or SignalModelSettings.model_validate({})
    for name, part in (("training", train), ("validation", validation)):
        if len(np.unique(part.won)) < 2:
            raise DataError(f"the {name} period has {len(part)} labelled intents, not both won and lost ones")
    boosted = train_boosted(
        {"objective": "binary:logistic", "eval_metric": "logloss"},
        MODEL_INPUT_NAMES,
        (train.inputs, train.won),
        (validation.inputs, validation.won),
        settings,
    )
    model_json = boosted.json
    trees = Trees.from_xgboost_json(model_json)
    threshold, curve = choose_threshold(trees.predict(validation.inputs), validation.net_bps, settings)
    gain = boosted.booster.get_score(importance_type="total_gain")
    report = {
        "rounds": boosted.rounds,
        "train_logloss": np.round(boosted.losses["train"]["logloss"], 6).tolist(),
        "validation_logloss": np.round(boosted.losses["validation"]["logloss"], 6).tolist(),
        "examples": {"train": len(train), "validation": len(validation)},
        "won_share": {"train": float(train.won.mean()), "validation": float(validation.won.mean())},
        "importance": {name: float(np.asarray(gain.get(name, 0.0))) for name in MODEL_INPUT_NAMES},
        "threshold_curve": curve,
    }
    return SignalModel(model_json, trees, threshold, report)


def choose_threshold(
    scores: np.ndarray[Any, Any], net_bps: np.ndarray[Any, Any], settings: SignalModelSettings | None = None
) -> tuple[float, list[dict[str, float]]]:
    """Return the threshold with the largest summed net value of the intents it keeps, and the whole curve.

    Parameters
    ----------
    scores, net_bps : shape (n,), n >= 1, of the validation period.

    Notes
    -----
    Candidates are 0 (take all) and quantiles of the scores that keep at least ``kept_share_min``; of equal ones
    the lowest is taken.
    """
    settings = settings or SignalModelSettings.model_validate({})
    shares = np.linspace(0.0, 1.0 - settings.kept_share_min, settings.thresholds)
    candidates = np.unique(np.concatenate([[0.0], np.quantile(scores, shares, method="lower")]))
    curve = []
    for threshold in candidates:
        kept = scores >= threshold
        curve.append(
            {
                "threshold": float(threshold),
                "kept_share": float(kept.mean()),
                "net_bps_sum": float(net_bps[kept].sum()),
            }
        )
    best = max(curve, key=lambda row: (row["net_bps_sum"], -row["threshold"]))
    return best["threshold"], curve
