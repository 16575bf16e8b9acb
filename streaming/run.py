"""Running the live flow in this process: lock, recovery folder, signals, and what came of it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from bytewax.recovery import RecoveryConfig
from bytewax.run import cli_main

from chimera_platform.errors import ChimeraError
from chimera_platform.warm_up import warm_up
from streaming.control import FlowControl
from streaming.deployment import Deployment
from streaming.flows.live import build
from streaming.summary import SUMMARY
from streaming.thread_cores import unchanged_afterwards

logger = logging.getLogger(__name__)
_SNAPSHOT_INTERVAL = timedelta(seconds=1)


def run_flow(
    deployment: Deployment, *, workers: int = 1, fresh: bool = False, say: Callable[[str], None] = logger.info
) -> dict[str, Any]:
    """Run the flow until its feed ends or it is told to stop, continuing where an earlier execution was cut off.

    Parameters
    ----------
    workers : worker threads.
    fresh : forget what this run has done before.
    say : told when kernels are compiled first.

    Returns
    -------
    The run's summary (also in ``out/summary.json``) with the telemetry of this execution under ``telemetry``.

    Raises
    ------
    ChimeraError
        What ended the feed, after everything before it was journaled; or what stopped the flow.
    """
    with deployment.folders.lock():
        if fresh:
            deployment.forget()
        deployment.prepare()
        warm_up(say)
        control = FlowControl(deployment.stop_file)
        control.install_signal_handlers()
        dataflow = build(deployment, control, shared=workers > 1)
        try:
            with unchanged_afterwards():
                cli_main(
                    dataflow,
                    workers_per_process=workers,
                    epoch_interval=_SNAPSHOT_INTERVAL,
                    recovery_config=RecoveryConfig(str(deployment.recovery_folder), timedelta(0)),
                )
        except BaseException as error:
            known = next((e for e in _chain(error) if isinstance(e, ChimeraError | OSError)), None)
            if known is None:
                raise
            raise known from error
        if control.failure is not None:
            raise control.failure
        summary: dict[str, Any] = json.loads((deployment.folders.out / SUMMARY).read_text())
        return summary | {"telemetry": _last_telemetry(deployment)}


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _last_telemetry(deployment: Deployment) -> dict[str, Any]:
    """Return the final line of the worker that coordinated."""
    finals = []
    for path in deployment.folders.telemetry.glob(f"{deployment.run_id}-*.jsonl"):
        lines = path.read_text().splitlines()
        finals += [json.loads(lines[-1])] if lines else []
    return max(finals, key=lambda line: line["events"], default={})
