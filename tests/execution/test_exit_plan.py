"""A position's exit plan: what it asks for is what its definition says, and no stop ever moves against the position."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from chimera_platform.execution.exit_due import next_exit, stop_price
from chimera_platform.execution.exit_plan import (
    DISTANCE_LIMIT,
    EXIT_PLAN_DTYPE,
    cost_in_ticks,
    minute_volatility_of,
    note_entry_fill,
    planned_stop,
    planned_target,
    start_intent_plan,
    start_plain_plan,
    start_plan,
)
from chimera_platform.execution.exit_settings import ExitSettings, exit_parameters
from chimera_platform.execution.records import INTENT_DTYPE, OrderReason
from chimera_platform.microstructure.feature_names import Feature
from chimera_platform.portfolio.positions import share_of_cost
from tests.reference.exit_plan import NaivePlan

R, NAN = OrderReason, math.nan
MINUTE, HOUR = 60_000_000_000, 3_600_000_000_000


def of(**given: Any) -> Any:
    return exit_parameters(ExitSettings.model_validate(given))[0]


def plan_of(stop: int = 10, target: int = 20, lots: int = 4, cost: int = 0, **given: Any) -> Any:
    """Return the plan of ``lots`` that were entered at time 0 and may be held for a minute."""
    plan = np.zeros(1, EXIT_PLAN_DTYPE)[0]
    start_plan(plan, of(**given), stop, target, NAN, NAN, MINUTE, 100_000, cost)
    note_entry_fill(plan, lots, 0, 0)
    return plan


def asked(plan: Any, lots: int, price: int, entry: int = 1_000, ts: int = 0) -> tuple[int, int]:
    reason, closed = next_exit(plan, lots, lots * (price - entry), price, ts)
    return reason, closed


# ---- stop, target and time -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lots", "price", "expected"),
    [
        (4, 1_000, (0, 0)),
        (4, 991, (0, 0)),
        (4, 990, (R.STOP, 4)),
        (4, 900, (R.STOP, 4)),
        (4, 1_019, (0, 0)),
        (4, 1_020, (R.TARGET, 4)),
        (-4, 1_009, (0, 0)),
        (-4, 1_010, (R.STOP, 4)),
        (-4, 981, (0, 0)),
        (-4, 980, (R.TARGET, 4)),
    ],
)
def test_stop_and_target_are_reached_at_their_distance_and_not_a_tick_before(
    lots: int, price: int, expected: tuple[int, int]
) -> None:
    assert asked(plan_of(), lots, price) == expected


def test_time_is_up_at_the_holding_time_after_the_first_fill() -> None:
    plan = plan_of()
    assert asked(plan, 4, 1_000, ts=MINUTE - 1) == (0, 0)
    assert asked(plan, 4, 1_000, ts=MINUTE) == (R.TIME, 4)


def test_a_shorter_time_of_the_settings_counts_and_a_longer_one_does_not() -> None:
    assert plan_of(max_hold_ns=MINUTE // 2)["exit_ts"] == MINUTE // 2
    assert plan_of(max_hold_ns=HOUR)["exit_ts"] == MINUTE


def test_the_stop_goes_before_the_time_and_the_target_too() -> None:
    assert asked(plan_of(), 4, 980, ts=MINUTE)[0] == R.STOP
    assert asked(plan_of(), 4, 1_020, ts=MINUTE)[0] == R.TARGET


def test_later_fills_leave_the_time_as_it_is_and_count_as_entered() -> None:
    plan = plan_of()
    note_entry_fill(plan, 3, 4, MINUTE // 2)
    assert (plan["exit_ts"], plan["entry_lots"]) == (MINUTE, 7)


def test_what_was_decided_stays_decided() -> None:
    plan = plan_of()
    plan["exit_reason"] = R.STOP
    assert asked(plan, 2, 1_500) == (R.STOP, 2)


def test_a_plain_plan_is_stop_target_and_time_alone() -> None:
    plan = plan_of(trail_distance=1.0, trail_after=0.0, break_even_after=1.0, first_partial_share=0.5)
    asked(plan, 4, 1_015)
    start_plain_plan(plan, 10, 20, MINUTE)
    assert (plan["raised_reason"], plan["is_trailing"], plan["entry_lots"]) == (0, 0, 0)
    note_entry_fill(plan, 4, 0, 0)
    assert [asked(plan, 4, price) for price in (1_019, 991)] == [(0, 0), (0, 0)]
    assert asked(plan, 4, 990) == (R.STOP, 4)


# ---- the stop as planned -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "volatility", "price", "expected"),
    [
        ({}, NAN, 100_000, 100),
        ({"max_stop_fraction": 0.0}, 3.0, 100, 100),
        ({"max_stop_fraction": 0.02}, 3.0, 5_000, 100),
        ({"max_stop_fraction": 0.02}, 3.0, 4_999, 99),
        ({"max_stop_fraction": 0.02}, 3.0, 10, 1),
        ({"stop_volatility_floor": 2.0}, 40.0, 100_000, 100),
        ({"stop_volatility_floor": 2.0}, 50.25, 100_000, 101),
        ({"stop_volatility_floor": 2.0}, NAN, 100_000, 100),
        ({"stop_volatility_cap": 2.0}, 60.0, 100_000, 100),
        ({"stop_volatility_cap": 2.0}, 30.0, 100_000, 60),
        ({"stop_volatility_cap": 2.0}, 0.0, 100_000, 1),
        ({"stop_volatility_cap": 2.0}, NAN, 100_000, 100),
        ({"stop_volatility_floor": 2.0, "volatility_horizon_ns": 4 * MINUTE}, 30.0, 100_000, 120),
        ({"stop_volatility_floor": 2.0, "max_stop_fraction": 0.001}, 500.0, 90_000, 90),
        ({"stop_volatility_floor": 1.0, "max_hold_ns": MINUTE // 4}, 300.0, 100_000, 150),
    ],
)
def test_the_stop_stands_between_the_bounds_of_volatility_and_price(
    given: dict[str, float], volatility: float, price: int, expected: int
) -> None:
    assert planned_stop(of(**given), 100, volatility, MINUTE, price) == expected


@pytest.mark.parametrize(
    ("given", "predicted", "expected"),
    [
        ({}, 50.0, 70),
        ({"target_source": "ratio"}, 50.0, 80),
        ({"target_source": "ratio", "take_profit_ratio": 1.1}, NAN, 44),
        ({"target_source": "ratio", "take_profit_ratio": 0.0}, NAN, 70),
        ({"target_source": "model"}, NAN, 70),
        ({"target_source": "model"}, 50.0, 50),
        ({"target_source": "model"}, 50.1, 51),
        ({"target_source": "model"}, 3.0, 20),
        ({"target_source": "model"}, -3.0, 20),
        ({"target_source": "model"}, 1e12, 200),
        ({"target_source": "model", "model_target_min": 0.0}, -3.0, 1),
    ],
)
def test_the_target_is_the_engines_a_multiple_of_the_stop_or_the_models(
    given: dict[str, Any], predicted: float, expected: int
) -> None:
    assert planned_target(of(**given), 40, 70, predicted) == expected


def test_an_intents_plan_takes_volatility_and_prediction_from_the_intent() -> None:
    intent = np.zeros(1, INTENT_DTYPE)[0]
    for name, value in {"stop_distance": 10, "target_distance": 30, "max_hold_ns": MINUTE, "predicted_move": 44.0,
                        "bid_price": 9_999, "ask_price": 10_001}.items():  # fmt: skip
        intent[name] = value
    intent["features"][Feature.REALISED_VOL_60S] = 0.002
    assert minute_volatility_of(intent) == pytest.approx(20.0)
    plan = np.zeros(1, EXIT_PLAN_DTYPE)[0]
    start_intent_plan(plan, of(stop_volatility_floor=1.0, target_source="model"), intent, 10_001, 3)
    assert (plan["stop_distance"], plan["target_distance"], plan["break_even_cost"]) == (20, 44, 3)


def test_distances_beyond_what_can_be_multiplied_are_held_at_the_limit() -> None:
    plan = np.zeros(1, EXIT_PLAN_DTYPE)[0]
    far = of(max_stop_fraction=0.0, target_source="ratio", take_profit_ratio=20.0)
    start_plan(plan, far, 1 << 40, 1 << 40, NAN, NAN, 1 << 62, 1 << 40, 0)
    assert (plan["stop_distance"], plan["target_distance"], plan["max_hold_ns"]) == (
        DISTANCE_LIMIT,
        DISTANCE_LIMIT,
        1 << 60,
    )
    note_entry_fill(plan, 1 << 31, 0, 1 << 60)
    assert next_exit(plan, (1 << 31) - 1, 1 << 61, 1 << 30, 1 << 60) == (0, 0)


@pytest.mark.parametrize(
    ("fee", "lots", "tick_value", "expected"),
    [(0, 1, 10, 0), (5, 1, 10, 1), (6, 1, 10, 2), (6, 2, 10, 1), (-4, 1, 10, 0)],
)
def test_the_cost_of_entry_and_exit_is_rounded_up_to_ticks(fee: int, lots: int, tick_value: int, expected: int) -> None:
    assert cost_in_ticks(fee, lots, tick_value) == expected


# ---- raised stops --------------------------------------------------------------------------------------------


def test_the_stop_goes_to_entry_and_cost_when_profit_has_reached_its_threshold() -> None:
    plan = plan_of(cost=3, break_even_after=1.0)
    assert asked(plan, 4, 1_009) == (0, 0)
    assert stop_price(plan, 4, 4_000) == 990
    assert asked(plan, 4, 1_010) == (0, 0)
    assert stop_price(plan, 4, 4_000) == 1_003
    assert asked(plan, 4, 1_004) == (0, 0)
    assert asked(plan, 4, 1_003) == (R.BREAK_EVEN, 4)


def test_the_stop_is_not_moved_to_entry_and_cost_before_the_market_is_beyond_it() -> None:
    plan = plan_of(cost=12, break_even_after=1.0)
    assert asked(plan, 4, 1_012) == (0, 0)
    assert plan["raised_reason"] == 0
    assert asked(plan, 4, 1_013) == (0, 0)
    assert (plan["raised_reason"], plan["raised_price"]) == (R.BREAK_EVEN, 1_012)


@pytest.mark.parametrize(("side", "expected"), [(1, 1_004), (-1, 996)])
def test_an_average_between_ticks_is_rounded_so_that_the_cost_is_earned(side: int, expected: int) -> None:
    plan = plan_of(lots=3, cost=3, break_even_after=1.0)
    cost_ticks = side * 3_000 + 1  # bought a third of a tick above 1000, or sold a third of a tick below
    price = 1_000 + side * 15
    assert next_exit(plan, 3 * side, 3 * side * price - cost_ticks, price, 0) == (0, 0)
    assert plan["raised_price"] == expected
    assert 3 * side * expected - cost_ticks >= 3 * 3


def test_a_trailing_stop_follows_the_best_price_once_it_has_started() -> None:
    plan = plan_of(target=1_000, trail_distance=0.5, trail_after=1.0)
    assert asked(plan, 4, 1_009) == (0, 0)
    assert asked(plan, 4, 1_003) == (0, 0)
    assert asked(plan, 4, 1_010) == (0, 0)
    assert [asked(plan, 4, price)[0] for price in (1_030, 1_026)] == [0, 0]
    assert stop_price(plan, 4, 4_000) == 1_025
    assert asked(plan, 4, 1_025) == (R.TRAILING, 4)


def test_a_trailing_stop_of_a_sold_position_follows_downwards() -> None:
    plan = plan_of(target=1_000, trail_distance=0.5, trail_after=0.0)
    assert asked(plan, -4, 1_001) == (0, 0)
    assert stop_price(plan, -4, -4_000) == 1_006
    assert asked(plan, -4, 970) == (0, 0)
    assert stop_price(plan, -4, -4_000) == 975
    assert asked(plan, -4, 974) == (0, 0)
    assert asked(plan, -4, 975) == (R.TRAILING, 4)


def test_a_trailing_stop_further_away_than_the_stop_does_not_replace_it() -> None:
    plan = plan_of(trail_distance=2.0, trail_after=0.0)
    assert asked(plan, 4, 1_005) == (0, 0)
    assert asked(plan, 4, 990) == (R.STOP, 4)


def test_the_raised_stop_is_the_reason_also_where_a_gap_passes_both() -> None:
    plan = plan_of(break_even_after=1.0)
    assert asked(plan, 4, 1_012) == (0, 0)
    assert asked(plan, 4, 900) == (R.BREAK_EVEN, 4)


def test_of_two_raised_stops_at_one_price_the_first_is_the_reason() -> None:
    plan = plan_of(target=100, break_even_after=1.0, trail_distance=1.0, trail_after=1.0)
    assert asked(plan, 4, 1_010) == (0, 0)
    assert plan["raised_reason"] == R.BREAK_EVEN
    assert asked(plan, 4, 1_011) == (0, 0)
    assert plan["raised_reason"] == R.TRAILING


def test_a_raised_stop_stays_where_it_is_when_a_later_fill_moves_the_average() -> None:
    plan = plan_of(break_even_after=1.0)
    assert asked(plan, 4, 1_012, entry=1_000) == (0, 0)
    note_entry_fill(plan, 4, 4, 0)
    assert asked(plan, 8, 1_001, entry=995) == (0, 0)
    assert asked(plan, 8, 1_000, entry=995) == (R.BREAK_EVEN, 8)


# ---- parts ---------------------------------------------------------------------------------------------------

PARTS: dict[str, Any] = {"first_partial_share": 0.3, "second_partial_share": 0.4}


def test_parts_leave_on_the_way_to_the_target_and_the_rest_at_the_target() -> None:
    plan = plan_of(target=20, lots=10, **PARTS)
    assert asked(plan, 10, 1_009) == (0, 0)
    assert asked(plan, 10, 1_010) == (R.PARTIAL_TARGET, 3)
    assert asked(plan, 7, 1_011) == (0, 0)
    assert asked(plan, 7, 1_015) == (R.PARTIAL_TARGET, 4)
    assert asked(plan, 3, 1_019) == (0, 0)
    assert asked(plan, 3, 1_020) == (R.TARGET, 3)


def test_a_price_that_passes_both_parts_closes_both_at_once() -> None:
    assert asked(plan_of(lots=10, **PARTS), 10, 1_016) == (R.PARTIAL_TARGET, 7)


@pytest.mark.parametrize(
    ("lots", "first", "both"), [(1, 0, 0), (2, 0, 1), (3, 0, 2), (4, 1, 2), (10, 3, 7), (11, 3, 7)]
)
def test_parts_are_rounded_down_to_lots_and_the_last_lot_stays(lots: int, first: int, both: int) -> None:
    assert asked(plan_of(lots=lots, **PARTS), lots, 1_010)[1] == first
    assert asked(plan_of(lots=lots, **PARTS), lots, 1_016)[1] == both


def test_what_an_order_of_a_part_left_unfilled_is_asked_for_again() -> None:
    plan = plan_of(lots=10, **PARTS)
    assert asked(plan, 10, 1_010) == (R.PARTIAL_TARGET, 3)
    assert asked(plan, 9, 1_010) == (R.PARTIAL_TARGET, 2)
    assert asked(plan, 9, 1_009) == (0, 0)


def test_lots_that_are_entered_later_have_their_parts_too() -> None:
    plan = plan_of(lots=4, **PARTS)
    assert asked(plan, 4, 1_010) == (R.PARTIAL_TARGET, 1)
    note_entry_fill(plan, 6, 3, 0)
    assert asked(plan, 9, 1_010) == (R.PARTIAL_TARGET, 2)


def test_a_single_second_part_is_a_part() -> None:
    plan = plan_of(lots=10, second_partial_share=0.5)
    assert asked(plan, 10, 1_014) == (0, 0)
    assert asked(plan, 10, 1_015) == (R.PARTIAL_TARGET, 5)


# ---- settings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"stop_volatility_floor": 2.0, "stop_volatility_cap": 1.0}, "stop_volatility_cap 1.0 of at least"),
        ({"model_target_min": 6.0}, "model_target_max 5.0 of at least model_target_min 6.0"),
        ({**PARTS, "second_partial_at": 0.5}, "second_partial_at 0.5 above first_partial_at 0.5"),
        ({"first_partial_share": 0.5, "second_partial_share": 0.5}, "of at most 0.95"),
        ({"first_partial_share": 1.0}, "less than or equal to 0.95"),
        ({"target_source": "oracle"}, "'engine', 'ratio' or 'model'"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ExitSettings.model_validate(given)


# ---- any settings, any path ----------------------------------------------------------------------------------

shares = st.sampled_from([0.0, 0.1, 0.25, 0.3, 0.4])
multiples = st.sampled_from([0.0, 0.1, 0.5, 0.7, 1.0, 1.1, 2.0])
plans = st.fixed_dictionaries(
    {
        "max_stop_fraction": st.sampled_from([0.0, 0.001, 0.02]),
        "stop_volatility_floor": st.sampled_from([0.0, 0.5, 1.0]),
        "stop_volatility_cap": st.sampled_from([0.0, 1.5, 3.0]),
        "volatility_horizon_ns": st.sampled_from([0, MINUTE, 15]),
        "target_source": st.sampled_from(["engine", "ratio", "model"]),
        "take_profit_ratio": multiples,
        "trail_distance": multiples,
        "trail_after": multiples,
        "break_even_after": multiples,
        "first_partial_at": st.sampled_from([0.2, 0.5]),
        "first_partial_share": shares,
        "second_partial_at": st.sampled_from([0.6, 0.9]),
        "second_partial_share": shares,
        "max_hold_ns": st.sampled_from([0, 40]),
    }
)
terms = st.tuples(
    st.integers(1, 30),  # stop
    st.integers(1, 60),  # target
    st.one_of(st.just(NAN), st.floats(-50.0, 200.0)),  # predicted move
    st.one_of(st.just(NAN), st.floats(0.0, 20.0)),  # volatility of a minute
    st.integers(1, 80),  # holding time
    st.just(2_000),  # price
    st.integers(0, 5),  # cost
)
steps = st.lists(
    st.tuples(st.integers(-6, 6), st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=60
)  # move of the price, lots that the entry fills, how much of an exit is left unfilled


class Life:
    """A position under a plan and under its definition, told the same."""

    def __init__(self, given: dict[str, Any], terms: tuple[Any, ...], side: int) -> None:
        self.plan, self.side, self.lots, self.cost_ticks = np.zeros(1, EXIT_PLAN_DTYPE)[0], side, 0, 0
        start_plan(self.plan, of(**given), *terms)
        self.naive = NaivePlan(ExitSettings.model_validate(given), side, *terms)

    def enter(self, lots: int, price: int, ts: int) -> None:
        note_entry_fill(self.plan, lots, abs(self.lots), ts)
        self.naive.fill(lots, ts)
        self.lots += self.side * lots
        self.cost_ticks += self.side * lots * price
        self.naive.hold(abs(self.lots), self.cost_ticks)

    def close(self, lots: int) -> None:
        self.cost_ticks -= share_of_cost(self.cost_ticks, lots, abs(self.lots))
        self.lots -= self.side * lots
        self.naive.hold(abs(self.lots), self.cost_ticks)

    def ask(self, price: int, ts: int) -> tuple[int, int]:
        profit = self.lots * price - self.cost_ticks
        reason, lots = next_exit(self.plan, self.lots, profit, price, ts)
        return reason, lots


@given(given=plans, terms=terms, steps=steps, side=st.sampled_from([1, -1]))
@settings(max_examples=400, deadline=None)
def test_on_any_path_the_plan_asks_for_what_its_definition_says(
    given: dict[str, Any], terms: tuple[Any, ...], steps: list[tuple[int, int, int]], side: int
) -> None:
    life, price = Life(given, terms, side), 2_000
    life.enter(3, price, 0)
    for ts, (move, entered, unfilled) in enumerate(steps):
        price += move
        reason, lots = life.ask(price, ts)
        assert (reason, lots) == life.naive.next(price, ts)
        raised = life.naive.raised()
        assert (life.plan["raised_reason"] != 0) == (raised is not None)
        if raised is not None:
            assert (life.plan["raised_price"], life.plan["raised_reason"]) == raised
        if reason not in (0, R.PARTIAL_TARGET):
            assert lots == abs(life.lots)
            return
        if reason == R.PARTIAL_TARGET:
            life.close(max(lots - unfilled, 0))
        elif entered:
            life.enter(entered, price, ts)


@given(given=plans, terms=terms, steps=steps, side=st.sampled_from([1, -1]))
@settings(max_examples=200, deadline=None)
def test_no_exit_is_larger_than_the_position_no_stop_is_loosened_and_asking_twice_changes_nothing(
    given: dict[str, Any], terms: tuple[Any, ...], steps: list[tuple[int, int, int]], side: int
) -> None:
    life, price, closed = Life(given, terms, side), 2_000, 0
    life.enter(7, price, 0)
    stop = side * stop_price(life.plan, life.lots, life.cost_ticks)
    for ts, (move, _, unfilled) in enumerate(steps):
        price += move
        reason, lots = life.ask(price, ts)
        after = life.plan.copy()
        assert life.ask(price, ts) == (reason, lots)
        assert life.plan == after
        now = side * stop_price(life.plan, life.lots, life.cost_ticks)
        assert now >= stop
        is_stop = reason in (R.STOP, R.TRAILING, R.BREAK_EVEN)
        assert is_stop == (side * price <= now)
        if reason == R.PARTIAL_TARGET:
            assert 1 <= lots < abs(life.lots)
            closed += lots - min(unfilled, lots)
            life.close(lots - min(unfilled, lots))
            assert closed < 7
            stop = side * stop_price(life.plan, life.lots, life.cost_ticks)  # the average moved by less than a tick
            assert stop >= now - 1
            continue
        stop = now
        if reason:
            assert lots == abs(life.lots)
            return


@given(terms=terms, steps=steps, side=st.sampled_from([1, -1]))
@settings(max_examples=100, deadline=None)
def test_with_the_defaults_a_position_is_left_at_the_engines_stop_target_or_time(
    terms: tuple[Any, ...], steps: list[tuple[int, int, int]], side: int
) -> None:
    life, price = Life({}, terms, side), 2_000
    stop, target, hold = min(terms[0], 40), terms[1], terms[4]
    life.enter(5, price, 0)
    for ts, (move, entered, _) in enumerate(steps):
        price += move
        profit = side * (price - Fraction(life.cost_ticks, life.lots))
        expected = R.STOP if profit <= -stop else R.TARGET if profit >= target else R.TIME if ts >= hold else 0
        assert life.ask(price, ts) == (expected, abs(life.lots) if expected else 0)
        if expected:
            return
        if entered:
            life.enter(entered, price, ts)
