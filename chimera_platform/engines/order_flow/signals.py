"""How a strategy reads what a detector has said: still valid, not yet traded on, and on which side."""

from __future__ import annotations

from typing import Any

from chimera_platform.kernels import kernel
from chimera_platform.signals.memory import BEARISH, BULLISH
from chimera_platform.signals.records import Detector

_SWEEP = int(Detector.SWEEP)


@kernel
def slot_of(detector: int, side: int) -> int:
    """Return the index of a detector's slot that speaks for a trade to ``side``.

    A sweep speaks for its aggressor's side; traded is its failure, to the other side.
    """
    if detector == _SWEEP:
        side = -side
    return BULLISH if side > 0 else BEARISH


@kernel
def is_valid(slot: Any, used: int, stage: int, ts: int, valid_ns: int) -> bool:
    """Return whether ``slot`` says ``stage``, for no longer than ``valid_ns``, and has not been traded on.

    Parameters
    ----------
    used : detection_no + 1 of the detection last traded on from this slot; 0: none yet.
    """
    return slot.stage == stage and ts - slot.ts_event <= valid_ns and slot.detection_no + 1 != used
