"""In what memory does a backtest stream 50 million events from Parquet, how fast are they read?

The simulated stream is laid end to end, each time some days later, into one Parquet file of events as they are, in
the system's folder for temporary files. A process of its own reads it through the whole decision path and writes
intents, orders and fills as it goes. The peak is that of the whole process, interpreter and compiled code included;
the growth is that of its resident memory between the first batches and the last: what is kept of trades, marks and
decisions, not of events. The file is deleted afterwards.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figures import NS, Figure, Scale
from benchmarks.streams import BATCH, EventStream, simulator
from chimera_platform.market.formats.event_file import write_events
from chimera_platform.market.instruments import Universe, load_instruments
from chimera_platform.market.sources import open_source

TIMES = 50  # the stream end to end, so 50 million events at full scale
GOAL_MB = 1_000.0
GOAL_READ_EVENTS_PER_SECOND = 10e6
_DAY_NS = 86_400 * NS
_WARM_BATCHES = 16  # before memory is compared


class Tiled:
    """A stream end to end, ``times`` times, each one whole days after the one before; never in memory as a whole."""

    def __init__(self, stream: EventStream, times: int) -> None:
        self.universe: Universe = stream.universe
        self.description = f"{stream.description}, {times} times"
        self._events, self._times = stream.events, times
        first, last = int(stream.events["ts_event"][0]), int(stream.events["ts_event"][-1])
        self._shift_ns = (last // _DAY_NS - first // _DAY_NS + 1) * _DAY_NS

    def batches(self, batch_size: int, start: int = 0) -> Iterator[np.ndarray[Any, Any]]:
        """Yield the events from number ``start`` on; the last batch of a tile may be shorter."""
        for tile in range(self._times):
            for first in range(0, len(self._events), batch_size):
                events = self._events[first : first + batch_size].copy()
                events["ts_event"] += tile * self._shift_ns
                events["ts_recv"] += tile * self._shift_ns
                if start < len(events):
                    yield events[start:]
                start = max(0, start - len(events))


def write_tiled(path: Path, events: int, times: int) -> int:
    """Write the simulated stream's first ``events`` events ``times`` times; return how many are in the file."""
    return write_events(Tiled(simulator(events), times), path)


def run_apart(path: Path, folder: Path) -> dict[str, float]:
    """Stream a file through the backtest in a process of its own; return what it says of itself."""
    command = [sys.executable, "-m", "benchmarks.streaming_memory", str(path), str(folder)]
    said = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[1]).stdout
    result: dict[str, float] = json.loads(said)
    return result


def measure(scale: Scale) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.parquet"
        count = write_tiled(path, scale.events, TIMES)
        bytes_an_event = path.stat().st_size / count
        found = run_apart(path, Path(folder) / "out")
        read = [_read(path) for _ in range(min(3, scale.repeats))]
    detail = {"bytes_an_event": bytes_an_event, **found}
    yield Figure("streaming_memory.peak", found["peak_mb"], "MB", GOAL_MB, detail)
    yield Figure("streaming_memory.growth", found["last_mb"] - found["early_mb"], "MB", None, detail)
    yield Figure("streaming_memory.backtest", count / found["cpu_seconds"], "events/s", None, detail)
    rate = count / sorted(read)[len(read) // 2]
    yield Figure("streaming_memory.read", rate, "events/s", GOAL_READ_EVENTS_PER_SECOND, {"events": count})


def _read(path: Path) -> float:
    """Return the seconds of processor time that reading a file takes."""
    source = open_source(path, None, load_instruments())
    began = time.process_time()
    for _ in source.batches(BATCH):
        pass
    return time.process_time() - began


def _resident_mb() -> float:
    with Path("/proc/self/statm").open() as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def _peak_mb() -> float:
    """Return this program's own peak: getrusage's would count the process that started it."""
    (line,) = (each for each in Path("/proc/self/status").read_text().splitlines() if each.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e6


def _run(path: Path, folder: Path) -> dict[str, float]:
    from chimera_platform.configuration import Configuration
    from chimera_platform.simulation.backtest.run import run_backtest

    resident: list[float] = []
    began, cpu_began = time.perf_counter(), time.process_time()
    result = run_backtest(
        open_source(path, None, load_instruments()),
        Configuration(),
        out_folder=folder,
        keep_rows=False,
        progress=lambda _: resident.append(_resident_mb()),
    )
    return {
        "events": result.events,
        "intents": len(result.intents),
        "fills": len(result.fills),
        "marks": len(result.marks),
        "early_mb": max(resident[:_WARM_BATCHES]),
        "last_mb": resident[-1],
        "peak_mb": _peak_mb(),
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - cpu_began,
        "path_seconds": result.seconds,
    }


if __name__ == "__main__":
    print(json.dumps(_run(Path(sys.argv[1]), Path(sys.argv[2]))))
