"""Breakdowns of trades add up; capacity is where impact eats the profit."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.execution.records import FILL_DTYPE, INTENT_DTYPE, Engine, IntentReason, Liquidity
from chimera_platform.market.city_sessions import CitySession
from chimera_platform.portfolio.breakdown import BREAKDOWNS, breakdown
from chimera_platform.portfolio.capacity import MARKET_ACTIVITY_DTYPE, capacity
from chimera_platform.portfolio.event_time import DAY_NS
from chimera_platform.portfolio.trades import TRADE_DTYPE, longest_run, trades_of
from chimera_platform.regimes.names import Regime
from tests.reference.performance import longest_streak

HOUR = 3_600_000_000_000

trade_rows = st.lists(
    st.tuples(
        st.integers(0, 2),  # engine
        st.integers(0, 11),  # reason, also the unknown one
        st.integers(0, 3),  # instrument
        st.integers(-1, 5),  # regime
        st.sampled_from([-1, 1]),
        st.integers(0, 10 * DAY_NS),
        st.integers(0, DAY_NS),
        st.integers(-(10**15), 10**15),
        st.integers(-(10**12), 10**12),
        st.sampled_from([0, 0, 0, 5]),
    ),
    max_size=40,
)


def trades_from(rows: list[tuple[int, ...]]) -> np.ndarray:
    trades = np.zeros(len(rows), TRADE_DTYPE)
    for k, (engine, reason, symbol, regime, side, ts, hold, realised, fees, position) in enumerate(rows):
        trades[k]["engine"], trades[k]["reason"], trades[k]["instrument_id"] = engine, reason, symbol
        trades[k]["regime"], trades[k]["side"], trades[k]["position"], trades[k]["size"] = regime, side, position, 5
        trades[k]["ts_open"], trades[k]["ts_close"] = ts, ts + hold
        trades[k]["realised_nanos"], trades[k]["fees_nanos"], trades[k]["net_nanos"] = realised, fees, realised - fees
    return trades


@settings(max_examples=150, deadline=None)
@given(rows=trade_rows)
def test_the_groups_of_every_breakdown_add_up_to_the_whole(rows: list[tuple[int, ...]]) -> None:
    """Invariant: counts, lots and money of the groups sum to those of all trades exactly, whatever they are cut by."""
    trades = trades_from(rows)
    for by in BREAKDOWNS:
        table = breakdown(trades, by, ("A", "B"), np.arange(12), 1e6)
        assert table["group"].n_unique() == len(table), by
        for name in ("realised_nanos", "fees_nanos", "net_nanos"):
            assert sum(table[name].to_list()) == int(trades[name].sum()), (by, name)
        assert table["trades"].sum() == (trades["position"] == 0).sum()
        assert table["open_trades"].sum() == (trades["position"] != 0).sum()
        assert table["lots"].sum() == trades["size"].sum()


def test_groups_are_called_by_their_names() -> None:
    trades = trades_from(
        [
            (Engine.HFT, IntentReason.IMBALANCE, 1, Regime.TREND_UP, 1, DAY_NS * 4 + 1 * HOUR, HOUR, 5, 1, 0),
            (Engine.STRUCTURE, IntentReason.BREAKOUT, 0, -1, -1, DAY_NS * 4 + 9 * HOUR, HOUR, -5, 1, 0),
            (Engine.ORDER_FLOW, IntentReason.VACUUM, 7, Regime.STRESSED, 1, DAY_NS * 4 + 15 * HOUR, HOUR, 2, 1, 0),
            (Engine.HEDGE, IntentReason.HEDGE, 7, -1, -1, DAY_NS * 4 + 15 * HOUR, HOUR, -1, 1, 0),
        ]
    )
    names = {by: breakdown(trades, by, ("XAUUSD", "XAGUSD"))["group"].to_list() for by in BREAKDOWNS}
    assert names == {
        "engine": ["hft", "structure", "order_flow", "hedge"],
        "strategy": ["imbalance", "breakout", "vacuum", "hedge"],
        "symbol": ["XAUUSD", "XAGUSD", "7"],
        "session": [s.name.lower() for s in CitySession],
        "regime": ["unknown", "trend_up", "stressed"],
        "side": ["short", "long"],
        "day": ["1970-01-05"],
    }


def test_a_groups_ratios_are_those_of_its_daily_profit_over_the_starting_equity() -> None:
    profits = {0: 100.0, 1: -50.0, 3: 70.0}
    rows = [(0, 1, 0, 0, 1, day * DAY_NS + HOUR, HOUR, round(p * 1e9), 0, 0) for day, p in profits.items()]
    row = breakdown(trades_from(rows), "engine", days=np.arange(4), starting_equity=1_000.0).row(0, named=True)
    daily = [0.1, -0.05, 0.0, 0.07]
    assert row["sharpe"] == pytest.approx(statistics.mean(daily) / statistics.stdev(daily) * math.sqrt(252))
    assert row["sortino"] == pytest.approx(statistics.mean(daily) / math.sqrt(0.05**2 / 4) * math.sqrt(252))
    assert row["max_drawdown"] == 50.0
    assert row["calmar"] == pytest.approx(statistics.mean(daily) * 252 / 0.05)


def test_no_trades_make_an_empty_table_of_the_same_columns() -> None:
    empty = breakdown(np.zeros(0, TRADE_DTYPE), "engine")
    full = breakdown(trades_from([(0, 1, 0, 0, 1, 0, 0, 0, 0, 0)]), "engine")
    assert len(empty) == 0
    assert empty.schema == full.schema


def test_trades_carry_strategy_and_regime_of_their_intent() -> None:
    fills = np.zeros(3, FILL_DTYPE)
    fills["intent_no"], fills["side"], fills["size"] = [5, 9, 2], 1, 1
    intents = np.zeros(2, INTENT_DTYPE)
    intents["intent_no"], intents["reason"], intents["regime"] = [5, 9], [3, 4], [2, -1]
    trades = trades_of(fills, intents)
    assert trades["reason"].tolist() == [3, 4, 0]
    assert trades["regime"].tolist() == [2, -1, -1]
    assert trades_of(fills)["regime"].tolist() == [-1, -1, -1]


@settings(max_examples=200, deadline=None)
@given(profits=st.lists(st.integers(-2, 2), max_size=30))
def test_streaks_are_counted_as_one_would_by_hand(profits: list[int]) -> None:
    """Invariant: run-length arithmetic equals counting."""
    values = np.array(profits, np.int64)
    assert longest_run(values > 0) == longest_streak(profits, 1)
    assert longest_run(values < 0) == longest_streak(profits, -1)


def activity(volume_rate: float = 2.0, variance_rate: float = 0.25) -> np.ndarray:
    return np.array([(volume_rate, variance_rate, 10**9)], MARKET_ACTIVITY_DTYPE)


def two_fills(profit: float) -> np.ndarray:
    fills = np.zeros(3, FILL_DTYPE)
    fills["order_no"], fills["size"], fills["liquidity"] = [0, 0, 1], [3, 5, 8], Liquidity.TAKER
    fills["realised_nanos"], fills["fee_nanos"] = [0, 0, round((profit + 2) * 1e9)], [0, 0, 2 * 10**9]
    return fills


def test_capacity_is_the_size_at_which_square_root_impact_eats_the_profit() -> None:
    profit = 100.0
    multiple = capacity(two_fills(profit), activity(), impact_coefficient=0.8)
    impact = 0.0
    for lots in (8, 8):  # the entry's two fills are one order
        size = lots * multiple
        impact += size * 0.8 * math.sqrt(0.25) * math.sqrt(size / 2.0) * 1.0
    assert impact == pytest.approx(profit * multiple)


def test_capacity_is_undefined_without_an_edge_or_a_market() -> None:
    resting = two_fills(10.0)
    resting["liquidity"] = Liquidity.MAKER
    cases = [
        (two_fills(-1.0), activity()),
        (two_fills(0.0), activity()),
        (resting, activity()),
        (two_fills(5.0), activity(volume_rate=0.0)),
        (two_fills(5.0), activity(variance_rate=math.nan)),
        (two_fills(5.0), activity(variance_rate=0.0)),
    ]
    for fills, market in cases:
        assert math.isnan(capacity(fills, market, 1.0))
