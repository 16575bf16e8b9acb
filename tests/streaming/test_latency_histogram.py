"""Invariant: a percentile is at least the exact one and at most 1/32 above it."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streaming.sinks.latency import LatencyHistogram


@given(
    st.lists(st.integers(0, 10**12), min_size=1, max_size=200),
    st.sampled_from([1.0, 50.0, 90.0, 99.0, 99.9, 100.0]),
)
def test_a_percentile_is_the_exact_one_within_the_bucket_width(durations: list[int], percent: float) -> None:
    histogram = LatencyHistogram()
    for duration in durations:
        histogram.add(duration)
    exact = sorted(durations)[max(1, math.ceil(len(durations) * percent / 100)) - 1]
    assert exact <= histogram.percentile_ns(percent) <= exact * (1 + 1 / 32) + 1
    assert histogram.count == len(durations)


def test_an_empty_histogram_has_no_percentile() -> None:
    assert np.isnan(LatencyHistogram().percentile_ns(50))
