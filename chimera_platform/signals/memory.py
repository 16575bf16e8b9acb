"""What the detectors said last: one slot a detector and side, for engines that decide some events later."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.kernels import kernel
from chimera_platform.signals.records import EVIDENCE_COUNT, Detector

DETECTOR_SLOTS = 1 + max(Detector)  # slot 0 is never used
BULLISH, BEARISH = 0, 1  # second index of a slot: the side that the detection speaks for

REMEMBERED_DTYPE = np.dtype(
    [
        ("detection_no", "<i8"),
        ("ts_event", "<i8"),  # ns UTC, when this was said
        ("ts_start", "<i8"),  # ns UTC, when the pattern began
        ("price_low", "<i8"),  # ticks, the zone
        ("price_high", "<i8"),
        ("size", "<i8"),  # lots
        ("strength", "<f8"),  # [0, 1]
        ("evidence", "<f8", (EVIDENCE_COUNT,)),
        ("stage", "<i8"),  # Stage; 0: nothing has been said yet
        ("is_news", "<i8"),  # 1: said since the last forget_news
    ]
)
SIGNAL_MEMORY_DTYPE = np.dtype(
    [
        ("last", REMEMBERED_DTYPE, (DETECTOR_SLOTS, 2)),  # by Detector, then BULLISH or BEARISH
        ("news", "<i8"),  # slots with is_news
        ("said_ts", "<i8"),  # ns UTC, when anything was said last
    ]
)


@kernel
def remember(memory: Any, detections: Any, rows: int, ts_event: int) -> None:
    """Take in the first ``rows`` detections of a record at ``ts_event``; a later one takes its slot over.

    Parameters
    ----------
    memory : record of :data:`SIGNAL_MEMORY_DTYPE`, changed in place.
    detections : ``DETECTION_DTYPE`` array.
    """
    memory.said_ts = ts_event
    for k in range(rows):
        row = detections[k]
        slot = memory.last[row.detector, BULLISH if row.side > 0 else BEARISH]
        slot.detection_no = row.detection_no
        slot.ts_event = ts_event
        slot.ts_start = row.ts_start
        slot.price_low = row.price_low
        slot.price_high = row.price_high
        slot.size = row.size
        slot.strength = row.strength
        for e in range(EVIDENCE_COUNT):
            slot.evidence[e] = row.evidence[e]
        slot.stage = row.stage
        if slot.is_news == 0:
            slot.is_news = 1
            memory.news += 1


@kernel
def forget_news(memory: Any) -> None:
    """Mark everything as known; called once the engines have seen it."""
    if memory.news == 0:
        return
    for detector in range(1, DETECTOR_SLOTS):
        for side in range(2):
            memory.last[detector, side].is_news = 0
    memory.news = 0
