"""Metrics against the textbook formulas, computed the slow way or by hand."""

from __future__ import annotations

import itertools
import json
import math
import statistics
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.execution.records import FILL_DTYPE, MARK_DTYPE, Engine
from chimera_platform.portfolio.performance import (
    METRIC_NAMES,
    PERCENT_METRICS,
    Performance,
    daily_equity,
    engine_metrics,
    measure,
    trades_of,
)

DAY = 86_400_000_000_000
START = 100_000.0


def fills_of(*rows: tuple[int, int, int, int, float, float, int]) -> np.ndarray[Any, Any]:
    """Return fills of (intent, time in s, side, size, realised, fee, is_exit)."""
    fills = np.zeros(len(rows), FILL_DTYPE)
    for number, (intent, seconds, side, size, realised, fee, is_exit) in enumerate(rows):
        fill = fills[number]
        fill["fill_no"], fill["intent_no"], fill["ts_event"] = number, intent, seconds * 10**9
        fill["side"], fill["size"], fill["is_exit"] = side, size, is_exit
        fill["realised_nanos"], fill["fee_nanos"] = round(realised * 1e9), round(fee * 1e9)
        fill["cash_nanos"] = -side * size * 10**9
    return fills


def marks_of(*rows: tuple[float, float]) -> np.ndarray[Any, Any]:
    """Return marks of (day with fraction, equity)."""
    marks = np.zeros(len(rows), MARK_DTYPE)
    marks["mark_no"] = np.arange(len(rows))
    marks["ts_event"] = [round(day * DAY) for day, _ in rows]
    marks["equity_nanos"] = [round(equity * 1e9) for _, equity in rows]
    return marks


FILLS = fills_of(
    (0, 1, 1, 5, 0.0, 0.5, 0),  # intent 0: bought in two parts, sold in two; +30 - 2
    (1, 2, -1, 3, 0.0, 0.25, 0),  # intent 1: sold short, bought back; -12 - 0.5
    (0, 3, 1, 5, 0.0, 0.5, 0),
    (0, 11, -1, 4, 10.0, 0.5, 1),
    (1, 12, 1, 3, -12.0, 0.25, 1),
    (0, 21, -1, 6, 20.0, 0.5, 1),
    (2, 30, 1, 7, 0.0, 0.1, 0),  # intent 2: still open
    (3, 31, 1, 1, 0.0, 0.0, 0),  # intent 3: nothing won, nothing lost
    (3, 33, -1, 1, 0.0, 0.0, 1),
)
DAYS = np.array([10, 11, 12, 15])
MARKS = marks_of((10.2, 100_500.0), (10.9, 101_000.0), (11.5, 100_200.0), (15.1, 99_000.0), (15.9, 100_300.0))


def measured() -> Performance:
    return measure(FILLS, MARKS, DAYS, START)


def test_a_trade_is_all_fills_of_one_intent() -> None:
    trades = trades_of(FILLS)
    assert trades["intent_no"].tolist() == [0, 1, 2, 3]
    assert trades["size"].tolist() == [10, 3, 7, 1]
    assert trades["position"].tolist() == [0, 0, 7, 0]
    assert trades["side"].tolist() == [1, -1, 1, 1]
    assert (trades["net_nanos"] / 1e9).tolist() == [28.0, -12.5, -0.1, 0.0]
    assert ((trades["ts_close"] - trades["ts_open"]) / 1e9).tolist() == [20.0, 10.0, 0.0, 2.0]


def test_trade_metrics_are_those_of_the_closed_trades() -> None:
    m = measured()
    assert (m.trades, m.open_trades, m.fills) == (3, 1, 9)
    assert m.win_rate == pytest.approx(1 / 3)
    assert m.profit_factor == pytest.approx(28.0 / 12.5)
    assert m.average_trade == pytest.approx((28.0 - 12.5) / 3)
    assert (m.average_win, m.average_loss, m.best_trade, m.worst_trade) == (28.0, -12.5, 28.0, -12.5)
    assert m.average_hold_seconds == pytest.approx(32 / 3)
    assert (m.median_hold_seconds, m.longest_hold_seconds) == (10.0, 20.0)
    assert m.sharpe_per_trade == pytest.approx((15.5 / 3) / statistics.stdev([28.0, -12.5, 0.0]))


def test_profit_is_what_equity_gained_and_its_parts_add_up() -> None:
    m = measured()
    assert m.net_profit == pytest.approx(300.0)
    assert m.gross_profit == pytest.approx(18.0)
    assert m.fees == pytest.approx(2.6)
    assert m.gross_profit - m.fees + m.open_profit == pytest.approx(m.net_profit)
    assert m.return_total == pytest.approx(0.003)
    assert m.turnover == pytest.approx(35.0)


def test_daily_equity_is_the_last_mark_of_each_day() -> None:
    # Day 12 had events but no mark: nothing was held, the equity of the day before stands.
    assert daily_equity(MARKS, DAYS, START).tolist() == [101_000.0, 100_200.0, 100_200.0, 100_300.0]
    assert daily_equity(MARKS, np.array([9, 10]), START).tolist() == [START, 101_000.0]


def test_ratios_of_daily_returns_follow_their_formulas() -> None:
    m = measured()
    curve = [START, 101_000.0, 100_200.0, 100_200.0, 100_300.0]
    returns = [b / a - 1 for a, b in itertools.pairwise(curve)]
    downside = math.sqrt(sum(min(r, 0.0) ** 2 for r in returns) / len(returns))
    assert m.sharpe == pytest.approx(statistics.mean(returns) / statistics.stdev(returns) * math.sqrt(252))
    assert m.sortino == pytest.approx(statistics.mean(returns) / downside * math.sqrt(252))
    assert m.annual_return == pytest.approx(1.003 ** (252 / 4) - 1)
    assert m.max_drawdown == pytest.approx(2_000.0)  # 101,000 to 99,000, within the days
    assert m.max_drawdown_ratio == pytest.approx(2_000 / 101_000)
    assert m.calmar == pytest.approx(m.annual_return / m.max_drawdown_ratio)


def test_a_run_without_trades_has_no_ratios_and_no_loss() -> None:
    m = measure(FILLS[:0], MARKS[:0], np.array([1, 2]), START)
    assert (m.net_profit, m.trades, m.max_drawdown, m.final_equity) == (0.0, 0, 0.0, START)
    for name in ("win_rate", "profit_factor", "average_trade", "sharpe", "sortino", "calmar"):
        assert math.isnan(getattr(m, name)), name
    assert math.isnan(measure(FILLS[:0], MARKS[:0], DAYS[:0], START).annual_return)


def test_metrics_that_are_not_finite_become_null_in_json() -> None:
    winning = measure(FILLS[[0, 2, 3, 5]], MARKS, DAYS, START)
    assert winning.profit_factor == math.inf
    plain = json.loads(json.dumps(winning.as_dict(), allow_nan=False))
    assert plain["profit_factor"] is None
    assert plain["trades"] == 1
    assert tuple(plain) == METRIC_NAMES


def test_percentages_are_metrics_that_exist() -> None:
    assert set(METRIC_NAMES) | {"probability_of_profit"} >= PERCENT_METRICS


def test_engines_are_measured_by_their_own_trades() -> None:
    fills = FILLS.copy()
    fills["engine"][fills["intent_no"] == 1] = Engine.STRUCTURE
    by_engine = engine_metrics(trades_of(fills))
    assert by_engine["structure"]["net_profit"] == pytest.approx(-12.5)
    assert by_engine["structure"]["trades"] == 1
    assert by_engine["hft"]["net_profit"] == pytest.approx(27.9)
    assert by_engine["hft"]["profit_factor"] is None  # no losing trade
    json.dumps(by_engine, allow_nan=False)


equities = st.lists(st.floats(50_000, 200_000), min_size=1, max_size=40)


@settings(max_examples=200, deadline=None)
@given(equity=equities, step=st.floats(0.05, 1.5))
def test_drawdown_is_the_worst_pair_of_an_earlier_and_a_later_equity(equity: list[float], step: float) -> None:
    """Invariant: the running-peak form equals the maximum over all pairs, in money and as a ratio."""
    m = measure(FILLS[:0], marks_of(*((1 + k * step, e) for k, e in enumerate(equity))), np.array([1, 90]), START)
    curve = [START, *(round(e * 1e9) / 1e9 for e in equity)]
    pairs = [(a, b) for i, a in enumerate(curve) for b in curve[i:]]
    assert m.max_drawdown == pytest.approx(max(a - b for a, b in pairs))
    assert m.max_drawdown_ratio == pytest.approx(max((a - b) / a for a, b in pairs))
