"""The sessions' table for kernels says what the time zones say, at every change and in between."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from chimera_platform.market.city_sessions import CitySession, city_sessions
from chimera_platform.market.session_clock import FIRST_YEAR, LAST_YEAR, session_at, session_clock

SECOND = 1_000_000_000


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


def sessions(times: Any) -> np.ndarray[Any, Any]:
    clock = session_clock()
    return np.array([session_at(clock, int(ts)) for ts in times])


def test_each_change_of_the_table_is_one_of_the_time_zones_and_none_is_missing() -> None:
    clock = session_clock()
    starts = clock["starts_at"]
    np.testing.assert_array_equal(city_sessions(starts), clock["session"])  # first quarter hour of each stretch
    ends = np.append(starts[1:], at(f"{LAST_YEAR + 1}-01-01T00:00"))
    np.testing.assert_array_equal(city_sessions(ends - 1), clock["session"])  # and the last


def test_times_drawn_from_all_years_have_the_session_of_the_time_zones() -> None:
    rng = np.random.default_rng(3)
    times = rng.integers(at(f"{FIRST_YEAR}-01-01T00:00"), at(f"{LAST_YEAR + 1}-01-01T00:00"), 20_000)
    np.testing.assert_array_equal(sessions(times), city_sessions(times))


def test_every_quarter_hour_of_years_with_odd_clock_changes_has_the_session_of_the_time_zones() -> None:
    for year in (1971, 1974, 2007, 2038):  # British standard time, energy crisis, new rules, beyond the files
        times = np.arange(at(f"{year}-01-01T00:00"), at(f"{year + 1}-01-01T00:00"), 900 * SECOND)
        np.testing.assert_array_equal(sessions(times), city_sessions(times))


@pytest.mark.parametrize(
    ("utc", "before", "after"),
    [
        ("2024-01-10T08:00", CitySession.ASIA, CitySession.LONDON),
        ("2024-01-10T13:00", CitySession.LONDON, CitySession.NEW_YORK),
        ("2024-01-10T22:00", CitySession.NEW_YORK, CitySession.ASIA),
        ("2024-03-20T12:00", CitySession.LONDON, CitySession.NEW_YORK),  # New York's clocks have changed, London's not
        ("2024-10-29T12:00", CitySession.LONDON, CitySession.NEW_YORK),  # the other way round
        ("2024-07-10T07:00", CitySession.ASIA, CitySession.LONDON),
    ],
)
def test_a_session_begins_with_its_first_nanosecond(utc: str, before: CitySession, after: CitySession) -> None:
    assert sessions([at(utc) - 1, at(utc)]).tolist() == [before, after]


def test_times_outside_the_table_are_asias() -> None:
    assert sessions([-(1 << 62), at("1969-12-31T15:00"), at("2070-06-02T15:00"), 1 << 62]).tolist() == [0] * 4


def test_the_table_is_built_once_and_quickly() -> None:
    durations = []
    for _ in range(5):
        session_clock.cache_clear()
        began = time.process_time()
        built = session_clock()
        durations.append(time.process_time() - began)
    assert min(durations) < 0.05
    assert session_clock() is built
