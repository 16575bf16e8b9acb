"""Value at risk: estimates against their definitions, and coverage tests of the right size and with power."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from chimera_platform.risk.value_at_risk import (
    METHODS,
    cornish_fisher,
    coverage,
    ewma_variances,
    filtered,
    historical,
    rolling_forecasts,
)

SEED = 11
RETURNS = st.lists(st.floats(-0.2, 0.2, allow_nan=False), min_size=2, max_size=60).map(np.array)


@settings(deadline=None)  # the first call compiles
@given(RETURNS, st.sampled_from([0.9, 0.95, 0.99]))
def test_the_shortfall_is_never_below_the_value_at_risk(returns: np.ndarray, level: float) -> None:
    """ES >= VaR, for every method and level."""
    for method in METHODS.values():
        risk = method(returns, level)
        assert risk.expected_shortfall >= risk.value_at_risk - 1e-9


@settings(deadline=None)  # the first call compiles
@given(RETURNS, st.floats(0.1, 10.0))
def test_risk_scales_with_the_returns(returns: np.ndarray, factor: float) -> None:
    """VaR(a r) = a VaR(r) for a > 0; the same for ES."""
    for name in ("historical", "filtered"):
        one, scaled = METHODS[name](returns, 0.95), METHODS[name](factor * returns, 0.95)
        assert scaled.value_at_risk == pytest.approx(factor * one.value_at_risk, rel=1e-6, abs=1e-9)
        assert scaled.expected_shortfall == pytest.approx(factor * one.expected_shortfall, rel=1e-6, abs=1e-9)


def test_historical_is_the_quantile_and_the_mean_beyond_it() -> None:
    returns = np.arange(-50, 51) / 1000.0
    risk = historical(returns, 0.95)
    assert risk.value_at_risk == pytest.approx(0.045)
    assert risk.expected_shortfall == pytest.approx(np.mean([0.045, 0.046, 0.047, 0.048, 0.049, 0.050]))


def test_cornish_fisher_is_the_normal_formula_on_normal_returns_and_wider_on_fat_tails() -> None:
    rng = np.random.default_rng(SEED)
    normal = rng.normal(0.001, 0.01, 200_000)
    risk = cornish_fisher(normal, 0.95)
    assert risk.value_at_risk == pytest.approx(-0.001 + 0.01 * stats.norm.ppf(0.95), rel=0.01)
    assert risk.expected_shortfall == pytest.approx(
        -0.001 + 0.01 * stats.norm.pdf(stats.norm.ppf(0.95)) / 0.05, rel=0.01
    )
    skewed = stats.skewnorm.rvs(-4, size=200_000, random_state=SEED) * 0.01
    truth = -np.quantile(skewed, 0.01)
    gaussian = -(skewed.mean() + skewed.std() * stats.norm.ppf(0.01))
    assert abs(cornish_fisher(skewed, 0.99).value_at_risk - truth) < abs(gaussian - truth) / 2


def test_filtered_follows_the_present_volatility() -> None:
    rng = np.random.default_rng(SEED)
    calm, wild = rng.normal(0.0, 0.01, 500), rng.normal(0.0, 0.03, 60)
    after_wild, after_calm = filtered(np.r_[calm, wild]), filtered(np.r_[wild, calm])
    assert after_wild.value_at_risk > 2.0 * after_calm.value_at_risk
    assert historical(np.r_[calm, wild]).value_at_risk == historical(np.r_[wild, calm]).value_at_risk


def test_the_weighted_variance_is_its_definition() -> None:
    returns = np.array([0.01, -0.02, 0.03])
    start = float(np.mean(returns**2))
    expected = [start]
    for value in returns:
        expected.append(0.9 * expected[-1] + 0.1 * value**2)
    assert ewma_variances(returns, 0.9) == pytest.approx(expected)


def test_the_coverage_statistics_are_those_of_the_textbook_formulas() -> None:
    rng = np.random.default_rng(SEED)
    hits = rng.random(500) < 0.07
    found = coverage(np.where(hits, -1.0, 0.0), np.full(500, 0.5), 0.95)
    x, n = int(hits.sum()), 500
    kupiec = -2.0 * (stats.binom.logpmf(x, n, 0.05) - stats.binom.logpmf(x, n, x / n))
    pairs = np.zeros((2, 2))
    for before, after in itertools.pairwise(hits):
        pairs[int(before), int(after)] += 1
    share = pairs[:, 1].sum() / pairs.sum()
    rows = pairs[:, 1] / pairs.sum(axis=1)
    chain = sum(pairs[s, 0] * math.log(1 - rows[s]) + pairs[s, 1] * math.log(rows[s]) for s in (0, 1) if rows[s] > 0)
    independent = pairs[:, 0].sum() * math.log(1 - share) + pairs[:, 1].sum() * math.log(share)
    markov = 2.0 * (chain - independent)
    assert (found.periods, found.exceptions, found.expected) == (n, x, pytest.approx(25.0))
    assert found.kupiec_p == pytest.approx(stats.chi2.sf(kupiec, 1), rel=1e-9)
    assert found.independence_p == pytest.approx(stats.chi2.sf(markov, 1), rel=1e-9)
    assert found.conditional_p == pytest.approx(stats.chi2.sf(kupiec + markov, 2), rel=1e-9)


def test_coverage_tests_reject_true_forecasts_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(SEED)
    p = []
    for _ in range(1_500):
        returns = np.where(rng.random(4_000) < 0.05, -1.0, 0.0)
        found = coverage(returns, np.full(4_000, 0.5), 0.95)
        p.append((found.kupiec_p, found.independence_p, found.conditional_p))
    rejected = np.mean(np.array(p) < 0.05, axis=0)
    print(f"\nrejected at 5 % of true forecasts (seed {SEED}): {rejected}")
    assert (rejected > 0.035).all() and (rejected < 0.065).all()


def test_coverage_tests_find_forecasts_that_are_too_low_and_exceptions_that_cluster() -> None:
    rng = np.random.default_rng(SEED)
    low = coverage(np.where(rng.random(1_000) < 0.09, -1.0, 0.0), np.full(1_000, 0.5), 0.95)
    assert low.kupiec_p < 0.001
    clustered = np.zeros(1_000)
    for start in rng.choice(100, 10, replace=False) * 10:
        clustered[start : start + 5] = -1.0
    found = coverage(clustered, np.full(1_000, 0.5), 0.95)
    assert found.kupiec_p > 0.5 and found.independence_p < 1e-6 and found.conditional_p < 1e-5


def test_rolling_forecasts_see_only_what_was_before_and_filtered_ones_cluster_less() -> None:
    rng = np.random.default_rng(SEED)
    volatility = 0.01 * np.exp(0.8 * np.sin(np.arange(2_000) / 80.0))
    returns = rng.normal(0.0, 1.0, 2_000) * volatility
    changed = returns.copy()
    changed[1_500:] = 9.0
    plain, weighted = (rolling_forecasts(returns, 250, method) for method in ("historical", "filtered"))
    assert (rolling_forecasts(changed, 250)[: 1_500 - 250 + 1] == plain[: 1_500 - 250 + 1]).all()
    found = {name: coverage(returns[250:], each) for name, each in (("plain", plain), ("weighted", weighted))}
    assert found["weighted"].independence_p > found["plain"].independence_p
    assert found["plain"].independence_p < 0.05 and found["weighted"].conditional_p > 0.01


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: historical(np.array([])), "expected one finite return"),
        (lambda: historical(np.array([0.1, math.nan])), "expected one finite return"),
        (lambda: historical(np.array([0.1]), 1.0), "level is 1.0"),
        (lambda: rolling_forecasts(np.zeros(9), 3, "guess"), "'guess'; expected one of historical"),
        (lambda: rolling_forecasts(np.zeros(9), 1), "window is 1"),
        (lambda: coverage(np.zeros(3), np.zeros(2)), "3 returns and 2 forecasts"),
    ],
)
def test_bad_input_is_refused(call, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        call()


def test_without_variation_all_methods_agree() -> None:
    for method in METHODS.values():
        assert method(np.full(10, -0.01), 0.95).value_at_risk == pytest.approx(0.01)
    empty = coverage(np.zeros(0), np.zeros(0))
    assert empty.periods == 0 and math.isnan(empty.kupiec_p)
