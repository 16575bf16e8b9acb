"""Hedge ratios that are followed: against regression, under drift, and in their own confidence."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera_platform.risk.beta import (
    BETA_DTYPE,
    BetaSettings,
    beta_bound,
    beta_variance,
    follow_beta,
    follow_betas,
    new_betas,
)
from chimera_platform.settings import to_record

Array = np.ndarray[Any, Any]
ALL_ALIKE = to_record(BetaSettings(process_variance_ratio=0.0, noise_memory=1e9))[0]


def followed(instrument: Array, hedge: Array, settings: Any) -> tuple[Any, Array, Array]:
    """Return the final state, and beta and its variance after each sample."""
    state = np.zeros(1, BETA_DTYPE)[0]
    betas, variances = np.empty(len(hedge)), np.empty(len(hedge))
    for k in range(len(hedge)):
        follow_beta(state, settings, instrument[k], hedge[k])
        betas[k], variances[k] = state["beta"], beta_variance(state)
    return state, betas, variances


def drifting(seed: int, samples: int, ratio: float) -> tuple[Array, Array, Array]:
    """Return (returns of the instrument, of the hedge, true beta): the filter's own model, on minutes of metals."""
    rng = np.random.default_rng(seed)
    noise, hedge_deviation = 2e-4, 4e-4
    beta = 0.6 + np.cumsum(rng.normal(0.0, math.sqrt(ratio) * noise / hedge_deviation, samples))
    hedge = rng.normal(0.0, hedge_deviation, samples)
    return beta * hedge + rng.normal(0.0, noise, samples), hedge, beta


@pytest.mark.parametrize("samples", [2, 3, 50, 1_000])
def test_without_drift_beta_and_its_variance_are_those_of_least_squares(samples: int) -> None:
    instrument, hedge, _ = drifting(1, samples, 0.0)
    state, _, variances = followed(instrument, hedge, ALL_ALIKE)
    solution, residual, _, _ = np.linalg.lstsq(hedge[:, None], instrument, rcond=None)
    assert state["beta"] == pytest.approx(solution[0], rel=1e-12)
    assert state["noise_variance"] == pytest.approx(residual[0] / (samples - 1), rel=1e-9)
    assert variances[-1] == pytest.approx(residual[0] / (samples - 1) / (hedge**2).sum(), rel=1e-9)
    assert state["hedge_variance"] == pytest.approx((hedge**2).mean(), rel=1e-12)


# Invariant: with no process variance the filter is the regression through the origin, whatever the data.
@given(
    st.lists(
        st.tuples(
            st.floats(-0.125, 0.125, width=32), st.floats(-0.125, 0.125, width=32).filter(lambda x: abs(x) > 1e-6)
        ),
        min_size=1,
        max_size=30,
    )
)
def test_it_is_recursive_least_squares(rows: list[tuple[float, float]]) -> None:
    returns = np.array(rows, np.float64)
    state, _, _ = followed(returns[:, 0], returns[:, 1], ALL_ALIKE)
    expected = (returns[:, 0] * returns[:, 1]).sum() / (returns[:, 1] ** 2).sum()
    assert state["beta"] == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert state["samples"] == len(rows) and state["innovations"] == len(rows) - 1


@pytest.mark.parametrize(("ratio", "share"), [(1e-4, 0.8), (1e-3, 0.6), (1e-2, 0.4)])
def test_it_follows_a_drifting_beta_closer_than_a_regression_over_all_of_it(ratio: float, share: float) -> None:
    errors = []
    for seed in range(5):
        instrument, hedge, beta = drifting(seed, 4_000, ratio)
        _, followed_betas, _ = followed(instrument, hedge, to_record(BetaSettings(process_variance_ratio=ratio))[0])
        _, regressed, _ = followed(instrument, hedge, ALL_ALIKE)
        static = (instrument * hedge).sum() / (hedge**2).sum()  # it has even seen the future
        late = slice(500, None)
        errors.append([np.mean((each - beta)[late] ** 2) for each in (followed_betas, regressed, static)])
    ours, growing, whole = np.sqrt(np.mean(errors, axis=0))
    assert ours < share * min(growing, whole)


@pytest.mark.parametrize("ratio", [0.0, 1e-4, 1e-2])
def test_its_interval_covers_the_true_beta_as_often_as_it_says(ratio: float) -> None:
    settings = to_record(BetaSettings(process_variance_ratio=ratio))[0]
    covered = []
    for seed in range(60):
        instrument, hedge, beta = drifting(seed, 600, ratio)
        state, betas, variances = followed(instrument, hedge, settings)
        inside = np.abs(betas - beta) <= 1.645 * np.sqrt(variances)
        covered += [inside[150], inside[300], inside[-1]]
        assert 0.7 < state["innovation_square"] < 1.35
    assert 0.82 <= np.mean(covered) <= 0.97  # 180 draws of 0.90: 0.90 +- 3.5 standard errors


def test_its_steady_state_looks_back_over_about_one_over_the_root_of_the_ratio() -> None:
    hedge = np.where(np.arange(5_000) % 2 == 0, 4e-4, -4e-4)
    rng = np.random.default_rng(3)
    settings = to_record(BetaSettings(process_variance_ratio=1e-4))[0]
    state, _, _ = followed(0.6 * hedge + rng.normal(0.0, 2e-4, 5_000), hedge, settings)
    in_samples = state["information"] / state["hedge_variance"]
    ratio = 1e-4
    exact = (1.0 + math.sqrt(1.0 + 4.0 / ratio)) / 2.0  # a = a / (1 + a q) + 1 at rest
    assert in_samples == pytest.approx(exact, rel=1e-6)
    assert in_samples == pytest.approx(100.0, rel=0.01)


def test_missing_returns_leave_beta_and_widen_its_interval() -> None:
    instrument, hedge, _ = drifting(5, 300, 1e-3)
    settings = to_record(BetaSettings(process_variance_ratio=1e-3))[0]
    state, _, _ = followed(instrument, hedge, settings)
    before = state.copy()
    for _ in range(50):
        follow_beta(state, settings, math.nan, 1e-4)
        follow_beta(state, settings, 1e-4, math.nan)
    assert state["beta"] == before["beta"] and state["samples"] == before["samples"]
    assert state["noise_variance"] == before["noise_variance"]
    assert beta_variance(state) > 1.5 * beta_variance(before)


def test_the_bound_is_the_end_of_the_interval_nearer_to_zero() -> None:
    state = np.zeros(1, BETA_DTYPE)[0]
    assert beta_bound(state, 1.645) == 0.0 and beta_variance(state) == math.inf
    state["beta"], state["information"], state["noise_variance"], state["innovations"] = 0.5, 4.0, 0.16, 9
    assert beta_variance(state) == pytest.approx(0.04)
    assert beta_bound(state, 2.0) == pytest.approx(0.1)
    assert beta_bound(state, 3.0) == 0.0
    state["beta"] = -0.5
    assert beta_bound(state, 2.0) == pytest.approx(-0.1)


def test_a_single_sample_says_nothing_of_how_sure_it_is() -> None:
    state = np.zeros(1, BETA_DTYPE)[0]
    follow_beta(state, ALL_ALIKE, 3e-4, 6e-4)
    assert state["beta"] == pytest.approx(0.5) and beta_variance(state) == math.inf


def test_a_hedge_that_does_not_move_teaches_nothing() -> None:
    state = np.zeros(1, BETA_DTYPE)[0]
    for _ in range(5):
        follow_beta(state, ALL_ALIKE, 1e-4, 0.0)
    assert state["beta"] == 0.0 and beta_variance(state) == math.inf and np.isfinite(state["noise_variance"])


def test_pairs_follow_their_own_instruments_and_unknown_symbols_are_left_out() -> None:
    pairs = (("GOLD", "SILVER"), ("GOLD", "OIL"), ("SILVER", "GOLD"))
    states = new_betas(pairs, ("SILVER", "EURO", "GOLD"))
    assert states["instrument_id"].tolist() == [2, 0] and states["hedge_id"].tolist() == [0, 2]
    rng = np.random.default_rng(2)
    silver = rng.normal(0.0, 1e-3, 400)
    gold = 0.4 * silver + rng.normal(0.0, 1e-4, 400)
    for k in range(400):
        follow_betas(states, ALL_ALIKE, np.array([silver[k], math.nan, gold[k]]))
    assert states["beta"][0] == pytest.approx(0.4, abs=0.02)
    assert states["beta"][1] == pytest.approx((gold @ silver) / (gold @ gold), rel=1e-9)
