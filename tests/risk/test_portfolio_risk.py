"""Correlation-aware risk: the running variance is the pairwise sum, and no trade leads above its limit.

Invariants: x'Σx <= variance <= (sum |x| σ)²; ``risk_after`` is exact where all pairs are known and never too low; the
lots allowed are the most whose risk is within the limit, or within what it is already.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chimera_platform.portfolio.positions import MAX_POSITION_LOTS
from chimera_platform.risk.covariance import (
    CovarianceSettings,
    covariance_record,
    new_market_risk,
    new_moments,
    new_portfolio_risk,
    sample_returns,
)
from chimera_platform.risk.portfolio_risk import (
    exposure_nanos,
    feared_correlation,
    lots_within_risk,
    pair_evidence,
    portfolio_risk,
    refresh_portfolio,
    risk_after,
    risk_at,
    risk_slope,
    set_exposure,
    shrunk_correlation,
    shrunk_covariance,
    symbol_risk,
    trade_risk,
    worse_exposure,
)
from tests.reference import portfolio_risk as reference

MINUTE = 60_000_000_000
N = 5
EQUITY = 10**15
LOT = 2 * 10**12  # a lot of everything is worth 2,000


class Book(NamedTuple):
    """Five instruments after some samples, of which the last joins late and the fourth is often closed."""

    market_risk: Any
    moments: Any
    portfolio: Any
    settings: Any

    def set(self, i: int, exposure: float) -> None:
        set_exposure(*self, i, exposure)

    def exposures(self) -> list[float]:
        return [float(x) for x in self.market_risk["exposure"]]

    def expected_variance(self) -> float:
        pairs = [(i, j) for i in range(N) for j in range(N)]
        correlations, evidence = np.eye(N), np.eye(N)
        for i, j in pairs:
            correlations[i, j] = shrunk_correlation(self.market_risk, self.moments, self.portfolio, i, j)
            if i != j:
                evidence[i, j] = pair_evidence(self.market_risk, self.moments, self.settings, i, j)
        volatilities = [float(v) for v in self.market_risk["volatility"]]
        unseen = float(self.settings["unseen_correlation"])
        return reference.variance(self.exposures(), volatilities, correlations.tolist(), evidence.tolist(), unseen)

    def risk(self) -> float:
        return float(portfolio_risk(self.portfolio, self.settings, EQUITY))

    def lot_risk(self, i: int) -> float:
        return float(symbol_risk(self.market_risk[i], self.settings, LOT, EQUITY))

    def slope(self, i: int, side: int) -> float:
        return float(risk_slope(*self, i, side, float(self.market_risk["exposure"][i]), LOT, EQUITY))


def book(seed: int = 1, samples: int = 200, **given: Any) -> Book:
    sampled = sampled_book(seed, samples, tuple(given.items()))
    return Book(*(part.copy() for part in sampled[:2]), sampled.portfolio.copy()[0], sampled.settings[0])


@functools.cache
def sampled_book(seed: int, samples: int, given: tuple[tuple[str, Any], ...]) -> Book:
    parameters = CovarianceSettings.model_validate(dict(given))
    market_risk, moments = new_market_risk(N, parameters), new_moments(N, parameters)
    portfolio, record, returns = new_portfolio_risk(), covariance_record(parameters), np.zeros(N)
    rng = np.random.default_rng(seed)
    normal = rng.normal(size=(samples, N)) + np.array([1.0, 1.5, -1.0, 0.7, 0.4]) * rng.normal(size=(samples, 1))
    prices = 100.0 * np.exp(np.cumsum(2e-4 * normal, axis=0))
    prices[(np.arange(samples) // 50) % 2 == 1, 3] = math.nan
    prices[: samples - 10, 4] = math.nan
    for k in range(samples):
        sample_returns(market_risk, moments, portfolio[0], returns, prices[k], record[0], (k + 1) * MINUTE)
    return Book(market_risk, moments, portfolio, record)


EXPOSURES = st.one_of(st.just(0.0), st.integers(-2_000, 2_000).map(lambda n: float(n * LOT)))
PORTFOLIOS = st.lists(EXPOSURES, min_size=N, max_size=N)
SIDES = st.sampled_from([1, -1])
UNSEEN = st.sampled_from([0.0, 0.3, 1.0])


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, N - 1), EXPOSURES), max_size=40),
    st.integers(0, 5),
    st.sampled_from([0, 1, 30, 200]),
    UNSEEN,
)
def test_after_any_changes_the_running_variance_is_the_sum_over_all_pairs(
    changes: list[tuple[int, float]], seed: int, samples: int, unseen: float
) -> None:
    b = book(seed, samples, unseen_correlation=unseen)
    for i, exposure in changes:
        b.set(i, exposure)
    expected = b.expected_variance()
    largest = max([sum(abs(x) for _, x in changes), 1.0]) ** 2 * float(b.market_risk["volatility"].max()) ** 2
    assert b.portfolio["variance"] == pytest.approx(expected, rel=1e-9, abs=1e-13 * largest)
    refresh_portfolio(*b)
    assert b.portfolio["variance"] == pytest.approx(expected, rel=1e-12)
    held = sorted(int(b.market_risk["held"][k]) for k in range(b.portfolio["held_count"]))
    assert held == [i for i, x in enumerate(b.exposures()) if x != 0.0]
    assert [int(b.market_risk["held"][b.market_risk["held_at"][i]]) for i in held] == held


@settings(max_examples=150, deadline=None)
@given(PORTFOLIOS, st.integers(0, 5), st.sampled_from([0, 30, 200]), UNSEEN)
def test_the_variance_is_between_that_of_the_shrunken_covariance_and_that_of_all_correlations_at_their_worst(
    exposures: list[float], seed: int, samples: int, unseen: float
) -> None:
    b, x = book(seed, samples, unseen_correlation=unseen), np.array(exposures)
    for i, exposure in enumerate(exposures):
        b.set(i, exposure)
    refresh_portfolio(*b)
    parts = (b.market_risk, b.moments, b.portfolio)
    covariance = np.array([[shrunk_covariance(*parts, i, j) for j in range(N)] for i in range(N)])
    at_least = x @ covariance @ x
    worst = float(np.abs(x) @ b.market_risk["volatility"]) ** 2
    assert at_least * (1 - 1e-12) - 1e-12 * worst <= b.portfolio["variance"] <= worst * (1 + 1e-12)
    if unseen == 0.0 and samples == 200 and x[4] == 0.0:  # there is evidence of every pair
        assert b.portfolio["variance"] == pytest.approx(at_least, rel=1e-9, abs=1e-12 * worst)
    horizon_worst = math.sqrt(worst * float(b.settings["horizon_samples"])) / EQUITY
    assert b.risk() <= horizon_worst * (1 + 1e-12)


@settings(max_examples=200, deadline=None)
@given(PORTFOLIOS, st.integers(0, N - 1), SIDES, st.integers(0, 3_000), st.integers(0, 5), UNSEEN)
def test_the_risk_after_a_trade_is_what_the_book_says_then_or_more(
    exposures: list[float], i: int, side: int, lots: int, seed: int, unseen: float
) -> None:
    b = book(seed, unseen_correlation=unseen)
    for j, exposure in enumerate(exposures):
        b.set(j, exposure)
    refresh_portfolio(*b)
    predicted = risk_after(b.risk(), b.slope(i, side), b.lot_risk(i), lots)
    b.set(i, exposures[i] + side * lots * float(LOT))
    refresh_portfolio(*b)
    scale = 1e-7 * sum(abs(x) for x in (*exposures, lots * LOT)) / EQUITY
    assert predicted >= b.risk() - scale
    if exposures[i] * side >= 0.0 or (unseen == 0.0 and exposures[4] == 0.0 and i != 4):
        assert predicted == pytest.approx(b.risk(), rel=1e-9, abs=scale)


FRACTIONS = st.floats(0.0, 1.0)


@settings(max_examples=500, deadline=None)
@given(FRACTIONS, st.floats(-1.0, 1.0), st.floats(1e-6, 1.0), FRACTIONS)
def test_the_lots_within_the_limit_are_the_most_there_are(
    now: float, correlation: float, of_a_lot: float, limit: float
) -> None:
    slope = correlation * now * of_a_lot
    lots = lots_within_risk(now, slope, of_a_lot, limit)
    bound, tiny = max(limit, now), 1e-12
    assert 0 <= lots < MAX_POSITION_LOTS
    assert risk_after(now, slope, of_a_lot, lots) <= bound * (1 + tiny)
    assert risk_after(now, slope, of_a_lot, lots + 1) >= bound * (1 - tiny)


LOTS = st.integers(0, 800)


@settings(max_examples=300, deadline=None)
@given(PORTFOLIOS, st.integers(-800, 800), LOTS, LOTS, st.integers(0, N - 1), SIDES, st.floats(0.0, 0.2), UNSEEN)
def test_whichever_open_entries_fill_the_risk_stays_within_the_limit_or_within_what_it_was(
    exposures: list[float], net: int, buying: int, selling: int, i: int, side: int, limit: float, unseen: float
) -> None:
    """An entry that would reduce is not counted on while it is open, be it the new one or on the other side."""
    b = book(2, unseen_correlation=unseen)
    for j, exposure in enumerate(exposures):
        b.set(j, exposure)
    refresh_portfolio(*b)
    b.set(i, worse_exposure(*b, i, (net + buying) * float(LOT), (net - selling) * float(LOT)))
    before = b.risk()
    own = (net + buying if side > 0 else net - selling) * float(LOT)
    base, slope = risk_at(*b, i, own, EQUITY), risk_slope(*b, i, side, own, LOT, EQUITY)
    assert base <= before * (1 + 1e-9) + 1e-9
    lots = lots_within_risk(base, slope, b.lot_risk(i), max(limit, before))
    assume(lots < 10**6)
    entries = (net + buying + (lots if side > 0 else 0), net - selling - (lots if side < 0 else 0))
    for filled in {*entries, net, *range(entries[1], entries[0] + 1, max((entries[0] - entries[1]) // 5, 1))}:
        assert risk_at(*b, i, filled * float(LOT), EQUITY) <= max(limit, before) * (1 + 1e-7) + 1e-9
    b.set(i, worse_exposure(*b, i, entries[0] * float(LOT), entries[1] * float(LOT)))
    after = max(before, risk_after(base, slope, b.lot_risk(i), lots)) if lots > 0 else before
    assert b.risk() <= after * (1 + 1e-7) + 1e-9


@pytest.mark.parametrize("now", [0.0, 0.03, 0.05, 0.06, 0.12])
@pytest.mark.parametrize("correlation", [-1.0, -0.5, 0.0, 0.5, 1.0])
def test_at_round_numbers_the_lots_are_those_that_counting_finds(now: float, correlation: float) -> None:
    """Where the limit is met exactly, rounding of the root must not decide."""
    for of_a_lot in (0.01, 0.007, 0.001, 0.02):
        for limit in (0.1, 0.13, 0.2, 0.3):
            slope = correlation * now * of_a_lot

            def is_within(lots: int) -> bool:
                return bool(risk_after(now, slope, of_a_lot, lots) <= max(limit, now))  # noqa: B023

            assert lots_within_risk(now, slope, of_a_lot, limit) == reference.most_lots(is_within)


@settings(max_examples=200, deadline=None)
@given(PORTFOLIOS, st.integers(0, N - 1), SIDES, st.floats(0.0, 0.2), st.integers(0, 5), UNSEEN)
def test_whatever_is_held_the_allowed_trade_never_makes_a_risk_above_the_limit_or_above_what_it_was(
    exposures: list[float], i: int, side: int, limit: float, seed: int, unseen: float
) -> None:
    b = book(seed, unseen_correlation=unseen)
    for j, exposure in enumerate(exposures):
        b.set(j, exposure)
    refresh_portfolio(*b)
    before = b.risk()
    lots = lots_within_risk(before, b.slope(i, side), b.lot_risk(i), limit)
    assume(lots < 10**6)
    b.set(i, exposures[i] + side * lots * float(LOT))
    refresh_portfolio(*b)
    assert b.risk() <= max(limit, before) * (1 + 1e-7) + 1e-12


@pytest.mark.parametrize(
    ("now", "slope", "of_a_lot", "limit", "lots"),
    [
        (0.0, 0.0, 0.01, 0.10, 10),  # nothing held: the limit over the risk of a lot
        (0.05, 0.05 * 0.01, 0.01, 0.10, 5),  # fully correlated: risks add up
        (0.06, 0.0, 0.01, 0.10, 8),  # uncorrelated: 0.06² + 0.08² = 0.10²
        (0.05, -0.05 * 0.01, 0.01, 0.10, 15),  # the opposite: down to zero, then up to the limit
        (0.10, 0.0, 0.01, 0.10, 0),  # at the limit
        (0.12, 0.12 * 0.01, 0.01, 0.10, 0),  # above it, and more risk
        (0.12, -0.12 * 0.0101, 0.0101, 0.10, 23),  # above it, and less risk: until it is 0.12 again
        (0.12, -0.06 * 0.0101, 0.0101, 0.10, 11),
        (0.12, 0.0, 0.01, 0.10, 0),
        (0.05, 0.0, 0.0, 0.10, MAX_POSITION_LOTS),  # a lot without any risk
        (0.05, 0.0, 0.01, 0.0, 0),
        (math.inf, math.inf, math.inf, 0.10, 0),  # no equity
        (0.05, math.nan, 0.01, 0.10, 0),
    ],
)
def test_lots_within_the_limit_by_example(now: float, slope: float, of_a_lot: float, limit: float, lots: int) -> None:
    assert lots_within_risk(now, slope, of_a_lot, limit) == lots


def test_before_anything_is_known_positions_count_as_fully_correlated_and_with_the_prior_volatility() -> None:
    b = book(samples=0, prior_volatility=0.02)
    b.set(0, 1e14)
    b.set(1, -5e13)  # a tenth long and a twentieth short of the equity, which do not make up for each other
    assert b.risk() == pytest.approx(0.02 * 0.15)
    assert b.lot_risk(2) == pytest.approx(0.02 * LOT / EQUITY)


def test_pairs_that_are_known_make_up_for_each_other_and_pairs_that_are_not_do_not() -> None:
    b = book()
    assert pair_evidence(b.market_risk, b.moments, b.settings, 0, 1) > 0.8
    assert pair_evidence(b.market_risk, b.moments, b.settings, 0, 4) == 0.0  # nine returns: too few
    assert 0.0 < pair_evidence(b.market_risk, b.moments, b.settings, 0, 3) < 0.8  # half of the time closed
    assert feared_correlation(b.market_risk, b.moments, b.portfolio, b.settings, 0, 4, 1.0) == 1.0
    assert feared_correlation(b.market_risk, b.moments, b.portfolio, b.settings, 0, 1, -1.0) < 0.0


def test_a_hedge_lowers_the_risk_and_the_same_side_raises_it() -> None:
    b = book()
    b.set(0, 1e15)
    alone = b.risk()
    assert b.slope(1, -1) < 0.0 < b.slope(1, 1)
    b.set(1, -5e14)
    assert b.risk() < alone
    b.set(1, 5e14)
    assert b.risk() > alone


def test_risk_over_a_horizon_grows_with_its_square_root() -> None:
    day, hour = (book(risk_horizon_ns=h) for h in (86_400_000_000_000, 3_600_000_000_000))
    for b in (day, hour):
        b.set(0, 1e15)
    assert day.risk() == pytest.approx(hour.risk() * math.sqrt(24))
    assert day.lot_risk(0) == pytest.approx(hour.lot_risk(0) * math.sqrt(24))
    assert day.slope(1, 1) == pytest.approx(hour.slope(1, 1) * 24)


@pytest.mark.parametrize("equity", [0, -(10**12)])
def test_without_equity_every_risk_is_infinite_except_of_nothing(equity: int) -> None:
    b = book()
    assert portfolio_risk(b.portfolio, b.settings, equity) == 0.0
    b.set(0, 1e14)
    assert portfolio_risk(b.portfolio, b.settings, equity) == math.inf
    assert symbol_risk(b.market_risk[0], b.settings, LOT, equity) == math.inf
    assert risk_slope(*b, 1, 1, 0.0, LOT, equity) == math.inf
    assert trade_risk(10, 10**7, equity) == math.inf


def test_the_loss_of_a_lot_at_its_stop_is_a_fraction_of_equity() -> None:
    assert trade_risk(20, 10 * 10**9, 10_000 * 10**9) == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("lots", "mid2", "expected"), [(3, 201, 3_015.0), (-3, 201, -3_015.0), (3, -201, 3_015.0), (3, 0, 15.0)]
)
def test_an_exposure_has_the_sign_of_its_lots_also_at_prices_that_are_not_positive(
    lots: int, mid2: int, expected: float
) -> None:
    assert exposure_nanos(lots, mid2, 10) == expected
