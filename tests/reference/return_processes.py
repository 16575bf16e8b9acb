"""Simulated returns with their true volatility known: independent normal, Student t, and GARCH(1, 1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

DEVIATION = 0.01
DEGREES = 5
ALPHA, BETA = 0.12, 0.86
_BURN_IN = 500


@dataclass(frozen=True)
class Simulated:
    """Returns, the standard deviation that each was drawn with, and the shape of what was drawn."""

    returns: np.ndarray
    deviations: np.ndarray
    quantile: float  # of the standardised distribution at 0.05: negative

    @property
    def true_forecasts(self) -> np.ndarray:
        """Value at risk at 95 %, known before each return."""
        return -self.quantile * self.deviations


def simulate(process: str, n: int, rng: np.random.Generator) -> Simulated:
    """Return ``n`` returns of ``normal``, ``student_t`` or ``garch``."""
    if process == "student_t":
        unit = np.sqrt(DEGREES / (DEGREES - 2.0))  # the standard deviation of the distribution itself
        returns = DEVIATION * rng.standard_t(DEGREES, n) / unit
        return Simulated(returns, np.full(n, DEVIATION), float(stats.t.ppf(0.05, DEGREES)) / unit)
    quantile = float(stats.norm.ppf(0.05))
    if process == "normal":
        return Simulated(rng.normal(0.0, DEVIATION, n), np.full(n, DEVIATION), quantile)
    assert process == "garch"
    draws = rng.normal(size=n + _BURN_IN)
    returns, deviations, variance = np.empty(n + _BURN_IN), np.empty(n + _BURN_IN), DEVIATION**2
    for k, draw in enumerate(draws):
        deviations[k] = np.sqrt(variance)
        returns[k] = deviations[k] * draw
        variance = DEVIATION**2 * (1.0 - ALPHA - BETA) + ALPHA * returns[k] ** 2 + BETA * variance
    return Simulated(returns[_BURN_IN:], deviations[_BURN_IN:], quantile)
