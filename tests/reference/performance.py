"""Drawdown, exposure and streaks as the definitions read: loops over points, no shortcuts."""

from __future__ import annotations

from typing import Any


def event_seconds(days: list[tuple[int, int]], start: int, end: int) -> float:
    """Return the part of [start, end] (ns) that lies within the days' (first, last) spans, in seconds."""
    return sum(max(0, min(end, last) - max(start, first)) for first, last in days) / 1e9


def drawdowns(points: list[tuple[int, float]], days: list[tuple[int, int]]) -> dict[str, Any]:
    """Return what a curve of (ns, equity) spent below its peak, episode by episode."""
    episodes: list[dict[str, Any]] = []
    peak_ts, peak = points[0]
    under = 0.0
    current: dict[str, Any] | None = None
    for k, (ts, equity) in enumerate(points):
        if equity >= peak:
            if current is not None:
                current["end"], current["open"] = ts, 0
                episodes.append(current)
                current = None
            peak_ts, peak = ts, equity
        else:
            if current is None:
                current = {"start": peak_ts, "depth": 0.0, "open": 1}
            current["depth"] = max(current["depth"], peak - equity)
            current["end"] = ts
            if k + 1 < len(points):
                under += event_seconds(days, ts, points[k + 1][0])
    if current is not None:
        episodes.append(current)
    total = event_seconds(days, points[0][0], points[-1][0])
    found: dict[str, Any] = {"time_under_water": under / total if total else 0.0}
    if not episodes:
        return found | {"max_drawdown_seconds": 0.0, "longest_drawdown_seconds": 0.0, "max_drawdown_open": 0}
    deepest = max(episodes, key=lambda each: each["depth"])  # the first of equal ones
    return found | {
        "max_drawdown_seconds": event_seconds(days, deepest["start"], deepest["end"]),
        "longest_drawdown_seconds": max(event_seconds(days, e["start"], e["end"]) for e in episodes),
        "max_drawdown_open": deepest["open"],
    }


def exposure(marks: Any, days: list[tuple[int, int]]) -> dict[str, float]:
    """Return share of event time in the market, mean and highest gross exposure over equity."""
    held: dict[tuple[int, int], tuple[int, int]] = {}
    total = sum(last - first for first, last in days) / 1e9
    inside, area, highest = 0.0, 0.0, 0.0
    for k, mark in enumerate(marks):
        held[int(mark["instrument_id"]), int(mark["engine"])] = (int(mark["position"]), abs(int(mark["value_nanos"])))
        gross = sum(value for _, value in held.values()) / int(mark["equity_nanos"])
        end = int(marks[k + 1]["ts_event"]) if k + 1 < len(marks) else days[-1][1]
        seconds = event_seconds(days, int(mark["ts_event"]), end)
        highest = max(highest, gross)
        area += gross * seconds
        inside += seconds if any(position for position, _ in held.values()) else 0.0
    return {
        "time_in_market": inside / total,
        "mean_gross_exposure": area / total,
        "max_gross_exposure": highest,
    }


def longest_streak(profits: list[int], sign: int) -> int:
    """Return the most consecutive profits of a sign."""
    best = run = 0
    for profit in profits:
        run = run + 1 if profit * sign > 0 else 0
        best = max(best, run)
    return best
