"""What is kept of a run while it goes on: its digest, its counts, and the rows that its metrics need."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.configuration import Configuration
from chimera_platform.coordinator import CoordinatorOutput
from chimera_platform.digest import RunDigest
from chimera_platform.execution.records import (
    DECISION_DTYPE,
    FILL_DTYPE,
    INTENT_DTYPE,
    MARK_DTYPE,
    ORDER_EVENT_DTYPE,
    RISK_EVENT_DTYPE,
    RISK_MARK_DTYPE,
)
from chimera_platform.portfolio.event_time import DAY_DTYPE, merge_days
from chimera_platform.portfolio.performance import Performance, measure

Array = np.ndarray[Any, Any]

TABLES: dict[str, np.dtype[Any]] = {
    "intents": INTENT_DTYPE,
    "decisions": DECISION_DTYPE,
    "orders": ORDER_EVENT_DTYPE,
    "fills": FILL_DTYPE,
    "marks": MARK_DTYPE,
    "risk_events": RISK_EVENT_DTYPE,
    "risk_marks": RISK_MARK_DTYPE,
}
"""Name and dtype of a run's tables."""

SUMMARY_FIELDS: dict[str, tuple[str, ...]] = {
    "intents": ("intent_no", "ts_event", "instrument_id", "reason", "engine", "side", "regime"),
    "decisions": ("instrument_id", "reason", "engine", "approved"),
    "orders": (
        "order_no", "ts_event", "ts_sent", "size", "filled", "instrument_id", "reason", "engine", "order_type",
        "status", "is_exit",
    ),
    "fills": FILL_DTYPE.names or (),
    "marks": (
        "ts_event", "position", "value_nanos", "realised_nanos", "fees_nanos", "equity_nanos", "instrument_id",
        "engine",
    ),
    "risk_events": RISK_EVENT_DTYPE.names or (),
    "risk_marks": RISK_MARK_DTYPE.names or (),
}  # fmt: skip
"""The fields that metrics and reports read; a year of ticks comes to some hundred megabytes of them."""


def summary_dtype(table: str) -> np.dtype[Any]:
    """Return the dtype of a table with its summary fields alone."""
    dtype = TABLES[table]
    return np.dtype([(name, dtype[name]) for name in SUMMARY_FIELDS[table]])


class RunLedger:
    """The account of one run, written batch by batch.

    Parameters
    ----------
    configuration : of the run; its starting equity is read.
    tables : the tables of which rows are kept; of fills and marks they always are.
    whole_rows : keep all fields of every row, not only :data:`SUMMARY_FIELDS`.
    """

    def __init__(self, configuration: Configuration, tables: tuple[str, ...] = (), *, whole_rows: bool = False) -> None:
        self.starting_equity = float(configuration.account.starting_equity)
        self.events = self.intents = 0
        self.days: Array = np.zeros(0, DAY_DTYPE)
        self._digest = RunDigest()
        self._dtypes = {
            name: TABLES[name] if whole_rows else summary_dtype(name)
            for name in TABLES
            if name in ("fills", "marks", *tables)
        }
        self._kept: dict[str, list[Array]] = {name: [] for name in self._dtypes}

    def take(self, events: int, days: Array, output: CoordinatorOutput) -> None:
        """Take over what a batch brought.

        Parameters
        ----------
        events : how many the batch had.
        days : DAY_DTYPE rows of their days.
        output : the rows.
        """
        self.events += events
        self.intents += len(output.intents)
        same_days = len(days) == len(self.days) and (days == self.days).all()
        self.days = self.days if same_days else merge_days(self.days, days)
        self._digest.update(output.intents, output.orders, output.fills)
        for name, dtype in self._dtypes.items():
            rows = getattr(output, name)
            if len(rows):
                self._kept[name].append(_with_fields(rows, dtype))

    @property
    def digest(self) -> str:
        """Of the rows so far."""
        return self._digest.hexdigest()

    def rows(self, table: str) -> Array:
        """Return the rows kept of a table so far; none where they are not kept."""
        parts = self._kept.get(table, [])
        if len(parts) > 1:
            parts[:] = [np.concatenate(parts)]
        return parts[0] if parts else np.zeros(0, self._dtypes.get(table, summary_dtype(table)))

    def performance(self, activity: Array | None = None, impact_coefficient: float = 1.0) -> Performance:
        """Return the metrics of the run so far; the capacity with the markets' MARKET_ACTIVITY_DTYPE rows only."""
        fills, marks = self.rows("fills"), self.rows("marks")
        return measure(fills, marks, self.days, self.starting_equity, activity, impact_coefficient)


def _with_fields(rows: Array, dtype: np.dtype[Any]) -> Array:
    """Return ``rows`` with the fields of ``dtype`` alone."""
    if rows.dtype == dtype:
        return rows
    kept = np.empty(len(rows), dtype)
    for name in dtype.names or ():
        kept[name] = rows[name]
    return kept
