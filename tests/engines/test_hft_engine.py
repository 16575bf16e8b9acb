"""The HFT engine: each measure of pressure can stop a trade; distances follow spread and volatility."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from chimera_platform.engines.hft import HFT_STATE_DTYPE, HftSettings, hft_is_due, hft_step
from chimera_platform.execution.records import INTENT_DTYPE, Engine, IntentReason, OrderType
from chimera_platform.market.book import apply_event, new_books
from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind
from chimera_platform.market.instruments import load_instruments
from chimera_platform.microstructure.feature_names import FEATURE_COUNT, Feature
from chimera_platform.settings import to_record
from chimera_platform.signals.memory import SIGNAL_MEMORY_DTYPE, forget_news, remember
from chimera_platform.signals.records import DETECTION_DTYPE, Detector, Stage
from chimera_platform.signals.sweeps import SWEEP_EVIDENCE

INSTRUMENT = load_instruments()["XAUUSD"].record
BID, ASK = 1_300_000, 1_300_040
PRESSURE = {
    Feature.QUEUE_IMBALANCE: 0.8,
    Feature.MICROPRICE_EDGE: 0.4,
    Feature.OFI_NORM_10S: 0.6,
    Feature.TRADE_IMBALANCE_10S: 0.5,
    Feature.MID_RETURN_10S: 2e-4,
}


class Desk:
    """The engine at a fixed quote, asked with one feature vector after the other."""

    def __init__(self, sized: bool = True, **settings: Any) -> None:
        self.params, self.state = to_record(HftSettings(**settings)), np.zeros(1, HFT_STATE_DTYPE)
        self.book, self.event = new_books(1), np.zeros(1, EVENT_DTYPE)
        self.out = np.zeros(1, INTENT_DTYPE)
        self.event["kind"], self.event["price"], self.event["ask_price"] = EventKind.QUOTE, BID, ASK
        self.event["size"] = self.event["ask_size"] = 500
        self.event["flags"] = EventFlag.LAST | (0 if sized else EventFlag.SIZE_ASSUMED)
        self.event["ts_event"] = 1_000_000_000
        self.memory = np.zeros(1, SIGNAL_MEMORY_DTYPE)
        apply_event(self.book[0], self.event[0])

    def quote(self, bid: int, ask: int, bid_size: int = 500, ask_size: int = 500) -> None:
        self.event["price"], self.event["ask_price"] = bid, ask
        self.event["size"], self.event["ask_size"] = bid_size, ask_size
        apply_event(self.book[0], self.event[0])

    def sweep(self, side: int, stage: Stage, strength: float = 0.7, trapped: float = 0.0, after_ns: int = 0) -> None:
        """Let the detector say something of a sweep."""
        self.event["ts_event"] += after_ns
        row = np.zeros(1, DETECTION_DTYPE)
        row["detector"], row["side"], row["stage"], row["strength"] = Detector.SWEEP, side, stage, strength
        row["evidence"][0, SWEEP_EVIDENCE.index("lots_trapped")] = trapped
        remember(self.memory[0], row, 1, int(self.event["ts_event"][0]))

    def is_due(self, ofi_norm: float = 0.6) -> bool:
        return bool(hft_is_due(self.params[0], self.state[0], self.memory[0], self.event[0], self.book[0], ofi_norm))

    def ask(self, features: dict[Feature, float], after_ns: int = 0, volatility: float = 0.0) -> Any:
        self.event["ts_event"] += after_ns
        vector = np.full(FEATURE_COUNT, np.nan)
        vector[Feature.REALISED_VOL_60S] = volatility
        for feature, value in features.items():
            vector[feature] = value
        rows = hft_step(
            self.params[0],
            self.state[0],
            self.memory[0],
            INSTRUMENT[0],
            self.event[0],
            77,
            self.book[0],
            vector,
            self.out,
            0,
        )
        forget_news(self.memory[0])
        return self.out[0].copy() if rows else None


def opposite(features: dict[Feature, float]) -> dict[Feature, float]:
    return {feature: -value for feature, value in features.items()}


def test_pressure_from_all_sides_is_traded_at_the_market() -> None:
    intent = Desk().ask(PRESSURE)
    assert (intent["engine"], intent["reason"]) == (Engine.HFT, IntentReason.IMBALANCE)
    assert (intent["order_type"], intent["limit_price"], intent["event_no"]) == (OrderType.MARKET, 0, 77)
    assert (intent["side"], intent["bid_price"], intent["ask_price"]) == (1, BID, ASK)
    assert intent["confidence"] == pytest.approx((0.8 + 0.8 + 0.6 + 0.5) / 4)


def test_pressure_to_sell_is_the_mirror_image() -> None:
    buy, sell = Desk().ask(PRESSURE), Desk().ask(opposite(PRESSURE))
    assert (buy["side"], sell["side"]) == (1, -1)
    for name in ("confidence", "stop_distance", "target_distance", "size"):
        assert buy[name] == sell[name]


@pytest.mark.parametrize(
    "measure", [Feature.QUEUE_IMBALANCE, Feature.MICROPRICE_EDGE, Feature.OFI_NORM_10S, Feature.TRADE_IMBALANCE_10S]
)
def test_one_measure_that_disagrees_or_is_weak_stops_the_trade(measure: Feature) -> None:
    assert Desk().ask(PRESSURE | {measure: -PRESSURE[measure]}) is None
    assert Desk().ask(PRESSURE | {measure: 0.01}) is None


@pytest.mark.parametrize("measure", [Feature.QUEUE_IMBALANCE, Feature.MICROPRICE_EDGE, Feature.OFI_NORM_10S])
def test_a_measure_that_is_not_defined_stops_the_trade(measure: Feature) -> None:
    assert Desk().ask(PRESSURE | {measure: math.nan}) is None


def test_a_source_that_prints_no_trades_is_judged_without_them() -> None:
    intent = Desk().ask(PRESSURE | {Feature.TRADE_IMBALANCE_10S: math.nan})
    assert intent["confidence"] == pytest.approx((0.8 + 0.8 + 0.6) / 3)


def test_without_sizes_quote_moves_and_momentum_decide() -> None:
    silent = {Feature.OFI_NORM_10S: 0.6, Feature.MID_RETURN_10S: 2e-4, Feature.QUEUE_IMBALANCE: 0.0}
    usual = 2e-4 / math.sqrt(10 / 60)  # a volatility that makes the return one standard deviation
    assert Desk(sized=False).ask(silent, volatility=0.99 * usual)["side"] == 1
    assert Desk(sized=False).ask(silent, volatility=1.01 * usual) is None
    assert Desk(sized=False).ask(opposite(silent), volatility=0.5 * usual)["side"] == -1
    assert Desk(sized=False).ask(silent | {Feature.MID_RETURN_10S: -2e-4}) is None
    assert Desk(sized=False).ask(silent | {Feature.OFI_NORM_10S: 0.4}) is None
    assert Desk().ask(silent) is None  # with sizes, a balanced queue says no


def test_the_next_intent_waits_for_the_cooldown() -> None:
    desk = Desk(cooldown_ns=1_000)
    assert desk.ask(PRESSURE) is not None
    assert desk.ask(PRESSURE, after_ns=999) is None
    assert desk.ask(PRESSURE, after_ns=1) is not None


def test_a_refused_look_does_not_start_the_cooldown() -> None:
    desk = Desk(cooldown_ns=1_000_000)
    assert desk.ask(opposite(PRESSURE) | {Feature.OFI_NORM_10S: 0.9}) is None
    assert desk.ask(PRESSURE, after_ns=1) is not None


def test_a_disabled_engine_wants_nothing() -> None:
    assert Desk(enabled=False).ask(PRESSURE) is None


def test_distances_are_the_larger_of_spreads_and_volatility() -> None:
    settings = {"stop_spreads": 2.0, "target_spreads": 3.0, "stop_vols": 1.0, "target_vols": 2.0}
    calm = Desk(**settings).ask(PRESSURE, volatility=0.0)
    assert (calm["stop_distance"], calm["target_distance"]) == (80, 120)
    wild = Desk(max_hold_ns=240_000_000_000, **settings).ask(PRESSURE, volatility=1e-4)
    sigma = 1e-4 * (BID + ASK) / 2 * 2  # four minutes: twice the volatility of one
    assert wild["stop_distance"] == math.ceil(sigma)
    assert wild["target_distance"] == math.ceil(2 * sigma)


def test_the_size_is_the_notional_in_lots_and_at_least_one() -> None:
    assert Desk(order_notional=26_000.0).ask(PRESSURE)["size"] == 19  # 19 ounces at 1,300.02
    assert Desk(order_notional=10.0).ask(PRESSURE)["size"] == 1


# ---- sweeps ---------------------------------------------------------------------------------------------------

MILLISECOND = 1_000_000
CALM = {Feature.QUEUE_IMBALANCE: 0.0, Feature.MICROPRICE_EDGE: 0.0, Feature.OFI_NORM_10S: 0.0}
PLAIN = (0.8 + 0.8 + 0.6 + 0.5) / 4


@pytest.mark.parametrize(
    ("side", "stage", "trapped", "after_ms", "confidence"),
    [
        (1, Stage.CONFIRMED, 0.0, 0, PLAIN + (1 - PLAIN) * 0.5 * 0.7),
        (1, Stage.CONFIRMED, 0.0, 2_000, PLAIN + (1 - PLAIN) * 0.5 * 0.7),
        (1, Stage.CONFIRMED, 0.0, 2_001, PLAIN),
        (-1, Stage.CONFIRMED, 0.0, 0, PLAIN),
        (1, Stage.FORMING, 0.0, 0, PLAIN),
        (1, Stage.FAILED, 0.0, 0, PLAIN),  # a burst that ended short says nothing
        (1, Stage.FAILED, 25.0, 0, None),
        (1, Stage.FAILED, 25.0, 2_000, None),
        (1, Stage.FAILED, 25.0, 2_001, PLAIN),
        (-1, Stage.FAILED, 25.0, 0, PLAIN),
    ],
)
def test_a_sweep_raises_the_confidence_of_its_direction_and_refuses_it_once_it_has_come_back(
    side: int, stage: Stage, trapped: float, after_ms: int, confidence: float | None
) -> None:
    for sign in (1, -1):
        desk = Desk()
        desk.sweep(side * sign, stage, trapped=trapped)
        forget_news(desk.memory[0])
        intent = desk.ask(PRESSURE if sign > 0 else opposite(PRESSURE), after_ns=after_ms * MILLISECOND)
        if confidence is None:
            assert intent is None
        else:
            assert (intent["side"], intent["reason"]) == (sign, IntentReason.IMBALANCE)
            assert intent["confidence"] == pytest.approx(confidence)


def test_a_sweep_that_failed_after_it_was_confirmed_no_longer_adds_confidence() -> None:
    desk = Desk()
    desk.sweep(1, Stage.CONFIRMED)
    desk.sweep(1, Stage.FAILED, trapped=4.0, after_ns=5)
    assert desk.ask(PRESSURE) is None


@pytest.mark.parametrize(
    ("strength", "least", "trades"), [(0.6, 0.6, True), (0.59, 0.6, False), (0.99, 1.0, False), (0.5, 0.0, True)]
)
def test_a_strong_sweep_is_followed_by_itself_at_the_moment_it_is_confirmed(
    strength: float, least: float, trades: bool
) -> None:
    for side in (1, -1):
        desk = Desk(sweep_strength_min=least)
        desk.sweep(side, Stage.CONFIRMED, strength)
        assert desk.is_due() is trades
        intent = desk.ask(CALM)
        assert (intent is not None) is trades
        if trades:
            assert (intent["side"], intent["reason"]) == (side, IntentReason.SWEEP_MOMENTUM)
            assert intent["confidence"] == pytest.approx(strength)


def test_a_sweep_is_followed_once_and_only_as_news() -> None:
    desk = Desk(cooldown_ns=0)
    desk.sweep(1, Stage.CONFIRMED)
    assert desk.ask(CALM) is not None
    assert not desk.is_due()
    assert desk.ask(CALM) is None


@pytest.mark.parametrize("stage", [Stage.FORMING, Stage.FAILED])
def test_only_a_confirmed_sweep_is_followed(stage: Stage) -> None:
    desk = Desk()
    desk.sweep(1, stage, strength=1.0, trapped=9.0)
    assert not desk.is_due()
    assert desk.ask(CALM) is None


def test_a_market_swept_on_both_sides_at_once_is_left_alone() -> None:
    desk = Desk()
    desk.sweep(1, Stage.CONFIRMED)
    desk.sweep(-1, Stage.CONFIRMED)
    assert not desk.is_due()
    assert desk.ask(CALM) is None


def test_news_that_comes_too_late_is_no_news() -> None:
    for late_ms, trades in ((2_000, True), (2_001, False)):
        desk = Desk()
        desk.sweep(1, Stage.CONFIRMED)
        assert (desk.ask(CALM, after_ns=late_ms * MILLISECOND) is not None) is trades


def test_a_sweep_waits_for_the_cooldown_like_any_trade() -> None:
    desk = Desk(cooldown_ns=1_000)
    assert desk.ask(PRESSURE) is not None
    desk.sweep(1, Stage.CONFIRMED, after_ns=999)
    assert not desk.is_due()
    assert desk.ask(CALM) is None


# ---- the looks that come first --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bid_size", "ask_size", "due"),
    [(750, 250, True), (250, 750, True), (749, 251, False), (500, 500, False), (1, 10**15, True)],
)
def test_a_touch_below_the_least_imbalance_is_not_looked_at_any_further(
    bid_size: int, ask_size: int, due: bool
) -> None:
    desk = Desk(queue_imbalance_min=0.5)
    desk.quote(BID, ASK, bid_size, ask_size)
    assert desk.is_due(0.6 if bid_size > ask_size else -0.6) is due


@pytest.mark.parametrize(
    ("ofi_norm", "sized", "due"),
    [
        (0.4, True, True), (0.39, True, False), (-0.9, True, False), (math.nan, True, False),
        (0.5, False, True), (-0.5, False, True), (0.49, False, False), (math.nan, False, False),
    ],
)  # fmt: skip
def test_order_flow_that_presses_too_little_or_the_other_way_is_not_looked_at_any_further(
    ofi_norm: float, sized: bool, due: bool
) -> None:
    desk = Desk(sized=sized, ofi_norm_min=0.4, unsized_ofi_norm_min=0.5)
    desk.quote(BID, ASK, 750, 250)
    assert desk.is_due(ofi_norm) is due


def test_without_sizes_steady_flow_is_looked_at_unless_the_engine_waits() -> None:
    desk = Desk(sized=False, cooldown_ns=10)
    assert desk.is_due()
    silent = {Feature.OFI_NORM_10S: 0.6, Feature.MID_RETURN_10S: 2e-4}
    assert desk.ask(silent, volatility=0.0) is not None
    assert not desk.is_due()
    assert not Desk(sized=False, enabled=False).is_due()


# ---- the microprice -------------------------------------------------------------------------------------------


def test_the_fitted_microprice_decides_where_there_is_one() -> None:
    assert Desk().ask(PRESSURE | {Feature.FITTED_MICROPRICE_EDGE: 0.24}) is None
    assert Desk().ask(PRESSURE | {Feature.FITTED_MICROPRICE_EDGE: -0.4}) is None
    intent = Desk().ask(PRESSURE | {Feature.FITTED_MICROPRICE_EDGE: 0.25})
    assert intent["confidence"] == pytest.approx((0.8 + 0.5 + 0.6 + 0.5) / 4)
    weak = PRESSURE | {Feature.MICROPRICE_EDGE: 0.0, Feature.FITTED_MICROPRICE_EDGE: 0.4}
    assert Desk().ask(weak) is not None


def test_confidence_stays_within_its_bounds_where_the_fitted_microprice_leaves_the_spread() -> None:
    extreme = dict.fromkeys(PRESSURE, 1.0) | {Feature.FITTED_MICROPRICE_EDGE: 3.0}
    desk = Desk(sweep_confidence=1.0)
    desk.sweep(1, Stage.CONFIRMED, strength=1.0)
    assert desk.ask(extreme)["confidence"] == 1.0
    outside = PRESSURE | {Feature.FITTED_MICROPRICE_EDGE: -0.2}
    assert Desk(microprice_edge_min=0.0).ask(outside) is None


# ---- the baseline ---------------------------------------------------------------------------------------------


def test_the_baseline_trades_a_tight_spread_in_the_direction_of_the_last_move() -> None:
    for move, side in ((2, 1), (-2, -1)):
        desk = Desk(version=1, trigger_spread_ppm=40.0)  # 52 ticks
        assert not desk.is_due(), "the mid has not moved yet"
        assert desk.ask(CALM) is None
        desk.quote(BID + move, ASK + move)
        assert desk.is_due()
        intent = desk.ask(CALM)
        assert (intent["side"], intent["reason"]) == (side, IntentReason.SPREAD_TRIGGER)
        threshold = 40e-6 * (BID + ASK + 2 * move) / 2
        assert intent["confidence"] == pytest.approx(1 - 40 / threshold)
        assert intent["stop_distance"] == math.ceil(4 * threshold)
        assert intent["target_distance"] == math.ceil(6 * threshold)


@pytest.mark.parametrize(("ask", "due"), [(200_039, True), (200_040, True), (200_042, False)])
def test_the_baseline_triggers_up_to_its_threshold(ask: int, due: bool) -> None:
    desk = Desk(version=1, trigger_spread_ppm=200.0)
    desk.is_due()
    middle = 200_020  # with a spread of 40 the mid is 200,020, and 200 millionths of it are 40.004 ticks
    desk.quote(2 * middle - ask, ask)
    assert desk.is_due() is due


def test_the_baseline_keeps_its_direction_while_the_mid_rests_and_its_cooldown_while_it_moves() -> None:
    desk = Desk(version=1, cooldown_ns=100)
    desk.is_due()
    desk.quote(BID + 4, ASK + 4)
    assert desk.is_due() and desk.ask(CALM)["side"] == 1
    desk.quote(BID, ASK)
    assert not desk.is_due()
    assert desk.ask(CALM, after_ns=99) is None
    assert not desk.is_due()
    desk.event["ts_event"] += 1
    assert desk.is_due()
    assert desk.ask(CALM)["side"] == -1


def test_a_disabled_baseline_wants_nothing() -> None:
    desk = Desk(version=1, enabled=False)
    desk.is_due()
    desk.quote(BID + 4, ASK + 4)
    assert not desk.is_due()
    assert desk.ask(CALM) is None
