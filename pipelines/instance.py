"""Dagster's own storage inside the work folder, so that the UI shows what the command line materialised."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from chimera_platform.journal.storage import make_folder, write_atomically
from chimera_platform.workdir import WorkDir
from pipelines.defs.policies import LEARNING_POOL, WAREHOUSE_POOL

_YAML = """\
# Written once; yours to change. Runs of one pool wait for each other: two writers of one table would conflict.
telemetry:
  enabled: false
nux:
  enabled: false
concurrency:
  pools:
    granularity: run
    default_limit: 1
"""


def prepare_home(workdir: WorkDir) -> Path:
    """Return the work folder's DAGSTER_HOME, made with its settings and pools where it is new."""
    home = workdir.path.absolute() / "dagster"
    make_folder(home)
    settings = home / "dagster.yaml"
    if not settings.exists() or not settings.read_text(encoding="utf-8").strip():
        write_atomically(settings, _YAML.encode())
        with dg.DagsterInstance.from_config(str(home)) as instance:
            for pool in (WAREHOUSE_POOL, LEARNING_POOL):  # a pool first met in the queue would let two runs through
                instance.event_log_storage.set_concurrency_slots(pool, 1)
    return home


def open_instance(workdir: WorkDir) -> dg.DagsterInstance:
    """Return the Dagster instance of a work folder; use it as a context manager."""
    return dg.DagsterInstance.from_config(str(prepare_home(workdir)))
