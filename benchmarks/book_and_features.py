"""What does one event cost in the book, with the state of all features, and with all written?

``book`` is ``apply_events`` over the whole stream. ``state`` adds ``update_features`` at every record: what the
decision path pays at every event. ``written`` adds ``write_features`` at the end of every source event: what it would
pay if it asked for all features at every one. Events are records: a source event of several records counts as
several. One thread; figures are its processor time, the wall clock's are in the detail.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.figures import Figure, Scale, timed
from benchmarks.streams import EventStream, streams
from chimera_platform.kernels import kernel
from chimera_platform.market.book import apply_event, apply_events, new_books
from chimera_platform.microstructure.feature_names import FEATURE_COUNT
from chimera_platform.microstructure.feature_vector import write_features
from chimera_platform.microstructure.features import new_feature_states, new_feature_windows, update_features
from chimera_platform.microstructure.fitted_microprice import new_microprice_table

BATCH = 4096  # events at a time for those who take a stream in batches
STATE_GOAL_NS = 70.0  # of the 200 that the whole decision path may take
WRITTEN_GOAL_NS = 100.0  # ten million events a second on one core


@kernel
def _keep_state(books: Any, states: Any, windows: Any, events: Any) -> None:
    for i in range(events.shape[0]):
        k = events[i].instrument_id
        apply_event(books[k], events[i])
        update_features(states[k], windows[k], books[k], events[i])


@kernel
def _write_vectors(books: Any, states: Any, windows: Any, microprice: Any, events: Any, vector: Any) -> None:
    for i in range(events.shape[0]):
        k = events[i].instrument_id
        apply_event(books[k], events[i])
        if update_features(states[k], windows[k], books[k], events[i]):
            write_features(states[k], windows[k], books[k], microprice[0], vector)


def measure(scale: Scale) -> Iterator[Figure]:
    for stream in streams(scale.events):
        yield _book(stream, scale)
        yield _state(stream, scale)
        yield _written(stream, scale)


def _fresh(stream: EventStream) -> tuple[Any, Any, Any]:
    instruments = stream.universe.instruments
    return new_books(len(instruments)), new_feature_states(instruments), new_feature_windows(len(instruments))


def _figure(name: str, stream: EventStream, goal: float | None, scale: Scale, prepare: Any, work: Any) -> Figure:
    count = len(stream.events)
    timing = timed(prepare, work, scale.repeats)
    ns = timing.cpu_ns_per(count)
    detail = {"events": count, "events_per_second": 1e9 / ns, **timing.spread(count)}
    return Figure(f"book_and_features.{name}.{stream.name}", ns, "ns/event", goal, detail)


def _book(stream: EventStream, scale: Scale) -> Figure:
    instruments = len(stream.universe)
    return _figure(
        "book", stream, None, scale, lambda: new_books(instruments), lambda books: apply_events(books, stream.events)
    )


def _state(stream: EventStream, scale: Scale) -> Figure:
    return _figure(
        "state", stream, STATE_GOAL_NS, scale, lambda: _fresh(stream), lambda s: _keep_state(*s, stream.events)
    )


def _written(stream: EventStream, scale: Scale) -> Figure:
    microprice, vector = new_microprice_table(), np.empty(FEATURE_COUNT)
    return _figure(
        "written", stream, WRITTEN_GOAL_NS, scale,
        lambda: _fresh(stream), lambda s: _write_vectors(*s, microprice, stream.events, vector),
    )  # fmt: skip
