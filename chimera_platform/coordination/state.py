"""What the coordinator's kernels work on: the state that lasts, and the rows of one run."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from chimera_platform.coordination.desk import DESK_DTYPE, WORK_ROWS, Estimates
from chimera_platform.coordination.parameters import CoordinatorConfiguration, CoordinatorParameters
from chimera_platform.execution.order_state import ORDER_DTYPE
from chimera_platform.execution.orders import ROLE_COUNT
from chimera_platform.execution.records import (
    DECISION_DTYPE,
    ENGINE_COUNT,
    FILL_DTYPE,
    INTENT_DTYPE,
    MARK_DTYPE,
    ORDER_EVENT_DTYPE,
    RISK_EVENT_DTYPE,
    RISK_MARK_DTYPE,
)
from chimera_platform.market.book import new_books
from chimera_platform.market.instruments import Universe
from chimera_platform.portfolio.account import ACCOUNT_DTYPE
from chimera_platform.portfolio.exposure import CURRENCY_DTYPE
from chimera_platform.portfolio.positions import NEVER_TRADED, POSITION_DTYPE
from chimera_platform.risk.circuit_breaker import start_breaker
from chimera_platform.risk.covariance import new_market_risk, new_moments, new_portfolio_risk
from chimera_platform.risk.hedge_controller import new_hedge
from chimera_platform.risk.live_value_at_risk import new_return_ring
from chimera_platform.risk.order_rate import NEVER_SENT
from chimera_platform.risk.rebalancing import new_weights
from chimera_platform.simulation.exchange.settings import QueueModel
from chimera_platform.simulation.exchange.state import Exchange, new_exchange

MARKET_DTYPE = np.dtype(
    [
        ("bid", "<i8"),  # ticks, when last tradable and looked at: at decisions, and while it is active
        ("ask", "<i8"),
        ("committed_nanos", "<i8"),  # of all engines in this instrument, see chimera_platform.portfolio.exposure
        ("reserved_nanos", "<i8"),
        ("seen_ts", "<i8"),  # ns UTC of the last record
        ("quoted_ts", "<i8"),  # ns UTC of the last record that says anything of the book
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
    desk: np.ndarray[Any, Any]  # DESK_DTYPE (1,)
    market_risk: np.ndarray[Any, Any]  # MARKET_RISK_DTYPE (instruments,)
    moments: np.ndarray[Any, Any]  # f8 (instruments, instruments), see chimera_platform.risk.covariance
    books: np.ndarray[Any, Any]  # BOOK_DTYPE (instruments,)
    exchange_markets: np.ndarray[Any, Any]  # EXCHANGE_MARKET_DTYPE (instruments,)
    exchange_orders: np.ndarray[Any, Any]  # VENUE_ORDER_DTYPE (instruments, engines * roles)
    exchange_members: np.ndarray[Any, Any]  # MEMBERS_DTYPE (instruments, …)
    exchange_sessions: np.ndarray[Any, Any]  # SESSION_DTYPE (venues,)

    @property
    def exchange(self) -> Exchange:
        """The simulated exchange alone."""
        return Exchange(self.exchange_markets, self.exchange_orders, self.exchange_members, self.exchange_sessions)


class Rows(NamedTuple):
    """Output buffers; ``counts`` holds how many rows of each, in this order, are written."""

    decisions: np.ndarray[Any, Any]
    orders: np.ndarray[Any, Any]
    fills: np.ndarray[Any, Any]
    marks: np.ndarray[Any, Any]
    risk_events: np.ndarray[Any, Any]
    risk_marks: np.ndarray[Any, Any]
    intents: np.ndarray[Any, Any]  # the coordinator's own: hedges
    counts: np.ndarray[Any, Any]  # i8 (7,)


TABLE_COUNT = 7


def new_state(
    universe: Universe, configuration: CoordinatorConfiguration, parameters: CoordinatorParameters
) -> CoordinatorState:
    """Return the state before the first event: all cash, no positions, every engine at weight 1."""
    instruments, settings = len(universe), parameters.settings[0]
    starting_nanos = configuration.account.starting_equity_nanos
    account = np.zeros(1, ACCOUNT_DTYPE)
    for name in ("starting_nanos", "cash_nanos", "peak_equity_nanos"):
        account[name] = starting_nanos
    account["engine_weight"] = 1.0
    markets = np.zeros(instruments, MARKET_DTYPE)
    markets["is_complete"] = 1
    positions = np.zeros((instruments, ENGINE_COUNT), POSITION_DTYPE)
    positions["bought_ts"] = positions["sold_ts"] = NEVER_TRADED
    desk = np.zeros(1, DESK_DTYPE)
    start_breaker(desk[0]["breaker"], settings["circuit_breaker"], starting_nanos)
    desk["portfolio"] = new_portfolio_risk()
    desk["weights"] = new_weights(settings["allocator"]["engine_share"].tolist())
    desk["hedge"] = new_hedge(configuration.hedge_controller, universe.symbols).state
    names = {instrument.venue for instrument in universe.instruments}
    venues = [configuration.venues.get(name, configuration.venue) for name in names]
    return CoordinatorState(
        account,
        markets,
        np.zeros(len(universe.assets), CURRENCY_DTYPE),
        positions,
        np.zeros((instruments, ENGINE_COUNT, ROLE_COUNT), ORDER_DTYPE),
        np.full(configuration.risk.max_orders, NEVER_SENT, np.int64),
        desk,
        new_market_risk(instruments, configuration.covariance),
        new_moments(instruments, configuration.covariance),
        new_books(instruments),
        *new_exchange(
            instruments,
            ENGINE_COUNT * ROLE_COUNT,
            len(parameters.venues),
            any(venue.queue_model is QueueModel.EXACT for venue in venues),
        ),
    )


def new_estimates(universe: Universe, configuration: CoordinatorConfiguration) -> Estimates:
    """Return the estimates before the first sample."""
    instruments, window = len(universe), configuration.value_at_risk.window
    hedge = new_hedge(configuration.hedge_controller, universe.symbols)
    return Estimates(
        new_return_ring(instruments, window),
        hedge.betas,
        hedge.markets,
        hedge.work,
        np.zeros((WORK_ROWS, instruments)),
        np.zeros((2, window)),
    )


def new_rows(capacity: int) -> Rows:
    """Return buffers of ``capacity`` rows each."""
    dtypes = (
        DECISION_DTYPE,
        ORDER_EVENT_DTYPE,
        FILL_DTYPE,
        MARK_DTYPE,
        RISK_EVENT_DTYPE,
        RISK_MARK_DTYPE,
        INTENT_DTYPE,
    )
    return Rows._make([*(np.zeros(capacity, dtype) for dtype in dtypes), np.zeros(TABLE_COUNT, np.int64)])
