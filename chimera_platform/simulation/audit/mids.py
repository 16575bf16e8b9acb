"""The mid of every instrument at any moment of a stream."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.learning.quotes import QuotePath
from chimera_platform.market.instruments import Universe
from chimera_platform.simulation.audit.decision_maker import BATCH_SIZE

Array = np.ndarray[Any, Any]


class Mids:
    """The mid of every instrument over a stream's time, as its books leave it.

    Parameters
    ----------
    universe, events : the run's.
    """

    def __init__(self, universe: Universe, events: Array) -> None:
        path = QuotePath(len(universe))
        parts = [path.run(events[i : i + BATCH_SIZE], i) for i in range(0, len(events), BATCH_SIZE)]
        self.quotes = np.concatenate(parts) if parts else path.run(events, 0)
        self._of = []
        self._end_ns = int(events["ts_event"][-1]) if len(events) else 0
        for k in range(len(universe)):
            own = self.quotes[self.quotes["instrument_id"] == k]
            mid = np.where(own["bid_price"] > 0, (own["bid_price"] + own["ask_price"]) / 2.0, np.nan)
            self._of.append((own["event_no"], own["ts_event"], mid))

    def after_event(self, instrument_ids: Array, event_nos: Array) -> Array:
        """Return the mids (ticks) that stand after given events; NaN where there is no market."""
        return self._look_up(0, instrument_ids, event_nos)

    def at_time(self, instrument_ids: Array, times: Array) -> Array:
        """Return the mids (ticks) in force at given times, ns; NaN without a market and beyond the stream's end."""
        return np.where(times <= self._end_ns, self._look_up(1, instrument_ids, times), np.nan)

    def _look_up(self, by: int, instrument_ids: Array, keys: Array) -> Array:
        found = np.full(len(keys), np.nan)
        for k, columns in enumerate(self._of):
            own = instrument_ids == k
            if own.any() and len(columns[by]):
                at = np.searchsorted(columns[by], keys[own], side="right") - 1
                found[own] = np.where(at >= 0, columns[2][np.maximum(at, 0)], np.nan)
        return found
