"""What the coordinator's kernels work on: state that lasts, parameters, and the rows of one run."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from chimera_platform.execution.orders import ORDER_DTYPE, ROLE_COUNT
from chimera_platform.execution.records import (
    DECISION_DTYPE,
    ENGINE_COUNT,
    FILL_DTYPE,
    MARK_DTYPE,
    ORDER_EVENT_DTYPE,
)
from chimera_platform.market.book import new_books
from chimera_platform.portfolio.account import ACCOUNT_DTYPE
from chimera_platform.portfolio.positions import POSITION_DTYPE
from chimera_platform.risk.governor import NEVER_SENT

MARKET_DTYPE = np.dtype(
    [
        ("bid", "<i8"),  # ticks, when last tradable
        ("ask", "<i8"),
        ("exposure_nanos", "<i8"),  # committed + reserved of all engines in this instrument
        ("is_tradable", "u1"),  # at the last completed source event
        ("is_complete", "u1"),  # 1: the last record applied was the LAST of its source event
        ("is_active", "u1"),  # 1: an order is open or a position is held
        ("is_marked", "u1"),  # 1: the first marks have been written
    ]
)


class CoordinatorState(NamedTuple):
    """All that lasts from event to event."""

    account: np.ndarray[Any, Any]  # ACCOUNT_DTYPE (1,)
    markets: np.ndarray[Any, Any]  # MARKET_DTYPE (instruments,)
    positions: np.ndarray[Any, Any]  # POSITION_DTYPE (instruments, engines)
    orders: np.ndarray[Any, Any]  # ORDER_DTYPE (instruments, engines, roles)
    order_times: np.ndarray[Any, Any]  # i8 (max_orders,): ns UTC of the last entries sent, NEVER_SENT where none
    books: np.ndarray[Any, Any]  # BOOK_DTYPE (instruments,)


class CoordinatorParameters(NamedTuple):
    """The settings' kernel records, each of shape (1,), and the instruments (instruments,)."""

    instruments: np.ndarray[Any, Any]
    risk: np.ndarray[Any, Any]
    allocator: np.ndarray[Any, Any]
    venue: np.ndarray[Any, Any]
    account: np.ndarray[Any, Any]


class Rows(NamedTuple):
    """Output buffers; ``counts`` holds how many rows of each, in this order, are written."""

    decisions: np.ndarray[Any, Any]
    orders: np.ndarray[Any, Any]
    fills: np.ndarray[Any, Any]
    marks: np.ndarray[Any, Any]
    counts: np.ndarray[Any, Any]  # i8 (4,)


def new_state(instruments: int, starting_nanos: int, max_orders: int) -> CoordinatorState:
    """Return the state before the first event: all cash, no positions, every engine at weight 1."""
    account = np.zeros(1, ACCOUNT_DTYPE)
    for name in ("starting_nanos", "cash_nanos", "peak_equity_nanos"):
        account[name] = starting_nanos
    account["engine_weight"] = 1.0
    markets = np.zeros(instruments, MARKET_DTYPE)
    markets["is_complete"] = 1
    return CoordinatorState(
        account,
        markets,
        np.zeros((instruments, ENGINE_COUNT), POSITION_DTYPE),
        np.zeros((instruments, ENGINE_COUNT, ROLE_COUNT), ORDER_DTYPE),
        np.full(max_orders, NEVER_SENT, np.int64),
        new_books(instruments),
    )


def new_rows(capacity: int) -> Rows:
    """Return buffers of ``capacity`` rows each."""
    decisions, orders = np.zeros(capacity, DECISION_DTYPE), np.zeros(capacity, ORDER_EVENT_DTYPE)
    fills, marks = np.zeros(capacity, FILL_DTYPE), np.zeros(capacity, MARK_DTYPE)
    return Rows(decisions, orders, fills, marks, np.zeros(4, np.int64))
