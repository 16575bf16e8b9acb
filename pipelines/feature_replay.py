"""Recomputing a run's features as they were: under the microprices of the release in force at each event."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import numpy as np

from chimera_platform.errors import ReleaseError
from chimera_platform.market.instruments import Universe
from chimera_platform.microstructure.feature_names import FEATURE_COUNT
from chimera_platform.microstructure.feature_stream import FeatureStream
from chimera_platform.release_microprice import microprice_record
from chimera_platform.releases import Release, ReleaseStore
from pipelines.rows import Array

Changes = Sequence[tuple[int, str]]  # (first event decided under it, release id or "" for the defaults), in order


def release_changes(connection: duckdb.DuckDBPyConnection, run_id: str) -> Changes:
    """Return the changes of the release in force that a run journaled."""
    query = "SELECT event_no, CAST(release_id AS VARCHAR) FROM staging.releases WHERE run_id = ? ORDER BY release_no"
    return [(int(event_no), str(release_id)) for event_no, release_id in connection.execute(query, [run_id]).fetchall()]


class FeatureReplay:
    """Features at every source event, as the engines saw them.

    Parameters
    ----------
    universe : of the run.
    changes : of the release in force.
    store : where the releases are. One that is not there, or is no longer usable, counts as without microprices: the
        recomputed features then differ from the recorded ones, which the caller finds out.
    """

    def __init__(self, universe: Universe, changes: Changes, store: ReleaseStore) -> None:
        self.universe = universe
        self._changes, self._store = list(changes), store
        self._stream = FeatureStream(universe)

    def run(self, events: Array, first_event_no: int) -> tuple[Array, Array]:
        """Return what :meth:`FeatureStream.run` does, for the events from ``first_event_no`` on."""
        positions, values, begin = [np.zeros(0, np.int64)], [np.zeros((0, FEATURE_COUNT))], 0
        while begin < len(events):
            while self._changes and self._changes[0][0] <= first_event_no + begin:
                self._put_in_force(self._changes.pop(0)[1])
            end = len(events)
            if self._changes:
                end = min(end, self._changes[0][0] - first_event_no)
            found, vectors = self._stream.run(events[begin:end])
            positions.append(found + begin)
            values.append(vectors)
            begin = end
        if len(values) == 2:  # no change: nothing to copy
            return positions[1], values[1]
        return np.concatenate(positions), np.concatenate(values)

    def _put_in_force(self, release_id: str) -> None:
        release = self._loaded(release_id)
        for k, symbol in enumerate(self.universe.symbols):
            self._stream.microprices[k] = microprice_record(release, symbol)[0]

    def _loaded(self, release_id: str) -> Release | None:
        try:
            return self._store.load(release_id) if release_id else None
        except ReleaseError:
            return None
