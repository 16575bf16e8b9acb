"""The UTC days that a journal has data for: the partitions of the batch side."""

from __future__ import annotations

from chimera_platform.journal.segments import read_footer, scan_segments
from chimera_platform.workdir import WorkDir


def days(workdir: WorkDir, table: str = "events") -> list[str]:
    """Return the days (``YYYY-MM-DD``, sorted) of the sealed segments of ``table``, over all runs.

    Raises JournalError where a segment's footer cannot be read.
    """
    found: set[str] = set()
    for run_id in workdir.runs():
        segments, _ = scan_segments(workdir.run_folder(run_id) / table, table)
        found.update(read_footer(segment).day for segment in segments)
    return sorted(found)
