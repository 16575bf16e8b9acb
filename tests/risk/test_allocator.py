"""Caps: lots are allocated as long as they fit under every cap, and the gate says which one they did not fit under.

Invariant: the lots allocated are the most, up to those wanted, for which exposure + lots * lot notional is within the
cap at each level.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from chimera_platform.coordination.state import MARKET_DTYPE
from chimera_platform.execution.order_state import ORDER_DTYPE
from chimera_platform.execution.records import DECISION_DTYPE, DecisionReason, Engine
from chimera_platform.market.instruments import Universe, load_instruments
from chimera_platform.portfolio.account import ACCOUNT_DTYPE, MAX_NOTIONAL_NANOS
from chimera_platform.portfolio.exposure import CURRENCY_DTYPE
from chimera_platform.portfolio.positions import MAX_POSITION_LOTS, POSITION_DTYPE
from chimera_platform.risk.allocator import (
    AllocatorSettings,
    allocate,
    allocator_record,
    cap_nanos,
    fill_caps,
    is_engaged,
    lot_notional_nanos,
    share_records,
)
from tests.reference.coordinator_streams import instrument

R = DecisionReason
LEVELS = ("engine", "symbol", "currency", "account")
CAPS = {"engine": R.ENGINE_CAP, "symbol": R.SYMBOL_CAP, "currency": R.CURRENCY_CAP, "account": R.ACCOUNT_CAP}


def a_decision(lot: int = 10, is_engaged: int = 0, **levels: Any) -> Any:
    """Return a row with (exposure, cap) at each level, 0 of 1,000 where none is given."""
    row = np.zeros(1, DECISION_DTYPE)[0]
    row["lot_notional_nanos"], row["is_engaged"] = lot, is_engaged
    for level in LEVELS:
        row[f"{level}_exposure_nanos"], row[f"{level}_cap_nanos"] = levels.get(level, (0, 1_000))
    return row


def test_an_order_that_fits_is_allocated_in_full() -> None:
    assert allocate(a_decision(), 100) == (100, R.APPROVED)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("cap", "lots"), [(509, 50), (510, 51), (999, 99)])
def test_a_larger_order_is_cut_to_the_whole_lots_that_fit_under_the_tightest_cap(
    level: str, cap: int, lots: int
) -> None:
    assert allocate(a_decision(**{level: (0, cap)}), 1_000) == (lots, CAPS[level])


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("used", [(991, 1_000), (1_000, 1_000), (5_000, 1_000), (0, 9), (0, 0)])
def test_a_level_with_less_room_than_a_lot_refuses_with_its_own_reason(level: str, used: tuple[int, int]) -> None:
    assert allocate(a_decision(**{level: used}), 1) == (0, CAPS[level])


@pytest.mark.parametrize("level", LEVELS)
def test_exactly_one_lots_room_is_room_for_one_lot(level: str) -> None:
    assert allocate(a_decision(**{level: (990, 1_000)}), 2) == (1, CAPS[level])
    assert allocate(a_decision(**{level: (990, 1_000)}), 1) == (1, R.APPROVED)


def test_where_several_caps_refuse_the_first_in_the_reasons_order_counts() -> None:
    used_up: dict[str, tuple[int, int]] = {}
    for level in reversed(LEVELS):
        used_up[level] = (1_000, 1_000)
        assert allocate(a_decision(**used_up), 1) == (0, CAPS[level])


def test_where_several_caps_resize_the_tightest_is_named_and_of_equal_ones_the_first() -> None:
    assert allocate(a_decision(engine=(0, 900), account=(0, 800)), 1_000) == (80, R.ACCOUNT_CAP)
    assert allocate(a_decision(symbol=(0, 800), account=(0, 800)), 1_000) == (80, R.SYMBOL_CAP)


def test_an_engaged_engine_gets_nothing_whatever_room_there_is() -> None:
    assert allocate(a_decision(is_engaged=1), 1) == (0, R.POSITION_OPEN)
    assert allocate(a_decision(is_engaged=1, engine=(0, 0)), 1) == (0, R.POSITION_OPEN)


def test_nothing_wanted_is_size_zero_unless_a_cap_refuses_before() -> None:
    assert allocate(a_decision(), 0) == (0, R.SIZE_ZERO)
    assert allocate(a_decision(account=(0, 9)), 0) == (0, R.ACCOUNT_CAP)


def test_more_lots_than_arithmetic_is_exact_for_are_cut_as_too_large_a_position() -> None:
    roomy = dict.fromkeys(LEVELS, (0, MAX_NOTIONAL_NANOS))
    assert allocate(a_decision(lot=1, **roomy), 1 << 40) == (MAX_POSITION_LOTS, R.MAX_POSITION)


def test_a_lot_beyond_exact_arithmetic_fits_under_no_cap() -> None:
    lot = lot_notional_nanos(1 << 62, 10**12)
    assert lot > MAX_NOTIONAL_NANOS
    assert allocate(a_decision(lot=lot, **dict.fromkeys(LEVELS, (0, MAX_NOTIONAL_NANOS))), 1) == (0, R.ENGINE_CAP)


money = st.integers(0, 300)


@given(
    rooms=st.tuples(*[st.tuples(money, money)] * 4),
    lot=st.integers(1, 40),
    wanted=st.integers(0, 30),
    engaged=st.sampled_from((0, 0, 0, 1)),
)
@settings(max_examples=500, deadline=None)
def test_the_lots_allocated_are_the_most_that_every_cap_allows(rooms: Any, lot: int, wanted: int, engaged: int) -> None:
    levels = dict(zip(LEVELS, rooms, strict=True))

    def breaks(lots: int) -> list[DecisionReason]:
        return [CAPS[each] for each, (exposure, cap) in levels.items() if lots and exposure + lots * lot > cap]

    lots, gate = allocate(a_decision(lot, engaged, **levels), wanted)
    most = max(n for n in range(wanted + 1) if not breaks(n))
    if engaged:
        assert (lots, gate) == (0, R.POSITION_OPEN)
    elif breaks(1):
        assert (lots, gate) == (0, breaks(1)[0])
    elif wanted == 0:
        assert (lots, gate) == (0, R.SIZE_ZERO)
    else:
        assert (lots, gate) == (most, breaks(most + 1)[0] if most < wanted else R.APPROVED)


# ---- what is written into the row -----------------------------------------------------------------------------

THREE = Universe([instrument("A", base="XAU"), instrument("B", base="XAU"), instrument("C")])


def filled(
    settings: AllocatorSettings, i: int = 0, engine: int = Engine.HFT, equity: int = 10_000, **changes: Any
) -> Any:
    """Return a row of instrument ``i`` of THREE after fill_caps: money in nanos."""
    account, market, currency = np.zeros(1, ACCOUNT_DTYPE), np.zeros(1, MARKET_DTYPE), np.zeros(1, CURRENCY_DTYPE)
    account["cash_nanos"], account["value_nanos"], account["engine_weight"] = equity - 300, 300, 1.0
    for name, value in changes.items():
        account[name] = value
    market["committed_nanos"], market["reserved_nanos"] = 1, 2
    currency["committed_nanos"], currency["reserved_nanos"] = 10, 20
    account["committed_nanos"], account["reserved_nanos"] = 100, 200
    account["engine_committed_nanos"], account["engine_reserved_nanos"] = [1_000, 2_000, 3_000, 4_000], [5, 6, 7, 8]
    row = np.zeros(1, DECISION_DTYPE)
    row["engine"] = engine
    share = share_records(settings, THREE)[i]
    fill_caps(row[0], account[0], market[0], currency[0], allocator_record(settings)[0], share)
    return row[0]


ONE = AllocatorSettings(max_leverage=1.0)


@pytest.mark.parametrize(("engine", "exposure"), [(0, 1_005), (1, 2_006), (2, 3_007), (3, 4_008)])
def test_exposure_is_committed_plus_reserved_of_the_decisions_own_levels(engine: int, exposure: int) -> None:
    row = filled(ONE, engine=engine)
    assert [row[f"{level}_exposure_nanos"] for level in LEVELS] == [exposure, 3, 30, 300]


def test_caps_are_shares_of_leverage_times_equity() -> None:
    settings = AllocatorSettings(max_leverage=2.0, hft_share=0.25, symbol_share=0.4, currency_share=0.6)
    row = filled(settings)
    assert row["equity_nanos"] == 10_000
    assert [row[f"{level}_cap_nanos"] for level in LEVELS] == [5_000, 8_000, 12_000, 20_000]


@pytest.mark.parametrize("engine", list(Engine))
def test_an_engines_cap_follows_its_own_share_and_its_own_weight_alone(engine: Engine) -> None:
    shares = {f"{each.name.lower()}_share": 0.6 if each is engine else 0.1 for each in Engine}
    weights = np.where(np.arange(len(Engine)) == engine, 0.5, 3.0)
    row = filled(AllocatorSettings(max_leverage=1.0, **shares), engine=engine, engine_weight=weights)
    assert (row["engine_cap_nanos"], row["engine_weight"]) == (3_000, 0.5)


@pytest.mark.parametrize("level", ["symbol", "currency", "account"])
def test_an_engines_weight_moves_no_other_cap(level: str) -> None:
    assert filled(ONE)[f"{level}_cap_nanos"] == filled(ONE, engine_weight=0.0)[f"{level}_cap_nanos"]


def test_a_symbol_and_a_currency_may_have_shares_of_their_own() -> None:
    settings = AllocatorSettings(
        max_leverage=1.0, symbol_shares={"B": 0.125, "ELSEWHERE": 1.0}, currency_shares={"XAU": 0.25, "C": 0.0}
    )
    caps = [[filled(settings, i)[f"{level}_cap_nanos"] for level in ("symbol", "currency")] for i in range(3)]
    assert caps == [[5_000, 2_500], [1_250, 2_500], [5_000, 0]]


def test_there_is_no_room_where_equity_is_lost() -> None:
    row = filled(ONE, equity=-1)
    assert [row[f"{level}_cap_nanos"] for level in LEVELS] == [0, 0, 0, 0]


# ---- settings and units -----------------------------------------------------------------------------------------


def test_instruments_that_buy_the_same_share_a_currency_and_one_without_a_base_has_its_own() -> None:
    assert THREE.assets == ("C", "XAU")
    assert share_records(ONE, THREE)["currency_index"].tolist() == [1, 1, 0]


def test_the_built_in_gold_markets_are_one_currency() -> None:
    universe = Universe(list(load_instruments().values()))
    index = dict(zip(universe.symbols, share_records(ONE, universe)["currency_index"], strict=True))
    assert index["XAUUSD"] == index["GC"] != index["XAGUSD"]
    assert index["BTCUSDT"] == index["BTCUSD_PERP"] != index["GOOG"] != index["AMZN"]


def test_every_engine_has_a_share_of_its_own_and_those_that_trade_fill_the_account() -> None:
    defaults = AllocatorSettings()
    shares = [getattr(defaults, f"{engine.name.lower()}_share") for engine in Engine]
    assert allocator_record(defaults)["engine_share"][0].tolist() == shares
    assert sum(shares) - defaults.hedge_share == pytest.approx(1.0)


@pytest.mark.parametrize("key", ["symbol_shares", "currency_shares"])
@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_out_of_bounds_is_refused(key: str, share: float) -> None:
    with pytest.raises(ValidationError, match=f"{key}.X"):
        AllocatorSettings(**{key: {"X": share}})


@pytest.mark.parametrize(
    ("equity", "fraction", "cap"),
    [(1_000, 0.5, 500), (-1_000, 0.5, 0), (MAX_NOTIONAL_NANOS, 100.0, MAX_NOTIONAL_NANOS), (10**18, 0.0, 0)],
)
def test_a_cap_is_a_fraction_of_equity_between_nothing_and_the_largest_exact_notional(
    equity: int, fraction: float, cap: int
) -> None:
    assert cap_nanos(equity, fraction) == cap


@pytest.mark.parametrize(("price", "tick_value", "notional"), [(5, 7, 35), (-5, 7, 35), (0, 7, 1)])
def test_a_lots_notional_is_absolute_and_never_nothing(price: int, tick_value: int, notional: int) -> None:
    assert lot_notional_nanos(price, tick_value) == notional


@pytest.mark.parametrize(
    ("lots", "entry", "leave", "engaged"), [(0, 0, 0, False), (-1, 0, 0, True), (0, 1, 0, True), (0, 0, 1, True)]
)
def test_an_engine_is_engaged_by_a_position_or_a_working_order(
    lots: int, entry: int, leave: int, engaged: bool
) -> None:
    position, orders = np.zeros(1, POSITION_DTYPE), np.zeros(2, ORDER_DTYPE)
    position["lots"], orders["is_open"] = lots, (entry, leave)
    assert is_engaged(position[0], orders[0], orders[1]) is engaged
