"""Writing a command's table as one Parquet file, batch by batch, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from chimera_platform.errors import DataError


def write_parquet(batches: Iterable[pa.RecordBatch], path: Path) -> int:
    """Write ``batches`` to ``path`` and return the number of rows; nothing is left behind on an error.

    Raises
    ------
    DataError
        Naming the file when it cannot be written, or when there is no row to write.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    rows, writer = 0, None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for batch in batches:
            if writer is None:
                writer = pq.ParquetWriter(temporary, batch.schema, compression="zstd")
            writer.write_batch(batch)
            rows += batch.num_rows
        if writer is None:
            raise DataError(f"{path}: the source gave no rows to write")
        writer.close()
        writer = None
        temporary.replace(path)
    except OSError as error:
        raise DataError(f"{path}: cannot write: {error.strerror or error}") from error
    finally:
        if writer is not None:
            writer.close()
        if path.parent.is_dir():
            temporary.unlink(missing_ok=True)
    return rows
