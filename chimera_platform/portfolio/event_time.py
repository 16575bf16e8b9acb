"""Event time: the clock that stands still while there is no market.

Of each UTC day the time from its first to its last event counts, so a night without events is not time in a position
or below a peak.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
DAY_NS = 86_400_000_000_000

DAY_DTYPE = np.dtype(
    [
        ("day", "<i8"),  # UTC day number, ns // 86,400e9
        ("first_ts", "<i8"),  # ns UTC of its first event
        ("last_ts", "<i8"),  # ns UTC of its last event
    ]
)


def event_days(ts: Array) -> Array:
    """Return the DAY_DTYPE rows of event times in ascending order, int64 ns UTC, any shape (n,)."""
    days, first = np.unique(ts // DAY_NS, return_index=True)
    found = np.zeros(len(days), DAY_DTYPE)
    found["day"], found["first_ts"] = days, ts[first]
    found["last_ts"] = ts[np.append(first[1:], len(ts)) - 1] if len(days) else 0
    return found


def merge_days(earlier: Array, later: Array) -> Array:
    """Return the rows of both parts of a stream; a day that both have reaches from its first to its last event."""
    rows = np.concatenate([earlier, later])
    days, group = np.unique(rows["day"], return_inverse=True)
    found = np.zeros(len(days), DAY_DTYPE)
    found["day"], found["first_ts"], found["last_ts"] = days, np.iinfo(np.int64).max, np.iinfo(np.int64).min
    np.minimum.at(found["first_ts"], group, rows["first_ts"])
    np.maximum.at(found["last_ts"], group, rows["last_ts"])
    return found


class EventClock:
    """Seconds of event time that have passed at a moment."""

    def __init__(self, days: Array) -> None:
        """Take DAY_DTYPE rows, ascending."""
        self._edges = np.column_stack([days["first_ts"], days["last_ts"]]).ravel()
        lengths = np.diff(self._edges) if len(self._edges) else self._edges
        lengths[1::2] = 0  # between the days
        self._passed = np.concatenate([[0], np.cumsum(lengths)]) / 1e9
        self._days = days["day"]

    @property
    def seconds(self) -> float:
        """All event time of the run."""
        return float(self._passed[-1])

    def passed(self, ts: Array) -> Array:
        """Return the seconds of event time before each of ``ts`` (ns UTC), float64 of the same shape."""
        if len(self._edges) == 0:
            return np.zeros(np.shape(ts))
        origin = self._edges[0]
        return np.interp((ts - origin).astype(np.float64), (self._edges - origin).astype(np.float64), self._passed)

    def days_between(self, first_ts: int, last_ts: int) -> int:
        """Return how many days with events there are from that of ``first_ts`` to that of ``last_ts``, both counted."""
        low, high = np.searchsorted(self._days, [first_ts // DAY_NS, last_ts // DAY_NS + 1])
        return int(high - low)
