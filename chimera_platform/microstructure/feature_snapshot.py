"""What of the features' windows is still in use: the rest of each ring is old and is never read again."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.microstructure.feature_seconds import LONG_SECONDS
from chimera_platform.microstructure.feature_windows import LONG_STEPS

Array = np.ndarray[Any, Any]


def forget_the_past(state: Array, windows: Array) -> None:
    """Set the rows of the windows that no feature can reach any more to zero, so that a snapshot is small.

    Parameters
    ----------
    state, windows : records of ``FEATURE_STATE_DTYPE`` and ``FEATURE_WINDOWS_DTYPE``; the windows are changed.
    """
    flow, first, count = windows["flow"], int(state["flow_first"]), int(state["flow_count"])
    capacity = int(state["flow_mask"]) + 1
    _keep(flow, (first + np.arange(count)) % capacity)
    steps = windows["steps"]
    _keep(steps, np.arange(int(state["step_head"]) - LONG_STEPS - 1, int(state["step_head"])) % len(steps))
    head, reach = int(state["seconds"]["head"]), LONG_SECONDS + 2
    for name in ("seconds", "second_totals"):
        ring = windows[name]
        _keep(ring, np.arange(head - reach, head) % len(ring))


def _keep(ring: Array, rows: Array) -> None:
    words = ring.view(np.int64).reshape(len(ring), -1)  # NumPy copies records field by field
    kept = words[rows]
    words[:] = 0
    words[rows] = kept
