"""The reading side of a run's journal: verified rows in bounded memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from chimera_platform.errors import JournalError
from chimera_platform.journal.manifest import RunManifest
from chimera_platform.journal.schema import TABLES, table_named
from chimera_platform.journal.segments import Footer, Segment, damaged, list_segments, read_footer, read_rows


class JournalReader:
    """One run's journal, read only. Segments that a running flow seals later are seen by later calls.

    Parameters
    ----------
    run_folder : ``journal/<run_id>``.
    """

    def __init__(self, run_folder: Path) -> None:
        self.run_folder = run_folder
        self.manifest = RunManifest.read(run_folder)
        self.run_id = self.manifest.run_id

    def segments(self, table: str) -> list[Segment]:
        """Return the segments of ``table`` in row order: the index. JournalError on a gap or overlap."""
        table_named(table)
        return list_segments(self.run_folder / table, table)

    def rows(self, table: str) -> int:
        """Return how many rows of ``table`` are sealed."""
        segments = self.segments(table)
        return segments[-1].last + 1 if segments else 0

    def batches(self, table: str, batch_size: int = 65_536, start: int = 0) -> Iterator[np.ndarray[Any, Any]]:
        """Yield the rows from number ``start`` on, ``batch_size`` at a time (the last batch may be shorter).

        Holds one segment and one batch in memory. Each segment's checksum is verified before its rows are given.
        """
        if batch_size < 1 or start < 0:
            raise JournalError(f"batch_size {batch_size} must be >= 1 and start {start} >= 0")
        dtype = table_named(table).dtype
        batch, filled = np.zeros(batch_size, dtype), 0
        for segment in self.segments(table):
            if segment.last < start:
                continue
            rows = read_rows(segment)[max(0, start - segment.first) :]
            while len(rows):
                part = rows[: batch_size - filled]
                batch[filled : filled + len(part)] = part
                filled += len(part)
                rows = rows[len(part) :]
                if filled == batch_size:
                    yield batch
                    batch, filled = np.zeros(batch_size, dtype), 0
        if filled:
            yield batch[:filled]

    def read(self, table: str, start: int = 0, stop: int | None = None) -> np.ndarray[Any, Any]:
        """Return rows ``start`` to ``stop`` (excluded; None: all that are sealed) as one structured array."""
        parts = []
        for segment in self.segments(table):
            if segment.last >= start and (stop is None or segment.first < stop):
                end = None if stop is None else max(0, stop - segment.first)
                parts.append(read_rows(segment)[max(0, start - segment.first) : end])
        return np.concatenate(parts) if parts else np.zeros(0, table_named(table).dtype)

    def footers(self, table: str) -> list[Footer]:
        """Return what each segment says about itself, without reading rows."""
        return [self._own(segment, read_footer(segment)) for segment in self.segments(table)]

    def verify(self) -> dict[str, int]:
        """Read everything; return table → rows. JournalError names the first damaged or missing segment."""
        counted = {}
        for table in TABLES:
            counted[table] = 0
            for segment in self.segments(table):
                self._own(segment, read_footer(segment))
                counted[table] += len(read_rows(segment))
        return counted

    def content_identity(self, table: str = "events") -> str:
        """Return a SHA-256 over the universe and the checksums of the table's segments (footers only)."""
        sha = hashlib.sha256(repr(self.manifest.instruments).encode())
        for footer in self.footers(table):
            sha.update(f"{footer.first}-{footer.last}:{footer.sha256}\n".encode())
        return sha.hexdigest()

    def _own(self, segment: Segment, footer: Footer) -> Footer:
        if footer.run_id != self.run_id:
            raise damaged(segment.path, f"belongs to run {footer.run_id}, this is run {self.run_id}")
        return footer
