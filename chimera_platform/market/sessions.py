"""When an instrument trades: hours in exchange or city time, with daylight saving."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from pydantic import Field, field_validator

from chimera_platform.settings import Settings

_CLOCK = r"^([01]\d|2[0-3]):[0-5]\d$"


class Weekday(StrEnum):
    """A day of the week, in the order of :meth:`datetime.datetime.weekday`."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


class TradingHours(Settings):
    """A weekly timetable: a session opens at ``open`` on each of ``days`` and ends at the next ``close``.

    A ``close`` at or before ``open`` is on the following day, so ``open = close`` is a session of 24 hours.
    """

    timezone: str = Field(description="IANA name of the exchange's or city's time zone")
    open: str = Field(pattern=_CLOCK, description="wall-clock time of the open, HH:MM")
    close: str = Field(pattern=_CLOCK, description="wall-clock time of the close, HH:MM")
    days: tuple[Weekday, ...] = Field(min_length=1, description="weekdays on which a session opens, local time")

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"no time zone is called {name!r}; expected an IANA name such as Europe/London") from error
        return name

    def is_open(self, ts_ns: int) -> bool:
        """Return whether a session is under way at ``ts_ns`` (ns UTC): open <= t < close."""
        zone = ZoneInfo(self.timezone)
        local = datetime.fromtimestamp(ts_ns // 1_000_000_000, UTC).astimezone(zone).replace(tzinfo=None)
        order = list(Weekday)
        for days_back in (0, 1):
            day = local - timedelta(days=days_back)
            if order[day.weekday()] in self.days:
                opened = day.replace(hour=int(self.open[:2]), minute=int(self.open[3:]), second=0, microsecond=0)
                if opened <= local < opened + self._length():
                    return True
        return False

    def hours_per_week(self) -> float:
        """Return the scheduled trading time of a week, in hours, daylight-saving changes aside."""
        return len(set(self.days)) * self._length() / timedelta(hours=1)

    def _length(self) -> timedelta:
        minutes = {name: int(at[:2]) * 60 + int(at[3:]) for name, at in (("open", self.open), ("close", self.close))}
        return timedelta(minutes=(minutes["close"] - minutes["open"]) % 1440 or 1440)


def wall_clock_to_utc(day: date, since_midnight_ns: np.ndarray[Any, Any], timezone: str) -> np.ndarray[Any, Any]:
    """Return the UTC time of readings of the wall clock on one day.

    Parameters
    ----------
    day : the local calendar day.
    since_midnight_ns : (n,) i8, what the clock shows, in ns after 00:00; [0, 24 h].
    timezone : IANA name.

    Returns
    -------
    (n,) i8, ns UTC. An hour that the clock shows twice is taken as the first of the two.
    """
    zone = ZoneInfo(timezone)
    quarter_hours = [datetime(day.year, day.month, day.day, q // 4, 15 * (q % 4), tzinfo=zone) for q in range(96)]
    offsets = [q.utcoffset() or timedelta() for q in quarter_hours]
    offsets_ns = np.array([int(o.total_seconds()) for o in offsets], np.int64) * 1_000_000_000
    midnight_ns = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000_000
    quarter = np.minimum(since_midnight_ns // 900_000_000_000, 95)
    return midnight_ns + since_midnight_ns - offsets_ns[quarter]
