"""The HFT engine: each measure of pressure can stop a trade; distances follow spread and volatility."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from chimera_platform.engines.hft import HFT_STATE_DTYPE, HftSettings, hft_step
from chimera_platform.execution.records import INTENT_DTYPE, Engine, IntentReason, OrderType
from chimera_platform.market.book import apply_event, new_books
from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind
from chimera_platform.market.instruments import load_instruments
from chimera_platform.microstructure.feature_names import FEATURE_COUNT, Feature
from chimera_platform.settings import to_record

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
        apply_event(self.book[0], self.event[0])

    def ask(self, features: dict[Feature, float], after_ns: int = 0, volatility: float = 0.0) -> Any:
        self.event["ts_event"] += after_ns
        vector = np.full(FEATURE_COUNT, np.nan)
        vector[Feature.REALISED_VOL_60S] = volatility
        for feature, value in features.items():
            vector[feature] = value
        rows = hft_step(
            self.params[0],
            self.state[0],
            INSTRUMENT[0],
            self.event[0],
            77,
            self.book[0],
            vector,
            self.out,
            0,
        )
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
