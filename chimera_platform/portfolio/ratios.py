"""Ratios and moments of a sample: NaN where one is not defined, infinite over zero, never an exception."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
_ALIKE = 1e-15
"""A standard deviation below this, of returns, is that of equal numbers."""


def mean(values: Array) -> float:
    """Return the mean; NaN of nothing."""
    return float(values.mean()) if len(values) else math.nan


def ratio(numerator: float, denominator: float) -> float:
    """Return the ratio; infinite with the numerator's sign over zero, NaN for zero over zero."""
    if denominator == 0.0:
        return math.copysign(math.inf, numerator) if numerator != 0.0 else math.nan
    return numerator / denominator


def sharpe(values: Array) -> float:
    """Return mean / standard deviation (ddof 1), not annualised; NaN of fewer than two."""
    if len(values) < 2:
        return math.nan
    return ratio(float(values.mean()), float(values.std(ddof=1)))


def sortino(values: Array) -> float:
    """Return mean / downside deviation, not annualised; NaN of fewer than two."""
    if len(values) < 2:
        return math.nan
    return ratio(float(values.mean()), downside_deviation(values))


def downside_deviation(values: Array) -> float:
    """Return sqrt(mean(min(x, 0)²)), all periods in the denominator; NaN of nothing."""
    return math.sqrt(float(np.mean(np.minimum(values, 0.0) ** 2))) if len(values) else math.nan


def moment_ratio(values: Array, order: int) -> float:
    """Return E[(x - mean)^order] / std^order with population moments; NaN of fewer than two or of equal numbers."""
    if len(values) < 2:
        return math.nan
    apart = values - values.mean()
    spread = math.sqrt(float(np.mean(apart**2)))
    return float(np.mean(apart**order)) / spread**order if spread > _ALIKE else math.nan


def plain(value: Any) -> Any:
    """Return ``value`` as plain JSON: what is not finite becomes None, NumPy's numbers Python's."""
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, int | np.integer):
        return int(value)
    return float(value) if math.isfinite(value) else None
