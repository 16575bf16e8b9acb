"""Value at risk and expected shortfall of a series of period returns, and whether past forecasts were right.

Both are losses, as positive fractions of equity over one period: VaR at level c is exceeded in a share 1 - c of the
periods, ES is the mean loss where it is. Three estimates:

- *historical*: the empirical quantile (linear interpolation) and the mean of what lies at or beyond it;
- *Cornish-Fisher* (Favre and Galeano 2002): the normal quantile corrected by sample skewness and excess kurtosis, with
  the matching ES by integration of the corrected quantile over the tail (Maillard 2012); the correction is only taken
  where it leaves the quantile function monotone from the tail to the median, else the normal one stands (beyond an
  excess kurtosis of about 8 the expansion turns in the middle, and pulls the tail inwards without a bound; the
  farthest 4,000th of the tail is not asked: it weighs nothing, and a thin-tailed expansion always turns there);
- *filtered* (Hull and White 1998; Barone-Adesi, Giannopoulos and Vosper 1999): the historical estimate of returns that
  are scaled by the present over their own volatility, exponentially weighted (RiskMetrics 1996, decay 0.94).

Forecasts are judged by Kupiec (1995): as many exceptions as the level says, and Christoffersen (1998): exceptions do
not cluster; both by likelihood ratio, whose distribution is the limit for many exceptions (with 50 of them the
independence test rejects 7 % instead of 5 % of true forecasts).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from chimera_platform.risk.tail_risk import (
    cornish_fisher_tail,
    filtered_tail,
    historical_tail,
    mean_square,
    next_variance,
    quantiles_record,
)

Array = np.ndarray[Any, Any]
DECAY = 0.94


@dataclass(frozen=True)
class TailRisk:
    """VaR and ES over one period, fractions of equity, losses positive."""

    value_at_risk: float
    expected_shortfall: float


@dataclass(frozen=True)
class Coverage:
    """How a series of VaR forecasts did against what followed.

    Attributes
    ----------
    periods, exceptions : how many forecasts there were, and how many losses were above theirs.
    expected : exceptions that the level says.
    kupiec_p : of the unconditional coverage test (1 degree of freedom).
    independence_p : of Christoffersen's independence test (1 degree of freedom); NaN with fewer than two periods.
    conditional_p : of both together (2 degrees of freedom).
    """

    periods: int
    exceptions: int
    expected: float
    kupiec_p: float
    independence_p: float
    conditional_p: float


def historical(returns: Array, level: float = 0.95) -> TailRisk:
    """Return the empirical VaR and ES of ``returns``, shape (n,), n at least 1."""
    values = _checked(returns, level)
    return TailRisk(*historical_tail(values, len(values), np.empty(len(values)), level))


def cornish_fisher(returns: Array, level: float = 0.95) -> TailRisk:
    """Return the VaR and ES of a normal distribution corrected by the returns' skewness and kurtosis."""
    values = _checked(returns, level)
    return TailRisk(*cornish_fisher_tail(values, len(values), _quantiles(level)))


def filtered(returns: Array, level: float = 0.95, decay: float = DECAY) -> TailRisk:
    """Return the historical VaR and ES of the returns scaled to the present volatility.

    Parameters
    ----------
    returns : oldest first, shape (n,).
    decay : of the variance from period to period, in (0, 1).
    """
    values = _checked(returns, level).copy()
    return TailRisk(*filtered_tail(values, len(values), np.empty(len(values)), level, decay))


METHODS: dict[str, Callable[[Array, float], TailRisk]] = {
    "historical": historical,
    "cornish_fisher": cornish_fisher,
    "filtered": filtered,
}


def ewma_variances(returns: Array, decay: float = DECAY) -> Array:
    """Return the variance in force before each return and after the last, shape (n + 1,); mean zero assumed.

    It starts with the mean square of all returns, as nothing is known before the first.
    """
    values = np.ascontiguousarray(returns, float)
    variances = np.empty(len(values) + 1)
    variances[0] = mean_square(values, len(values))
    for k, value in enumerate(values):
        variances[k + 1] = next_variance(variances[k], value, decay)
    return variances


def rolling_forecasts(returns: Array, window: int, method: str = "historical", level: float = 0.95) -> Array:
    """Return the VaR forecast for each return from the ``window`` returns before it, shape (n - window,).

    Raises
    ------
    ValueError : an unknown method, or a window below 2.
    """
    if method not in METHODS:
        raise ValueError(f"no method is called '{method}'; expected one of {', '.join(METHODS)}")
    if window < 2:
        raise ValueError(f"window is {window}; expected at least 2 returns")
    estimate = METHODS[method]
    return np.array([estimate(returns[k - window : k], level).value_at_risk for k in range(window, len(returns))])


def coverage(returns: Array, forecasts: Array, level: float = 0.95) -> Coverage:
    """Test VaR ``forecasts`` against the ``returns`` that followed them, both of shape (n,).

    Raises
    ------
    ValueError : the two have different lengths.
    """
    if len(returns) != len(forecasts):
        raise ValueError(f"{len(returns)} returns and {len(forecasts)} forecasts; expected one for each")
    hits = (-np.asarray(returns, float) > np.asarray(forecasts, float)).astype(np.int64)
    periods, exceptions = len(hits), int(hits.sum())
    expected = (1.0 - level) * periods
    if periods == 0:
        return Coverage(0, 0, 0.0, math.nan, math.nan, math.nan)
    unconditional = 2.0 * (_log_likelihood(exceptions, periods) - _log_likelihood(exceptions, periods, 1.0 - level))
    independence = _independence(hits) if periods > 1 else math.nan
    return Coverage(
        periods,
        exceptions,
        expected,
        _chi_square_tail(unconditional, 1),
        _chi_square_tail(independence, 1),
        _chi_square_tail(unconditional + independence, 2),
    )


def _checked(returns: Array, level: float) -> Array:
    values = np.ascontiguousarray(returns, float)
    if values.ndim != 1 or len(values) == 0 or not np.isfinite(values).all():
        raise ValueError(f"returns are of shape {values.shape}; expected one finite return at the least")
    if not 0.5 < level < 1.0:
        raise ValueError(f"level is {level}; expected above 0.5 and below 1")
    return values


@cache
def _quantiles(level: float) -> Any:
    """Return the QUANTILES_DTYPE record of ``level``."""
    return quantiles_record(level)[0]


def _log_likelihood(hits: int, trials: int, probability: float | None = None) -> float:
    """Return the Bernoulli log-likelihood, at its maximum where no probability is given."""
    if trials == 0:
        return 0.0
    p = hits / trials if probability is None else probability
    misses = trials - hits
    return (hits * math.log(p) if hits else 0.0) + (misses * math.log1p(-p) if misses else 0.0)


def _independence(hits: Array) -> float:
    """Return Christoffersen's likelihood ratio of a first-order Markov chain against independent exceptions."""
    before, after = hits[:-1], hits[1:]
    chain = sum(_log_likelihood(int(after[before == s].sum()), int((before == s).sum())) for s in (0, 1))
    return 2.0 * (chain - _log_likelihood(int(after.sum()), len(after)))


def _chi_square_tail(statistic: float, degrees: int) -> float:
    """Return P(chi² > statistic) for one or two degrees of freedom."""
    if math.isnan(statistic):
        return math.nan
    half = max(statistic, 0.0) / 2.0
    return math.erfc(math.sqrt(half)) if degrees == 1 else math.exp(-half)
