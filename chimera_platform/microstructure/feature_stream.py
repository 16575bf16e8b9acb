"""Books and features of many instruments over batches of events: the Python face of the feature kernel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from chimera_platform.errors import DataError
from chimera_platform.kernels import kernel
from chimera_platform.market.book import apply_event, new_books
from chimera_platform.market.instruments import Universe
from chimera_platform.market.sources import EventSource
from chimera_platform.microstructure.feature_names import FEATURE_COUNT, FEATURE_NAMES
from chimera_platform.microstructure.feature_vector import write_features
from chimera_platform.microstructure.feature_volume import VolumeTimeSettings
from chimera_platform.microstructure.feature_windows import FLOW_CAPACITY
from chimera_platform.microstructure.features import new_feature_states, new_feature_windows, update_features
from chimera_platform.microstructure.fitted_microprice import new_microprice_table


@kernel
def _run_features(
    books: Any, states: Any, windows: Any, microprices: Any, events: Any, positions: Any, values: Any
) -> Any:
    """Apply the events; write index and features of each LAST record; return the rows written."""
    rows = 0
    for i in range(events.shape[0]):
        event = events[i]
        k = event.instrument_id
        apply_event(books[k], event)
        if update_features(states[k], windows[k], books[k], event):
            write_features(states[k], windows[k], books[k], microprices[k], values[rows])
            positions[rows] = i
            rows += 1
    return rows


class FeatureStream:
    """Features at every source event; the result does not depend on how the events are cut into batches.

    Parameters
    ----------
    universe : the instruments; the events' ``instrument_id`` are indices into it.
    settings : how volume buckets are cut.
    flow_capacity : entries of each ten-second queue (a power of two); where a burst exceeds it, the window's time
        resolution is halved and ``coalesced`` counts the merged entries.
    microprices : fitted tables, one per instrument, dtype ``MICROPRICE_DTYPE``; unfitted ones for None.

    Attributes
    ----------
    books, states, windows : the kernels' records, one per instrument.
    """

    def __init__(
        self,
        universe: Universe,
        settings: VolumeTimeSettings | None = None,
        flow_capacity: int = FLOW_CAPACITY,
        microprices: np.ndarray[Any, Any] | None = None,
    ) -> None:
        self.universe = universe
        self.books = new_books(len(universe))
        self.states = new_feature_states(universe.instruments, settings, flow_capacity)
        self.windows = new_feature_windows(len(universe))
        self.microprices = np.repeat(new_microprice_table(), len(universe)) if microprices is None else microprices

    @property
    def coalesced(self) -> int:
        """Entries of the ten-second windows that were merged because a queue was full; 0: all sums are exact."""
        return int(self.states["coalesced"].sum())

    def run(self, events: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Take in the next events.

        Parameters
        ----------
        events : shape (n,), ``EVENT_DTYPE``, in stream order.

        Returns
        -------
        positions : int64, shape (m,): indices of the LAST records in ``events``.
        values : float64, shape (m, FEATURE_COUNT): the feature vectors there, in the order of ``FEATURE_NAMES``.

        Raises
        ------
        DataError : an event of an instrument that is not in the universe.
        """
        ids = events["instrument_id"]
        if len(events) and not (ids.min() >= 0 and ids.max() < len(self.books)):
            raise DataError(f"instrument_id {ids.min()} to {ids.max()}; expected 0 to {len(self.books) - 1}")
        positions = np.empty(len(events), np.int64)
        values = np.empty((len(events), FEATURE_COUNT))
        rows = _run_features(self.books, self.states, self.windows, self.microprices, events, positions, values)
        return positions[:rows], values[:rows]


class FeatureTable:
    """Rows ``ts_ns, seq, symbol`` and every feature by name: one per source event; undefined values are NaN.

    Iterating reads the source once, batch by batch; the counters are complete afterwards.

    Attributes
    ----------
    schema : Arrow schema of every batch.
    records, rows : event records and rows so far.
    stream : the :class:`FeatureStream` behind it.
    """

    def __init__(self, source: EventSource, batch_size: int = 65_536) -> None:
        self.source, self.batch_size = source, batch_size
        self.stream = FeatureStream(source.universe)
        self.records = self.rows = 0
        head = [("ts_ns", pa.int64()), ("seq", pa.int64()), ("symbol", pa.dictionary(pa.int32(), pa.string()))]
        self.schema = pa.schema(head + [(name, pa.float64()) for name in FEATURE_NAMES])

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        symbols = pa.array(self.source.universe.symbols, pa.string())
        for events in self.source.batches(self.batch_size):
            positions, values = self.stream.run(events)
            chosen = events[positions]
            ids = pa.array(chosen["instrument_id"], pa.int32())
            columns = [
                pa.array(chosen["ts_event"]),
                pa.array(chosen["seq"]),
                pa.DictionaryArray.from_arrays(ids, symbols),
                *(pa.array(np.ascontiguousarray(values[:, k])) for k in range(len(FEATURE_NAMES))),
            ]
            self.records += len(events)
            self.rows += len(chosen)
            yield pa.RecordBatch.from_arrays(columns, schema=self.schema)


def feature_table(source: EventSource) -> FeatureTable:
    """Return the :class:`FeatureTable` of ``source``: an iterable of Arrow record batches."""
    return FeatureTable(source)
