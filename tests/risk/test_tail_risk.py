"""The kernels behind every value at risk: NumPy's quantile, SciPy's integral of the corrected quantile, to 1e-10."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.risk.tail_risk import (
    cornish_fisher_tail,
    corrected_quantile,
    filtered_tail,
    historical_tail,
    is_monotone,
    order_statistic,
    quantiles_record,
)
from tests.reference import tail_risk as reference

LEVELS = st.sampled_from([0.9, 0.95, 0.975, 0.99])
SERIES = st.lists(st.floats(-0.2, 0.2, allow_nan=False).map(lambda x: round(x, 3)), min_size=1, max_size=80)


@settings(deadline=None)
@given(st.lists(st.integers(-3, 3) | st.integers(-1_000, 1_000), min_size=1, max_size=60), st.data())
def test_the_order_statistic_is_that_of_the_sorted_values_and_parts_them(values: list[int], data) -> None:
    """order_statistic(a, n, k) == sorted(a[:n])[k], and no value after k is smaller; what is beyond n stays."""
    n = data.draw(st.integers(1, len(values)))
    k = data.draw(st.integers(0, n - 1))
    array = np.array(values, float)
    assert order_statistic(array, n, k) == sorted(values[:n])[k]
    assert sorted(array[:n]) == sorted(values[:n]) and list(array[n:]) == values[n:]
    assert (array[:k] <= array[k]).all() and (array[k:n] >= array[k]).all()


@settings(deadline=None)
@given(SERIES, LEVELS)
def test_the_historical_tail_is_numpys_quantile_and_the_mean_beyond_it(series: list[float], level: float) -> None:
    """VaR equals np.quantile to the last bit, ties and all; ES the mean of losses at or beyond it."""
    returns = np.array(series)
    value_at_risk, shortfall = historical_tail(returns, len(returns), np.empty(len(returns)), level)
    assert (value_at_risk, shortfall) == (
        reference.historical(returns, level)[0],
        pytest.approx(reference.historical(returns, level)[1], rel=1e-12, abs=1e-15),
    )
    assert list(returns) == series


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(5, 400), st.sampled_from(["normal", "t", "skewed", "uniform"]), LEVELS)
def test_the_cornish_fisher_tail_is_the_integral_of_the_corrected_quantile(
    seed: int, n: int, shape: str, level: float
) -> None:
    """Closed-form tail means of z, z² and z³ equal quadrature; where the expansion turns, the normal tail stands."""
    rng = np.random.default_rng(seed)
    draw = {
        "normal": lambda: rng.normal(size=n),
        "t": lambda: rng.standard_t(4, n),
        "skewed": lambda: -rng.gamma(2.0, 1.0, n),
        "uniform": lambda: rng.uniform(-1.0, 1.0, n),
    }[shape]
    returns = draw() * 0.01
    found = cornish_fisher_tail(returns, n, quantiles_record(level)[0])
    assert found == pytest.approx(reference.cornish_fisher(returns, level), rel=1e-10)


@pytest.mark.parametrize("outlier", [-1.0, 1.0])
def test_one_enormous_return_does_not_talk_the_corrected_value_at_risk_away(outlier: float) -> None:
    returns = np.random.default_rng(3).normal(0.0, 0.01, 500)
    plain, _ = cornish_fisher_tail(returns, 500, quantiles_record(0.95)[0])
    returns[100] = outlier
    found, shortfall = cornish_fisher_tail(returns, 500, quantiles_record(0.95)[0])
    assert shortfall > found > plain


@pytest.mark.parametrize("skewness", [-2.0, -0.5, 0.0, 0.5, 2.0])
@pytest.mark.parametrize("kurtosis", [-1.0, 0.0, 1.0, 5.0, 12.0])
def test_monotone_is_what_a_fine_grid_says(skewness: float, kurtosis: float) -> None:
    grid = np.linspace(-4.2, -1.6, 20_001)
    climbs = np.diff(reference.expansion(grid, skewness, kurtosis)).min() >= -1e-12
    assert is_monotone(-4.2, -1.6, skewness, kurtosis) == climbs
    found = [corrected_quantile(z, z**2, z**3, skewness, kurtosis) for z in grid[::4_000]]
    assert found == pytest.approx(list(reference.expansion(grid[::4_000], skewness, kurtosis)), rel=1e-12)


def test_the_grid_above_holds_both_monotone_and_turning_expansions() -> None:
    found = {is_monotone(-4.2, -1.6, s, k) for s in (-2.0, 0.0, 2.0) for k in (-1.0, 0.0, 5.0)}
    assert found == {True, False}


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 200), LEVELS, st.sampled_from([0.8, 0.94, 0.99]))
def test_the_filtered_tail_scales_by_present_over_past_volatility(
    seed: int, n: int, level: float, decay: float
) -> None:
    """filtered_tail == historical tail of r_k σ_now / σ_k, with σ by the plain recursion."""
    returns = np.random.default_rng(seed).standard_t(3, n) * 0.01
    expected = reference.filtered(returns, level, decay)
    assert filtered_tail(returns.copy(), n, np.empty(n), level, decay) == pytest.approx(expected, rel=1e-12)


def test_returns_that_never_move_have_no_volatility_to_scale_with() -> None:
    assert filtered_tail(np.zeros(30), 30, np.empty(30), 0.95, 0.94) == (0.0, 0.0)
    assert cornish_fisher_tail(np.zeros(30), 30, quantiles_record(0.95)[0]) == (0.0, 0.0)
    tiny = np.where(np.arange(30) % 2, 1e-170, -1e-170)  # squares underflow
    assert cornish_fisher_tail(tiny, 30, quantiles_record(0.95)[0]) == pytest.approx((0.0, 0.0), abs=1e-160)
