"""The coordinator's step holds the books against the venue once, where nothing is on record yet."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chimera_platform.coordinator import CoordinatorOutput
from chimera_platform.execution.records import (
    DECISION_DTYPE,
    FILL_DTYPE,
    INTENT_DTYPE,
    MARK_DTYPE,
    ORDER_EVENT_DTYPE,
    RISK_EVENT_DTYPE,
    RISK_MARK_DTYPE,
)
from chimera_platform.market.events import EVENT_DTYPE
from chimera_platform.risk.circuit_breaker import BreakerState
from streaming.items import Batch, DecidedBatch, EnginePart
from streaming.steps.coordination import CoordinationLogic

DTYPES = (INTENT_DTYPE, DECISION_DTYPE, ORDER_EVENT_DTYPE, FILL_DTYPE, MARK_DTYPE, RISK_EVENT_DTYPE, RISK_MARK_DTYPE)
NO_INTENTS = np.zeros(0, INTENT_DTYPE)


def output(adjustments: int, number: int) -> CoordinatorOutput:
    tables = {dtype: np.zeros(0, dtype) for dtype in DTYPES}
    tables[RISK_EVENT_DTYPE] = np.full(adjustments, number, np.int64).astype(RISK_EVENT_DTYPE)
    return CoordinatorOutput(*tables.values())


class StubCoordinator:
    """Says when it was asked to reconcile and to run; ``adjustments`` rows come of the one, one row of the other."""

    def __init__(self, adjustments: int) -> None:
        self.adjustments, self.calls = adjustments, []  # type: tuple[int, list[tuple[str, int]]]
        self.breaker = BreakerState.NORMAL

    def apply_release(self, release: Any, release_no: int) -> None:
        del release, release_no

    def close_down(self, *, is_closing: bool) -> None:
        del is_closing

    def reconcile(self, event_no: int) -> CoordinatorOutput:
        self.calls.append(("reconcile", event_no))
        return output(self.adjustments, 1)

    def run(self, events: Any, first_event_no: int, intents: Any) -> CoordinatorOutput:
        self.calls.append(("run", first_event_no))
        return output(1, 2)


def decided(coordinator: Any, caught_up_at: int) -> list[DecidedBatch]:
    """Run four batches of ten events."""
    step = CoordinationLogic(coordinator, lambda _: None, None, caught_up_at)
    results: list[DecidedBatch] = []
    for number in range(4):
        batch = Batch(number, 10 * number, np.zeros(10, EVENT_DTYPE), 1, 0, "", False, True, 0)
        results += list(step.on_batch([EnginePart(number, NO_INTENTS, batch)])[0])
    return results


@pytest.mark.parametrize(("caught_up_at", "before_event"), [(0, 0), (1, 10), (10, 10), (25, 30)])
def test_it_reconciles_once_before_the_first_batch_of_which_nothing_is_journaled(
    caught_up_at: int, before_event: int
) -> None:
    coordinator = StubCoordinator(adjustments=0)
    decided(coordinator, caught_up_at)
    asked = [call for call in coordinator.calls if call[0] == "reconcile"]
    assert asked == [("reconcile", before_event)]
    assert coordinator.calls[coordinator.calls.index(asked[0]) + 1] == ("run", before_event)


def test_a_run_that_is_not_caught_up_does_not_reconcile() -> None:
    coordinator = StubCoordinator(adjustments=3)
    decided(coordinator, 31)
    assert [what for what, _ in coordinator.calls] == ["run"] * 4


def test_the_rows_of_what_was_set_right_come_before_those_of_the_batch() -> None:
    results = decided(StubCoordinator(adjustments=3), 10)
    assert [len(result.output.risk_events) for result in results] == [1, 4, 1, 1]
    assert results[1].output.risk_events["risk_event_no"].tolist() == [1, 1, 1, 2]
