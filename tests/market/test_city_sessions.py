"""Sessions of the cities: by their own clocks, with daylight saving, one for every time."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from chimera_platform.market.city_sessions import CitySession, city_sessions


def session(text: str) -> CitySession:
    ts = int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000
    return CitySession(int(city_sessions(np.array([ts]))[0]))


@pytest.mark.parametrize(
    ("utc", "expected"),
    [
        ("2024-01-10T07:59:59", CitySession.ASIA),
        ("2024-01-10T08:00:00", CitySession.LONDON),  # winter: London is on UTC
        ("2024-01-10T12:59:59", CitySession.LONDON),
        ("2024-01-10T13:00:00", CitySession.NEW_YORK),
        ("2024-01-10T21:59:59", CitySession.NEW_YORK),
        ("2024-01-10T22:00:00", CitySession.ASIA),
        ("2024-07-10T07:00:00", CitySession.LONDON),  # summer in both
        ("2024-07-10T12:00:00", CitySession.NEW_YORK),
        ("2024-07-10T21:00:00", CitySession.ASIA),
        ("2024-03-20T07:30:00", CitySession.ASIA),  # New York has changed its clocks, London not yet
        ("2024-03-20T12:00:00", CitySession.NEW_YORK),
        ("2024-01-13T14:00:00", CitySession.ASIA),  # Saturday
    ],
)
def test_a_time_has_the_session_of_the_citys_clock(utc: str, expected: CitySession) -> None:
    assert session(utc) == expected


def test_the_shape_is_kept_and_nothing_gives_nothing() -> None:
    assert city_sessions(np.zeros((2, 3), np.int64)).shape == (2, 3)
    assert city_sessions(np.zeros(0, np.int64)).shape == (0,)
