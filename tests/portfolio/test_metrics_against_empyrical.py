"""Metrics of daily returns against empyrical-reloaded and SciPy, to 1e-9; the table is printed with ``pytest -s``."""

from __future__ import annotations

import math

import empyrical
import numpy as np
import pandas as pd
import pytest
import scipy.stats

from chimera_platform.execution.records import FILL_DTYPE, MARK_DTYPE
from chimera_platform.portfolio.event_time import DAY_NS, event_days
from chimera_platform.portfolio.performance import Performance, measure

START = 250_000.0
TOLERANCE = 1e-9
FIRST_DAY = 20_000


def curve_of(kind: str) -> np.ndarray:
    """Return equity at the end of each day."""
    random = np.random.default_rng(11)
    returns = {
        "gains": random.normal(0.002, 0.01, 500),
        "losses": random.standard_t(3, 300) * 0.01 - 0.001,
        "a month": random.normal(0.0, 0.02, 21),
        "three days": np.array([0.01, -0.02, 0.015]),
    }[kind]
    return START * np.cumprod(1.0 + returns)


def measured(equity: np.ndarray) -> Performance:
    marks = np.zeros(len(equity), MARK_DTYPE)
    marks["ts_event"] = (FIRST_DAY + np.arange(len(equity))) * DAY_NS + DAY_NS // 2
    marks["equity_nanos"] = np.round(equity * 1e9)
    return measure(np.zeros(0, FILL_DTYPE), marks, event_days(marks["ts_event"]), START)


def theirs(equity: np.ndarray) -> dict[str, float]:
    curve = np.concatenate([[START], np.round(equity * 1e9) / 1e9])
    dates = pd.bdate_range("2024-01-01", periods=len(equity), tz="UTC")
    returns = pd.Series(curve[1:] / curve[:-1] - 1.0, index=dates)
    return {
        "sharpe": empyrical.sharpe_ratio(returns),
        "sortino": empyrical.sortino_ratio(returns),
        "calmar": empyrical.calmar_ratio(returns),
        "annual_return": empyrical.annual_return(returns),
        "return_total": empyrical.cum_returns_final(returns),
        "max_drawdown_ratio": -empyrical.max_drawdown(returns),
        "volatility": empyrical.annual_volatility(returns),
        "downside_volatility": empyrical.downside_risk(returns),
        "daily_var_95": -empyrical.value_at_risk(returns, 0.05),
        "daily_expected_shortfall_95": -empyrical.conditional_value_at_risk(returns, 0.05),
        "tail_ratio": empyrical.tail_ratio(returns),
        "stability": empyrical.stability_of_timeseries(returns),
        "skew": scipy.stats.skew(returns),
        "kurtosis": scipy.stats.kurtosis(returns),
    }


@pytest.mark.parametrize("kind", ["gains", "losses", "a month", "three days"])
def test_every_metric_that_empyrical_defines_agrees_with_it(kind: str) -> None:
    equity = curve_of(kind)
    ours, expected = measured(equity).as_dict(), theirs(equity)
    print(f"\n{kind:28} {'chimera':>20} {'empyrical / scipy':>20} {'difference':>12}")
    for name, value in expected.items():
        print(f"{name:28} {ours[name]:20.12f} {value:20.12f} {abs(ours[name] - value):12.2e}")
    assert len(expected) == 14
    for name, value in expected.items():
        assert math.isfinite(value), name
        assert ours[name] == pytest.approx(value, rel=TOLERANCE, abs=TOLERANCE), name
