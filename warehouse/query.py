"""Read-only SQL on the warehouse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb
import polars as pl

from chimera_platform.errors import WarehouseError
from chimera_platform.workdir import WorkDir
from warehouse.connection import connect, first_line

_READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)


def run_sql(workdir: WorkDir, query: str, parameters: Sequence[Any] | None = None) -> pl.DataFrame:
    """Return the result of one reading statement.

    Unqualified names are looked up in ``marts``, ``core``, ``staging``, in that order. The session sees no files but
    the warehouse's own and cannot change anything.

    Parameters
    ----------
    workdir : the work folder.
    query : one SELECT, WITH, FROM, SHOW, DESCRIBE, SUMMARIZE or EXPLAIN.
    parameters : values for ``?`` or ``$1`` in it.

    Raises
    ------
    WarehouseError : there is no warehouse, the statement would write, or it is wrong.
    """
    connection = connect(workdir, read_only=True)
    try:
        return query_frame(connection, query, parameters)
    finally:
        connection.close()


def query_frame(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[Any] | None = None
) -> pl.DataFrame:
    """Do :func:`run_sql` on an open read-only connection."""
    try:
        statements = connection.extract_statements(query)
        if len(statements) != 1:
            raise WarehouseError(f"expected one SQL statement, got {len(statements)}")
        if statements[0].type not in _READING:
            kind = statements[0].type.name.replace("_", " ")
            raise WarehouseError(f"the warehouse is read only here: a {kind} statement is refused. Use SELECT")
        return connection.execute(query, parameters).pl()
    except duckdb.Error as error:
        raise WarehouseError(f"SQL: {first_line(error)}") from error
