"""VaR and ES by the textbook, with NumPy and SciPy: whole arrays, and integrals taken numerically."""

from __future__ import annotations

import itertools

import numpy as np
from scipy import integrate, stats


def historical(returns: np.ndarray, level: float) -> tuple[float, float]:
    losses = -returns
    quantile = float(np.quantile(losses, level))
    return quantile, float(losses[losses >= quantile].mean())


def expansion(z: np.ndarray, skewness: float, kurtosis: float) -> np.ndarray:
    return (
        z
        + (z**2 - 1.0) * skewness / 6.0
        + (z**3 - 3.0 * z) * kurtosis / 24.0
        - (2.0 * z**3 - 5.0 * z) * skewness**2 / 36.0
    )


def cornish_fisher(returns: np.ndarray, level: float) -> tuple[float, float]:
    tail = 1.0 - level
    skewness, kurtosis = float(stats.skew(returns)), float(stats.kurtosis(returns))
    grid = np.linspace(stats.norm.ppf(tail / 4_000.0), 0.0, 4_001)
    if any(b < a for a, b in itertools.pairwise(expansion(grid, skewness, kurtosis))):
        skewness = kurtosis = 0.0
    at = stats.norm.ppf(tail)
    beyond, _ = integrate.quad(
        lambda z: expansion(z, skewness, kurtosis) * stats.norm.pdf(z) / tail, -np.inf, at, epsabs=1e-13, epsrel=1e-13
    )
    mean, deviation = returns.mean(), returns.std(ddof=1)
    return -float(mean + deviation * expansion(at, skewness, kurtosis)), -float(mean + deviation * beyond)


def filtered(returns: np.ndarray, level: float, decay: float) -> tuple[float, float]:
    variances = [float(np.mean(returns**2))]
    for value in returns:
        variances.append(decay * variances[-1] + (1.0 - decay) * value**2)
    return historical(returns / np.sqrt(variances[:-1]) * np.sqrt(variances[-1]), level)
