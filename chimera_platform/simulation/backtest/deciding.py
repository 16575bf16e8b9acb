"""A source through a decision path, batch by batch, with releases taking over at their events."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chimera_platform.coordinator import CoordinatorOutput
from chimera_platform.decision_path import DecisionPath
from chimera_platform.engines.step import writable
from chimera_platform.errors import ReleaseError
from chimera_platform.kernels import kernel
from chimera_platform.market.sources import EventSource
from chimera_platform.portfolio.event_time import DAY_DTYPE, DAY_NS, merge_days

if TYPE_CHECKING:
    from chimera_platform.releases import Release

Array = np.ndarray[Any, Any]


class Change(NamedTuple):
    """What is in force from an event on."""

    event_no: int
    release: Release | None
    killed: bool = False  # the kill switch holds the account flat


Schedule = Sequence[Change | tuple[int, "Release | None"]]


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
    schedule : changes in force from their events on, as release numbers 1, 2, …; event numbers ascend.

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
        for number, change in due:
            path.apply_release(change.release, number)
            path.close_down(is_closing=change.killed)
        output = path.run(events, event_no)
        event_no += len(events)
        yield DecidedBatch(events, output, time.perf_counter_ns() - started)


def _checked(schedule: Schedule) -> list[tuple[int, Change]]:
    """Return (release number, change), refusing what is not in order."""
    changes = [Change(*each) for each in schedule]
    event_nos = [change.event_no for change in changes]
    if any(no < 0 for no in event_nos) or event_nos != sorted(event_nos):
        raise ReleaseError(f"release schedule at events {event_nos}; expected ascending numbers from 0 on")
    return list(enumerate(changes, start=1))


def _cut_at_releases(
    batches: Iterator[Array], schedule: list[tuple[int, Change]]
) -> Iterator[tuple[Array, list[tuple[int, Change]]]]:
    """Yield pieces of batches with what comes in force before each."""
    first, waiting = 0, list(schedule)
    for batch in batches:
        start = 0
        while start < len(batch):
            due = [each for each in waiting if each[1].event_no <= first + start]
            waiting = waiting[len(due) :]
            end = min(len(batch), waiting[0][1].event_no - first) if waiting else len(batch)
            yield batch[start:end], due
            start = end
        first += len(batch)


@kernel
def _days(events: Any, day_ns: int, days: Any) -> int:
    """Write a row for the first event's day and for each change of day; return how many."""
    count = 0
    for i in range(events.shape[0]):
        ts = events[i].ts_event
        day = ts // day_ns
        if count == 0 or day != days[count - 1].day:
            if count == days.shape[0]:
                return -1
            days[count].day = day
            days[count].first_ts = ts
            days[count].last_ts = ts
            count += 1
        row = days[count - 1]
        row.first_ts = min(row.first_ts, ts)
        row.last_ts = max(row.last_ts, ts)
    return count


def days_of(events: Array) -> Array:
    """Return the DAY_DTYPE rows of the events' UTC days, ascending; times need not be in order."""
    contiguous = writable(events)
    for room in (64, len(events)):
        days = np.zeros(room, DAY_DTYPE)
        count = int(_days(contiguous, DAY_NS, days))
        if count >= 0:
            break
    return days[:count] if count < 2 else merge_days(days[:0], days[:count])
