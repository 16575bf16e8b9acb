"""A run's manifest as rows: the run itself, and its instruments in exact units."""

from __future__ import annotations

import json

import duckdb

from chimera_platform.journal.manifest import RunManifest
from chimera_platform.journal.source import run_instruments


def write_run(connection: duckdb.DuckDBPyConnection, manifest: RunManifest) -> None:
    """Insert the run and its instruments, inside the caller's transaction."""
    connection.execute(
        "INSERT INTO staging.runs VALUES (?, ?, ?::TIMESTAMPTZ, ?, ?)",
        [
            manifest.run_id,
            manifest.source,
            manifest.created,
            json.dumps(manifest.configuration, sort_keys=True),
            json.dumps(manifest.versions, sort_keys=True),
        ],
    )
    for instrument_id, instrument in enumerate(run_instruments(manifest)):
        connection.execute(
            "INSERT INTO staging.instruments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                manifest.run_id,
                instrument_id,
                instrument.symbol,
                instrument.venue,
                instrument.currency,
                instrument.contract.value,
                *instrument.tick_size.as_integer_ratio(),
                *instrument.lot_size.as_integer_ratio(),
                float(instrument.multiplier),
                instrument.tick_value_nanos,
            ],
        )
