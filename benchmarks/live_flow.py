"""One execution of the live flow over events in memory, in a process of its own: what the two live benchmarks share.

As a module (``python -m benchmarks.live_flow '{…}'``) it runs the flow and prints the telemetry as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.streams import Array, EventStream, recorded, simulator
from chimera_platform.configuration import Configuration
from chimera_platform.decision_path import DecisionPath
from chimera_platform.errors import ChimeraError
from streaming.deployment import Deployment
from streaming.run import run_flow

CHECKOUT = Path(__file__).resolve().parent.parent
_TIMEOUT_S = 600
_WARM_UP_EVENTS = 20_000
_LEAD_S = 0.5  # before the first event: the flow is up by then


@dataclass(frozen=True)
class SteadyStream(EventStream):
    """Events that come one at a time, evenly, whatever their own times say: each finds the flow idle.

    Parameters
    ----------
    interval_s : seconds from one event to the next.
    """

    interval_s: float = 0.001

    def batches(self, batch_size: int, start: int = 0) -> Iterator[Array]:
        """Yield one event each ``interval_s``; a late one does not hurry those behind it."""
        due = time.perf_counter() + _LEAD_S
        for row in range(start, len(self.events)):
            wait_s = due - time.perf_counter()
            if wait_s > 0:
                time.sleep(wait_s)
            yield self.events[row : row + 1]
            due = max(due + self.interval_s, time.perf_counter())


@dataclass(frozen=True)
class MemoryDeployment(Deployment):
    """A deployment whose events are in memory already, so that no reader competes with the flow.

    Parameters
    ----------
    stream : the events; ``feed`` has to name one still, and is not read.
    """

    stream: EventStream | None = None

    @property
    def source(self) -> EventStream:
        """The events in memory."""
        if self.stream is None:
            raise ValueError("a MemoryDeployment needs its stream")
        return self.stream


def run_flow_apart(**options: Any) -> dict[str, Any]:
    """Run the flow in a new process and return its summary with telemetry.

    Parameters
    ----------
    options : ``stream`` (``simulator`` or a recorded one), ``events``, ``interval_s`` (for a :class:`SteadyStream`),
        and any option of the deployment.
    """
    command = [sys.executable, "-m", "benchmarks.live_flow", json.dumps(options)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    if done.returncode:
        raise ChimeraError(f"the flow of the benchmark failed: {' '.join(done.stderr.split()[-60:])}")
    summary: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return summary


def _run(stream: str, events: int, interval_s: float | None = None, **options: Any) -> dict[str, Any]:
    held = simulator(events) if stream == "simulator" else recorded(stream, events)
    if held is None:
        raise ChimeraError(f"the recorded data '{stream}' is not here; set CHIMERA_DATA")
    DecisionPath(held.universe, Configuration()).run(held.events[:_WARM_UP_EVENTS], 0)  # loads the compiled kernels
    if interval_s is not None:
        held = SteadyStream(held.name, held.universe, held.events, interval_s)
    with tempfile.TemporaryDirectory(prefix="chimera-bench-") as folder:
        deployment = MemoryDeployment(Path(folder), feed="sim://", release=None, stream=held, **options)
        return run_flow(deployment)


if __name__ == "__main__":
    result = _run(**json.loads(sys.argv[1]))
    sys.stdout.write(json.dumps(result, default=str) + os.linesep)
