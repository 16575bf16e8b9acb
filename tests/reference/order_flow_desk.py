"""The order-flow engine's kernels, shown scenes of the reference."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.configuration import Configuration, with_parameters
from chimera_platform.engines.order_flow.due import ORDER_FLOW_STATE_DTYPE, order_flow_is_due
from chimera_platform.engines.order_flow.parameters import order_flow_parameters
from chimera_platform.engines.order_flow.step import order_flow_step
from chimera_platform.engines.timeframes import new_timeframes
from chimera_platform.execution.records import INTENT_DTYPE
from chimera_platform.market.book import apply_event, new_books
from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind
from chimera_platform.market.instruments import load_instruments
from chimera_platform.microstructure.feature_names import FEATURE_NAMES
from chimera_platform.microstructure.session_profile import SESSION_PROFILE_DTYPE
from chimera_platform.regimes.rules import REGIME_STATE_DTYPE
from chimera_platform.signals.memory import BEARISH, BULLISH, SIGNAL_MEMORY_DTYPE
from tests.reference.order_flow import Frame, Scene, Signal

INSTRUMENT = load_instruments()["XAUUSD"]
LEVEL_NAMES = [(part, name) for part in ("developing", "finished") for name in ("poc", "value_low", "value_high")]


def configured(parameters: dict[str, dict[str, Any]]) -> Configuration:
    """Settings by section and key, on top of the defaults."""
    return with_parameters(Configuration(), parameters)


class Desk:
    """The engine at an instrument whose book, signals, bars, regime and profile are those of a scene."""

    def __init__(self, configuration: Configuration | None = None) -> None:
        self.params = order_flow_parameters(configuration or Configuration())
        self.state = np.zeros(1, ORDER_FLOW_STATE_DTYPE)
        self.out = np.zeros(1, INTENT_DTYPE)
        self.was_due = False

    def show(self, scene: Scene) -> Any:
        """Return the intent at ``scene``, or None."""
        event, book = self.quote(scene)
        memory, timeframes, profile = memory_of(scene), timeframes_of(scene.frames), profile_of(scene)
        regime = np.zeros(1, REGIME_STATE_DTYPE)
        regime["regime"], regime["confidence"] = scene.regime, scene.regime_confidence
        features = np.array([scene.feature(name) for name in FEATURE_NAMES])
        self.was_due = order_flow_is_due(
            self.params[0], self.state[0], memory[0], timeframes, profile[0], event[0], book[0]
        )
        before = self.state.tobytes()
        rows = order_flow_step(
            self.params[0], self.state[0], memory[0], timeframes, regime[0], profile[0],
            INSTRUMENT.record[0], event[0], 77, book[0], features, self.out, 0,
        )  # fmt: skip
        if not self.was_due:
            assert rows == 0, "an intent where the look said that there is nothing to look at"
            assert self.state.tobytes() == before
        return self.out[0].copy() if rows else None

    @staticmethod
    def quote(scene: Scene) -> Any:
        """An event and the book after it."""
        event, book = np.zeros(1, EVENT_DTYPE), new_books(1)
        event["kind"], event["price"], event["ask_price"] = EventKind.QUOTE, scene.bid, scene.ask
        event["size"] = event["ask_size"] = 500
        event["flags"] = EventFlag.LAST | (0 if scene.is_sized else EventFlag.SIZE_ASSUMED)
        event["ts_event"] = scene.ts
        apply_event(book[0], event[0])
        return event, book


def memory_of(scene: Scene) -> np.ndarray[Any, Any]:
    memory = np.zeros(1, SIGNAL_MEMORY_DTYPE)
    for (detector, side), signal in scene.signals.items():
        slot = memory["last"][0, detector, BULLISH if side > 0 else BEARISH]
        slot["detection_no"], slot["ts_event"], slot["stage"] = signal.number, signal.ts, signal.stage
        slot["price_low"], slot["price_high"], slot["size"] = signal.low, signal.high, signal.size
        slot["strength"], slot["evidence"], slot["is_news"] = signal.strength, signal.evidence, signal.is_news
        memory["news"] += signal.is_news
        memory["said_ts"] = max(memory["said_ts"][0], signal.ts)
    return memory


def timeframes_of(frames: list[Frame]) -> np.ndarray[Any, Any]:
    timeframes = new_timeframes()
    for record, frame in zip(timeframes, frames, strict=True):
        for name in ("trend", "efficiency", "ema_slow", "rsi", "divergence", "divergence_bar", "bars"):
            record[name] = getattr(frame, name)
        record["bollinger_middle"], record["bollinger_deviation"] = frame.middle, frame.deviation
        record["low"], record["running_low"] = frame.lows
        record["high"], record["running_high"] = frame.highs
    return timeframes


def profile_of(scene: Scene) -> np.ndarray[Any, Any]:
    """Levels of the session under way, then of the one before: three each."""
    profile = np.zeros(1, SESSION_PROFILE_DTYPE)
    for (part, name), level in zip(LEVEL_NAMES, scene.levels, strict=False):
        profile[part][name], profile[part]["volume"] = level, 1_000
    profile["node_count"] = len(scene.nodes)
    for k, (high, low, strength) in enumerate(scene.nodes):
        profile["node_high"][0, k], profile["node_low"][0, k], profile["node_strength"][0, k] = high, low, strength
    return profile


def signal(number: int, ts: int, stage: Any, low: int, high: int, strength: float = 0.8, **more: Any) -> Signal:
    """A detection, news unless said otherwise."""
    return Signal(number, ts, stage, low, high, strength, **{"is_news": True, **more})
