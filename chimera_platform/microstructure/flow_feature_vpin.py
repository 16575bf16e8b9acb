"""VPIN (Easley, López de Prado & O'Hara 2012): order-flow toxicity over buckets of equal volume.

Bulk classification takes the volume bucket itself as its bar: V_b = V·Φ(ΔP/σ), ΔP from close to close and σ the
standard deviation of the buckets averaged. The measure's value is contested (Andersen & Bondarenko 2014).
"""

from __future__ import annotations

import math
from typing import Any

from pydantic import Field

from chimera_platform.kernels import kernel
from chimera_platform.microstructure.flow_feature_windows import VOLUME_BUCKETS_MAX
from chimera_platform.settings import Settings

_MASK = VOLUME_BUCKETS_MAX - 1

VPIN_FIELDS = (
    ("calibration_prints", "<i8"),  # setting
    ("bucket_prints", "<i8"),  # setting
    ("bucket_count", "<i8"),  # setting
    ("prints_seen", "<i8"),  # prints that fixed the bucket's volume, up to the setting
    ("prints_volume", "<i8"),  # lots of those
    ("bucket_volume", "<i8"),  # lots, 0 until fixed
    ("bucket_fill", "<i8"),  # lots in the open bucket
    ("bucket_close", "<i8"),  # ticks, last price of the closed bucket
    ("buckets_closed", "<i8"),
    ("vpin", "<f8"),
)


class FlowFeatureSettings(Settings):
    """What the order-flow features leave to choose."""

    vpin_calibration_prints: int = Field(1000, ge=1, le=1_000_000, description="Prints that fix the mean trade size.")
    vpin_bucket_prints: int = Field(50, ge=1, le=100_000, description="Volume of a bucket, in mean trades.")
    vpin_buckets: int = Field(50, ge=2, le=VOLUME_BUCKETS_MAX, description="Volume buckets averaged.")


@kernel
def _evaluate(state: Any, windows: Any) -> None:
    """Average the stored buckets; O(buckets) once a bucket, that is O(1) amortised, and free of drift."""
    n = state.bucket_count
    if state.buckets_closed >= n:
        total = 0.0
        for k in range(n):
            total += windows.volume_imbalance[(state.buckets_closed - 1 - k) & _MASK]
        state.vpin = total / n


@kernel
def _close_bucket(state: Any, windows: Any, price: int) -> None:
    """Classify the bucket that closes at ``price``."""
    windows.volume_change[state.buckets_closed & _MASK] = price - state.bucket_close
    state.bucket_close = price
    state.buckets_closed += 1
    n = min(state.buckets_closed, state.bucket_count)
    total, squares = 0.0, 0.0
    for k in range(n):
        total += float(windows.volume_change[(state.buckets_closed - 1 - k) & _MASK])
    for k in range(n):
        distance = windows.volume_change[(state.buckets_closed - 1 - k) & _MASK] - total / n
        squares += distance * distance
    i = (state.buckets_closed - 1) & _MASK
    windows.volume_imbalance[i] = 0.0
    if squares > 0.0:
        windows.volume_imbalance[i] = abs(math.erf(windows.volume_change[i] / math.sqrt(2.0 * squares / n)))


@kernel
def take_print_volume(state: Any, windows: Any, price: int, size: int) -> None:
    """Add a print; a large one closes several buckets at its price."""
    if state.bucket_volume == 0:
        state.prints_seen += 1
        state.prints_volume += size
        if state.prints_seen == state.calibration_prints:
            state.bucket_volume = max(state.prints_volume * state.bucket_prints // state.prints_seen, 1)
            state.bucket_close = price
        return
    fill = state.bucket_fill + size
    closing = fill // state.bucket_volume
    state.bucket_fill = fill - closing * state.bucket_volume
    # All after the first close unchanged: more than fill the memory would alter nothing.
    for _ in range(min(closing, VOLUME_BUCKETS_MAX + 1)):
        _close_bucket(state, windows, price)
    if closing > 0:
        _evaluate(state, windows)
