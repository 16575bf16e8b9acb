"""How many events a second do the loaders deliver, from file to record?"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.figures import Figure, Scale, timed
from benchmarks.streams import RECORDED, SIMULATOR, first_events, recorded_source
from chimera_platform.market.instruments import load_instruments
from chimera_platform.market.sources import EventSource
from chimera_platform.simulation.market.simulator import SimulatedMarket


def measure(scale: Scale) -> Iterator[Figure]:
    yield _read("simulator", SimulatedMarket.from_url(SIMULATOR, load_instruments()), scale)
    for name in RECORDED:
        source = recorded_source(name)
        if source is not None:
            yield _read(name, source, scale)


def _read(name: str, source: EventSource, scale: Scale) -> Figure:
    counts: list[int] = []
    timing = timed(
        lambda: source, lambda each: counts.append(len(first_events(each, scale.events))), min(scale.repeats, 3)
    )
    rate = counts[-1] / timing.median_s
    return Figure(f"read_files.{name}", rate, "events/s", None, {"events": counts[-1], **timing.spread(counts[-1])})
