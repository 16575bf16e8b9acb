"""`chimera doctor`: is this machine and this work folder fit to run, and how to mend what is not."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import typer

from chimera_platform.cli import options as o
from chimera_platform.cli.output import emit, errors
from chimera_platform.errors import ChimeraError, WarehouseError

_DISK_FREE_BYTES = 2 * 10**9
_PACKAGES = ("bytewax", "dagster", "duckdb", "numba", "numpy", "polars", "pyarrow", "xgboost")


@dataclass(frozen=True)
class Check:
    """One finding; ``mend`` says what to do where ``ok`` is False; ``needed`` is False for what only some jobs need."""

    name: str
    ok: bool
    detail: str
    mend: str = ""
    needed: bool = True


def doctor(workdir: o.WorkdirOption = o.DEFAULT_WORKDIR, as_json: o.JsonOption = False) -> None:
    """Check versions, disk, clock, permissions, locks and the current release; say how to mend each.

    Example: chimera doctor --workdir chimera-data
    """
    checks = [
        _python(),
        *(_package(name) for name in _PACKAGES),
        _quickfix(),
        _kernel_cache(),
        _attempt("ducklake", _ducklake, "run `make setup` again: the DuckDB extension wheels must match duckdb"),
        _disk(workdir),
        _permissions(workdir),
        _clock(workdir),
        _lock(workdir),
        _kill_switch(workdir),
        _attempt("journal", lambda: _journal(workdir), "follow the message: it names the damaged file"),
        _quality(workdir),
        _attempt("release", lambda: _release(workdir), "promote another release: `chimera release promote ID`"),
    ]
    if as_json:
        emit({"ok": all(c.ok or not c.needed for c in checks), "checks": [asdict(c) for c in checks]}, as_json=True)
    else:
        for check in checks:
            mark = "ok  " if check.ok else "FAIL" if check.needed else "note"
            print(f"{mark}  {check.name:<12} {check.detail}" + ("" if check.ok else f"\n      mend: {check.mend}"))
    failed = [check.name for check in checks if check.needed and not check.ok]
    if failed:
        errors.print(f"chimera: {len(failed)} check(s) failed: {', '.join(failed)}")
        raise typer.Exit(1)


def _attempt(name: str, look: Callable[[], str], mend: str) -> Check:
    try:
        return Check(name, True, look())
    except (ChimeraError, OSError, ImportError) as error:
        return Check(name, False, " ".join(str(error).split()), mend)


def _python() -> Check:
    ok = (3, 11) <= sys.version_info < (3, 13)
    mend = "use Python 3.11 or 3.12: Bytewax 0.21 has no wheels for others"
    return Check("python", ok, f"{platform.python_version()} on {platform.platform()}", mend)


def _package(name: str) -> Check:
    mend = "run `make setup`: it installs the locked versions"
    distribution = {"xgboost": "xgboost-cpu"}.get(name, name)
    try:
        importlib.import_module(name)
        return Check(name, True, version(distribution))
    except (ImportError, PackageNotFoundError) as error:
        return Check(name, False, str(error), mend)


def _quickfix() -> Check:
    try:
        return Check("quickfix", True, version("quickfix"), needed=False)
    except PackageNotFoundError:
        return Check("quickfix", False, "not installed", "only for FIX venues: pip install '.[fix]'", needed=False)


def _kernel_cache() -> Check:
    from chimera_platform.kernels import cache_root

    folder = cache_root()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        mend = "set CHIMERA_KERNEL_CACHE to a folder that can be written; without it every start compiles anew"
        return Check("kernel cache", False, f"{folder}: {error.strerror}", mend)
    compiled = sum(1 for _ in folder.rglob("*.nbi"))
    return Check("kernel cache", True, f"{folder}: {compiled} compiled kernels")


def _ducklake() -> str:
    import duckdb

    from warehouse.connection import load_extensions

    with duckdb.connect() as connection:
        try:
            return f"extensions load in DuckDB {load_extensions(connection)}"
        except duckdb.Error as error:
            raise WarehouseError(str(error)) from error


def _existing(path: Path) -> Path:
    """Return ``path`` or the nearest parent that exists."""
    path = path.absolute()
    return next(each for each in (path, *path.parents) if each.exists())


def _disk(workdir: Path) -> Check:
    free = shutil.disk_usage(_existing(workdir)).free
    mend = "free some space, or put --workdir on another disk"
    return Check("disk", free >= _DISK_FREE_BYTES, f"{free / 1e9:.1f} GB free at {workdir}", mend)


def _permissions(workdir: Path) -> Check:
    folder = _existing(workdir)
    mend = "choose a --workdir that you may write"
    try:
        with tempfile.TemporaryFile(dir=folder):
            return Check("permissions", True, f"{folder} can be written")
    except OSError as error:
        return Check("permissions", False, f"{folder}: {error.strerror}", mend)


def _clock(workdir: Path) -> Check:
    mend = "set the system's clock and keep it with NTP or chrony"
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder) / "clock"
        probe.touch()
        skew = abs(probe.stat().st_mtime - time.time())
    resolution = time.get_clock_info("monotonic").resolution
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    ok = skew < 2 and resolution <= 1e-6 and time.gmtime().tm_year >= 2024
    return Check("clock", ok, f"{now}, {skew * 1e3:.0f} ms from the file system's", mend)


def _lock(workdir: Path) -> Check:
    import fcntl

    from chimera_platform.workdir import WorkDir

    path = WorkDir(workdir).lock_file
    if not path.exists():
        return Check("lock", True, "free: no flow has run here")
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = file.read(32).decode("ascii", "replace").strip()
            return Check("lock", True, f"a flow is running here (process {holder}); you are process {os.getpid()}")
    return Check("lock", True, "free")


def _kill_switch(workdir: Path) -> Check:
    from chimera_platform.kill_switch import KillSwitch

    kill = KillSwitch(workdir).kill()
    detail = "not thrown" if kill is None else f"thrown by {kill.by} at {kill.at}: {kill.reason}; flows are held flat"
    return Check(
        "kill switch", kill is None, detail, "`chimera kill --reset --reason WHY` once it is safe", needed=False
    )


def _journal(workdir: Path) -> str:
    from chimera_platform.journal.reader import JournalReader
    from chimera_platform.workdir import WorkDir

    folders = WorkDir(workdir)
    counted: dict[str, Any] = {run: JournalReader(folders.run_folder(run)).verify() for run in folders.runs()}
    if not counted:
        return "no runs yet"
    return "; ".join(f"run {run}: {rows['events']:,} events verified" for run, rows in counted.items())


def _quality(workdir: Path) -> Check:
    from chimera_platform.workdir import WorkDir
    from pipelines.quality import day_table
    from pipelines.quality_policy import load_policy

    folders = WorkDir(workdir)
    mend = "see `chimera quality`: it names what is wrong and takes a day in by `--accept DAY --why TEXT`"
    try:
        load_policy(folders)
        days = day_table(folders) if folders.warehouse.is_dir() and any(folders.warehouse.iterdir()) else []
    except ChimeraError as error:
        return Check("data quality", False, " ".join(str(error).split()), "mend quality.toml, or run `chimera ingest`")
    bad = [f"{day['day']}, run {day['run_id']}" for day in days if day["quarantined"]]
    detail = f"{len(days)} days inspected, {len(bad)} quarantined" + (f": {'; '.join(bad[:5])}" if bad else "")
    return Check("data quality", not bad, detail, mend, needed=False)


def _release(workdir: Path) -> str:
    from chimera_platform.releases import ReleaseStore
    from chimera_platform.workdir import WorkDir

    store = ReleaseStore(WorkDir(workdir).releases)
    current = store.current()
    if current is None:
        return "none promoted: the built-in defaults are in force"
    store.load(current)
    return f"{current} verified"
