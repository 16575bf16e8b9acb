"""How many rows the warehouse's relations have."""

from __future__ import annotations

from collections.abc import Sequence

from chimera_platform.workdir import WorkDir
from warehouse.connection import connect


def rows_by_day(workdir: WorkDir, tables: Sequence[str], days: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return staging table → UTC day → rows."""
    connection = connect(workdir)
    try:
        counts = {}
        for name in tables:
            query = (
                f"SELECT CAST(day AS VARCHAR), count(*) FROM staging.{name} "
                "WHERE day IN (SELECT unnest(?::DATE[])) GROUP BY 1"
            )
            found = dict(connection.execute(query, [list(days)]).fetchall())
            counts[name] = {day: int(found.get(day, 0)) for day in days}
        return counts
    finally:
        connection.close()


def rows_of(workdir: WorkDir, relations: Sequence[str]) -> dict[str, int]:
    """Return relation → rows; reads every relation, so one that does not work is found."""
    connection = connect(workdir)
    try:
        return {name: int(connection.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0]) for name in relations}
    finally:
        connection.close()
