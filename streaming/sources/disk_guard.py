"""A disk that fills up stops the flow in order, while there is still room to seal what it has decided.

Past that point neither the journal nor Bytewax's recovery store could be written, and the process would be aborted.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from chimera_platform.errors import JournalError

RESERVE_BYTES = 64 * 2**20  # unsealed rows, final snapshots and results of the largest run fit several times


def free_bytes(folder: Path) -> int:
    """Return the bytes that may still be written under ``folder``."""
    return shutil.disk_usage(folder).free


def require_room(folder: Path) -> None:
    """Raise JournalError when less than the reserve is free."""
    free = free_bytes(folder)
    if free < RESERVE_BYTES:
        raise JournalError(
            f"{folder}: the disk is full: {free / 1e6:.0f} MB free, the flow needs {RESERVE_BYTES / 1e6:.0f} MB to end "
            "in order. Free some space and run the same command again: it goes on where it stopped"
        )
