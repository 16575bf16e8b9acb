"""Covariance: positive semidefinite whatever is missing, equal to the definition over the whole history.

Invariants: eigenvalues of the shrunken matrix are >= 0 but for rounding, its correlations and all evidence are within
[-1, 1] and [0, 1], and what has no return leaves an instrument's own variance as it was.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.covariance import LedoitWolf, empirical_covariance

from chimera_platform.configuration import load_configuration
from chimera_platform.errors import ConfigurationError
from chimera_platform.risk.covariance import (
    DAY_NS,
    CovarianceSettings,
    covariance_record,
    log_return,
    new_market_risk,
    new_moments,
    new_portfolio_risk,
    sample_returns,
    usable_mid,
    volatility_ratio,
)
from chimera_platform.risk.portfolio_risk import shrunk_covariance
from tests.reference import covariance as reference

MINUTE = 60_000_000_000
NAN = math.nan


@dataclass
class Sampler:
    """The state of some instruments and their samples, one after the other."""

    instruments: int
    given: CovarianceSettings

    def __post_init__(self) -> None:
        self.settings = covariance_record(self.given)[0]
        self.market_risk = new_market_risk(self.instruments, self.given)
        self.moments = new_moments(self.instruments, self.given)
        self.portfolio = new_portfolio_risk()
        self.returns = np.full(self.instruments, NAN)
        self.ts = 0

    def sample(self, mids: Any, after_ns: int = MINUTE) -> Sampler:
        self.ts += after_ns
        mids = np.asarray(mids, float)
        sample_returns(self.market_risk, self.moments, self.portfolio[0], self.returns, mids, self.settings, self.ts)
        return self

    def sample_all(self, rows: Any) -> Sampler:
        for row in rows:
            self.sample(row)
        return self

    def shrunken(self) -> np.ndarray[Any, Any]:
        parts, each = (self.market_risk, self.moments, self.portfolio[0]), range(self.instruments)
        return np.array([[shrunk_covariance(*parts, i, j) for j in each] for i in each])

    def ratio(self, i: int = 0) -> float:
        return float(volatility_ratio(self.market_risk[i], self.settings))


def sampler(instruments: int = 2, **given: Any) -> Sampler:
    return Sampler(instruments, CovarianceSettings.model_validate(given))


def walk(seed: int, samples: int, correlation: Any, deviation: float = 1e-3) -> np.ndarray[Any, Any]:
    """Return prices (samples, instruments) whose log returns are normal with one deviation and these correlations."""
    matrix = np.asarray(correlation, float)
    normal = np.random.default_rng(seed).multivariate_normal(np.zeros(len(matrix)), matrix, samples, method="cholesky")
    return 100.0 * np.exp(np.cumsum(deviation * normal, axis=0))


def constant(n: int, correlation: float) -> np.ndarray[Any, Any]:
    return np.full((n, n), correlation) + (1.0 - correlation) * np.eye(n)


PRICES = st.one_of(st.just(NAN), st.floats(90.0, 110.0), st.sampled_from([0.0, -5.0, 1e-3]))


@st.composite
def histories(draw: Any) -> list[tuple[int, list[float]]]:
    instruments = draw(st.integers(1, 5))
    mids = st.lists(PRICES, min_size=instruments, max_size=instruments)
    steps = draw(st.lists(st.tuples(st.sampled_from([1, 1, 1, 2, 3, 40]), mids), min_size=1, max_size=25))
    return [(int(step) * MINUTE // 2, row) for step, row in steps]


def after(history: list[tuple[int, list[float]]], **given: Any) -> Sampler:
    s = sampler(len(history[0][1]), max_gap_samples=3, **given)
    for step, mids in history:
        s.sample(mids, step)
    return s


@settings(max_examples=150, deadline=None)
@given(histories(), st.floats(2.0, 50.0), st.floats(1.0, 30.0))
def test_the_recursion_equals_the_weighted_sums_over_the_whole_history(
    history: list[tuple[int, list[float]]], half_life: float, prior_samples: float
) -> None:
    s = after(history, half_life_samples=half_life, prior_samples=prior_samples)
    times = np.cumsum([step for step, _ in history])
    rows = reference.returns_between(
        [(int(ts), mids) for ts, (_, mids) in zip(times, history, strict=True)], MINUTE, 3 * MINUTE
    )
    expected = reference.HistoryCovariance(rows, half_life, prior_samples, float(s.settings["prior_variance"]))
    np.testing.assert_allclose(s.returns, rows[-1], rtol=1e-12)
    for i in range(s.instruments):
        assert s.moments[i, i] == pytest.approx(expected.variance(i), rel=1e-10)
        for j in range(i):
            assert s.moments[i, j] == pytest.approx(expected.covariance(i, j), rel=1e-9, abs=1e-14)
            assert s.moments[j, i] == pytest.approx(expected.evidence(i, j), rel=1e-10)


@settings(max_examples=150, deadline=None)
@given(histories(), st.one_of(st.just("auto"), st.floats(0.0, 1.0)), st.floats(2.0, 50.0))
def test_whatever_is_missing_the_shrunken_matrix_stays_positive_semidefinite(
    history: list[tuple[int, list[float]]], shrinkage: Any, half_life: float
) -> None:
    s = after(history, shrinkage=shrinkage, half_life_samples=half_life, prior_samples=1.0)
    matrix, deviations = s.shrunken(), s.market_risk["volatility"]
    correlations = matrix / np.outer(deviations, deviations)
    assert (matrix == matrix.T).all()
    assert np.linalg.eigvalsh(correlations).min() >= -1e-12
    assert np.abs(correlations).max() <= 1.0 + 1e-12
    evidence = s.moments[np.triu_indices(s.instruments, 1)]
    assert ((evidence >= 0.0) & (evidence <= 1.0 + 1e-12)).all()
    assert 0.0 <= s.portfolio["intensity"][0] <= 1.0
    assert (deviations > 0.0).all()


def test_with_all_quotes_present_it_is_the_exponentially_weighted_mean_of_products() -> None:
    pandas = pytest.importorskip("pandas")
    prices = walk(7, 600, constant(3, 0.6))
    s = sampler(3, half_life_samples=20.0, prior_samples=1.0, shrinkage=0.0).sample_all(prices)
    returns = pandas.DataFrame(np.diff(np.log(prices), axis=0))
    for i in range(3):
        for j in range(i + 1):
            products = (returns[i] * returns[j]).ewm(halflife=20.0, adjust=False).mean()
            print(f"({i}, {j}): kernel {s.moments[i, j]:.9e}, pandas {products.iloc[-1]:.9e}")
            assert s.moments[i, j] == pytest.approx(products.iloc[-1], rel=1e-8)


def test_the_prior_counts_for_its_samples_and_fades() -> None:
    s = sampler(1, prior_volatility=0.01, prior_samples=20.0)
    prior = 0.01**2 * MINUTE / DAY_NS
    assert s.moments[0, 0] == pytest.approx(prior)
    s.sample([100.0])
    assert s.moments[0, 0] == pytest.approx(prior)  # a first mid is no return
    s.sample([100.0])
    assert s.moments[0, 0] == pytest.approx(prior * 20 / 21)
    s.sample([101.0])
    assert s.moments[0, 0] == pytest.approx((20 * prior + math.log(1.01) ** 2) / 22)


def test_a_market_that_does_not_move_keeps_the_least_volatility() -> None:
    s = sampler(1, min_volatility=0.002).sample_all([[100.0]] * 20_000)
    assert s.moments[0, 0] < 1e-30
    assert s.market_risk["volatility"][0] == pytest.approx(0.002 * math.sqrt(MINUTE / DAY_NS))


def test_closed_markets_keep_volatility_correlation_and_evidence() -> None:
    s = sampler(3).sample_all(walk(3, 300, constant(3, 0.8)))
    closed = [(0, 0), (1, 1), (0, 1), (1, 0)]  # variances, covariance and evidence of the two that close
    before = [float(s.moments[k]) for k in closed]
    ratio, open_before = s.ratio(0), float(s.moments[2, 2])
    for price in walk(4, 500, [[1.0]]):
        s.sample([NAN, NAN, price[0]])
    assert [float(s.moments[k]) for k in closed] == before
    assert s.ratio(0) == ratio
    assert s.moments[2, 2] != open_before


def test_what_is_known_of_a_pair_grows_old_while_one_of_them_is_closed() -> None:
    s = sampler(2).sample_all(walk(3, 400, constant(2, 0.8)))
    covariance, evidence = float(s.moments[1, 0]), float(s.moments[0, 1])
    for price in walk(4, 241, [[1.0]]):  # 240 returns are two half-lives: half of the root of what was there
        s.sample([NAN, price[0]])
    assert s.moments[0, 1] / evidence == pytest.approx(0.5, rel=1e-2)
    assert s.moments[1, 0] / covariance == pytest.approx(s.moments[0, 1] / evidence)


def test_the_move_over_a_closed_session_is_no_return() -> None:
    s = sampler(2).sample([100.0, 50.0]).sample([NAN, 50.0]).sample([120.0, 50.0])
    assert math.isnan(s.returns[0]) and s.returns[1] == 0.0
    s.sample([121.0, 50.0])
    assert s.returns[0] == pytest.approx(math.log(121 / 120))


@pytest.mark.parametrize(("intervals", "expected"), [(1, 1.0), (4, 0.5), (10, math.sqrt(0.1)), (11, NAN)])
def test_a_late_sample_counts_per_interval_and_one_that_is_too_late_starts_anew(
    intervals: int, expected: float
) -> None:
    s = sampler(1).sample([100.0]).sample([101.0], intervals * MINUTE)
    assert s.returns[0] == pytest.approx(expected * math.log(1.01), nan_ok=True)
    assert s.market_risk["samples"][0] == (0 if math.isnan(expected) else 1)


def test_a_sample_without_any_mid_changes_nothing_but_the_time_of_the_next() -> None:
    s = sampler(2).sample_all(walk(1, 5, constant(2, 0.5)))
    before = (s.market_risk.tobytes(), s.moments.tobytes(), int(s.portfolio["sampled_ts"][0]))
    s.sample([NAN, NAN])
    assert (s.market_risk.tobytes(), s.moments.tobytes(), int(s.portfolio["sampled_ts"][0])) == before
    assert s.portfolio["next_sample_ts"][0] == s.ts + MINUTE
    assert np.isnan(s.returns).all()


def test_samples_are_due_on_the_grid_of_the_interval() -> None:
    assert sampler(1).sample([100.0], MINUTE // 3).portfolio["next_sample_ts"][0] == MINUTE
    assert sampler(1).sample([100.0], MINUTE).portfolio["next_sample_ts"][0] == 2 * MINUTE


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (100.0, 101.0, math.log(1.01)),
        (10.0, -5.0, -1.5),
        (-5.0, 10.0, 1.5),
        (-10.0, -5.0, 0.5),
        (-5.0, -10.0, -0.5),
        (0.0, 3.0, 1.0),
        (3.0, 0.0, -1.0),
        (1e-9, -1e9, -1.0),
        (0.0, 0.0, NAN),
        (NAN, 1.0, NAN),
        (1.0, NAN, NAN),
    ],
)
def test_prices_that_are_not_positive_have_returns_of_the_right_sign_within_bounds(
    before: float, now: float, expected: float
) -> None:
    assert log_return(before, now) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("is_tradable", "age", "expected"), [(1, 0, 100.5), (1, 299, 100.5), (1, 300, NAN), (0, 0, NAN)]
)
def test_a_mid_is_used_while_its_market_is_tradable_and_not_stale(is_tradable: int, age: int, expected: float) -> None:
    record, now = covariance_record(CovarianceSettings(stale_after_ns=300_000_000_000))[0], 10**18
    assert usable_mid(100, 101, is_tradable, now - age * 10**9, record, now) == pytest.approx(expected, nan_ok=True)


def test_the_volatility_ratio_is_unknown_first_then_one_then_follows_the_present() -> None:
    s = sampler(1, min_samples=20)
    calm, wild = walk(5, 3_000, [[1.0]], 1e-4), walk(6, 60, [[1.0]], 4e-4)
    s.sample_all(calm[:20])  # 19 returns
    assert math.isnan(s.ratio())
    s.sample(calm[20])
    assert not math.isnan(s.ratio())
    s.sample_all(calm[21:])
    assert s.ratio() == pytest.approx(1.0, abs=0.35)
    s.sample_all(wild / wild[0] * calm[-1])
    assert 2.5 < s.ratio() < 4.5


def test_the_volatility_ratio_of_a_market_that_never_moved_is_unknown() -> None:
    assert math.isnan(sampler(1).sample_all([[100.0]] * 50).ratio())


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 6), st.integers(30, 200))
def test_the_intensity_equals_its_definition(seed: int, n: int, samples: int) -> None:
    factor = np.random.default_rng(seed).uniform(-0.9, 0.9, n)
    s = sampler(n).sample_all(walk(seed, samples, np.outer(factor, factor) + np.diag(1 - factor**2)))
    deviations = np.sqrt(np.diag(s.moments))
    lower, upper = np.tril_indices(n, -1), np.triu_indices(n, 1)
    correlations = (s.moments / np.outer(deviations, deviations))[lower]
    mean = min(max(correlations.sum() / s.moments[upper].sum(), -1.0 / (n - 1)), 1.0)
    effective = min(samples - 1, 2.0 / (1.0 - 0.5 ** (1.0 / 120.0)) - 1.0)
    assert s.portfolio["mean_correlation"][0] == pytest.approx(mean, rel=1e-9)
    expected = reference.intensity(correlations.tolist(), mean, effective)
    assert s.portfolio["intensity"][0] == pytest.approx(expected, rel=1e-9)


def test_shrinkage_brings_the_estimate_closer_to_the_truth_and_near_to_the_best_intensity() -> None:
    """The best is that with the least mean error over all draws; more samples need less, as with Ledoit and Wolf's."""
    n, chosen, sklearns = 12, [], []
    factor = np.linspace(0.3, 0.9, n)
    truth, lower = np.outer(factor, factor) + np.diag(1 - factor**2), np.tril_indices(n, -1)
    shares = np.linspace(0.0, 1.0, 101)
    for samples in (40, 160):
        errors, ours, own, theirs = np.zeros(len(shares)), [], [], []
        for seed in range(25):
            prices = walk(seed, samples, truth)
            s = sampler(n, prior_samples=1.0, half_life_samples=10_000.0).sample_all(prices)
            deviations = np.sqrt(np.diag(s.moments))
            raw, mean = (s.moments / np.outer(deviations, deviations))[lower], s.portfolio["mean_correlation"][0]
            own.append(float(s.portfolio["intensity"][0]))
            ours.append(np.sum(((1 - own[-1]) * raw + own[-1] * mean - truth[lower]) ** 2))
            errors += [np.sum(((1 - share) * raw + share * mean - truth[lower]) ** 2) / 25 for share in shares]
            theirs.append(LedoitWolf(assume_centered=True).fit(np.diff(np.log(prices), axis=0)).shrinkage_)
        chosen.append(np.mean(own))
        sklearns.append(np.mean(theirs))
        print(
            f"{samples} samples: intensity {chosen[-1]:.3f}, best {shares[errors.argmin()]:.2f} "
            f"(scikit-learn's towards the identity {sklearns[-1]:.3f}); "
            f"squared error raw {errors[0]:.3f}, ours {np.mean(ours):.3f}, best {errors.min():.3f}"
        )
        assert np.mean(ours) < errors[0]
        assert np.mean(ours) < errors.min() + 0.35 * (errors[0] - errors.min())
    assert chosen[0] > chosen[1] and sklearns[0] > sklearns[1]


def test_where_all_correlations_are_alike_the_shrunken_matrix_is_near_ledoit_and_wolfs_in_distance_to_the_truth() -> (
    None
):
    truth = constant(8, 0.5)
    ours, theirs, raw = [], [], []
    for seed in range(25):
        prices = walk(seed, 61, truth, deviation=1.0 / 100.0)
        s = sampler(8, prior_samples=1.0, half_life_samples=10_000.0, prior_volatility=0.4).sample_all(prices)
        returns = np.diff(np.log(prices), axis=0) * 100.0
        ours.append(float(np.sum((s.shrunken() * 1e4 - truth) ** 2)))
        theirs.append(float(np.sum((LedoitWolf(assume_centered=True).fit(returns).covariance_ - truth) ** 2)))
        raw.append(float(np.sum((empirical_covariance(returns, assume_centered=True) - truth) ** 2)))
    print(f"squared error: ours {np.mean(ours):.3f}, scikit-learn {np.mean(theirs):.3f}, raw {np.mean(raw):.3f}")
    assert np.mean(ours) < np.mean(theirs) < np.mean(raw)


def test_a_fixed_intensity_is_taken_as_it_is() -> None:
    s = sampler(3, shrinkage=0.25).sample_all(walk(2, 50, constant(3, 0.5)))
    assert s.portfolio["intensity"][0] == 0.25


@pytest.mark.real_data
def test_gold_and_silver_by_the_hour_move_together_as_their_files_say(real_data: Path) -> None:
    hour = 3_600_000_000_000
    gold, silver = (
        pl.read_csv(real_data / "bars" / f"{symbol}_H1.csv", try_parse_dates=True).select("time", "close")
        for symbol in ("XAUUSD", "XAGUSD")
    )
    table = gold.join(silver, on="time", how="inner", suffix="_silver").sort("time").tail(5_000)
    times = table["time"].dt.epoch("ns").to_list()
    s = sampler(2, sample_interval_ns=hour, max_gap_samples=1, half_life_samples=500.0, prior_samples=1.0)
    s.ts = times[0] - hour
    for ts, prices in zip(times, table.select("close", "close_silver").iter_rows(), strict=True):
        s.sample(prices, ts - s.ts)
    logs = np.diff(np.log(table.select("close", "close_silver").to_numpy()), axis=0)[np.diff(times) == hour]
    weights = 0.5 ** (np.arange(len(logs))[::-1] / 500.0)
    expected = (logs * (weights / weights.sum())[:, None]).T @ logs
    print(f"ours {s.moments[0, 0]:.6e} {s.moments[1, 0]:.6e} {s.moments[1, 1]:.6e}; from the files\n{expected}")
    np.testing.assert_allclose(np.tril(s.moments), np.tril(expected), rtol=0.01)
    assert 0.5 < s.moments[1, 0] / math.sqrt(s.moments[0, 0] * s.moments[1, 1]) < 1.0


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("shrinkage", "1.5"),
        ("shrinkage", '"half"'),
        ("sample_interval_ns", "0"),
        ("fast_half_life_samples", "2000.0"),
        ("unseen_correlation", "1.1"),
    ],
)
def test_settings_out_of_bounds_are_refused_by_name(tmp_path: Path, key: str, value: str) -> None:
    path = tmp_path / "chimera.toml"
    path.write_text(f"[covariance]\n{key} = {value}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=key):
        load_configuration(path, {})
