"""The writing side of a run's journal: buffers rows, seals them into segments, drops what a resume replays."""

from __future__ import annotations

import itertools
import logging
import struct
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from chimera_platform.errors import JournalError
from chimera_platform.journal.manifest import RunManifest
from chimera_platform.journal.schema import NS_PER_DAY, TABLES, Table, table_named
from chimera_platform.journal.segments import Segment, list_segments, read_rows, write_segment
from chimera_platform.journal.storage import is_temporary, make_folder, storage_error, sync_folder
from chimera_platform.settings import Settings

logger = logging.getLogger(__name__)
_int64_at = struct.Struct("<q").unpack_from


class JournalSettings(Settings):
    """When buffered rows become a segment file."""

    event_segment_rows: int = Field(262_144, ge=1, le=16_777_216, description="rows of a segment of events, at most")
    segment_rows: int = Field(65_536, ge=1, le=16_777_216, description="rows of a segment of another table, at most")
    snapshot_rows: int = Field(
        16_384, ge=0, le=16_777_216, description="unsealed rows a table keeps in a recovery snapshot; more are sealed"
    )
    segment_age_s: float = Field(
        0.0, ge=0.0, le=86_400.0, description="s; seal_due() seals rows that waited longer; 0: age does not seal"
    )


class TableWriter:
    """One table of one run: rows are appended in row-number order and sealed into immutable segments.

    Parameters
    ----------
    folder : the table's folder.
    table : its schema.
    run_id : the run, for the footers.
    rows_max : rows of a segment at most, and so of the buffer.
    """

    def __init__(self, folder: Path, table: Table, run_id: str, rows_max: int) -> None:
        self.folder, self.table, self.run_id, self.rows_max = folder, table, run_id, rows_max
        fields: Any = table.dtype.fields
        self._row_bytes = table.dtype.itemsize
        self._ts_at: int = fields["ts_event"][1]
        self._number_at: int | None = None if table.implied else fields[table.row_number][1]
        make_folder(folder)
        _remove_temporaries(folder)
        self.sealed = _sealed_rows(folder, table)  # rows on disk: the next segment begins with this number
        self.next = self.sealed  # the row number that is appended next
        self._allocate(min(64, rows_max))
        self._count = 0
        self._day_end = 0  # ns UTC: rows from here on begin another segment
        self.oldest_s = 0.0  # monotonic s at which the oldest unsealed row came

    @property
    def unsealed(self) -> int:
        """Rows in the buffer."""
        return self._count

    def append(self, rows: np.ndarray[Any, Any], first: int | None = None) -> None:
        """Append ``rows`` (copied); those already appended are dropped, a gap raises JournalError.

        Parameters
        ----------
        rows : shape (n,), the table's dtype, consecutive row numbers.
        first : row number of ``rows[0]``, where the table's row number is no field of the record.
        """
        n = len(rows)
        if n == 0:
            return
        if rows.dtype != self.table.dtype:
            raise JournalError(f"table '{self.table.name}': rows are of another dtype than the table's")
        data = rows.tobytes()  # copying bytes costs a tenth of assigning structured rows
        if self._number_at is None:
            if first is None:
                raise JournalError(f"table '{self.table.name}': append needs the row number of the first row")
        else:
            first = _int64_at(data, self._number_at)[0]
            last = _int64_at(data, self._number_at + (n - 1) * self._row_bytes)[0]
            if last - first != n - 1:
                raise JournalError(f"table '{self.table.name}': {n} rows numbered {first} to {last} are no sequence")
        if first != self.next:
            if first > self.next:
                raise self._gap(first)
            data = data[(self.next - first) * self._row_bytes :]
            if not data:
                return
        if self._count and _int64_at(data, len(data) - self._row_bytes + self._ts_at)[0] >= self._day_end:
            self._append_over_days(data)
            return
        self._put(data)

    def _gap(self, first: int) -> JournalError:
        return JournalError(
            f"{self.folder}: rows {self.next} to {first - 1} of table '{self.table.name}' never reached the journal. "
            "Delete the work folder's recovery/ and run the same command again: it re-makes what is missing"
        )

    def _append_over_days(self, data: bytes) -> None:
        """Append rows of which some lie behind the buffered day: each earlier day is sealed on its own."""
        ts = np.frombuffer(data, self.table.dtype)["ts_event"]
        days = ts // NS_PER_DAY
        cuts = [0, *(np.flatnonzero(days[1:] != days[:-1]) + 1).tolist(), len(ts)]
        for begin, end in itertools.pairwise(cuts):
            if self._count and int(ts[begin]) >= self._day_end:
                self.seal()
            self._put(data[begin * self._row_bytes : end * self._row_bytes])

    def _put(self, data: bytes) -> None:
        size = self._row_bytes
        while data:
            if self._count == 0:
                self.oldest_s = time.monotonic()
                self._day_end = (_int64_at(data, self._ts_at)[0] // NS_PER_DAY + 1) * NS_PER_DAY
            part = data[: (self.rows_max - self._count) * size]
            end = self._count + len(part) // size
            if end > len(self._rows):
                self._grow(end)
            self._bytes[self._count * size : end * size] = part
            self.next += end - self._count
            self._count = end
            if end == self.rows_max:
                self.seal()
            data = data[len(part) :]

    def _grow(self, rows: int) -> None:
        kept = self._bytes[: self._count * self._row_bytes].tobytes()
        self._allocate(min(self.rows_max, max(rows, 2 * len(self._rows))))
        self._bytes[: len(kept)] = kept

    def _allocate(self, rows: int) -> None:
        self._rows = np.zeros(rows, self.table.dtype)
        self._bytes = self._rows.view(np.uint8).data

    def seal(self) -> list[Segment]:
        """Write the buffered rows to disk, one segment a UTC day; on an error the rows stay buffered."""
        segments = []
        while self._count:
            rows = self._rows[: self._count]
            days = rows["ts_event"] // NS_PER_DAY
            changes = np.flatnonzero(days != days[0])
            end = int(changes[0]) if len(changes) else self._count
            numbers = self.table.numbers(rows[:end], self.sealed)
            if int(numbers[0]) != self.sealed or not np.all(np.diff(numbers) == 1):
                raise JournalError(f"table '{self.table.name}': buffered row numbers do not follow row {self.sealed}")
            segments.append(write_segment(self.folder, self.table, self.run_id, self.sealed, rows[:end]))
            self.sealed += end
            self._rows[: self._count - end] = self._rows[end : self._count].copy()
            self._count -= end
        return segments

    def snapshot(self) -> dict[str, Any]:
        """Return the unsealed rows and where they begin; picklable."""
        return {"first": self.sealed, "rows": self._rows[: self._count].copy()}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take over the unsealed rows of ``snapshot``, without those that were sealed after it was taken."""
        first, rows = int(snapshot["first"]), snapshot["rows"]
        if rows.dtype != self.table.dtype:
            raise JournalError(f"table '{self.table.name}': the recovery snapshot has another row format; use --fresh")
        if first > self.sealed:
            missing = f"rows {self.sealed} to {first - 1} of table '{self.table.name}' are missing from the journal"
            raise JournalError(
                f"{self.folder}: {missing}, though a recovery snapshot counts on them. Delete the work folder's "
                "recovery/ and run the same command again: it re-makes what is missing"
            )
        self._count, self.next = 0, self.sealed
        if first + len(rows) > self.sealed:
            self._put(rows[self.sealed - first :].tobytes())


class JournalWriter:
    """All tables of one run. One writer at a time: the work folder's lock is the caller's to hold.

    Opening removes temporary files that a crash left and checks the last segment of each table. A last segment that
    is damaged (which an atomic rename excludes, but a disk does not) is moved to ``quarantine/`` with a logged
    notice, so that the run re-makes its rows; a damaged earlier segment is found by ``JournalReader.verify``.

    Parameters
    ----------
    run_folder : ``journal/<run_id>``.
    manifest : description of the run; written when new, else compared with the one there.
    settings : when to seal.
    tables : the tables that this writer owns; each table has one owner.
    """

    def __init__(
        self,
        run_folder: Path,
        manifest: RunManifest,
        settings: JournalSettings | None = None,
        tables: Sequence[str] = tuple(TABLES),
    ) -> None:
        self.run_folder, self.manifest, self.settings = (
            run_folder,
            manifest,
            settings or JournalSettings.model_validate({}),
        )
        make_folder(run_folder)
        _remove_temporaries(run_folder)
        manifest.write(run_folder)
        self.tables = {
            name: TableWriter(
                run_folder / name,
                table,
                manifest.run_id,
                self.settings.event_segment_rows if name == "events" else self.settings.segment_rows,
            )
            for name, table in ((name, table_named(name)) for name in tables)
        }
        sync_folder(run_folder)
        self.append_events = self.tables["events"].append

    def append(self, table: str, rows: np.ndarray[Any, Any], first: int | None = None) -> None:
        """Append ``rows`` to ``table``; see :meth:`TableWriter.append`."""
        self.tables[table].append(rows, first)

    def seal_all(self) -> list[Segment]:
        """Write all buffered rows to disk."""
        return [segment for table in self.tables.values() for segment in table.seal()]

    def seal_due(self) -> list[Segment]:
        """Seal the tables whose oldest buffered row waited longer than ``segment_age_s``; cheap when none did."""
        age = self.settings.segment_age_s
        if age <= 0.0:
            return []
        limit = time.monotonic() - age
        return [s for t in self.tables.values() if t.unsealed and t.oldest_s <= limit for s in t.seal()]

    def snapshot(self) -> dict[str, dict[str, Any]]:
        """Return what is needed to go on after a crash: the unsealed rows, at most ``snapshot_rows`` a table."""
        for table in self.tables.values():
            if table.unsealed > self.settings.snapshot_rows:
                table.seal()
        return {name: table.snapshot() for name, table in self.tables.items()}

    def restore(self, snapshot: dict[str, dict[str, Any]]) -> None:
        """Go on from ``snapshot``: rows that were sealed since are not written again."""
        for name, table in self.tables.items():
            if name in snapshot:
                table.restore(snapshot[name])


def _remove_temporaries(folder: Path) -> None:
    for path in folder.iterdir():
        if is_temporary(path):
            logger.warning("removed %s: a write that was cut off", path)
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise storage_error(path, error) from error


def _sealed_rows(folder: Path, table: Table) -> int:
    """Return how many rows are on disk, after moving damaged last segments out of the way."""
    segments = list_segments(folder, table.name)
    while segments:
        try:
            read_rows(segments[-1])
        except JournalError as error:
            quarantine = folder.parent / "quarantine" / table.name
            make_folder(quarantine)
            segments[-1].path.rename(quarantine / segments[-1].name)
            sync_folder(folder)
            logger.warning("moved to %s: %s", quarantine, error)
            segments.pop()
        else:
            return segments[-1].last + 1
    return 0
