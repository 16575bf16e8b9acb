"""What the steps from the warehouse to a release share: examples at a snapshot, and the folder between the steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from chimera_platform.errors import DataError, ReleaseError
from chimera_platform.journal.schema import table_named
from chimera_platform.journal.storage import write_atomically
from chimera_platform.learning.labels import LABEL_DTYPE
from chimera_platform.releases import Release, ReleaseStore, canonical_json
from chimera_platform.workdir import WorkDir

_EXAMPLES = """
WITH usable AS (
    SELECT n.*, l.* EXCLUDE (run_id, day, intent_no), i.symbol, r.created
    FROM learning.labelled_intents AS l {at}
    JOIN staging.intents AS n {at} ON n.run_id = l.run_id AND n.intent_no = l.intent_no
    JOIN staging.instruments AS i {at} ON i.run_id = n.run_id AND i.instrument_id = n.instrument_id
    JOIN staging.runs AS r {at} ON r.run_id = n.run_id
    JOIN learning.data_quality AS q {at} ON q.run_id = n.run_id AND q.day = n.day AND NOT q.quarantined
    WHERE l.features_equal
)
FROM usable
QUALIFY row_number() OVER (PARTITION BY symbol, ts_event, seq, engine, side ORDER BY created DESC, run_id) = 1
ORDER BY ts_event, run_id, intent_no
"""
"""Intents of days that passed inspection, whose features could be recomputed; one seen by several runs counts once."""


def learning_folder(workdir: WorkDir) -> Path:
    """Return the folder in which one step leaves what the next one takes up."""
    return workdir.path / "learning"


def load_labelled(
    connection: duckdb.DuckDBPyConnection, snapshot: int
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], list[str]]:
    """Return the usable intents as they were at a snapshot of the warehouse, their labels, and the runs they are of.

    Returns
    -------
    INTENT_DTYPE and LABEL_DTYPE arrays, row for row, and run ids.
    """
    rows = connection.execute(_EXAMPLES.format(at=f"AT (VERSION => {snapshot})")).to_arrow_table()
    labels = np.zeros(rows.num_rows, LABEL_DTYPE)
    for name in LABEL_DTYPE.names or ():
        labels[name] = rows.column(name).to_numpy()
    return table_named("intents").from_arrow(rows), labels, sorted(set(rows.column("run_id").to_pylist()))


def champion_release(store: ReleaseStore) -> Release | None:
    """Return the release in force; None before the first one, and where the one in force is no longer usable."""
    current = store.current()
    if current is None:
        return None
    try:
        return store.load(current)
    except ReleaseError:
        return None


def leave(path: Path, value: dict[str, Any]) -> None:
    """Write what the next step takes up."""
    write_atomically(path, canonical_json(value))


def take(path: Path) -> dict[str, Any]:
    """Return what the step before left; DataError where it has not run."""
    try:
        value: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise DataError(f"{path} is missing: the step before has not run; `chimera train` runs them all") from None
    except ValueError as error:
        raise DataError(f"{path} is damaged ({error}); `chimera train` makes it anew") from error
    return value
