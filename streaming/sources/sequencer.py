"""The one ordered source of a run: numbers the events, cuts batches, marks what is in force."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from chimera_platform.decision_path import split_by_instrument
from chimera_platform.errors import JournalError
from chimera_platform.market.events import EVENT_DTYPE
from chimera_platform.market.sources import EventSource
from streaming.control import FlowControl
from streaming.items import Batch, SymbolPart
from streaming.sources.feeder import Feeder
from streaming.sources.inbound import Inbound
from streaming.sources.releases import ReleaseTimeline

_POLL_NS = 50_000_000  # how often the promoted release and the stop file are looked at
_HEARTBEAT_NS = 500_000_000  # an empty batch this long after the last one, so that the sinks act on time
_NO_EVENTS = np.zeros(0, EVENT_DTYPE)
_NO_POSITIONS = np.zeros(0, np.int64)

Part = tuple[str, SymbolPart]


@dataclass(slots=True, frozen=True)
class FeedOptions:
    """How the source is read.

    Attributes
    ----------
    batch_size : most events in a batch.
    block_s : longest wait for events; short where other sources or workers share the process.
    speed, backfill_ns, limit_ns : see :class:`streaming.sources.feeder.Feeder`.
    """

    batch_size: int = 1024
    block_s: float = 0.01
    speed: float | None = None
    backfill_ns: int = 0
    limit_ns: int | None = None


@dataclass(slots=True, frozen=True)
class Position:
    """Where the next batch begins: the source's recovery state."""

    event_no: int = 0
    batch_no: int = 0
    ts_event: int = 0


class SequencerPartition(StatefulSourcePartition[Part, Position]):
    """Takes what has come in, one event when quiet and up to ``batch_size`` under load, and splits it by symbol."""

    def __init__(
        self,
        source: EventSource,
        timeline: ReleaseTimeline,
        control: FlowControl,
        options: FeedOptions,
        first_release: Callable[[], str],
        check_room: Callable[[], None],
        position: Position | None,
    ) -> None:
        self._position = position or Position()
        self._timeline, self._control, self._options = timeline, control, options
        self._symbols = source.universe.symbols
        self._check_room = check_room
        if timeline.empty:
            timeline.add(first_release(), 0, 0)
        self._inbound = Inbound()
        self._feeder = Feeder(
            source,
            self._inbound,
            start=self._position.event_no,
            speed=options.speed,
            backfill_ns=options.backfill_ns,
            limit_ns=options.limit_ns,
        )
        self._feeder.start()
        self._poll_at = self._heartbeat_at = 0
        self._in_force = timeline.at(self._position.event_no)
        self._next_change = timeline.next_change(self._position.event_no)

    def next_batch(self) -> Iterable[Part]:
        """Return the parts of the next batch by symbol; blocks for at most ``block_s``."""
        now = time.monotonic_ns()
        if now >= self._poll_at:
            self._poll_at = now + _POLL_NS
            if self._control.stop_requested():
                self._finish()
            try:
                self._check_room()
            except JournalError as error:
                self._control.failure = error
                self._finish()
            self._timeline.poll(self._position.event_no, self._position.ts_event)
            self._look_up_release()
        most = self._options.batch_size
        if self._next_change is not None:
            most = min(most, self._next_change - self._position.event_no)
        events = self._inbound.take(most, self._options.block_s)
        if events is not None:
            return self._split(events)
        if self._inbound.ended is not None:
            self._control.failure = self._inbound.ended.failure
            self._finish()
        return self._split(_NO_EVENTS) if time.monotonic_ns() >= self._heartbeat_at else ()

    def _finish(self) -> None:
        self._inbound.closed = True
        raise StopIteration

    def _look_up_release(self) -> None:
        self._in_force = self._timeline.at(self._position.event_no)
        self._next_change = self._timeline.next_change(self._position.event_no)

    def _split(self, events: np.ndarray[Any, Any]) -> list[Part]:
        at, count = self._position, len(events)
        now = time.monotonic_ns()
        shares = split_by_instrument(events) or [(0, _NO_POSITIONS)]  # a heartbeat goes the way of the first symbol
        release_no, release_id = self._in_force.release_no, self._in_force.release_id
        killed, at_front = self._in_force.killed, self._next_change is None
        batch: Batch | None = Batch(
            at.batch_no, at.event_no, events, len(shares), release_no, release_id, killed, at_front, now
        )
        parts = []
        for instrument_id, positions in shares:
            own = events if len(positions) == count else events.take(positions)  # many times faster than indexing
            part = SymbolPart(at.batch_no, at.event_no, instrument_id, own, positions, release_no, release_id, batch)
            parts.append((self._symbols[instrument_id], part))
            batch = None
        ts_event = int(events["ts_event"][-1]) if count else at.ts_event
        self._position = Position(at.event_no + count, at.batch_no + 1, ts_event)
        self._heartbeat_at = now + _HEARTBEAT_NS
        if self._next_change is not None and self._position.event_no >= self._next_change:
            self._look_up_release()
        return parts

    def snapshot(self) -> Position:
        """Return where the next batch begins."""
        return self._position

    def close(self) -> None:
        """Let the feeder go."""
        self._inbound.closed = True


class SequencerSource(FixedPartitionedSource[Part, Position]):
    """A single partition: there is one order of events in a run, and one place that gives it.

    Parameters
    ----------
    open_partition : builds the partition from its recovery state; called in the process that holds the source.
    """

    def __init__(self, open_partition: Callable[[Position | None], SequencerPartition]) -> None:
        self._open_partition = open_partition

    def list_parts(self) -> list[str]:
        """Name the one partition."""
        return ["sequencer"]

    def build_part(self, step_id: str, for_part: str, resume_state: Position | None) -> SequencerPartition:
        """Open the partition where it left off."""
        return self._open_partition(resume_state)
