"""How much of the time, and of its equity, an account was in the market."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chimera_platform.execution.records import ENGINE_COUNT
from chimera_platform.portfolio.event_time import EventClock

Array = np.ndarray[Any, Any]


def exposure_metrics(marks: Array, clock: EventClock | None) -> dict[str, Any]:
    """Return ``time_in_market``, ``mean_gross_exposure`` and ``max_gross_exposure``.

    The gross exposure is the sum of the positions' absolute values over the account's equity at the same mark; each
    mark holds until the next one. A position is marked at each of its fills and from time to time in between.

    Parameters
    ----------
    marks : MARK_DTYPE array in ``mark_no`` order.
    clock : event time; its share with any position open is ``time_in_market``. None, or no event time: NaN.
    """
    if clock is None or not clock.seconds > 0.0:
        return dict.fromkeys(("time_in_market", "mean_gross_exposure", "max_gross_exposure"), math.nan)
    if len(marks) == 0:
        return dict.fromkeys(("time_in_market", "mean_gross_exposure", "max_gross_exposure"), 0.0)
    owner = marks["instrument_id"].astype(np.int64) * ENGINE_COUNT + marks["engine"]
    gross = np.cumsum(_change(owner, np.abs(marks["value_nanos"])))
    open_positions = np.cumsum(_change(owner, (marks["position"] != 0).astype(np.int64)))
    share = gross / np.maximum(marks["equity_nanos"], 1)
    held = np.diff(clock.passed(marks["ts_event"]), append=clock.seconds)
    return {
        "time_in_market": float(held[open_positions > 0].sum()) / clock.seconds,
        "mean_gross_exposure": float(held @ share) / clock.seconds,
        "max_gross_exposure": float(share.max()),
    }


def _change(owner: Array, values: Array) -> Array:
    """Return by how much each row differs from its owner's row before; the first one from zero."""
    order = np.argsort(owner, kind="stable")
    ordered = values[order]
    before = np.concatenate([[0], ordered[:-1]])
    before[np.flatnonzero(np.diff(owner[order], prepend=-1))] = 0
    change = np.empty_like(ordered)
    change[order] = ordered - before
    return change
