"""The latencies of the simulated venues: multiplied, and held against what the data was recorded with."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chimera_platform.configuration import Configuration
from chimera_platform.settings import Settings
from chimera_platform.simulation.audit.findings import Finding, Part, Verdict

Array = np.ndarray[Any, Any]
LATENCY_MAX_NS = 60_000_000_000


def latencies(venue: Settings) -> dict[str, Any]:
    """Return the latencies of a venue's settings by name: constants and tables of quantiles, ns."""
    names = type(venue).model_fields
    return {name: getattr(venue, name) for name in names if name.endswith(("_latency_ns", "_latency_quantiles_ns"))}


def with_latencies(configuration: Configuration, multiplier: float) -> Configuration:
    """Return the configuration with every latency of every venue multiplied, a minute at most."""
    changed: dict[str, Any] = {"venue": _slower(configuration.venue, multiplier)}
    venues = getattr(configuration, "venues", None)
    if venues:
        changed["venues"] = {name: _slower(venue, multiplier) for name, venue in venues.items()}
    return configuration.model_copy(update=changed)


def _slower(venue: Any, multiplier: float) -> Any:
    def scaled(value: int) -> int:
        return min(round(value * multiplier), LATENCY_MAX_NS)

    changed = {
        name: tuple(map(scaled, value)) if isinstance(value, tuple) else scaled(value)
        for name, value in latencies(venue).items()
    }
    return venue.model_copy(update=changed)


def feed_delay(events: Array, configuration: Configuration) -> Finding:
    """Hold the delay with which the data was received against the one that the venue is given.

    Where the receiving clock is behind the exchange's, delays come out below 0; then only what they have above the
    shortest one is known, a lower bound.
    """
    delay = events["ts_recv"] - events["ts_event"]
    assumed = _median_feed_latency(configuration.venue)
    threshold = f"at most venue.feed_latency_ns, {assumed / 1e6:g} ms"
    if not len(delay) or not delay.any():
        reason = "the data does not tell when it was received"
        return Finding("feed delay", Part.ROBUSTNESS, Verdict.SKIP, math.nan, "ms", threshold, reason)
    shortest, median = int(delay.min()), int(np.median(delay))
    clock = ""
    if shortest < 0:
        median -= shortest
        clock = f" (at least: the receiving clock is {-shortest / 1e6:,.0f} ms or more behind the exchange's)"
    is_late = median > assumed
    reason = "the run allows for at least the delay with which half of the data was received"
    if is_late:
        reason = (
            f"half of the data was received more than {median / 1e6:.3g} ms after it happened{clock}, and the run "
            f"decides as if {assumed / 1e6:g} ms had passed: set venue.feed_latency_ns or its quantiles"
        )
    verdict = Verdict.WARN if is_late else Verdict.PASS
    return Finding("feed delay", Part.ROBUSTNESS, verdict, median / 1e6, "ms, median", threshold, reason)


def _median_feed_latency(venue: Settings) -> int:
    known = latencies(venue)
    table = known.get("feed_latency_quantiles_ns") or (known.get("feed_latency_ns", 0),)
    return int(table[len(table) // 2])
