"""Joining a depth snapshot and the stream of updates into one book without a hole.

The rule is the exchange's ("How to manage a local order book correctly", Binance USD-M futures documentation): drop
updates whose ``u`` is below the snapshot's ``lastUpdateId``; the first one used must span it; from then on each
update's ``pu`` must be the ``u`` before it. Spot updates have no ``pu``: there ``U - 1`` takes its place.
"""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

import numpy as np

from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind, StatusCode
from chimera_platform.market.formats.stream import new_events

HELD_UPDATES_MAX = 16_384  # a snapshot is answered within seconds; older updates cannot reach past it


class _Update(NamedTuple):
    previous_id: int  # the update id that this one builds on
    last_id: int
    events: np.ndarray[Any, Any]


class DepthSynchroniser:
    """Lets updates through while they join up, and holds them back while they do not.

    Parameters
    ----------
    instrument_id : of the GAP records it writes.
    """

    def __init__(self, instrument_id: int) -> None:
        self._instrument_id = instrument_id
        self._last_id: int | None = None  # None: out of step, waiting for a snapshot
        self._spanning = False  # the next update is the first behind a snapshot
        self._held: deque[_Update] = deque(maxlen=HELD_UPDATES_MAX)

    def feed(
        self,
        update_ids: np.ndarray[Any, Any],
        update_events: list[np.ndarray[Any, Any]],
        snapshot_ids: np.ndarray[Any, Any],
        snapshot_events: list[np.ndarray[Any, Any]],
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Return the events to give out, and the row each belongs to (ascending).

        Parameters
        ----------
        update_ids : (n, 4) i8: row, first id U, last id u, previous id pu (-1: none).
        update_events : the LEVEL events of each update.
        snapshot_ids : (m, 2) i8: row, lastUpdateId.
        snapshot_events : the events of each snapshot.
        """
        arrivals: list[tuple[int, int | _Update, np.ndarray[Any, Any]]] = []
        for (row, first_id, last_id, previous_id), events in zip(update_ids.tolist(), update_events, strict=True):
            update = _Update(previous_id if previous_id >= 0 else first_id - 1, last_id, events)
            arrivals.append((row, update, events))
        for (row, last_id), events in zip(snapshot_ids.tolist(), snapshot_events, strict=True):
            arrivals.append((row, last_id, events))
        arrivals.sort(key=lambda arrival: arrival[0])
        given: list[np.ndarray[Any, Any]] = []
        rows: list[int] = []
        for row, arrival, events in arrivals:
            released = self._update(arrival) if isinstance(arrival, _Update) else self._snapshot(arrival, events)
            given += released
            rows += [row] * len(released)
        # Joined as bytes: np.concatenate compares the fields of every pair of structured arrays.
        together = np.frombuffer(bytearray().join(array.data for array in given), EVENT_DTYPE)
        return together, np.repeat(np.array(rows, np.int64), np.array([g.size for g in given], np.int64))

    def _update(self, update: _Update) -> list[np.ndarray[Any, Any]]:
        if self._last_id is None:
            self._held.append(update)
            return []
        if self._spanning:
            if update.last_id < self._last_id:
                return []
            joined = update.previous_id <= self._last_id
        else:
            joined = update.previous_id == self._last_id
        if not joined:
            self._last_id = None
            self._held.append(update)
            return [self._gap(update)]
        self._last_id, self._spanning = update.last_id, False
        return [update.events]

    def _snapshot(self, last_id: int, events: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
        if self._last_id is not None:
            return []
        held = list(self._held)
        self._held.clear()
        self._last_id, self._spanning = last_id, True
        released = [events]
        for update in held:
            released += self._update(update)
        return released

    def _gap(self, update: _Update) -> np.ndarray[Any, Any]:
        gap = new_events(1, self._instrument_id)
        for name in ("ts_event", "ts_recv", "seq"):
            gap[name] = update.events[name][0]
        gap["kind"] = int(EventKind.STATUS)
        gap["price"] = int(StatusCode.GAP)
        gap["flags"] = int(EventFlag.LAST)
        return gap
