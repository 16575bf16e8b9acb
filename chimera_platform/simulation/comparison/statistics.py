"""How sure a difference between two variants is, from their results day by day.

Both variants traded the same days, so the *differences* of days are looked at. Their mean has a studentised interval
of the stationary bootstrap (Politis & Romano 1994; Hall 1988): each replicate's mean is taken from the sample's in its
own standard errors, and the quantiles of that, times the sample's standard error, stand around the mean. Of few days,
percentile and BCa intervals are too narrow: of seven normal days they leave the true mean out of one in eight, this one
of one in twenty. Beside it stands the exact sign test, which asks how many days were better, not by how much.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chimera_platform.signals.block_bootstrap import LEVEL, bin_weights, optimal_block_length

Array = np.ndarray[Any, Any]
DAYS_MIN = 5
"""Below so many days, or so many on which there was a difference at all, no interval means anything."""
REPLICATES = 4_000
SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Difference:
    """Of days, one variant against another or against nothing.

    Attributes
    ----------
    mean : a day.
    low, high : 95 % interval of the mean; NaN where none means anything.
    days, better, worse : how many there were, and on how many the difference was above and below 0.
    sign_p : two-sided p of the exact sign test, days without a difference left out; 1 where all are.
    """

    mean: float
    low: float
    high: float
    days: int
    better: int
    worse: int
    sign_p: float

    @property
    def is_none(self) -> bool:
        """Whether no day differed."""
        return self.better + self.worse == 0

    @property
    def has_interval(self) -> bool:
        """Whether there were enough days for one."""
        return math.isfinite(self.low)

    @property
    def side(self) -> int:
        """+1 or -1 where the interval lies above or below 0, else 0."""
        if not self.has_interval:
            return 0
        return 1 if self.low > 0.0 else -1 if self.high < 0.0 else 0


def difference(days: Array, seed: int, *, are_independent: bool) -> Difference:
    """Return what the days' differences say.

    Parameters
    ----------
    days : f8, (n,), in the order of time.
    seed : of the bootstrap; the same for all differences, which are so resampled alike.
    are_independent : days are drawn one by one; else in blocks as long as their autocorrelation asks for.
    """
    low, high = studentised_interval(days, seed, 1.0 if are_independent else optimal_block_length(days))
    better, worse = int((days > 0).sum()), int((days < 0).sum())
    mean = float(days.mean()) if len(days) else math.nan
    return Difference(mean, low, high, len(days), better, worse, sign_test(better, worse))


def studentised_interval(days: Array, seed: int, block_length: float = 1.0) -> tuple[float, float]:
    """Return the interval of the mean of ``days``; NaN below ``DAYS_MIN`` of them that are not 0."""
    count = len(days)
    if np.count_nonzero(days) < DAYS_MIN:
        return math.nan, math.nan
    mean, error = float(days.mean()), float(days.std(ddof=1)) / math.sqrt(count)
    if not error > 1e-12 * abs(mean):
        return mean, mean
    weights = bin_weights(count, block_length, REPLICATES, seed).astype(np.float64)
    scaled = (days - mean) / error  # keeps the variance's difference of squares exact enough
    means = weights @ scaled / count
    variances = (weights @ (scaled * scaled) / count - means * means) / (count - 1)
    known = variances > 1e-9  # a replicate that drew one value only has no standard error
    low, high = np.quantile(means[known] / np.sqrt(variances[known]), ((1.0 - LEVEL) / 2.0, (1.0 + LEVEL) / 2.0))
    return mean - float(high) * error, mean - float(low) * error


def sign_test(better: int, worse: int) -> float:
    """Return the two-sided p of as uneven a split of days when either side is as likely (Arbuthnott 1710), exact."""
    count, fewer = better + worse, min(better, worse)
    tail = sum(math.comb(count, k) for k in range(fewer + 1))
    return min(1.0, 2.0 * tail / 2**count)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return each p adjusted for all of them having been looked at (Holm 1979), in their order."""
    order = sorted(range(len(p_values)), key=lambda k: p_values[k])
    adjusted, largest = [1.0] * len(p_values), 0.0
    for rank, k in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[k]))
        adjusted[k] = largest
    return adjusted


def sharpe(days: Array) -> float:
    """Return mean / standard deviation (ddof 1) of the days × sqrt(252); NaN of fewer than two or without spread."""
    if len(days) < 2:
        return math.nan
    spread = float(days.std(ddof=1))
    return float(days.mean()) / spread * math.sqrt(252.0) if spread > 0.0 else math.nan
