"""The cities' sessions for kernels: a table of when each begins, searched by bisection.

Same hours and daylight saving as :mod:`~chimera_platform.market.city_sessions`, which looks each time up in the time
zones and is for arrays of times outside kernels.
"""

from __future__ import annotations

import functools
import itertools
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from chimera_platform.kernels import record_kernel
from chimera_platform.market.city_sessions import HOURS, CitySession
from chimera_platform.market.sessions import Weekday

Array = np.ndarray[Any, Any]

FIRST_YEAR, LAST_YEAR = 1970, 2069
"""Years that the table covers; before and after them every time is Asia's."""

SESSION_START_DTYPE = np.dtype(
    [
        ("starts_at", "<i8"),  # ns UTC
        ("session", "<i8"),  # CitySession from then on
    ]
)

_DAY_S = 86_400
_PROBE_DAYS = 28  # daylight saving lasts longer than this, and so does the time without it


@functools.cache
def session_clock() -> Array:
    """Return when each session begins, (n,) SESSION_START_DTYPE ascending; one array for all, not to be written.

    A workday has three: London's opening, New York's opening, New York's close, by the hours of each city.
    """
    days = _workdays()
    new_york, london = HOURS[CitySession.NEW_YORK], HOURS[CitySession.LONDON]
    changes = [
        (_utc_seconds(days, london.open, london.timezone), CitySession.LONDON),
        (_utc_seconds(days, new_york.open, new_york.timezone), CitySession.NEW_YORK),
        (_utc_seconds(days, new_york.close, new_york.timezone), CitySession.ASIA),
    ]
    clock = np.zeros((len(days), len(changes)), SESSION_START_DTYPE)
    for column, (seconds, session) in enumerate(changes):
        clock["starts_at"][:, column] = seconds * 1_000_000_000
        clock["session"][:, column] = session
    return clock.reshape(-1)


@record_kernel
def session_at(clock: Any, ts: int) -> int:
    """Return the :class:`~chimera_platform.market.city_sessions.CitySession` at ``ts`` (ns UTC)."""
    low, high = 0, clock.shape[0]
    while low < high:
        middle = (low + high) // 2
        if clock[middle].starts_at <= ts:
            low = middle + 1
        else:
            high = middle
    return clock[low - 1].session if low > 0 else 0


def _workdays() -> Array:
    """Return the days, counted from 1970-01-01, on which the cities' sessions open."""
    first, after = _day_number(FIRST_YEAR), _day_number(LAST_YEAR + 1)
    days = np.arange(first, after)
    open_days = [list(Weekday).index(day) for day in HOURS[CitySession.LONDON].days]
    return days[np.isin((days + 3) % 7, open_days)]  # day 0 was a Thursday


def _utc_seconds(days: Array, clock: str, timezone: str) -> Array:
    """Return when a city's clock shows ``clock`` (HH:MM) on each of ``days``, s UTC; days are ascending."""
    zone, hour, minute = ZoneInfo(timezone), int(clock[:2]), int(clock[3:])

    @functools.cache
    def offset_s(day: int) -> int:
        local = datetime.combine(date(1970, 1, 1) + timedelta(days=day), datetime.min.time(), zone)
        return int((local.replace(hour=hour, minute=minute).utcoffset() or timedelta()).total_seconds())

    first, last = int(days[0]), int(days[-1])
    probes = [*range(first, last, _PROBE_DAYS), last]
    offsets = np.zeros(last - first + 1, np.int64)
    for start, end in itertools.pairwise(probes):
        change = end if offset_s(start) == offset_s(end) else _first_change(offset_s, start, end)
        offsets[start - first : change - first] = offset_s(start)
        offsets[change - first : end - first + 1] = offset_s(end)
    return days * _DAY_S + hour * 3600 + minute * 60 - offsets[days - first]


def _first_change(offset_s: Any, low: int, high: int) -> int:
    """Return the first day in (low, high] whose offset is not that of ``low``."""
    start = low
    while high - low > 1:
        middle = (low + high) // 2
        if offset_s(middle) == offset_s(start):
            low = middle
        else:
            high = middle
    return high


def _day_number(year: int) -> int:
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) // _DAY_S
