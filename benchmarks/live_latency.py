"""How long is one event under way in the live flow, from feed to decision?

One worker, one event at a time, a millisecond apart, so that each finds the flow idle. Measured by the flow's own
telemetry: from taking the event off the inbound queue, through engines and coordinator, to the telemetry's sink, which
stands beside the journal's. Percentiles of all events, from a histogram that is exact to 3 %.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.figures import Figure, Scale
from benchmarks.live_flow import run_flow_apart

INTERVAL_S = 0.001
GOALS_US = {"p50": 25.0, "p99": 100.0, "p99.9": None}


def measure(scale: Scale) -> Iterator[Figure]:
    count = int(min(scale.events, scale.seconds / INTERVAL_S))
    summary = run_flow_apart(stream="simulator", events=count, batch_size=1, interval_s=INTERVAL_S)
    telemetry = summary["telemetry"]
    detail = {
        "events": telemetry["events"],
        "batches": telemetry["batches"],
        "events_per_second": telemetry["events_per_second"],
        "intents": summary["intents"],
        "orders": summary["orders"],
        "fills": summary["fills"],
    }
    for percentile, goal in GOALS_US.items():
        yield Figure(f"live_latency.{percentile}", telemetry["latency_us"][percentile], "µs", goal, detail)
