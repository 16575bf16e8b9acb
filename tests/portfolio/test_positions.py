"""Average-cost accounting: cash + cost = starting cash + realised - fees after any fills, to the nano."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.portfolio.account import ACCOUNT_DTYPE, AccountSettings
from chimera_platform.portfolio.positions import (
    MAX_POSITION_LOTS,
    POSITION_DTYPE,
    Fault,
    fee_nanos,
    note_equity,
    revalue,
    share_of_cost,
    trade,
)

fills = st.lists(
    st.tuples(st.sampled_from((1, -1)), st.integers(1, 50), st.integers(-5, 2_000), st.integers(-100, 10_000)),
    max_size=40,
)


def new() -> tuple[Any, Any]:
    account, position = np.zeros(1, ACCOUNT_DTYPE), np.zeros(1, POSITION_DTYPE)
    account["starting_nanos"] = account["cash_nanos"] = account["peak_equity_nanos"] = 10**15
    return account[0], position[0]


def booked(*rows: tuple[int, int, int], tick_value: int = 1) -> tuple[Any, Any, list[int]]:
    account, position = new()
    realised = [trade(account, position, side, lots, price, tick_value, 0) for side, lots, price in rows]
    return account, position, realised


@given(fills=fills, tick_value=st.integers(1, 10**6))
@settings(deadline=None)
def test_the_cash_identity_holds_after_every_fill(fills: Any, tick_value: int) -> None:
    account, position = new()
    for side, lots, price, fee in fills:
        trade(account, position, side, lots, price, tick_value, fee)
        gain = account["realised_nanos"] - account["fees_nanos"]
        assert account["cash_nanos"] + position["cost_nanos"] == account["starting_nanos"] + gain
        assert position["lots"] != 0 or position["cost_nanos"] == 0


@given(fills=fills)
@settings(deadline=None)
def test_realised_profit_is_within_a_nano_a_fill_of_exact_average_cost(fills: Any) -> None:
    account, position = new()
    lots, cost, realised = 0, Fraction(0), Fraction(0)
    for side, size, price, _ in fills:
        trade(account, position, side, size, price, 1, 0)
        closed = min(size, abs(lots)) if lots * side < 0 else 0
        share = cost * closed / abs(lots) if closed else Fraction(0)
        realised += -side * closed * price - share
        cost += side * (size - closed) * price - share
        lots += side * size
    assert position["lots"] == lots
    assert abs(position["cost_nanos"] - cost) <= len(fills)
    assert abs(position["realised_nanos"] - realised) <= len(fills)


def test_a_long_round_trip_realises_price_difference_times_lots_times_tick_value() -> None:
    account, _, realised = booked((1, 10, 100), (-1, 10, 103), tick_value=7)
    assert realised == [0, 3 * 10 * 7]
    assert account["cash_nanos"] == 10**15 + 210


def test_a_short_round_trip_gains_when_the_price_falls() -> None:
    assert booked((-1, 10, 100), (1, 4, 90), (1, 6, 110))[2] == [0, 40, -60]


def test_adding_averages_the_cost_and_reducing_leaves_the_average() -> None:
    _, position, realised = booked((1, 10, 100), (1, 30, 104), (-1, 20, 110))
    assert realised[-1] == 20 * (110 - 103)
    assert position["cost_nanos"] == 20 * 103


def test_a_fill_larger_than_the_position_turns_it_over_at_the_fill_price() -> None:
    _, position, realised = booked((1, 10, 100), (-1, 25, 90))
    assert (realised[-1], position["lots"], position["cost_nanos"]) == (-100, -15, -15 * 90)


def test_the_last_lot_takes_the_whole_rest_of_the_cost() -> None:
    _, position, realised = booked((1, 1, 10), (1, 2, 11), (-1, 1, 10), (-1, 1, 10), (-1, 1, 10))
    assert sum(realised) == -2
    assert position["cost_nanos"] == 0


@given(
    cost=st.integers(-(1 << 61), 1 << 61),
    lots=st.integers(0, MAX_POSITION_LOTS),
    more=st.integers(0, MAX_POSITION_LOTS),
)
@settings(deadline=None)
def test_a_share_of_the_cost_is_the_exact_floor_at_any_size(cost: int, lots: int, more: int) -> None:
    of_lots = max(min(lots + more, MAX_POSITION_LOTS), 1)
    assert share_of_cost(cost, lots, of_lots) == cost * lots // of_lots


@given(
    notional=st.integers(0, 1 << 61), lots=st.integers(0, MAX_POSITION_LOTS), per_lot=st.integers(-(10**9), 10**9),
    ppm=st.integers(-100_000, 100_000),
)  # fmt: skip
@settings(deadline=None)
def test_a_fee_is_exact_at_any_size(notional: int, lots: int, per_lot: int, ppm: int) -> None:
    assert fee_nanos(notional, lots, per_lot, ppm) == lots * per_lot + notional * ppm // 1_000_000


@given(
    lots=st.integers(1, 1 << 40), price=st.integers(-(1 << 40), 1 << 40), tick_value=st.integers(1, 1 << 40),
)  # fmt: skip
@settings(deadline=None)
def test_a_fill_beyond_exact_arithmetic_is_a_fault_and_any_other_is_none(
    lots: int, price: int, tick_value: int
) -> None:
    account, position = new()
    trade(account, position, 1, lots, price, tick_value, 0)
    notional = lots * abs(price) * tick_value
    if lots > MAX_POSITION_LOTS:
        assert account["fault"] == Fault.POSITION
    elif notional > 1.001 * (1 << 61):
        assert account["fault"] == Fault.NOTIONAL
    elif notional < 0.999 * (1 << 61):
        assert account["fault"] == Fault.NONE
        assert position["cost_nanos"] == lots * price * tick_value


def test_a_position_is_valued_at_the_mid_and_half_nanos_are_rounded_down() -> None:
    account, position, _ = booked((1, 3, 100), tick_value=1)
    revalue(account, position, 100, 101, 1)
    assert position["value_nanos"] == 3 * 201 // 2
    account, position, _ = booked((-1, 3, 100), tick_value=1)
    revalue(account, position, 100, 101, 1)
    assert position["value_nanos"] == -3 * 201 // 2


def test_peak_and_drawdown_follow_equity() -> None:
    account, position, _ = booked((1, 10, 100))
    for mid, peak, drawdown in ((100, 0, 0), (105, 50, 0), (101, 50, 40), (103, 50, 40), (110, 100, 40)):
        revalue(account, position, mid, mid, 1)
        note_equity(account)
        assert (account["peak_equity_nanos"] - 10**15, account["max_drawdown_nanos"]) == (peak, drawdown)


def test_starting_equity_is_exact_in_nanos() -> None:
    assert AccountSettings.model_validate({"starting_equity": "1234.000000001"}).starting_equity_nanos == 1234000000001
