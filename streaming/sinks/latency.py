"""Latency histogram with bounded relative error, in the manner of HdrHistogram: percentiles, never averages."""

from __future__ import annotations

import numpy as np

_SUB_BITS = 5  # 32 buckets an octave: values are known to about 3 %
_BUCKETS = (64 - _SUB_BITS) << _SUB_BITS


class LatencyHistogram:
    """Counts of durations in ns, by logarithmic bucket."""

    def __init__(self) -> None:
        self._counts = np.zeros(_BUCKETS, np.int64)

    def add(self, duration_ns: int) -> None:
        """Count one duration; negative ones count as zero."""
        value = max(duration_ns, 0)
        shift = max(value.bit_length() - _SUB_BITS - 1, 0)
        self._counts[(shift << _SUB_BITS) + (value >> shift)] += 1

    @property
    def count(self) -> int:
        """How many durations were counted."""
        return int(self._counts.sum())

    def percentile_ns(self, percent: float) -> float:
        """Return the upper edge of the bucket in which ``percent`` of the durations are reached; NaN when empty."""
        total = self.count
        if total == 0:
            return float("nan")
        rank = max(1, int(np.ceil(total * percent / 100)))
        index = int(np.searchsorted(np.cumsum(self._counts), rank))
        if index < 2 << _SUB_BITS:
            return float(index)
        shift = (index >> _SUB_BITS) - 1
        return float((((index & ((1 << _SUB_BITS) - 1)) | (1 << _SUB_BITS)) + 1) << shift)
