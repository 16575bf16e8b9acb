"""Every detector over batches of events, on books of its own: what they say does not depend on the cut into batches."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.errors import DataError
from chimera_platform.kernels import kernel
from chimera_platform.market.book import apply_event, new_books, pack_book, unpack_book
from chimera_platform.market.instruments import Universe
from chimera_platform.signals.detectors import (
    DETECTION_ROWS_MAX,
    DetectorSettings,
    detector_parameters,
    new_detections,
    new_detector_states,
    update_detectors,
)
from chimera_platform.signals.records import DETECTION_DTYPE

_FIRST_ROWS = 1024


@kernel
def _detect(
    params: Any, states: Any, books: Any, said: Any, events: Any, first: int, first_event_no: int, out: Any
) -> Any:
    """Take in the events from index ``first`` until they end or ``out`` is full; return (next index, rows written).

    ``params`` and ``said`` have one record each.
    """
    written = 0
    for i in range(first, events.shape[0]):
        if written + DETECTION_ROWS_MAX > out.shape[0]:
            return i, written
        event = events[i]
        k = event.instrument_id
        apply_event(books[k], event)
        rows = update_detectors(params[0], states[k], books[k], event, said[0], 0)
        for r in range(rows):
            out[written] = said[0].row[r]
            out[written].event_no = first_event_no + i
            out[written].ts_event = event.ts_event
            out[written].instrument_id = k
            written += 1
    return events.shape[0], written


class DetectorStream:
    """All detectors of many instruments; each detection is known from events up to its own and no later one.

    Parameters
    ----------
    universe : the instruments; the events' ``instrument_id`` are indices into it.
    settings : of the detectors.

    Attributes
    ----------
    books : the books, ``BOOK_DTYPE``, one per instrument.
    states : the detectors' states, ``DETECTORS_STATE_DTYPE``, one per instrument.
    """

    def __init__(self, universe: Universe, settings: DetectorSettings | None = None) -> None:
        count = len(universe)
        self.universe = universe
        self.settings = settings if settings is not None else DetectorSettings()
        self.books = new_books(count)
        self.states = new_detector_states(count)
        self._params, self._said = detector_parameters(self.settings), new_detections()

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
        done, capacity = 0, _FIRST_ROWS
        while done < len(events):
            out = np.zeros(capacity, DETECTION_DTYPE)
            done, rows = _detect(self._params, self.states, self.books, self._said, events, done, first_event_no, out)
            parts.append(out[:rows])
            capacity *= 2
        return np.concatenate(parts) if parts else np.zeros(0, DETECTION_DTYPE)

    def snapshot(self) -> dict[str, Any]:
        """Return the whole state as a picklable dict; the settings are not part of it."""
        return {"books": [pack_book(book) for book in self.books], "states": self.states.copy()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`snapshot` returned for the same universe and settings.

        Raises
        ------
        DataError : it was taken of another number of instruments or of other detectors.
        """
        books, states = state["books"], state["states"]
        if len(books) != len(self.books) or states.dtype != self.states.dtype:
            raise DataError(
                f"snapshot of {len(books)} instruments and the detectors {', '.join(states.dtype.names or ())}; "
                f"expected {len(self.books)} and {', '.join(self.states.dtype.names or ())}, laid out as here"
            )
        for packed, book in zip(books, self.books, strict=True):
            unpack_book(packed, book)
        self.states[:] = states
