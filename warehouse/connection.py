"""Opening the warehouse: one DuckDB session over the DuckLake catalog of a work folder.

Any number of processes may be connected, reading or writing; none of them can stop a running flow, which never opens
the catalog. The extensions come from Python packages, nothing is downloaded.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import duckdb

from chimera_platform.errors import JournalError, WarehouseError
from chimera_platform.journal.storage import make_folder, storage_error
from chimera_platform.workdir import WorkDir

CATALOG = "chimera"
SCHEMAS = ("marts", "core", "learning", "staging")  # in the order in which an unqualified name is looked up
BUSY_TIMEOUT_MS = 10_000
# Rows kept in the catalog instead of files ("inlining") and their later flushing interfere with reading old snapshots
# (duckdb/ducklake issue 1406), and a release's snapshot has to stay readable.
_INLINED_ROWS = 0
EXTENSIONS = ("ducklake", "sqlite_scanner")
_verified: set[tuple[str, int, int]] = set()
_T = TypeVar("_T")


def catalog_file(workdir: WorkDir) -> Path:
    """Return the path of the SQLite catalog."""
    return workdir.warehouse / "catalog.sqlite"


def data_folder(workdir: WorkDir) -> Path:
    """Return the folder of the table's Parquet files."""
    return workdir.warehouse / "data"


def connect(workdir: WorkDir, read_only: bool = True) -> duckdb.DuckDBPyConnection:
    """Return a DuckDB connection whose unqualified names are the warehouse's relations.

    Parameters
    ----------
    workdir : the work folder.
    read_only : True attaches the catalog read-only and shuts the session off from other files; False creates the
        warehouse where there is none and brings its schema up to date.

    Raises
    ------
    WarehouseError : there is no warehouse yet, it cannot be opened, or its schema is older than the program's.
    """
    from warehouse.migrate import migrate, require_current

    catalog = catalog_file(workdir)
    if read_only:
        if not catalog.is_file():
            raise WarehouseError(f"{workdir.path}: there is no warehouse yet. Run 'chimera ingest' first")
        connection = _attach(workdir, read_only=True)
        try:
            require_current(connection, workdir)
            _shut_off(connection, workdir)
        except BaseException:
            connection.close()
            raise
        return connection
    try:
        make_folder(data_folder(workdir))
        _require_writable(workdir)
    except JournalError as error:
        raise WarehouseError(str(error)) from error
    connection = _attach(workdir, read_only=False)
    try:
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _require_writable(workdir: WorkDir) -> None:
    probe = workdir.warehouse / f".probe.{os.getpid()}.tmp"
    try:
        probe.write_bytes(b"chimera")
        probe.unlink()
    except OSError as error:
        raise storage_error(workdir.warehouse, error) from error


def _extension(name: str, version: str) -> Path:
    spec = importlib.util.find_spec(f"duckdb_extension_{name}")
    if spec is None or spec.origin is None:
        raise WarehouseError(
            f"DuckDB extension '{name}' is missing: install the package duckdb-extension-{name.replace('_', '-')} "
            f"in the version of duckdb, {duckdb.__version__}"
        )
    return Path(spec.origin).parent / "extensions" / version / f"{name}.duckdb_extension"


def load_extensions(connection: duckdb.DuckDBPyConnection) -> str:
    """Load DuckLake and its SQLite catalog from the installed wheels and return DuckDB's version; no network."""
    version = str(connection.execute("PRAGMA version").fetchall()[0][0])
    for name in EXTENSIONS:
        connection.execute(f"LOAD {quoted(_extension(name, version))}")
    return version


def _extension_files() -> frozenset[tuple[str, int, int]]:
    """Return path, size and time of change of the extensions: what this process has seen the signatures of."""
    paths = [_extension(name, f"v{duckdb.__version__}") for name in EXTENSIONS]
    return frozenset((str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in paths if p.is_file())


def _attach(workdir: WorkDir, read_only: bool) -> duckdb.DuckDBPyConnection:
    files = _extension_files()
    settings: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "temp_directory": str(workdir.warehouse / ".duckdb-spill"),
        # Checking the extensions' signatures takes a quarter of a second: once a process is enough for the same files.
        "allow_unsigned_extensions": "true" if files <= _verified else "false",
    }
    connection = duckdb.connect(config=settings)
    try:
        connection.execute("SET TimeZone = 'UTC'")
        load_extensions(connection)
        _verified.update(files)
        options = [
            f"DATA_PATH {quoted(data_folder(workdir).resolve())}",
            "OVERRIDE_DATA_PATH true",  # the catalog holds relative paths: a work folder may be moved
            f"META_BUSY_TIMEOUT {BUSY_TIMEOUT_MS}",
            "READ_ONLY" if read_only else f"META_JOURNAL_MODE 'WAL', DATA_INLINING_ROW_LIMIT {_INLINED_ROWS}",
        ]
        source = quoted(f"ducklake:sqlite:{catalog_file(workdir).resolve()}")
        retry_when_busy(lambda: connection.execute(f"ATTACH {source} AS {CATALOG} ({', '.join(options)})"))
        if not read_only:
            connection.execute(f"USE {CATALOG}")
        return connection
    except duckdb.Error as error:
        connection.close()
        raise WarehouseError(
            f"{catalog_file(workdir)}: cannot be opened ({first_line(error)}). If it is damaged, move the folder "
            f"{workdir.warehouse} away and run 'chimera rebuild': all of it comes from the journal"
        ) from error
    except BaseException:
        connection.close()
        raise


def _shut_off(connection: duckdb.DuckDBPyConnection, workdir: WorkDir) -> None:
    """Resolve names in the layers, and leave the session no file but the warehouse's own."""
    connection.execute(f"SET search_path = '{','.join(f'{CATALOG}.{schema}' for schema in SCHEMAS)}'")
    folder = f"{workdir.warehouse.resolve()}/"
    connection.execute(f"SET allowed_directories = [{quoted(folder)}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def quoted(text: object) -> str:
    """Return ``text`` as an SQL string literal."""
    return "'" + str(text).replace("'", "''") + "'"


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message."""
    return str(error).partition("\n")[0][:300]


def is_conflict(error: BaseException) -> bool:
    """Return whether another writer was in the way, so that doing it again may succeed."""
    text = str(error).lower()
    return isinstance(error, duckdb.Error) and (
        "conflict" in text or "database is locked" in text or "database table is locked" in text
    )


def retry_when_busy(action: Callable[[], _T], attempts: int = 8, wait_s: float = 0.05) -> _T:
    """Return ``action()``, called again with growing pauses while another writer is in the way."""
    for attempt in range(attempts):
        try:
            return action()
        except duckdb.Error as error:
            if attempt + 1 == attempts or not is_conflict(error):
                raise
            time.sleep(wait_s * 2**attempt)
    raise AssertionError("unreachable: the last attempt returns or raises")


@contextmanager
def writer_turn(workdir: WorkDir, timeout_s: float = 600.0) -> Iterator[None]:
    """Wait for the turn to write the warehouse on this machine; WarehouseError after ``timeout_s``.

    Readers and flows are not concerned. Writers of other machines meet at ``staging.writer_turn`` instead.
    """
    try:
        make_folder(workdir.warehouse)
        descriptor = os.open(workdir.warehouse / "writer.lock", os.O_RDWR | os.O_CREAT, 0o644)
    except JournalError as error:
        raise WarehouseError(str(error)) from error
    except OSError as error:
        raise WarehouseError(str(storage_error(workdir.warehouse, error))) from error
    try:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise WarehouseError(
                        f"{workdir.warehouse}: another process has been writing for {timeout_s:.0f} s. "
                        "Wait for it to end, or end it; what it had not committed is undone"
                    ) from None
                time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)
