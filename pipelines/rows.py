"""The warehouse's rows as the kernels' records, and derived rows back into the warehouse."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from chimera_platform.errors import WarehouseError
from chimera_platform.journal.manifest import RunManifest
from chimera_platform.journal.schema import table_named
from chimera_platform.market.instruments import Instrument, Universe
from chimera_platform.workdir import WorkDir
from warehouse.connection import connect, first_line, is_conflict, writer_turn
from warehouse.migrate import roll_back

logger = logging.getLogger(__name__)

BATCH_ROWS = 1_000_000
ATTEMPTS = 6

Array = np.ndarray[Any, Any]


def read_rows(connection: duckdb.DuckDBPyConnection, table: str, where: str, parameters: Sequence[Any] = ()) -> Array:
    """Return rows of a staging table as an array of the journal table's dtype, in row-number order."""
    spec = table_named(table)
    columns = ", ".join(spec.arrow_schema.names)
    query = f"SELECT {columns} FROM staging.{table} WHERE {where} ORDER BY {spec.row_number}"
    return spec.from_arrow(connection.execute(query, list(parameters)).to_arrow_table())


def event_batches(connection: duckdb.DuckDBPyConnection, run_id: str, last_day: str) -> Iterator[tuple[int, Array]]:
    """Yield (first event number, EVENT_DTYPE rows) of a run from its start to the end of ``last_day``."""
    spec = table_named("events")
    columns = ", ".join(spec.arrow_schema.names)
    query = f"SELECT {columns} FROM staging.events WHERE run_id = ? AND day <= ?::DATE ORDER BY event_no"
    for batch in connection.execute(query, [run_id, last_day]).to_arrow_reader(BATCH_ROWS):
        if batch.num_rows:
            yield batch.column(0)[0].as_py(), spec.from_arrow(pa.Table.from_batches([batch]))


def run_days(connection: duckdb.DuckDBPyConnection, days: Sequence[str] | None = None) -> dict[str, list[str]]:
    """Return run → its UTC days with events, sorted; only ``days`` where they are given."""
    query = (
        "SELECT DISTINCT run_id, CAST(day AS VARCHAR) FROM staging.segments WHERE table_name = 'events' ORDER BY ALL"
    )
    found: dict[str, list[str]] = {}
    for run_id, day in connection.execute(query).fetchall():
        if days is None or day in days:
            found.setdefault(run_id, []).append(day)
    return found


def run_universe(workdir: WorkDir, run_id: str) -> Universe:
    """Return the instruments of a run, with their fees."""
    manifest = RunManifest.read(workdir.run_folder(run_id))
    return Universe([Instrument.model_validate(settings) for settings in manifest.instruments])


def as_columns(rows: Array, **constants: Any) -> pa.Table:
    """Return a structured array as Arrow columns, with further columns that hold one value each or an array."""
    columns = {name: pa.array(np.ascontiguousarray(rows[name])) for name in rows.dtype.names or ()}
    for name, value in constants.items():
        columns[name] = pa.array(value if isinstance(value, np.ndarray) else [value] * len(rows))
    return pa.table(columns)


def tables_by_day(name: str, rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], dict[str, pa.Table]]:
    """Return what :func:`replace_days` takes, from rows of one table that hold ``run_id`` and ``day`` too."""
    days: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        days.setdefault((row["run_id"], row["day"]), []).append(row)
    return {
        key: {name: pa.table({c: [row[c] for row in mine] for c in mine[0] if c not in ("run_id", "day")})}
        for key, mine in days.items()
    }


def replace_days(workdir: WorkDir, days: Mapping[tuple[str, str], Mapping[str, pa.Table]]) -> None:
    """Replace runs' days in tables of the ``learning`` schema, all in one transaction.

    Parameters
    ----------
    days : (run, UTC day) → table name in the schema → its columns without ``run_id`` and ``day``.

    Raises
    ------
    WarehouseError
        If it cannot be written; a conflict with another writer is tried again a few times first.
    """
    if not days:
        return
    with writer_turn(workdir):
        connection = connect(workdir, read_only=False)
        try:
            for attempt in range(ATTEMPTS):
                try:
                    _replace(connection, days)
                    return
                except duckdb.Error as error:
                    if attempt + 1 == ATTEMPTS or not is_conflict(error):
                        raise WarehouseError(f"{workdir.warehouse}: cannot be written: {first_line(error)}") from error
                    logger.warning("another writer was first (%s); beginning again", first_line(error))
                    time.sleep(0.1 * 2**attempt)
        finally:
            connection.close()


def _replace(connection: duckdb.DuckDBPyConnection, days: Mapping[tuple[str, str], Mapping[str, pa.Table]]) -> None:
    by_table: dict[str, list[pa.Table]] = {}
    connection.execute("BEGIN")
    try:
        connection.execute("UPDATE staging.writer_turn SET turn = turn + 1")
        for (run_id, day), tables in days.items():
            for name, columns in tables.items():
                connection.execute(f"DELETE FROM learning.{name} WHERE run_id = ? AND day = ?::DATE", [run_id, day])
                keyed = columns.append_column("run_id", pa.array([run_id] * columns.num_rows, pa.string()))
                by_table.setdefault(name, []).append(
                    keyed.append_column("day", pa.array([day] * columns.num_rows, pa.string()))
                )
        for name, parts in by_table.items():
            connection.register("new_rows", pa.concat_tables(parts))
            connection.execute(f"INSERT INTO learning.{name} BY NAME FROM new_rows SELECT * REPLACE (day::DATE AS day)")
            connection.unregister("new_rows")
        connection.execute("COMMIT")
    except BaseException:
        roll_back(connection)
        raise


def days_behind(workdir: WorkDir, table: str) -> list[str]:
    """Return the UTC days on which some run has other events than ``table`` (run_id, day, events) says."""
    connection = connect(workdir)
    try:
        query = f"""
            SELECT DISTINCT CAST(s.day AS VARCHAR)
            FROM (
                SELECT run_id, day, sum(last_row - first_row + 1) AS events
                FROM staging.segments WHERE table_name = 'events' GROUP BY ALL
            ) AS s
            LEFT JOIN {table} AS t ON t.run_id = s.run_id AND t.day = s.day
            WHERE t.events IS DISTINCT FROM s.events ORDER BY ALL"""
        return [day for (day,) in connection.execute(query).fetchall()]
    finally:
        connection.close()
