"""The live estimate on seven real days of gold, minute by minute: who covers, and does the root of time hold."""

from __future__ import annotations

import csv
import datetime
import io
import math
import zipfile
from pathlib import Path

import numpy as np
import pytest

from chimera_platform.risk.live_value_at_risk import (
    ValueAtRiskSettings,
    measure,
    new_return_ring,
    new_value_at_risk,
    note_returns,
    value_at_risk_record,
)
from chimera_platform.risk.value_at_risk import METHODS, Coverage, coverage

pytestmark = pytest.mark.real_data

MINUTE_MS, HOUR = 60_000, 60
FIGURES = tuple(f"var_{method}" for method in METHODS)


@pytest.fixture(scope="module")
def returns(real_data: Path) -> np.ndarray:
    """Log returns of the mid from minute to minute, where two minutes stand side by side; 1 to 8 May 2014."""
    found = []
    for path in sorted((real_data / "oanda" / "minute" / "xauusd").glob("*_quote.zip")):
        midnight = datetime.datetime.strptime(path.name[:8], "%Y%m%d").replace(tzinfo=datetime.UTC)
        with zipfile.ZipFile(path) as archive:
            rows = csv.reader(io.TextIOWrapper(archive.open(archive.namelist()[0])))
            bars = [(int(row[0]), (float(row[4]) + float(row[9])) / 2.0) for row in rows]
        found += [(int(midnight.timestamp()) * 1_000 + ms, mid) for ms, mid in bars]
    ts, mids = np.array([t for t, _ in found]), np.array([mid for _, mid in found])
    return np.diff(np.log(mids))[np.diff(ts) == MINUTE_MS]


@pytest.fixture(scope="module")
def forecasts(returns: np.ndarray) -> np.ndarray:
    """Live value at risk over one minute of being long, known before each return, as columns; NaN at first."""
    settings = ValueAtRiskSettings(window=500, min_samples=500)
    record = value_at_risk_record(settings, MINUTE_MS, MINUTE_MS)[0]
    var, ring = new_value_at_risk()[0], new_return_ring(1, 500)
    profits, scratch, value = np.zeros(500), np.zeros(500), np.array([1.0])
    rows = []
    for each in returns:
        measure(var, ring, profits, scratch, value, 1.0, record)
        rows.append([var[name] for name in FIGURES])
        note_returns(var, ring, np.array([each]))
    return np.array(rows)


def judged(returns: np.ndarray, forecasts: np.ndarray, period: int = 1) -> dict[str, Coverage]:
    """Return the coverage of each method over ``period`` minutes at a time, by the root of time."""
    known = ~np.isnan(forecasts[:, 0])
    kept, made = np.expm1(returns[known]), forecasts[known]
    periods = len(kept) // period
    moved = kept[: periods * period].reshape(periods, period).sum(axis=1)
    found = {}
    for k, method in enumerate(METHODS):
        found[method] = coverage(moved, made[: periods * period : period, k] * math.sqrt(period))
        print(f"\n{period} min, {method}: {found[method]}", end="")
    return found


def test_only_the_filtered_forecast_covers_the_next_minute_of_gold(returns: np.ndarray, forecasts: np.ndarray) -> None:
    found = judged(returns, forecasts)
    assert found["filtered"].periods > 9_000
    assert found["filtered"].kupiec_p > 0.05
    assert found["filtered"].exceptions / found["filtered"].periods == pytest.approx(0.05, abs=0.005)
    assert found["historical"].kupiec_p < 0.01 and found["historical"].independence_p < 1e-4
    assert found["cornish_fisher"].independence_p < 0.01
    assert found["filtered"].independence_p > 100 * found["historical"].independence_p


def test_over_an_hour_the_root_of_time_is_not_rejected(returns: np.ndarray, forecasts: np.ndarray) -> None:
    found = judged(returns, forecasts, HOUR)
    for method in METHODS:
        assert found[method].periods >= 150 and found[method].kupiec_p > 0.05 and found[method].independence_p > 0.05
