"""Coverage tests reject true forecasts as often as they say and wrong ones nearly always; what each method covers."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from scipy import stats

from chimera_platform.risk.value_at_risk import METHODS, Coverage, coverage, rolling_forecasts
from tests.reference.return_processes import simulate

PROCESSES = ("normal", "student_t", "garch")
SEED = 2026
TESTS = ("kupiec_p", "independence_p", "conditional_p")
PERIODS, SERIES = 5_000, 400  # of true forecasts
WINDOW, FORECASTS, SAMPLES = 500, 2_000, 24  # of estimated ones


def rejected(found: list[Coverage], significance: float) -> dict[str, float]:
    return {test: float(np.mean([getattr(each, test) < significance for each in found])) for test in TESTS}


@pytest.mark.parametrize("process", PROCESSES)
def test_true_forecasts_are_rejected_as_often_as_the_tests_say(process: str) -> None:
    rng = np.random.default_rng(SEED)
    drawn = (simulate(process, PERIODS, rng) for _ in range(SERIES))
    found = [coverage(each.returns, each.true_forecasts) for each in drawn]
    for significance in (0.05, 0.01):
        low, high = stats.binom.interval(0.999, SERIES, significance)
        for test, share in rejected(found, significance).items():
            print(f"\n{process}, seed {SEED}: {test} rejects {share:.4f} at {significance}", end="")
            assert low <= share * SERIES <= high, f"{test}: {share * SERIES} not in [{low}, {high}]"


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("factor", [0.85, 1.2])
def test_forecasts_that_are_off_by_a_constant_factor_fail_kupiec(process: str, factor: float) -> None:
    rng = np.random.default_rng(SEED)
    drawn = (simulate(process, PERIODS, rng) for _ in range(60))
    found = [coverage(each.returns, factor * each.true_forecasts) for each in drawn]
    share = rejected(found, 0.01)["kupiec_p"]
    print(f"\n{process}, seed {SEED}: forecasts times {factor} are rejected at 0.01: {share:.3f}", end="")
    assert share >= 0.95


def test_a_forecast_that_is_right_on_average_but_ignores_volatility_fails_independence() -> None:
    rng = np.random.default_rng(SEED)
    found = []
    for _ in range(60):
        drawn = simulate("garch", PERIODS, rng)
        found.append(coverage(drawn.returns, np.full(PERIODS, -np.quantile(drawn.returns, 0.05))))
    shares = rejected(found, 0.01)
    print(f"\nseed {SEED}: constant forecasts under GARCH are rejected at 0.01: {shares}", end="")
    assert shares["kupiec_p"] == 0.0  # as many exceptions as there should be
    assert min(shares["independence_p"], shares["conditional_p"]) >= 0.8


@functools.cache
def estimated(process: str, method: str) -> tuple[list[Coverage], float, float, float]:
    """Return what the tests say of rolling forecasts, and the share of exceptions: of all, in calm, in wild periods."""
    rng = np.random.default_rng(SEED)
    found, hits, calm, wild = [], [], [], []
    for _ in range(SAMPLES):
        drawn = simulate(process, WINDOW + FORECASTS, rng)
        forecasts = rolling_forecasts(drawn.returns, WINDOW, method)
        returns, deviations = drawn.returns[WINDOW:], drawn.deviations[WINDOW:]
        found.append(coverage(returns, forecasts))
        hit = -returns > forecasts
        low, high = np.quantile(deviations, [0.25, 0.75])
        hits.append(hit.mean())
        calm.append(hit[deviations <= low].mean())
        wild.append(hit[deviations >= high].mean())
    shares = float(np.mean(hits)), float(np.mean(calm)), float(np.mean(wild))
    print(f"\n{process}, {method}, seed {SEED}: exceptions {shares}, rejected at 0.01 {rejected(found, 0.01)}", end="")
    return found, *shares


def at_most(share: float) -> float:
    """Return the share of rejections that is above what chance makes of ``share`` in one case of a thousand."""
    return float(stats.binom.ppf(0.999, SAMPLES, share)) / SAMPLES


@pytest.mark.parametrize("process", ["normal", "student_t"])
@pytest.mark.parametrize("method", METHODS)
def test_independent_returns_are_covered_by_what_was_estimated_from_those_before(process: str, method: str) -> None:
    found, share, _, _ = estimated(process, method)
    assert share == pytest.approx(0.05, abs=0.004)
    # the forecasts are estimated, each from nearly the same returns as the one before, which costs a little size
    assert max(rejected(found, 0.01).values()) <= at_most(0.05)


def test_only_the_filtered_forecast_covers_when_volatility_changes() -> None:
    for method in METHODS:
        found, share, calm, wild = estimated("garch", method)
        shares = rejected(found, 0.01)
        assert share == pytest.approx(0.05, abs=0.008)
        if method == "filtered":
            assert max(shares.values()) <= at_most(0.05)
            assert 0.04 < calm < 0.07 and 0.04 < wild < 0.06
        else:
            assert shares["independence_p"] >= 0.5
            assert calm < 0.025 and wild > 0.09
