"""Which of the world's trading sessions a time lies in: Asia, London or New York, by the cities' own clocks."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np

from chimera_platform.market.sessions import TradingHours, Weekday

_QUARTER_NS = 900_000_000_000
_WORKDAYS = (Weekday.MON, Weekday.TUE, Weekday.WED, Weekday.THU, Weekday.FRI)


class CitySession(IntEnum):
    """The session of a time; the three share out the whole week."""

    ASIA = 0  # neither of the others: Sydney and Tokyo
    LONDON = 1  # 08:00 to 17:00 in London, until New York opens
    NEW_YORK = 2  # 08:00 to 17:00 in New York


HOURS = {  # the first that is open decides
    CitySession.NEW_YORK: TradingHours(timezone="America/New_York", open="08:00", close="17:00", days=_WORKDAYS),
    CitySession.LONDON: TradingHours(timezone="Europe/London", open="08:00", close="17:00", days=_WORKDAYS),
}


def city_sessions(ts: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the :class:`CitySession` of each time, int64 of the same shape; ``ts`` is ns UTC.

    Every clock of the two cities is a whole number of quarter hours off UTC, so a quarter hour has one session.
    """
    quarters, which = np.unique(ts // _QUARTER_NS, return_inverse=True)
    found = np.array([_session_of(q * _QUARTER_NS) for q in quarters.tolist()], np.int64)
    return found[which].reshape(ts.shape) if found.size else np.zeros(ts.shape, np.int64)


def _session_of(ts: int) -> int:
    for session, hours in HOURS.items():
        if hours.is_open(ts):
            return int(session)
    return int(CitySession.ASIA)
