"""Resampled trades, days and sides: seeded, by the published definitions, with the coverage that they promise."""

from __future__ import annotations

import itertools
import json
import statistics

import numpy as np
import pytest

from chimera_platform.execution.records import Engine
from chimera_platform.portfolio.monte_carlo import QUANTILES, bootstrap, monte_carlo, random_sides, without_curves
from chimera_platform.portfolio.resampled_paths import CONE_QUANTILES, cone_points
from chimera_platform.portfolio.trade_moves import TradeMoves
from chimera_platform.portfolio.trades import TRADE_DTYPE
from tests.reference import monte_carlo as naive

PROFITS = np.random.default_rng(3).normal(0.4, 10.0, 2_000)


def moves_of(moved: np.ndarray, cost: float) -> TradeMoves:
    return TradeMoves(np.zeros(len(moved), TRADE_DTYPE), moved, np.full(len(moved), cost))


def test_hedges_are_resampled_with_the_result_but_are_no_entries_whose_side_could_know_something() -> None:
    moves = moves_of(PROFITS, 0.5)
    moves.trades["engine"][::5] = Engine.HEDGE
    own = moves.trades["engine"] != Engine.HEDGE
    whole = monte_carlo(PROFITS, PROFITS[:5], 4, moves)
    assert whole["trades"] == len(PROFITS)
    assert whole["null_sides"] == random_sides(TradeMoves(moves.trades[own], moves.moved[own], moves.cost[own]), 4)
    assert whole["null_sides"]["trades"] == 1_600


def autocorrelated(random: np.random.Generator, count: int, persistence: float) -> np.ndarray:
    """Return a stationary AR(1) series of mean 0."""
    series = np.empty(count)
    series[0] = random.normal() / np.sqrt(1 - persistence**2)
    for k, shock in enumerate(random.normal(size=count - 1), start=1):
        series[k] = persistence * series[k - 1] + shock
    return series


@pytest.mark.parametrize("length", [1.0, 2.5, 40.0])
def test_paths_are_those_of_the_definition_and_the_published_generator(length: float) -> None:
    profits = [3.0, -1.0, 2.0, -5.0, 4.0, 0.5, -2.0]
    seed = naive.stream_seed(11, 0)
    paths = [naive.block_path(profits, seed, path, length) for path in range(40)]
    totals = [sum(path) for path in paths]
    result = bootstrap(np.array(profits), seed=11, paths=40, block_length=length)
    assert (result["best"], result["worst"]) == (max(totals), min(totals))
    assert result["mean"] == pytest.approx(sum(totals) / 40)
    assert result["median"] == statistics.median(totals)
    assert result["std"] == pytest.approx(statistics.stdev(totals))
    assert result["probability_of_profit"] == sum(t > 0 for t in totals) / 40
    falls = [naive.deepest_falls(path) for path in paths]
    assert result["drawdown_median"] == pytest.approx(np.median([f[-1] for f in falls]))
    assert result["drawdown_95"] == pytest.approx(np.quantile([f[-1] for f in falls], 0.95))
    cone = result["cone"]
    assert cone["at"] == list(range(8))
    for q in CONE_QUANTILES:
        assert cone["drawdown"][str(q)] == pytest.approx(np.quantile(falls, q, axis=0))
        curves = [np.concatenate([[0.0], np.cumsum(path)]) for path in paths]
        assert cone["profit"][str(q)] == pytest.approx(np.quantile(curves, q, axis=0))


def test_the_seed_alone_decides() -> None:
    assert bootstrap(PROFITS, 5) == bootstrap(PROFITS.copy(), 5)
    assert bootstrap(PROFITS, 5) != bootstrap(PROFITS, 6)
    assert bootstrap(PROFITS, 5)["seed"] == 5


def test_blocks_have_the_mean_length_that_was_asked_for() -> None:
    profits = np.arange(500.0)
    seed = naive.stream_seed(2, 0)
    blocks = 0
    for number in range(40):
        path = naive.block_path(profits.tolist(), seed, number, 8.0)
        blocks += 1 + sum(b not in (a + 1, a - 499) for a, b in itertools.pairwise(path))
    assert 40 * 500 / blocks == pytest.approx(8.0, rel=0.1)


def test_the_spread_of_the_totals_is_that_of_sampling_with_replacement() -> None:
    result = bootstrap(PROFITS, 1, paths=4_000, block_length=1.0)
    total, deviation = PROFITS.sum(), PROFITS.std() * np.sqrt(len(PROFITS))
    assert result["mean"] == pytest.approx(total, abs=4 * deviation / np.sqrt(4_000))
    assert result["quantiles"]["0.95"] - result["quantiles"]["0.05"] == pytest.approx(2 * 1.645 * deviation, rel=0.08)


def test_losing_spells_stay_together_and_widen_the_spread() -> None:
    series = autocorrelated(np.random.default_rng(8), 4_000, 0.6)
    blocks, alone = bootstrap(series, 1), bootstrap(series, 1, block_length=1.0)
    assert blocks["block_length"] > 5.0
    assert blocks["std"] > 1.5 * alone["std"]  # the true ratio is sqrt((1 + 0.6) / (1 - 0.6)) = 2
    assert blocks["drawdown_95"] > 1.3 * alone["drawdown_95"]


def test_intervals_of_dependent_trades_cover_the_true_total() -> None:
    random, covered, blind = np.random.default_rng(21), 0, 0
    runs = 150
    for run in range(runs):
        series = autocorrelated(random, 600, 0.4)
        for kind, length in (("blocks", None), ("alone", 1.0)):
            found = bootstrap(series, run, paths=300, block_length=length)["quantiles"]
            is_inside = found["0.05"] <= 0.0 <= found["0.95"]  # 90 %, around the true mean of 0
            covered += is_inside and kind == "blocks"
            blind += is_inside and kind == "alone"
    assert 0.82 <= covered / runs <= 0.96
    assert blind / runs < 0.80


def test_risk_figures_are_the_tail_of_the_totals() -> None:
    result = bootstrap(PROFITS, 2)
    assert result["var_95"] == -result["quantiles"]["0.05"]
    assert result["expected_shortfall_95"] >= result["var_95"]
    assert -result["worst"] >= result["expected_shortfall_95"]
    assert list(result["quantiles"]) == [str(q) for q in QUANTILES]
    assert list(result["quantiles"].values()) == sorted(result["quantiles"].values())
    assert (result["paths"], result["trades"]) == (1_000, 2_000)


def test_a_cone_ends_where_the_totals_and_drawdowns_do() -> None:
    result = bootstrap(PROFITS, 2)
    cone = result["cone"]
    assert cone["at"][0] == 0
    assert cone["at"][-1] == 2_000
    assert len(cone["at"]) == 101
    assert cone["profit"]["0.05"][-1] == pytest.approx(result["quantiles"]["0.05"])
    assert cone["drawdown"]["0.95"][-1] == pytest.approx(result["drawdown_95"])
    assert cone["drawdown"]["0.95"] == sorted(cone["drawdown"]["0.95"])
    histogram = result["histogram"]
    assert sum(histogram["counts"]) == 1_000
    assert (histogram["edges"][0], histogram["edges"][-1]) == (result["worst"], result["best"])
    assert len(histogram["edges"]) == len(histogram["counts"]) + 1
    assert cone_points(3).tolist() == [0, 1, 2, 3]


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
    assert set(random_sides(moves_of(np.zeros(0), 0.0), 1)) == set(random_sides(moves_of(PROFITS, 0.0), 1))
    json.dumps(result, allow_nan=False)


def test_sides_that_know_nothing_give_p_values_that_are_evenly_spread() -> None:
    random = np.random.default_rng(5)
    values = [random_sides(moves_of(random.standard_t(4, 200), 0.1), run, 199)["p_value"] for run in range(300)]
    ordered = np.sort(values)
    assert np.abs(ordered - (np.arange(300) + 0.5) / 300).max() < 1.63 / np.sqrt(300)  # Kolmogorov-Smirnov at 1 %


def test_sides_that_know_something_are_found_however_much_trading_costs() -> None:
    random = np.random.default_rng(5)
    result = random_sides(moves_of(random.normal(0.3, 1.0, 400), 2.0), 7)
    assert result["p_value"] < 0.01
    assert result["observed"] < 0.0
    assert result["mean"] == pytest.approx(-800.0, abs=4 * 20 * np.sqrt(1.09) / np.sqrt(1_000))


def test_all_kinds_stand_beside_the_bootstrap_of_trades() -> None:
    daily = np.array([3.0, -1.0, 2.0])
    result = monte_carlo(PROFITS, daily, 4, moves_of(PROFITS, 0.5), None)
    trades = bootstrap(PROFITS, 4)
    assert {name: result[name] for name in trades} == trades
    assert result["by_days"]["days"] == 3
    assert result["by_days"]["best"] <= 9.0
    assert result["null"] is None
    assert result["null_sides"]["trades"] == 2_000
    json.dumps(monte_carlo(PROFITS[:0], daily[:0], 4), allow_nan=False)
    assert "cone" in result["by_days"]
    assert without_curves(result)["by_days"] == {
        k: v for k, v in result["by_days"].items() if k not in ("cone", "histogram")
    }


def test_a_single_day_says_nothing_of_other_days() -> None:
    by_days = monte_carlo(PROFITS, np.array([5.0]), 4)["by_days"]
    assert by_days["days"] == 1
    assert by_days["expected_shortfall_95"] is None
