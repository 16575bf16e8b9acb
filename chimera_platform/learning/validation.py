"""How a signal model did on a period it never saw, with the uncertainty of a dependent sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chimera_platform.learning.dataset import Examples, InTime
from chimera_platform.learning.trees import Trees


@dataclass(frozen=True)
class Policy:
    """A rule that takes or leaves an intent: a model with its threshold, or take-all where there is no model."""

    trees: Trees | None
    threshold: float

    def keeps(self, examples: Examples) -> np.ndarray[Any, Any]:
        """Return the mask of the examples taken, shape (n,)."""
        if self.trees is None:
            return np.ones(len(examples), np.bool_)
        return self.trees.predict(examples.inputs) >= self.threshold


def block_length(examples: InTime) -> int:
    """Return the bootstrap's block: n^(1/3), or as many examples as share a label's horizon, at most n / 4."""
    n = len(examples)
    overlap = np.searchsorted(examples.ts, examples.horizon_end, side="right") - np.arange(n)
    return int(max(1, min(n // 4, max(round(n ** (1 / 3)), round(float(overlap.mean()) if n else 0.0)))))


def bootstrap_rows(n: int, block: int, draws: int, seed: int) -> np.ndarray[Any, Any]:
    """Return row numbers of a circular block bootstrap (Politis & Romano 1992), shape (draws, n)."""
    random = np.random.default_rng(seed)
    starts = random.integers(0, n, (draws, -(-n // block)))
    rows = (starts[:, :, None] + np.arange(block)) % n
    return rows.reshape(draws, -1)[:, :n]


def share_above_zero(values: np.ndarray[Any, Any], rows: np.ndarray[Any, Any]) -> float:
    """Return the share of bootstrap means of ``values`` that are above zero: the evidence for a gain."""
    return float((values[rows].mean(axis=1) > 0.0).mean())


def area_under_curve(won: np.ndarray[Any, Any], scores: np.ndarray[Any, Any]) -> float:
    """Return the ROC AUC (Mann-Whitney, ties by mid-rank); NaN where only one kind of outcome is there."""
    positives = int(won.sum())
    negatives = len(won) - positives
    if positives == 0 or negatives == 0:
        return float("nan")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    mid_ranks = np.cumsum(counts) - (counts - 1) / 2.0
    rank_sum = float(mid_ranks[inverse][won > 0].sum())
    return (rank_sum - positives * (positives + 1) / 2.0) / (positives * negatives)


def log_loss(won: np.ndarray[Any, Any], scores: np.ndarray[Any, Any]) -> float:
    """Return the mean negative log-likelihood in nats."""
    p = np.clip(scores, 1e-9, 1.0 - 1e-9)
    return float(-(won * np.log(p) + (1.0 - won) * np.log1p(-p)).mean())


def calibration_table(won: np.ndarray[Any, Any], scores: np.ndarray[Any, Any]) -> list[dict[str, float]]:
    """Return predicted and actual share by bins of equal count: up to ten, each of at least 50 examples."""
    bins = int(max(1, min(10, len(won) // 50)))
    order = np.argsort(scores, kind="stable")
    return [
        {"count": len(part), "predicted": float(scores[part].mean()), "won": float(won[part].mean())}
        for part in np.array_split(order, bins)
    ]


def calibration_error(table: list[dict[str, float]]) -> float:
    """Return the expected calibration error: the mean |predicted - actual| weighted by count."""
    total = sum(row["count"] for row in table)
    return sum(row["count"] * abs(row["predicted"] - row["won"]) for row in table) / total


def evaluate(challenger: Policy, champion: Policy, test: Examples, draws: int = 1_000, seed: int = 7) -> dict[str, Any]:
    """Compare two policies on the same unseen examples.

    Parameters
    ----------
    challenger : a policy with a model.
    champion : what is in force: a policy with or without a model.
    test : later than everything the challenger was fitted or tuned on.

    Returns
    -------
    JSON values: ``examples``, ``auc`` with its bootstrap ``auc_low`` (5 % quantile), ``log_loss`` against that of
    the constant ``log_loss_constant``, ``calibration``, ``calibration_error``, the policies' net value, and the
    evidence (share of bootstrap means above zero) for ``gain_over_champion`` and for ``selection`` (against a
    filter that keeps the same share at random).
    """
    n = len(test)
    if n < 8 or len(np.unique(test.won)) < 2:
        return {"examples": n}
    assert challenger.trees is not None
    scores = challenger.trees.predict(test.inputs)
    kept, kept_before = challenger.keeps(test), champion.keeps(test)
    block = block_length(test)
    rows = bootstrap_rows(n, block, draws, seed)
    aucs = np.array([area_under_curve(test.won[r], scores[r]) for r in rows[: min(draws, 200)]])
    gain = (kept.astype(np.float64) - kept_before) * test.net_bps
    selection = (kept - kept.mean()) * test.net_bps
    table = calibration_table(test.won, scores)
    return {
        "examples": n,
        "days": test.days,
        "block": block,
        "auc": area_under_curve(test.won, scores),
        "auc_low": float(np.nanquantile(aucs, 0.05)),
        "log_loss": log_loss(test.won, scores),
        "log_loss_constant": log_loss(test.won, np.full(n, test.won.mean())),
        "won_share": float(test.won.mean()),
        "calibration": table,
        "calibration_error": calibration_error(table),
        "kept_share": float(kept.mean()),
        "champion_kept_share": float(kept_before.mean()),
        "net_bps_all": float(test.net_bps.sum()),
        "net_bps_champion": float(test.net_bps[kept_before].sum()),
        "net_bps_challenger": float(test.net_bps[kept].sum()),
        "net_bps_per_kept": float(test.net_bps[kept].mean()) if kept.any() else 0.0,
        "gain_over_champion": share_above_zero(gain, rows),
        "gain_bps_mean": float(gain.mean()),
        "selection": share_above_zero(selection, rows),
        "selection_bps_mean": float(selection.mean()),
    }
