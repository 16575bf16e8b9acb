"""The one definition of VaR and ES that the live estimate and the warehouse's share: of n period returns, as losses.

Each kernel reads the first ``n`` values of an array, oldest first, and returns (VaR, ES), losses positive, in the
values' unit. What the three estimates mean stands in :mod:`chimera_platform.risk.value_at_risk`.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np

from chimera_platform.kernels import record_kernel

_TAIL_SHARE_MIN = 1.0 / 4_000.0
"""The corrected quantile has to climb from this share of the tail on; the rest weighs nothing in it."""

QUANTILES_DTYPE = np.dtype(
    [
        ("level", "<f8"),  # share of periods whose loss is within VaR, in (0.5, 1)
        ("z", "<f8"),  # standard normal quantile of the tail's share 1 - level; negative
        ("z_extreme", "<f8"),  # the same of a 4,000th of it
    ]
)


def quantiles_record(level: float) -> np.ndarray[Any, Any]:
    """Return QUANTILES_DTYPE, shape (1,), of confidence ``level``."""
    normal = NormalDist()
    record = np.zeros(1, QUANTILES_DTYPE)
    record["level"] = level
    record["z"] = normal.inv_cdf(1.0 - level)
    record["z_extreme"] = normal.inv_cdf((1.0 - level) * _TAIL_SHARE_MIN)
    return record


SHORT_TAIL = 64
"""Losses that a tail may have to be sorted into by insertion."""


@record_kernel
def order_statistic(values: Any, n: int, k: int) -> float:
    """Return the k-th smallest (from 0) of the first ``n`` values, which are rearranged: none after k is smaller.

    Hoare's FIND (1961): linear in ``n`` on average.
    """
    low, high = 0, n - 1
    while low < high:
        pivot, i, j = values[k], low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while pivot < values[j]:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i, j = i + 1, j - 1
        if j < k:
            low = i
        if k < i:
            high = j
    return float(values[k])


@record_kernel
def keep_largest_losses(returns: Any, n: int, scratch: Any, m: int) -> None:
    """Leave the ``m`` largest of the ``n`` losses in ``scratch``, ascending; for an ``m`` that is small beside ``n``.

    Hardly a loss moves anything once the first have been seen, so that processors guess the branch.
    """
    count = 0
    for k in range(n):
        loss = -returns[k]
        if count < m:
            j = count
            while j > 0 and scratch[j - 1] > loss:
                scratch[j] = scratch[j - 1]
                j -= 1
            scratch[j] = loss
            count += 1
        elif loss > scratch[0]:
            j = 0
            while j + 1 < m and scratch[j + 1] < loss:
                scratch[j] = scratch[j + 1]
                j += 1
            scratch[j] = loss


@record_kernel
def loss_quantile(returns: Any, n: int, scratch: Any, level: float) -> float:
    """Return the ``level`` quantile of the losses, linear between order statistics as NumPy's; overwrites scratch."""
    position = level * (n - 1)
    k = math.floor(position)
    share = position - k
    if n - k <= SHORT_TAIL:
        keep_largest_losses(returns, n, scratch, n - k)
        below, above = float(scratch[0]), float(scratch[min(1, n - k - 1)])
    else:
        for j in range(n):
            scratch[j] = -returns[j]
        below = order_statistic(scratch, n, k)
        above = below if k + 1 >= n else float(scratch[k + 1])
        for j in range(k + 2, n):
            above = min(above, float(scratch[j]))
    if share >= 0.5:
        return float(above - (above - below) * (1.0 - share))
    return float(below + (above - below) * share)


@record_kernel
def historical_tail(returns: Any, n: int, scratch: Any, level: float) -> tuple[float, float]:
    """Return the empirical quantile and the mean of what lies at or beyond it; ``n`` >= 1; overwrites scratch (n,)."""
    value_at_risk = loss_quantile(returns, n, scratch, level)
    total, count = 0.0, 0
    for k in range(n):
        if -returns[k] >= value_at_risk:
            total -= returns[k]
            count += 1
    return value_at_risk, total / count


@record_kernel
def corrected_quantile(z: float, square: float, cube: float, skewness: float, kurtosis: float) -> float:
    """Return the Cornish-Fisher expansion at ``z``, given its square and cube: linear in them, so means go too."""
    return (
        z
        + (square - 1.0) * skewness / 6.0
        + (cube - 3.0 * z) * kurtosis / 24.0
        - (2.0 * cube - 5.0 * z) * skewness * skewness / 36.0
    )


@record_kernel
def is_monotone(low: float, high: float, skewness: float, kurtosis: float) -> bool:
    """Return whether the Cornish-Fisher expansion does not fall between ``low`` and ``high``."""
    a = kurtosis / 8.0 - skewness * skewness / 6.0  # its slope is a z² + b z + c
    b = skewness / 3.0
    c = 1.0 - kurtosis / 8.0 + 5.0 * skewness * skewness / 36.0
    least = min((a * low + b) * low + c, (a * high + b) * high + c)
    if a > 0.0 and low < -b / (2.0 * a) < high:
        least = min(least, c - b * b / (4.0 * a))
    return least >= 0.0


@record_kernel
def cornish_fisher_tail(returns: Any, n: int, quantiles: Any) -> tuple[float, float]:
    """Return VaR and ES of a normal distribution corrected by the returns' skewness and excess kurtosis; ``n`` >= 1."""
    mean = 0.0
    for k in range(n):
        mean += returns[k]
    mean /= n
    second, third, fourth = 0.0, 0.0, 0.0
    for k in range(n):
        apart = returns[k] - mean
        square = apart * apart
        second += square
        third += square * apart
        fourth += square * square
    if second <= 0.0 or n < 2:
        return -mean, -mean
    variance, deviation = second / n, math.sqrt(second / (n - 1))
    skewness, kurtosis = 0.0, 0.0
    if variance * variance > 0.0:  # does not underflow
        skewness = third / n / (variance * math.sqrt(variance))
        kurtosis = fourth / n / (variance * variance) - 3.0
    z = quantiles.z
    if not is_monotone(quantiles.z_extreme, 0.0, skewness, kurtosis):
        skewness, kurtosis = 0.0, 0.0
    hazard = math.exp(-0.5 * z * z) / (math.sqrt(2.0 * math.pi) * (1.0 - quantiles.level))
    at = corrected_quantile(z, z * z, z * z * z, skewness, kurtosis)
    # means of z, z² and z³ of a standard normal variable below z
    beyond = corrected_quantile(-hazard, 1.0 - z * hazard, -(z * z + 2.0) * hazard, skewness, kurtosis)
    return -(mean + deviation * at), -(mean + deviation * beyond)


@record_kernel
def mean_square(values: Any, n: int) -> float:
    """Return the mean of the squares of the first ``n`` values."""
    total = 0.0
    for k in range(n):
        total += values[k] * values[k]
    return total / n


@record_kernel
def next_variance(variance: float, value: float, decay: float) -> float:
    """Return the exponentially weighted variance after ``value``; mean zero assumed."""
    return decay * variance + (1.0 - decay) * value * value


@record_kernel
def scale_to_present(returns: Any, n: int, scratch: Any, decay: float) -> None:
    """Multiply each return by the present volatility over that in force before it, which starts at the mean square.

    The variances go to ``scratch`` (n,) first: their roots, which take longest, are then drawn several at a time.
    """
    variance = mean_square(returns, n)
    for k in range(n):
        scratch[k] = variance
        variance = next_variance(variance, returns[k], decay)
    present = math.sqrt(variance)
    for k in range(n):
        scaled = returns[k] / math.sqrt(scratch[k]) * present
        returns[k] = scaled if scratch[k] > 0.0 else 0.0


@record_kernel
def filtered_tail(returns: Any, n: int, scratch: Any, level: float, decay: float) -> tuple[float, float]:
    """Return the historical VaR and ES of the returns scaled to the present volatility; overwrites both arrays."""
    scale_to_present(returns, n, scratch, decay)
    return historical_tail(returns, n, scratch, level)
