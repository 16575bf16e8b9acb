"""What does one event cost in the book with all order-flow detectors, beside the book alone?

Both are one kernel over the whole stream, as in the engines: ``apply_event``, then ``update_detectors``. The runs of
the two take turns, and the detectors' own cost is the difference of their fastest runs, which a busy machine disturbs
least. Events are records. One thread; figures are its processor time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.figures import NS, Figure, Scale, timed
from benchmarks.streams import EventStream, streams
from chimera_platform.kernels import kernel
from chimera_platform.market.book import apply_event, new_books
from chimera_platform.signals.detectors import (
    DetectorSettings,
    detector_parameters,
    new_detections,
    new_detector_states,
    update_detectors,
)

GOAL_NS = 40.0  # of all detectors together, over the book alone


@kernel
def _book(books: Any, events: Any) -> None:
    for i in range(events.shape[0]):
        event = events[i]
        apply_event(books[event.instrument_id], event)


@kernel
def _book_and_detectors(params: Any, states: Any, books: Any, said: Any, events: Any) -> Any:
    """Return how many rows the detectors wrote."""
    rows = 0
    for i in range(events.shape[0]):
        event = events[i]
        k = event.instrument_id
        apply_event(books[k], event)
        rows += update_detectors(params[0], states[k], books[k], event, said[0], 0)
    return rows


def measure(scale: Scale) -> Iterator[Figure]:
    for stream in streams(scale.events):
        yield from _measure_stream(stream, scale)


def _measure_stream(stream: EventStream, scale: Scale) -> Iterator[Figure]:
    events, instruments, count = stream.events, len(stream.universe), len(stream.events)
    params, said, rows = detector_parameters(DetectorSettings()), new_detections(), [0]

    def run(state: tuple[Any, Any]) -> None:
        rows[0] = _book_and_detectors(params, *state, said, events)

    alone, together = [], []
    for turn in range(scale.repeats):
        warm_up = 1 if turn == 0 else 0
        book = timed(lambda: new_books(instruments), lambda books: _book(books, events), 1, warm_up)
        both = timed(lambda: (new_detector_states(instruments), new_books(instruments)), run, 1, warm_up)
        alone.append(book.median_cpu_s)
        together.append(both.median_cpu_s)
    book_ns, both_ns = min(alone) * NS / count, min(together) * NS / count
    detail = {"events": count, "rows": rows[0], "book_ns": book_ns, "book_and_detectors_ns": both_ns}
    yield Figure(f"detectors.with_book.{stream.name}", both_ns, "ns/event", None, {"events": count})
    yield Figure(f"detectors.alone.{stream.name}", both_ns - book_ns, "ns/event", GOAL_NS, detail)
