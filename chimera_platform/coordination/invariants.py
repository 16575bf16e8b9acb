"""What must hold after every event, checked from the rows of the state themselves."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from chimera_platform.execution.order_state import FILLED, PARTIALLY_FILLED, has_ended, open_lots
from chimera_platform.execution.orders import ENTRY, EXIT, ROLE_COUNT
from chimera_platform.execution.records import ENGINE_COUNT
from chimera_platform.execution.reports import ReportKind
from chimera_platform.kernels import kernel
from chimera_platform.simulation.exchange.records import REPORTS_MAX


class Violation(IntEnum):
    """Which invariant is broken; NONE where all hold."""

    NONE = 0
    COMMITTED = 1  # a position's committed exposure is not its absolute cost
    RESERVED = 2  # a reservation is not the remainder of an open entry at its decision price
    ENGINE_EXPOSURE = 3  # an engine's exposure is not the sum over its positions
    SYMBOL_EXPOSURE = 4  # an instrument's exposure is not the sum over its positions
    ACCOUNT_EXPOSURE = 5  # the account's exposure is not the sum over all positions
    CASH = 6  # cash + cost of positions is not starting cash + realised - fees
    VALUE = 7  # the account's value, realised profit or fees is not the sum over its positions
    ORDER_STATE = 8  # an order's status, filled size and openness contradict each other
    EXIT_SIZE = 9  # an open exit would do more than close its position
    FLAT_COST = 10  # a flat position has a cost or a value, or cost and position differ in sign
    PEAK = 11  # equity is above its peak
    FILLS = 12  # what the client knows as filled is not what the venue filled less what is on its way
    REPORTS = 13  # a report was refused that a simulated venue never writes


COMMITTED, RESERVED, FLAT_COST = int(Violation.COMMITTED), int(Violation.RESERVED), int(Violation.FLAT_COST)
ENGINE_EXPOSURE, SYMBOL_EXPOSURE = int(Violation.ENGINE_EXPOSURE), int(Violation.SYMBOL_EXPOSURE)
ACCOUNT_EXPOSURE, CASH, VALUE = int(Violation.ACCOUNT_EXPOSURE), int(Violation.CASH), int(Violation.VALUE)
ORDER_STATE, EXIT_SIZE, PEAK = int(Violation.ORDER_STATE), int(Violation.EXIT_SIZE), int(Violation.PEAK)
FILLS, REPORTS = int(Violation.FILLS), int(Violation.REPORTS)
_TRADE = int(ReportKind.TRADE)


@kernel
def check_order(order: Any) -> int:
    """Return 0, or ORDER_STATE where ``order`` contradicts itself."""
    if order.status == 0:
        return ORDER_STATE if order.is_open == 1 else 0
    is_alive = not has_ended(order) or order.reported > order.filled
    if is_alive != (order.is_open == 1) or order.filled > order.reported or order.reported > order.size:
        return ORDER_STATE
    if (order.status == FILLED) != (order.filled == order.size):
        return ORDER_STATE
    if order.status == PARTIALLY_FILLED and order.filled == 0:
        return ORDER_STATE
    return 0


@kernel
def check_fills(state: Any, i: int, e: int, role: int) -> int:
    """Return 0, or FILLS where client and venue do not agree on an order but for the trades that are on their way."""
    order, market = state.orders[i, e, role], state.exchange_markets[i]
    at_venue = state.exchange_orders[i, e * ROLE_COUNT + role]
    on_the_way = 0
    for k in range(market.reports_count):
        report = market.reports[(market.reports_first + k) % REPORTS_MAX]
        if report.kind == _TRADE and report.order_no == order.order_no:
            on_the_way += report.lots
    return FILLS if order.status != 0 and order.filled != at_venue.filled - on_the_way else 0


@kernel
def check_position(state: Any, i: int, e: int) -> int:
    """Return 0, or the invariant that the position of (instrument, engine) and its orders break."""
    position, entry, leave = state.positions[i, e], state.orders[i, e, ENTRY], state.orders[i, e, EXIT]
    for role in range(ROLE_COUNT):
        broken = check_order(state.orders[i, e, role])
        if broken != 0:
            return broken
        broken = check_fills(state, i, e, role)
        if broken != 0:
            return broken
    if position.committed_nanos != abs(position.cost_nanos):
        return COMMITTED
    remainder = open_lots(entry) * entry.reserved_per_lot_nanos
    if position.reserved_nanos != remainder:
        return RESERVED
    if position.lots == 0 and (position.cost_nanos != 0 or position.value_nanos != 0):
        return FLAT_COST
    if leave.is_open == 1 and (leave.side * position.lots >= 0 or open_lots(leave) > abs(position.lots)):
        return EXIT_SIZE
    return 0


@kernel
def check_sums(state: Any) -> int:
    """Return 0, or the invariant that the totals of account, engines and instruments break."""
    account, positions = state.account[0], state.positions
    cost, value, realised, fees, exposure = 0, 0, 0, 0, 0
    for e in range(ENGINE_COUNT):
        of_engine = 0
        for i in range(positions.shape[0]):
            position = positions[i, e]
            of_engine += position.committed_nanos + position.reserved_nanos
            cost += position.cost_nanos
            value += position.value_nanos
            realised += position.realised_nanos
            fees += position.fees_nanos
        if account.engine_exposure_nanos[e] != of_engine:
            return ENGINE_EXPOSURE
        exposure += of_engine
    if account.exposure_nanos != exposure:
        return ACCOUNT_EXPOSURE
    if value != account.value_nanos or realised != account.realised_nanos or fees != account.fees_nanos:
        return VALUE
    if account.cash_nanos + cost != account.starting_nanos + account.realised_nanos - account.fees_nanos:
        return CASH
    if account.cash_nanos + account.value_nanos > account.peak_equity_nanos:
        return PEAK
    return REPORTS if account.refused_reports != 0 else 0


@kernel
def check_invariants(state: Any) -> int:
    """Return :class:`Violation` NONE, or the first invariant that ``state`` breaks.

    The identities, exact to the nano:

    - committed + reserved = sum of |cost| of positions + remainders of open entries at their decision price, for
      each position, engine, instrument and the account; so a reservation ends with its order;
    - cash + sum(cost) = starting cash + realised - fees, hence with value at the mid
      cash + value = starting cash + realised + unrealised - fees, where unrealised = sum(value - cost);
    - lots filled as the client knows them = lots filled at the venue - lots of trades still on their way.
    """
    for i in range(state.positions.shape[0]):
        of_symbol = 0
        for e in range(ENGINE_COUNT):
            broken = check_position(state, i, e)
            if broken != 0:
                return broken
            of_symbol += state.positions[i, e].committed_nanos + state.positions[i, e].reserved_nanos
        if state.markets[i].exposure_nanos != of_symbol:
            return SYMBOL_EXPOSURE
    return check_sums(state)
