"""The live flow: sequencer → engines by symbol → coordinator by account → journal and telemetry.

As a plain Bytewax module, with ``-w`` workers or as a cluster of processes on one work folder::

    python -m bytewax.recovery chimera-data/recovery/live 1
    python -m bytewax.run 'streaming.flows.live:flow("chimera-data", feed="sim://?symbols=XAUUSD")' \
        -w 2 -r chimera-data/recovery/live -s 1 -b 0

``chimera run`` and ``chimera replay`` build the same dataflow and look after the recovery folder themselves.
"""

from __future__ import annotations

import logging
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import bytewax.operators as op
import numpy as np
from bytewax.dataflow import Dataflow

from chimera_platform.coordinator import Coordinator
from chimera_platform.engines.step import SymbolEngines
from chimera_platform.execution.records import RELEASE_CHANGE_DTYPE
from chimera_platform.journal.progress import first_event_not_in
from chimera_platform.journal.schema import TABLES
from chimera_platform.journal.segments import list_segments, read_rows
from chimera_platform.journal.writer import JournalSettings, JournalWriter, TableWriter
from chimera_platform.kill_switch import KillSwitch
from chimera_platform.releases import release_loader
from chimera_platform.warm_up import warm_up
from streaming.breaker_watch import BreakerWatch
from streaming.control import FlowControl
from streaming.deployment import CURRENT, Deployment
from streaming.items import EnginePart
from streaming.sinks.journal import JournalPartition, JournalSink
from streaming.sinks.telemetry import TelemetrySink
from streaming.sources.disk_guard import require_room
from streaming.sources.releases import ReleaseTimeline
from streaming.sources.sequencer import Position, SequencerPartition, SequencerSource
from streaming.steps.coordination import CoordinationLogic
from streaming.steps.engines import EngineLogic
from streaming.summary import write_summary
from streaming.thread_cores import run_on

logger = logging.getLogger(__name__)
_BLOCK_ALONE_S = 0.01  # nothing else on the worker waits
_BLOCK_SHARED_S = 0.0005  # other workers' results arrive here too


def build(deployment: Deployment, control: FlowControl, *, shared: bool) -> Dataflow:
    """Return the dataflow of ``deployment``.

    Parameters
    ----------
    control : stops the flow and keeps what ended its feed.
    shared : whether several workers run it, so that the source may not block for long.
    """
    universe, configuration = deployment.source.universe, deployment.configuration
    load_release = release_loader(deployment.store, deployment.use_model)
    account = configuration.account.name

    def open_sequencer(position: Position | None) -> SequencerPartition:
        options = deployment.feed_options(_BLOCK_SHARED_S if shared else _BLOCK_ALONE_S)
        return SequencerPartition(
            deployment.source,
            _timeline(deployment),
            control,
            options,
            first_release=deployment.first_release,
            check_room=lambda: require_room(deployment.workdir),
            position=position,
        )

    def open_journal(state: dict[str, Any] | None) -> JournalPartition:
        settings = JournalSettings(segment_age_s=deployment.segment_age_s)
        tables = tuple(name for name in TABLES if name != "releases")  # the sequencer writes that one ahead
        writer = JournalWriter(deployment.run_folder, deployment.manifest(), settings, tables)
        return JournalPartition(writer, lambda: write_summary(deployment, control), state)

    def to_account(parts: list[tuple[str, EnginePart]]) -> list[tuple[str, EnginePart]]:
        return [(account, part) for _, part in parts]

    def engines(state: dict[str, Any] | None) -> EngineLogic:
        run_on(configuration.threading.engine_cores)
        return EngineLogic(lambda number: SymbolEngines(universe, number, configuration), load_release, state)

    def coordinator(state: dict[str, Any] | None) -> CoordinationLogic:
        run_on(configuration.threading.coordinator_cores)
        watch = BreakerWatch(KillSwitch(deployment.workdir)) if deployment.release == CURRENT else None
        caught_up_at = first_event_not_in(deployment.run_folder)
        return CoordinationLogic(Coordinator(universe, configuration), load_release, state, caught_up_at, watch)

    dataflow = Dataflow("chimera")
    parts = op.input("sequencer", dataflow, SequencerSource(open_sequencer))
    intents = op.stateful_batch("engines", parts, engines)
    decided = op.stateful_batch("coordinator", op.flat_map_batch("to the account", intents, to_account), coordinator)
    op.output("journal", decided, JournalSink(open_journal))
    telemetry = TelemetrySink(
        deployment.folders.telemetry,
        deployment.run_id,
        deployment.telemetry_interval_s,
        with_executions=configuration.latency_attribution.enable_execution_analytics,
    )
    op.output("telemetry", decided, telemetry)
    return dataflow


def _timeline(deployment: Deployment) -> ReleaseTimeline:
    folder = deployment.run_folder / "releases"
    writer = TableWriter(folder, TABLES["releases"], deployment.run_id, rows_max=1)  # each row is sealed at once
    schedule = deployment.recorded_schedule() if deployment.release is None else None
    if schedule is not None:
        writer.append(schedule)
    rows = [read_rows(segment) for segment in list_segments(folder, "releases")]
    recorded = np.concatenate(rows) if rows else np.zeros(0, RELEASE_CHANGE_DTYPE)
    switch = KillSwitch(deployment.workdir)
    return ReleaseTimeline(recorded, writer.append, deployment.store, switch, follow=deployment.release == CURRENT)


def flow(workdir: str, **options: Any) -> Dataflow:
    """Return the dataflow for ``python -m bytewax.run``; the keywords are :class:`Deployment`'s.

    Takes the work folder's lock for the life of the process (each process of a cluster its own part of it) and
    turns SIGINT and SIGTERM into an orderly stop.
    """
    for key in ("paths", "symbols"):
        if isinstance(options.get(key), str):
            options[key] = (options[key],)
    options["paths"] = tuple(Path(path) for path in options.get("paths", ()))
    for key in ("config", "instruments"):
        if options.get(key) is not None:
            options[key] = Path(options[key])
    deployment = Deployment(Path(workdir), **options)
    _held.enter_context(deployment.folders.lock(_process_id()))
    deployment.prepare()
    warm_up(logger.info)
    control = FlowControl(deployment.stop_file)
    control.install_signal_handlers()
    return build(deployment, control, shared=True)


_held = ExitStack()


def _process_id() -> int:
    """Return this process's number in a Bytewax cluster, from its command line or environment; 0 when alone."""
    for flag in ("-i", "--process-id"):
        if flag in sys.argv[:-1]:
            return int(sys.argv[sys.argv.index(flag) + 1])
    return int(os.environ.get("BYTEWAX_PROCESS_ID", "0"))
