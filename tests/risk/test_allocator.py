"""Caps: no sequence of entries ever carries more than the account, an engine or an instrument may."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.coordinator import Coordinator, CoordinatorOutput
from chimera_platform.execution.records import DecisionReason, Engine
from chimera_platform.market.instruments import Universe
from chimera_platform.portfolio.account import MAX_NOTIONAL_NANOS, AccountSettings
from chimera_platform.risk.allocator import AllocatorSettings, allocator_record, cap_nanos, lot_notional_nanos
from tests.reference.coordinator_streams import UNIVERSE as TWO
from tests.reference.coordinator_streams import CoordinatorSections, configurations, instrument, intents, market
from tests.reference.market_script import BUY, MarketScript

UNIVERSE = Universe([instrument("X", tick_size="1", fees={})])
HFT, STRUCTURE, ORDER_FLOW = int(Engine.HFT), int(Engine.STRUCTURE), int(Engine.ORDER_FLOW)

ALL_OPEN = {f"{engine.name.lower()}_share": 1.0 for engine in Engine}


def decided(script: MarketScript, weights: dict[str, float] | None = None, **caps: Any) -> CoordinatorOutput:
    """Run with 10,000 of equity; at the quote of 99 to 100 a lot is worth 100."""
    sections = CoordinatorSections(
        account=AccountSettings(starting_equity=Decimal(10_000)),
        allocator=AllocatorSettings(**{"max_leverage": 1.0, "symbol_share": 1.0, **ALL_OPEN, **caps}),
    )
    coordinator = Coordinator(UNIVERSE, sections)
    if weights is not None:
        coordinator.apply_release(SimpleNamespace(weights=weights), 1)
    return script.run(coordinator)


def quoted() -> MarketScript:
    return MarketScript().quote(0, 99, 100)


def test_an_order_that_fits_is_approved_in_full_and_its_notional_is_reserved() -> None:
    row = decided(quoted().intent(BUY, 30)).decisions[0]
    assert (row["reason"], row["size_approved"], row["reserved_nanos"]) == (0, 30, 30 * 100 * 10**9)


@pytest.mark.parametrize(
    ("caps", "weights", "lots"),
    [
        ({"hft_share": 0.25}, None, 25),
        ({"symbol_share": 0.4}, None, 40),
        ({}, None, 100),
        ({"max_leverage": 2.0}, None, 200),
        ({"hft_share": 0.5}, {"hft": 0.5}, 25),
        ({"hft_share": 0.259}, None, 25),
    ],
)
def test_a_larger_order_is_cut_to_the_whole_lots_that_fit_under_the_tightest_cap(
    caps: Any, weights: Any, lots: int
) -> None:
    row = decided(quoted().intent(BUY, 1_000), weights, **caps).decisions[0]
    assert (row["approved"], row["size_wanted"], row["size_approved"]) == (1, 1_000, lots)


@pytest.mark.parametrize(
    ("caps", "reason"),
    [
        ({"hft_share": 0.009}, DecisionReason.ENGINE_CAP),
        ({"symbol_share": 0.009}, DecisionReason.SYMBOL_CAP),
        ({"max_leverage": 0.009}, DecisionReason.ENGINE_CAP),
    ],
)
def test_where_not_one_lot_fits_the_first_cap_is_the_reason(caps: Any, reason: DecisionReason) -> None:
    row = decided(quoted().intent(BUY, 1), **caps).decisions[0]
    assert (row["reason"], row["approved"], row["reserved_nanos"]) == (reason, 0, 0)


def test_every_engine_has_a_share_of_its_own_and_the_default_shares_fill_the_account() -> None:
    defaults = AllocatorSettings()
    shares = [getattr(defaults, f"{engine.name.lower()}_share") for engine in Engine]
    assert allocator_record(defaults)["engine_share"][0].tolist() == shares
    assert sum(shares) == pytest.approx(1.0)


@pytest.mark.parametrize("engine", list(Engine))
def test_an_engine_is_cut_by_its_own_share_and_its_own_weight_alone(engine: Engine) -> None:
    name, script = engine.name.lower(), quoted().intent(BUY, 1_000, engine=int(engine))
    others = {f"{other.name.lower()}_share": 0.1 for other in Engine if other is not engine}
    weights = {other.name.lower(): 0.5 if other is engine else 0.0 for other in Engine}
    rows = decided(script, weights, **{**others, f"{name}_share": 0.6}).decisions
    assert rows["size_approved"].tolist() == [30]


def test_what_engines_have_reserved_is_not_there_for_the_others() -> None:
    script = quoted().intent(BUY, 60, engine=HFT).intent(BUY, 30, engine=STRUCTURE).intent(BUY, 60, engine=ORDER_FLOW)
    rows = decided(script).decisions
    assert rows["size_approved"].tolist() == [60, 30, 10]
    assert rows["account_exposure_nanos"].tolist() == [0, 6_000 * 10**9, 9_000 * 10**9]


def test_a_used_up_account_refuses_with_its_own_reason() -> None:
    second = Universe([instrument("X", tick_size="1", fees={}), instrument("Y", tick_size="1", fees={})])
    sections = CoordinatorSections(
        account=AccountSettings(starting_equity=Decimal(10_000)),
        allocator=AllocatorSettings(max_leverage=1.0, symbol_share=1.0, **ALL_OPEN),
    )
    script = quoted().intent(BUY, 100, engine=HFT)
    script.event(1, kind=8, price=99, size=50, ask_price=100, ask_size=50, instrument_id=1)
    rows = script.intent(BUY, 1, engine=STRUCTURE, instrument_id=1).run(Coordinator(second, sections)).decisions
    assert rows["reason"].tolist() == [DecisionReason.APPROVED, DecisionReason.ACCOUNT_CAP]


def test_a_second_intent_of_an_engaged_engine_is_refused_until_the_position_is_closed() -> None:
    script = quoted().intent(BUY, 1, stop_distance=5).intent(BUY, 1)
    script.quote(9, 99, 100).intent(BUY, 1).quote(20, 90, 91).intent(BUY, 1).quote(30, 90, 91).intent(BUY, 1)
    reasons = decided(script).decisions["reason"].tolist()
    assert reasons == [0] + [DecisionReason.POSITION_OPEN] * 3 + [0]


def test_an_intent_for_no_lots_is_refused_as_size_zero() -> None:
    assert decided(quoted().intent(BUY, 0)).decisions["reason"].tolist() == [DecisionReason.SIZE_ZERO]


@given(seed=st.integers(0, 1 << 20))
@settings(deadline=None)
def test_no_approval_ever_exceeds_its_caps(seed: int) -> None:
    events = market(seed, 300)
    sections = configurations(seed | 1)
    rows = Coordinator(TWO, sections).run(events, 0, intents(seed, events)).decisions
    rows = rows[rows["approved"] == 1]
    limits = sections.allocator
    assert (rows["engine_exposure_nanos"] + rows["reserved_nanos"] <= rows["engine_cap_nanos"]).all()
    account_cap = rows["equity_nanos"] * limits.max_leverage
    assert (rows["account_exposure_nanos"] + rows["reserved_nanos"] <= account_cap).all()
    assert (rows["symbol_exposure_nanos"] + rows["reserved_nanos"] <= account_cap * limits.symbol_share).all()
    assert (rows["size_approved"] <= rows["size_wanted"]).all()


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


def test_a_lot_beyond_exact_arithmetic_fits_under_no_cap() -> None:
    assert lot_notional_nanos(1 << 62, 10**12) > MAX_NOTIONAL_NANOS
    assert np.int64(lot_notional_nanos(1 << 62, 10**12)) > 0
