"""How far a run's journal goes."""

from __future__ import annotations

from pathlib import Path

from chimera_platform.journal.schema import TABLES
from chimera_platform.journal.segments import list_segments, read_rows

_AHEAD = "releases"  # written before the events that it concerns


def first_event_not_in(run_folder: Path) -> int:
    """Return the first event (``event_no``) that no sealed row of the run in ``run_folder`` is about.

    Raises
    ------
    JournalError : the last segment of a table is damaged.
    """
    ends = [0]
    for name in TABLES:
        segments = list_segments(run_folder / name, name) if name != _AHEAD else []
        if segments:
            is_event = name == "events"
            ends.append((segments[-1].last if is_event else int(read_rows(segments[-1])["event_no"][-1])) + 1)
    return max(ends)
