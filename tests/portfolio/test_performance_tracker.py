"""Invariant: whatever the trades, the figures are those of pandas' ewm and of the batch metrics of those trades."""

import math

import empyrical
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from chimera_platform.portfolio.performance_tracker import (
    WINDOW,
    PerformanceTrackingSettings,
    downside_deviation,
    effective_trades,
    new_performances,
    note_trade,
    performance_tracking_record,
    profit_factor,
    return_variance,
    sharpe_error,
    sharpe_per_trade,
    sortino_per_trade,
    win_rate,
    window_drawdown,
    window_mean,
    window_trades,
)
from chimera_platform.portfolio.trades import TRADE_DTYPE, trade_metrics

TRADES = st.lists(st.tuples(st.integers(-(10**15), 10**15), st.integers(10**9, 10**18)), min_size=2, max_size=40)


def tracked(net, committed, half_life=100.0):
    performance = new_performances(1)[0]
    parameters = performance_tracking_record(PerformanceTrackingSettings(half_life_trades=half_life))[0]
    for k, (profit, notional) in enumerate(zip(net, committed, strict=True)):
        note_trade(performance, parameters, int(profit), int(notional), k)
    return performance


def seeded(count, seed=7):
    generator = np.random.default_rng(seed)
    net = generator.normal(2e9, 5e10, count).astype(np.int64)
    return net, generator.integers(10**11, 10**13, count)


@pytest.mark.parametrize("count", [2, 3, 40, 1_000])
@pytest.mark.parametrize("half_life", [1.0, 20.0, 1e6])
def test_mean_and_variance_are_those_of_pandas_ewm(count, half_life):
    net, committed = seeded(count)
    performance = tracked(net, committed, half_life)
    weighted = pd.Series(net / committed).ewm(halflife=half_life, adjust=True)
    assert performance["mean"] == pytest.approx(weighted.mean().iloc[-1], rel=1e-9)
    assert return_variance(performance) == pytest.approx(weighted.var().iloc[-1], rel=1e-9)


@settings(deadline=None)
@given(TRADES, st.floats(1.0, 1_000.0))
def test_mean_and_variance_are_the_weighted_sums_by_definition(trades, half_life):
    net, committed = zip(*trades, strict=True)
    performance = tracked(net, committed, half_life)
    returns = np.array(net, float) / np.array(committed, float)
    weights = 0.5 ** (np.arange(len(returns))[::-1] / half_life)
    mean = float(weights @ returns / weights.sum())
    squares = float(weights @ (returns - mean) ** 2)
    scale = float(np.abs(returns).max())
    assert performance["mean"] == pytest.approx(mean, abs=1e-9 * scale)
    expected = squares / (weights.sum() - (weights**2).sum() / weights.sum())
    assert return_variance(performance) == pytest.approx(expected, rel=1e-9, abs=1e-9 * scale * scale)
    assert effective_trades(performance) == pytest.approx(weights.sum() ** 2 / (weights**2).sum(), rel=1e-9)


def test_with_a_very_long_half_life_the_sharpe_ratio_is_the_plain_one_of_the_batch():
    net, _ = seeded(200)
    performance = tracked(net, [10**12] * 200, 1e6)
    assert sharpe_per_trade(performance) == pytest.approx(empyrical.sharpe_ratio(net / 1e12, annualization=1), rel=1e-3)


@pytest.mark.parametrize("count", [2, 100, WINDOW, WINDOW + 77])
def test_windowed_figures_are_those_of_empyrical_over_the_last_trades(count):
    net, committed = seeded(count)
    performance = tracked(net, committed)
    last = (net / committed)[-WINDOW:]
    assert window_trades(performance) == len(last)
    assert window_mean(performance) == pytest.approx(last.mean(), rel=1e-9)
    assert downside_deviation(performance) == pytest.approx(empyrical.downside_risk(last, annualization=1), rel=1e-9)
    assert sortino_per_trade(performance) == pytest.approx(empyrical.sortino_ratio(last, annualization=1), rel=1e-9)
    assert window_drawdown(performance) == pytest.approx(-empyrical.max_drawdown(last), rel=1e-9)


@settings(deadline=None)
@given(st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=WINDOW + 30))
def test_win_rate_and_profit_factor_are_those_of_the_batch_metrics(net):
    performance = tracked(net, [10**12] * len(net))
    trades = np.zeros(min(len(net), WINDOW), TRADE_DTYPE)
    trades["net_nanos"] = net[-WINDOW:]
    expected = trade_metrics(trades)
    assert win_rate(performance) == expected["win_rate"]
    assert profit_factor(performance) == pytest.approx(expected["profit_factor"], rel=1e-9, nan_ok=True)


def test_what_is_not_defined_is_nan_and_never_an_error():
    untraded = new_performances(1)[0]
    for figure in (return_variance, sharpe_per_trade, sharpe_error, win_rate, profit_factor, sortino_per_trade):
        assert math.isnan(figure(untraded))
    assert effective_trades(untraded) == 0.0
    assert window_drawdown(untraded) == 0.0
    assert math.isnan(sharpe_per_trade(tracked([5 * 10**9], [10**12])))


def test_trades_that_are_all_alike_have_no_sharpe_ratio():
    assert math.isnan(sharpe_per_trade(tracked([3 * 10**9] * 50, [10**13] * 50)))


def test_only_wins_make_the_profit_factor_infinite():
    assert profit_factor(tracked([1, 2, 3], [10**9] * 3)) == math.inf


def test_the_standard_error_is_that_of_lo_for_the_effective_number_of_trades():
    net, committed = seeded(300)
    performance = tracked(net, committed)
    sharpe, trades = sharpe_per_trade(performance), effective_trades(performance)
    assert sharpe_error(performance) == pytest.approx(math.sqrt((1 + sharpe**2 / 2) / trades), rel=1e-12)
    assert trades < 300


def test_counters_hold_what_was_noted():
    performance = tracked([5, -7, 9], [10**9] * 3)
    assert (performance["trades"], performance["net_nanos"], performance["last_ts"]) == (3, 7, 2)


def test_a_trade_without_commitment_counts_as_one_of_a_nano():
    assert tracked([5], [0])["mean"] == 5.0


def test_the_smallest_change_must_fit_into_a_step():
    with pytest.raises(ValidationError, match=r"min_change is 0\.2; expected at most max_step"):
        PerformanceTrackingSettings(min_change=0.2, max_step=0.1)


def test_the_documents_keys_have_the_documents_defaults():
    settings = PerformanceTrackingSettings()
    assert settings.enable_dynamic_rebalancing is True
    assert (settings.rebalance_interval_seconds, settings.min_trades_before_rebalance) == (10.0, 20)
