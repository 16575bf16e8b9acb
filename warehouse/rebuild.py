"""Making the warehouse anew from the journal."""

from __future__ import annotations

import shutil

from chimera_platform.journal.schema import TABLES
from chimera_platform.workdir import WorkDir
from warehouse.connection import catalog_file, connect, data_folder, writer_turn
from warehouse.ingest import IngestResult, Progress, bring_in, forget
from warehouse.migrate import roll_back


def rebuild(workdir: WorkDir, progress: Progress | None = None, discard: bool = False) -> IngestResult:
    """Replace everything in the warehouse by what the journal holds.

    Each run is replaced in a transaction, so readers go on, and the snapshots that releases name stay readable.

    Parameters
    ----------
    workdir : the work folder.
    progress : called after each transaction.
    discard : delete catalog and files first: for a warehouse that cannot be opened. Old snapshots are lost.
    """
    with writer_turn(workdir):
        if discard:
            for path in workdir.warehouse.glob(f"{catalog_file(workdir).name}*"):
                path.unlink()
            shutil.rmtree(data_folder(workdir), ignore_errors=True)
        _forget_runs_without_journal(workdir)
        return bring_in(workdir, None, list(TABLES), progress, afresh=True)


def _forget_runs_without_journal(workdir: WorkDir) -> None:
    connection = connect(workdir, read_only=False)
    try:
        ingested = {row[0] for row in connection.execute("SELECT run_id FROM staging.runs").fetchall()}
        gone = sorted(ingested - set(workdir.runs()))
        if gone:
            connection.execute("BEGIN")
            try:
                connection.execute("UPDATE staging.writer_turn SET turn = turn + 1")
                for run_id in gone:
                    forget(connection, run_id, derived_too=True)
                connection.execute("COMMIT")
            except BaseException:
                roll_back(connection)
                raise
    finally:
        connection.close()
