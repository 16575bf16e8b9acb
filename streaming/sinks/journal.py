"""The journal sink: everything that the run saw, decided and did, exactly once and in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from chimera_platform.coordinator import CoordinatorOutput
from chimera_platform.journal.writer import JournalWriter
from streaming.items import DecidedBatch

_TABLES = CoordinatorOutput._fields

State = dict[str, Any]


class JournalPartition(StatefulSinkPartition[DecidedBatch, State]):
    """Appends decided batches; rows that a resumed run makes again are dropped by their numbers.

    Parameters
    ----------
    writer : the run's journal.
    finish : called once after an orderly end, with everything sealed.
    """

    def __init__(self, writer: JournalWriter, finish: Callable[[], None], state: State | None) -> None:
        self._writer, self._finish = writer, finish
        if state is not None:
            writer.restore(state)

    def write_batch(self, values: list[DecidedBatch]) -> None:
        """Append each batch's events and results, then seal what is due."""
        writer = self._writer
        for value in values:
            if len(value.batch.events):
                writer.append_events(value.batch.events, value.batch.first_event_no)
            for table in _TABLES:
                rows = getattr(value.output, table)
                if len(rows):
                    writer.append(table, rows)
        writer.seal_due()

    def snapshot(self) -> State:
        """Return the unsealed rows, so that nothing decided before the snapshot can be lost."""
        return self._writer.snapshot()

    def close(self) -> None:
        """Seal everything at an orderly end."""
        self._writer.seal_all()
        self._finish()


class JournalSink(FixedPartitionedSink[DecidedBatch, State]):
    """A single partition, like the sequencer: a run has one journal."""

    def __init__(self, open_partition: Callable[[State | None], JournalPartition]) -> None:
        self._open_partition = open_partition

    def list_parts(self) -> list[str]:
        """Name the one partition."""
        return ["journal"]

    def part_fn(self, item_key: str) -> int:
        """Send every account to the one partition."""
        return 0

    def build_part(self, step_id: str, for_part: str, resume_state: State | None) -> JournalPartition:
        """Open the journal where it was left."""
        return self._open_partition(resume_state)
