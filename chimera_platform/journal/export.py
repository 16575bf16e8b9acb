"""``out/intents.parquet``, ``orders.parquet`` and ``fills.parquet`` of a run, in the columns of its journal."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow.parquet as pq

from chimera_platform.journal.reader import JournalReader
from chimera_platform.journal.schema import table_named
from chimera_platform.journal.storage import make_folder, storage_error, sync_folder

OUT_TABLES = ("intents", "orders", "fills")


def write_out(run_folder: Path, out_folder: Path, tables: tuple[str, ...] = OUT_TABLES) -> dict[str, int]:
    """Write the named tables of a run as one Parquet file each; return table → rows.

    The columns are the segments' own; one segment at a time is in memory. Each file appears whole or not at all.
    """
    reader = JournalReader(run_folder)
    make_folder(out_folder)
    written = {}
    for name in tables:
        table = table_named(name)
        path = out_folder / f"{name}.parquet"
        temporary = out_folder / f".{path.name}.{os.getpid()}.tmp"
        written[name] = 0
        try:
            with pq.ParquetWriter(temporary, table.arrow_schema, compression="zstd") as out:
                for rows in reader.batches(name):
                    out.write_table(table.to_arrow(rows, written[name]))
                    written[name] += len(rows)
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.rename(path)
            sync_folder(out_folder)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise storage_error(path, error) from error
    return written
