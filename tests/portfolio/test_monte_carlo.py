"""The bootstrap of trades: seeded, unbiased, and summarised by the usual definitions."""

from __future__ import annotations

import json
import statistics
import time

import numpy as np
import pytest

from chimera_platform.portfolio.monte_carlo import QUANTILES, bootstrap

PROFITS = np.random.default_rng(3).normal(0.4, 10.0, 2_000)


def splitmix(seed: int, count: int) -> list[int]:
    """SplitMix64 as published, in Python's integers."""
    state, out, mask = seed, [], 2**64 - 1
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & mask
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        out.append(z ^ (z >> 31))
    return out


def test_paths_are_those_of_the_published_generator() -> None:
    profits = [3.0, -1.0, 2.0, -5.0, 4.0]
    draws = [profits[((z >> 32) * 5) >> 32] for z in splitmix(11, 40 * 5)]
    paths = [draws[k : k + 5] for k in range(0, 200, 5)]
    totals = [sum(path) for path in paths]
    result = bootstrap(np.array(profits), seed=11, paths=40)
    assert (result["best"], result["worst"]) == (max(totals), min(totals))
    assert result["mean"] == pytest.approx(sum(totals) / 40)
    assert result["median"] == statistics.median(totals)
    assert result["std"] == pytest.approx(statistics.stdev(totals))
    assert result["probability_of_profit"] == sum(t > 0 for t in totals) / 40
    falls = []
    for path in paths:
        curve = np.concatenate([[0.0], np.cumsum(path)])
        falls.append(max(np.maximum.accumulate(curve) - curve))
    assert result["drawdown_median"] == pytest.approx(np.median(falls))
    assert result["drawdown_95"] == pytest.approx(np.quantile(falls, 0.95))


def test_the_seed_alone_decides() -> None:
    assert bootstrap(PROFITS, 5) == bootstrap(PROFITS.copy(), 5)
    assert bootstrap(PROFITS, 5) != bootstrap(PROFITS, 6)


def test_the_spread_of_the_totals_is_that_of_sampling_with_replacement() -> None:
    result = bootstrap(PROFITS, 1, paths=4_000)
    total, deviation = PROFITS.sum(), PROFITS.std() * np.sqrt(len(PROFITS))
    assert result["mean"] == pytest.approx(total, abs=4 * deviation / np.sqrt(4_000))
    assert result["quantiles"]["0.95"] - result["quantiles"]["0.05"] == pytest.approx(2 * 1.645 * deviation, rel=0.08)


def test_risk_figures_are_the_tail_of_the_totals() -> None:
    result = bootstrap(PROFITS, 2)
    assert result["var_95"] == -result["quantiles"]["0.05"]
    assert result["expected_shortfall_95"] >= result["var_95"]
    assert -result["worst"] >= result["expected_shortfall_95"]
    assert list(result["quantiles"]) == [str(q) for q in QUANTILES]
    assert list(result["quantiles"].values()) == sorted(result["quantiles"].values())
    assert (result["paths"], result["trades"]) == (1_000, 2_000)


def test_equal_trades_leave_nothing_to_chance() -> None:
    result = bootstrap(np.full(10, 2.5), 1)
    assert (result["best"], result["worst"], result["drawdown_95"]) == (25.0, 25.0, 0.0)
    assert result["probability_of_profit"] == 1.0


def test_without_trades_every_figure_is_none() -> None:
    result = bootstrap(np.zeros(0), 1)
    assert result["trades"] == 0
    assert result["mean"] is None
    assert result["var_95"] is None
    assert set(result) == set(bootstrap(PROFITS, 1))
    json.dumps(result, allow_nan=False)


def test_a_thousand_paths_of_ten_thousand_trades_take_less_than_fifty_milliseconds() -> None:
    profits = np.random.default_rng(0).normal(0.0, 1.0, 10_000)
    bootstrap(profits[:10], 1)
    durations = []
    for _ in range(5):
        start = time.perf_counter()
        bootstrap(profits, 1)
        durations.append(time.perf_counter() - start)
    assert min(durations) < 0.05
