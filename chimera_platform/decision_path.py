"""The whole decision path in one process: engines by instrument, then the coordinator over all of them.

The live flow runs the same two halves as steps of its own, with :func:`split_by_instrument` before the first and
:func:`merge_intents` before the second; the backtest runs them here.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from chimera_platform.configuration import Configuration
from chimera_platform.coordinator import Coordinator, CoordinatorOutput
from chimera_platform.engines.step import SymbolEngines, writable
from chimera_platform.execution.records import INTENT_DTYPE
from chimera_platform.kernels import kernel
from chimera_platform.market.instruments import Universe

if TYPE_CHECKING:
    from chimera_platform.releases import Release

_INTENT_BYTES = np.dtype((np.void, INTENT_DTYPE.itemsize))  # joined as bytes: joining field by field takes 70 µs


@kernel
def _rows_by_instrument(events: Any, rows: Any) -> Any:
    """Fill ``rows`` with the rows of the lowest instrument, then the next, …; return (lowest, end of each one's)."""
    low, high = events[0].instrument_id, events[0].instrument_id
    for i in range(events.shape[0]):
        low = min(low, events[i].instrument_id)
        high = max(high, events[i].instrument_id)
    ends = np.zeros(np.int64(high) - low + 1, np.int64)
    for i in range(events.shape[0]):
        ends[np.int64(events[i].instrument_id) - low] += 1
    for k in range(1, ends.shape[0]):
        ends[k] += ends[k - 1]
    free = ends.copy()
    for i in range(events.shape[0] - 1, -1, -1):
        k = np.int64(events[i].instrument_id) - low
        free[k] -= 1
        rows[free[k]] = i
    return np.int64(low), ends


def split_by_instrument(events: np.ndarray[Any, Any]) -> list[tuple[int, np.ndarray[Any, Any]]]:
    """Return which rows of a batch belong to which instrument.

    Parameters
    ----------
    events : EVENT_DTYPE array, shape (n,).

    Returns
    -------
    list of (instrument_id, positions)
        By ascending instrument; ``positions`` int64, ascending, together each row exactly once. Instruments without
        events are left out.
    """
    count = len(events)
    if count == 1:
        return [(int(events["instrument_id"][0]), np.zeros(1, np.int64))]
    if count == 0:
        return []
    rows = np.empty(count, np.int64)
    low, ends = _rows_by_instrument(writable(events), rows)
    parts, start = [], 0
    for k, end in enumerate(ends.tolist()):
        if end > start:
            parts.append((low + k, rows[start:end]))
        start = end
    return parts


def merge_intents(parts: list[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    """Return the intents of several instruments as one INTENT_DTYPE array by (event_no, instrument_id, engine)."""
    parts = [part for part in parts if len(part)]
    if not parts:
        return np.empty(0, INTENT_DTYPE)
    if len(parts) == 1:
        return parts[0]  # one instrument's engines write in this order
    merged = np.concatenate([part.view(_INTENT_BYTES) for part in parts]).view(INTENT_DTYPE)
    return merged.take(np.lexsort((merged["engine"], merged["instrument_id"], merged["event_no"])))


class DecisionPath:
    """Every instrument's engines and the coordinator.

    Parameters
    ----------
    universe : the instruments; an event's ``instrument_id`` is an index into it.
    configuration : the settings of the run; a release's parameters come on top.
    """

    def __init__(self, universe: Universe, configuration: Configuration) -> None:
        self._engines = [SymbolEngines(universe, k, configuration) for k in range(len(universe.symbols))]
        self._coordinator = Coordinator(universe, configuration)

    def apply_release(self, release: Release | None, release_no: int) -> None:
        """Put a release in force from the next event on; None stands for the built-in defaults.

        Raises
        ------
        ReleaseError, ConfigurationError
            If it cannot be used; the one before stays in force in every part.
        """
        for engines in self._engines:
            engines.check_release(release)
        self._coordinator.apply_release(release, release_no)  # refuses bad weights before it changes anything
        for engines in self._engines:
            engines.apply_release(release, release_no)

    def close_down(self, *, is_closing: bool = True) -> None:
        """Hold the account flat from the next event on, as the kill switch does, or let it take risk again."""
        self._coordinator.close_down(is_closing=is_closing)

    def run(self, events: np.ndarray[Any, Any], first_event_no: int) -> CoordinatorOutput:
        """Decide on a batch.

        Parameters
        ----------
        events : EVENT_DTYPE array, the next events of the run in order.
        first_event_no : row number of ``events[0]`` in the run.
        """
        parts = []
        for instrument_id, positions in split_by_instrument(events):
            own = events if len(positions) == len(events) else events.take(positions)
            parts.append(self._engines[instrument_id].run(own, first_event_no, positions))
        return self._coordinator.run(events, first_event_no, merge_intents(parts))

    def snapshot(self) -> dict[str, Any]:
        """Return the whole state as a picklable dict; the release in force is not part of it."""
        return {"engines": [e.snapshot() for e in self._engines], "coordinator": self._coordinator.snapshot()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a state that :meth:`snapshot` returned for the same universe and configuration."""
        for engines, own in zip(self._engines, state["engines"], strict=True):
            engines.restore(own)
        self._coordinator.restore(state["coordinator"])

    def state_hash(self) -> str:
        """Return a SHA-256 that two paths share exactly when they are in the same state."""
        sha = hashlib.sha256()
        for state_hash in [*(engines.state_hash() for engines in self._engines), self._coordinator.state_hash()]:
            sha.update(state_hash.encode())
        return sha.hexdigest()
