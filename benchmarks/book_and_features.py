"""What does one event cost, in the book alone and with all features?

The book is ``apply_events`` over the whole stream; the features are ``FeatureStream.run`` in batches of 4,096 events,
which updates the book and writes every feature at the end of each source event. Events are records: a source event
of several records counts as several. One thread; figures are its processor time, the wall clock's are in the detail.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.figures import Figure, Scale, timed
from benchmarks.streams import EventStream, streams
from chimera_platform.market.book import apply_events, new_books
from chimera_platform.microstructure.feature_stream import FeatureStream

BATCH = 4096
GOAL_NS = 100.0  # ten million events a second on one core


def measure(scale: Scale) -> Iterator[Figure]:
    for stream in streams(scale.events):
        yield _book(stream, scale)
        yield _features(stream, scale)


def _book(stream: EventStream, scale: Scale) -> Figure:
    events, instruments = stream.events, len(stream.universe)
    timing = timed(lambda: new_books(instruments), lambda books: apply_events(books, events), scale.repeats)
    detail = {"events": len(events), **timing.spread(len(events))}
    return Figure(f"book_and_features.book.{stream.name}", timing.cpu_ns_per(len(events)), "ns/event", None, detail)


def _features(stream: EventStream, scale: Scale) -> Figure:
    count = len(stream.events)

    def run(features: FeatureStream) -> None:
        for events in stream.batches(BATCH):
            features.run(events)

    timing = timed(lambda: FeatureStream(stream.universe), run, scale.repeats)
    ns = timing.cpu_ns_per(count)
    detail = {"events": count, "events_per_second": 1e9 / ns, **timing.spread(count)}
    return Figure(f"book_and_features.features.{stream.name}", ns, "ns/event", GOAL_NS, detail)
