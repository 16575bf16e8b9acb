"""The demo's live flow: `chimera run` in a process of its own, watched through what it writes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chimera_platform.cli.demo_feed import DemoPlan
from chimera_platform.errors import ChimeraError
from chimera_platform.workdir import WorkDir

_POLL_S = 0.1


class DemoFlow:
    """A running ``chimera run`` on the work folder.

    Parameters
    ----------
    workdir : the work folder.
    plan : what it plays.
    """

    def __init__(self, workdir: WorkDir, plan: DemoPlan) -> None:
        self._workdir = workdir
        command = [
            *(sys.executable, "-m", "chimera_platform", "run", "--json", "--workdir", str(workdir.path)),
            *("--feed", plan.feed, "--backfill", repr(plan.backfill_s), "--speed", repr(plan.speed)),
            *("--statistics", "0.5"),
        ]
        self._log = (workdir.path / "flow.log").open("w", encoding="utf-8")
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self._log, text=True)

    @property
    def running(self) -> bool:
        """Whether the flow is still running."""
        return self._process.poll() is None

    def progress(self) -> dict[str, Any]:
        """Return the newest telemetry line, empty before the first."""
        lines: list[dict[str, Any]] = []
        for path in self._workdir.telemetry.glob("*.jsonl"):
            lines += [json.loads(line) for line in path.read_text().splitlines()[-1:] if line.endswith("}")]
        return max(lines, key=lambda line: int(line["events"]), default={})

    def releases(self) -> list[Path]:
        """Return the journal's segments of release changes: one a change."""
        return sorted(self._workdir.journal.glob("*/releases/*.parquet"))

    def wait(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until ``condition()``, the end of the flow or the timeout; ChimeraError when the flow failed."""
        end = time.monotonic() + timeout_s
        while not condition():
            if not self.running and self._process.returncode != 0:
                tail = Path(self._log.name).read_text().strip().splitlines()[-1:]
                raise ChimeraError(f"the live flow failed: {' '.join(tail)}")
            if not self.running or time.monotonic() > end:
                return condition()
            time.sleep(_POLL_S)
        return True

    def stop(self) -> dict[str, Any]:
        """Stop the flow in order and return its summary."""
        if self.running:
            self._process.send_signal(signal.SIGTERM)
        out, _ = self._process.communicate(timeout=120)
        self._log.close()
        if self._process.returncode != 0:
            raise ChimeraError(f"the live flow failed; see {self._log.name}")
        summary: dict[str, Any] = json.loads(out)
        return summary

    def kill(self) -> None:
        """End the process at once: the demo itself failed."""
        if self.running:
            self._process.kill()
            self._process.communicate()
