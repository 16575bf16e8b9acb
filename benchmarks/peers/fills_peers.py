"""The peers that trade a script, each in a process of its own, and what they are asked."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.runners import HERE
from chimera_platform.errors import ChimeraError

Array = np.ndarray[Any, Any]


class ScriptPeer:
    """A peer that answers jobs, one line of JSON each.

    Parameters
    ----------
    name : for messages.
    python : the peers' interpreter.
    script : file of this folder.
    folder : where feeds, scripts and fills are exchanged.
    """

    def __init__(self, name: str, python: Path, script: str, folder: Path) -> None:
        self.name, self._folder, self._said = name, folder, folder / f"{script}.stderr"
        with self._said.open("w", encoding="utf-8") as said:
            self._process = subprocess.Popen(
                [str(python), script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True, cwd=HERE
            )
        self.version = str(self._answer()["ready"])

    def run(self, feed: Array, script: Array, **job: Any) -> tuple[Array, dict[str, Any]]:
        """Return (fills, account) of ``script`` on ``feed``; ``job`` as the peer's file says."""
        paths = {name: self._folder / f"{self.name}-{name}.npy" for name in ("feed", "script", "out")}
        paths["feed"] = self._folder / f"feed-{hashlib.sha256(feed.tobytes()).hexdigest()[:16]}.npy"
        if not paths["feed"].exists():
            np.save(paths["feed"], feed)
        np.save(paths["script"], script)
        if self._process.stdin is None:
            raise ValueError("the peer has no input")
        self._process.stdin.write(json.dumps(job | {name: str(path) for name, path in paths.items()}) + "\n")
        self._process.stdin.flush()
        account = self._answer()
        return np.load(paths["out"]), account

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not line.startswith("{"):
            self.close()
            said = self._said.read_text(encoding="utf-8").split()
            raise ChimeraError(f"{self.name} ended: {line.strip()} {' '.join(said[-40:])}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def hftbacktest_job(queue: str, exchange: str, latency_ns: int) -> dict[str, Any]:
    """Return a job for hftbacktest."""
    latencies = {"order_latency_ns": latency_ns, "report_latency_ns": latency_ns}
    return {"queue": queue, "exchange": exchange, **latencies}


def nautilus_job(latency_ns: int, *, has_queue: bool = True) -> dict[str, Any]:
    """Return a job for NautilusTrader: with queue positions and lots taken once, or its defaults without both."""
    return {"queue_position": has_queue, "liquidity_consumption": has_queue, "order_latency_ns": latency_ns}
