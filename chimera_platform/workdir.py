"""The work folder: where a flow and its batch side keep everything, and the lock that lets one flow at a time write."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chimera_platform.errors import JournalError
from chimera_platform.journal.storage import make_folder, storage_error

FOLDERS = ("journal", "warehouse", "releases", "recovery", "out", "reports", "telemetry")


class WorkDir:
    """Paths under one work folder. Constructing it touches nothing; :meth:`prepare` creates the folders.

    Parameters
    ----------
    path : the work folder (``--workdir``).
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.journal = self.path / "journal"
        self.warehouse = self.path / "warehouse"
        self.releases = self.path / "releases"
        self.recovery = self.path / "recovery"
        self.out = self.path / "out"
        self.reports = self.path / "reports"
        self.telemetry = self.path / "telemetry"
        self.lock_file = self.path / "flow.lock"

    def __repr__(self) -> str:
        return f"WorkDir({str(self.path)!r})"

    def prepare(self) -> WorkDir:
        """Create the folders that are missing and check that they can be written; JournalError otherwise."""
        for name in FOLDERS:
            make_folder(self.path / name)
        probe = self.path / f".probe.{os.getpid()}.tmp"
        try:
            probe.write_bytes(b"chimera")
            probe.unlink()
        except OSError as error:
            raise storage_error(self.path, error) from error
        return self

    def require(self) -> WorkDir:
        """Return self when the folder exists; JournalError naming it otherwise (for commands that only read)."""
        if not self.path.exists():
            raise JournalError(f"{self.path}: no such work folder. Name the one a run has written with --workdir")
        if not self.path.is_dir():
            raise JournalError(f"{self.path}: the work folder is a file. Choose another --workdir")
        return self

    def run_folder(self, run_id: str) -> Path:
        """Return the journal folder of one run."""
        return self.journal / run_id

    def runs(self) -> list[str]:
        """Return the ids of the runs in the journal, sorted."""
        if not self.journal.is_dir():
            return []
        return sorted(p.parent.name for p in self.journal.glob("*/run.json"))

    @contextmanager
    def lock(self, process: int = 0) -> Iterator[None]:
        """Hold the work folder for one writing flow; JournalError naming the holder when another flow has it.

        Parameters
        ----------
        process : number of this process in the flow's cluster; each holds a lock of its own, so that a second flow
            is refused whichever of its processes comes first.

        An advisory lock of the operating system: it goes with the process, so a killed flow leaves none behind.
        Commands that only read do not take it.
        """
        self.prepare()
        lock_file = self.lock_file if process == 0 else self.lock_file.with_name(f"flow.{process}.lock")
        try:
            descriptor = os.open(lock_file, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise storage_error(lock_file, error) from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
                raise JournalError(
                    f"{self.path}: another flow (process {holder}) is writing this work folder. "
                    "Stop that one first, or choose another --workdir"
                ) from error
            try:
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            except OSError as error:
                raise storage_error(lock_file, error) from error
            yield
            os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)
