"""The order-flow engine, case by case: given what is seen, which trade follows, or what stands against it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from chimera_platform.configuration import Configuration
from chimera_platform.engines.order_flow.parameters import STRATEGIES
from chimera_platform.execution.records import Engine, IntentReason, OrderType
from chimera_platform.regimes.names import Regime
from chimera_platform.signals.records import Detector, Stage
from tests.reference.order_flow import Frame, Scene
from tests.reference.order_flow_desk import Desk, configured, signal

SECOND = 1_000_000_000
NOW = 10**18  # ns UTC
BID, ASK = 20_000, 20_004  # the spread is the noise: volatility is not known
VWAP = 20_104
CONFIRMED, FAILED = Stage.CONFIRMED, Stage.FAILED


def quiet() -> Scene:
    """A buyer's scene: price stretched downwards, flow turning up, levels of structure above; nothing detected."""
    frame = Frame(
        efficiency=0.2, middle=2 * 20_030.0, deviation=20.0, ema_slow=2 * 20_030.0, rsi=45.0, bars=60,
        lows=(2 * 19_999, 2 * 19_998), highs=(2 * 20_020, 2 * 20_010),
    )  # fmt: skip
    return Scene(
        ts=NOW, bid=BID, ask=ASK, levels=[20_060, 20_044, 20_080], frames=[copy.copy(frame) for _ in range(3)],
        features={
            "ofi_norm_10s": 0.5, "microprice_edge": 0.2, "mid_return_10s": 1e-4,
            "vwap_deviation": 20_002 / VWAP - 1,
        },
    )  # fmt: skip


def swept() -> Scene:
    """A sell sweep from 20,002 down to 19,990 has come back; half of its lots are trapped."""
    scene = quiet()
    scene.signals[Detector.SWEEP, -1] = signal(5, NOW, FAILED, 19_990, 20_002, size=20, evidence=(5, 0.5, 10, 10))
    return scene


def stop_run() -> Scene:
    scene = quiet()
    scene.signals[Detector.STOP_RUN, 1] = signal(5, NOW, CONFIRMED, 19_990, 20_002)
    return scene


def absorbed() -> Scene:
    """Bids at 19,996 to 20,000 have absorbed."""
    scene = quiet()
    scene.signals[Detector.STACKED_ABSORPTION, 1] = signal(5, NOW, CONFIRMED, 19_996, 20_000, evidence=(2, 0, 0, 0))
    return scene


def iceberg() -> Scene:
    """A bid at the touch refills."""
    scene = quiet()
    scene.signals[Detector.ICEBERG, 1] = signal(5, NOW, CONFIRMED, BID, BID, evidence=(10, 3, 30, 1.0))
    return scene


def void() -> Scene:
    """The asks from 20,004 to 20,024 have been withdrawn."""
    scene = quiet()
    scene.signals[Detector.VACUUM, 1] = signal(5, NOW, CONFIRMED, ASK, 20_024)
    return scene


def stretched() -> Scene:
    """2.8 deviations below the band's middle, 10 below the VWAP, an RSI of 25."""
    scene = quiet()
    scene.frames[0].rsi = 25.0
    return scene


def at_node() -> Scene:
    """Come down from 20,030 to a node at 20,000."""
    scene = quiet()
    scene.nodes = [(20_000, 20_120, 6.0)]
    scene.frames[0].lows = (2 * 19_999, 2 * 19_999)
    return scene


def mirrored(scene: Scene) -> Scene:
    """The same scene for a seller: prices reflected about the mid."""
    pivot = BID + ASK

    def price(value: int) -> int:
        return pivot - value

    twin = copy.deepcopy(scene)
    twin.bid, twin.ask = price(scene.ask), price(scene.bid)
    for name in ("ofi_norm_10s", "microprice_edge", "fitted_microprice_edge", "mid_return_10s"):
        twin.features[name] = -scene.feature(name)
    twin.features["vwap_deviation"] = twin.mid / (pivot - scene.vwap) - 1
    twin.signals = {}
    for (detector, side), said in scene.signals.items():
        other = copy.copy(said)
        other.low, other.high = price(said.high), price(said.low)
        twin.signals[detector, -side] = other
    for frame, own in zip(twin.frames, scene.frames, strict=True):
        frame.trend, frame.divergence, frame.rsi = -own.trend, -own.divergence, 100.0 - own.rsi
        frame.middle, frame.ema_slow = 2.0 * pivot - own.middle, 2.0 * pivot - own.ema_slow
        frame.lows = tuple(2 * pivot - v for v in own.highs)  # type: ignore[assignment]
        frame.highs = tuple(2 * pivot - v for v in own.lows)  # type: ignore[assignment]
    twin.levels = [price(v) for v in scene.levels]
    twin.nodes = [(price(high), price(low), z) for high, low, z in scene.nodes]
    return twin


@dataclass
class Case:
    """A scene, and the trade that follows."""

    given: Callable[[], Scene]
    reason: IntentReason
    limit: int
    stop: int
    target: int
    confidence: float
    parameters: dict[str, Any] = field(default_factory=dict)


# Stop: from the entry (20,004 at the market) to the structure, and one noise (4) beyond. Target: the nearest level that
# is 1.2 stops away.
CASES = {
    "sweep": Case(swept, IntentReason.SWEEP_REVERSAL, 0, 14 + 4, 40, 0.8),
    "stop run": Case(stop_run, IntentReason.SWEEP_REVERSAL, 0, 14 + 4, 40, 0.8),
    "absorption": Case(absorbed, IntentReason.STACKED_ABSORPTION, 0, 8 + 4, 40, 0.8),
    "iceberg": Case(iceberg, IntentReason.ICEBERG_DEFENSE, BID + 1, 8, 4 * 8, 0.8),  # least stop; target cut
    "vacuum": Case(void, IntentReason.VACUUM, 0, 8, 20, 0.8 * 0.5),  # no trend: half agreement
    "fade": Case(stretched, IntentReason.MEAN_REVERSION, 0, 6 + 4, 26, (102 / 122 + 28 / 48 + 0.5) / 3),
    "node": Case(at_node, IntentReason.NODE_BOUNCE, 0, 5 + 4, 26, 6 / 8),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("side", [1, -1])
def test_what_each_strategy_wants(name: str, side: int) -> None:
    case = CASES[name]
    scene = case.given() if side > 0 else mirrored(case.given())
    intent = Desk(configured(case.parameters)).show(scene)
    limit = case.limit if side > 0 or case.limit == 0 else BID + ASK - case.limit
    assert (intent["engine"], intent["reason"], intent["side"]) == (Engine.ORDER_FLOW, case.reason, side)
    assert intent["order_type"] == (OrderType.LIMIT if case.limit else OrderType.MARKET)
    assert intent["limit_price"] == limit
    assert (intent["stop_distance"], intent["target_distance"]) == (case.stop, case.target)
    assert intent["confidence"] == pytest.approx(case.confidence)
    settings = getattr(Configuration(), next(key for key, (_, own) in STRATEGIES.items() if own == case.reason))
    assert intent["max_hold_ns"] == settings.max_hold_ns
    assert intent["time_to_live_ns"] == (settings.time_to_live_ns if case.limit else 0)
    assert (intent["bid_price"], intent["ask_price"], intent["event_no"]) == (scene.bid, scene.ask, 77)


def test_a_quiet_market_is_left_alone() -> None:
    assert Desk().show(quiet()) is None


# ---- what stands against each ------------------------------------------------------------------------------------

EVERY = list(CASES)
SIGNALLED = {
    "sweep": (Detector.SWEEP, -1),
    "stop run": (Detector.STOP_RUN, 1),
    "absorption": (Detector.STACKED_ABSORPTION, 1),
    "iceberg": (Detector.ICEBERG, 1),
    "vacuum": (Detector.VACUUM, 1),
}


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("feature", ["ofi_norm_10s", "microprice_edge"])
@pytest.mark.parametrize("value", [-0.2, math.nan], ids=["against", "unknown"])
def test_a_flow_that_pushes_against_the_trade_or_is_unknown_refuses(name: str, feature: str, value: float) -> None:
    scene = CASES[name].given()
    scene.features[feature] = value
    assert Desk().show(scene) is None


@pytest.mark.parametrize("name", ["fade", "node"])
@pytest.mark.parametrize("value", [-1e-6, math.nan], ids=["falling", "unknown"])
def test_a_price_that_is_still_falling_is_not_caught(name: str, value: float) -> None:
    scene = CASES[name].given()
    scene.features["mid_return_10s"] = value
    assert Desk().show(scene) is None


@pytest.mark.parametrize("name", EVERY)
def test_the_fitted_microprice_counts_where_there_is_one(name: str) -> None:
    scene = CASES[name].given()
    scene.features["fitted_microprice_edge"] = -0.2
    assert Desk().show(scene) is None
    scene.features["fitted_microprice_edge"] = 0.2
    scene.features["microprice_edge"] = -0.2
    assert Desk().show(scene) is not None


@pytest.mark.parametrize("name", EVERY)
def test_without_a_timeframe_that_has_its_indicators_there_is_no_trade(name: str) -> None:
    scene = CASES[name].given()
    for frame in scene.frames:
        frame.efficiency = math.nan
    assert Desk().show(scene) is None


@pytest.mark.parametrize("name", [n for n in EVERY if n != "vacuum"])
def test_a_reversal_against_a_strong_trend_that_is_not_stretched_is_refused(name: str) -> None:
    scene = CASES[name].given()
    for frame in scene.frames[1:]:
        frame.trend, frame.efficiency, frame.middle = -1, 0.35, 2 * 20_002.0
    if name not in ("fade", "node"):
        scene.frames[0].trend, scene.frames[0].efficiency = -1, 0.35
    assert Desk().show(scene) is None
    for frame in scene.frames:
        frame.efficiency = 0.34  # no longer strong
    assert Desk(configured({name: {"confluence_min": 0.0} for name in STRATEGIES})).show(scene) is not None


def test_a_void_against_the_trend_is_refused() -> None:
    scene = void()
    for frame in scene.frames:
        frame.trend = -1
    assert Desk().show(scene) is None
    for frame in scene.frames:
        frame.trend = 1
    assert Desk().show(scene)["confidence"] == pytest.approx(0.8)


@pytest.mark.parametrize("name", ["sweep", "stop run", "absorption", "iceberg"])
def test_without_structure_ahead_there_is_no_target_and_no_trade(name: str) -> None:
    scene = CASES[name].given()
    scene.levels, scene.features["vwap_deviation"] = [], 20_002 / 20_006 - 1
    assert Desk().show(scene) is None
    scene.features["vwap_deviation"] = math.nan
    assert Desk().show(scene) is None


@pytest.mark.parametrize("name", ["fade", "node"])
def test_where_all_structure_is_too_near_for_the_stop_there_is_no_trade(name: str) -> None:
    section = {"fade": "mean_reversion", "node": "node_bounce"}[name]
    parameters = {section: {"reward_risk_min": 3.0, "stop_buffer_noise": 10.0}}  # three stops of 45 ticks
    scene = CASES[name].given()
    scene.nodes = [(high, 20_130, strength) for high, _, strength in scene.nodes]
    assert Desk(configured(parameters)).show(scene) is None
    scene.levels = [20_150]
    assert Desk(configured(parameters)).show(scene)["target_distance"] == 146


def test_a_void_that_is_too_short_for_its_stop_is_refused() -> None:
    scene = void()
    scene.signals[Detector.VACUUM, 1].high = ASK + 9  # the stop is 8, the least reward 1.2 stops
    assert Desk().show(scene) is None
    scene.signals[Detector.VACUUM, 1].high = ASK + 10
    assert Desk().show(scene)["target_distance"] == 10


@pytest.mark.parametrize("name", SIGNALLED)
def test_a_signal_is_traded_on_until_it_is_too_old(name: str) -> None:
    section = next(key for key, (_, reason) in STRATEGIES.items() if reason == CASES[name].reason)
    valid_ns = getattr(Configuration(), section).valid_ns
    scene = CASES[name].given()
    scene.signals[SIGNALLED[name]].ts = NOW - valid_ns
    assert Desk().show(scene) is not None
    scene.signals[SIGNALLED[name]].ts -= 1
    assert Desk().show(scene) is None


@pytest.mark.parametrize("name", SIGNALLED)
def test_a_signal_is_traded_on_once(name: str) -> None:
    desk, scene = Desk(configured({"order_flow": {"cooldown_ns": 0}})), CASES[name].given()
    assert desk.show(scene) is not None
    scene.ts += SECOND
    assert desk.show(scene) is None
    scene.signals[SIGNALLED[name]].number += 1
    assert desk.show(scene) is not None


@pytest.mark.parametrize("name", SIGNALLED)
@pytest.mark.parametrize("stage", Stage)
def test_only_the_right_stage_is_traded_on(name: str, stage: Stage) -> None:
    scene = CASES[name].given()
    wanted = scene.signals[SIGNALLED[name]].stage
    scene.signals[SIGNALLED[name]].stage = stage
    assert (Desk().show(scene) is not None) == (stage == wanted)


def test_a_sweep_that_trapped_too_little_is_refused() -> None:
    scene = swept()
    scene.signals[Detector.SWEEP, -1].evidence = (5, 0.5, 6, 6)  # of 20 lots: exactly the least share
    assert Desk().show(scene) is not None
    scene.signals[Detector.SWEEP, -1].evidence = (5, 0.5, 5, 5)
    assert Desk().show(scene) is None


def test_a_structure_that_the_price_has_left_behind_is_refused() -> None:
    scene = swept()
    scene.signals[Detector.SWEEP, -1].low = ASK  # its extreme lies above: the market trades below it
    scene.signals[Detector.SWEEP, -1].high = ASK + 12
    assert Desk().show(scene)["stop_distance"] == 8  # at the extreme: the buffer, held at the least
    scene.signals[Detector.SWEEP, -1].low = ASK + 1
    assert Desk().show(scene) is None


def test_an_entry_far_from_the_structure_waits_there() -> None:
    scene = swept()
    scene.signals[Detector.SWEEP, -1].high = ASK - 8  # two noises away: still at the market
    assert Desk().show(scene)["order_type"] == OrderType.MARKET
    scene.signals[Detector.SWEEP, -1].high = ASK - 9
    intent = Desk().show(scene)
    assert (intent["order_type"], intent["limit_price"]) == (OrderType.LIMIT, ASK - 9)
    assert intent["stop_distance"] == 5 + 4  # from the limit


def test_a_limit_order_never_crosses_the_spread() -> None:
    scene = iceberg()
    desk = Desk(configured({"iceberg_defense": {"front_ticks": 3, "chase_noise": 0.0}}))
    assert desk.show(scene)["limit_price"] == ASK - 1
    scene.ask = BID + 1
    desk = Desk(configured({"iceberg_defense": {"front_ticks": 0, "chase_noise": 0.0}}))
    assert desk.show(scene)["limit_price"] == BID


def test_a_wide_structure_is_stopped_at_the_largest_distance() -> None:
    scene = swept()
    scene.signals[Detector.SWEEP, -1].low = 19_000
    assert Desk().show(scene)["stop_distance"] == 15 * 4


def test_volatility_widens_all_distances() -> None:
    scene = swept()
    scene.features["realised_vol_60s"] = 12 / 20_002 * math.sqrt(6)  # 12 ticks in 10 s
    assert Desk().show(scene)["stop_distance"] == 14 + 12


def test_an_iceberg_is_defended_when_the_touch_comes_back_to_it() -> None:
    desk, scene = Desk(configured({"order_flow": {"look_interval_ns": 60 * SECOND}})), iceberg()
    scene.signals[Detector.ICEBERG, 1].is_news = False
    scene.bid, scene.ask = BID + 5, ASK + 5  # more than a spread in front of it
    assert desk.show(scene) is None
    scene.ts, scene.bid, scene.ask = NOW + SECOND // 20, BID, ASK
    assert desk.show(scene) is None  # too soon after the last look
    scene.ts = NOW + SECOND // 10
    assert desk.show(scene)["reason"] == IntentReason.ICEBERG_DEFENSE
    assert Desk().show(_through(scene)) is None


def _through(scene: Scene) -> Scene:
    """The bid has fallen below the iceberg."""
    scene = copy.deepcopy(scene)
    scene.bid, scene.ask = BID - 1, ASK - 1
    return scene


def test_an_iceberg_that_hid_little_is_not_defended() -> None:
    scene = iceberg()
    scene.signals[Detector.ICEBERG, 1].evidence = (10, 1, 9, 1.0)
    assert Desk().show(scene) is None


def test_a_fade_needs_distance_from_fair_value_from_the_band_and_a_tired_momentum() -> None:
    scene = stretched()
    scene.features["vwap_deviation"] = 20_002 / 20_021 - 1  # 1.9 deviations of ten ticks
    assert Desk().show(scene) is None
    scene = stretched()
    scene.frames[0].middle = 2 * 20_021.0
    assert Desk().show(scene) is None
    scene = stretched()
    scene.frames[0].rsi = 31.0
    assert Desk().show(scene) is None
    scene.frames[0].divergence, scene.frames[0].divergence_bar = 1, 56  # of bar 60: the fifth bar counts
    assert Desk().show(scene)["confidence"] == pytest.approx((102 / 122 + 28 / 48 + 1.0) / 3)
    scene.frames[0].divergence_bar = 55
    assert Desk().show(scene) is None
    scene.frames[0].divergence, scene.frames[0].divergence_bar = -1, 60
    assert Desk().show(scene) is None


@pytest.mark.parametrize("name", ["middle", "deviation", "rsi"])
def test_a_fade_without_its_measures_is_refused(name: str) -> None:
    scene = stretched()
    setattr(scene.frames[0], name, math.nan)
    assert Desk().show(scene) is None


def test_without_sizes_a_fade_takes_the_long_band_for_fair_value() -> None:
    scene = stretched()
    scene.is_sized = False
    scene.levels = []
    for name in ("vwap_deviation", "microprice_edge"):
        scene.features[name] = math.nan
    intent = Desk().show(scene)
    assert (intent["reason"], intent["target_distance"]) == (IntentReason.MEAN_REVERSION, 26)
    scene.frames[1].middle = 2 * 20_021.0
    assert Desk().show(scene) is None
    scene.frames[1].middle = math.nan
    assert Desk().show(scene) is None


def test_a_bounce_comes_from_where_the_price_has_been() -> None:
    scene = at_node()
    scene.frames[0].ema_slow = 2 * 20_011.0  # less than three noises above the node
    assert Desk().show(scene) is None
    scene.frames[0].ema_slow = 2 * 19_960.0  # come from below: a seller's bounce, which this flow refuses
    assert Desk().show(scene) is None
    scene = at_node()
    scene.nodes = [(20_002 - 7, 20_120, 6.0)]  # more than 1.5 noises away
    assert Desk().show(scene) is None
    scene.nodes = [(20_002 - 6, 20_120, 1.9)]  # too weak
    assert Desk().show(scene) is None


def test_of_several_nodes_the_strongest_counts() -> None:
    scene = at_node()
    scene.nodes = [(20_000, 20_120, 3.0), (20_001, 20_130, 6.0), (20_002, 20_140, 4.0)]
    assert Desk().show(scene)["confidence"] == pytest.approx(6 / 8)


# ---- the engine as a whole ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("ask", [BID, BID - 1], ids=["locked", "crossed"])
def test_a_locked_or_crossed_book_is_not_traded_in(ask: int) -> None:
    scene = swept()
    scene.ask = ask
    assert Desk().show(scene) is None


def test_a_wide_spread_is_not_traded_in() -> None:
    bps = 4 / 20_002 * 1e4
    assert Desk(configured({"order_flow": {"spread_bps_max": bps * 1.001}})).show(swept()) is not None
    assert Desk(configured({"order_flow": {"spread_bps_max": bps * 0.999}})).show(swept()) is None


def test_the_engine_rests_between_two_intents() -> None:
    desk, scene = Desk(), swept()
    assert desk.show(scene) is not None
    other = absorbed()
    other.ts = NOW + 30 * SECOND - 1
    other.signals[Detector.STACKED_ABSORPTION, 1].ts = other.ts
    assert desk.show(other) is None
    assert not desk.was_due
    other.ts += 1
    assert desk.show(other) is not None


def test_a_strategy_rests_on_its_own() -> None:
    desk, scene = Desk(), stretched()
    assert desk.show(scene) is not None
    scene.ts = NOW + 300 * SECOND - 1
    assert desk.show(scene) is None
    scene.ts += SECOND
    assert desk.show(scene) is not None


@pytest.mark.parametrize("name", EVERY)
def test_what_is_switched_off_is_silent(name: str) -> None:
    section = next(key for key, (_, reason) in STRATEGIES.items() if reason == CASES[name].reason)
    assert Desk(configured({section: {"enabled": 0}})).show(CASES[name].given()) is None
    assert Desk(configured({"order_flow": {"enabled": 0}})).show(CASES[name].given()) is None


def test_the_most_confident_strategy_is_heard_and_of_equals_the_first() -> None:
    both = swept()
    both.signals |= absorbed().signals
    assert Desk().show(both)["reason"] == IntentReason.SWEEP_REVERSAL
    both.signals[Detector.STACKED_ABSORPTION, 1].strength = 0.81
    assert Desk().show(both)["reason"] == IntentReason.STACKED_ABSORPTION


def test_without_news_the_engine_looks_once_a_second() -> None:
    desk, scene = Desk(), swept()
    scene.features["ofi_norm_10s"] = -0.5
    assert desk.show(scene) is None
    scene.signals[Detector.SWEEP, -1].is_news = False
    scene.features["ofi_norm_10s"] = 0.5  # the flow has turned
    scene.ts = NOW + SECOND - 1
    assert desk.show(scene) is None
    scene.ts += 1
    assert desk.show(scene)["reason"] == IntentReason.SWEEP_REVERSAL


FACTORS = {
    Regime.QUIET_RANGE: ("quiet_range", "quiet_range"),
    Regime.ACTIVE_RANGE: ("active_range", "active_range"),
    Regime.TREND_UP: ("trend_with", "trend_against"),
    Regime.TREND_DOWN: ("trend_against", "trend_with"),
    Regime.BREAKOUT: ("breakout", "breakout"),
    Regime.STRESSED: ("stressed", "stressed"),
}


@pytest.mark.parametrize("regime", Regime)
@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("certainty", [0.0, 0.5, 1.0])
def test_the_regime_weighs_confidence_as_far_as_it_is_known(regime: Regime, side: int, certainty: float) -> None:
    factors = {name: 0.3 + 0.1 * k for k, (name, _) in enumerate(FACTORS.values())} | {"trend_with": 1.2}
    scene = swept() if side > 0 else mirrored(swept())
    scene.regime, scene.regime_confidence = regime, certainty
    intent = Desk(configured({"sweep_reversal": factors | {"confidence_min": 0.0}})).show(scene)
    factor = factors[FACTORS[regime][0 if side > 0 else 1]]
    assert intent["confidence"] == pytest.approx(min(1.0, 0.8 * (certainty * factor + 1.0 - certainty)))


def test_confidence_never_exceeds_one() -> None:
    scene = swept()
    scene.signals[Detector.SWEEP, -1].strength = 1.0
    scene.regime_confidence = 1.0
    assert Desk(configured({"sweep_reversal": {"quiet_range": 1.5}})).show(scene)["confidence"] == 1.0


def test_the_weights_of_the_timeframes_say_which_counts() -> None:
    scene = swept()
    for frame in scene.frames[1:]:
        frame.middle = 2 * 20_002.0  # not stretched: one half
    even = Desk().show(scene)["confidence"]
    assert even == pytest.approx(0.8 * (1 + 0.5 + 0.5) / 3)
    weighted = Desk(configured({"order_flow": {"weight_1m": 10.0}})).show(scene)["confidence"]
    assert weighted == pytest.approx(0.8 * (10 + 0.5 + 0.5) / 12)
    scene.frames[2].deviation = math.nan  # too young: it has no voice
    assert Desk().show(scene)["confidence"] == pytest.approx(0.8 * (1 + 0.5) / 2)
