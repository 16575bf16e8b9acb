"""Trading hours and wall clocks, with daylight saving."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from chimera_platform.market.instruments import load_instruments
from chimera_platform.market.sessions import wall_clock_to_utc

INSTRUMENTS = load_instruments()
NEW_YORK = ZoneInfo("America/New_York")
SECOND = 1_000_000_000


def utc_ns(local: datetime) -> int:
    return int(local.timestamp()) * SECOND


@pytest.mark.parametrize(
    ("symbol", "local", "is_open"),
    [
        ("XAUUSD", datetime(2014, 5, 4, 17, 59), False),  # Sunday, before the open
        ("XAUUSD", datetime(2014, 5, 4, 18, 0), True),
        ("XAUUSD", datetime(2014, 5, 6, 3, 0), True),  # opened on the evening before
        ("XAUUSD", datetime(2014, 5, 6, 17, 30), False),  # daily break
        ("XAUUSD", datetime(2014, 5, 9, 16, 59), True),
        ("XAUUSD", datetime(2014, 5, 9, 18, 30), False),  # Friday evening
        ("GOOG", datetime(2012, 6, 21, 9, 29), False),
        ("GOOG", datetime(2012, 6, 21, 9, 30), True),
        ("GOOG", datetime(2012, 6, 21, 16, 0), False),
        ("GOOG", datetime(2012, 6, 23, 12, 0), False),  # Saturday
        ("BTCUSDT", datetime(2024, 8, 10, 23, 59), True),
    ],
)
def test_sessions_follow_the_local_clock(symbol: str, local: datetime, is_open: bool) -> None:
    assert INSTRUMENTS[symbol].hours.is_open(utc_ns(local.replace(tzinfo=NEW_YORK))) is is_open


def test_the_same_local_hour_is_another_utc_hour_in_winter() -> None:
    hours = INSTRUMENTS["GOOG"].hours
    assert hours.is_open(utc_ns(datetime(2012, 6, 21, 13, 45, tzinfo=ZoneInfo("UTC"))))
    assert not hours.is_open(utc_ns(datetime(2012, 12, 20, 13, 45, tzinfo=ZoneInfo("UTC"))))


def test_a_week_has_its_scheduled_hours() -> None:
    assert INSTRUMENTS["GOOG"].hours.hours_per_week() == 32.5
    assert INSTRUMENTS["XAUUSD"].hours.hours_per_week() == 115
    assert INSTRUMENTS["BTCUSDT"].hours.hours_per_week() == 168


@pytest.mark.parametrize("day", [date(2012, 6, 21), date(2012, 12, 20), date(2013, 3, 10), date(2013, 11, 3)])
def test_wall_clock_readings_become_what_the_time_zone_data_says(day: date) -> None:
    since_midnight = np.arange(0, 86_400, 600)
    expected = [
        utc_ns(datetime(day.year, day.month, day.day, s // 3600, s // 60 % 60, tzinfo=NEW_YORK)) for s in since_midnight
    ]
    assert wall_clock_to_utc(day, since_midnight * SECOND, "America/New_York").tolist() == expected
