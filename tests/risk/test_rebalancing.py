"""Invariant: weights stay within their bounds, move at most a step at a time, and favour what has earned more."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.execution.records import ENGINE_COUNT, Engine
from chimera_platform.portfolio.performance_tracker import (
    PerformanceTrackingSettings,
    new_performances,
    note_trade,
    performance_tracking_record,
)
from chimera_platform.risk.rebalancing import (
    is_rebalance_due,
    new_weights,
    rebalance,
    set_priors,
    set_targets,
    shrunken_score,
    tilt,
)

SECOND = 10**9
SHARES = [0.4, 0.3, 0.3, 0.3]
FREE = [int(Engine.HFT), int(Engine.STRUCTURE), int(Engine.ORDER_FLOW)]
HEDGE = int(Engine.HEDGE)
PRIORS = st.lists(st.floats(0.0, 1.0), min_size=ENGINE_COUNT, max_size=ENGINE_COUNT).map(np.array)
SHARPES = st.lists(st.floats(-3.0, 3.0), min_size=3, max_size=3)
COUNTS = st.lists(st.integers(0, 60), min_size=3, max_size=3)
OPTIONS = st.builds(
    PerformanceTrackingSettings,
    weight_band=st.floats(0.0, 1.0),
    max_step=st.floats(0.005, 1.0),
    smoothing=st.floats(0.01, 1.0),
    temperature=st.floats(0.01, 10.0),
    shrinkage_trades=st.floats(0.0, 1e4),
    min_change=st.just(0.005),
)


def record(**changes):
    return performance_tracking_record(PerformanceTrackingSettings(**changes))[0]


def performances(sharpes, counts, parameters):
    """Return the performances after alternating trades around each engine's Sharpe ratio."""
    found = new_performances(ENGINE_COUNT)
    for e, (sharpe, count) in enumerate(zip(sharpes, counts, strict=True)):
        for k in range(count):
            note_trade(found[e], parameters, round((sharpe + (-1) ** k) * 1e9), 10**12, k)
    return found


def started(priors, found, parameters):
    weights = new_weights(SHARES)[0]
    set_priors(weights, found, parameters, np.asarray(priors, float))
    return weights


def run(weights, found, parameters, times):
    return [rebalance(weights, found, parameters, k * 10 * SECOND) for k in range(times)]


@settings(max_examples=50, deadline=None)
@given(PRIORS, PRIORS, SHARPES, COUNTS, OPTIONS)
def test_bounds_and_the_step_cap_hold_at_every_rebalancing(priors, later, sharpes, counts, options):
    parameters = performance_tracking_record(options)[0]
    weights = started(priors, new_performances(ENGINE_COUNT), parameters)
    found = performances(sharpes, counts, parameters)
    for k in range(40):
        if k == 20:
            set_priors(weights, found, parameters, later)
        before = weights["weight"].copy()
        changed = rebalance(weights, found, parameters, k * 10 * SECOND)
        after = weights["weight"]
        assert (after >= weights["lower"]).all()
        assert (after <= weights["upper"]).all()
        assert (np.abs(after - before) <= options.max_step * (1 + 1e-12)).all()
        assert [bool(changed >> e & 1) for e in range(ENGINE_COUNT)] == [bool(x) for x in after != before]
        assert (weights["previous"] == before).all()
        assert after[HEDGE] == 1.0


@settings(max_examples=50, deadline=None)
@given(PRIORS, SHARPES, COUNTS, OPTIONS, st.integers(0, 2), st.floats(0.0, 3.0))
def test_an_engine_that_did_better_never_gets_less_and_the_others_never_more(
    priors, sharpes, counts, options, engine, better
):
    parameters = performance_tracking_record(options)[0]
    weights = started(priors, new_performances(ENGINE_COUNT), parameters)
    improved = list(sharpes)
    improved[engine] += better
    set_targets(weights, performances(sharpes, counts, parameters), parameters)
    before = weights["target"].copy()
    set_targets(weights, performances(improved, counts, parameters), parameters)
    after = weights["target"]
    assert after[engine] >= before[engine] - 1e-9
    assert all(after[e] <= before[e] + 1e-9 for e in FREE if e != engine)


@settings(max_examples=50, deadline=None)
@given(SHARPES, OPTIONS)
def test_of_engines_with_one_prior_the_better_never_has_less(sharpes, options):
    parameters = performance_tracking_record(options)[0]
    weights = started([0.8] * ENGINE_COUNT, new_performances(ENGINE_COUNT), parameters)
    found = performances(sharpes, [50, 50, 50], parameters)
    run(weights, found, parameters, 50)
    order = np.argsort([shrunken_score(found[e], parameters) for e in FREE], kind="stable")
    ranked = weights["weight"][order]
    assert (np.diff(ranked) >= -2 * options.min_change - 1e-12).all()


@settings(deadline=None)
@given(PRIORS, OPTIONS)
def test_without_trades_nothing_leaves_the_prior(priors, options):
    parameters = performance_tracking_record(options)[0]
    found = new_performances(ENGINE_COUNT)
    weights = started(priors, found, parameters)
    assert not any(run(weights, found, parameters, 10))
    assert (weights["weight"][FREE] == priors[FREE]).all()
    assert weights["rebalancings"] == 0


@settings(deadline=None)
@given(SHARPES, OPTIONS)
def test_an_engine_with_too_few_trades_stays_at_its_prior(sharpes, options):
    parameters = performance_tracking_record(options)[0]
    found = performances(sharpes, [60, 19, 60], parameters)
    weights = started([0.7] * ENGINE_COUNT, new_performances(ENGINE_COUNT), parameters)
    run(weights, found, parameters, 30)
    assert weights["weight"][Engine.STRUCTURE] == 0.7


def test_the_trade_that_completes_the_minimum_is_enough():
    parameters = record(min_trades_before_rebalance=20)
    weights = started([0.7] * ENGINE_COUNT, new_performances(ENGINE_COUNT), parameters)
    found = performances([-2.0, 0.0, 0.0], [20, 0, 0], parameters)
    assert rebalance(weights, found, parameters, 0) == 1 << Engine.HFT
    assert weights["weight"][Engine.HFT] < 0.7


def test_equal_engines_stay_where_the_release_has_put_them():
    parameters = record()
    weights = started([0.6, 0.4, 1.0, 1.0], new_performances(ENGINE_COUNT), parameters)
    found = performances([0.4, 0.4, 0.4], [100, 100, 100], parameters)
    assert not any(run(weights, found, parameters, 20))


def test_the_target_is_the_prior_times_the_tilt_with_capital_kept():
    parameters = record(weight_band=1.0, max_weight=10.0)
    found = performances([0.3, -0.1, 0.0], [100, 80, 60], parameters)
    weights = started([0.6, 0.9, 0.8, 0.0], new_performances(ENGINE_COUNT), parameters)
    set_targets(weights, found, parameters)
    priors, shares = np.array([0.6, 0.9, 0.8]), np.array(SHARES[:3])
    tilts = np.array([tilt(found[e], parameters) for e in FREE])
    expected = priors * tilts * (shares @ priors) / (shares @ (priors * tilts))
    assert weights["target"][FREE] == pytest.approx(expected, rel=1e-12)
    assert shares @ weights["target"][FREE] == pytest.approx(shares @ priors, rel=1e-12)


def test_weights_converge_to_their_targets_and_then_rest():
    parameters = record()
    weights = started([0.8] * ENGINE_COUNT, new_performances(ENGINE_COUNT), parameters)
    found = performances([0.3, -0.2, 0.0], [100, 100, 100], parameters)
    changes = run(weights, found, parameters, 200)
    assert np.abs(weights["weight"] - weights["target"]).max() <= parameters["min_change"]
    assert changes[0] != 0
    assert not any(changes[100:])


def test_weights_rest_even_where_no_change_is_too_small():
    parameters = record(min_change=0.0, max_step=1e-3, smoothing=0.37)
    weights = started([0.8] * ENGINE_COUNT, new_performances(ENGINE_COUNT), parameters)
    found = performances([0.3, -0.2, 0.1], [100, 100, 100], parameters)
    changes = run(weights, found, parameters, 1_000)
    assert not any(changes[-100:])
    assert weights["weight"] == pytest.approx(weights["target"], rel=1e-12)


def test_rebalancing_waits_for_each_whole_interval_of_event_time():
    parameters = record(rebalance_interval_seconds=10)
    found = performances([0.3, -0.2, 0.0], [100, 100, 100], parameters)
    weights = started([0.8] * ENGINE_COUNT, new_performances(ENGINE_COUNT), parameters)
    start = 1_700_000_003 * SECOND
    assert rebalance(weights, found, parameters, start) != 0
    assert weights["next_rebalance_ts"] == 1_700_000_010 * SECOND
    assert not is_rebalance_due(weights, 1_700_000_010 * SECOND - 1)
    assert rebalance(weights, found, parameters, 1_700_000_010 * SECOND - 1) == 0
    assert is_rebalance_due(weights, 1_700_000_010 * SECOND)
    assert rebalance(weights, found, parameters, 1_700_000_010 * SECOND) != 0


def test_the_same_trades_give_the_same_bytes():
    parameters = record()

    def once():
        found = performances([0.3, -0.2, 0.1], [100, 50, 30], parameters)
        weights = started([0.8] * ENGINE_COUNT, new_performances(ENGINE_COUNT), parameters)
        run(weights, found, parameters, 50)
        return weights.tobytes()

    assert once() == once()


def test_a_release_carries_measured_weights_into_its_bounds_at_once():
    parameters = record(weight_band=0.25)
    found = performances([0.5, -0.5, 0.0], [100, 100, 0], parameters)
    weights = started([0.8] * ENGINE_COUNT, new_performances(ENGINE_COUNT), parameters)
    run(weights, found, parameters, 100)
    hft, structure = weights["weight"][:2].copy()
    assert hft > 0.9
    assert structure < 0.7
    changed = set_priors(weights, found, parameters, np.array([0.4, 0.6, 0.5, 0.2]))
    assert list(weights["weight"]) == [0.5, structure, 0.5, 1.0]  # to its upper bound, inside, to the prior, hedges
    assert changed == 1 << Engine.HFT | 1 << Engine.ORDER_FLOW
    assert list(weights["previous"][:3]) == [hft, structure, 0.8]
    assert (weights["lower"][0], weights["upper"][0]) == (pytest.approx(0.3), 0.5)


def test_a_weight_of_zero_is_final_until_the_next_release():
    parameters = record()
    found = performances([3.0, 0.0, 0.0], [100, 100, 100], parameters)
    weights = started([0.0, 1.0, 1.0, 1.0], new_performances(ENGINE_COUNT), parameters)
    run(weights, found, parameters, 50)
    assert weights["weight"][Engine.HFT] == 0.0


def test_a_prior_above_the_largest_weight_stands_as_it_is():
    parameters = record(max_weight=1.2)
    weights = started([2.0, 1.1, 1.0, 1.0], new_performances(ENGINE_COUNT), parameters)
    assert list(weights["upper"][:3]) == [2.0, 1.2, 1.2]


def test_switched_off_the_weights_are_the_releases():
    parameters = record(enable_dynamic_rebalancing=False)
    found = performances([0.5, -0.5, 0.0], [100, 100, 100], parameters)
    weights = started([0.3, 0.9, 0.5, 1.0], found, parameters)
    assert not any(run(weights, found, parameters, 20))
    set_priors(weights, found, parameters, np.array([0.7, 0.2, 0.1, 1.0]))
    assert list(weights["weight"]) == [0.7, 0.2, 0.1, 1.0]


def simulate(edges, seed, trades=600):
    """Return the engines' weights over a run in which each trades in turn with its own mean return, deviation 1 %."""
    parameters = record()
    generator = np.random.default_rng(seed)
    found = new_performances(ENGINE_COUNT)
    weights = started([0.8] * ENGINE_COUNT, found, parameters)
    path = np.empty((trades, 3))
    for k in range(trades):
        for e, edge in enumerate(edges):
            note_trade(found[e], parameters, round(generator.normal(edge, 0.01) * 1e12), 10**12, k)
        rebalance(weights, found, parameters, k * 10 * SECOND)
        path[k] = weights["weight"][:3]
    return path


def test_a_truly_better_engine_gains_weight():
    paths = np.array([simulate([0.003, 0.0, 0.0], seed)[200:].mean(axis=0) for seed in range(20)])
    assert (paths[:, 0] > 0.8).mean() >= 0.95
    assert paths[:, 0].mean() > 0.95
    assert paths[:, 1:].mean() < 0.8


def test_equal_engines_stay_near_their_prior():
    paths = np.array([simulate([0.001, 0.001, 0.001], seed)[200:].mean(axis=0) for seed in range(20)])
    assert np.abs(paths.mean(axis=0) - 0.8).max() < 0.05
    assert np.abs(paths - 0.8).max() < 0.25
