"""What travels on the stream's edges: batches and their parts, never one Python object per tick."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chimera_platform.coordinator import CoordinatorOutput
from chimera_platform.risk.circuit_breaker import BreakerState

Records = np.ndarray[Any, Any]


@dataclass(slots=True, frozen=True)
class Batch:
    """A run of consecutive market events, decided under one release and one position of the kill switch.

    Attributes
    ----------
    batch_no : number of the batch in the run, from 0.
    first_event_no : ``event_no`` of ``events[0]``.
    events : EVENT_DTYPE, in the sequencer's order; may be empty (a heartbeat, so that sinks act on time).
    parts : how many symbol parts it was split into, at least one.
    release_no, release_id : the release in force; the id is empty for the built-in defaults.
    killed : whether the kill switch holds the account flat; it changes with ``release_no`` only.
    at_front : whether no later change is recorded: what happens now has not been answered by an earlier execution.
    received_ns : monotonic clock, when the first event was taken from the feed; telemetry only.
    """

    batch_no: int
    first_event_no: int
    events: Records
    parts: int
    release_no: int
    release_id: str
    killed: bool
    at_front: bool
    received_ns: int


@dataclass(slots=True, frozen=True)
class SymbolPart:
    """One instrument's share of a batch: ``events`` stand at ``positions`` inside the batch.

    The first part of a batch takes the whole of it along to the coordinator, in ``batch``.
    """

    batch_no: int
    first_event_no: int
    instrument_id: int
    events: Records
    positions: Records
    release_no: int
    release_id: str
    batch: Batch | None


@dataclass(slots=True, frozen=True)
class EnginePart:
    """The intents (INTENT_DTYPE, maybe none) that one instrument's engines made of their part of a batch."""

    batch_no: int
    intents: Records
    batch: Batch | None


@dataclass(slots=True, frozen=True)
class DecidedBatch:
    """A batch with all that the coordinator decided and the venue did, in the run's order.

    ``decided_ns`` is the monotonic clock when its orders were out, ``breaker`` the circuit breaker's state after it;
    both for telemetry only.
    """

    batch: Batch
    output: CoordinatorOutput
    decided_ns: int
    breaker: BreakerState
