"""When an instrument trades: hours in exchange or city time, with daylight saving."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

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
