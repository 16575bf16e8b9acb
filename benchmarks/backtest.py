"""How many events a second does the whole decision path take, from event to fill?

Books, features, all engines, allocator, risk, simulated venue and accounting under the default configuration, in
the one loop and the batches of ``chimera backtest``, over events in memory; reading files is
:mod:`benchmarks.read_files`. One thread; the figure is by its processor time, the wall clock's is in the detail, and
so is what the same costs in the two halves of the live flow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from benchmarks.figures import Figure, Scale, timed
from benchmarks.streams import BATCH, EventStream, streams
from chimera_platform.configuration import Configuration
from chimera_platform.decision_path import DecisionPath
from chimera_platform.simulation.backtest.fused import FusedPath

GOAL_EVENTS_PER_SECOND = 5e6


def decide(path: DecisionPath, stream: EventStream, batch_size: int = BATCH) -> Counter[str]:
    """Run ``stream`` through ``path``; return how many rows of each kind came out."""
    rows: Counter[str] = Counter()
    first = 0
    for events in stream.batches(batch_size):
        for name, table in path.run(events, first)._asdict().items():
            rows[name] += len(table)
        first += len(events)
    return rows


def measure(scale: Scale) -> Iterator[Figure]:
    for stream in streams(scale.events, "oanda_xauusd", "lobster_goog", "binance_btcusdt"):
        yield _whole_path(stream, scale)


def _whole_path(stream: EventStream, scale: Scale) -> Figure:
    count = len(stream.events)
    outputs: list[Counter[str]] = []
    timing = timed(
        lambda: FusedPath(stream.universe, Configuration()),
        lambda path: outputs.append(decide(path, stream)),
        scale.repeats,
    )
    halves = timed(lambda: DecisionPath(stream.universe, Configuration()), lambda path: decide(path, stream), 1)
    detail = {
        "events": count,
        **timing.spread(count),
        "halves_cpu_ns": halves.cpu_ns_per(count),
        "rows": dict(outputs[-1]),
    }
    rate = count / timing.median_cpu_s
    return Figure(f"backtest.{stream.name}", rate, "events/s", GOAL_EVENTS_PER_SECOND, detail)
