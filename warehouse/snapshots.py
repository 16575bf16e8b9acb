"""Snapshots of the warehouse: the fingerprint of the data that a model was trained on."""

from __future__ import annotations

import json

import duckdb

from chimera_platform.errors import WarehouseError
from chimera_platform.workdir import WorkDir
from warehouse.connection import CATALOG, connect


def current_snapshot(connection: duckdb.DuckDBPyConnection) -> int:
    """Return the id of the newest snapshot that ``connection`` sees."""
    return int(connection.execute(f"FROM ducklake_current_snapshot('{CATALOG}')").fetchall()[0][0])


def snapshot_id(workdir: WorkDir) -> int:
    """Return the id of the newest snapshot; read it again with ``SELECT … FROM t AT (VERSION => id)``."""
    connection = connect(workdir)
    try:
        return current_snapshot(connection)
    finally:
        connection.close()


def named_by_releases(workdir: WorkDir) -> set[int]:
    """Return the snapshots that releases were trained on, which expiry must spare.

    Raises WarehouseError where a release's manifest cannot be read: then nothing may be expired.
    """
    named = set()
    for path in sorted(workdir.releases.glob("*/manifest.json")):
        try:
            snapshot = json.loads(path.read_bytes()).get("warehouse_snapshot")
            if snapshot is not None:
                named.add(int(snapshot))
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise WarehouseError(f"{path}: cannot tell which snapshot this release needs ({error})") from error
    return named
