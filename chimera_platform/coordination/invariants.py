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
    COMMITTED = 1  # a position's committed exposure is not its lots at the price at which they were decided
    RESERVED = 2  # a reservation is not the remainder of an open entry at its decision price
    ENGINE_EXPOSURE = 3  # what an engine has committed or reserved is not the sum over its positions
    SYMBOL_EXPOSURE = 4  # what an instrument has committed or reserved is not the sum over its positions
    ACCOUNT_EXPOSURE = 5  # what the account has committed or reserved is not the sum over all positions
    CASH = 6  # cash + cost of positions is not starting cash + realised - fees
    VALUE = 7  # the account's value, realised profit or fees is not the sum over its positions
    ORDER_STATE = 8  # an order's status, filled size and openness contradict each other
    EXIT_SIZE = 9  # an open exit would do more than close its position
    FLAT_COST = 10  # a flat position has a cost or a value, or cost and position differ in sign
    PEAK = 11  # equity is above its peak
    FILLS = 12  # what the client knows as filled is not what the venue filled less what is on its way
    REPORTS = 13  # a report was refused that a simulated venue never writes
    CURRENCY_EXPOSURE = 14  # what a currency has committed or reserved is not the sum over its instruments
    OPEN_POSITIONS = 15  # the account's count of open positions is not how many there are


COMMITTED, RESERVED, FLAT_COST = int(Violation.COMMITTED), int(Violation.RESERVED), int(Violation.FLAT_COST)
ENGINE_EXPOSURE, SYMBOL_EXPOSURE = int(Violation.ENGINE_EXPOSURE), int(Violation.SYMBOL_EXPOSURE)
ACCOUNT_EXPOSURE, CASH, VALUE = int(Violation.ACCOUNT_EXPOSURE), int(Violation.CASH), int(Violation.VALUE)
ORDER_STATE, EXIT_SIZE, PEAK = int(Violation.ORDER_STATE), int(Violation.EXIT_SIZE), int(Violation.PEAK)
FILLS, REPORTS, CURRENCY_EXPOSURE = int(Violation.FILLS), int(Violation.REPORTS), int(Violation.CURRENCY_EXPOSURE)
OPEN_POSITIONS = int(Violation.OPEN_POSITIONS)
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
    if position.committed_nanos != abs(position.lots) * entry.reserved_per_lot_nanos:
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
    cost, value, realised, fees, committed, reserved = 0, 0, 0, 0, 0, 0
    for e in range(ENGINE_COUNT):
        of_engine, pending = 0, 0
        for i in range(positions.shape[0]):
            position = positions[i, e]
            of_engine += position.committed_nanos
            pending += position.reserved_nanos
            cost += position.cost_nanos
            value += position.value_nanos
            realised += position.realised_nanos
            fees += position.fees_nanos
        if account.engine_committed_nanos[e] != of_engine or account.engine_reserved_nanos[e] != pending:
            return ENGINE_EXPOSURE
        committed += of_engine
        reserved += pending
    if account.committed_nanos != committed or account.reserved_nanos != reserved:
        return ACCOUNT_EXPOSURE
    if value != account.value_nanos or realised != account.realised_nanos or fees != account.fees_nanos:
        return VALUE
    if account.cash_nanos + cost != account.starting_nanos + account.realised_nanos - account.fees_nanos:
        return CASH
    if account.cash_nanos + account.value_nanos > account.peak_equity_nanos:
        return PEAK
    return REPORTS if account.refused_reports != 0 else 0


@kernel
def check_currencies(state: Any, shares: Any) -> int:
    """Return 0, or CURRENCY_EXPOSURE where a currency's totals are not the sums over its instruments."""
    for c in range(state.currencies.shape[0]):
        committed, reserved = 0, 0
        for i in range(state.markets.shape[0]):
            if shares[i].currency_index == c:
                committed += state.markets[i].committed_nanos
                reserved += state.markets[i].reserved_nanos
        if state.currencies[c].committed_nanos != committed or state.currencies[c].reserved_nanos != reserved:
            return CURRENCY_EXPOSURE
    return 0


@kernel
def check_invariants(state: Any, shares: Any) -> int:
    """Return :class:`Violation` NONE, or the first invariant that ``state`` breaks; ``shares`` as of the allocator.

    The identities, exact to the nano:

    - committed = lots held, reserved = lots that open entries can still fill, each at the price at which it was
      decided, for each position, engine, instrument, currency and the account; so a reservation ends with its order.
      All lots of a position are of one entry, whose price per lot stays with its slot until the next one;
    - the account's open positions are those with lots or an open entry;
    - cash + sum(cost) = starting cash + realised - fees, hence with value at the mid
      cash + value = starting cash + realised + unrealised - fees, where unrealised = sum(value - cost);
    - lots filled as the client knows them = lots filled at the venue - lots of trades still on their way.
    """
    for i in range(state.positions.shape[0]):
        committed, reserved = 0, 0
        for e in range(ENGINE_COUNT):
            broken = check_position(state, i, e)
            if broken != 0:
                return broken
            committed += state.positions[i, e].committed_nanos
            reserved += state.positions[i, e].reserved_nanos
        if state.markets[i].committed_nanos != committed or state.markets[i].reserved_nanos != reserved:
            return SYMBOL_EXPOSURE
    broken = check_currencies(state, shares)
    if broken != 0:
        return broken
    engaged = 0
    for i in range(state.positions.shape[0]):
        for e in range(ENGINE_COUNT):
            engaged += 1 if state.positions[i, e].lots != 0 or state.orders[i, e, ENTRY].is_open == 1 else 0
    if state.account[0].open_positions != engaged:
        return OPEN_POSITIONS
    return check_sums(state)
