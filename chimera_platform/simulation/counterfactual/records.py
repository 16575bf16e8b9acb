"""What is asked of the lanes, what a lane is, and what comes of it."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from chimera_platform.coordination.state import CoordinatorState

WANTED, APPROVED = 0, 1
"""In which size an intent is carried out; the second index of outcomes."""

SIZES = 2


class Carried(IntEnum):
    """What became of an intent in one of its sizes."""

    NOT = 0  # nothing to carry out in that size
    CLOSED = 1  # its position is closed again, or its entry ended without a fill
    OPEN = 2  # at work when the data ended: valued at the last mid
    REPEAT = 3  # the same engine's earlier intent, refused by the same gate, was still being carried out
    CAPACITY = 4  # worth more than the platform's money holds exactly


WISH_DTYPE = np.dtype(
    [
        ("lots", "<i8", (SIZES,)),  # wanted and approved; 0: not to be carried out in that size
        ("price", "<i8"),  # ticks at which it was decided
        ("gate", "<i8"),  # DecisionReason that refused it or set its size
        ("is_refused", "<i8"),  # 1: nothing was approved
    ],
    align=True,
)

LANE_DTYPE = np.dtype(
    [
        ("wish", "<i8"),  # index of the wish
        ("size", "<i8"),  # WANTED or APPROVED
        ("engine", "<i8"),
        ("gate", "<i8"),  # of a refused wish; otherwise 0
        ("opened_ts", "<i8"),  # ns UTC of the first fill's report; 0: none so far
        ("is_busy", "<i8"),
    ],
    align=True,
)

OUTCOME_DTYPE = np.dtype(
    [
        ("net_nanos", "<i8"),  # after fees; an open position at its last mid
        ("fees_nanos", "<i8"),
        ("entered_lots", "<i8"),  # that the entry has filled
        ("held_ns", "<i8"),  # from the first fill's report to the last, or to the end of the data
        ("carried", "<i8"),  # Carried
    ],
    align=True,
)


class Lanes(NamedTuple):
    """A pool of accounts of one instrument; the first index of every array is the lane, the second as in the state."""

    control: np.ndarray[Any, Any]  # LANE_DTYPE (lanes,)
    account: np.ndarray[Any, Any]
    markets: np.ndarray[Any, Any]
    currencies: np.ndarray[Any, Any]
    positions: np.ndarray[Any, Any]
    orders: np.ndarray[Any, Any]
    order_times: np.ndarray[Any, Any]
    desk: np.ndarray[Any, Any]
    market_risk: np.ndarray[Any, Any]
    moments: np.ndarray[Any, Any]
    exchange_markets: np.ndarray[Any, Any]
    exchange_orders: np.ndarray[Any, Any]
    exchange_members: np.ndarray[Any, Any]
    exchange_sessions: np.ndarray[Any, Any]


def new_lanes(fresh: CoordinatorState, count: int) -> Lanes:
    """Return ``count`` idle lanes, each in the state ``fresh``, that of an account of one instrument."""
    arrays = {name: getattr(fresh, name) for name in Lanes._fields if name != "control"}
    return Lanes(np.zeros(count, LANE_DTYPE), **{name: _repeated(array, count) for name, array in arrays.items()})


def grown(lanes: Lanes, fresh: CoordinatorState, count: int) -> Lanes:
    """Return ``count`` lanes, the first ones as they are."""
    larger = new_lanes(fresh, count)
    for new, old in zip(larger, lanes, strict=True):
        new[: len(old)] = old
    return larger


def _repeated(array: np.ndarray[Any, Any], count: int) -> np.ndarray[Any, Any]:
    lanes = np.zeros((count, *array.shape), array.dtype)
    lanes[:] = array
    return lanes
