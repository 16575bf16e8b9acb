"""How many rows a second go from the journal into the warehouse?

The journal is that of four backtests of the simulated market: events and everything that was decided on them. Timed
is ``warehouse.ingest.ingest`` into a warehouse with its tables and no rows: reading and checking the segments,
inserting, refreshing the tables that build on them, committing. ``again`` is the same call with nothing new.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Figure, Scale, timed
from benchmarks.streams import BATCH, EventStream, simulator
from chimera_platform.configuration import Configuration
from chimera_platform.decision_path import DecisionPath
from chimera_platform.journal.manifest import RunManifest
from chimera_platform.journal.writer import JournalWriter
from chimera_platform.workdir import WorkDir
from warehouse.connection import connect
from warehouse.ingest import IngestResult, ingest

GOAL_ROWS_PER_SECOND = 2e6
_RUN_IDS = tuple(f"{number:016x}" for number in range(4))
_TABLES = ("events", "intents", "decisions", "orders", "fills", "marks")


def measure(scale: Scale) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="chimera-bench-") as folder:
        workdir = WorkDir(folder).prepare()
        write_journal(workdir, simulator(scale.events))
        results: list[IngestResult] = []

        def empty() -> None:
            shutil.rmtree(workdir.warehouse)
            connect(workdir.prepare(), read_only=False).close()

        def bring_in(_: None) -> None:
            results.append(ingest(workdir))

        first = timed(empty, bring_in, scale.repeats)
        done = results[-1]
        again = timed(lambda: None, bring_in, scale.repeats)
        size = sum(path.stat().st_size for path in Path(workdir.warehouse).rglob("*") if path.is_file())
        detail = {
            "rows": done.rows,
            "segments": done.segments,
            "seconds": first.median_s,
            "warehouse_bytes": size,
            **first.spread(done.rows),
        }
        yield Figure("ingest", done.rows / first.median_s, "rows/s", GOAL_ROWS_PER_SECOND, detail)
        yield Figure("ingest.again", again.median_s * 1e3, "ms", None, {"rows": results[-1].rows})


def write_journal(workdir: WorkDir, stream: EventStream) -> None:
    """Decide on ``stream`` and write the journal of it, as runs do."""
    configuration = Configuration()
    instruments = [each.model_dump(mode="json") for each in stream.universe.instruments]
    settings = configuration.model_dump(mode="json")
    writers = [
        JournalWriter(
            workdir.run_folder(run_id), RunManifest(run_id, instruments, stream.description, settings), tables=_TABLES
        )
        for run_id in _RUN_IDS
    ]
    path, first = DecisionPath(stream.universe, configuration), 0
    for events in stream.batches(BATCH):
        rows = path.run(events, first)._asdict()
        for writer in writers:
            writer.append("events", events, first)
            for name, table in rows.items():
                writer.append(name, table)
        first += len(events)
    for writer in writers:
        writer.seal_all()
