"""Statistics of daily returns, annualised with 252 days where a year is meant."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chimera_platform.portfolio.event_time import DAY_NS
from chimera_platform.portfolio.ratios import downside_deviation, mean, moment_ratio, ratio, sharpe, sortino

Array = np.ndarray[Any, Any]
DAYS_PER_YEAR = 252
TAIL = 0.05


def daily_equity(marks: Array, days: Array, starting_equity: float) -> Array:
    """Return the equity at the end of each day, shape (len(days),).

    Parameters
    ----------
    marks : MARK_DTYPE array in ``mark_no`` order.
    days : UTC day numbers (ns // 86,400e9), ascending; a day without marks keeps the equity of the day before.
    """
    last = np.searchsorted(marks["ts_event"] // DAY_NS, days, side="right")
    return np.concatenate([[starting_equity], marks["equity_nanos"] / 1e9])[last]


def daily_returns(marks: Array, days: Array, starting_equity: float) -> Array:
    """Return the simple return of each day, the first one against ``starting_equity``; shape (len(days),)."""
    curve = np.concatenate([[starting_equity], daily_equity(marks, days, starting_equity)])
    return curve[1:] / curve[:-1] - 1.0


def return_metrics(returns: Array) -> dict[str, Any]:
    """Return those metrics of :class:`~chimera_platform.portfolio.performance.Performance` that are of daily returns.

    Parameters
    ----------
    returns : simple daily returns, shape (n,); NaN for what fewer days than it needs do not define.
    """
    year = math.sqrt(DAYS_PER_YEAR)
    many = len(returns) > 1
    return {
        "sharpe": sharpe(returns) * year,
        "sortino": sortino(returns) * year,
        "volatility": float(returns.std(ddof=1)) * year if many else math.nan,
        "downside_volatility": downside_deviation(returns) * year,
        "skew": moment_ratio(returns, 3),
        "kurtosis": moment_ratio(returns, 4) - 3.0,
        "daily_var_95": -float(np.quantile(returns, TAIL)) if many else math.nan,
        "daily_expected_shortfall_95": expected_shortfall(returns) if many else math.nan,
        "tail_ratio": _tail_ratio(returns) if many else math.nan,
        "stability": _stability(returns),
        "best_day": float(returns.max()) if len(returns) else math.nan,
        "worst_day": float(returns.min()) if len(returns) else math.nan,
        "winning_days": ratio(int((returns > 0).sum()), len(returns)),
    }


def expected_shortfall(returns: Array) -> float:
    """Return minus the mean of the lowest floor(0.05 (n - 1)) + 1 returns, n at least 1."""
    worst = int((len(returns) - 1) * TAIL) + 1
    return -float(np.partition(returns, worst - 1)[:worst].mean())


def annual_return(growth: float, days: int) -> float:
    """Compound ``growth`` over ``days`` to a year; NaN where it is beyond all numbers, -1 where equity is gone."""
    if days == 0:
        return math.nan
    if growth <= 0.0:
        return -1.0
    exponent = math.log(growth) * DAYS_PER_YEAR / days
    return math.expm1(exponent) if exponent < 700.0 else math.nan


def _tail_ratio(returns: Array) -> float:
    low, high = np.quantile(returns, (TAIL, 1.0 - TAIL))
    return ratio(abs(float(high)), abs(float(low)))


def _stability(returns: Array) -> float:
    """Return R² of a straight line through the cumulated log returns; NaN of fewer than three or of a flat curve."""
    if len(returns) < 3 or not (returns > -1.0).all():
        return math.nan
    curve = np.cumsum(np.log1p(returns))
    time = np.arange(len(curve)) - (len(curve) - 1) / 2.0
    apart = curve - mean(curve)
    total = float(apart @ apart)
    return float(time @ apart) ** 2 / (float(time @ time) * total) if total > 0.0 else math.nan
