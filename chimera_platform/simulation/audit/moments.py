"""The moments at which decisions can be taken, and decisions moved from one to another."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.market.events import EventFlag
from chimera_platform.market.instruments import Universe

Array = np.ndarray[Any, Any]


class SourceEvents:
    """The ends of each instrument's source events: the moments at which a decision can be taken."""

    def __init__(self, universe: Universe, events: Array) -> None:
        last = (events["flags"] & EventFlag.LAST) != 0
        self._events = events
        self._of = [np.flatnonzero(last & (events["instrument_id"] == k)) for k in range(len(universe))]

    def moved(self, intents: Array, by_events: int = 0, by_ns: int = 0) -> Array:
        """Return the intents taken so many source events of their instrument, or so much time, later (< 0: earlier).

        What would fall outside the stream is left out. The rows that are left stand in the coordinator's order.
        """
        moved, kept = intents.copy(), np.zeros(len(intents), np.bool_)
        for k, ends in enumerate(self._of):
            own = np.flatnonzero(intents["instrument_id"] == k)
            if not len(own) or not len(ends):
                continue
            at = np.searchsorted(ends, intents["event_no"][own]) + by_events
            if by_ns:
                times = self._events["ts_event"][ends]
                wanted = intents["ts_event"][own] + by_ns
                late, early = np.searchsorted(times, wanted), np.searchsorted(times, wanted, side="right") - 1
                at = late if by_ns > 0 else early
            inside = (at >= 0) & (at < len(ends))
            rows = own[inside]
            kept[rows] = True
            moved["event_no"][rows] = ends[at[inside]]
        for name in ("ts_event", "seq"):
            moved[name] = self._events[name][np.minimum(moved["event_no"], len(self._events) - 1)]
        moved = moved[kept]
        return moved[np.lexsort((moved["engine"], moved["instrument_id"], moved["event_no"]))]

    def ahead(self, intents: Array, by_events: int) -> Array:
        """Return for each intent the event so many source events of its instrument later, at most the last one."""
        found = intents["event_no"].copy()
        for k, ends in enumerate(self._of):
            own = intents["instrument_id"] == k
            if own.any() and len(ends):
                at = np.searchsorted(ends, found[own]) + by_events
                found[own] = ends[np.minimum(at, len(ends) - 1)]
        return found
