"""``out/intents.parquet``, ``orders.parquet`` and ``fills.parquet`` of a run, in the columns of its journal."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
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
    return {name: _write(name, reader.batches(name), out_folder) for name in tables}


def _write(name: str, batches: Iterable[np.ndarray[Any, Any]], out_folder: Path) -> int:
    table = table_named(name)
    make_folder(out_folder)
    path = out_folder / f"{name}.parquet"
    temporary = out_folder / f".{path.name}.{os.getpid()}.tmp"
    written = 0
    try:
        with pq.ParquetWriter(temporary, table.arrow_schema, compression="zstd") as out:
            for rows in batches:
                out.write_table(table.to_arrow(rows, written))
                written += len(rows)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.rename(path)
        sync_folder(out_folder)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise storage_error(path, error) from error
    return written
