"""Journal → warehouse: every sealed segment once, its rows and its ledger entry in one transaction."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from chimera_platform.errors import JournalError, WarehouseError
from chimera_platform.journal.manifest import RunManifest
from chimera_platform.journal.schema import TABLES, table_named
from chimera_platform.journal.segments import Footer, Segment, read_columns, read_footer, scan_segments
from chimera_platform.journal.source import run_instruments
from chimera_platform.workdir import WorkDir
from warehouse.connection import CATALOG, connect, first_line, is_conflict, quoted, writer_turn
from warehouse.migrate import roll_back
from warehouse.refresh import Changes, forget_run, refresh, refresh_columns
from warehouse.relations import tables as model_tables
from warehouse.runs import write_run
from warehouse.snapshots import current_snapshot

logger = logging.getLogger(__name__)

ROWS_PER_COMMIT = 16_000_000  # bounds what a crash or a conflict repeats
ROWS_PER_INSERT = 1_000_000  # bounds memory, and makes files large enough to scan well
READERS, READ_AHEAD = 2, 8  # threads, segments in memory before they are inserted
ATTEMPTS = 6
_STAGING = tuple(f"staging.{name}" for name in TABLES)

Progress = Callable[[str, int, int], None]  # what was done, segments done, segments to do


@dataclass(frozen=True)
class IngestResult:
    """What an ingestion did.

    Parameters
    ----------
    segments, rows : newly ingested.
    snapshot_id : the warehouse's snapshot afterwards.
    problems : a message for each damaged segment (refused, the others went on) and each gap in a run's rows.
    seconds : wall time.
    """

    segments: int
    rows: int
    snapshot_id: int
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True)
class _Job:
    run_id: str
    segment: Segment
    footer: Footer


def ingest(
    workdir: WorkDir,
    day: str | None = None,
    tables: Iterable[str] | None = None,
    progress: Progress | None = None,
) -> IngestResult:
    """Bring the segments that the ledger does not have into the warehouse; doing it again changes nothing.

    A segment with another checksum than the ledger's, or one that overlaps ingested ones, replaces their rows; a run
    that was begun afresh replaces the former one. A damaged segment is refused and named in the result, the others
    go on.

    Parameters
    ----------
    workdir : the work folder.
    day : ``YYYY-MM-DD``: only segments of that UTC day (and of the small 'releases' table); None: all.
    tables : journal tables; None: all.
    progress : called after each insert.

    Raises
    ------
    WarehouseError : the warehouse cannot be written.
    """
    wanted = [table_named(name).name for name in (TABLES if tables is None else tables)]
    with writer_turn(workdir):
        return bring_in(workdir, day, wanted, progress, afresh=False)


def bring_in(
    workdir: WorkDir, day: str | None, wanted: list[str], progress: Progress | None, afresh: bool
) -> IngestResult:
    """Do the work of :func:`ingest` for who has the writer's turn; ``afresh`` replaces every run as a whole."""
    began = time.perf_counter()
    connection = connect(workdir, read_only=False)
    try:
        problems: list[str] = []
        segments = rows = 0
        for attempt in range(ATTEMPTS):
            try:
                problems.clear()
                for done in _transactions(connection, workdir, day, wanted, problems, progress, afresh):
                    segments, rows = segments + done[0], rows + done[1]
                break
            except duckdb.Error as error:
                if attempt + 1 == ATTEMPTS or not is_conflict(error):
                    raise
                logger.warning("another writer was first (%s); beginning again", first_line(error))
                time.sleep(0.1 * 2**attempt)
        return IngestResult(segments, rows, current_snapshot(connection), problems, time.perf_counter() - began)
    except duckdb.Error as error:
        raise WarehouseError(f"{workdir.warehouse}: ingestion failed: {first_line(error)}") from error
    finally:
        connection.close()


def forget(connection: duckdb.DuckDBPyConnection, run_id: str, derived_too: bool) -> None:
    """Delete all rows of a run, inside the caller's transaction; ``derived_too``: also what batch jobs made of them."""
    names = [*_STAGING, "staging.segments", "staging.runs", "staging.instruments"]
    names += [relation.full_name for relation in model_tables()]
    if derived_too:
        query = (
            "SELECT schema_name || '.' || table_name FROM duckdb_columns() WHERE database_name = ? "
            "AND column_name = 'run_id' AND schema_name NOT IN ('staging', 'core', 'marts')"
        )
        names += [row[0] for row in connection.execute(query, [CATALOG]).fetchall()]
    forget_run(connection, names, run_id)


def _transactions(
    connection: duckdb.DuckDBPyConnection,
    workdir: WorkDir,
    day: str | None,
    wanted: list[str],
    problems: list[str],
    progress: Progress | None,
    afresh: bool,
) -> Iterator[tuple[int, int]]:
    """Yield (segments, rows) of each committed transaction."""
    for run_id in workdir.runs():
        try:
            manifest = RunManifest.read(workdir.run_folder(run_id))
            run_instruments(manifest)
        except JournalError as error:
            problems.append(str(error))
            continue
        began_afresh = afresh or _begun_afresh(connection, manifest)
        ledger = _ledger(connection, run_id, empty=began_afresh)
        jobs = _jobs(workdir, run_id, day, wanted, ledger, problems)
        known = connection.execute("SELECT count(*) FROM staging.runs WHERE run_id = ?", [run_id]).fetchall()[0][0]
        if not jobs and known and not began_afresh:
            continue
        done = 0
        for chunk in _chunks(jobs) or [[]]:
            connection.execute("BEGIN")
            try:
                connection.execute("UPDATE staging.writer_turn SET turn = turn + 1")
                if began_afresh:
                    forget(connection, run_id, derived_too=not afresh)
                if began_afresh or not known:
                    write_run(connection, manifest)
                    began_afresh, known = False, 1
                changes = Changes()
                counted = _insert(connection, chunk, ledger, changes, problems)
                refresh(connection, changes)
                connection.execute("COMMIT")
            except BaseException:
                roll_back(connection)
                raise
            done += len(chunk)
            if progress is not None:
                progress(run_id, done, len(jobs))
            yield counted


def _begun_afresh(connection: duckdb.DuckDBPyConnection, manifest: RunManifest) -> bool:
    query = "SELECT created <> ?::TIMESTAMPTZ FROM staging.runs WHERE run_id = ?"
    rows = connection.execute(query, [manifest.created, manifest.run_id]).fetchall()
    return bool(rows and rows[0][0])


def _ledger(connection: duckdb.DuckDBPyConnection, run_id: str, empty: bool) -> dict[str, dict[tuple[int, int], str]]:
    """Return table → (first row, last row) → sha256 of what has been ingested of a run and stays."""
    query = "SELECT table_name, first_row, last_row, sha256 FROM staging.segments WHERE run_id = ?"
    ledger: dict[str, dict[tuple[int, int], str]] = {name: {} for name in TABLES}
    if empty:
        return ledger
    for table, first, last, sha256 in connection.execute(query, [run_id]).fetchall():
        ledger[table][first, last] = sha256
    return ledger


def _jobs(
    workdir: WorkDir,
    run_id: str,
    day: str | None,
    wanted: list[str],
    ledger: dict[str, dict[tuple[int, int], str]],
    problems: list[str],
) -> list[_Job]:
    jobs = []
    for table in wanted:
        segments, amiss = scan_segments(workdir.run_folder(run_id) / table, table)
        problems.extend(amiss)
        known = ledger[table]
        for segment in segments:
            try:
                footer = read_footer(segment)
            except JournalError as error:
                problems.append(str(error))
                continue
            if footer.run_id != run_id:
                problems.append(f"{segment.path}: belongs to run {footer.run_id}, not to {run_id}; move it away")
            elif (day is None or footer.day == day or table == "releases") and (
                known.get((segment.first, segment.last)) != footer.sha256
            ):
                jobs.append(_Job(run_id, segment, footer))
    return jobs


def _chunks(jobs: list[_Job]) -> list[list[_Job]]:
    chunks: list[list[_Job]] = []
    rows = ROWS_PER_COMMIT
    for job in jobs:
        if rows + job.footer.rows > ROWS_PER_COMMIT:
            chunks.append([])
            rows = 0
        chunks[-1].append(job)
        rows += job.footer.rows
    return chunks


def _read(jobs: list[_Job], problems: list[str]) -> Iterator[tuple[_Job, pa.Table]]:
    """Yield the verified columns of each job's segment; a few are read ahead on other threads."""

    def columns(job: _Job) -> pa.Table | str:
        try:
            return read_columns(job.segment)[1]
        except JournalError as error:
            return str(error)

    with ThreadPoolExecutor(READERS) as pool:
        waiting: deque[tuple[_Job, Future[pa.Table | str]]] = deque()
        queue = iter(jobs)
        while True:
            while len(waiting) < READ_AHEAD and (job := next(queue, None)) is not None:
                waiting.append((job, pool.submit(columns, job)))
            if not waiting:
                return
            job, future = waiting.popleft()
            result = future.result()
            if isinstance(result, str):
                problems.append(result)
            else:
                yield job, result


def _insert(
    connection: duckdb.DuckDBPyConnection,
    jobs: list[_Job],
    ledger: dict[str, dict[tuple[int, int], str]],
    changes: Changes,
    problems: list[str],
) -> tuple[int, int]:
    segments = rows = 0
    batch: list[tuple[_Job, pa.Table]] = []

    def flush() -> None:
        nonlocal segments, rows
        if batch:
            _insert_batch(connection, batch, ledger, changes)
            segments += len(batch)
            rows += sum(columns.num_rows for _, columns in batch)
            batch.clear()

    for job, columns in _read(jobs, problems):
        held = sum(each.num_rows for _, each in batch)
        if batch and (batch[0][0].segment.table != job.segment.table or held + columns.num_rows > ROWS_PER_INSERT):
            flush()
        batch.append((job, columns))
    flush()
    return segments, rows


def _insert_batch(
    connection: duckdb.DuckDBPyConnection,
    batch: list[tuple[_Job, pa.Table]],
    ledger: dict[str, dict[tuple[int, int], str]],
    changes: Changes,
) -> None:
    """Insert segments of one table of one run, after removing what they replace."""
    table, run_id = batch[0][0].segment.table, batch[0][0].run_id
    _supersede(connection, [job.segment for job, _ in batch], run_id, ledger[table], changes)
    for job, columns in batch:
        for column in refresh_columns(table):
            if column == "day":
                changes.add(table, run_id, column, job.footer.day, job.footer.day)
            else:
                bounds = pc.min_max(columns.column(column)).as_py()
                changes.add(table, run_id, column, bounds["min"], bounds["max"])
    rows = pa.concat_tables([columns for _, columns in batch])
    connection.register("segment_rows", rows)
    try:
        connection.execute(
            f"INSERT INTO staging.{table} BY NAME SELECT {quoted(run_id)} AS run_id, "
            "make_date((ts_event // 86400000000000)::INTEGER) AS day, * FROM segment_rows"
        )
    finally:
        connection.unregister("segment_rows")
    entries = ", ".join(
        f"({quoted(run_id)}, {quoted(table)}, {quoted(job.segment.name)}, {job.segment.first}, {job.segment.last}, "
        f"DATE {quoted(job.footer.day)}, {quoted(job.footer.sha256)}, now())"
        for job, _ in batch
    )
    connection.execute(f"INSERT INTO staging.segments VALUES {entries}")


def _supersede(
    connection: duckdb.DuckDBPyConnection,
    segments: list[Segment],
    run_id: str,
    known: dict[tuple[int, int], str],
    changes: Changes,
) -> None:
    """Remove the ingested segments that overlap these ones of one table, with their rows."""
    table, run = segments[0].table, quoted(run_id)
    number = table_named(table).row_number
    replaced = sorted(k for k in known if any(k[0] <= s.last and k[1] >= s.first for s in segments))
    ranges: list[tuple[int, int]] = []
    for first, last in replaced:
        if ranges and first == ranges[-1][1] + 1:
            first = ranges.pop()[0]
        ranges.append((first, last))
    for first, last in ranges:
        where = f"run_id = {run} AND {number} BETWEEN {first} AND {last}"
        for column in refresh_columns(table):
            query = f"SELECT min({column}), max({column}) FROM staging.{table} WHERE {where}"
            low, high = connection.execute(query).fetchall()[0]
            if low is not None:
                ends = (str(low), str(high)) if column == "day" else (low, high)
                changes.add(table, run_id, column, *ends)
        connection.execute(f"DELETE FROM staging.{table} WHERE {where}")
        connection.execute(
            f"DELETE FROM staging.segments WHERE run_id = {run} AND table_name = {quoted(table)} "
            f"AND first_row BETWEEN {first} AND {last}"
        )
    for rows in replaced:
        del known[rows]
