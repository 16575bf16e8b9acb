"""What every detector says: one record type, so that all of them are stored, scored and joined alike."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Detector(IntEnum):
    """Which pattern."""

    SWEEP = 1  # one aggressor takes several levels, or a share of the depth, within a short window
    ICEBERG = 2  # trades at one price exceed what was displayed, and the size comes back
    ABSORPTION = 3  # aggressive volume trades into a level that holds
    STACKED_ABSORPTION = 4  # two or more absorbed levels on one side, near in price and time
    VACUUM = 5  # consecutive levels thinned by withdrawal, not by trading
    STOP_RUN = 6  # a burst through a recent extreme that comes back


class Stage(IntEnum):
    """Where a detection is in its life; each change is a row of its own."""

    FORMING = 1
    CONFIRMED = 2
    FAILED = 3


EVIDENCE_COUNT = 4

DETECTION_DTYPE = np.dtype(
    [
        ("detection_no", "<i8"),  # counts the instrument's detections of this detector; the same through its life
        ("event_no", "<i8"),  # row number of the event at which this was said: nothing later was known
        ("ts_event", "<i8"),  # ns UTC, of that event
        ("ts_start", "<i8"),  # ns UTC, when the pattern began
        ("price_low", "<i8"),  # ticks, the zone
        ("price_high", "<i8"),
        ("size", "<i8"),  # lots traded or withdrawn in it so far
        ("strength", "<f8"),  # [0, 1]
        ("evidence", "<f8", (EVIDENCE_COUNT,)),  # the detector's own figures, named in its module
        ("instrument_id", "<i4"),
        ("detector", "u1"),  # Detector
        ("stage", "u1"),  # Stage
        ("side", "i1"),  # +1 bullish, -1 bearish: the direction that the pattern speaks for
    ]
)
