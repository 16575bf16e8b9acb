"""Which rows of the detectors say something about the direction of the price, and which direction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chimera_platform.signals.detectors import EVIDENCE_NAMES
from chimera_platform.signals.records import Detector, Stage

SWEEP_REVERSAL = "sweep_reversal"
_TRAPPED = EVIDENCE_NAMES[Detector.SWEEP].index("lots_trapped")


@dataclass(frozen=True)
class DirectionalSignal:
    """A kind of rows: those of one detector at one stage, and how their side is read."""

    name: str
    detector: Detector
    stage: Stage
    sign: int  # direction = sign x side


SIGNALS: tuple[DirectionalSignal, ...] = (
    *(DirectionalSignal(d.name.lower(), d, Stage.CONFIRMED, 1) for d in EVIDENCE_NAMES),
    DirectionalSignal(SWEEP_REVERSAL, Detector.SWEEP, Stage.FAILED, -1),
)
"""Every detector's confirmed rows; and a sweep that failed because the price came back, for the other direction."""


def signal_numbers(detections: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return for each row of DETECTION_DTYPE the index in :data:`SIGNALS`, -1 where it says nothing: int64.

    A sweep's FAILED row counts where lots are trapped, that is, where it had been confirmed before.
    """
    numbers = np.full(len(detections), -1, np.int64)
    for k, signal in enumerate(SIGNALS):
        chosen = (detections["detector"] == signal.detector) & (detections["stage"] == signal.stage)
        if signal.name == SWEEP_REVERSAL:
            chosen &= detections["evidence"][:, _TRAPPED] > 0
        numbers[chosen & (detections["side"] != 0)] = k
    return numbers


def directions(detections: np.ndarray[Any, Any], numbers: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the direction, ±1, that each row speaks for; 0 where ``numbers`` is -1."""
    signs = np.array([*(signal.sign for signal in SIGNALS), 0], np.int64)
    return signs[numbers] * detections["side"]
