"""How long do 1,000 parameter sets over a real day take, and how much of it do two workers save?

The first 100,000 events of one recorded day, held once in memory; each set is the whole decision path from its first
event on, and only its metrics and digest are kept, as ``chimera sweep`` keeps them. The sets are random ones within
the settings' bounds. The figures are by the wall clock, for it is the wait that matters: a busy machine shows.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from benchmarks.figures import Figure, Scale
from benchmarks.streams import recorded, simulator
from chimera_platform.configuration import Configuration, with_parameters
from chimera_platform.simulation.backtest.parameter_sets import random_sets
from chimera_platform.simulation.backtest.sweep import HeldEvents, run_sweep

EVENTS, SETS = 100_000, 1_000
GOAL_SECONDS = 30.0
_FULL_EVENTS = 1_000_000  # a scale of that many events runs all sets, a smaller one its share


def measure(scale: Scale) -> Iterator[Figure]:
    stream = recorded("lobster_goog", EVENTS) or recorded("oanda_xauusd", EVENTS) or simulator(EVENTS)
    held = HeldEvents(stream.universe, stream.events, stream.description)
    sets = max(20, SETS * min(scale.events, _FULL_EVENTS) // _FULL_EVENTS)
    base = Configuration()
    configurations = [with_parameters(base, each) for each in random_sets(sets, 7, base)]
    run_sweep(held, configurations[:2])
    seconds = _seconds(held, configurations)
    one = _seconds(held, configurations[: sets // 5], workers=1)
    processors = len(os.sched_getaffinity(0))
    detail = {"events": len(held.events), "sets": sets, "workers": processors, "stream": stream.name}
    yield Figure(
        "sweep.sets_1000",
        seconds * SETS / sets,
        "s",
        GOAL_SECONDS,
        {
            **detail,
            "seconds": seconds,
            "events_per_second": len(held.events) * sets / seconds,
            "times_one_worker": one * 5 / seconds,
        },
    )


def _seconds(held: HeldEvents, configurations: list[Configuration], workers: int | None = None) -> float:
    began = time.perf_counter()
    run_sweep(held, configurations, workers=workers)
    return time.perf_counter() - began
