"""Telemetry of the flow: latency, rates, memory and execution statistics, one JSON line every few seconds."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from bytewax.outputs import DynamicSink, StatelessSinkPartition

from chimera_platform.risk.circuit_breaker import BreakerState
from streaming.items import DecidedBatch
from streaming.sinks.execution_statistics import ExecutionStatistics
from streaming.sinks.latency import LatencyHistogram

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def resident_bytes() -> int:
    """Return the process's resident memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES


class TelemetryPartition(StatelessSinkPartition[tuple[str, DecidedBatch]]):
    """Counts what passes and writes a line every ``interval_s``, and when the circuit breaker changes its state.

    The last one, at the end, says ``final``.
    """

    def __init__(self, path: Path, interval_s: float, *, with_executions: bool) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8")
        self._interval_ns = int(interval_s * 1e9)
        self._latency = LatencyHistogram()
        self._executions = ExecutionStatistics() if with_executions else None
        self._began_ns = time.monotonic_ns()
        self._next_ns = self._began_ns + self._interval_ns
        self._events = self._batches = self._intents = self._orders = self._fills = 0
        self._release_no, self._ts_event = -1, 0
        self._breaker = BreakerState.NORMAL
        self._resident_max = 0

    def write_batch(self, items: list[tuple[str, DecidedBatch]]) -> None:
        """Count the batches that were decided; latency is from taking the first event to the coordinator's orders."""
        now, breaker = time.monotonic_ns(), self._breaker
        for _, item in items:
            breaker = item.breaker
            count = len(item.batch.events)
            if count == 0:
                continue
            self._latency.add(item.decided_ns - item.batch.received_ns)
            self._events += count
            self._batches += 1
            self._intents += len(item.output.intents)
            self._orders += len(item.output.orders)
            self._fills += len(item.output.fills)
            if self._executions is not None:
                self._executions.add(item.output.orders, item.output.fills, item.output.risk_marks)
            self._release_no = item.batch.release_no
            self._ts_event = int(item.batch.events["ts_event"][-1])
        if now >= self._next_ns or breaker is not self._breaker:
            self._breaker = breaker
            self._next_ns = now + self._interval_ns
            self._write(now, final=False)

    def _write(self, now: int, *, final: bool) -> None:
        resident = resident_bytes()
        self._resident_max = max(self._resident_max, resident)
        seconds = (now - self._began_ns) / 1e9
        line: dict[str, Any] = {
            "final": final,
            "ts_event": self._ts_event,
            "seconds": round(seconds, 3),
            "events": self._events,
            "batches": self._batches,
            "intents": self._intents,
            "order_events": self._orders,
            "fills": self._fills,
            "events_per_second": round(self._events / seconds) if seconds > 0 else None,
            "release_no": self._release_no,
            "breaker": self._breaker.name.lower(),
            "latency_us": {f"p{p:g}": self._microseconds(p) for p in (50, 99, 99.9)},
            "resident_mb": round(resident / 1e6, 1),
            "resident_mb_max": round(self._resident_max / 1e6, 1),
        }
        if self._executions is not None:
            line["execution"] = self._executions.line()
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def _microseconds(self, percent: float) -> float | None:
        return round(self._latency.percentile_ns(percent) / 1e3, 1) if self._latency.count else None

    def close(self) -> None:
        """Write the final line of an orderly end."""
        self._write(time.monotonic_ns(), final=True)
        self._file.close()


class TelemetrySink(DynamicSink[tuple[str, DecidedBatch]]):
    """One file a worker; only the worker that coordinates has something to say.

    Parameters
    ----------
    folder : where ``<run_id>-<worker>.jsonl`` goes.
    interval_s : seconds between lines.
    with_executions : whether they say how orders are executed.
    """

    def __init__(self, folder: Path, run_id: str, interval_s: float, *, with_executions: bool = True) -> None:
        self._folder, self._run_id, self._interval_s = folder, run_id, interval_s
        self._with_executions = with_executions

    def build(self, step_id: str, worker_index: int, worker_count: int) -> TelemetryPartition:
        """Open the worker's file."""
        path = self._folder / f"{self._run_id}-{worker_index}.jsonl"
        return TelemetryPartition(path, self._interval_s, with_executions=self._with_executions)
