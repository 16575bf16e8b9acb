"""How many events a second does the live flow take in batches of 1,024, and in what memory?

One worker, unpaced, events in memory; journal, recovery snapshots and telemetry are written as in any run.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.figures import Figure, Scale, median_figure
from benchmarks.live_flow import run_flow_apart
from benchmarks.streams import streams

BATCH = 1024
GOAL_EVENTS_PER_SECOND = 2e6
GOAL_MB = 500.0


def measure(scale: Scale) -> Iterator[Figure]:
    for stream in streams(scale.events, "oanda_xauusd"):
        runs = [
            run_flow_apart(stream=stream.name, events=len(stream.events), batch_size=BATCH)
            for _ in range(min(scale.repeats, 3))
        ]
        rates = [run["telemetry"]["events_per_second"] for run in runs]
        detail = {key: runs[-1][key] for key in ("events", "intents", "orders", "fills")}
        yield median_figure(
            f"live_throughput.{stream.name}", "events/s", rates, GOAL_EVENTS_PER_SECOND, batch_size=BATCH, **detail
        )
        yield median_figure(
            f"live_throughput.memory.{stream.name}",
            "MB",
            [run["telemetry"]["resident_mb_max"] for run in runs],
            GOAL_MB,
            of_which_events_held_by_the_benchmark_mb=stream.events.nbytes / 1e6,
        )
