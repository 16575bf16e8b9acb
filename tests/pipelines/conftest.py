"""A journal of three simulated days, and the warehouse made from it, once for all tests; tests get copies."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from chimera_platform.configuration import Configuration
from chimera_platform.decision_path import DecisionPath
from chimera_platform.journal.manifest import RunManifest
from chimera_platform.journal.schema import NS_PER_DAY
from chimera_platform.journal.writer import JournalWriter
from chimera_platform.market.feeds import open_feed
from chimera_platform.market.instruments import load_instruments
from chimera_platform.workdir import WorkDir
from pipelines.labelling import label_days
from pipelines.quality import inspect_days
from warehouse.connection import connect, writer_turn
from warehouse.days import days
from warehouse.ingest import ingest

FEED = "sim://?symbols=XAUUSD,XAGUSD&seed=7&rate=0.4"
DAYS = 3


def write_journal(
    workdir: WorkDir,
    run_id: str = "run",
    feed: str = FEED,
    day_count: int = DAYS,
    configuration: Configuration | None = None,
) -> None:
    """Decide on the first days of a simulated feed and journal everything, as the live flow does."""
    source = open_feed(feed, load_instruments()).source
    configuration = configuration or Configuration()
    manifest = RunManifest(
        run_id=run_id,
        instruments=[each.model_dump(mode="json") for each in source.universe.instruments],
        source=source.description,
        configuration=configuration.model_dump(mode="json"),
    )
    writer = JournalWriter(workdir.prepare().run_folder(run_id), manifest)
    path = DecisionPath(source.universe, configuration)
    first, end = 0, None
    for events in source.batches(8_192):
        end = end or (int(events["ts_event"][0]) // NS_PER_DAY + day_count) * NS_PER_DAY
        inside = events[events["ts_event"] < end]
        if not len(inside):
            break
        output = path.run(inside, first)
        writer.append_events(inside, first)
        for table in ("intents", "decisions", "orders", "fills", "marks", "risk_events", "risk_marks"):
            writer.append(table, getattr(output, table))
        first += len(inside)
    writer.seal_all()


@pytest.fixture(scope="session")
def journaled(tmp_path_factory: pytest.TempPathFactory) -> WorkDir:
    """A work folder with a journal only. Not to be written: take a copy."""
    workdir = WorkDir(tmp_path_factory.mktemp("journaled"))
    write_journal(workdir)
    return workdir


@pytest.fixture(scope="session")
def labelled(journaled: WorkDir, tmp_path_factory: pytest.TempPathFactory) -> WorkDir:
    """A work folder whose days are ingested, inspected and labelled. Not to be written: take a copy."""
    workdir = WorkDir(tmp_path_factory.mktemp("labelled") / "work")
    shutil.copytree(journaled.path, workdir.path)
    ingest(workdir)
    inspect_days(workdir)
    label_days(workdir)
    return workdir


@pytest.fixture
def journal_copy(journaled: WorkDir, tmp_path: Path) -> WorkDir:
    """A journal of the test's own."""
    return WorkDir(shutil.copytree(journaled.path, tmp_path / "work"))


@pytest.fixture
def copy(labelled: WorkDir, tmp_path: Path) -> WorkDir:
    """A labelled work folder of the test's own."""
    return WorkDir(shutil.copytree(labelled.path, tmp_path / "work"))


@pytest.fixture
def trading_days(labelled: WorkDir) -> list[str]:
    """The UTC days of the journal."""
    return days(labelled)


@pytest.fixture
def alter() -> Callable[[WorkDir, str], None]:
    """Return a function that changes the warehouse behind the pipelines' back."""

    def run(workdir: WorkDir, statement: str) -> None:
        with writer_turn(workdir):
            connection = connect(workdir, read_only=False)
            connection.execute(statement)
            connection.close()

    return run
