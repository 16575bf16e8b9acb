"""The order-flow engine in the decision path against its rules, over simulated hours with every kind of episode.

Invariant: at every event the path's order-flow intents are those that the plain rules want of what was known then.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chimera_platform.configuration import Configuration
from chimera_platform.engines.order_flow.parameters import STRATEGIES
from chimera_platform.engines.step import SymbolEngines
from chimera_platform.engines.timeframes import TimeframeSettings, new_timeframes, update_timeframes
from chimera_platform.execution.records import Engine, IntentReason
from chimera_platform.market.book import (
    apply_event,
    best_ask,
    best_ask_size,
    best_bid,
    best_bid_size,
    is_tradable,
    new_books,
)
from chimera_platform.market.events import EventFlag
from chimera_platform.market.instruments import Universe, load_instruments
from chimera_platform.market.sources import open_source
from chimera_platform.microstructure.feature_names import FEATURE_COUNT, FEATURE_NAMES
from chimera_platform.microstructure.feature_vector import write_features
from chimera_platform.microstructure.features import new_feature_states, new_feature_windows, update_features
from chimera_platform.microstructure.fitted_microprice import new_microprice_table
from chimera_platform.microstructure.session_profile import (
    SESSION_PROFILE_DTYPE,
    SessionProfileSettings,
    update_session_profile,
)
from chimera_platform.regimes.names import Regime
from chimera_platform.regimes.rules import RegimeRuleSettings, new_regime_states, update_regime
from chimera_platform.settings import to_record
from chimera_platform.signals.detectors import (
    DetectorSettings,
    detector_parameters,
    new_detections,
    new_detector_states,
    update_detectors,
)
from chimera_platform.signals.records import Detector, Stage
from chimera_platform.simulation.market.simulator import SimulatedMarket
from tests.reference import random_market
from tests.reference.order_flow import Frame, OrderFlow, Scene, Signal, Wanted
from tests.reference.order_flow_desk import LEVEL_NAMES, configured

EPISODES = "sweeps_a_day=300&icebergs_a_day=300&droughts_a_day=400&absorptions_a_day=100&stop_runs_a_day=200"
MARKET = SimulatedMarket.from_url(f"sim://?symbols=XAUUSD&seed=3&days=1&{EPISODES}", load_instruments())
UNIVERSE: Universe = MARKET.universe
EVENTS: dict[str, np.ndarray[Any, Any]] = {
    "orders": np.array(next(iter(MARKET.batches(20_000)))),
    "quotes without sizes": random_market.quotes(9_000, seed=3, step_ns=5_000_000_000),
    "depth": random_market.depth(9_000, seed=5, step_ns=4_000_000_000),
}
EAGER = {name: {"confidence_min": 0.0, "reward_risk_min": 0.5} for name in STRATEGIES} | {
    "order_flow": {"cooldown_ns": 5_000_000_000, "spread_bps_max": 100.0}
}


class Known:
    """What is known of the market after each event, from the kernels called one by one."""

    def __init__(self, universe: Universe) -> None:
        self.book, self.features, self.windows = (
            new_books(1)[0],
            new_feature_states(universe)[0],
            new_feature_windows(1)[0],
        )
        self.detector_params, self.detectors = detector_parameters(DetectorSettings())[0], new_detector_states(1)[0]
        self.detections, self.microprice = new_detections()[0], new_microprice_table()[0]
        self.frames, self.frame_params = new_timeframes(), to_record(TimeframeSettings())[0]
        self.regime, self.regime_params = new_regime_states(1)[0], to_record(RegimeRuleSettings())[0]
        self.profile = np.zeros(1, SESSION_PROFILE_DTYPE)[0]
        self.profile_params = to_record(SessionProfileSettings())[0]
        self.signals: dict[tuple[Detector, int], Signal] = {}

    def scenes(self, events: np.ndarray[Any, Any]) -> Iterator[tuple[int, Scene]]:
        """Yield (event number, scene) of every complete event of a tradable book."""
        for event_no, event in enumerate(events):
            apply_event(self.book, event)
            update_features(self.features, self.windows, self.book, event)
            self.hear(event)
            update_session_profile(self.profile_params, self.profile, event)
            if event["flags"] & EventFlag.LAST and is_tradable(self.book):
                self.follow_bars(event)
                yield event_no, self.scene(event)
                for signal in self.signals.values():
                    signal.is_news = False

    def hear(self, event: Any) -> None:
        rows = update_detectors(self.detector_params, self.detectors, self.book, event, self.detections, 0)
        for row in self.detections["row"][:rows]:
            self.signals[Detector(row["detector"]), int(row["side"])] = Signal(
                number=int(row["detection_no"]),
                ts=int(event["ts_event"]),
                stage=Stage(row["stage"]),
                low=int(row["price_low"]),
                high=int(row["price_high"]),
                strength=float(row["strength"]),
                size=int(row["size"]),
                evidence=tuple(float(v) for v in row["evidence"]),
                is_news=True,
            )

    def follow_bars(self, event: Any) -> None:
        bid, ask = best_bid(self.book), best_ask(self.book)
        if update_timeframes(self.frame_params, self.frames, event["ts_event"], bid + ask):
            is_sized = not event["flags"] & EventFlag.SIZE_ASSUMED
            depth = best_bid_size(self.book) + best_ask_size(self.book) if is_sized else 0
            update_regime(self.regime_params, self.regime, self.frames, ask - bid, depth)

    def scene(self, event: Any) -> Scene:
        vector = np.empty(FEATURE_COUNT)
        write_features(self.features, self.windows, self.book, self.microprice, vector)
        profile = self.profile
        known = [part for part in ("developing", "finished") if profile[part]["volume"] > 0]
        nodes = zip(profile["node_high"], profile["node_low"], profile["node_strength"], strict=True)
        return Scene(
            ts=int(event["ts_event"]),
            bid=int(best_bid(self.book)),
            ask=int(best_ask(self.book)),
            is_sized=not event["flags"] & EventFlag.SIZE_ASSUMED,
            features=dict(zip(FEATURE_NAMES, vector.tolist(), strict=True)),
            signals=self.signals,
            frames=[frame_of(record) for record in self.frames],
            regime=Regime(int(self.regime["regime"])),
            regime_confidence=float(self.regime["confidence"]),
            levels=[int(profile[part][name]) for part, name in LEVEL_NAMES if part in known],
            nodes=[(int(h), int(low), float(z)) for h, low, z in list(nodes)[: profile["node_count"]]],
        )


def frame_of(record: Any) -> Frame:
    return Frame(
        trend=int(record["trend"]),
        efficiency=float(record["efficiency"]),
        middle=float(record["bollinger_middle"]),
        deviation=float(record["bollinger_deviation"]),
        ema_slow=float(record["ema_slow"]),
        rsi=float(record["rsi"]),
        divergence=int(record["divergence"]),
        divergence_bar=int(record["divergence_bar"]),
        bars=int(record["bars"]),
        lows=(int(record["low"]), int(record["running_low"])),
        highs=(int(record["high"]), int(record["running_high"])),
    )


def require_equal(
    events: np.ndarray[Any, Any], configuration: Configuration, universe: Universe = UNIVERSE
) -> list[Wanted]:
    """Hold the path's intents against the rules' and return these."""
    rules = OrderFlow(configuration, universe[0].tick_value_nanos)
    looks = [(event_no, rules.see(scene)) for event_no, scene in Known(universe).scenes(events)]
    expected = [(event_no, want) for event_no, want in looks if want is not None]
    intents = SymbolEngines(universe, 0, configuration).run(events, 0)
    intents = intents[intents["engine"] == Engine.ORDER_FLOW]
    assert intents["event_no"].tolist() == [event_no for event_no, _ in expected]
    for intent, (event_no, want) in zip(intents, expected, strict=True):
        for name, value in asdict(want).items():
            assert intent[name] == value, f"event {event_no}: {name}"
    return [want for _, want in expected]


@pytest.mark.slow
@pytest.mark.parametrize("parameters", [{}, EAGER], ids=["defaults", "easily convinced"])
def test_the_decision_path_wants_what_the_rules_say(parameters: dict[str, dict[str, float]]) -> None:
    wanted = require_equal(EVENTS["orders"], configured(parameters))
    least = {IntentReason.SWEEP_REVERSAL, IntentReason.VACUUM, IntentReason.MEAN_REVERSION}
    assert {want.reason for want in wanted} >= (least | {IntentReason.ICEBERG_DEFENSE} if parameters else least)


def test_of_quotes_without_sizes_only_fades_are_made() -> None:
    wanted = require_equal(EVENTS["quotes without sizes"], configured(EAGER))
    assert {want.reason for want in wanted} == {IntentReason.MEAN_REVERSION}


def test_the_rules_hold_on_depth_with_prints() -> None:
    assert {want.reason for want in require_equal(EVENTS["depth"], configured(EAGER))} == {
        IntentReason.MEAN_REVERSION,
        IntentReason.VACUUM,
    }


@pytest.mark.slow
@pytest.mark.real_data
def test_the_rules_hold_on_real_orders(real_data: Path) -> None:
    archive = real_data / "lobster" / "LOBSTER_SampleFile_GOOG_2012-06-21_10.zip"
    source = open_source([archive], None, load_instruments())
    events = np.array(next(iter(source.batches(40_000))))
    assert require_equal(events, configured(EAGER), source.universe)
