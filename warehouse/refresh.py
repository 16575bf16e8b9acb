"""Keeping the model tables equal to their SELECT: rows of the changed ranges are deleted and made anew."""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from warehouse.connection import quoted
from warehouse.relations import Relation, tables


class Changes:
    """Which rows of the model tables a transaction makes stale: by run, a range of the refresh column.

    A range may hold more than what changed; making a row anew gives the same row.
    """

    def __init__(self) -> None:
        self._ranges: dict[tuple[str, str, str], tuple[int | str, int | str]] = {}

    def add(self, table: str, run_id: str, column: str, low: int | str, high: int | str) -> None:
        """Note that rows of ``table`` with ``column`` from ``low`` to ``high`` came or went."""
        key = (table, run_id, column)
        if key in self._ranges:
            low, high = min(low, self._ranges[key][0]), max(high, self._ranges[key][1])
        self._ranges[key] = (low, high)

    def predicates(self, relation: Relation) -> list[str]:
        """Return the SQL conditions on the relation's rows that are stale, one a run."""
        stale: dict[str, tuple[int | str, int | str]] = {}
        for (table, run_id, column), (low, high) in self._ranges.items():
            if table in relation.refresh_from and column == relation.refresh_key:
                if run_id in stale:
                    low, high = min(low, stale[run_id][0]), max(high, stale[run_id][1])
                stale[run_id] = (low, high)
        column = relation.refresh_key
        return [
            f"run_id = {quoted(run_id)} AND {column} >= {_literal(low)}"
            + ("" if relation.refresh_later else f" AND {column} <= {_literal(high)}")
            for run_id, (low, high) in stale.items()
        ]


def refresh_columns(table: str) -> tuple[str, ...]:
    """Return the columns of a journal table whose changes the model tables follow."""
    return tuple(dict.fromkeys(r.refresh_key for r in tables() if table in r.refresh_from))


def refresh(connection: duckdb.DuckDBPyConnection, changes: Changes) -> None:
    """Make the stale rows of every model table anew, inside the caller's transaction."""
    for relation in tables():
        for predicate in changes.predicates(relation):
            connection.execute(f"DELETE FROM {relation.full_name} WHERE {predicate}")
            connection.execute(f"INSERT INTO {relation.full_name} {refill(relation, predicate)}")


def forget_run(connection: duckdb.DuckDBPyConnection, names: Iterable[str], run_id: str) -> None:
    """Delete a run's rows from the tables called ``names``."""
    for name in names:
        connection.execute(f"DELETE FROM {name} WHERE run_id = {quoted(run_id)}")


def refill(relation: Relation, predicate: str = "true") -> str:
    """Return the query for the relation's rows for which ``predicate`` holds, in the order of its key."""
    return f"SELECT * FROM ({relation.sql}) AS model WHERE {predicate} ORDER BY {', '.join(relation.key)}"


def _literal(value: int | str) -> str:
    return str(value) if isinstance(value, int) else f"DATE {quoted(value)}"
