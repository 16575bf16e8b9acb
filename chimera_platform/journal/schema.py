"""The tables of the journal and their form in Arrow: one column per field, one per feature of a feature vector."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from chimera_platform.errors import JournalError
from chimera_platform.execution.records import (
    DECISION_DTYPE,
    FILL_DTYPE,
    INTENT_DTYPE,
    MARK_DTYPE,
    ORDER_EVENT_DTYPE,
    RELEASE_CHANGE_DTYPE,
    RISK_EVENT_DTYPE,
    RISK_MARK_DTYPE,
)
from chimera_platform.market.events import EVENT_DTYPE
from chimera_platform.microstructure.feature_names import FEATURE_NAMES

SCHEMA_VERSION = 4  # of the segment files; raised when a dtype below changes
NS_PER_DAY = 86_400_000_000_000
VECTOR_NAMES: dict[str, tuple[str, ...]] = {"features": FEATURE_NAMES}  # column names of fields that are vectors


@dataclass(frozen=True)
class Table:
    """One journal table.

    Parameters
    ----------
    name : folder name under the run's folder.
    dtype : packed record of one row.
    row_number : the column that counts the run's rows from 0; where ``implied`` it is no field of the record.
    implied : whether the row number is given beside the rows instead of inside them.
    """

    name: str
    dtype: np.dtype[Any]
    row_number: str
    implied: bool = False

    @cached_property
    def arrow_schema(self) -> pa.Schema:
        """The Parquet columns, row number first where it is implied."""
        return self.to_arrow(np.zeros(0, self.dtype), 0).schema

    @cached_property
    def description(self) -> list[list[Any]]:
        """The dtype as JSON-able lists, kept in each footer so that a segment explains itself."""
        return [[name, self.dtype[name].str, list(self.dtype[name].shape)] for name in self.dtype.names or ()]

    def to_arrow(self, rows: np.ndarray[Any, Any], first: int) -> pa.Table:
        """Return ``rows`` (shape (n,)) as columns; ``first`` is the row number of the first one."""
        columns: dict[str, pa.Array] = {}
        if self.implied:
            columns[self.row_number] = pa.array(np.arange(first, first + len(rows), dtype=np.int64))
        for name in self.dtype.names or ():
            values = rows[name]
            if values.ndim == 2:
                for k, column in enumerate(VECTOR_NAMES[name]):
                    columns[column] = pa.array(np.ascontiguousarray(values[:, k]))
            elif values.dtype.kind == "S":
                columns[name] = pa.array(np.char.decode(values, "ascii") if len(values) else [], type=pa.string())
            else:
                columns[name] = pa.array(np.ascontiguousarray(values))
        return pa.table(columns)

    def from_arrow(self, columns: pa.Table) -> np.ndarray[Any, Any]:
        """Return the packed rows of ``columns`` (the inverse of :meth:`to_arrow`)."""
        rows = np.zeros(columns.num_rows, self.dtype)
        for name in self.dtype.names or ():
            base = self.dtype[name].base
            if self.dtype[name].shape:
                for k, column in enumerate(VECTOR_NAMES[name]):
                    rows[name][:, k] = columns.column(column).to_numpy()
            elif base.kind == "S":
                rows[name] = np.array([v.encode("ascii") for v in columns.column(name).to_pylist()], dtype=base)
            else:
                rows[name] = columns.column(name).to_numpy()
        return rows

    def numbers(self, rows: np.ndarray[Any, Any], first: int) -> np.ndarray[Any, Any]:
        """Return the row numbers of ``rows``: the field's, or counted from ``first`` where implied."""
        if self.implied:
            return np.arange(first, first + len(rows), dtype=np.int64)
        return np.asarray(rows[self.row_number])


TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        Table("events", EVENT_DTYPE, "event_no", implied=True),
        Table("intents", INTENT_DTYPE, "intent_no"),
        Table("decisions", DECISION_DTYPE, "intent_no"),
        Table("orders", ORDER_EVENT_DTYPE, "order_event_no"),
        Table("fills", FILL_DTYPE, "fill_no"),
        Table("marks", MARK_DTYPE, "mark_no"),
        Table("risk_events", RISK_EVENT_DTYPE, "risk_event_no"),
        Table("risk_marks", RISK_MARK_DTYPE, "risk_mark_no"),
        Table("releases", RELEASE_CHANGE_DTYPE, "release_no"),
    )
}


def table_named(name: str) -> Table:
    """Return the table called ``name``; JournalError naming the known ones otherwise."""
    try:
        return TABLES[name]
    except KeyError:
        raise JournalError(f"unknown journal table {name!r}; known: {', '.join(TABLES)}") from None


def content_hash(rows: np.ndarray[Any, Any]) -> str:
    """Return the SHA-256 over the packed little-endian bytes of ``rows``."""
    return hashlib.sha256(np.ascontiguousarray(rows).data).hexdigest()


def day_name(ts_ns: int) -> str:
    """Return the UTC day of a time as ``YYYY-MM-DD``."""
    return str(np.datetime64(int(ts_ns) // NS_PER_DAY, "D"))
