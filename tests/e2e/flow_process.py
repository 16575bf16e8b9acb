"""Running the command line as a user does: in a process of its own, which can be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent


def start(*arguments: object) -> subprocess.Popen[str]:
    """Start ``chimera`` with ``arguments``."""
    command = [sys.executable, "-m", "chimera_platform", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def chimera(*arguments: object, status: int = 0, timeout_s: float = 240) -> dict[str, Any]:
    """Run a command with ``--json`` to its end and return its JSON object."""
    process = start(*arguments, "--json")
    out, err = process.communicate(timeout=timeout_s)
    assert process.returncode == status, f"exit {process.returncode}\n{out}\n{err}"
    return json.loads(out) if out.strip() else {}


def journaled_events(workdir: Path) -> int:
    """Return how many events are sealed in the newest run of ``workdir``."""
    names = [p.stem for p in workdir.glob("journal/*/events/*.parquet")]
    return max((int(name.split("-")[1]) + 1 for name in names), default=0)


def wait_until(condition: Any, timeout_s: float = 120, process: subprocess.Popen[str] | None = None) -> None:
    """Wait for ``condition()``; fail when the process ends or the time is over before."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "timed out"
        if process is not None and process.poll() is not None:
            raise AssertionError(f"ended early: {process.communicate()}")
        time.sleep(0.02)


def kill(process: subprocess.Popen[str], number: int = signal.SIGKILL) -> None:
    """Send a signal and wait for the end."""
    os.kill(process.pid, number)
    process.communicate(timeout=60)


def bytewax(arguments: Sequence[object]) -> subprocess.Popen[str]:
    """Start ``python -m bytewax.run`` with ``arguments``."""
    command = [sys.executable, "-m", "bytewax.run", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
