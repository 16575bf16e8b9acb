"""How long does it take from starting the process to its first decisions, cold and warm?

Cold is a fresh machine: an empty kernel cache (``$CHIMERA_KERNEL_CACHE``), so every kernel of the simulator and the
decision path is compiled, on two cores where there are; warm finds them on disk. The command line's answer to
``version`` shows what importing it costs. As a module (``python -m benchmarks.start_up``) it makes the first
decisions and ends.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Figure, Scale, median_figure
from chimera_platform.errors import ChimeraError

CHECKOUT = Path(__file__).resolve().parent.parent
GOAL_COLD_S = 60.0
_FIRST_EVENTS = 10_000
_TIMEOUT_S = 900


def measure(scale: Scale) -> Iterator[Figure]:
    repeats = min(scale.repeats, 5)
    with tempfile.TemporaryDirectory(prefix="chimera-bench-") as cache:
        cold = _seconds("-m", "benchmarks.start_up", kernel_cache=cache)
        kernels = sum(1 for _ in Path(cache).rglob("*.nbi"))
        warm = [_seconds("-m", "benchmarks.start_up", kernel_cache=cache) for _ in range(repeats)]
    yield Figure("start_up.cold", cold, "s", GOAL_COLD_S, {"compiled_kernels": kernels, "runs": 1})
    yield median_figure("start_up.warm", "s", warm, None, times_faster_than_cold=cold / statistics.median(warm))
    yield median_figure(
        "start_up.command_line", "s", [_seconds("-m", "chimera_platform", "version") for _ in range(repeats)], None
    )


def _seconds(*arguments: str, kernel_cache: str | None = None) -> float:
    """Return the wall time of a Python process from its start to its end."""
    environment = dict(os.environ) | ({"CHIMERA_KERNEL_CACHE": kernel_cache} if kernel_cache else {})
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        raise ChimeraError(f"python {' '.join(arguments)} failed: {' '.join(done.stderr.split()[-60:])}")
    return seconds


def _first_decisions() -> None:
    from benchmarks.backtest import decide
    from benchmarks.streams import simulator
    from chimera_platform.configuration import Configuration
    from chimera_platform.decision_path import DecisionPath
    from chimera_platform.warm_up import warm_up

    warm_up(print)
    stream = simulator(_FIRST_EVENTS)
    decide(DecisionPath(stream.universe, Configuration()), stream)


if __name__ == "__main__":
    _first_decisions()
