"""Blocks as their definition draws them, and intervals that cover what they say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from chimera_platform.signals.block_bootstrap import bin_weights, interval, optimal_block_length, wilson_interval
from chimera_platform.simulation.market.random_numbers import seeded_random, uniform
from tests.reference.forward_returns import block_length, replicate_counts


def autoregressive(count: int, rho: float, random: np.random.Generator) -> np.ndarray:
    series = np.zeros(count)
    for k in range(1, count):
        series[k] = rho * series[k - 1] + random.normal()
    return series


def test_a_replicate_is_made_of_the_blocks_of_the_definition() -> None:
    weights = bin_weights(50, 4.0, 20, seed=3)
    state = seeded_random(3)
    expected = [replicate_counts(50, 4.0, lambda: float(uniform(state))) for _ in range(20)]
    np.testing.assert_array_equal(weights, expected)
    assert (weights.sum(axis=1) == 50).all()


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.8, -0.5])
def test_the_block_length_is_that_of_the_published_formula(rho: float) -> None:
    series = autoregressive(300, rho, np.random.default_rng(11))
    assert optimal_block_length(series) == pytest.approx(block_length(series.tolist()), rel=1e-9)


def test_a_replicates_variance_is_the_published_one_and_every_bin_has_the_same_chance() -> None:
    """Politis & Romano 1994: n (C(0) + 2 Σ (1 - k/n) (1 - 1/L)^k C(k)), C the autocovariances around the circle."""
    n, length = 400, 20.0
    weights = bin_weights(n, length, 4_000, seed=1)
    np.testing.assert_allclose(weights.mean(axis=0), 1.0, atol=0.12)
    series = autoregressive(n, 0.8, np.random.default_rng(2))
    series -= series.mean()
    covariance = np.array([series @ np.roll(series, -k) / n for k in range(n)])
    k = np.arange(1, n)
    expected = n * (covariance[0] + 2.0 * ((1 - k / n) * (1 - 1 / length) ** k * covariance[1:]).sum())
    assert (weights @ series).var() == pytest.approx(expected, rel=0.08)


def test_blocks_are_longer_where_the_series_depends_on_its_past() -> None:
    random = np.random.default_rng(5)
    lengths = [np.mean([optimal_block_length(autoregressive(500, r, random)) for _ in range(20)]) for r in (0.0, 0.8)]
    assert lengths[0] < 4.0 < 8.0 < lengths[1]


def test_a_constant_or_very_short_series_has_blocks_of_one() -> None:
    assert optimal_block_length(np.full(100, 2.5)) == optimal_block_length(np.arange(7)) == 1.0


def test_intervals_of_a_dependent_mean_cover_it_and_independent_draws_do_not() -> None:
    """Of 200 series of mean 0, nearly 95 % of the intervals hold it: percentiles of blocks are a little narrow."""
    random = np.random.default_rng(17)
    covered = {"blocks": 0, "single": 0}
    for seed in range(200):
        series = autoregressive(400, 0.7, random)
        for name, length in (("blocks", optimal_block_length(series)), ("single", 1.0)):
            low, high = interval(bin_weights(400, length, 300, seed) @ series / 400)
            covered[name] += low <= 0.0 <= high
    assert 168 <= covered["blocks"] <= 198
    assert covered["single"] < 150


def test_wilsons_interval_is_the_published_one() -> None:
    # Newcombe 1998, table I, score method without continuity correction
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson_interval(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)
    assert all(math.isnan(x) for x in wilson_interval(0, 0))


def test_an_interval_of_what_is_mostly_undefined_is_undefined() -> None:
    assert all(math.isnan(x) for x in interval(np.array([np.nan, np.nan, np.inf, 1.0])))
    assert interval(np.array([np.nan, 1.0, 1.0])) == (1.0, 1.0)
