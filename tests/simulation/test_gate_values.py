"""The mean effect of a gate and its interval."""

from __future__ import annotations

import math

import numpy as np

from chimera_platform.simulation.counterfactual.gate_values import BINS_MAX, INTENTS_MIN, mean_effect


def test_few_effects_have_a_mean_and_no_interval() -> None:
    found = mean_effect(np.array([1.0, -3.0]))
    assert found.mean == -1.0 and math.isnan(found.low) and math.isnan(found.high)
    assert not math.isnan(mean_effect(np.arange(float(INTENTS_MIN))).low)


def test_the_interval_covers_the_true_mean_of_independent_effects_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    found = [mean_effect(rng.normal(2.0, 5.0, 120)) for _ in range(200)]
    share = np.mean([each.low <= 2.0 <= each.high for each in found])
    assert 0.88 <= share <= 0.99
    assert all(each.low < each.mean < each.high for each in found)


def test_effects_that_come_in_runs_have_a_wider_interval_than_the_same_ones_shuffled() -> None:
    rng = np.random.default_rng(2)
    runs = np.repeat(rng.normal(0.0, 1.0, 60), 10)
    dependent, independent = mean_effect(runs), mean_effect(rng.permutation(runs))
    assert abs(dependent.mean - independent.mean) < 1e-12
    assert dependent.high - dependent.low > 1.7 * (independent.high - independent.low)
    assert dependent.block_length > independent.block_length


def test_many_effects_are_drawn_in_bins_and_the_same_effects_give_the_same_interval() -> None:
    effects = np.random.default_rng(3).normal(1.0, 4.0, 5 * BINS_MAX + 3)
    found = mean_effect(effects)
    assert found == mean_effect(effects)
    half = 1.96 * effects.std() / math.sqrt(len(effects))
    assert abs(found.mean - effects.mean()) < 1e-12
    assert abs((found.high - found.low) / (2.0 * half) - 1.0) < 0.15
