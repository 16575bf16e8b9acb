"""Compiling the decision path's kernels before they are needed, in processes of their own.

The compiler keeps some 300 MB that it never gives back. A flow is to run in less for weeks, so the first start after
an installation or a change compiles apart, on two cores at once, and the flow itself only loads from the disk cache.
"""

from __future__ import annotations

import hashlib
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite.binding
import numpy as np

from chimera_platform.kernels import cache_root, source_fingerprint

logger = logging.getLogger(__name__)

_PACKAGE = Path(__file__).resolve().parent
_ENTRANCES = ("decision_path.py", "simulation/market/simulator.py")  # every kernel of the live flow stands below these
_STAGES = (
    ("engines, and beside them market and coordinator", ("engines", "coordinator")),
    ("what they have in common", ("whole",)),
)
"""What is compiled in turn: what it is called, and the processes that compile it side by side."""

_BACKTEST_ENTRANCES = ("simulation/backtest/fused.py",)
_BACKTEST_STAGES = (("all of it in one loop, for backtests", ("backtest",)),)

_FEED = "sim://?symbols=XAUUSD,XAGUSD&seed=1&days=1"
_EVENTS = 4_000


def warm_up(say: Callable[[str], None], *, backtests: bool = False) -> None:
    """Compile what is not in the kernel cache; at once where everything is.

    Parameters
    ----------
    say : told what goes on, once a step; not called when there is nothing to do.
    backtests : also what backtests run in, which the flow does not need.
    """
    _compile_stages(say, _ENTRANCES, _STAGES)
    if backtests:
        _compile_stages(say, _BACKTEST_ENTRANCES, _BACKTEST_STAGES)


def _compile_stages(
    say: Callable[[str], None], entrances: tuple[str, ...], stages: tuple[tuple[str, tuple[str, ...]], ...]
) -> None:
    marker = cache_root() / f"warm-{_fingerprint(entrances)}"
    if marker.exists():
        return
    for number, (what, jobs) in enumerate(stages, start=1):
        say(f"compiling kernels, once after a change: {what} ({number} of {len(stages)}, a minute in all)")
        processes = [
            subprocess.Popen(
                [sys.executable, "-m", "chimera_platform.warm_up", job],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            for job in jobs
        ]
        said = [process.communicate()[1] for process in processes]
        failed = [text for process, text in zip(processes, said, strict=True) if process.returncode != 0]
        if failed:
            logger.warning("compiling apart failed, the kernels compile as they are used: %s", failed[0].strip())
            return
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.touch()


def _fingerprint(entrances: tuple[str, ...]) -> str:
    sha = hashlib.sha256(f"{sys.implementation.cache_tag} {llvmlite.binding.get_host_cpu_name()}".encode())
    for entrance in entrances:
        sha.update(source_fingerprint(_PACKAGE / entrance).encode())
    return sha.hexdigest()[:16]


def _compile(job: str) -> None:
    """Compile the kernels of one process by using them a little."""
    from chimera_platform.configuration import Configuration
    from chimera_platform.coordinator import Coordinator
    from chimera_platform.decision_path import DecisionPath
    from chimera_platform.engines.step import SymbolEngines
    from chimera_platform.execution.records import INTENT_DTYPE
    from chimera_platform.market.feeds import open_feed
    from chimera_platform.market.instruments import Universe, load_instruments

    if job == "engines":  # needs no market to run on: its other half is compiled meanwhile
        instruments = load_instruments()
        universe = Universe([instruments["XAUUSD"]])
        SymbolEngines(universe, 0, Configuration()).run(_quotes(), 0)
        return
    source = open_feed(_FEED, load_instruments()).source
    events = next(iter(source.batches(_EVENTS)))
    if job == "backtest":
        from chimera_platform.simulation.backtest.fused import FusedPath

        FusedPath(source.universe, Configuration()).run(events, 0)
        return
    if job == "coordinator":
        Coordinator(source.universe, Configuration()).run(events, 0, np.zeros(0, INTENT_DTYPE))
        return
    path = DecisionPath(source.universe, Configuration())
    path.apply_release(None, 0)
    path.run(events, 0)
    path.snapshot()


def _quotes() -> np.ndarray[Any, Any]:
    from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind

    events = np.zeros(2, EVENT_DTYPE)
    events["kind"], events["flags"] = EventKind.QUOTE, EventFlag.LAST
    events["price"], events["ask_price"], events["size"], events["ask_size"] = 1_000, 1_001, 1, 1
    events["ts_event"] = [1, 2]
    return events


if __name__ == "__main__":
    _compile(sys.argv[1])
