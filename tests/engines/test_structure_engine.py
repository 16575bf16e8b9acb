"""The structure engine's two halves: the look that keeps the ranges, and the step that only follows a breakout."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from chimera_platform.engines.ranges import new_frames
from chimera_platform.engines.structure import (
    STRUCTURE_STATE_DTYPE,
    StructureSettings,
    structure_is_due,
    structure_step,
)
from chimera_platform.execution.records import INTENT_DTYPE, IntentReason
from chimera_platform.market.book import apply_event, new_books
from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind
from chimera_platform.market.instruments import Universe, load_instruments
from chimera_platform.microstructure.feature_names import FEATURE_COUNT
from chimera_platform.settings import to_record
from tests.reference import random_market

UNIVERSE = Universe([load_instruments()["XAUUSD"]])
QUOTES = random_market.quotes(9_000, seed=3, step_ns=5_000_000_000)


def run(asks_always: bool, **chosen: Any) -> tuple[list[np.void], list[bool]]:
    """Return the intents and, for every event, whether one was due."""
    params, state = to_record(StructureSettings(**chosen)), np.zeros(1, STRUCTURE_STATE_DTYPE)
    frames, book, out = new_frames(), new_books(1), np.zeros(1, INTENT_DTYPE)
    features, intents, looks = np.zeros(FEATURE_COUNT), [], []
    for event_no, event in enumerate(QUOTES):
        apply_event(book[0], event)
        due = bool(structure_is_due(params[0], state[0], frames, event, book[0]))
        looks.append(due)
        if due or asks_always:
            rows = structure_step(
                params[0], state[0], frames, UNIVERSE.records[0], event, event_no, book[0], features, out, 0
            )
            intents += [out[0].copy()] * rows
    return intents, looks


@pytest.mark.parametrize(
    "chosen", [{}, {"cooldown_ns": 0, "timeframes_min": 1}, {"compression_quantile": 1.0}, {"version": 1}]
)
def test_asking_the_engine_where_nothing_is_due_changes_nothing(chosen: dict[str, Any]) -> None:
    when_due, looks = run(asks_always=False, **chosen)
    always, _ = run(asks_always=True, **chosen)
    assert [i.tobytes() for i in when_due] == [i.tobytes() for i in always]
    assert 0 < len(when_due) <= sum(looks) < len(looks) / 10


def test_one_breakout_gives_one_intent_however_often_the_engine_is_asked() -> None:
    params, state = to_record(StructureSettings(timeframes_min=1)), np.zeros(1, STRUCTURE_STATE_DTYPE)
    frames, book, out = new_frames(), new_books(1), np.zeros(1, INTENT_DTYPE)
    asked = []
    for event_no, event in enumerate(QUOTES):
        apply_event(book[0], event)
        if structure_is_due(params[0], state[0], frames, event, book[0]):
            given = (params[0], state[0], frames, UNIVERSE.records[0], event, event_no, book[0])
            asked.append([structure_step(*given, np.zeros(FEATURE_COUNT), out, 0) for _ in range(3)])
    assert [1, 0, 0] in asked
    assert all(answers[1:] == [0, 0] for answers in asked)


def test_a_disabled_engine_is_never_due() -> None:
    intents, looks = run(asks_always=True, enabled=False)
    assert not intents and not any(looks)


# ---- the baseline ---------------------------------------------------------------------------------------------

MINUTE = 60_000_000_000


def crossings(closes: list[int], **chosen: Any) -> list[tuple[int, int]]:
    """(minute, side) of every intent of a market with one quote a minute, and a last one to complete it."""
    given = {"version": 1, "cross_bars_a": 2, "cross_bars_b": 4, "cooldown_ns": 0, **chosen}
    params, state = to_record(StructureSettings(**given)), np.zeros(1, STRUCTURE_STATE_DTYPE)
    frames, book, out = new_frames(), new_books(1), np.zeros(1, INTENT_DTYPE)
    event, found = np.zeros(1, EVENT_DTYPE), []
    event["kind"], event["flags"], event["size"], event["ask_size"] = EventKind.QUOTE, EventFlag.LAST, 5, 5
    for minute, close in enumerate([*closes, closes[-1]]):
        event["ts_event"] = 1_400_000_040_000_000_000 + minute * MINUTE  # on the minute
        event["price"], event["ask_price"] = close - 10, close + 10
        apply_event(book[0], event[0])
        if structure_is_due(params[0], state[0], frames, event[0], book[0]):
            given_to = (params[0], state[0], frames, UNIVERSE.records[0], event[0], minute, book[0])
            assert structure_step(*given_to, np.zeros(FEATURE_COUNT), out, 0) == 1
            assert (out["reason"][0], out["confidence"][0]) == (IntentReason.EMA_CROSS, 0.5)
            assert out["stop_distance"][0] == -(-close // 1_000)
            assert out["target_distance"][0] == math.ceil(1.5 * close / 1_000)
            found.append((minute, int(out["side"][0])))
    return found


def test_the_baseline_follows_a_crossing_at_the_minute_after_the_close_that_made_it() -> None:
    falling, rising = [10_000, 9_900, 9_800, 9_700, 9_600], [10_200, 10_400]
    assert crossings(falling) == []
    assert crossings(falling + rising) == [(6, 1)]
    mirrored = [20_000 - close for close in falling + rising]
    assert crossings(mirrored) == [(6, -1)]


def test_the_baseline_waits_for_the_slow_average_and_the_cooldown_and_knows_no_order_of_its_averages() -> None:
    early = [10_000, 9_900, 10_300, 10_400]
    assert crossings(early) == []
    assert crossings(early, cross_bars_b=3) == [(3, 1)]
    zigzag = [10_000, 9_900, 9_800, 9_700, 10_400, 9_000, 10_900]
    assert crossings(zigzag) == [(5, 1), (6, -1), (7, 1)]
    assert crossings(zigzag, cooldown_ns=2 * MINUTE) == [(5, 1), (7, 1)]
    assert crossings(zigzag, cross_bars_a=4, cross_bars_b=2) == crossings(zigzag)
    assert crossings(zigzag, cross_bars_a=4) == []
    assert crossings(zigzag, enabled=False) == []


def test_a_flat_market_never_crosses() -> None:
    assert crossings([10_000] * 40) == []
