"""The structure engine's two halves: the look that keeps the ranges, and the step that only follows a breakout."""

from __future__ import annotations

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
from chimera_platform.execution.records import INTENT_DTYPE
from chimera_platform.market.book import apply_event, new_books
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


@pytest.mark.parametrize("chosen", [{}, {"cooldown_ns": 0, "timeframes_min": 1}, {"compression_quantile": 1.0}])
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
