"""What the coordinator's kernels work on: state that lasts, parameters, and the rows of one run."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from chimera_platform.execution.order_state import ORDER_DTYPE
from chimera_platform.execution.orders import ROLE_COUNT
from chimera_platform.execution.records import (
    DECISION_DTYPE,
    ENGINE_COUNT,
    FILL_DTYPE,
    MARK_DTYPE,
    ORDER_EVENT_DTYPE,
)
from chimera_platform.market.book import new_books
from chimera_platform.portfolio.account import ACCOUNT_DTYPE
from chimera_platform.portfolio.exposure import CURRENCY_DTYPE
from chimera_platform.portfolio.positions import POSITION_DTYPE
from chimera_platform.risk.governor import NEVER_SENT
from chimera_platform.simulation.exchange.state import Exchange, new_exchange

MARKET_DTYPE = np.dtype(
    [
        ("bid", "<i8"),  # ticks, when last tradable and looked at: at decisions, and while it is active
        ("ask", "<i8"),
        ("committed_nanos", "<i8"),  # of all engines in this instrument, see chimera_platform.portfolio.exposure
        ("reserved_nanos", "<i8"),
        ("seen_ts", "<i8"),  # ns UTC of the last record
        ("is_tradable", "u1"),  # at the last completed source event
        ("is_complete", "u1"),  # 1: the last record applied was the LAST of its source event
        ("is_active", "u1"),  # 1: an order is open, a position is held or the venue has something to do
        ("is_at_venue", "u1"),  # 1: the venue has an order, or a report of one is on its way
        ("is_marked", "u1"),  # 1: the first marks have been written
    ]
)


class CoordinatorState(NamedTuple):
    """All that lasts from event to event: what the coordinator knows, then the simulated exchange."""

    account: np.ndarray[Any, Any]  # ACCOUNT_DTYPE (1,)
    markets: np.ndarray[Any, Any]  # MARKET_DTYPE (instruments,)
    currencies: np.ndarray[Any, Any]  # CURRENCY_DTYPE (currencies,): what the instruments buy and sell
    positions: np.ndarray[Any, Any]  # POSITION_DTYPE (instruments, engines)
    orders: np.ndarray[Any, Any]  # ORDER_DTYPE (instruments, engines, roles)
    order_times: np.ndarray[Any, Any]  # i8 (max_orders,): ns UTC of the last entries sent, NEVER_SENT where none
    books: np.ndarray[Any, Any]  # BOOK_DTYPE (instruments,)
    exchange_markets: np.ndarray[Any, Any]  # EXCHANGE_MARKET_DTYPE (instruments,)
    exchange_orders: np.ndarray[Any, Any]  # VENUE_ORDER_DTYPE (instruments, engines * roles)
    exchange_members: np.ndarray[Any, Any]  # MEMBERS_DTYPE (instruments, …)
    exchange_sessions: np.ndarray[Any, Any]  # SESSION_DTYPE (venues,)

    @property
    def exchange(self) -> Exchange:
        """The simulated exchange alone."""
        return Exchange(self.exchange_markets, self.exchange_orders, self.exchange_members, self.exchange_sessions)


class CoordinatorParameters(NamedTuple):
    """The settings' kernel records, each of shape (1,) where nothing else is said."""

    instruments: np.ndarray[Any, Any]  # INSTRUMENT_DTYPE (instruments,)
    risk: np.ndarray[Any, Any]
    allocator: np.ndarray[Any, Any]
    shares: np.ndarray[Any, Any]  # SHARES_DTYPE (instruments,)
    venues: np.ndarray[Any, Any]  # VENUE_DTYPE (venues,)
    venue_index: np.ndarray[Any, Any]  # i8 (instruments,): where an instrument is traded
    account: np.ndarray[Any, Any]


class Rows(NamedTuple):
    """Output buffers; ``counts`` holds how many rows of each, in this order, are written."""

    decisions: np.ndarray[Any, Any]
    orders: np.ndarray[Any, Any]
    fills: np.ndarray[Any, Any]
    marks: np.ndarray[Any, Any]
    counts: np.ndarray[Any, Any]  # i8 (4,)


def new_state(
    instruments: int, currencies: int, starting_nanos: int, max_orders: int, venues: int, is_exact: bool = False
) -> CoordinatorState:
    """Return the state before the first event: all cash, no positions, every engine at weight 1.

    ``is_exact``: whether a venue keeps exact queue positions.
    """
    account = np.zeros(1, ACCOUNT_DTYPE)
    for name in ("starting_nanos", "cash_nanos", "peak_equity_nanos"):
        account[name] = starting_nanos
    account["engine_weight"] = 1.0
    markets = np.zeros(instruments, MARKET_DTYPE)
    markets["is_complete"] = 1
    return CoordinatorState(
        account,
        markets,
        np.zeros(currencies, CURRENCY_DTYPE),
        np.zeros((instruments, ENGINE_COUNT), POSITION_DTYPE),
        np.zeros((instruments, ENGINE_COUNT, ROLE_COUNT), ORDER_DTYPE),
        np.full(max_orders, NEVER_SENT, np.int64),
        new_books(instruments),
        *new_exchange(instruments, ENGINE_COUNT * ROLE_COUNT, venues, is_exact),
    )


def new_rows(capacity: int) -> Rows:
    """Return buffers of ``capacity`` rows each."""
    decisions, orders = np.zeros(capacity, DECISION_DTYPE), np.zeros(capacity, ORDER_EVENT_DTYPE)
    fills, marks = np.zeros(capacity, FILL_DTYPE), np.zeros(capacity, MARK_DTYPE)
    return Rows(decisions, orders, fills, marks, np.zeros(4, np.int64))
