"""Writing files so that a crash leaves the old state or the new one, and a plain error when it cannot be done."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from chimera_platform.errors import JournalError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = {errno.EROFS, errno.EACCES, errno.EPERM}
_NOT_A_FOLDER = {errno.ENOTDIR, errno.EEXIST, errno.ELOOP}


def storage_error(path: Path, error: OSError) -> JournalError:
    """Return the error that tells what the operating system refused at ``path`` and how to mend it."""
    if error.errno in _FULL:
        return JournalError(
            f"{path}: no space left to write ({error.strerror}); nothing half-written was kept. "
            "Free space on that disk or choose another --workdir, then run the same command again"
        )
    if error.errno in _REFUSED:
        return JournalError(
            f"{path}: the folder cannot be written ({error.strerror}). "
            "Give this user write permission on it or choose another --workdir"
        )
    if error.errno in _NOT_A_FOLDER:
        return JournalError(f"{path}: expected a folder, but a file stands in the way. Choose another --workdir")
    return JournalError(f"{path}: {error.strerror or error} (errno {error.errno})")


def make_folder(path: Path) -> None:
    """Create ``path`` and its parents; JournalError where that cannot be done."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(path, error) from error


def sync_folder(path: Path) -> None:
    """Make the names in ``path`` durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_temporary(path: Path) -> bool:
    """Return whether ``path`` is a leftover of :func:`write_atomically` rather than a finished file."""
    return path.name.startswith(".") and path.name.endswith(".tmp")


def write_atomically(path: Path, data: bytes | memoryview) -> None:
    """Write ``data`` to ``path`` so that readers and crashes see all of it or none.

    A temporary file in the same folder is written and synced, renamed, and the folder synced. Raises JournalError
    naming the path when the disk is full, read-only or not permitted; then no temporary file stays behind.
    """
    temporary = path.parent / f".{path.name}.{os.getpid()}.tmp"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.rename(path)
        sync_folder(path.parent)
    except OSError as error:
        if temporary.parent.is_dir():
            temporary.unlink(missing_ok=True)
        raise storage_error(path, error) from error
