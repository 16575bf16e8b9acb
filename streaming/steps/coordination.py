"""The coordinator's step, keyed by account: puts the batch's parts back into one order before anything is decided."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from bytewax.operators import StatefulBatchLogic

from chimera_platform.coordinator import Coordinator, CoordinatorOutput
from chimera_platform.decision_path import merge_intents
from chimera_platform.releases import Release
from chimera_platform.risk.circuit_breaker import BreakerState
from streaming.breaker_watch import BreakerWatch
from streaming.items import Batch, DecidedBatch, EnginePart

log = logging.getLogger(__name__)

State = dict[str, Any]
ReleaseLoader = Callable[[str], Release | None]


class CoordinationLogic(StatefulBatchLogic[EnginePart, DecidedBatch, State]):
    """Wait until a batch and all its engine parts are here, then run the coordinator over it.

    Batches are taken strictly by number, so neither the number of workers nor the order in which parts arrive can
    be seen in the result.

    Parameters
    ----------
    caught_up_at : the first event of which earlier executions have journaled nothing. From there on the account is in
        step with its venue, so the books are held against the venue's statement, once, before anything is decided.
    watch : told while the circuit breaker is triggered; None for replays, which only repeat what a live flow has done.
    """

    def __init__(
        self,
        coordinator: Coordinator,
        load_release: ReleaseLoader,
        state: State | None,
        caught_up_at: int = 0,
        watch: BreakerWatch | None = None,
    ) -> None:
        self._coordinator, self._load_release, self._watch = coordinator, load_release, watch
        self._reconcile_at: int | None = caught_up_at
        self._next_batch = 0
        self._batches: dict[int, Batch] = {}
        self._parts: dict[int, list[EnginePart]] = {}
        self._release_no, self._release_id = -1, ""
        if state is not None:
            self._next_batch = state["next_batch"]
            self._batches, self._parts = dict(state["batches"]), {k: list(v) for k, v in state["parts"].items()}
            if state["release_no"] >= 0:
                self._apply(state["release_no"], state["release_id"], killed=False)  # the coordinator's state knows
            coordinator.restore(state["coordinator"])

    def _apply(self, release_no: int, release_id: str, *, killed: bool) -> None:
        self._coordinator.apply_release(self._load_release(release_id), release_no)
        self._coordinator.close_down(is_closing=killed)
        self._release_no, self._release_id = release_no, release_id

    def on_batch(self, values: list[EnginePart]) -> tuple[Iterable[DecidedBatch], bool]:
        """Take in what arrived and decide every batch that is complete and next."""
        for value in values:
            if value.batch is not None:
                self._batches[value.batch_no] = value.batch
            self._parts.setdefault(value.batch_no, []).append(value)
        decided = []
        while (batch := self._complete()) is not None:
            decided.append(self._decide(batch))
        return decided, StatefulBatchLogic.RETAIN

    def _complete(self) -> Batch | None:
        batch = self._batches.get(self._next_batch)
        if batch is None or len(self._parts[self._next_batch]) < batch.parts:
            return None
        return batch

    def _decide(self, batch: Batch) -> DecidedBatch:
        del self._batches[batch.batch_no]
        parts = self._parts.pop(batch.batch_no)
        if batch.release_no != self._release_no:
            self._apply(batch.release_no, batch.release_id, killed=batch.killed)
        self._next_batch = batch.batch_no + 1
        intents = merge_intents([part.intents for part in parts])
        adjusted = self._reconcile(batch.first_event_no)
        output = self._coordinator.run(batch.events, batch.first_event_no, intents)
        if adjusted is not None:
            output = CoordinatorOutput(*(np.concatenate(rows) for rows in zip(adjusted, output, strict=True)))
        decided_ns, breaker = time.monotonic_ns(), self._coordinator.breaker
        if self._watch is not None and breaker is BreakerState.TRIGGERED:
            self._watch.note_triggered(batch, self._coordinator.breaker_view())
        return DecidedBatch(batch, output, decided_ns, breaker)

    def _reconcile(self, event_no: int) -> CoordinatorOutput | None:
        """Hold the books against the venue where it is time; return the rows of what was set right."""
        if self._reconcile_at is None or event_no < self._reconcile_at:
            return None
        self._reconcile_at = None
        adjusted = self._coordinator.reconcile(event_no)
        if not any(len(rows) for rows in adjusted):
            return None
        log.warning("books set to the venue's before event %d: %d steps", event_no, len(adjusted.risk_events))
        return adjusted

    def snapshot(self) -> State:
        """Return the account's whole state and the parts that wait."""
        return {
            "next_batch": self._next_batch,
            "batches": dict(self._batches),
            "parts": {k: list(v) for k, v in self._parts.items()},
            "release_no": self._release_no,
            "release_id": self._release_id,
            "coordinator": self._coordinator.snapshot(),
        }
