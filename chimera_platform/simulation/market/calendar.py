"""The days on which the simulated market trades."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np

from chimera_platform.simulation.market.settings import MarketSettings

SATURDAY = 5


def trading_dates(start: date, days: int) -> list[date]:
    """Return the first ``days`` dates from ``start`` on that are not on a weekend."""
    dates: list[date] = []
    day = start
    while len(dates) < days:
        if day.weekday() < SATURDAY:
            dates.append(day)
        day += timedelta(days=1)
    return dates


def sessions(start: date, days: int, settings: MarketSettings) -> np.ndarray[Any, Any]:
    """Return opening and close of each session, ns UTC: i8 array of shape (days, 2)."""
    rows = []
    for day in trading_dates(start, days):
        opening = datetime(day.year, day.month, day.day, settings.session_open_hour, tzinfo=UTC)
        open_s = int(opening.timestamp())
        rows.append((open_s * 10**9, (open_s + 3600 * settings.session_hours) * 10**9))
    return np.array(rows, np.int64)
