"""The events that benchmarks run on: the seeded simulator always, recorded data where it is there."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chimera_platform.market.events import EVENT_DTYPE
from chimera_platform.market.instruments import Universe, load_instruments
from chimera_platform.market.sources import EventSource, open_source
from chimera_platform.simulation.market.simulator import SimulatedMarket

Array = np.ndarray[Any, Any]

SIMULATOR = "sim://?symbols=XAUUSD,XAGUSD&seed=7&days=5"
BATCH = 65_536
# Variant → files below the data folder, most telling first.
RECORDED = {
    "lobster_goog": "lobster/LOBSTER_SampleFile_GOOG_2012-06-21_10.zip",
    "binance_btcusdt": "binance/usdm_btcusdt_20240808.gz",
    "oanda_xauusd": "oanda/tick/xauusd",
}


def data_folder() -> Path:
    """Return where recorded market data is looked for: ``$CHIMERA_DATA``, or ``../shared/data`` beside the checkout."""
    named = os.environ.get("CHIMERA_DATA")
    return Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"


@dataclass(frozen=True)
class EventStream:
    """Events in memory.

    Attributes
    ----------
    name : ``simulator`` or a name of :data:`RECORDED`.
    universe : the instruments that ``instrument_id`` refers to.
    events : EVENT_DTYPE, in order.
    """

    name: str
    universe: Universe
    events: Array

    @property
    def description(self) -> str:
        """Identity for a run's manifest."""
        return f"memory:{self.name}:{len(self.events)}"

    def batches(self, batch_size: int, start: int = 0) -> Iterator[Array]:
        """Yield the events from row ``start`` on, as an event source does."""
        for first in range(start, len(self.events), batch_size):
            yield self.events[first : first + batch_size]


def first_events(source: EventSource, most: int) -> Array:
    """Return at most ``most`` events from the beginning of ``source``."""
    parts, held = [np.zeros(0, EVENT_DTYPE)], 0
    for events in source.batches(min(BATCH, most)):
        parts.append(np.array(events[: most - held]))
        held += len(parts[-1])
        if held >= most:
            break
    return np.concatenate(parts)


@functools.lru_cache(maxsize=2)
def simulator(most: int) -> EventStream:
    """Return the beginning of the simulated market that all benchmarks share."""
    market = SimulatedMarket.from_url(SIMULATOR, load_instruments())
    return EventStream("simulator", market.universe, first_events(market, most))


def recorded_source(name: str) -> EventSource | None:
    """Return the source of the recorded data ``name``; None where the data is not there."""
    path = data_folder() / RECORDED[name]
    return open_source([path], None, load_instruments()) if path.exists() else None


def recorded(name: str, most: int) -> EventStream | None:
    """Return the beginning of the recorded data ``name`` in memory; None where the data is not there."""
    source = recorded_source(name)
    return None if source is None else EventStream(name, source.universe, first_events(source, most))


def streams(most: int, *names: str) -> Iterator[EventStream]:
    """Yield the simulator's events, then the recorded ones of ``names`` (all for none) that are there."""
    yield simulator(most)
    for name in names or RECORDED:
        stream = recorded(name, most)
        if stream is not None:
            yield stream
