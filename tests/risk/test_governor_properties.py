"""Whatever the row: no limit is exceeded, approved means APPROVED, worse inputs never make sizes larger, and the
kernel says what the plain reference says."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.execution.records import DECISION_DTYPE, DecisionReason, Engine
from chimera_platform.market.city_sessions import CitySession
from chimera_platform.risk.gates.limits import UNLIMITED, lots_within
from chimera_platform.risk.risk_settings import RiskAdaptiveSettings, RiskSettings
from tests.reference.decision_rows import CALM, MANY, NANOS, decided, decision_row
from tests.reference.governor import cap_lots, governor, limits

R = DecisionReason
RISK = RiskSettings(signal_confidence_threshold=0.4, max_positions=20, max_order_notional=60_000.0)
ADAPTIVE = RiskAdaptiveSettings(session_scale_asia=0.75, session_scale_newyork=0.9)
EQUITY = 1_000_000 * NANOS
CAP = 40 * 2_000 * NANOS

CHOICES: dict[str, tuple[Any, ...]] = {
    # values at, around and far from every boundary of RISK and ADAPTIVE; most of them pass
    "size_wanted": (0, 1, 7, 10, 10, 25, 60),
    "size_sized": (0, 1, 7, 10, 10, 25, 60),
    "lot_notional_nanos": (1_999 * NANOS, 2_000 * NANOS, 2_000 * NANOS + 1, 3_000 * NANOS, 60_001 * NANOS),
    "engine_cap_nanos": (CAP,),
    "symbol_cap_nanos": (CAP,),
    "currency_cap_nanos": (CAP,),
    "account_cap_nanos": (CAP,),
    "engine_exposure_nanos": (0, 0, CAP // 2, CAP - 2_000 * NANOS, CAP, CAP + 1),
    "symbol_exposure_nanos": (0, 0, CAP // 2, CAP - 4_000 * NANOS, CAP + 1),
    "currency_exposure_nanos": (0, 0, CAP // 2, CAP - 6_000 * NANOS, CAP + 1),
    "account_exposure_nanos": (0, 0, CAP // 2, CAP - 8_000 * NANOS, CAP + 1),
    "equity_nanos": (EQUITY,),
    "drawdown_nanos": (0, 0, 0, EQUITY // 19, EQUITY // 19 + 1, EQUITY // 15, EQUITY // 9, EQUITY // 9 + 1),
    "spread": (0, 40, 239, 240, 241, 320, 321, 400, 401, 800, 801),
    "mid2": (400_000, 400_000, 400_000, -400_000, 0),
    "collar_ticks": (0, 0, -5, 1_999, 2_000, 2_001),
    "data_age_ns": (0, 0, 60 * NANOS - 1, 60 * NANOS, 60 * NANOS + 1),
    "since_same_ns": (1 << 60, 1 << 60, 100_000_000, 99_999_999, 0),
    "orders_in_window": (0, 0, 99, 100),
    "open_positions": (0, 0, 19, 20, 21),
    "symbol_lots": (0, 0, 5, 9_995, 10_000, 10_001),
    "volatility_ratio": (math.nan, 1.0, 1.0, 5.0, 5.0001),
    "value_at_risk": (0.0, 0.0, 0.05, 0.05001),
    "stress_loss": (0.0, 0.0, 0.25, 0.2501),
    "symbol_risk": (math.nan, 0.0, 1e-6, 0.06 / 8, 0.06 / 7, 0.07),
    "trade_risk": (0.0, 1e-6, 0.02 / 9, 0.02 / 7, 0.021),
    "confidence": (0.7, 0.7, 0.4, 0.39, math.nan),
    "model_score": (math.nan, 0.6, 0.6, 0.5, 0.49),
    "model_threshold": (math.nan, 0.5, 0.5),
    "breaker_multiplier": (1.0, 1.0, 0.5, 0.01),
    "session": tuple(CitySession),
    "engine": tuple(Engine),
    "breaker": (0, 0, 0, 1, 2),
    "reject_step": (0, 0, 0, 1, 2, 3),
    "is_latency_paused": (0, 0, 0, 1),
    "is_tradable": (1, 1, 1, 0),
    "is_engaged": (0, 0, 0, 1),
    "is_closing": (0, 0, 0, 1),
}
PORTFOLIO = (MANY, MANY, 0, 1, 7, 10)


def random_given(rng: np.random.Generator) -> dict[str, Any]:
    """Change a handful of a calm row's fields, so that rows get past the gates and into the sizes too."""
    names = rng.choice(list(CHOICES), size=rng.integers(0, 9), replace=False)
    given = {name: CHOICES[name][rng.integers(len(CHOICES[name]))] for name in names.tolist()}
    if "size_wanted" in given and rng.random() < 0.5:
        given["size_sized"] = given["size_wanted"]
    return given


def test_the_kernel_says_what_the_plain_reference_says() -> None:
    rng = np.random.default_rng(5)
    reasons, bindings = set(), set()
    for _ in range(6_000):
        given = random_given(rng)
        portfolio = int(PORTFOLIO[rng.integers(len(PORTFOLIO))])
        row = decided(decision_row(**given), portfolio, RISK, ADAPTIVE)[0]
        expected = governor(row, RISK, ADAPTIVE, portfolio)
        assert R(row["reason"]) is expected.reason, given
        assert (R(row["binding"]), row["size_approved"]) == (expected.binding, expected.lots), given
        assert row["size_multiplier"] == pytest.approx(expected.multiplier, rel=1e-15), given
        reasons.add(expected.reason)
        bindings.add(expected.binding)
    assert reasons == set(R) - {R.SESSION}  # the rows have been everywhere
    assert bindings == set(R)


GIVEN = st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in CHOICES.items()})


@given(GIVEN, st.sampled_from(PORTFOLIO))
@settings(max_examples=400, deadline=None)
def test_the_size_approved_is_within_every_cap_and_limit(given: dict[str, Any], portfolio: int) -> None:
    row = decided(decision_row(**given), portfolio, RISK, ADAPTIVE)[0]
    lots, lot = int(row["size_approved"]), int(row["lot_notional_nanos"])
    assert 0 <= lots <= max(int(row["size_sized"]), 0)
    assert lots <= row["size_allocated"]
    assert lots <= row["size_sized"] * row["size_multiplier"]
    if lots > 0:
        assert lots * lot <= RISK.max_order_notional * NANOS
        assert all(lots <= room for room in cap_lots(row).values())
        assert all(lots <= room for room in limits(row, RISK, portfolio).values())


@given(GIVEN, st.sampled_from(PORTFOLIO))
@settings(max_examples=400, deadline=None)
def test_approved_means_a_size_and_the_reason_approved(given: dict[str, Any], portfolio: int) -> None:
    row = decided(decision_row(**given), portfolio, RISK, ADAPTIVE)[0]
    assert (row["approved"] == 1) == (row["size_approved"] > 0) == (row["reason"] == R.APPROVED)


@given(GIVEN, st.sampled_from(PORTFOLIO))
@settings(max_examples=200, deadline=None)
def test_a_decision_writes_its_results_only_and_taken_again_is_the_same(given: dict[str, Any], portfolio: int) -> None:
    row = decision_row(**given)
    once = decided(row, portfolio, RISK, ADAPTIVE)
    results = {"size_allocated", "size_approved", "reason", "binding", "approved", "size_multiplier"}
    results |= {f"{name}_multiplier" for name in ("drawdown", "session", "reject", "breaker")}
    for name in DECISION_DTYPE.names or ():
        if name not in results:
            np.testing.assert_array_equal(once[name], row[name])
    assert decided(once, portfolio, RISK, ADAPTIVE).tobytes() == once.tobytes()


MORE_IS_WORSE = (
    "lot_notional_nanos", "engine_exposure_nanos", "symbol_exposure_nanos", "currency_exposure_nanos",
    "account_exposure_nanos", "drawdown_nanos", "spread", "collar_ticks", "data_age_ns", "orders_in_window",
    "open_positions", "symbol_lots", "volatility_ratio", "value_at_risk", "stress_loss", "symbol_risk", "trade_risk",
    "model_threshold", "breaker", "reject_step", "is_latency_paused", "is_engaged", "is_closing",
)  # fmt: skip
LESS_IS_WORSE = ("size_sized", "since_same_ns", "confidence", "model_score", "breaker_multiplier", "is_tradable")


@given(GIVEN, st.data(), st.sampled_from(PORTFOLIO))
@settings(max_examples=1_500, deadline=None)
def test_a_worse_input_never_makes_the_size_larger(given: dict[str, Any], data: st.DataObject, portfolio: int) -> None:
    name = data.draw(st.sampled_from(MORE_IS_WORSE + LESS_IS_WORSE))
    known = [value for value in CHOICES[name] if not math.isnan(value)]
    low, high = sorted((data.draw(st.sampled_from(known)), data.draw(st.sampled_from(known))))
    better, worse = (low, high) if name in MORE_IS_WORSE else (high, low)
    sizes = [
        decided(decision_row(**{**given, name: value}), portfolio, RISK, ADAPTIVE)[0]["size_approved"]
        for value in (better, worse)
    ]
    assert sizes[1] <= sizes[0]


@given(st.lists(st.tuples(*(2 * [st.integers(0, 60)])), min_size=2, max_size=2))
@settings(max_examples=100, deadline=None)
def test_more_room_in_the_portfolio_or_under_the_caps_never_makes_the_size_smaller(rooms: list[Any]) -> None:
    sizes = {}
    for portfolio, room in rooms:
        row = decision_row(engine_exposure_nanos=CALM["engine_cap_nanos"] - room * 2_000 * NANOS)
        sizes[portfolio, room] = decided(row, portfolio)[0]["size_approved"]
        assert sizes[portfolio, room] == min(10, portfolio, room)


@given(st.floats(1e-12, 10.0, allow_nan=False), st.floats(0.0, 10.0, allow_nan=False, allow_subnormal=False))
@settings(max_examples=500, deadline=None)
def test_lots_within_a_fraction_are_the_most_whose_product_stays_within(limit: float, of_a_lot: float) -> None:
    lots = lots_within(limit, of_a_lot)
    if lots < UNLIMITED:
        assert lots * of_a_lot <= limit < (lots + 1) * of_a_lot
    else:
        assert of_a_lot * UNLIMITED <= limit * (1 + 1e-15)


@given(st.integers(1, 10_000), st.floats(1e-9, 1.0))
@settings(max_examples=2_000, deadline=None)
def test_a_limit_that_lots_reach_exactly_lets_all_of_them_pass(lots: int, of_a_lot: float) -> None:
    assert lots_within(lots * of_a_lot, of_a_lot) >= lots


@pytest.mark.parametrize("of_a_lot", [math.nan, 0.0, -1.0])
def test_a_lot_whose_share_is_unknown_is_not_limited_by_it(of_a_lot: float) -> None:
    assert lots_within(0.1, of_a_lot) == UNLIMITED


def test_a_lot_of_endless_risk_leaves_nothing() -> None:
    assert lots_within(0.1, math.inf) == 0
