"""The HFT engine, both versions, against its rules in plain Python, with sweeps of every kind said at any time."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.engines.hft import HFT_STATE_DTYPE, HftSettings, hft_is_due, hft_step
from chimera_platform.execution.records import INTENT_DTYPE, IntentReason
from chimera_platform.market.book import apply_event, new_books
from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind
from chimera_platform.market.instruments import load_instruments
from chimera_platform.microstructure.feature_names import FEATURE_COUNT, Feature
from chimera_platform.settings import to_record
from chimera_platform.signals.memory import SIGNAL_MEMORY_DTYPE, forget_news, remember
from chimera_platform.signals.records import DETECTION_DTYPE, Detector, Stage
from chimera_platform.signals.sweeps import SWEEP_EVIDENCE
from tests.reference import engines as reference

INSTRUMENT = load_instruments()["XAUUSD"]
MILLISECOND = 1_000_000
LOOKS = 250
TRAPPED = SWEEP_EVIDENCE.index("lots_trapped")


def quote(rng: np.random.Generator, ts: int, mid: int, flags: int) -> np.ndarray[Any, Any]:
    event = np.zeros(1, EVENT_DTYPE)
    half = int(rng.integers(1, 8))
    event["kind"], event["flags"], event["ts_event"] = EventKind.QUOTE, EventFlag.LAST | flags, ts
    event["price"], event["ask_price"] = mid - half, mid + half + int(rng.integers(0, 2))
    event["size"], event["ask_size"] = rng.choice([1, 100, 250, 500, 750], 2)
    return event


def vector(rng: np.random.Generator, event: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Features near the limits, undefined ones among them; what follows from the quote does."""
    features = rng.choice([-0.6, -0.4, -0.1, 0.0, 0.1, 0.4, 0.6, np.nan], FEATURE_COUNT)
    bid_size, ask_size = int(event["size"][0]), int(event["ask_size"][0])
    features[Feature.QUEUE_IMBALANCE] = (bid_size - ask_size) / (bid_size + ask_size)
    features[Feature.MICROPRICE_EDGE] = 0.5 * features[Feature.QUEUE_IMBALANCE]
    features[Feature.REALISED_VOL_60S] = rng.choice([np.nan, 0.0, 1e-4])
    towards = np.sign(features[Feature.QUEUE_IMBALANCE])
    if towards and rng.random() < 0.5:
        for feature in (Feature.OFI_NORM_10S, Feature.TRADE_IMBALANCE_10S, Feature.MID_RETURN_10S):
            features[feature] = towards * rng.choice([0.4, 0.6, 0.9])
    return features


def detections(rng: np.random.Generator) -> np.ndarray[Any, Any]:
    rows = np.zeros(int(rng.integers(0, 4)) if rng.random() < 0.3 else 0, DETECTION_DTYPE)
    for row in rows:
        row["detector"] = rng.choice([Detector.SWEEP, Detector.SWEEP, Detector.ICEBERG])
        row["side"], row["stage"] = rng.choice([-1, 1]), rng.choice([Stage.FORMING, Stage.CONFIRMED, Stage.FAILED])
        row["strength"], row["evidence"][TRAPPED] = rng.choice([0.2, 0.5, 0.6, 0.8]), rng.choice([0.0, 12.0])
    return rows


def run(seed: int, chosen: HftSettings, flags: int) -> tuple[list[np.void], list[reference.Wanted]]:
    """Return the kernel's intents and the rule's wishes of one random market; check each cheap look on the way."""
    rng = np.random.default_rng(seed)
    params, state, memory = to_record(chosen), np.zeros(1, HFT_STATE_DTYPE), np.zeros(1, SIGNAL_MEMORY_DTYPE)
    book, out, intents, seen = new_books(1), np.zeros(1, INTENT_DTYPE), [], []
    said: dict[int, reference.SaidOfSweep] = {}
    ts, mid = 1_000_000_000, 100_000
    for look in range(LOOKS):
        ts += int(rng.choice([0, 1, 250, 1_000, 2_000])) * MILLISECOND
        mid += int(rng.choice([-3, 0, 0, 3]))
        event = quote(rng, ts, mid, flags)
        apply_event(book[0], event[0])
        for row in detections(rng):
            remember(memory[0], np.array([row]), 1, ts)
            if row["detector"] == Detector.SWEEP:
                said[int(row["side"])] = reference.SaidOfSweep(
                    ts, Stage(row["stage"]), float(row["strength"]), float(row["evidence"][TRAPPED]), True
                )
        features = vector(rng, event)
        bid, ask = int(event["price"][0]), int(event["ask_price"][0])
        seen.append(reference.Observation.of(look, event[0], bid, ask, features, dict(said)))
        due = hft_is_due(params[0], state[0], memory[0], event[0], book[0], features[Feature.OFI_NORM_10S])
        rows = hft_step(params[0], state[0], memory[0], INSTRUMENT.record[0], event[0], look, book[0], features, out, 0)
        assert due or not rows, f"look {look}: an intent where none was due"
        if rows:
            intents.append(out[0].copy())
        forget_news(memory[0])
        said = {
            side: reference.SaidOfSweep(s.ts, s.stage, s.strength, s.lots_trapped, False) for side, s in said.items()
        }
    return intents, reference.hft(seen, chosen, INSTRUMENT.tick_value_nanos)


chosen_settings = st.builds(
    HftSettings,
    version=st.sampled_from([2, 2, 2, 1]),
    queue_imbalance_min=st.sampled_from([0.0, 1 / 3, 0.5, 0.8]),
    microprice_edge_min=st.sampled_from([0.0, 0.25]),
    sweep_valid_ms=st.sampled_from([0, 250, 2_000, 60_000]),
    sweep_confidence=st.floats(0.0, 1.0),
    sweep_strength_min=st.sampled_from([0.0, 0.5, 0.6, 1.0]),
    trigger_spread_ppm=st.sampled_from([20.0, 40.0, 100.0]),
    cooldown_ns=st.sampled_from([0, 1_000 * MILLISECOND, 2_000 * MILLISECOND]),
)


@given(seed=st.integers(0, 1 << 30), chosen=chosen_settings, flags=st.sampled_from([0, int(EventFlag.SIZE_ASSUMED)]))
@settings(max_examples=60, deadline=None)
def test_the_engine_wants_what_its_rules_say_whatever_the_detector_says(
    seed: int, chosen: HftSettings, flags: int
) -> None:
    """Invariant: kernel and rule want the same trades, and none without the cheap look having said so."""
    intents, wanted = run(seed, chosen, flags)
    for intent, want in zip(intents, wanted, strict=False):
        for name, value in asdict(want).items():
            assert intent[name] == pytest.approx(value, rel=1e-12), f"look {want.event_no}: {name}"
    assert len(intents) == len(wanted)


def test_the_random_markets_reach_every_reason_and_every_refusal() -> None:
    with_sweeps = [run(seed, HftSettings(cooldown_ns=0), 0)[0] for seed in range(6)]
    without = [
        run(seed, HftSettings(cooldown_ns=0, sweep_valid_ms=0, sweep_strength_min=1.0), 0)[0] for seed in range(6)
    ]
    reasons = [int(i["reason"]) for intents in with_sweeps for i in intents]
    assert set(reasons) == {IntentReason.IMBALANCE, IntentReason.SWEEP_MOMENTUM}
    pressure = reasons.count(IntentReason.IMBALANCE)
    assert 0 < pressure < sum(map(len, without)), "a sweep that came back has refused some trades"
    baseline, _ = run(1, HftSettings(version=1, cooldown_ns=0), 0)
    assert {int(i["side"]) for i in baseline} == {-1, 1}
