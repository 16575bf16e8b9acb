"""Volume by price: the session that develops, the one that is finished, and a rolling window.

Prices are binned by a setting; a bin is named by its lowest tick. Every print adds its size in O(1); memory is
bounded: a profile spans at most ``PROFILE_BINS`` bins, and a print beyond that is counted in ``outside``, never
silently lost. The rolling window is a ring of time buckets: the one under way and the whole ones before it.

The point of control (POC) is the bin with the most volume, the lowest among equals. The value area is the smallest
contiguous range of bins around the POC that holds at least the set share of the volume; among equally small ones
that with the most volume, then the lowest.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from pydantic import Field

from chimera_platform.errors import DataError
from chimera_platform.kernels import kernel
from chimera_platform.market.events import EventKind
from chimera_platform.market.instruments import Universe
from chimera_platform.settings import Settings, to_record

PROFILE_BINS = 2048  # bins a profile spans at most, a power of two
ROLLING_BUCKETS = 30
DAY_NS = 86_400_000_000_000
_MASK = PROFILE_BINS - 1
_EXECUTE, _TRADE = int(EventKind.EXECUTE), int(EventKind.TRADE)


class VolumeProfileSettings(Settings):
    """How volume is gathered by price."""

    bin_ticks: int = Field(1, ge=1, le=1_000_000, description="Ticks of one price bin.")
    bucket_seconds: int = Field(120, ge=1, le=86_400, description="Seconds of one of the rolling window's 30 buckets.")
    value_area_permille: int = Field(700, ge=1, le=1000, description="Share of volume in the value area, per mille.")


HISTOGRAM_DTYPE = np.dtype(
    [
        ("lots", "<i8", (PROFILE_BINS,)),  # by bin, at index bin & mask
        ("low", "<i8"),  # lowest bin in use
        ("high", "<i8"),  # highest bin in use
        ("volume", "<i8"),  # lots in all bins; 0: the profile is empty
    ]
)
LEVELS_DTYPE = np.dtype(
    [
        ("poc", "<i8"),  # bin
        ("value_low", "<i8"),  # bin
        ("value_high", "<i8"),  # bin
        ("volume", "<i8"),  # lots; 0: there is no profile
    ]
)
VOLUME_PROFILE_DTYPE = np.dtype(
    [
        ("session", HISTOGRAM_DTYPE),  # since 00:00 UTC
        ("rolling", HISTOGRAM_DTYPE),
        ("finished", LEVELS_DTYPE),  # of the last session with prints
        ("buckets", HISTOGRAM_DTYPE, (ROLLING_BUCKETS,)),
        ("bucket", "<i8"),  # ts // bucket length, the one under way
        ("day", "<i8"),  # UTC days since 1970
        ("ts_event", "<i8"),  # ns UTC, latest seen
        ("outside", "<i8"),  # lots beyond the session's or the window's span of bins
    ]
)


@kernel
def add_volume(histogram: Any, price_bin: int, size: int) -> bool:
    """Add lots to a bin; return whether it lies within the span."""
    if size <= 0:
        return True
    if histogram.volume == 0:
        histogram.low = price_bin
        histogram.high = price_bin
    elif max(histogram.high, price_bin) - min(histogram.low, price_bin) >= PROFILE_BINS:
        return False
    histogram.low = min(histogram.low, price_bin)
    histogram.high = max(histogram.high, price_bin)
    histogram.lots[price_bin & _MASK] += size
    histogram.volume += size
    return True


@kernel
def clear_histogram(histogram: Any) -> None:
    """Empty a profile."""
    if histogram.volume > 0:
        for price_bin in range(histogram.low, histogram.high + 1):
            histogram.lots[price_bin & _MASK] = 0
    histogram.volume = 0


@kernel
def find_levels(histogram: Any, permille: int, levels: Any) -> None:
    """Write POC and value area of a profile; O(bins), for whoever asks, not for every event."""
    levels.volume = histogram.volume
    if histogram.volume == 0:
        return
    low, high, lots = histogram.low, histogram.high, histogram.lots
    poc = low
    for price_bin in range(low, high + 1):
        if lots[price_bin & _MASK] > lots[poc & _MASK]:
            poc = price_bin
    # Both ends move up only: the right one as far as the left one needs.
    inside = 0
    for price_bin in range(low, poc + 1):
        inside += lots[price_bin & _MASK]
    right = poc
    best_width, best_inside = high - low + 2, 0
    for left in range(low, poc + 1):
        while 1000 * inside < permille * histogram.volume and right < high:
            right += 1
            inside += lots[right & _MASK]
        if 1000 * inside < permille * histogram.volume:
            break
        width = right - left + 1
        if width < best_width or (width == best_width and inside > best_inside):
            best_width, best_inside = width, inside
            levels.value_low = left
            levels.value_high = right
        inside -= lots[left & _MASK]
    levels.poc = poc


@kernel
def _drop_bucket(profile: Any, at: int) -> None:
    """Take one time bucket out of the rolling profile."""
    bucket, rolling = profile.buckets[at], profile.rolling
    if bucket.volume == 0:
        return
    for price_bin in range(bucket.low, bucket.high + 1):
        rolling.lots[price_bin & _MASK] -= bucket.lots[price_bin & _MASK]
    rolling.volume -= bucket.volume
    clear_histogram(bucket)
    if rolling.volume > 0:
        while rolling.lots[rolling.low & _MASK] == 0:
            rolling.low += 1
        while rolling.lots[rolling.high & _MASK] == 0:
            rolling.high -= 1


@kernel
def _advance(profile: Any, parameters: Any, ts_event: int) -> None:
    """Move the clock: finish the session at 00:00 UTC, drop what has left the rolling window."""
    if ts_event > profile.ts_event:
        profile.ts_event = ts_event
    day = profile.ts_event // DAY_NS
    if day != profile.day:
        if profile.session.volume > 0:
            find_levels(profile.session, parameters.value_area_permille, profile.finished)
        clear_histogram(profile.session)
        profile.day = day
    bucket = profile.ts_event // (parameters.bucket_seconds * 1_000_000_000)
    if bucket != profile.bucket:
        for k in range(min(bucket - profile.bucket, ROLLING_BUCKETS)):
            _drop_bucket(profile, (bucket - k) % ROLLING_BUCKETS)
        profile.bucket = bucket


@kernel
def update_volume_profile(profile: Any, parameters: Any, event: Any) -> None:
    """Take in one record.

    Parameters
    ----------
    profile : record of :data:`VOLUME_PROFILE_DTYPE`, changed in place.
    parameters : record of :class:`VolumeProfileSettings`.
    event : record of ``EVENT_DTYPE``; prints (TRADE, EXECUTE) add volume, every record moves the clock.
    """
    _advance(profile, parameters, event.ts_event)
    if event.kind in (_TRADE, _EXECUTE):
        price_bin = event.price // parameters.bin_ticks
        session = add_volume(profile.session, price_bin, event.size)
        rolling = add_volume(profile.rolling, price_bin, event.size)
        if rolling:
            add_volume(profile.buckets[profile.bucket % ROLLING_BUCKETS], price_bin, event.size)
        if not (session and rolling):
            profile.outside += event.size


@kernel
def _run(profiles: Any, parameters: Any, events: Any) -> None:
    for i in range(events.shape[0]):
        update_volume_profile(profiles[events[i].instrument_id], parameters, events[i])


class ProfileLevels(NamedTuple):
    """POC and value area in ticks: the lowest tick of the bins, of ``value_high`` the highest; volume in lots."""

    poc: int
    value_low: int
    value_high: int
    volume: int


class VolumeProfiles:
    """Volume profiles of many instruments over batches of events; the cut into batches does not matter.

    Parameters
    ----------
    universe : the instruments; the events' ``instrument_id`` are indices into it.
    settings : bins, window and value area.
    """

    def __init__(self, universe: Universe, settings: VolumeProfileSettings | None = None) -> None:
        self.settings = settings or VolumeProfileSettings()
        self.profiles = np.zeros(len(universe), VOLUME_PROFILE_DTYPE)
        self._parameters = to_record(self.settings)[0]

    def run(self, events: np.ndarray[Any, Any]) -> None:
        """Take in the next events, ``EVENT_DTYPE`` in stream order; DataError for an unknown instrument."""
        ids = events["instrument_id"]
        if len(events) and not (ids.min() >= 0 and ids.max() < len(self.profiles)):
            raise DataError(f"instrument_id {ids.min()} to {ids.max()}; expected 0 to {len(self.profiles) - 1}")
        _run(self.profiles, self._parameters, events)

    def _in_ticks(self, levels: Any) -> ProfileLevels | None:
        if levels["volume"] == 0:
            return None
        width = self.settings.bin_ticks
        poc, low, high = (int(levels[name]) * width for name in ("poc", "value_low", "value_high"))
        return ProfileLevels(poc, low, high + width - 1, int(levels["volume"]))

    def levels(self, instrument_id: int, which: str = "session") -> ProfileLevels | None:
        """Return the levels of the ``session`` so far, the ``rolling`` window or the last ``finished`` session."""
        profile = self.profiles[instrument_id]
        if which == "finished":
            return self._in_ticks(profile["finished"])
        levels = np.zeros(1, LEVELS_DTYPE)
        find_levels(profile[which], self.settings.value_area_permille, levels[0])
        return self._in_ticks(levels[0])

    def histogram(
        self, instrument_id: int, which: str = "session"
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Return ticks (lowest of each bin) and lots of the ``session`` or ``rolling`` profile, prices ascending."""
        histogram = self.profiles[instrument_id][which]
        if histogram["volume"] == 0:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        bins = np.arange(int(histogram["low"]), int(histogram["high"]) + 1)
        return bins * self.settings.bin_ticks, histogram["lots"][bins & _MASK].copy()
