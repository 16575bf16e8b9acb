"""How deep and how long equity was below its peak."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chimera_platform.portfolio.event_time import EventClock

Array = np.ndarray[Any, Any]


def drawdown_metrics(equity: Array, ts: Array, clock: EventClock | None) -> dict[str, Any]:
    """Return the drawdowns of an equity curve.

    Parameters
    ----------
    equity : currency units, shape (n,), n at least 1.
    ts : ns UTC of each point, ascending; the curve holds until the next point.
    clock : event time; None leaves what is about time undefined.

    Returns
    -------
    dict
        ``max_drawdown`` (money, >= 0) and ``max_drawdown_ratio`` (share of the peak; of another fall where equity grew
        meanwhile); of the deepest in money, from its peak to the first point that is back there or to the end:
        ``max_drawdown_seconds`` (event time), ``max_drawdown_days`` (days with events, both ends counted),
        ``max_drawdown_open`` (1: not recovered); ``longest_drawdown_seconds`` of all, and ``time_under_water``, the
        share of event time between first and last point below the peak. No drawdown: 0 seconds, days and share.
    """
    peak = np.maximum.accumulate(equity)
    fall = peak - equity
    deepest = int(fall.argmax())
    found: dict[str, Any] = {
        "max_drawdown": float(fall[deepest]),
        "max_drawdown_ratio": float((fall / peak).max()),
        "max_drawdown_open": int(bool(fall[deepest] > 0.0 and equity[deepest:].max() < peak[deepest])),
    }
    if clock is None:
        return found | dict.fromkeys(
            ("max_drawdown_seconds", "max_drawdown_days", "longest_drawdown_seconds", "time_under_water"), math.nan
        )
    passed = clock.passed(ts)
    starts, ends = _episodes(fall > 0.0)
    lengths = passed[ends] - passed[starts]
    total = float(passed[-1] - passed[0])
    own = int(np.searchsorted(starts, deepest, side="right")) - 1
    has_fall = len(starts) > 0
    return found | {
        "max_drawdown_seconds": float(lengths[own]) if has_fall else 0.0,
        "max_drawdown_days": clock.days_between(int(ts[starts[own]]), int(ts[ends[own]])) if has_fall else 0,
        "longest_drawdown_seconds": float(lengths.max()) if has_fall else 0.0,
        "time_under_water": _share_below(fall > 0.0, passed) if total > 0.0 else 0.0,
    }


def _episodes(below: Array) -> tuple[Array, Array]:
    """Return the points of the peak and of the recovery (the last point where there is none) of each drawdown."""
    edges = np.diff(np.concatenate([[0], below.astype(np.int8), [0]]))
    starts, ends = np.flatnonzero(edges == 1) - 1, np.flatnonzero(edges == -1)
    return starts, np.minimum(ends, len(below) - 1)


def _share_below(below: Array, passed: Array) -> float:
    steps = np.diff(passed)
    return float(steps[below[:-1]].sum() / steps.sum())
