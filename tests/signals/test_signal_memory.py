"""Invariant: a slot holds the last detection of its detector and side; news counts the slots not yet seen."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.signals.memory import SIGNAL_MEMORY_DTYPE, forget_news, remember
from chimera_platform.signals.records import DETECTION_DTYPE, Detector

ROWS = st.lists(st.tuples(st.sampled_from(list(Detector)), st.sampled_from([-1, 1]), st.integers(0, 9)), max_size=20)


@settings(deadline=None)
@given(ROWS, st.booleans())
def test_the_last_detection_of_each_detector_and_side_is_remembered(rows, forgotten):
    memory = np.zeros(1, SIGNAL_MEMORY_DTYPE)[0]
    expected = {}
    for ts, (detector, side, number) in enumerate(rows, 100):
        said = np.zeros(1, DETECTION_DTYPE)
        said["detector"], said["side"], said["detection_no"], said["price_low"] = detector, side, number, 10 * number
        remember(memory, said, 1, ts)
        expected[detector, 0 if side > 0 else 1] = (ts, number, 10 * number)
    assert memory["news"] == len(expected)
    assert memory["said_ts"] == (99 + len(rows) if rows else 0)
    if forgotten:
        forget_news(memory)
        assert memory["news"] == 0
        assert not memory["last"]["is_news"].any()
    for (detector, k), (ts, number, low) in expected.items():
        slot = memory["last"][detector, k]
        assert (slot["ts_event"], slot["detection_no"], slot["price_low"]) == (ts, number, low)
