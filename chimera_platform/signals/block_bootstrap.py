"""Intervals for figures of dependent data: the stationary bootstrap (Politis & Romano 1994) over bins of time.

What happens in a bin is summed up; a *replicate* is a series of as many bins, made of blocks of consecutive ones whose
lengths are geometric, drawn with replacement and wrapped around the end. Sums over a replicate are sums over the bins
weighted by how often each was drawn, so any ratio of sums has an interval: the quantiles over the replicates.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chimera_platform.kernels import kernel
from chimera_platform.simulation.market.random_numbers import below, seeded_random, uniform

Array = np.ndarray[Any, Any]
LEVEL = 0.95


def optimal_block_length(series: Array) -> float:
    """Return the mean block length that Politis & White (2004, corrected by Patton et al. 2009) find for a mean.

    (2 G² / D)^(1/3) n^(1/3) with G = Σ λ(k/M) |k| R(k), D = 2 (Σ λ(k/M) R(k))², R the autocovariances and λ the
    flat-top lag window; M is twice the lag after which the next K autocorrelations are all insignificant. At least 1,
    at most min(3 √n, n / 3); 1 for a constant series.
    """
    x = np.asarray(series, np.float64)
    n = len(x)
    if n < 8 or not np.ptp(x) > 0.0:
        return 1.0
    x = x - x.mean()
    run = max(5, int(math.log10(n)))
    lags_max = min(math.ceil(math.sqrt(n)) + run, n - 1)
    covariance = np.array([float(x[k:] @ x[: n - k]) / n for k in range(lags_max + 1)])
    significant = np.abs(covariance[1:] / covariance[0]) >= 2.0 * math.sqrt(math.log10(n) / n)
    last = next(
        (m for m in range(lags_max - run + 1) if not significant[m : m + run].any()),
        int(np.flatnonzero(significant)[-1]) + 1 if significant.any() else 0,
    )
    width = min(2 * max(last, 1), lags_max)
    k = np.arange(1, width + 1)
    window = np.minimum(1.0, 2.0 * (1.0 - k / width)) * covariance[1 : width + 1]
    spectrum = covariance[0] + 2.0 * float(window.sum())
    slope = 2.0 * float((k * window).sum())
    if not spectrum > 0.0:
        return 1.0
    length = (slope**2 / spectrum**2) ** (1.0 / 3.0) * n ** (1.0 / 3.0)
    return float(min(max(length, 1.0), max(1.0, math.ceil(min(3.0 * math.sqrt(n), n / 3.0)))))


def bin_weights(bins: int, block_length: float, replicates: int, seed: int) -> Array:
    """Return how often each bin stands in each replicate: shape (replicates, bins), float32, rows sum to ``bins``."""
    weights = np.zeros((replicates, bins), np.float32)
    _draw(weights, block_length, seeded_random(seed))
    return weights


@kernel
def _draw(weights: Any, block_length: float, random: Any) -> None:
    """Fill the rows: the next bin follows the one before, or with probability 1 / length begins anew anywhere."""
    replicates, bins = weights.shape
    for row in range(replicates):
        at = below(random, bins)
        weights[row, at] += 1.0
        for _ in range(1, bins):
            at = at + 1 if at + 1 < bins else 0
            if uniform(random) * block_length < 1.0:
                at = below(random, bins)
            weights[row, at] += 1.0


def interval(replicates: Array, level: float = LEVEL) -> tuple[float, float]:
    """Return the quantiles that leave (1 - level) / 2 on either side; NaN where most replicates are undefined."""
    defined = replicates[np.isfinite(replicates)]
    if 2 * len(defined) <= len(replicates):
        return math.nan, math.nan
    low, high = np.quantile(defined, ((1.0 - level) / 2.0, (1.0 + level) / 2.0))
    return float(low), float(high)


def wilson_interval(successes: int, trials: int, level: float = LEVEL) -> tuple[float, float]:
    """Return Wilson's (1927) score interval of a share; (NaN, NaN) of nothing. For independent trials."""
    if trials == 0:
        return math.nan, math.nan
    z = _normal_quantile((1.0 + level) / 2.0)
    share, spread = successes / trials, z * z / trials
    middle = (share + spread / 2.0) / (1.0 + spread)
    half = z / (1.0 + spread) * math.sqrt(share * (1.0 - share) / trials + spread / (4.0 * trials))
    return max(0.0, middle - half), min(1.0, middle + half)


def poisson_interval(count: int, level: float = LEVEL) -> tuple[float, float]:
    """Return Byar's interval of a Poisson count's mean (Rothman & Boice 1979), within 2 % of the exact one."""
    z = _normal_quantile((1.0 + level) / 2.0)

    def bound(n: int, sign: float) -> float:
        return float(n * (1.0 - 1.0 / (9.0 * n) + sign * z / (3.0 * math.sqrt(n))) ** 3) if n else 0.0

    return max(bound(count, -1.0), 0.0), bound(count + 1, 1.0)


def _normal_quantile(probability: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(probability)
