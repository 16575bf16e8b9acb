"""What the journal holds of each UTC day: how many segments, which version of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from chimera_platform.journal.schema import TABLES
from chimera_platform.journal.segments import read_footer, scan_segments
from chimera_platform.workdir import WorkDir


@dataclass(frozen=True)
class JournalDay:
    """One UTC day over all runs and tables.

    Parameters
    ----------
    version : changes whenever a segment comes or goes.
    """

    day: str
    segments: int
    rows: int
    bytes: int
    runs: tuple[str, ...]
    version: str


def journal_days(workdir: WorkDir) -> list[JournalDay]:
    """Return the days for which events are sealed, sorted; raises JournalError where a footer cannot be read."""
    seen: dict[str, list[tuple[str, str, int, int, str]]] = {}
    with_events: set[str] = set()
    for run_id in workdir.runs():
        for table in TABLES:
            segments, _ = scan_segments(workdir.run_folder(run_id) / table, table)
            for segment in segments:
                footer = read_footer(segment)
                row = (run_id, f"{table}/{segment.name}", footer.rows, segment.path.stat().st_size, footer.sha256)
                seen.setdefault(footer.day, []).append(row)
                if table == "events":
                    with_events.add(footer.day)
    return [_summed(day, seen[day]) for day in sorted(with_events)]


def _summed(day: str, rows: list[tuple[str, str, int, int, str]]) -> JournalDay:
    version = hashlib.sha256(repr([(run, name, sha) for run, name, _, _, sha in sorted(rows)]).encode()).hexdigest()[
        :16
    ]
    return JournalDay(
        day=day,
        segments=len(rows),
        rows=sum(row[2] for row in rows),
        bytes=sum(row[3] for row in rows),
        runs=tuple(sorted({row[0] for row in rows})),
        version=version,
    )
