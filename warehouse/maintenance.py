"""Keeping the warehouse small and fast: merging small files, forgetting old snapshots, removing files none needs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
from pydantic import Field

from chimera_platform.errors import WarehouseError
from chimera_platform.settings import Settings
from chimera_platform.workdir import WorkDir
from warehouse.connection import CATALOG, connect, data_folder, first_line, quoted, writer_turn
from warehouse.snapshots import current_snapshot, named_by_releases

_REWRITTEN_FROM = 0.5  # share of a file's rows that are deleted, from which on it is written anew without them


class MaintenanceSettings(Settings):
    """What is kept, and how long."""

    snapshot_days: float = Field(7.0, ge=0.0, le=3650.0, description="days; older snapshots expire, but a release's")
    file_grace_hours: float = Field(
        24.0, ge=0.0, le=8760.0, description="hours between a file's last use and its removal; outlasts any query"
    )
    file_megabytes: int = Field(128, ge=1, le=4096, description="MB (1e6 bytes) that a merged data file has, about")


@dataclass(frozen=True)
class MaintenanceResult:
    """What was done; counts of files and snapshots."""

    files_before: int
    files_after: int
    snapshots_expired: int
    snapshots_kept: int
    files_removed: int
    orphans_removed: int


def maintain(
    workdir: WorkDir, settings: MaintenanceSettings | None = None, now: datetime | None = None
) -> MaintenanceResult:
    """Compact, expire and clean up; safe while readers are connected.

    Holds the writers' turn throughout: expiring snapshots beside a writer's open transaction could lose its deletes
    (duckdb/ducklake issue 1472). Snapshots that a release names are never expired, and every kept
    snapshot reads the same rows before and after.
    """
    policy = settings or MaintenanceSettings.model_validate({})
    now = now or datetime.now(UTC)
    with writer_turn(workdir):
        connection = connect(workdir, read_only=False)
        try:
            before = _files(connection)
            _merge(connection, policy)
            expired = _expire(connection, workdir, now - timedelta(days=policy.snapshot_days))
            unused_since = _timestamp(now - timedelta(hours=policy.file_grace_hours))
            removed = _rows(connection, f"CALL ducklake_cleanup_old_files('{CATALOG}', older_than => {unused_since})")
            orphans = _remove_orphans(connection, workdir, unused_since)
            kept = len(_rows(connection, f"SELECT snapshot_id FROM ducklake_snapshots('{CATALOG}')"))
            after = _files(connection)
        except duckdb.Error as error:
            raise WarehouseError(f"{workdir.warehouse}: maintenance failed: {first_line(error)}") from error
        finally:
            connection.close()
    return MaintenanceResult(before, after, expired, kept, len(removed), orphans)


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple[object, ...]]:
    return connection.execute(query).fetchall()


def _timestamp(moment: datetime) -> str:
    return f"TIMESTAMPTZ {quoted(moment.isoformat())}"


def _files(connection: duckdb.DuckDBPyConnection) -> int:
    row = connection.execute(f"SELECT sum(file_count) FROM ducklake_table_info('{CATALOG}')").fetchall()[0]
    return int(row[0] or 0)


def _merge(connection: duckdb.DuckDBPyConnection, policy: MaintenanceSettings) -> None:
    connection.execute(f"CALL {CATALOG}.set_option('target_file_size', '{policy.file_megabytes}MB')")
    connection.execute("BEGIN")  # outside a transaction the call fails when it has rewritten something
    connection.execute(f"CALL ducklake_rewrite_data_files('{CATALOG}', delete_threshold => {_REWRITTEN_FROM})")
    connection.execute("COMMIT")
    connection.execute(f"CALL ducklake_merge_adjacent_files('{CATALOG}')")


def _expire(connection: duckdb.DuckDBPyConnection, workdir: WorkDir, before: datetime) -> int:
    spared = named_by_releases(workdir) | {current_snapshot(connection)}
    query = f"SELECT snapshot_id FROM ducklake_snapshots('{CATALOG}') WHERE snapshot_time < {_timestamp(before)}"
    stale = sorted({int(str(row[0])) for row in _rows(connection, query)} - spared)
    if stale:
        versions = ", ".join(map(str, stale))
        connection.execute(f"CALL ducklake_expire_snapshots('{CATALOG}', versions => [{versions}])")
    return len(stale)


def _remove_orphans(connection: duckdb.DuckDBPyConnection, workdir: WorkDir, unused_since: str) -> int:
    """Remove what a crash between writing a file and committing it left behind.

    The list is compared with the files that the catalog knows before anything goes: an engine that mistakes a live
    file for an orphan (duckdb/ducklake issue 815) must not cost data.
    """
    call = f"CALL ducklake_delete_orphaned_files('{CATALOG}', older_than => {unused_since}"
    orphans = {Path(str(row[0])).name for row in _rows(connection, f"{call}, dry_run => true)")}
    metadata = f"__ducklake_metadata_{CATALOG}"
    known = {
        Path(str(row[0])).name
        for table in ("ducklake_data_file", "ducklake_delete_file", "ducklake_files_scheduled_for_deletion")
        for row in _rows(connection, f"SELECT path FROM {metadata}.{table}")
    }
    if orphans & known:
        raise WarehouseError(
            f"{data_folder(workdir)}: DuckLake takes {len(orphans & known)} files in use for orphans; none was removed"
        )
    return len(_rows(connection, f"{call})")) if orphans else 0
