"""Parameter sets: complete grids, seeded draws within bounds, and errors before anything runs."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.configuration import Configuration, with_parameters
from chimera_platform.errors import ConfigurationError
from chimera_platform.simulation.backtest.parameter_sets import DEFAULT_KEYS, grid_sets, random_sets

BASE = Configuration()


def test_a_grid_is_every_combination_with_the_last_key_fastest() -> None:
    sets = grid_sets({"hft": {"stop_vols": [1.0, 2.0]}, "risk": {"max_orders": [1, 2, 3]}}, BASE)
    assert sets == [
        {"hft": {"stop_vols": stop}, "risk": {"max_orders": orders}} for stop in (1.0, 2.0) for orders in (1, 2, 3)
    ]


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({}, "grid: no parameter"),
        ({"hft": {}}, "grid: no parameter"),
        ({"hft": {"stop_vols": []}}, "'hft.stop_vols' is []; expected a list"),
        ({"hft": {"stop_vols": 1.0}}, "'hft.stop_vols' is 1.0; expected a list"),
        ({"hft": {"stop_vols": "12"}}, "'hft.stop_vols' is '12'; expected a list"),
        ({"hft": {"stop_vols": [1.0, "2"]}}, "'hft.stop_vols' has the value '2'"),
        ({"hft": {"stop_vols": [math.nan]}}, "'hft.stop_vols' has the value nan"),
        ({"hft": {"stop_vols": [1.0, 11.0]}}, "'hft.stop_vols' is 11.0"),
        ({"hft": {"patience": [1.0]}}, "unknown key 'hft.patience'"),
        ({"oracle": {"patience": [1.0]}}, "unknown key 'oracle'"),
        ({"hft": {"stop_vols": [1.0] * 2_000, "target_vols": [1.0] * 2_000}}, "4,000,000 combinations"),
    ],
)
def test_a_grid_that_cannot_be_run_is_refused_by_name(grid: Any, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        grid_sets(grid, BASE)
    assert message in str(caught.value)


def test_draws_follow_from_the_seed_alone() -> None:
    assert random_sets(20, 3, BASE) == random_sets(20, 3, BASE)
    assert random_sets(20, 3, BASE)[:5] == random_sets(5, 3, BASE)
    assert random_sets(5, 3, BASE) != random_sets(5, 4, BASE)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**63))
def test_every_draw_is_valid_and_names_every_default_key(seed: int) -> None:
    """Invariant: what is drawn is within the settings' bounds, for every seed."""
    for parameters in random_sets(3, seed, BASE):
        assert {section: tuple(keys) for section, keys in parameters.items()} == DEFAULT_KEYS
        with_parameters(BASE, parameters)


def test_draws_spread_over_the_range_of_each_key() -> None:
    keys = {"hft": ["enabled", "version", "queue_imbalance_min", "cooldown_ns", "order_notional"]}
    drawn = [parameters["hft"] for parameters in random_sets(400, 1, BASE, keys)]
    assert {p["enabled"] for p in drawn} == {0, 1}
    assert {p["version"] for p in drawn} == {1, 2}
    assert 0.4 < sum(p["queue_imbalance_min"] for p in drawn) / 400 < 0.6
    durations = sorted(p["cooldown_ns"] for p in drawn)
    assert all(isinstance(each, int) for each in durations)
    assert 2e9 < durations[200] < 2e10  # by magnitude: the middle is the geometric mean of 60 ms and 600 s
    notionals = sorted(p["order_notional"] for p in drawn)
    assert 1e4 < notionals[200] < 1e5


def test_a_bound_that_is_itself_excluded_is_never_drawn() -> None:
    for parameters in random_sets(200, 5, BASE, {"risk": ["soft_drawdown", "hard_drawdown", "max_spread_ppm"]}):
        assert parameters["risk"]["soft_drawdown"] < 1.0
        assert parameters["risk"]["hard_drawdown"] > 0.0
        assert parameters["risk"]["max_spread_ppm"] > 0.0


def test_a_section_without_keys_stands_for_all_of_its_keys() -> None:
    (parameters,) = random_sets(1, 1, BASE, {"order_flow": []})
    assert set(parameters["order_flow"]) == set(type(BASE.order_flow).model_fields)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"oracle": []}, "no section 'oracle'"),
        ({"hft": ["patience"]}, "no setting 'hft.patience'"),
        ({"account": ["name"]}, "'account.name' has no range"),
    ],
)
def test_what_cannot_be_drawn_is_refused_by_name(keys: dict[str, list[str]], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        random_sets(1, 1, BASE, keys)
    assert message in str(caught.value)


@pytest.mark.parametrize("count", [0, 1_000_001])
def test_a_number_of_sets_out_of_bounds_is_refused(count: int) -> None:
    with pytest.raises(ConfigurationError, match="parameter sets"):
        random_sets(count, 1, BASE)
