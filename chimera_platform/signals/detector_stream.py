"""Every detector over batches of events, on books of its own: what they say does not depend on the cut into batches."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.errors import DataError
from chimera_platform.kernels import kernel
from chimera_platform.market.book import apply_event, new_books, pack_book, unpack_book
from chimera_platform.market.instruments import Universe
from chimera_platform.settings import Settings, to_record
from chimera_platform.signals.absorption import (
    ABSORPTION_EVIDENCE,
    AbsorptionSettings,
    new_absorption_states,
    update_absorption,
)
from chimera_platform.signals.icebergs import ICEBERG_EVIDENCE, IcebergSettings, new_iceberg_states, update_icebergs
from chimera_platform.signals.records import DETECTION_DTYPE, Detector
from chimera_platform.signals.sweeps import SWEEP_EVIDENCE, SweepSettings, new_sweep_states, update_sweeps

ROWS_A_RECORD = 256  # at most, of all detectors together
_FIRST_ROWS = 1024
EVIDENCE_NAMES: dict[Detector, tuple[str, ...]] = {  # of the detectors there are
    Detector.SWEEP: SWEEP_EVIDENCE,
    Detector.ICEBERG: ICEBERG_EVIDENCE,
    Detector.ABSORPTION: ABSORPTION_EVIDENCE,
    Detector.STACKED_ABSORPTION: ("levels",),
}


class DetectorSettings(Settings):
    """Settings of every detector, a section each."""

    sweeps: SweepSettings = SweepSettings()
    icebergs: IcebergSettings = IcebergSettings()
    absorption: AbsorptionSettings = AbsorptionSettings()


@kernel
def _detect(params: Any, states: Any, books: Any, events: Any, first: int, first_event_no: int, out: Any) -> Any:
    """Take in the events from index ``first`` until they end or ``out`` is full; return (next index, rows written).

    ``params`` and ``states`` are tuples of arrays, one a detector in the order of :class:`DetectorSettings`.
    """
    rows = 0
    for i in range(first, events.shape[0]):
        if rows + ROWS_A_RECORD > out.shape[0]:
            return i, rows
        event = events[i]
        k = event.instrument_id
        book = books[k]
        before = rows
        apply_event(book, event)
        rows = update_sweeps(params[0][0], states[0][k], book, event, out, rows)
        rows = update_icebergs(params[1][0], states[1][k], book, event, out, rows)
        rows = update_absorption(params[2][0], states[2][k], book, event, out, rows)
        for r in range(before, rows):
            out[r].event_no = first_event_no + i
            out[r].ts_event = event.ts_event
            out[r].instrument_id = k
    return events.shape[0], rows


class DetectorStream:
    """All detectors of many instruments; each detection is known from events up to its own and no later one.

    Parameters
    ----------
    universe : the instruments; the events' ``instrument_id`` are indices into it.
    settings : of the detectors.

    Attributes
    ----------
    books : the books, ``BOOK_DTYPE``, one per instrument.
    states : the detectors' states by the name of their settings' section, one record per instrument.
    """

    def __init__(self, universe: Universe, settings: DetectorSettings | None = None) -> None:
        count = len(universe)
        self.universe = universe
        self.settings = settings if settings is not None else DetectorSettings()
        self.books = new_books(count)
        self.states = {
            "sweeps": new_sweep_states(count),
            "icebergs": new_iceberg_states(count),
            "absorption": new_absorption_states(count),
        }
        self._params = tuple(to_record(getattr(self.settings, name)) for name in self.states)

    def run(self, events: np.ndarray[Any, Any], first_event_no: int) -> np.ndarray[Any, Any]:
        """Take in the next events and return what is detected in them.

        Parameters
        ----------
        events : shape (n,), ``EVENT_DTYPE``, in stream order.
        first_event_no : row number of ``events[0]`` in the stream.

        Returns
        -------
        ndarray : shape (m,), ``DETECTION_DTYPE``, in the order of ``event_no``, then of the detectors.

        Raises
        ------
        DataError : an event of an instrument that is not in the universe; nothing has been taken in then.
        """
        ids = events["instrument_id"]
        if len(events) and not (ids.min() >= 0 and ids.max() < len(self.books)):
            raise DataError(f"instrument_id {ids.min()} to {ids.max()}; expected 0 to {len(self.books) - 1}")
        parts: list[np.ndarray[Any, Any]] = []
        states, done, capacity = tuple(self.states.values()), 0, _FIRST_ROWS
        while done < len(events):
            out = np.zeros(capacity, DETECTION_DTYPE)
            done, rows = _detect(self._params, states, self.books, events, done, first_event_no, out)
            parts.append(out[:rows])
            capacity *= 2
        return np.concatenate(parts) if parts else np.zeros(0, DETECTION_DTYPE)

    def snapshot(self) -> dict[str, Any]:
        """Return the whole state as a picklable dict; the settings are not part of it."""
        states = {name: state.copy() for name, state in self.states.items()}
        return {"books": [pack_book(book) for book in self.books], "states": states}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`snapshot` returned for the same universe and settings.

        Raises
        ------
        DataError : it was taken of another number of instruments or of other detectors.
        """
        books, states = state["books"], state["states"]
        if len(books) != len(self.books) or list(states) != list(self.states):
            raise DataError(
                f"snapshot of {len(books)} instruments and the detectors {', '.join(states)}; "
                f"expected {len(self.books)} and {', '.join(self.states)}"
            )
        for packed, book in zip(books, self.books, strict=True):
            unpack_book(packed, book)
        for name, own in self.states.items():
            own[:] = states[name]
