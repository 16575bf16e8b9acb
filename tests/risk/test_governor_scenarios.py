"""Scenarios: given a market and a state, expect a decision and its reason. Each gate alone, at its boundary, in pairs.

``given`` names what differs from a calm market in which ten lots of gold are wanted and everything passes
(:data:`tests.reference.decision_rows.CALM`).
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest

from chimera_platform.execution.records import DecisionReason, Engine
from chimera_platform.market.city_sessions import CitySession
from chimera_platform.risk.circuit_breaker import BreakerState
from chimera_platform.risk.gates.applicability import HEDGES_PASS
from chimera_platform.risk.risk_settings import RiskAdaptiveSettings, RiskSettings
from tests.reference.decision_rows import MANY, NANOS, decided, decision_row

R = DecisionReason
OK = R.APPROVED
NAN = math.nan
EQUITY = 1_000_000 * NANOS
ASIA, LONDON, NEW_YORK = CitySession.ASIA, CitySession.LONDON, CitySession.NEW_YORK
SETTINGS = RiskSettings(signal_confidence_threshold=0.6, max_positions=20)


def decide_given(given: dict[str, Any], adaptive: RiskAdaptiveSettings | None = None, **changes: Any) -> Any:
    """Return the decided row's scalars; ``lots_portfolio`` may be among what is given."""
    fields = {**given, **changes}
    portfolio = fields.pop("lots_portfolio", MANY)
    return decided(decision_row(**fields), portfolio, SETTINGS, adaptive)[0]


def below_peak(fraction: float) -> dict[str, int]:
    """Equity that lies this far below its peak of 1,000,000."""
    return {"drawdown_nanos": round(EQUITY * fraction), "equity_nanos": EQUITY - round(EQUITY * fraction)}


def test_a_calm_market_approves_the_size_that_is_wanted() -> None:
    row = decide_given({})
    assert (row["reason"], row["binding"], row["approved"], row["size_approved"]) == (OK, OK, 1, 10)
    assert row["size_multiplier"] == 1.0


GATES = [
    # given                                                             expected reason
    ({"is_closing": 0}, OK),
    ({"is_closing": 1}, R.SHUTDOWN),
    ({"breaker": BreakerState.NORMAL}, OK),
    ({"breaker": BreakerState.WARNING}, OK),
    ({"breaker": BreakerState.TRIGGERED}, R.CIRCUIT_BREAKER),
    ({"is_tradable": 1}, OK),
    ({"is_tradable": 0}, R.MARKET_NOT_TRADABLE),
    ({"data_age_ns": 59_999_999_999}, OK),
    ({"data_age_ns": 60_000_000_000}, OK),
    ({"data_age_ns": 60_000_000_001}, R.STALE_DATA),
    ({"is_latency_paused": 0}, OK),
    ({"is_latency_paused": 1}, R.LATENCY),
    ({"reject_step": 1}, OK),
    ({"reject_step": 2}, R.REJECT_RATE),
    ({"reject_step": 3}, R.REJECT_RATE),
    ({"model_score": 0.4999, "model_threshold": 0.5}, R.MODEL_SCORE),
    ({"model_score": 0.5, "model_threshold": 0.5}, OK),
    ({"model_score": 0.5001, "model_threshold": 0.5}, OK),
    ({"model_score": NAN, "model_threshold": 0.5}, OK),
    ({"model_score": 0.1, "model_threshold": NAN}, OK),
    ({"confidence": 0.5999}, R.CONFIDENCE),
    ({"confidence": 0.6}, OK),
    ({"confidence": 0.6001}, OK),
    ({"session": LONDON, "spread": 319}, OK),  # 0.4 of 4,000 ppm of 200,000 ticks
    ({"session": LONDON, "spread": 320}, OK),
    ({"session": LONDON, "spread": 321}, R.SPREAD),
    ({"session": NEW_YORK, "spread": 399}, OK),
    ({"session": NEW_YORK, "spread": 400}, OK),
    ({"session": NEW_YORK, "spread": 401}, R.SPREAD),
    ({"session": ASIA, "spread": 239}, OK),
    ({"session": ASIA, "spread": 240}, OK),
    ({"session": ASIA, "spread": 241}, R.SPREAD),
    ({"session": LONDON, "spread": 320, "mid2": -400_000}, OK),  # prices may be negative
    ({"session": LONDON, "spread": 321, "mid2": -400_000}, R.SPREAD),
    ({"session": LONDON, "spread": 1, "mid2": 0}, R.SPREAD),
    ({"volatility_ratio": 4.999}, OK),
    ({"volatility_ratio": 5.0}, OK),
    ({"volatility_ratio": 5.001}, R.VOLATILITY),
    ({"volatility_ratio": NAN}, OK),
    ({"collar_ticks": 1_999}, OK),  # 10,000 ppm of 200,000 ticks
    ({"collar_ticks": 2_000}, OK),
    ({"collar_ticks": 2_001}, R.PRICE_COLLAR),
    ({"collar_ticks": -5_000}, OK),  # a limit price short of the touch
    ({"since_same_ns": 99_999_999}, R.DUPLICATE),
    ({"since_same_ns": 100_000_000}, OK),
    ({"since_same_ns": 100_000_001}, OK),
    ({"since_same_ns": 0}, R.DUPLICATE),
    ({**below_peak(0.0999), "size_wanted": 1_000, "size_sized": 1_000}, OK),
    (below_peak(0.1), R.DRAWDOWN),
    (below_peak(0.1001), R.DRAWDOWN),
    ({"equity_nanos": 0, "drawdown_nanos": 0}, R.DRAWDOWN),  # an account that never had anything
    ({"equity_nanos": -5, "drawdown_nanos": 5}, R.DRAWDOWN),
    ({"value_at_risk": 0.0499}, OK),
    ({"value_at_risk": 0.05}, OK),
    ({"value_at_risk": 0.0501}, R.VALUE_AT_RISK),
    ({"value_at_risk": NAN}, OK),
    ({"stress_loss": 0.2499}, OK),
    ({"stress_loss": 0.25}, OK),
    ({"stress_loss": 0.2501}, R.STRESS),
    ({"stress_loss": NAN}, OK),
    ({"orders_in_window": 99}, OK),
    ({"orders_in_window": 100}, R.ORDER_RATE),
    ({"orders_in_window": 101}, R.ORDER_RATE),
    ({"is_engaged": 0}, OK),
    ({"is_engaged": 1}, R.POSITION_OPEN),
    ({"open_positions": 19}, OK),
    ({"open_positions": 20}, R.MAX_POSITIONS),
    ({"open_positions": 21}, R.MAX_POSITIONS),
    ({"size_sized": 1}, OK),
    ({"size_sized": 0}, R.SIZING),
    ({"engine_exposure_nanos": 999_998_000 * NANOS}, OK),  # one lot of 2,000 is left
    ({"engine_exposure_nanos": 999_998_000 * NANOS + 1}, R.ENGINE_CAP),
    ({"symbol_exposure_nanos": 999_998_000 * NANOS}, OK),
    ({"symbol_exposure_nanos": 999_998_000 * NANOS + 1}, R.SYMBOL_CAP),
    ({"currency_exposure_nanos": 999_998_000 * NANOS}, OK),
    ({"currency_exposure_nanos": 999_998_000 * NANOS + 1}, R.CURRENCY_CAP),
    ({"account_exposure_nanos": 999_998_000 * NANOS}, OK),
    ({"account_exposure_nanos": 999_998_000 * NANOS + 1}, R.ACCOUNT_CAP),
    ({"lot_notional_nanos": 10_000_000 * NANOS}, OK),
    ({"lot_notional_nanos": 10_000_000 * NANOS + 1}, R.MAX_ORDER),
    ({"symbol_lots": 9_999}, OK),  # of 10,000 lots of 2,000
    ({"symbol_lots": 10_000}, R.MAX_POSITION),
    ({"symbol_lots": 12_000}, R.MAX_POSITION),
    ({"symbol_risk": 0.06}, OK),  # 0.6 of 0.10
    ({"symbol_risk": 0.0601}, R.CONCENTRATION),
    ({"symbol_risk": NAN}, OK),
    ({"lots_portfolio": 1}, OK),
    ({"lots_portfolio": 0}, R.PORTFOLIO_RISK),
    ({"trade_risk": 0.02}, OK),
    ({"trade_risk": 0.0201}, R.TRADE_RISK),
    ({"trade_risk": 0.0}, OK),
    ({"size_wanted": 1, "size_sized": 1, "breaker": BreakerState.WARNING, "breaker_multiplier": 0.99}, R.SIZE_ZERO),
    ({"size_wanted": 2, "size_sized": 2, "breaker": BreakerState.WARNING, "breaker_multiplier": 0.5}, OK),
    ({"size_wanted": 0, "size_sized": 0}, R.SIZE_ZERO),
]


@pytest.mark.parametrize(("given", "reason"), GATES)
def test_a_gate_alone_refuses_beyond_its_limit_and_not_before(given: dict[str, Any], reason: DecisionReason) -> None:
    row = decide_given(given)
    assert R(row["reason"]) is reason
    assert row["approved"] == (reason is OK)
    assert (row["size_approved"] > 0) == (reason is OK)


REFUSED = {reason: given for given, reason in reversed(GATES) if reason is not OK}
"""One way to be refused by each gate, which touches no other."""
REFUSED |= {
    R.DRAWDOWN: below_peak(0.2),
    R.SIZING: {"size_sized": 0},
    R.SIZE_ZERO: {"breaker_multiplier": 0.05},
}


def test_the_table_has_every_reason_to_refuse() -> None:
    assert set(REFUSED) == set(R) - {OK, R.SESSION}  # the session is a factor only


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(sorted(REFUSED), 2)))
def test_of_two_gates_that_refuse_the_first_in_the_order_of_reasons_is_the_reason(
    first: DecisionReason, second: DecisionReason
) -> None:
    row = decide_given(REFUSED[second], **REFUSED[first])
    assert R(row["reason"]) is first


@pytest.mark.parametrize("reason", sorted(REFUSED))
def test_what_refuses_is_also_what_binds(reason: DecisionReason) -> None:
    binding = R.CIRCUIT_BREAKER if reason is R.SIZE_ZERO else reason  # of sizes, the factor that has left nothing
    assert R(decide_given(REFUSED[reason])["binding"]) is binding


@pytest.mark.parametrize("reason", sorted(REFUSED))
def test_hedges_pass_the_gates_that_guard_profits_or_count_what_they_lower(reason: DecisionReason) -> None:
    row = decide_given(REFUSED[reason], engine=Engine.HEDGE)
    if reason is R.SIZE_ZERO:  # hedges keep their size whatever the factors
        assert (row["reason"], row["size_approved"], row["breaker_multiplier"]) == (OK, 10, 1.0)
    elif reason is R.SPREAD:
        assert R(row["reason"]) is OK  # above London's share, within the whole limit
    else:
        assert R(row["reason"]) is (OK if reason in HEDGES_PASS else reason)


@pytest.mark.parametrize(("spread", "reason"), [(800, OK), (801, R.SPREAD)])
@pytest.mark.parametrize("session", list(CitySession))
def test_hedges_may_pay_the_whole_spread_limit_at_any_time(spread: int, reason: R, session: CitySession) -> None:
    assert decide_given({"engine": Engine.HEDGE, "session": session, "spread": spread})["reason"] == reason


SIZES = [
    # given                                                              lots  what binds
    ({"size_wanted": 20}, 10, R.SIZING),
    ({"size_wanted": 5}, 10, R.SIZING),  # the sizing method may also want more
    ({"engine_exposure_nanos": 999_982_000 * NANOS}, 9, R.ENGINE_CAP),
    ({"symbol_exposure_nanos": 999_984_000 * NANOS}, 8, R.SYMBOL_CAP),
    ({"currency_exposure_nanos": 999_986_000 * NANOS}, 7, R.CURRENCY_CAP),
    ({"account_exposure_nanos": 999_988_000 * NANOS}, 6, R.ACCOUNT_CAP),
    ({"lot_notional_nanos": 1_000_000 * NANOS}, 10, OK),
    ({"lot_notional_nanos": 1_000_000 * NANOS + 1}, 9, R.MAX_ORDER),
    ({"symbol_lots": 9_990}, 10, OK),
    ({"symbol_lots": 9_991}, 9, R.MAX_POSITION),
    ({"symbol_risk": 0.06 / 16, "symbol_lots": 6}, 10, OK),
    ({"symbol_risk": 0.06 / 16, "symbol_lots": 7}, 9, R.CONCENTRATION),
    ({"lots_portfolio": 10}, 10, OK),
    ({"lots_portfolio": 9}, 9, R.PORTFOLIO_RISK),
    ({"trade_risk": 0.02 / 8}, 8, R.TRADE_RISK),
    ({"trade_risk": 0.0025000001}, 7, R.TRADE_RISK),
    (below_peak(0.05), 10, OK),
    (below_peak(0.06), 8, R.DRAWDOWN),  # (0.10 - 0.06) / (0.10 - 0.05)
    (below_peak(0.09), 2, R.DRAWDOWN),
    ({"session": ASIA}, 8, R.SESSION),
    ({"session": NEW_YORK}, 9, R.SESSION),
    ({"reject_step": 1}, 5, R.REJECT_RATE),
    ({"breaker": BreakerState.WARNING, "breaker_multiplier": 0.5}, 5, R.CIRCUIT_BREAKER),
    # combinations: factors multiply, limits do not; the least counts
    ({"reject_step": 1, "session": ASIA}, 4, R.REJECT_RATE),
    ({"reject_step": 1, "breaker": BreakerState.WARNING, "breaker_multiplier": 0.5}, 2, R.CIRCUIT_BREAKER),
    ({**below_peak(0.08), "reject_step": 1}, 2, R.DRAWDOWN),
    ({"reject_step": 1, "lots_portfolio": 6}, 5, R.REJECT_RATE),
    ({"reject_step": 1, "lots_portfolio": 4}, 4, R.PORTFOLIO_RISK),
    ({"reject_step": 1, "lots_portfolio": 5}, 5, R.REJECT_RATE),  # of equal ones the first in order
    ({"session": ASIA, "lots_portfolio": 8}, 8, R.PORTFOLIO_RISK),
    ({"trade_risk": 0.02 / 7, "lots_portfolio": 7}, 7, R.PORTFOLIO_RISK),
    ({"size_wanted": 20, "lots_portfolio": 10}, 10, R.SIZING),
    ({"size_wanted": 20, "engine_exposure_nanos": 999_980_000 * NANOS}, 10, R.SIZING),
    ({"engine_exposure_nanos": 999_982_000 * NANOS, "lots_portfolio": 9}, 9, R.ENGINE_CAP),
    ({"symbol_exposure_nanos": 999_982_000 * NANOS, "account_exposure_nanos": 999_982_000 * NANOS}, 9, R.SYMBOL_CAP),
]


@pytest.mark.parametrize(("given", "lots", "binding"), SIZES)
def test_the_least_of_size_caps_limits_and_factors_is_approved_and_named(
    given: dict[str, Any], lots: int, binding: DecisionReason
) -> None:
    row = decide_given(given, RiskAdaptiveSettings(session_scale_asia=0.8, session_scale_newyork=0.9))
    assert (R(row["reason"]), row["size_approved"], R(row["binding"])) == (OK, lots, binding)


@pytest.mark.parametrize(
    ("given", "binding"),
    [
        ({"session": ASIA}, R.SESSION),
        ({**below_peak(0.0999), "size_wanted": 5, "size_sized": 5}, R.DRAWDOWN),
        ({"reject_step": 1, "size_wanted": 1, "size_sized": 1}, R.REJECT_RATE),
        ({"size_wanted": 0, "size_sized": 0}, R.SIZE_ZERO),
    ],
)
def test_a_size_that_factors_leave_less_than_a_lot_of_names_the_smallest(
    given: dict[str, Any], binding: DecisionReason
) -> None:
    row = decide_given(given, RiskAdaptiveSettings(session_scale_asia=0.0))
    assert (R(row["reason"]), R(row["binding"]), row["size_approved"]) == (R.SIZE_ZERO, binding, 0)


def test_the_factors_and_their_product_are_on_record_even_where_a_gate_refuses() -> None:
    given = {**below_peak(0.08), "reject_step": 2, "session": ASIA, "breaker": 1, "breaker_multiplier": 0.25}
    row = decide_given(given, RiskAdaptiveSettings(session_scale_asia=0.8, reject_scale=0.5))
    assert R(row["reason"]) is R.REJECT_RATE
    factors = [row[f"{name}_multiplier"] for name in ("drawdown", "session", "reject", "breaker")]
    assert factors == pytest.approx([0.4, 0.8, 0.5, 0.25])
    assert row["size_multiplier"] == pytest.approx(0.04)
