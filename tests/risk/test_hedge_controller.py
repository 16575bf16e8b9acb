"""The hedge controller: when it acts, how far, where, and that it never adds risk."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from chimera_platform.execution.records import INTENT_DTYPE, Engine, IntentReason, OrderType
from chimera_platform.risk.hedge_controller import (
    HEDGE_DTYPE,
    HEDGE_MARKET_DTYPE,
    HedgeSettings,
    fill_hedge_intent,
    fill_hedge_market,
    follow_score,
    hedge_score,
)
from chimera_platform.settings import to_record
from tests.reference.hedging import LOT_VALUE, MINUTE_NS, Desk, correlated_returns

Array = np.ndarray[Any, Any]
EAGER = {"hedge_threshold_score": 0.01, "net_risk_budget": 0.01, "pairs": ()}
SYMBOLS = ("GOLD", "SILVER", "EURO", "OIL")
MIXED = np.array([[1.0, 0.8, 0.3, 0.0], [0.8, 1.0, 0.2, 0.0], [0.3, 0.2, 1.0, -0.6], [0.0, 0.0, -0.6, 1.0]])


@functools.cache
def market(samples: int, seed: int = 1) -> Array:
    return correlated_returns(samples, MIXED, seed)


def desk(samples: int = 400, seed: int = 1, **settings: Any) -> Desk:
    return Desk(HedgeSettings(**{**EAGER, **settings}), SYMBOLS, market(samples, seed))


def pair_desk(correlation: float, samples: int = 400, seed: int = 3, **settings: Any) -> Desk:
    """Return a desk of two instruments in whose first no order can be opened."""
    returns = correlated_returns(samples, np.array([[1.0, correlation], [correlation, 1.0]]), seed)
    found = Desk(HedgeSettings(**{**EAGER, **settings}), ("GOLD", "SILVER"), returns)
    found.hedge.markets["can_enter"] = 0, 1
    found.hedge.markets["net_lots"] = 100, 0
    return found


# The score: formula, bounds, monotonicity.


@pytest.mark.parametrize(
    ("net_risk", "drawdown", "expected"),
    [
        (0.0, 0.5, 0.0),  # flat together: nothing to hedge, whatever was lost
        (0.05, 0.0, 0.5),  # a full budget in calm
        (0.05, 0.02, 1.0),  # and under full pressure
        (0.05, 0.5, 1.0),  # which more does not exceed
        (0.5, 0.0, 0.5),
        (0.025, 0.0, 0.25),
        (0.025, 0.01, 0.375),
        (0.05, -0.1, 0.5),
    ],
)
def test_the_score_is_load_times_what_pressure_makes_of_it(net_risk: float, drawdown: float, expected: float) -> None:
    assert hedge_score(to_record(HedgeSettings())[0], net_risk, drawdown) == pytest.approx(expected, abs=1e-15)


# Invariant: the score is in [0, 1], does not fall where risk or drawdown rises, and is 0 without risk.
@given(
    st.floats(0.0, 1.0),
    st.floats(0.0, 1.0),
    st.floats(0.0, 0.5),
    st.floats(0.0, 0.5),
    st.floats(0.0, 1.0),
    st.floats(0.001, 1.0),
)
def test_the_score_rises_with_risk_and_with_drawdown(
    risk: float, more: float, drawdown: float, deeper: float, calm: float, budget: float
) -> None:
    settings = to_record(HedgeSettings(calm_weight=calm, net_risk_budget=budget))[0]
    score = hedge_score(settings, risk, drawdown)
    assert 0.0 <= score <= 1.0
    assert hedge_score(settings, risk + more, drawdown) >= score
    assert hedge_score(settings, risk, drawdown + deeper) >= score
    assert hedge_score(settings, 0.0, drawdown) == 0.0


def test_a_hedge_is_wanted_from_the_threshold_until_below_its_release() -> None:
    settings, state = to_record(HedgeSettings())[0], np.zeros(1, HEDGE_DTYPE)[0]
    steps = [(0.2999, 0), (0.3, 1), (0.29, 1), (0.15, 1), (0.1499, 0), (0.29, 0), (0.3, 1), (1.0, 1), (0.0, 0)]
    wanted, changed = [], []
    for score, _ in steps:
        changed.append(bool(follow_score(state, settings, score)))
        wanted.append(int(state["is_wanted"]))
    assert wanted == [expected for _, expected in steps]
    assert changed == [False, True, False, False, True, False, True, False, True]


def test_without_a_release_below_the_threshold_a_hedge_stays_until_the_book_is_flat() -> None:
    settings, state = to_record(HedgeSettings(release_ratio=0.0))[0], np.zeros(1, HEDGE_DTYPE)[0]
    follow_score(state, settings, 0.3)
    follow_score(state, settings, 1e-9)
    assert state["is_wanted"] == 1
    follow_score(state, settings, 0.0)
    assert state["is_wanted"] == 0


# What it measures.


def test_risks_are_those_of_the_covariance_matrix() -> None:
    its = desk()
    its.hedge.markets["net_lots"], its.hedge.markets["hedge_lots"] = [100, -40, 0, 25], [-10, 0, 5, 0]
    its.plan(drawdown=0.0)
    state = its.hedge.state[0]
    assert state["net_risk"] == pytest.approx(its.risk(its.net) / its.equity, rel=1e-9)
    assert state["book_risk"] == pytest.approx(its.risk(its.net + np.array([-10, 0, 5, 0])) / its.equity, rel=1e-9)
    assert state["hedge_risk"] == pytest.approx(its.gross_risk(np.array([-10, 0, 5, 0])) / its.equity, rel=1e-9)


def test_orders_on_their_way_count_as_hedge_and_hold_back_further_ones() -> None:
    its = desk()
    its.hedge.markets["net_lots"][0], its.hedge.markets["working_lots"][0] = 100, -10
    its.hedge.markets["can_enter"][0] = its.hedge.markets["can_exit"][0] = 0
    assert its.plan() == (-1, 0)
    assert its.hedge.state[0]["hedge_risk"] == pytest.approx(its.gross_risk(np.array([-10, 0, 0, 0])) / its.equity)


def test_engines_that_offset_each_other_in_correlated_instruments_carry_less() -> None:
    its = desk()
    its.hedge.markets["net_lots"] = [100, 0, 0, 0]
    its.plan(drawdown=0.0)
    alone = float(its.hedge.state[0]["net_risk"])
    its.hedge.markets["net_lots"] = [100, -100, 0, 0]
    its.plan(drawdown=0.0)
    assert its.hedge.state[0]["net_risk"] < 0.75 * alone


# Where it goes.


def test_a_book_in_one_instrument_is_hedged_there_by_the_ratio() -> None:
    its = desk(hedge_size_ratio=0.25)
    its.hedge.markets["net_lots"][0] = 100
    assert its.plan() == (0, -25)
    its.fill(0, -25)
    assert its.plan() == (-1, 0)
    assert its.hedge.state[0]["book_risk"] == pytest.approx(0.75 * its.hedge.state[0]["net_risk"])


def test_a_correlated_instrument_takes_the_hedge_where_the_own_one_cannot() -> None:
    i, lots = pair_desk(0.9).plan()
    assert i == 1 and -25 <= lots <= -20
    i, lots = pair_desk(-0.9).plan()
    assert i == 1 and 20 <= lots <= 25


def test_no_hedge_goes_where_the_correlation_is_not_certain() -> None:
    assert pair_desk(0.0).plan() == (-1, 0)
    assert pair_desk(0.9, samples=10).plan() == (-1, 0), "not yet seen together often enough"
    assert pair_desk(0.9, enable_cross_symbol=False).plan() == (-1, 0)


def test_the_larger_the_confidence_asked_for_the_smaller_the_hedge_in_a_loosely_correlated_instrument() -> None:
    sizes = []
    for errors in (0.0, 1.0, 2.0, 4.0, 10.0):
        its = pair_desk(0.4, beta_confidence=errors, hedge_size_ratio=1.0)
        sizes.append(abs(its.plan()[1]))
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] >= 30 and sizes[2] < sizes[1] < sizes[0] and sizes[-1] == 0


def test_what_is_not_yet_known_of_a_correlation_counts_against_the_hedge() -> None:
    sizes = []
    for feared in (0.0, 0.5, 1.0):
        its = pair_desk(0.95, samples=60, hedge_size_ratio=1.0)
        its.covariance["unseen_correlation"] = feared
        sizes.append(abs(its.plan()[1]))
    assert sizes[0] > sizes[1] > sizes[2] > 0


def test_of_two_estimates_of_a_beta_the_more_careful_counts() -> None:
    names: dict[str, Any] = {"pairs": (("GOLD", "SILVER"),), "hedge_size_ratio": 1.0}
    unpaired, paired = pair_desk(0.8, hedge_size_ratio=1.0), pair_desk(0.8, **names)
    assert paired.hedge.betas["samples"][0] == 400
    usual = abs(unpaired.plan()[1])
    assert 0 < abs(paired.plan()[1]) <= usual
    weaker = pair_desk(0.8, **names)
    weaker.hedge.betas["beta"][0] *= 0.5
    assert 0 < abs(weaker.plan()[1]) < 0.7 * usual
    opposite = pair_desk(0.8, **names)
    opposite.hedge.betas["beta"][0] *= -1.0
    assert opposite.plan() == (-1, 0)
    new = pair_desk(0.8, **names, beta_samples_min=401)
    new.hedge.betas["beta"][0] *= -1.0
    assert abs(new.plan()[1]) == usual, "a beta of too few samples does not count"


def test_the_cheaper_of_two_like_hedges_is_taken_but_not_a_much_weaker_one() -> None:
    its = desk()
    its.hedge.markets["net_lots"][0] = 100
    its.hedge.markets["lot_cost"] = [10.0, 1.0, 0.01, 1.0]
    assert its.plan()[0] == 1, "silver relieves nearly as much, for a tenth"
    its = desk()
    its.hedge.markets["net_lots"][0] = 100
    its.hedge.markets["lot_cost"] = [1.2, 1.0, 0.01, 1.0]
    assert its.plan()[0] == 0, "gold relieves more for its cost; the euro costs nothing and relieves next to nothing"
    its = desk(least_relief=0.0)
    its.hedge.markets["net_lots"][0] = 100
    its.hedge.markets["lot_cost"] = [1.2, 1.0, 0.01, 1.0]
    assert its.plan()[0] == 2


def test_an_instrument_that_cannot_be_traded_or_has_no_price_gets_no_hedge() -> None:
    its = desk()
    its.hedge.markets["net_lots"][0] = 100
    its.hedge.markets["can_enter"] = 0
    assert its.plan() == (-1, 0)
    its.hedge.markets["can_enter"], its.hedge.markets["lot_value"] = 1, 0.0
    assert its.plan() == (-1, 0)


def test_an_instrument_that_engines_hold_is_not_hedged_beyond_what_they_hold_or_to_their_side() -> None:
    its = desk(hedge_size_ratio=1.0)
    its.hedge.markets["net_lots"] = [100, 10, 0, 0]
    its.hedge.markets["can_enter"] = [0, 1, 0, 0]
    assert its.plan() == (1, -10)
    its = desk(hedge_size_ratio=1.0)
    its.hedge.markets["net_lots"] = [100, -10, 0, 0]
    its.hedge.markets["can_enter"] = [0, 1, 0, 0]
    assert its.plan() == (-1, 0), "more silver sold would lower the book's risk, but add to what is sold of silver"


# When it acts, and stops.


def test_after_an_order_the_next_extension_waits_for_the_cooldown_and_reductions_do_not() -> None:
    its = desk(cooldown_ns=5 * MINUTE_NS, replace_below=0.0)
    its.hedge.markets["net_lots"] = [100, 0, 0, 100]
    first = its.plan()
    its.fill(*first)
    its.hedge.markets["net_lots"] = [1_000, 0, 0, 1_000]
    assert its.plan(after_ns=5 * MINUTE_NS - 1) == (-1, 0)
    second = its.plan(after_ns=1)
    assert second[0] >= 0 and second[0] != first[0]
    its.fill(*second)
    its.hedge.markets["net_lots"] = 0
    assert its.plan(after_ns=1)[0] >= 0


def test_a_change_too_small_to_matter_is_not_made() -> None:
    its = desk(minimum_change=0.1)
    its.hedge.markets["net_lots"][0], its.hedge.markets["hedge_lots"][0] = 100, -25
    for net in (110, 100, 93, 91):  # the hedge is up to 10 % more than it should be
        its.hedge.markets["net_lots"][0] = net
        assert its.plan() == (-1, 0), net
    its.hedge.markets["net_lots"][0] = 90
    assert its.plan() == (0, 3)


def test_a_hedge_far_too_small_is_closed_to_be_opened_anew_without_a_wait() -> None:
    its = desk(replace_below=0.5, enable_cross_symbol=False)
    its.hedge.markets["net_lots"][0], its.hedge.markets["hedge_lots"][0] = 400, -50
    assert its.plan() == (-1, 0), "half of 100: not below it"
    its.hedge.markets["hedge_lots"][0] = -49
    assert its.plan() == (0, 49)
    its.fill(0, 49)
    assert its.plan(after_ns=1) == (0, -100)
    its.fill(0, -100)
    assert its.plan() == (-1, 0)


def test_a_hedge_is_wound_down_when_the_score_falls_below_the_release() -> None:
    its = desk(hedge_threshold_score=0.3, net_risk_budget=0.02)
    its.hedge.markets["net_lots"][0] = 100
    full = float(its.gross_risk(its.net) / its.equity)
    its.equity *= full / 0.012  # a load of 0.6
    i, lots = its.plan(drawdown=0.02)
    its.fill(i, lots)
    assert (i, lots) == (0, -25) and its.hedge.state[0]["score"] == pytest.approx(0.6)
    assert its.plan(drawdown=0.0) == (-1, 0) and its.hedge.state[0]["score"] == pytest.approx(0.3)
    its.equity *= 2.1
    assert its.plan(drawdown=0.0) == (0, 25)


def test_switched_off_it_opens_nothing_and_closes_what_is_held() -> None:
    its = desk(enable_cross_engine_hedging=False)
    its.hedge.markets["net_lots"][0] = 100
    assert its.plan() == (-1, 0) and its.hedge.state[0]["score"] > 0.0
    its.hedge.markets["hedge_lots"][0] = -25
    assert its.plan() == (0, 25)


def test_a_hedge_that_has_come_to_add_risk_is_taken_back() -> None:
    its = desk()
    its.hedge.markets["net_lots"][0], its.hedge.markets["hedge_lots"][0] = -100, -25  # the engines have turned
    assert its.plan() == (0, 25)


def test_the_hedge_that_helps_least_goes_first() -> None:
    its = desk(hedge_size_ratio=0.5)
    its.hedge.markets["net_lots"][0] = 100
    its.hedge.markets["hedge_lots"] = [-25, 0, -25, -25]
    reduced = []
    while (order := its.plan())[0] >= 0:
        reduced.append(order[0])
        its.fill(*order)
    assert reduced[0] == 3 and 0 not in reduced


# Invariants over random books.

LOTS = st.lists(st.integers(-200, 200), min_size=4, max_size=4)
SPARSE = st.lists(st.one_of(st.just(0), st.integers(-200, 200)), min_size=4, max_size=4)
FLAGS = st.lists(st.booleans(), min_size=4, max_size=4)
DESKS: dict[tuple[float, float, int], Desk] = {}


def fresh(ratio: float, confidence: float, samples: int) -> Desk:
    """Return a desk as new; the covariance is only sampled once for each of the parameters."""
    key = (ratio, confidence, samples)
    if key not in DESKS:
        DESKS[key] = desk(samples=samples, hedge_size_ratio=ratio, beta_confidence=confidence)
    its = DESKS[key]
    its.hedge.state["is_wanted"] = its.hedge.state["is_replacing"] = 0
    its.equity = 1e6
    return its


# Invariants of every order: an entry strictly lowers the book's risk, leaves |net + hedge| of an instrument no larger
# and on its side, and hedge risk within the ratio of net risk; an exit only takes hedge back. Same input, same order.
@given(
    net=SPARSE,
    hedges=SPARSE,
    enter=FLAGS,
    leave=FLAGS,
    value=st.lists(st.floats(10.0, 1e5), min_size=4, max_size=4),
    drawdown=st.floats(0.0, 0.1),
    equity=st.floats(1e3, 1e8),
    ratio=st.sampled_from([0.0, 0.25, 1.0]),
    confidence=st.sampled_from([0.0, 1.645]),
    samples=st.sampled_from([0, 15, 40, 400]),
)
def test_no_order_ever_adds_risk(
    net: list[int],
    hedges: list[int],
    enter: list[bool],
    leave: list[bool],
    value: list[float],
    drawdown: float,
    equity: float,
    ratio: float,
    confidence: float,
    samples: int,
) -> None:
    its = fresh(ratio, confidence, samples)
    markets, its.equity = its.hedge.markets, equity
    markets["net_lots"], markets["hedge_lots"], markets["lot_value"] = net, hedges, value
    markets["can_enter"], markets["can_exit"] = enter, leave
    before = its.hedge.state.copy()
    i, lots = its.plan(drawdown)
    wanted = its.hedge.state["is_wanted"][0]
    its.hedge.state[:] = before
    assert its.plan(drawdown, after_ns=0) == (i, lots)
    if i < 0:
        assert lots == 0
        return
    assert lots != 0
    if hedges[i] != 0:  # an exit
        assert leave[i] and lots * hedges[i] < 0 and abs(lots) <= abs(hedges[i])
        return
    assert enter[i] and wanted == 1
    book, change = np.array(net) + np.array(hedges), np.eye(4, dtype=np.int64)[i] * lots
    assert its.risk(book + change) < its.risk(book)
    assert its.gross_risk(np.array(hedges) + change) <= ratio * its.risk(np.array(net)) * (1 + 1e-9)
    if net[i] != 0:
        assert abs(book[i] + lots) <= abs(book[i]) and (book[i] + lots) * book[i] >= 0
    if samples == 0 and np.count_nonzero(book) > 1:
        assert net[i] != 0, "nothing is known of how instruments move together"


# Invariant: where the engines hold nothing, every hedge is closed, one order at a time, whatever else is so.
@given(SPARSE, st.floats(0.0, 0.5))
def test_without_positions_of_engines_hedges_go_to_zero(hedges: list[int], drawdown: float) -> None:
    its = fresh(0.25, 1.645, 400)
    markets = its.hedge.markets
    markets["net_lots"], markets["hedge_lots"], markets["lot_value"] = 0, hedges, LOT_VALUE
    markets["can_enter"] = markets["can_exit"] = 1
    for _ in range(np.count_nonzero(hedges)):
        i, lots = its.plan(drawdown, after_ns=1)
        assert lots == -markets["hedge_lots"][i]
        its.fill(i, lots)
    assert not its.hedged.any()
    assert its.plan(drawdown) == (-1, 0) and its.hedge.state["score"][0] == 0.0


# Invariant: over any path of the engines' positions, once no order is due hedge risk is within the ratio of net risk
# (and the least change), no hedge adds risk by more than the least change, and extensions keep the cooldown.
@given(st.lists(st.tuples(LOTS, st.floats(0.0, 0.05)), min_size=1, max_size=12))
def test_over_any_path_the_hedge_stays_within_its_bounds(path: list[tuple[list[int], float]]) -> None:
    its = fresh(0.25, 1.645, 400)
    markets = its.hedge.markets
    markets["hedge_lots"], markets["lot_value"], markets["can_enter"], markets["can_exit"] = 0, LOT_VALUE, 1, 1
    its.hedge.state["traded_ts"] = -(1 << 62)
    last = -math.inf
    for net, drawdown in path:
        markets["net_lots"] = net
        for _ in range(20):
            held, was_replacing = its.hedged.copy(), its.hedge.state["is_replacing"][0]
            i, lots = its.plan(drawdown, after_ns=MINUTE_NS)
            if i < 0:
                break
            if held[i] == 0:
                assert was_replacing or its.ts - last >= its.settings.cooldown_ns
            its.fill(i, lots)
            last = its.ts
        assert i < 0, "orders come to an end"
        limit = 0.25 * its.risk(its.net) if its.hedge.state["is_wanted"][0] else 0.0
        assert its.gross_risk(its.hedged) <= 1.1 * limit * (1 + 1e-9)
        if its.hedged.any():
            assert its.risk(its.net + its.hedged) <= its.risk(its.net) * (1 + 1e-9)


def test_a_cross_hedge_lowers_the_true_risk_nearly_always() -> None:
    lowered = []
    for seed in range(200):
        its = pair_desk(0.35, samples=150, seed=seed, hedge_size_ratio=1.0)
        i, lots = its.plan()
        if i >= 0:
            z, w, rho = lots, 100, 0.35
            lowered.append(w * w + 2 * rho * w * z + z * z < w * w)
    assert len(lowered) > 100
    assert np.mean(lowered) >= 0.95


# What stands around it.


def test_a_market_is_described_by_its_touch_and_fees() -> None:
    row = np.zeros(1, HEDGE_MARKET_DTYPE)[0]
    fill_hedge_market(row, 30, -5, 0, 199_990, 200_010, 1_000_000_000, 2_000_000, 500, True, True)
    assert row["lot_value"] == pytest.approx(200_000.0)
    assert row["lot_cost"] == pytest.approx(20.0 + 2 * (0.002 + 200_000.0 * 500e-6))
    assert (row["net_lots"], row["hedge_lots"], row["can_enter"], row["can_exit"]) == (30, -5, 1, 1)
    fill_hedge_market(row, 30, -5, 2, 199_990, 200_010, 1_000_000_000, 0, 0, True, True)
    assert (row["can_enter"], row["can_exit"]) == (0, 0), "one order at a time"


@pytest.mark.parametrize("lots", [7, -7])
def test_its_intents_are_market_orders_without_a_stop_target_or_time_that_could_be_reached(lots: int) -> None:
    intent = np.ones(1, INTENT_DTYPE)[0]
    fill_hedge_intent(intent, 2, lots, 99, 101, -1, 4, 55, 66, 77)
    assert (intent["engine"], intent["reason"]) == (Engine.HEDGE, IntentReason.HEDGE)
    assert (intent["order_type"], intent["limit_price"]) == (OrderType.MARKET, 0)
    assert (intent["side"], intent["size"]) == (np.sign(lots), 7)
    assert intent["stop_distance"] >= 2**31 and intent["target_distance"] >= 2**31 and intent["max_hold_ns"] >= 2**60
    assert np.isnan(intent["features"]).all() and math.isnan(intent["model_score"])
    assert [intent[n] for n in ("instrument_id", "bid_price", "ask_price", "release_no")] == [2, 99, 101, 4]
    assert [intent[n] for n in ("regime", "event_no", "ts_event", "seq")] == [-1, 55, 66, 77]


@pytest.mark.parametrize("pairs", [(("A", "A"),), (("A", "B"), ("A", "B"))])
def test_a_pair_is_of_two_symbols_and_named_once(pairs: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(ValidationError, match="two different symbols"):
        HedgeSettings(pairs=pairs)
    assert HedgeSettings(pairs=(("A", "B"), ("B", "A"))).pairs[1] == ("B", "A")
