"""A run's ``out/*.parquet`` written while the run goes on, in the columns of its journal."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from chimera_platform.coordinator import CoordinatorOutput
from chimera_platform.journal.export import OUT_TABLES
from chimera_platform.journal.schema import table_named
from chimera_platform.journal.storage import make_folder, storage_error, sync_folder

Array = np.ndarray[Any, Any]
GROUP_ROWS = 16_384
"""Rows of a row group: they are gathered before they are written, so the files do not depend on the batches."""


class OutTables:
    """Writes the rows of intents, orders and fills as they come; the files appear, whole, at the end of the block.

    Where the block ends with an error, nothing is left behind and files of an earlier run stay as they are.

    Parameters
    ----------
    folder : where the files are put; made where it is not there.
    """

    def __init__(self, folder: Path) -> None:
        make_folder(folder)
        self._folder = folder
        self._files = {name: _TableFile(name, folder) for name in OUT_TABLES}

    def write(self, output: CoordinatorOutput) -> None:
        """Append the rows of a batch."""
        for name, file in self._files.items():
            file.append(getattr(output, name))

    def __enter__(self) -> OutTables:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                for file in self._files.values():
                    file.finish()
                for file in self._files.values():
                    file.publish()
                sync_folder(self._folder)
        finally:
            for file in self._files.values():
                file.discard()


class _TableFile:
    def __init__(self, name: str, folder: Path) -> None:
        self._table = table_named(name)
        self._path = folder / f"{name}.parquet"
        self._temporary = folder / f".{self._path.name}.{os.getpid()}.tmp"
        self._waiting: list[Array] = []
        self._waiting_rows = self._written = 0
        try:
            self._writer = pq.ParquetWriter(self._temporary, self._table.arrow_schema, compression="zstd")
        except OSError as error:
            raise storage_error(self._path, error) from error

    def append(self, rows: Array) -> None:
        if len(rows) == 0:
            return
        self._waiting.append(rows)
        self._waiting_rows += len(rows)
        if self._waiting_rows >= GROUP_ROWS:
            joined = np.concatenate(self._waiting)
            whole = self._waiting_rows - self._waiting_rows % GROUP_ROWS
            for first in range(0, whole, GROUP_ROWS):
                self._write(joined[first : first + GROUP_ROWS])
            self._waiting, self._waiting_rows = [joined[whole:].copy()], self._waiting_rows - whole

    def finish(self) -> None:
        if self._waiting_rows:
            self._write(np.concatenate(self._waiting))
        try:
            self._writer.close()
            with self._temporary.open("rb") as file:
                os.fsync(file.fileno())
        except OSError as error:
            raise storage_error(self._path, error) from error

    def publish(self) -> None:
        try:
            self._temporary.rename(self._path)
        except OSError as error:
            raise storage_error(self._path, error) from error

    def discard(self) -> None:
        """Close what is open and remove what has not been put in its place."""
        if self._temporary.exists():
            self._writer.close()
            self._temporary.unlink(missing_ok=True)

    def _write(self, rows: Array) -> None:
        try:
            self._writer.write_table(self._table.to_arrow(rows, self._written))
        except OSError as error:
            raise storage_error(self._path, error) from error
        self._written += len(rows)
