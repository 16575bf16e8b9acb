"""The state of a simulated exchange: one record of everything for each instrument, one session for each venue."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from chimera_platform.simulation.exchange.members import new_members
from chimera_platform.simulation.exchange.records import (
    EXCHANGE_MARKET_DTYPE,
    SESSION_DTYPE,
    VENUE_ORDER_DTYPE,
)


class Exchange(NamedTuple):
    """What the kernels of the exchange change; plain arrays, so a copy of them is a snapshot."""

    markets: np.ndarray[Any, Any]  # EXCHANGE_MARKET_DTYPE (instruments,)
    orders: np.ndarray[Any, Any]  # VENUE_ORDER_DTYPE (instruments, slots)
    members: np.ndarray[Any, Any]  # MEMBERS_DTYPE (instruments, MEMBERS_SLOTS or 0)
    sessions: np.ndarray[Any, Any]  # SESSION_DTYPE (venues,)


def new_exchange(instruments: int, slots: int, venues: int = 1, is_exact: bool = False) -> Exchange:
    """Return an exchange on which nothing has happened yet.

    Parameters
    ----------
    instruments : how many instruments, each with a market of its own.
    slots : orders of an instrument that can be alive at once, 1 to 32767.
    venues : how many sessions; an instrument uses that of its venue.
    is_exact : whether an instrument's queue model is EXACT: only then the queues' members are kept.
    """
    orders = np.zeros((instruments, slots), VENUE_ORDER_DTYPE)
    orders["slot"] = np.arange(slots)
    markets = np.zeros(instruments, EXCHANGE_MARKET_DTYPE)
    markets["is_changed"] = 1
    return Exchange(
        markets,
        orders,
        new_members(instruments, is_exact),
        np.zeros(venues, SESSION_DTYPE),
    )
