"""Invariant: each step of the node search equals its NumPy definition, and chance finds no more than the level says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.errors import DataError
from chimera_platform.microstructure.volume_profile_bootstrap import (
    draw_counts,
    find_extremes,
    fit_unimodal,
    gaussian_weights,
    keep_significant,
    pair_peaks,
    random_key,
    smooth,
)
from chimera_platform.microstructure.volume_profile_nodes import find_nodes
from tests.reference.volume_profile_nodes import (
    benjamini_hochberg,
    peak_pairs,
    smooth_profile,
    strongest_by_chance,
    unimodal_fit,
)
from tests.reference.volume_profile_nodes import (
    nodes as defined_nodes,
)

Array = np.ndarray[Any, Any]
profiles = st.lists(st.integers(0, 40), min_size=3, max_size=60).filter(any)

BINS = np.arange(80)


def sample(seed: int, n: int, *modes: tuple[float, float, float]) -> Array:
    """Profile of n draws from a mixture of (weight, centre, width)."""
    density = sum(w * np.exp(-0.5 * ((BINS - c) / s) ** 2) / s for w, c, s in modes)
    return np.random.default_rng(seed).multinomial(n, density / np.sum(density))


def smoothed(lots: Array, bandwidth: float) -> Array:
    weights, out = gaussian_weights(bandwidth), np.empty(len(lots))
    smooth(np.array(lots, float), weights, np.empty(len(lots) + len(weights) - 1), out)
    return out / out.sum()


def pairs_of(shares: Array) -> list[tuple[int, int, float]]:
    n = len(shares)
    extremes, heights, peaks, valleys = np.empty(n + 1, int), np.empty(n + 1), np.empty(n, int), np.empty(n, int)
    count = pair_peaks(heights, find_extremes(shares, 1.0, extremes, heights), peaks, valleys)
    found = [(int(p), int(v)) for p, v in zip(peaks[:count], valleys[:count], strict=True)]
    return [(int(extremes[p]), int(extremes[v]), float(heights[p] - heights[v])) for p, v in found]


@settings(max_examples=200, deadline=None)
@given(profiles, st.sampled_from([0.5, 1.0, 2.0, 4.0]))
def test_smoothing_null_and_pairs_equal_their_definitions(lots: list[int], bandwidth: float) -> None:
    shares = smooth_profile(np.array(lots), bandwidth)
    np.testing.assert_allclose(smoothed(np.array(lots), bandwidth), shares, rtol=1e-9, atol=1e-15)
    null = np.empty(len(lots))
    fit_unimodal(shares, null)
    np.testing.assert_allclose(null, unimodal_fit(shares), rtol=1e-9, atol=1e-15)
    for values in (shares, np.array(lots, float)):  # the raw profile has plateaus and equal peaks
        assert pairs_of(values) == peak_pairs(values)


@settings(deadline=None)
@given(st.lists(st.integers(1, 100), min_size=1, max_size=12), st.sampled_from([0.05, 0.2]))
def test_the_correction_for_many_tests_equals_its_definition(percent: list[int], level: float) -> None:
    p_values, kept = np.array(percent) / 100, np.empty(len(percent), bool)
    keep_significant(p_values, len(percent), level, kept)
    assert kept.tolist() == benjamini_hochberg(p_values, level).tolist()


def test_drawn_counts_have_the_mean_and_spread_of_poisson_counts() -> None:
    means = np.repeat([0.0, 0.3, 1.9, 2.1, 8.5, 40.0, 900.0], 20_000)
    counts = np.empty(len(means))
    draw_counts(means, np.exp(-np.minimum(means, 8.0)), random_key(7, 1), 0, counts)
    for mean in np.unique(means):
        drawn = counts[means == mean]
        assert drawn.mean() == pytest.approx(mean, abs=4 * np.sqrt(mean / 20_000) + 1e-12)
        assert drawn.var() == pytest.approx(mean, rel=0.05)
    assert counts.min() == 0.0
    small = counts[means == 1.9]
    shares = [float((small == k).mean()) for k in range(4)]
    assert shares == pytest.approx([0.1496, 0.2842, 0.2700, 0.1710], abs=0.012)


def test_draws_of_other_keys_and_places_are_unrelated_and_repeatable() -> None:
    means = np.full(20_000, 50.0)
    none = np.zeros(20_000)
    drawn = []
    for key, counter in (((7, 1), 0), ((7, 1), 20_000), ((7, 2), 0), ((8, 1), 0), ((7, 1), 0)):
        counts = np.empty(20_000)
        draw_counts(means, none, random_key(*key), counter, counts)
        drawn.append(counts)
    correlations = np.corrcoef(drawn[:4]) - np.eye(4)
    assert np.abs(correlations).max() < 4 / np.sqrt(20_000)
    assert drawn[4].tolist() == drawn[0].tolist()


def test_the_strongest_chance_pair_is_distributed_as_under_multinomial_draws() -> None:
    null = unimodal_fit(smooth_profile(sample(3, 3_000, (1, 40, 12)), 2.0))
    draws = 2_000
    multinomial, own = np.sort(strongest_by_chance(null, 600, 2.0, draws, 1)), np.empty(draws)
    for draw in range(draws):
        counts = np.empty(len(null))
        draw_counts(null * 600, np.exp(-np.minimum(null * 600, 8.0)), random_key(7, draw), 0, counts)
        own[draw] = max((s for *_, s in peak_pairs(smooth_profile(counts, 2.0))), default=0.0)
    own.sort()
    both = np.concatenate([multinomial, own])
    shares = [np.searchsorted(x, both, side="right") / draws for x in (multinomial, own)]
    assert np.abs(shares[0] - shares[1]).max() < 1.63 * np.sqrt(2 / draws)  # Kolmogorov & Smirnov at one per cent
    assert np.quantile(own, 0.95) == pytest.approx(np.quantile(multinomial, 0.95), rel=0.12)


@pytest.mark.parametrize("seed", range(6))
def test_nodes_are_those_of_the_numpy_bootstrap(seed: int) -> None:
    lots = sample(seed, 3_000, (0.5, 20, 5), (0.3, 45, 4), (0.2, 65, 4))
    own, wanted = find_nodes(BINS, lots), defined_nodes(lots)
    assert [node[:2] for node in own] == [node[:2] for node in wanted]
    assert len(own) == 2
    for node, (_, _, strength, p_value) in zip(own, wanted, strict=True):
        assert node.strength == pytest.approx(strength)
        assert node.p_value == pytest.approx(p_value, abs=0.02)


def test_nodes_on_a_unimodal_market_are_as_rare_as_the_level_says() -> None:
    runs, level = 120, 0.05
    profiles = [sample(i, 3_000, (1, 40, 12)) for i in range(runs)]
    found = sum(bool(find_nodes(BINS, lots, draws=99, level=level)) for lots in profiles)
    allowed = runs * level + 3 * np.sqrt(runs * level * (1 - level))
    print(f"{found} of {runs} null profiles with a node, level {level}, allowed {allowed:.1f}")
    untested = sum(bool(peak_pairs(smooth_profile(lots, 2.0))) for lots in profiles)
    assert found <= allowed < untested, "without the test, noise alone would give more"


def test_a_planted_second_mode_is_found_where_it_is() -> None:
    for seed in range(10):
        nodes = find_nodes(BINS, sample(seed, 3_000, (0.6, 25, 6), (0.4, 55, 6)), draws=199)
        assert len(nodes) == 1
        assert abs(nodes[0].high_price - 55) <= 3
        assert abs(nodes[0].low_price - 41) <= 4
        assert nodes[0].p_value <= 0.05


def test_the_same_seed_gives_the_same_nodes_and_fewer_draws_less_evidence() -> None:
    lots = sample(1, 3_000, (0.6, 25, 6), (0.4, 55, 6))
    assert find_nodes(BINS, lots, draws=99) == find_nodes(BINS, lots, draws=99)
    assert find_nodes(BINS, lots, draws=99, effective_count=20) == []


def test_the_null_is_unimodal_and_a_flat_or_empty_profile_has_no_nodes() -> None:
    shares = sample(2, 3_000, (0.6, 25, 6), (0.4, 55, 6)) / 3_000
    turns = np.diff(np.sign(np.diff(unimodal_fit(shares))[np.diff(unimodal_fit(shares)) != 0]))
    assert np.count_nonzero(turns) == 1
    for lots in (np.zeros(80, int), np.full(80, 7)):
        assert find_nodes(BINS, lots) == []
    with pytest.raises(DataError, match="none negative"):
        find_nodes(BINS, -np.ones(80))


def test_benjamini_hochberg_rejects_up_to_the_last_p_value_below_its_line() -> None:
    p = np.array([0.9, 0.01, 0.035, 0.04, 0.5])
    assert benjamini_hochberg(p, 0.05).tolist() == [False, True, False, False, False]
    assert benjamini_hochberg(p, 0.07).tolist() == [False, True, True, True, False]
