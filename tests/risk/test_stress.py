"""Stress scenarios against their definition, and what they must never do."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from chimera_platform.risk.stress import (
    StressScenario,
    StressSettings,
    apply_stress,
    new_stress,
    stress_record,
    worst_stress,
)

VALUES = st.lists(st.just(0.0) | st.floats(-1e6, 1e6).map(lambda value: round(value, 2)), min_size=1, max_size=8)


def losses(
    values: list[float],
    half_spreads: list[float],
    volatilities: list[float],
    equity: float = 1e6,
    confidence: float = 0.95,
    **changes: float,
) -> dict[str, float]:
    stress = new_stress()
    record = stress_record(StressSettings.model_validate(changes), confidence)
    apply_stress(stress[0], np.array(values), np.array(half_spreads), np.array(volatilities), equity, record[0])
    return {name: float(stress[0][name]) for name in StressScenario} | {"worst": float(worst_stress(stress[0]))}


Z = stats.norm.ppf(0.95)

#  values held          half spreads     volatilities    spread    gap up   gap down  correlation
TABLE = [
    ([100_000.0],          [0.0001],        [0.01],         0.00005, -0.003,  0.003,    Z * 0.001),
    ([-100_000.0],         [0.0001],        [0.01],         0.00005, 0.003,   -0.003,   Z * 0.001),
    ([2e5, -2e5],          [0.0001, 0.001], [0.01, 0.02],   0.0011,  0.0,     0.0,      Z * 0.006),
    ([2e5, -3e5],          [0.0, 0.0],      [0.0, 0.0],     0.0,     0.003,   -0.003,   0.0),
    ([0.0, 0.0],           [0.01, 0.01],    [0.1, 0.1],     0.0,     0.0,     0.0,      0.0),
    ([0.0, 1e5],           [math.nan, 0.0], [math.nan, 0.1], 0.0,    -0.003,  0.003,    Z * 0.01),
]  # fmt: skip


@pytest.mark.parametrize(("values", "half_spreads", "volatilities", "spread", "up", "down", "correlation"), TABLE)
def test_a_portfolio_loses_what_the_scenario_says(
    values: list[float], half_spreads: list[float], volatilities: list[float],
    spread: float, up: float, down: float, correlation: float,
) -> None:  # fmt: skip
    found = losses(values, half_spreads, volatilities)
    expected = {"spread": spread, "gap_up": up, "gap_down": down, "correlation": correlation}
    expected["worst"] = max(0.0, *expected.values())
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-18)


def test_the_settings_set_how_far_the_scenarios_go() -> None:
    found = losses([1e5], [0.0001], [0.01], confidence=0.99, spread_multiple=10.0, gap=0.1)
    assert found == pytest.approx(
        {
            "spread": 0.0001,
            "gap_up": -0.01,
            "gap_down": 0.01,
            "correlation": stats.norm.ppf(0.99) * 0.001,
            "worst": 0.01,
        },
        rel=1e-12,
    )


@settings(deadline=None)
@given(VALUES, st.integers(0, 2**32 - 1))
def test_the_worst_correlations_are_never_better_than_any_others(values: list[float], seed: int) -> None:
    """z Σ|v|σ >= z sqrt(v'Σv) for every correlation matrix; equal where each pair moves against the account."""
    rng = np.random.default_rng(seed)
    n = len(values)
    volatilities = rng.uniform(0.001, 0.05, n)
    found = losses(values, [0.0] * n, list(volatilities))["correlation"]
    loadings = rng.normal(size=(n, n))
    loadings /= np.linalg.norm(loadings, axis=1, keepdims=True)
    held = np.array(values) * volatilities / 1e6
    assert found >= Z * math.sqrt(max(held @ (loadings @ loadings.T) @ held, 0.0)) * (1.0 - 1e-12)
    against = np.sign(held)
    worst = held @ np.outer(against, against) @ held
    assert found == pytest.approx(Z * math.sqrt(worst), rel=1e-9, abs=1e-300)


@settings(deadline=None)
@given(VALUES, st.integers(0, 2**32 - 1), st.floats(0.01, 100.0))
def test_losses_grow_in_step_with_positions_and_a_gap_s_sides_are_opposite(
    values: list[float], seed: int, factor: float
) -> None:
    """loss(a v) = a loss(v); gap up = - gap down; worst is the largest and never negative."""
    rng = np.random.default_rng(seed)
    spreads, volatilities = list(rng.uniform(0.0, 0.01, len(values))), list(rng.uniform(0.0, 0.05, len(values)))
    one = losses(values, spreads, volatilities)
    more = losses([factor * value for value in values], spreads, volatilities)
    assert more == pytest.approx({name: factor * loss for name, loss in one.items()}, rel=1e-9, abs=1e-12)
    assert one["gap_up"] == -one["gap_down"]
    assert one["worst"] == max(0.0, *(one[name] for name in StressScenario))


def test_without_equity_every_loss_is_infinite_but_only_where_something_is_held() -> None:
    for equity in (0.0, -5.0):
        assert set(losses([1.0], [0.0], [0.0], equity).values()) == {math.inf}
        assert set(losses([0.0], [0.0], [0.0], equity).values()) == {0.0}


def test_an_unknown_volatility_leaves_that_scenario_open_and_the_others_stand() -> None:
    found = losses([1e5, 1e5], [0.0, 0.0], [0.01, math.nan])
    assert math.isnan(found["correlation"])
    assert found["worst"] == pytest.approx(found["gap_down"]) == pytest.approx(0.006)


def test_settings_out_of_bounds_are_refused() -> None:
    for name, value in (("spread_multiple", 0.5), ("gap", 0.0), ("gap", 1.0)):
        with pytest.raises(ValueError, match=name):
            StressSettings.model_validate({name: value})
