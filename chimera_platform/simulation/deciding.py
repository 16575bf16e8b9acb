"""A source through a decision path, batch by batch, with releases taking over at their events."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chimera_platform.coordinator import CoordinatorOutput
from chimera_platform.decision_path import DecisionPath
from chimera_platform.errors import ReleaseError
from chimera_platform.kernels import kernel
from chimera_platform.market.sources import EventSource

if TYPE_CHECKING:
    from chimera_platform.releases import Release

Array = np.ndarray[Any, Any]
Schedule = Sequence[tuple[int, "Release | None"]]
DAY_NS = 86_400_000_000_000


class DecidedBatch(NamedTuple):
    """What a batch of events brought."""

    events: Array  # EVENT_DTYPE
    output: CoordinatorOutput
    nanoseconds: int  # wall-clock time in the decision path


def decide(
    path: DecisionPath, source: EventSource, release: Release | None, batch_size: int, schedule: Schedule = ()
) -> Iterator[DecidedBatch]:
    """Yield the source's events with what a fresh path decided on them; the decisions do not depend on the batches.

    Parameters
    ----------
    path : before its first event.
    release : in force from the first event, as release number 0.
    schedule : (event_no, release): in force from that event on, as release numbers 1, 2, …; event numbers ascend.

    Raises
    ------
    ChimeraError
        If the source or a release cannot be used.
    """
    checked = _checked(schedule)
    path.apply_release(release, 0)
    event_no = 0
    for events, due in _cut_at_releases(source.batches(batch_size), checked):
        started = time.perf_counter_ns()
        for number, scheduled in due:
            path.apply_release(scheduled, number)
        output = path.run(events, event_no)
        event_no += len(events)
        yield DecidedBatch(events, output, time.perf_counter_ns() - started)


def _checked(schedule: Schedule) -> list[tuple[int, int, Release | None]]:
    """Return (event_no, release number, release), refusing what is not in order."""
    event_nos = [event_no for event_no, _ in schedule]
    if any(no < 0 for no in event_nos) or event_nos != sorted(event_nos):
        raise ReleaseError(f"release schedule at events {event_nos}; expected ascending numbers from 0 on")
    return [(event_no, number, release) for number, (event_no, release) in enumerate(schedule, start=1)]


def _cut_at_releases(
    batches: Iterator[Array], schedule: list[tuple[int, int, Release | None]]
) -> Iterator[tuple[Array, list[tuple[int, Release | None]]]]:
    """Yield pieces of batches with the releases to put in force before each."""
    first, waiting = 0, list(schedule)
    for batch in batches:
        start = 0
        while start < len(batch):
            due = [(number, release) for event_no, number, release in waiting if event_no <= first + start]
            waiting = waiting[len(due) :]
            end = min(len(batch), waiting[0][0] - first) if waiting else len(batch)
            yield batch[start:end], due
            start = end
        first += len(batch)


@kernel
def _day_changes(events: Any, day_ns: int, changes: Any) -> int:
    """Write the UTC day number of the first event and of each one of another day than before; return how many."""
    count = 0
    for i in range(events.shape[0]):
        day = events[i].ts_event // day_ns
        if count == 0 or day != changes[count - 1]:
            changes[count] = day
            count += 1
    return count


def days_of(events: Array) -> set[int]:
    """Return the UTC day numbers (ns // 86,400e9) of the events."""
    if len(events) == 0:
        return set()
    first, last = int(events["ts_event"][0]) // DAY_NS, int(events["ts_event"][-1]) // DAY_NS
    changes = np.empty(len(events), np.int64)
    found = changes[: _day_changes(np.ascontiguousarray(events), DAY_NS, changes)]
    return {first, last, *found.tolist()}
