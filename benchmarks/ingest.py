"""How many rows a second go from the journal into the warehouse?

The journal is that of a backtest of the simulated market: events and everything that was decided on them. Timed is
``warehouse.ingest.ingest`` into a warehouse that is not there yet: reading and checking the segments, inserting,
refreshing the tables that build on them, committing. ``again`` is the same call with nothing new to bring in.
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
from warehouse.ingest import IngestResult, ingest

GOAL_ROWS_PER_SECOND = 2e6
_RUN_ID = "0123456789abcdef"


def measure(scale: Scale) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="chimera-bench-") as folder:
        workdir = WorkDir(folder).prepare()
        write_journal(workdir, simulator(scale.events))
        results: list[IngestResult] = []

        def empty() -> None:
            shutil.rmtree(workdir.warehouse)
            workdir.prepare()

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
    """Decide on ``stream`` and write the journal of it, as a run does."""
    configuration = Configuration()
    manifest = RunManifest(
        run_id=_RUN_ID,
        instruments=[each.model_dump(mode="json") for each in stream.universe.instruments],
        source=stream.description,
        configuration=configuration.model_dump(mode="json"),
    )
    tables = ("events", "intents", "decisions", "orders", "fills", "marks")
    writer = JournalWriter(workdir.run_folder(_RUN_ID), manifest, tables=tables)
    path, first = DecisionPath(stream.universe, configuration), 0
    for events in stream.batches(BATCH):
        writer.append("events", events, first)
        for name, rows in path.run(events, first)._asdict().items():
            writer.append(name, rows)
        first += len(events)
    writer.seal_all()
