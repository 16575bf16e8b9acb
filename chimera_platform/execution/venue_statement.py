"""What a venue says about the account when it is asked: orders, recent executions, positions.

The simulated venue states it from its own slots; over FIX 4.4 it is the answer to an order mass status request, the
executions of a trade capture report, and position reports. It holds as of the last report that the session has
delivered or lost: what is still on its way to the client, and will come, does not count yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chimera_platform.execution.reports import REPORT_DTYPE

STATED_ORDER_DTYPE = np.dtype(
    [
        ("order_no", "<i8"),  # the client's number
        ("size", "<i8"),  # lots ordered
        ("filled", "<i8"),  # lots
        ("price", "<i8"),  # ticks; limit, 0 for none
        ("average_price", "<f8"),  # ticks, of what is filled; NaN where the venue does not say
        ("instrument_id", "<i4"),
        ("slot", "<i2"),  # where the session keeps it; -1 where it does not say
        ("status", "u1"),  # OrderStatus
        ("has_cancel", "u1"),  # 1: a cancel is on its way or at work
        ("has_replace", "u1"),  # 1: a replacement is
        ("is_triggered", "u1"),  # 1: a stop that is in the book
        ("side", "i1"),
    ],
    align=True,
)

EXECUTION_DTYPE = np.dtype(
    [
        ("instrument_id", "<i4"),
        ("report", REPORT_DTYPE),  # of kind TRADE
    ],
    align=True,
)


@dataclass(frozen=True)
class VenueStatement:
    """A venue's statement of one account.

    Attributes
    ----------
    orders : STATED_ORDER_DTYPE (n,), all that are open; ended ones as far back as the venue goes.
    executions : EXECUTION_DTYPE (m,), recent trades in the order in which they happened.
    positions : int64 (instruments,), lots, signed.
    next_exec_no : int64 (instruments,), the first number that no report of the instrument has had.
    """

    orders: np.ndarray[Any, Any]
    executions: np.ndarray[Any, Any]
    positions: np.ndarray[Any, Any]
    next_exec_no: np.ndarray[Any, Any]
