from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from chimera_platform.signals.block_bootstrap import bin_weights, interval
from chimera_platform.simulation.comparison.statistics import (
    DAYS_MIN,
    difference,
    holm,
    sharpe,
    sign_test,
    studentised_interval,
)

SAMPLES = 600


def left_out(samples: list[np.ndarray], truth: float = 0.0) -> float:
    """Return the share of intervals that leave the truth out."""
    found = [studentised_interval(sample, 7) for sample in samples]
    return sum(not low <= truth <= high for low, high in found) / len(found)


@pytest.mark.parametrize("days", [7, 20])
def test_of_days_without_a_difference_one_interval_in_twenty_leaves_zero_out(days: int) -> None:
    random = np.random.default_rng(days)
    share = left_out([random.normal(size=days) for _ in range(SAMPLES)])
    assert 0.025 < share < 0.08


def test_of_skewed_days_the_share_is_about_right_too() -> None:
    random = np.random.default_rng(3)
    assert left_out([random.exponential(size=20) - 1.0 for _ in range(SAMPLES)]) < 0.09


def test_percentile_intervals_of_seven_days_are_too_narrow_as_the_page_says() -> None:
    random = np.random.default_rng(7)
    weights = bin_weights(7, 1.0, 2_000, 7)
    missed = 0
    for _ in range(SAMPLES):
        low, high = interval(weights @ random.normal(size=7) / 7)
        missed += not low <= 0.0 <= high
    assert missed / SAMPLES > 0.1


def test_a_difference_that_is_there_is_found() -> None:
    random = np.random.default_rng(11)
    found = [difference(random.normal(1.0, 1.0, 20), 7, are_independent=True) for _ in range(100)]
    assert sum(each.side == 1 for each in found) > 90
    assert not any(each.side == -1 for each in found)


@pytest.mark.parametrize("count", range(DAYS_MIN))
def test_of_fewer_than_five_days_there_is_no_interval(count: int) -> None:
    found = difference(np.arange(1.0, count + 1.0), 7, are_independent=True)
    assert not found.has_interval and found.side == 0
    assert found.better == count


def test_days_without_a_difference_do_not_make_up_an_interval() -> None:
    days = np.zeros(30)
    days[:4] = [5.0, 6.0, 7.0, 8.0]
    assert not difference(days, 7, are_independent=True).has_interval


def test_equal_variants_differ_on_no_day_and_on_no_side() -> None:
    found = difference(np.zeros(20), 7, are_independent=True)
    assert found.is_none and found.sign_p == 1.0 and found.side == 0 and found.mean == 0.0


@settings(max_examples=30, deadline=None)
@given(
    days=st.lists(st.integers(-1000, 1000), min_size=8, max_size=15),
    scale=st.sampled_from([0.25, 4.0, 1024.0]),
)
def test_the_interval_scales_with_the_money(days: list[int], scale: float) -> None:
    """Invariant: interval(s·x) = s·interval(x), and of -x the mirrored one has the same side."""
    sample = np.array(days, np.float64)
    low, high = studentised_interval(sample, 7)
    assert studentised_interval(sample * scale, 7) == pytest.approx((low * scale, high * scale), nan_ok=True)
    if math.isfinite(low):
        assert low <= sample.mean() <= high or np.ptp(sample) > 0


def test_the_same_seed_gives_the_same_interval_and_another_one_nearly_the_same() -> None:
    days = np.random.default_rng(1).normal(size=20)
    assert studentised_interval(days, 7) == studentised_interval(days, 7)
    assert studentised_interval(days, 8) == pytest.approx(studentised_interval(days, 7), abs=0.1)
    assert studentised_interval(days, 8) != studentised_interval(days, 7)


def test_days_that_follow_one_another_alike_have_wider_intervals_in_blocks() -> None:
    random = np.random.default_rng(5)
    days = np.zeros(60)
    for k in range(1, 60):
        days[k] = 0.8 * days[k - 1] + random.normal()
    apart, together = difference(days, 7, are_independent=True), difference(days, 7, are_independent=False)
    assert together.high - together.low > 1.3 * (apart.high - apart.low)


@pytest.mark.parametrize(("better", "worse"), [(0, 0), (1, 0), (3, 4), (7, 0), (20, 1), (10, 10)])
def test_the_sign_test_is_the_exact_binomial_one(better: int, worse: int) -> None:
    count = better + worse
    expected = binomtest(better, count).pvalue if count else 1.0
    assert sign_test(better, worse) == pytest.approx(expected)


def test_holm_multiplies_the_smallest_by_how_many_there_are_and_never_lets_a_larger_one_pass_it() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.5]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0.0, 1.0), max_size=12))
def test_holm_rejects_what_stepping_down_rejects(p_values: list[float]) -> None:
    """Invariant: adjusted <= α exactly where the step-down procedure at α rejects."""
    adjusted = holm(p_values)
    for alpha in (0.01, 0.05, 0.5):
        rejected = set()
        for rank, k in enumerate(sorted(range(len(p_values)), key=lambda k: p_values[k])):
            if (len(p_values) - rank) * p_values[k] > alpha:
                break
            rejected.add(k)
        assert rejected == {k for k, p in enumerate(adjusted) if p <= alpha}


def test_sharpe_is_not_defined_of_one_day_or_of_equal_ones() -> None:
    assert math.isnan(sharpe(np.array([3.0]))) and math.isnan(sharpe(np.array([3.0, 3.0])))
    assert sharpe(np.array([1.0, 3.0])) == pytest.approx(2.0 / math.sqrt(2.0) * math.sqrt(252.0))
