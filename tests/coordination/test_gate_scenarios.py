"""Gates on the coordinator's own path: given a market written down by hand and settings, expect the last decision.

The gates' boundaries stand in ``tests/risk/test_governor_scenarios.py``; here it is shown that each sees what has
really happened. The market begins on a Tuesday at 22:13 UTC, in Asia's hours; an account of 100,000 trades lots of
about 1,000, and what follows names only what differs from settings under which everything passes.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from chimera_platform.coordinator import Coordinator, CoordinatorOutput
from chimera_platform.execution.records import DecisionReason, Engine, RiskEventKind
from chimera_platform.market.events import EventKind, StatusCode
from chimera_platform.market.instruments import Universe
from tests.reference.coordinator_streams import MILLISECOND, START, CoordinatorSections, instrument
from tests.reference.market_script import BUY, SELL, MarketScript

R = DecisionReason
Sections = dict[str, dict[str, Any]]
UNIVERSE = Universe(
    [instrument("X", tick_size="1", fees={}, base="XAU"), instrument("Y", tick_size="1", fees={}, base="XAG")]
)
X, Y = 0, 1
OTHER: dict[str, Any] = {"engine": int(Engine.STRUCTURE)}
THIRD: dict[str, Any] = {"engine": int(Engine.ORDER_FLOW)}
IN_Y: dict[str, Any] = {"instrument_id": Y}
HOUR = 3_600_000  # ms
EASY: Sections = {
    "account": {"starting_equity": Decimal(100_000)},
    "risk": {"max_spread_ppm": 100_000.0, "duplicate_window_ns": 0, "max_risk_per_trade": 1.0},
    "exits": {"max_stop_fraction": 0.0},
    "circuit_breaker": {"enabled": False},
    "hedge_controller": {"enable_cross_engine_hedging": False},
}


def coordinator(sections: Sections) -> Coordinator:
    names = EASY.keys() | sections.keys()
    merged = {name: {**EASY.get(name, {}), **sections.get(name, {})} for name in names}
    return Coordinator(UNIVERSE, CoordinatorSections.model_validate(merged))


def run(script: MarketScript, *, is_closing: bool = False, **sections: dict[str, Any]) -> CoordinatorOutput:
    its = coordinator(sections)
    if is_closing:
        its.close_down()
    return script.run(its)


class Scene(MarketScript):
    """A market of two instruments around 1,000."""

    def want(self, lots: int, side: int = BUY, **fields: Any) -> Scene:
        self.intent(side, lots, **{"stop_distance": 500, **fields})
        return self

    def quote_y(self, at_ms: float, bid: int, ask: int) -> Scene:
        self.event(at_ms, kind=EventKind.QUOTE, instrument_id=Y, price=bid, size=100, ask_price=ask, ask_size=100)
        return self


def quoted(at_ms: float = 0) -> Scene:
    scene = Scene()
    scene.quote(at_ms, 999, 1001)
    return scene


def held(lots: int, **engine: Any) -> Scene:
    """A long of X, filled at 1001, of the structure engine if no other is named."""
    scene = quoted().want(lots, **{**OTHER, **engine})
    scene.quote(20, 999, 1001).quote(40, 999, 1001)
    return scene


def lost(points: int) -> Scene:
    """A long of 100 lots of X whose market has fallen: by ``points`` + 1, thousandths of equity, below its peak."""
    scene = held(100)
    scene.quote(1_500, 999 - points, 1001 - points).quote(2_500, 999 - points, 1001 - points)
    return scene


def at(scene: MarketScript, at_ms: float, bid: int = 999, ask: int = 1001) -> Scene:
    scene.quote(at_ms, bid, ask)
    assert isinstance(scene, Scene)
    return scene


def sent_by_all() -> Scene:
    """Three orders that rest far from the market for a moment, then the market 100 ms later."""
    scene = quoted()
    for engine in range(3):
        scene.want(1, limit=900, time_to_live_ns=MILLISECOND, engine=engine)
    return at(scene, 100)


def rejected(count: int) -> Scene:
    """Orders of 20 lots, or half of it, by the HFT engine, one every 20 ms, at a venue that takes no more than 5."""
    scene = quoted()
    for k in range(count):
        at(scene, 20 * k).want(20)
    return at(scene, 20 * count)


def waving(minutes: int, scene: Scene | None = None) -> Scene:
    """X goes up and down by one tick a minute."""
    scene = quoted() if scene is None else scene
    for k in range(1, minutes):
        at(scene, 60_000 * k, 999 + k % 2, 1001 + k % 2)
    return scene


def spread_at(hour_utc: float, ticks: int) -> Scene:
    """A spread of ``ticks`` around 1,000 on the next day."""
    to_midnight = (24 * HOUR * MILLISECOND - START % (24 * HOUR * MILLISECOND)) / MILLISECOND
    scene = Scene()
    scene.quote(to_midnight + hour_utc * HOUR, 1_000 - ticks // 2, 1_000 + ticks - ticks // 2)
    return scene.want(1)


SLOW = {"venue": {"order_latency_ns": 25 * MILLISECOND, "report_latency_ns": 25 * MILLISECOND + 1}}
IN_TIME = {"venue": {"order_latency_ns": 25 * MILLISECOND, "report_latency_ns": 25 * MILLISECOND}}
REFUSING = {"venue": {"max_order_lots": 5}, "risk_adaptive": {"reject_escalation_threshold": 3.9}}
BREAKER = {"circuit_breaker": {"enabled": True}, "risk": {"soft_drawdown": 0.5, "hard_drawdown": 0.6}}
DRAWDOWN = {"risk": {"soft_drawdown": 0.01, "hard_drawdown": 0.05}}
SPREADS = {"risk": {"max_spread_ppm": 10_000.0}}
SHARES = ("hft_share", "structure_share", "symbol_share", "currency_share")
UNDIVIDED = {"allocator": dict.fromkeys(("max_leverage", *SHARES), 1.0)}
SAMPLED = {"covariance": {"min_samples": 20}, "value_at_risk": {"min_samples": 20, "window": 60}}
NO_VAR = {**SAMPLED, "risk": {"max_value_at_risk": 1e-6}}


SCENARIOS: list[tuple[str, Callable[[], MarketScript], Sections, DecisionReason]] = [
    # given                                       the market                        settings            expected
    ("a calm market", lambda: quoted().want(10), {}, R.APPROVED),
    ("3 % lost on a day", lambda: lost(29).want(1), BREAKER, R.CIRCUIT_BREAKER),
    ("less than 3 % lost", lambda: lost(28).want(2), BREAKER, R.APPROVED),
    ("a quote 60 s old", lambda: quoted().trade(60_000, BUY, 1001, 1).want(1), {}, R.APPROVED),
    ("a quote just older", lambda: quoted().trade(60_000.001, BUY, 1001, 1).want(1), {}, R.STALE_DATA),
    ("acknowledgements in 50 ms", lambda: sent_by_all().want(1), IN_TIME, R.APPROVED),
    ("three just later", lambda: sent_by_all().want(1), SLOW, R.LATENCY),
    ("5 s after they came", lambda: at(sent_by_all(), 5_051).want(1), SLOW, R.APPROVED),
    ("just before that", lambda: at(sent_by_all(), 5_049).want(1), SLOW, R.LATENCY),
    ("3 rejects", lambda: rejected(3).want(2), REFUSING, R.APPROVED),
    ("4 rejects", lambda: rejected(4).want(2), REFUSING, R.REJECT_RATE),
    ("of another engine", lambda: rejected(4).want(2, **OTHER), REFUSING, R.APPROVED),
    ("a minute after", lambda: at(rejected(4), 64_000).want(2), REFUSING, R.APPROVED),
    ("a low score", lambda: quoted().want(1, model_score=0.59, model_threshold=0.6), {}, R.MODEL_SCORE),
    ("score at its threshold", lambda: quoted().want(1, model_score=0.6, model_threshold=0.6), {}, R.APPROVED),
    ("no model", lambda: quoted().want(1, model_score=np.nan, model_threshold=0.6), {}, R.APPROVED),
    (
        "little confidence",
        lambda: quoted().want(1, confidence=0.59),
        {"risk": {"signal_confidence_threshold": 0.6}},
        R.CONFIDENCE,
    ),
    ("enough", lambda: quoted().want(1, confidence=0.6), {"risk": {"signal_confidence_threshold": 0.6}}, R.APPROVED),
    ("0.3 of the spread limit in Asia", lambda: spread_at(3.0, 3), SPREADS, R.APPROVED),
    ("more in Asia", lambda: spread_at(3.0, 4), SPREADS, R.SPREAD),
    ("0.4 in London", lambda: spread_at(9.0, 4), SPREADS, R.APPROVED),
    ("more in London", lambda: spread_at(9.0, 5), SPREADS, R.SPREAD),
    ("0.5 in New York", lambda: spread_at(15.0, 5), SPREADS, R.APPROVED),
    ("more in New York", lambda: spread_at(15.0, 6), SPREADS, R.SPREAD),
    (
        "a jump after calm",
        lambda: at(at(waving(60), 3_600_000, 980, 982), 3_660_000, 980, 982).want(1),
        {**SAMPLED, "risk": {"max_volatility_ratio": 1.5}},
        R.VOLATILITY,
    ),
    ("calm", lambda: at(waving(60), 3_600_000).want(1), {**SAMPLED, "risk": {"max_volatility_ratio": 1.5}}, R.APPROVED),
    ("a limit 1 % beyond the touch", lambda: quoted().want(1, limit=1_011), {}, R.APPROVED),
    ("further beyond", lambda: quoted().want(1, limit=1_012), {}, R.PRICE_COLLAR),
    ("further beyond, selling", lambda: quoted().want(1, SELL, limit=988), {}, R.PRICE_COLLAR),
    ("far on its own side", lambda: quoted().want(1, limit=500), {}, R.APPROVED),
    (
        "the same 99 ms later",
        lambda: at(quoted().want(1), 99).want(1),
        {"risk": {"duplicate_window_ns": 100 * MILLISECOND}},
        R.DUPLICATE,
    ),
    (
        "the same 100 ms later",
        lambda: at(quoted().want(1), 100).want(1),
        {"risk": {"duplicate_window_ns": 100 * MILLISECOND}},
        R.POSITION_OPEN,
    ),
    (
        "of another engine at once",
        lambda: quoted().want(1).want(1, **OTHER),
        {"risk": {"duplicate_window_ns": 100 * MILLISECOND}},
        R.APPROVED,
    ),
    ("5 % below the peak", lambda: lost(49).want(50), DRAWDOWN, R.DRAWDOWN),
    ("just less", lambda: lost(48).want(50), DRAWDOWN, R.APPROVED),
    ("value at risk", lambda: at(waving(60, held(50)), 3_601_000).want(1), NO_VAR, R.VALUE_AT_RISK),
    ("without a position", lambda: at(waving(60), 3_601_000).want(1), NO_VAR, R.APPROVED),
    ("a gap of 3 % of a long", lambda: lost(0).want(1), {"risk": {"max_stress_loss": 0.0299}}, R.STRESS),
    ("within the limit", lambda: lost(0).want(1), {"risk": {"max_stress_loss": 0.0301}}, R.APPROVED),
    ("a second order", lambda: held(1).want(1), {"risk": {"max_orders": 1}}, R.ORDER_RATE),
    ("after the window", lambda: at(held(1), 60_000).want(1), {"risk": {"max_orders": 1}}, R.APPROVED),
    ("a position of its own", lambda: held(1).want(1, **OTHER), {}, R.POSITION_OPEN),
    ("an order of its own", lambda: quoted().want(1, limit=900).want(1), {}, R.POSITION_OPEN),
    ("as many positions as may be", lambda: held(1).want(1), {"risk": {"max_positions": 1}}, R.MAX_POSITIONS),
    ("one less", lambda: held(1).want(1), {"risk": {"max_positions": 2}}, R.APPROVED),
    ("no lot at the fraction", lambda: quoted().want(10), {"sizing": {"method": "fixed_fraction"}}, R.SIZING),
    ("no cap for the engine", lambda: quoted().want(1), {"allocator": {"hft_share": 0.002}}, R.ENGINE_CAP),
    ("none for the instrument", lambda: quoted().want(1), {"allocator": {"symbol_share": 0.002}}, R.SYMBOL_CAP),
    ("none for what is bought", lambda: quoted().want(1), {"allocator": {"currency_share": 0.002}}, R.CURRENCY_CAP),
    ("the account full", lambda: held(90).quote_y(50, 19_999, 20_001).want(1, **IN_Y), UNDIVIDED, R.ACCOUNT_CAP),
    ("a lot above the order limit", lambda: quoted().want(1), {"risk": {"max_order_notional": 1_000.0}}, R.MAX_ORDER),
    ("the instrument full", lambda: held(5).want(1), {"risk": {"max_position_notional": 5_500.0}}, R.MAX_POSITION),
    ("a lot too risky", lambda: quoted().want(1), {"risk": {"max_concentration": 0.001}}, R.CONCENTRATION),
    ("a stop too far", lambda: quoted().want(1), {"risk": {"max_risk_per_trade": 0.0049}}, R.TRADE_RISK),
    ("no session", lambda: quoted().want(9), {"risk_adaptive": {"session_scale_asia": 0.1}}, R.SIZE_ZERO),
    ("nothing wanted", lambda: quoted().want(0), {}, R.SIZE_ZERO),
]  # fmt: skip


@pytest.mark.parametrize(("script", "sections", "reason"), [s[1:] for s in SCENARIOS], ids=[s[0] for s in SCENARIOS])
def test_a_gate_sees_what_has_happened(
    script: Callable[[], MarketScript], sections: Sections, reason: DecisionReason
) -> None:
    row = run(script(), **sections).decisions[-1]
    assert R(row["reason"]) is reason
    assert row["approved"] == (reason is R.APPROVED)


def test_a_flow_that_closes_down_takes_no_new_risk() -> None:
    row = run(quoted().want(1), is_closing=True).decisions[-1]
    assert R(row["reason"]) is R.SHUTDOWN


@pytest.mark.parametrize("code", [StatusCode.GAP, StatusCode.HALT, StatusCode.SESSION_CLOSE])
def test_no_entry_without_a_tradable_book(code: StatusCode) -> None:
    assert run(quoted().status(1, code).intent(BUY, 1)).decisions["reason"].tolist() == [R.MARKET_NOT_TRADABLE]


@pytest.mark.parametrize(("bid", "ask", "size"), [(1001, 999, 5), (1000, 1000, 5), (999, 1001, 0)])
def test_no_entry_into_a_crossed_locked_or_one_sided_book(bid: int, ask: int, size: int) -> None:
    script = MarketScript().quote(0, bid, ask, size, ask_size=5).intent(BUY, 1)
    assert run(script).decisions["reason"].tolist() == [R.MARKET_NOT_TRADABLE]


def test_no_entry_inside_a_source_event() -> None:
    script = quoted().level(1, BUY, 998, 5, flags=0).intent(BUY, 1, stop_distance=500)
    script.level(1, BUY, 997, 5).intent(BUY, 1, stop_distance=500)
    assert run(script).decisions["reason"].tolist() == [R.MARKET_NOT_TRADABLE, R.APPROVED]


def test_market_data_that_came_late_are_stale() -> None:
    late = {"ts_recv": START + 60_001 * MILLISECOND}
    scene = Scene()
    scene.event(0, kind=EventKind.QUOTE, price=999, size=9, ask_price=1001, ask_size=9, **late)
    row = run(scene.want(1)).decisions[-1]
    assert (R(row["reason"]), row["data_age_ns"]) == (R.STALE_DATA, 60_001 * MILLISECOND)


SIZES: list[tuple[str, Callable[[], MarketScript], Sections, int, DecisionReason]] = [
    # given                          the market                     settings       lots    what binds
    ("nothing in the way", lambda: quoted().want(10), {}, 10, R.APPROVED),
    ("warning of the breaker", lambda: lost(20).want(10), BREAKER, 5, R.CIRCUIT_BREAKER),
    ("no warning yet", lambda: lost(19).want(10), BREAKER, 10, R.APPROVED),
    ("2 rejects", lambda: rejected(2).want(4), REFUSING, 2, R.REJECT_RATE),
    ("1 % below the peak", lambda: lost(9).want(50), DRAWDOWN, 50, R.APPROVED),
    ("2 % below", lambda: lost(19).want(50), DRAWDOWN, 37, R.DRAWDOWN),
    ("3 % below", lambda: lost(29).want(50), DRAWDOWN, 25, R.DRAWDOWN),
    ("4.9 % below", lambda: lost(48).want(50), DRAWDOWN, 1, R.DRAWDOWN),
    (
        "a fraction at risk",
        lambda: quoted().want(10, stop_distance=100),
        {"sizing": {"method": "fixed_fraction"}},
        4,
        R.SIZING,
    ),
    ("the engine's cap", lambda: quoted().want(10), {"allocator": {"hft_share": 0.0176}}, 7, R.ENGINE_CAP),
    ("the instrument's cap", lambda: held(2).want(10), {"allocator": {"symbol_share": 0.0176}}, 5, R.SYMBOL_CAP),
    ("what is bought", lambda: held(2).want(10), {"allocator": {"currency_share": 0.0176}}, 5, R.CURRENCY_CAP),
    ("the order limit", lambda: quoted().want(10), {"risk": {"max_order_notional": 6_006.0}}, 6, R.MAX_ORDER),
    ("the position limit", lambda: held(6).want(10), {"risk": {"max_position_notional": 10_010.0}}, 4, R.MAX_POSITION),
    ("the instrument's risk", lambda: quoted().want(10), {"risk": {"max_concentration": 0.01}}, 6, R.CONCENTRATION),
    (
        "the risk of all",
        lambda: held(20).quote_y(50, 999, 1001).want(20, **IN_Y),
        {"risk": {"max_portfolio_risk": 0.004, "max_concentration": 1.0}},
        6,
        R.PORTFOLIO_RISK,
    ),
    ("the loss at the stop", lambda: quoted().want(10), {"risk": {"max_risk_per_trade": 0.02}}, 4, R.TRADE_RISK),
    ("the session", lambda: quoted().want(10), {"risk_adaptive": {"session_scale_asia": 0.8}}, 8, R.SESSION),
    (
        "session and drawdown",
        lambda: lost(29).want(50),
        {**DRAWDOWN, "risk_adaptive": {"session_scale_asia": 0.8}},
        26,  # 80 lots were held, of which 2.4 % were lost: 0.65 of 0.8 of 50
        R.DRAWDOWN,
    ),
    (
        "session, and a tighter limit",
        lambda: quoted().want(10),
        {"risk_adaptive": {"session_scale_asia": 0.8}, "risk": {"max_order_notional": 6_006.0}},
        6,
        R.MAX_ORDER,
    ),
]


@pytest.mark.parametrize(("script", "sections", "lots", "binding"), [s[1:] for s in SIZES], ids=[s[0] for s in SIZES])
def test_what_is_approved_and_what_binds(
    script: Callable[[], MarketScript], sections: Sections, lots: int, binding: DecisionReason
) -> None:
    output = run(script(), **sections)
    row = output.decisions[-1]
    assert (R(row["reason"]), row["size_approved"], R(row["binding"])) == (R.APPROVED, lots, binding)
    assert row["reserved_nanos"] == lots * row["lot_notional_nanos"]
    entry = output.orders[(output.orders["intent_no"] == row["intent_no"]) & (output.orders["is_exit"] == 0)]
    assert set(entry["size"]) == {lots}


def test_all_engines_pause_where_the_accounts_rejects_are_twice_the_threshold() -> None:
    scene = quoted()
    for k in range(9):
        at(scene, 20 * k).want(20, engine=k % 3)
    output = run(at(scene, 200).want(2, **THIRD), **REFUSING)
    row = output.decisions[-1]
    assert (R(row["reason"]), row["reject_step"]) == (R.REJECT_RATE, 3)
    assert row["reject_score"] == pytest.approx(2.0, abs=0.01)  # its third order was refused with all others
    assert row["account_reject_score"] >= 7.8


def test_changes_of_the_rejects_steps_are_journaled_up_and_down() -> None:
    scene = rejected(4)
    for second in range(1, 200):
        at(scene, 1_000 * second)
    events = run(scene, **REFUSING).risk_events
    events = events[events["kind"] == RiskEventKind.REJECTS]
    assert events["engine"].tolist() == [Engine.HFT] * 4
    assert events["state"].tolist() == [1, 2, 1, 0]
    np.testing.assert_allclose(events["value"], [2.0, 4.0, 1.95, 0.975], rtol=0.02)  # down from half of what led up


def test_a_pause_for_latency_and_what_ends_it_is_journaled() -> None:
    events = run(at(at(at(sent_by_all(), 6_000).want(1), 6_100), 7_000), **SLOW).risk_events
    events = events[events["kind"] == RiskEventKind.LATENCY]
    assert events["state"].tolist() == [1, 2, 1]  # paused, tried again, paused for longer
    assert (events["value"][0], events["threshold"][0]) == (pytest.approx(50.000001), 50.0)


def test_entries_within_the_window_are_counted_for_the_whole_account() -> None:
    scene = quoted()
    quick = {"limit": 950, "time_to_live_ns": MILLISECOND}  # ended and reported within the next ten
    for k, at_ms in enumerate((10, 20, 30, 40, 109, 110, 119, 120)):
        at(scene, at_ms).want(1, **quick, engine=k % 2)
    decisions = run(scene, risk={"max_orders": 3, "order_window_ns": 100 * MILLISECOND}).decisions
    rate = R.ORDER_RATE
    assert decisions["reason"].tolist() == [0, 0, 0, rate, rate, 0, rate, 0]
    assert decisions["orders_in_window"].tolist() == [0, 1, 2, 3, 3, 2, 3, 2]


def test_exits_pass_whatever_the_governor_says() -> None:
    scene = quoted().want(10, stop_distance=5)
    at(at(at(scene, 20), 40, 900, 990), 60, 900, 990)
    fills = run(
        scene, risk={"max_orders": 1, "max_spread_ppm": 2_000.0 / 0.3, "hard_drawdown": 0.0051, "soft_drawdown": 0.005}
    ).fills
    assert fills["position_after"].tolist() == [10, 0]


def test_the_first_gate_in_the_order_of_reasons_is_the_reason() -> None:
    def last(scene: Scene, **risk: Any) -> DecisionReason:
        return R(run(scene, risk=risk).decisions["reason"][-1])

    assert last(quoted().want(1).want(0, model_score=0.1, model_threshold=0.5), max_spread_ppm=1.0) is R.MODEL_SCORE
    assert last(quoted().want(1).want(0), duplicate_window_ns=1, max_orders=1) is R.DUPLICATE
    assert last(quoted().want(1).want(0), max_orders=1) is R.ORDER_RATE
    assert last(quoted().want(1).want(0)) is R.POSITION_OPEN
    assert last(quoted().want(1).want(0, **OTHER)) is R.SIZE_ZERO
