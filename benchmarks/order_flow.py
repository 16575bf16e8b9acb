"""What does one event cost with all that looks at one instrument, and how much memory does it take?

Book, all features, all detectors, session profile, timeframes and regime, the six order-flow strategies and both other
engines, under the default configuration: ``SymbolEngines.run`` in batches of 4,096 events of one instrument. Splitting
a stream by instrument is not counted. One thread; the figure is its processor time. Memory is what the instrument's
state holds, the same however busy the market.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.figures import Figure, Scale, timed
from benchmarks.streams import EventStream, streams
from chimera_platform.configuration import Configuration
from chimera_platform.engines.step import SymbolEngines

BATCH = 4096
GOAL_NS = 200.0
GOAL_BYTES = 2e6

_Part = tuple[SymbolEngines, list[np.ndarray[Any, Any]]]


def measure(scale: Scale) -> Iterator[Figure]:
    for stream in streams(scale.events):
        yield _per_event(stream, scale)
    one = SymbolEngines(stream.universe, 0, Configuration())
    yield Figure("order_flow.memory_per_symbol", float(one.nbytes), "bytes", GOAL_BYTES, {})


def instrument_parts(stream: EventStream) -> list[_Part]:
    """Return fresh engines of each instrument and its events in batches."""
    parts = []
    for k in range(len(stream.universe)):
        own = stream.events[stream.events["instrument_id"] == k]
        batches = [own[first : first + BATCH] for first in range(0, len(own), BATCH)]
        parts.append((SymbolEngines(stream.universe, k, Configuration()), batches))
    return parts


def run_parts(parts: list[_Part]) -> int:
    """Run the engines over their batches; return how many intents they wrote."""
    intents = 0
    for engines, batches in parts:
        first = 0
        for events in batches:
            intents += len(engines.run(events, first))
            first += len(events)
    return intents


def _per_event(stream: EventStream, scale: Scale) -> Figure:
    count = len(stream.events)
    intents: list[int] = []
    timing = timed(lambda: instrument_parts(stream), lambda parts: intents.append(run_parts(parts)), scale.repeats)
    ns = timing.cpu_ns_per(count)
    detail = {"events": count, "intents": intents[-1], "events_per_second": 1e9 / ns, **timing.spread(count)}
    return Figure(f"order_flow.engines.{stream.name}", ns, "ns/event", GOAL_NS, detail)
