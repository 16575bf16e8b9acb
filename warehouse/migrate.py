"""Bringing the schema up to date: numbered migrations once each, models whenever their text changed."""

from __future__ import annotations

import enum
from functools import partial
from pathlib import Path

import duckdb

from chimera_platform.errors import WarehouseError
from chimera_platform.execution import records
from chimera_platform.market import city_sessions, events
from chimera_platform.regimes import names
from chimera_platform.risk import circuit_breaker
from chimera_platform.signals import records as signals
from chimera_platform.workdir import WorkDir
from warehouse.connection import CATALOG, first_line, is_conflict, quoted, retry_when_busy
from warehouse.refresh import refill
from warehouse.relations import relations

MIGRATIONS = Path(__file__).parent / "migrations"
ENUMERATIONS: tuple[type[enum.IntEnum], ...] = (
    events.EventKind,
    events.StatusCode,
    records.Engine,
    records.IntentReason,
    records.DecisionReason,
    records.RiskEventKind,
    records.OrderType,
    records.TimeInForce,
    records.OrderStatus,
    records.OrderReason,
    records.Liquidity,
    signals.Detector,
    signals.Stage,
    city_sessions.CitySession,
    names.Regime,
    circuit_breaker.BreakerState,
)


def migration_files() -> list[Path]:
    """Return the migrations in the order of their numbers."""
    return sorted(MIGRATIONS.glob("[0-9][0-9][0-9][0-9]_*.sql"))


def migrate(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Apply what is missing in one transaction; return the names of the steps.

    Doing it twice, or in two processes at once, changes nothing more.
    """
    try:
        return retry_when_busy(partial(_apply, connection))
    except duckdb.Error as error:
        hint = "Another process is writing; try again" if is_conflict(error) else "Run 'chimera rebuild'"
        raise WarehouseError(
            f"the warehouse's schema cannot be brought up to date: {first_line(error)}. {hint}"
        ) from error


def _apply(connection: duckdb.DuckDBPyConnection) -> list[str]:
    done: list[str] = []
    if _history_exists(connection) and not _missing(connection):
        return done
    connection.execute("BEGIN")
    try:
        if not _history_exists(connection):
            connection.execute(
                f"CREATE TABLE {CATALOG}.main.schema_history "
                "(step VARCHAR NOT NULL, fingerprint VARCHAR NOT NULL, applied_at TIMESTAMPTZ NOT NULL)"
            )
        for steps in (_migration_steps, _model_steps, _enumeration_steps):
            for name, statements in steps(connection):
                for statement in statements:
                    connection.execute(statement)
                done.append(name)
        connection.execute("COMMIT")
    except BaseException:
        roll_back(connection)
        raise
    return done


def _missing(connection: duckdb.DuckDBPyConnection) -> bool:
    return any(steps(connection) for steps in (_migration_steps, _model_steps, _enumeration_steps))


def require_current(connection: duckdb.DuckDBPyConnection, workdir: WorkDir) -> None:
    """Raise WarehouseError when the schema is not the one that this program reads."""
    try:
        applied = _history(connection)
    except duckdb.CatalogException:
        applied = {}
    wanted = {path.stem for path in migration_files()} | {r.full_name for r in relations()}
    if not wanted <= applied.keys():
        raise WarehouseError(
            f"{workdir.path}: the warehouse was made by an older version (missing: "
            f"{', '.join(sorted(wanted - applied.keys()))}). Run 'chimera ingest' to bring it up to date"
        )


def _history_exists(connection: duckdb.DuckDBPyConnection) -> bool:
    try:
        connection.execute(f"SELECT 1 FROM {CATALOG}.main.schema_history LIMIT 0")
    except duckdb.CatalogException:
        return False
    return True


def _history(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    rows = connection.execute(f"SELECT step, fingerprint FROM {CATALOG}.main.schema_history").fetchall()
    return dict(rows)


_Step = tuple[str, list[str]]


def _migration_steps(connection: duckdb.DuckDBPyConnection) -> list[_Step]:
    applied = _history(connection)
    return [
        (path.stem, [path.read_text(encoding="utf-8"), _recorded(path.stem, "applied")])
        for path in migration_files()
        if path.stem not in applied
    ]


def _model_steps(connection: duckdb.DuckDBPyConnection) -> list[_Step]:
    applied = _history(connection)
    steps: list[_Step] = []
    for relation in relations():
        if applied.get(relation.full_name) == relation.fingerprint:
            continue
        name = relation.full_name
        summary = quoted(f"{relation.summary} Grain: {relation.grain}. Key: {', '.join(relation.key)}.")
        if relation.kind == "view":
            statements = [f"CREATE OR REPLACE VIEW {name} AS {relation.sql}"]
        else:
            statements = [f"DROP TABLE IF EXISTS {name}", f"CREATE TABLE {name} AS {refill(relation)}"]
        statements.append(f"COMMENT ON {relation.kind} {name} IS {summary}")
        steps.append((name, [*statements, _recorded(name, relation.fingerprint)]))
    return steps


def _enumeration_steps(connection: duckdb.DuckDBPyConnection) -> list[_Step]:
    wanted = sorted((e.__name__, int(m), m.name.lower()) for e in ENUMERATIONS for m in e)
    found = connection.execute("SELECT enumeration, code, name FROM staging.enumerations ORDER BY ALL").fetchall()
    if found == wanted:
        return []
    values = ", ".join(f"({quoted(e)}, {code}, {quoted(name)})" for e, code, name in wanted)
    return [("enumerations", ["DELETE FROM staging.enumerations", f"INSERT INTO staging.enumerations VALUES {values}"])]


def _recorded(step: str, fingerprint: str) -> str:
    history = f"{CATALOG}.main.schema_history"
    return (
        f"DELETE FROM {history} WHERE step = {quoted(step)}; "
        f"INSERT INTO {history} VALUES ({quoted(step)}, {quoted(fingerprint)}, now())"
    )


def roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    """Undo the open transaction; a failed commit has already ended it."""
    try:
        connection.execute("ROLLBACK")
    except duckdb.TransactionException:
        return
