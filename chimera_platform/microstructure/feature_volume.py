"""Features in volume time: windows of the last buckets of equal volume, VPIN among them.

A bucket closes when its volume has traded; a large print closes several at its price, and its lots are split among
them. The order-flow imbalance of a source event is known at its end and counts in the bucket that is open then: that
of an event whose print closes a bucket belongs to the next one.

VPIN (Easley, López de Prado & O'Hara 2012) takes the volume bucket itself as the bar of bulk classification:
V_b = V·Φ(ΔP/σ), ΔP from close to close and σ the standard deviation of the buckets averaged. The measure's value is
contested (Andersen & Bondarenko 2014).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pydantic import Field

from chimera_platform.kernels import record_kernel
from chimera_platform.settings import Settings

BUCKETS_MAX = 64  # volume buckets that a window may hold
RETURN_BUCKETS = 10  # buckets of the return of the price
BUCKETS_KEPT = 128  # a power of two above BUCKETS_MAX
_MASK = BUCKETS_KEPT - 1

BUCKET_DTYPE = np.dtype(
    [
        ("close", "<i8"),  # ticks
        ("signed_volume", "<i8"),  # lots, bought - sold
        ("ofi", "<i8"),  # lots
        ("imbalance", "<f8"),  # |V_b - V_s| / V by bulk classification
    ]
)
VOLUME_TIME_DTYPE = np.dtype(
    [
        ("calibration_prints", "<i8"),  # setting
        ("bucket_prints", "<i8"),  # setting
        ("bucket_count", "<i8"),  # setting
        ("prints_seen", "<i8"),  # prints that fixed the bucket's volume, up to the setting
        ("prints_volume", "<i8"),  # lots of those
        ("bucket_volume", "<i8"),  # lots, 0 until fixed
        ("fill", "<i8"),  # lots in the open bucket
        ("signed_volume", "<i8"),  # lots bought - sold in the open bucket
        ("ofi_before", "<i8"),  # lots, total when the open bucket began
        ("closed", "<i8"),  # buckets closed
        ("evaluated", "<i8"),  # buckets closed when the results below were computed
        ("vpin", "<f8"),  # results
        ("trade_imbalance", "<f8"),
        ("ofi_norm", "<f8"),
        ("volatility", "<f8"),
        ("price_return", "<f8"),
    ]
)


class VolumeTimeSettings(Settings):
    """How volume buckets are cut."""

    calibration_prints: int = Field(1000, ge=1, le=1_000_000, description="Prints that fix the mean trade size.")
    bucket_prints: int = Field(50, ge=1, le=100_000, description="Volume of a bucket, in mean trades.")
    buckets: int = Field(50, ge=2, le=BUCKETS_MAX, description="Volume buckets in a window.")


def begin_volume_time(states: np.ndarray[Any, Any], settings: VolumeTimeSettings) -> None:
    """Set fresh states, dtype :data:`VOLUME_TIME_DTYPE`."""
    states["calibration_prints"] = settings.calibration_prints
    states["bucket_prints"] = settings.bucket_prints
    states["bucket_count"] = settings.buckets
    for name in ("vpin", "trade_imbalance", "ofi_norm", "volatility", "price_return"):
        states[name] = np.nan


@record_kernel
def _calibrate(volume: Any, windows: Any, price: int, size: int, ofi_total: int) -> None:
    """Take in a print before the buckets' volume is fixed."""
    volume.prints_seen += 1
    volume.prints_volume += size
    if volume.prints_seen == volume.calibration_prints:
        volume.bucket_volume = max(volume.prints_volume * volume.bucket_prints // volume.prints_seen, 1)
        volume.ofi_before = ofi_total
        windows.buckets[-1 & _MASK].close = price


@record_kernel
def _bulk_imbalance(volume: Any, windows: Any) -> Any:
    """Classify the newest bucket; σ is over it and those before it that the window holds."""
    newest = volume.closed - 1
    n = min(volume.closed, volume.bucket_count)
    mean = float(windows.buckets[newest & _MASK].close - windows.buckets[(newest - n) & _MASK].close) / n
    squares = 0.0
    for k in range(n):
        change = windows.buckets[(newest - k) & _MASK].close - windows.buckets[(newest - k - 1) & _MASK].close
        squares += (change - mean) * (change - mean)
    change = windows.buckets[newest & _MASK].close - windows.buckets[(newest - 1) & _MASK].close
    return abs(math.erf(change / math.sqrt(2.0 * squares / n))) if squares > 0.0 else 0.0


@record_kernel
def _close_bucket(volume: Any, windows: Any, price: int, signed_volume: int, ofi: int) -> None:
    """Close the open bucket at ``price``."""
    bucket = windows.buckets[volume.closed & _MASK]
    bucket.close = price
    bucket.signed_volume = signed_volume
    bucket.ofi = ofi
    volume.closed += 1
    bucket.imbalance = _bulk_imbalance(volume, windows)


@record_kernel
def _close_buckets(volume: Any, windows: Any, price: int, size: int, sign: int, ofi_total: int) -> None:
    """Close the buckets that a print fills and begin the next one with what is left of it."""
    fill = volume.fill + size
    closing = fill // volume.bucket_volume
    rest = fill - closing * volume.bucket_volume
    taken = sign * (volume.bucket_volume - volume.fill)
    _close_bucket(volume, windows, price, volume.signed_volume + taken, ofi_total - volume.ofi_before)
    # More than fill the memory would alter nothing.
    for _ in range(min(closing - 1, BUCKETS_MAX)):
        _close_bucket(volume, windows, price, sign * volume.bucket_volume, 0)
    volume.fill = rest
    volume.signed_volume = sign * rest
    volume.ofi_before = ofi_total


@record_kernel
def take_volume(volume: Any, windows: Any, price: int, size: int, sign: int, ofi_total: int) -> None:
    """Add a print; ``ofi_total`` is the touch's order-flow imbalance up to the source event before."""
    if volume.bucket_volume == 0:
        _calibrate(volume, windows, price, size, ofi_total)
    elif volume.fill + size < volume.bucket_volume:
        volume.fill += size
        volume.signed_volume += sign * size
    else:
        _close_buckets(volume, windows, price, size, sign, ofi_total)


@record_kernel
def _evaluate_return(volume: Any, windows: Any) -> None:
    """Compute the return of the price over the last ten buckets."""
    now = windows.buckets[(volume.closed - 1) & _MASK].close
    before = windows.buckets[(volume.closed - 1 - RETURN_BUCKETS) & _MASK].close
    volume.price_return = math.log1p((now - before) / before) if now > 0 and before > 0 else np.nan


@record_kernel
def _evaluate_window(volume: Any, windows: Any) -> None:
    """Compute what is made of a full window of buckets."""
    n = volume.bucket_count
    imbalance, squares = 0.0, 0.0
    signed_volume, ofi, abs_ofi = 0, 0, 0
    for k in range(n):
        bucket = windows.buckets[(volume.closed - 1 - k) & _MASK]
        before = windows.buckets[(volume.closed - 2 - k) & _MASK]
        imbalance += bucket.imbalance
        signed_volume += bucket.signed_volume
        ofi += bucket.ofi
        abs_ofi += abs(bucket.ofi)
        if bucket.close <= 0 or before.close <= 0:
            squares = np.nan
        elif bucket.close != before.close:
            step = math.log1p((bucket.close - before.close) / before.close)
            squares += step * step
    volume.vpin = imbalance / n
    volume.trade_imbalance = signed_volume / (float(n) * float(volume.bucket_volume))
    volume.ofi_norm = ofi / abs_ofi if abs_ofi != 0 else np.nan
    volume.volatility = math.sqrt(squares)


@record_kernel
def evaluate_volume(volume: Any, windows: Any) -> None:
    """Bring the results up to the last closed bucket."""
    if volume.evaluated == volume.closed:
        return
    if volume.closed >= RETURN_BUCKETS:
        _evaluate_return(volume, windows)
    if volume.closed >= volume.bucket_count:
        _evaluate_window(volume, windows)
    volume.evaluated = volume.closed
