"""The gates between a trained model and a running flow; not passing one is a normal outcome with a reason.

With these limits, of 60 models trained on outcomes dealt at random to four simulated days' intents none got through;
with laxer ones (evidence of 0.9, the 10 % quantile of the AUC) one in fifteen did.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from pydantic import Field

from chimera_platform.learning.trees import Trees
from chimera_platform.settings import Settings


class GateSettings(Settings):
    """The limits of the gates."""

    train_examples_min: int = Field(200, ge=1, le=10_000_000, description="labelled intents to train on")
    test_examples_min: int = Field(100, ge=8, le=10_000_000, description="labelled intents of the unseen period")
    evidence_min: float = Field(
        0.975, ge=0.5, le=1.0, description="share of bootstrap samples in which a gain must be positive"
    )
    calibration_error_max: float = Field(0.1, gt=0.0, le=1.0, description="expected calibration error")
    comparisons_max: int = Field(
        4_000, ge=1, le=1_000_000, description="comparisons of the longest path through all trees, the latency budget"
    )
    model_bytes_max: int = Field(4_000_000, ge=1, le=64_000_000, description="size of the model file")
    trades_min: int = Field(30, ge=1, le=1_000_000, description="closed trades that engine weights are based on")


class Gate(StrEnum):
    """What a release candidate is asked."""

    DATA_QUALITY = "data_quality"
    ENOUGH_EXAMPLES = "enough_examples"
    BETTER_THAN_CHAMPION = "better_than_champion"
    SELECTIVE = "selective"
    DISCRIMINATES = "discriminates"
    CALIBRATED = "calibrated"
    WITHIN_BUDGET = "within_budget"
    ENOUGH_TRADES = "enough_trades"
    CHANGES_SOMETHING = "changes_something"
    PREDICTS_MOVES = "predicts_moves"
    BETTER_TARGET = "better_target"


SENTENCES: dict[Gate, str] = {
    Gate.DATA_QUALITY: "failed data checks on the days used: {value:.0f}, at most {limit:.0f}",
    Gate.ENOUGH_EXAMPLES: "labelled intents, as a multiple of what is needed: {value:.2f}, at least {limit:.0f}",
    Gate.BETTER_THAN_CHAMPION: "evidence that it earns more than what is in force: {value:.3f}, at least {limit:.3f}",
    Gate.SELECTIVE: "evidence that it beats dropping as many at random: {value:.3f}, at least {limit:.3f}",
    Gate.DISCRIMINATES: "lower bound of the AUC on unseen days: {value:.3f}, above {limit:.2f}",
    Gate.CALIBRATED: "calibration error on unseen days: {value:.3f}, at most {limit:.2f}",
    Gate.WITHIN_BUDGET: "share of the latency and size budget used: {value:.3f}, at most {limit:.0f}",
    Gate.ENOUGH_TRADES: "closed trades behind the engine weights: {value:.0f}, at least {limit:.0f}",
    Gate.PREDICTS_MOVES: "lower bound of the share by which it predicts moves better than a constant: {value:.4f}, "
    "above {limit:.0f}",
    Gate.BETTER_TARGET: "lower bound of the share by which it predicts better than what is in force: {value:.4f}, "
    "above {limit:.0f}",
    Gate.CHANGES_SOMETHING: "parts that differ from the release in force: {value:.0f}, at least {limit:.0f}",
}


@dataclass(frozen=True)
class GateResult:
    """The answer to one gate: measured ``value`` against ``limit``, and a sentence for people."""

    gate: Gate
    passed: bool
    value: float
    limit: float

    @property
    def reason(self) -> str:
        """One sentence with the figures."""
        return SENTENCES[self.gate].format(value=self.value, limit=self.limit)

    def to_json(self) -> dict[str, Any]:
        """Return JSON values; an undefined value is null."""
        row = asdict(self) | {"gate": str(self.gate), "reason": self.reason}
        return row | {"value": None if math.isnan(self.value) else self.value}


def at_least(gate: Gate, value: float, limit: float) -> GateResult:
    """Return the result of a gate that asks for ``value >= limit``; an undefined value fails."""
    return GateResult(gate, bool(value >= limit), float(value), float(limit))


def at_most(gate: Gate, value: float, limit: float) -> GateResult:
    """Return the result of a gate that asks for ``value <= limit``; an undefined value fails."""
    return GateResult(gate, bool(value <= limit), float(value), float(limit))


def all_passed(results: Sequence[GateResult]) -> bool:
    """Return whether every gate was passed."""
    return all(result.passed for result in results)


def longest_path(trees: Trees) -> int:
    """Return the comparisons of the longest path: the sum of the trees' depths."""
    depth = np.zeros(len(trees.nodes), np.int64)
    inner = trees.nodes["feature"] >= 0
    for node in np.flatnonzero(inner):  # a child is numbered after its parent
        for child in (trees.nodes["left"][node], trees.nodes["right"][node]):
            depth[child] = depth[node] + 1
    bounds = [*trees.roots.tolist(), len(trees.nodes)]
    return int(sum(depth[a:b].max() for a, b in itertools.pairwise(bounds)))


def model_gates(
    evaluation: Mapping[str, Any],
    train_examples: int,
    trees: Trees,
    model_bytes: int,
    settings: GateSettings | None = None,
) -> list[GateResult]:
    """Judge a trained model by :func:`chimera_platform.learning.validation.evaluate`'s figures."""
    settings = settings or GateSettings.model_validate({})
    nan = float("nan")
    enough = min(
        train_examples / settings.train_examples_min,
        evaluation.get("examples", 0) / settings.test_examples_min,
    )
    budget = max(longest_path(trees) / settings.comparisons_max, model_bytes / settings.model_bytes_max)
    auc_low = float(evaluation.get("auc_low", nan))
    return [
        at_least(Gate.ENOUGH_EXAMPLES, enough, 1.0),
        at_least(Gate.BETTER_THAN_CHAMPION, evaluation.get("gain_over_champion", nan), settings.evidence_min),
        at_least(Gate.SELECTIVE, evaluation.get("selection", nan), settings.evidence_min),
        GateResult(Gate.DISCRIMINATES, auc_low > 0.5, auc_low, 0.5),
        at_most(Gate.CALIBRATED, evaluation.get("calibration_error", nan), settings.calibration_error_max),
        at_most(Gate.WITHIN_BUDGET, budget, 1.0),
    ]


def target_gates(
    evaluation: Mapping[str, Any],
    train_examples: int,
    trees: Trees | None,
    model_bytes: int,
    settings: GateSettings | None = None,
) -> list[GateResult]:
    """Judge a target model by :func:`chimera_platform.learning.target_model.evaluate_target`'s figures.

    What could not be trained (``trees`` None) has no budget to be within; nor is there a gate against what is in force
    where nothing is.
    """
    settings = settings or GateSettings.model_validate({})
    examples = evaluation.get("examples", 0)
    enough = min(train_examples / settings.train_examples_min, examples / settings.test_examples_min)
    low = float(evaluation.get("gain_low", math.nan))
    results = [
        at_least(Gate.ENOUGH_EXAMPLES, enough, 1.0),
        GateResult(Gate.PREDICTS_MOVES, low > 0.0, low, 0.0),
    ]
    if "champion_gain_low" in evaluation:
        than_champion = float(evaluation["champion_gain_low"])
        results.append(GateResult(Gate.BETTER_TARGET, than_champion > 0.0, than_champion, 0.0))
    if trees is not None:
        budget = max(longest_path(trees) / settings.comparisons_max, model_bytes / settings.model_bytes_max)
        results.append(at_most(Gate.WITHIN_BUDGET, budget, 1.0))
    return results
