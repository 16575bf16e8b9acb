"""The content of the warehouse in one hash a table: equal however the journal was cut and in which order it came."""

from __future__ import annotations

import hashlib

from chimera_platform.journal.schema import TABLES
from chimera_platform.workdir import WorkDir
from warehouse.connection import connect
from warehouse.relations import tables

HASHED = ("runs", "instruments", "enumerations", *TABLES)  # of staging: without the ledger of segments


def content_hash(workdir: WorkDir) -> dict[str, str]:
    """Return table → hash over its rows as a multiset, for the staging tables and the tables of core and marts.

    Comparable between warehouses that the same DuckDB version reads: it is built from that engine's row hash.
    """
    names = [f"staging.{name}" for name in HASHED] + [relation.full_name for relation in tables()]
    connection = connect(workdir)
    try:
        hashes = {}
        for name in names:
            query = f"SELECT count(*), sum(hash(t)::HUGEINT), bit_xor(hash(t)) FROM {name} AS t"
            row = connection.execute(query).fetchall()[0]
            hashes[name] = hashlib.sha256(repr(row).encode()).hexdigest()
        return hashes
    finally:
        connection.close()
