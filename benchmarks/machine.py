"""What the figures were measured on: figures of different machines are never compared."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

_PACKAGES = ("numpy", "numba", "bytewax", "duckdb", "polars")


def processor() -> str:
    """Return the processor's name as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def machine() -> dict[str, Any]:
    """Return what decides speed and does not change from run to run."""
    affinity = getattr(os, "sched_getaffinity", None)
    return {
        "processor": processor(),
        "cores": len(affinity(0)) if affinity else os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def conditions() -> dict[str, Any]:
    """Return what may change: package versions, and how busy the machine was before the run."""
    return {"packages": {name: version(name) for name in _PACKAGES}, "load_average_1m": round(os.getloadavg()[0], 2)}
