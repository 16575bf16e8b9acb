"""Compiling the decision path's kernels before they are needed, in processes of their own.

The compiler keeps some 300 MB that it never gives back. A flow is to run in less for weeks, so the first start after
an installation or a change compiles apart, in two steps, and the flow itself only loads from the disk cache.
"""

from __future__ import annotations

import hashlib
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import llvmlite.binding

from chimera_platform.kernels import cache_root, source_fingerprint

logger = logging.getLogger(__name__)

_PACKAGE = Path(__file__).resolve().parent
_ENTRANCES = ("decision_path.py", "simulation/market.py")  # every kernel of the live flow stands below these
_STAGES = {"engines": "market and engines", "coordinator": "coordinator and venue"}
_FEED = "sim://?symbols=XAUUSD,XAGUSD&seed=1&days=1"
_EVENTS = 4_000


def warm_up(say: Callable[[str], None]) -> None:
    """Compile what is not in the kernel cache; at once where everything is.

    Parameters
    ----------
    say : told what goes on, once a step; not called when there is nothing to do.
    """
    marker = cache_root() / f"warm-{_fingerprint()}"
    if marker.exists():
        return
    for number, (stage, what) in enumerate(_STAGES.items(), start=1):
        say(f"compiling kernels, once after a change: {what} ({number} of {len(_STAGES)}, about 20 s)")
        command = [sys.executable, "-m", "chimera_platform.warm_up", stage]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            logger.warning("compiling apart failed, the kernels compile as they are used: %s", done.stderr.strip())
            return
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.touch()


def _fingerprint() -> str:
    sha = hashlib.sha256(f"{sys.implementation.cache_tag} {llvmlite.binding.get_host_cpu_name()}".encode())
    for entrance in _ENTRANCES:
        sha.update(source_fingerprint(_PACKAGE / entrance).encode())
    return sha.hexdigest()[:16]


def _compile(stage: str) -> None:
    """Run the kernels of one stage over a little of the simulated market."""
    from chimera_platform.configuration import Configuration
    from chimera_platform.decision_path import DecisionPath, split_by_instrument
    from chimera_platform.engines.step import SymbolEngines
    from chimera_platform.market.feeds import open_feed
    from chimera_platform.market.instruments import load_instruments

    source = open_feed(_FEED, load_instruments()).source
    events = next(iter(source.batches(_EVENTS)))
    if stage == "engines":
        instrument_id, positions = split_by_instrument(events)[0]
        engines = SymbolEngines(source.universe, instrument_id, Configuration())
        engines.apply_release(None, 0)
        engines.run(events.take(positions), 0, positions)
    else:
        path = DecisionPath(source.universe, Configuration())
        path.apply_release(None, 0)
        path.run(events, 0)
        path.snapshot()


if __name__ == "__main__":
    _compile(sys.argv[1])
