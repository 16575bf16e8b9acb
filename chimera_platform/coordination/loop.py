"""The coordinator's loop over events: the one place where time passes for account, risk and venue."""

from __future__ import annotations

from typing import Any

from chimera_platform.coordination.entries import handle_intent, refresh_market
from chimera_platform.coordination.exits import close_position, exit_reason
from chimera_platform.coordination.state import CoordinatorParameters, CoordinatorState, Rows
from chimera_platform.execution.fills import MAKER, fill_order
from chimera_platform.execution.orders import ENTRY, EXIT, ROLE_COUNT, is_resting
from chimera_platform.execution.records import ENGINE_COUNT
from chimera_platform.kernels import kernel
from chimera_platform.market.book import apply_event
from chimera_platform.market.events import EventFlag
from chimera_platform.portfolio.marks import append_mark
from chimera_platform.portfolio.positions import FAULT_INSTRUMENT, note_equity, revalue
from chimera_platform.risk.allocator import is_engaged
from chimera_platform.simulation.queue import is_trade, lots_from_book, lots_from_trade
from chimera_platform.simulation.venue import is_due, step_order

_LAST = int(EventFlag.LAST)


# The questions asked at every event of an active instrument take single arrays; only where the answer is yes are the
# functions called that take all state and parameters, which costs a few hundred nanoseconds a call.


@kernel
def is_venue_due(orders: Any, market: Any, i: int, ts: int) -> bool:
    """Return whether an order, cancel or expiry of the instrument takes effect before ``ts``."""
    for e in range(ENGINE_COUNT):
        for role in range(ROLE_COUNT):
            if is_due(orders[i, e, role], market.is_complete, ts):
                return True
    return False


@kernel
def match_trade(orders: Any, i: int, event: Any) -> bool:
    """Note what a trade of the market means for the instrument's resting orders; return whether any is filled."""
    if not is_trade(event):
        return False
    found = False
    for e in range(ENGINE_COUNT):
        for role in range(ROLE_COUNT):
            order = orders[i, e, role]
            if is_resting(order):
                order.matched = lots_from_trade(order, event)
                found = found or order.matched > 0
    return found


@kernel
def match_book(orders: Any, book: Any, i: int, max_levels: int) -> bool:
    """Note what a changed book means for the instrument's resting orders; return whether any is filled."""
    found = False
    for e in range(ENGINE_COUNT):
        for role in range(ROLE_COUNT):
            order = orders[i, e, role]
            if is_resting(order):
                order.matched = lots_from_book(order, book, max_levels)
                found = found or order.matched > 0
    return found


@kernel
def value_positions(account: Any, market: Any, positions: Any, i: int, tick_value_nanos: int) -> None:
    """Value the instrument's positions at its mid."""
    for e in range(ENGINE_COUNT):
        revalue(account, positions[i, e], market.bid, market.ask, tick_value_nanos)
    note_equity(account)


@kernel
def is_settlement_due(account: Any, market: Any, positions: Any, i: int, tick_value_nanos: int, ts: int) -> bool:
    """Return whether there is an exit to send or a mark to write."""
    found = False
    for e in range(ENGINE_COUNT):
        position = positions[i, e]
        if market.is_tradable == 1:
            found = found or exit_reason(account, market, position, tick_value_nanos, ts) != 0
        found = found or (position.lots != 0 and ts >= position.next_mark_ts)
    return found


@kernel
def is_any_engaged(positions: Any, orders: Any, i: int) -> bool:
    """Return whether any engine has a position or a working order in the instrument."""
    found = False
    for e in range(ENGINE_COUNT):
        found = found or is_engaged(positions[i, e], orders[i, e, ENTRY], orders[i, e, EXIT])
    return found


@kernel
def step_venue(state: Any, parameters: Any, output: Any, i: int, event_no: int, ts: int) -> None:
    """Let the venue do what was due before ``ts``."""
    for e in range(ENGINE_COUNT):
        for role in range(ROLE_COUNT):
            if is_due(state.orders[i, e, role], state.markets[i].is_complete, ts):
                step_order(state, parameters, output, i, e, role, event_no, ts)


@kernel
def fill_matched(state: Any, parameters: Any, output: Any, i: int, event_no: int, ts: int) -> None:
    """Fill the resting orders that the event has matched, each as maker at its own price."""
    for e in range(ENGINE_COUNT):
        for role in range(ROLE_COUNT):
            order = state.orders[i, e, role]
            lots = order.matched
            if lots > 0:
                order.matched = 0
                fill_order(state, parameters, output, i, e, role, order.price, lots, MAKER, event_no, ts)


@kernel
def settle(state: Any, parameters: Any, output: Any, i: int, event_no: int, ts: int) -> None:
    """Send the exits and write the marks that are due after a source event."""
    account, market = state.account[0], state.markets[i]
    for e in range(ENGINE_COUNT):
        position = state.positions[i, e]
        if market.is_tradable == 1:
            reason = exit_reason(account, market, position, parameters.instruments[i].tick_value_nanos, ts)
            if reason != 0:
                close_position(state, parameters, output, i, e, reason, event_no, ts)
        if position.lots != 0 and ts >= position.next_mark_ts:
            append_mark(state, parameters, output, i, e, event_no, ts)


@kernel
def mark_first(state: Any, parameters: Any, output: Any, i: int, event_no: int, ts: int) -> None:
    """Write the flat first marks of an instrument when it becomes tradable for the first time."""
    state.markets[i].is_marked = 1
    for e in range(ENGINE_COUNT):
        append_mark(state, parameters, output, i, e, event_no, ts)


@kernel
def has_room(output: Any, rows_per_event: int, intents_left: int) -> bool:
    """Return whether the buffers can take whatever one more event can bring."""
    orders_room = output.orders.shape[0] - output.counts[1] - intents_left
    fills_room = output.fills.shape[0] - output.counts[2]
    return min(orders_room, fills_room, output.marks.shape[0] - output.counts[3]) >= rows_per_event


@kernel
def _run_events(
    state: Any,
    parameters: Any,
    output: Any,
    events: Any,
    first_event_no: int,
    intents: Any,
    start: int,
    intent_start: int,
    rows_per_event: int,
) -> Any:
    """Run events from index ``start`` on; return (next event, next intent, whether any row was written, fault).

    The next event is not the end of the batch where the rows are full: take them and call again.

    Parameters
    ----------
    state, parameters, output : see :mod:`chimera_platform.coordination.state`.
    events : EVENT_DTYPE (n,), in the run's order; the first one's ``event_no`` is ``first_event_no``.
    intents : INTENT_DTYPE, in the order of ``event_no``; numbered in place.
    rows_per_event : most rows of one table that an event brings, without its intents.
    """
    account, levels = state.account[0], parameters.venue[0].max_walk_levels
    output.counts[:] = 0
    n, k = start, intent_start
    while n < events.shape[0] and account.fault == 0:
        if not has_room(output, rows_per_event, intents.shape[0] - k):
            break
        event = events[n]
        i = event.instrument_id
        if i < 0 or i >= state.markets.shape[0]:
            account.fault = FAULT_INSTRUMENT
            break
        event_no = first_event_no + n
        market = state.markets[i]
        ts = event.ts_event
        if market.is_active == 1:
            if is_venue_due(state.orders, market, i, ts):
                step_venue(state, parameters, output, i, event_no, ts)
            if market.is_tradable == 1 and match_trade(state.orders, i, event):
                fill_matched(state, parameters, output, i, event_no, ts)
        apply_event(state.books[i], event)
        market.is_complete = 1 if event.flags & _LAST != 0 else 0
        if market.is_complete == 1:
            refresh_market(market, state.books[i])
        if market.is_complete == 1 and market.is_active == 1:
            tick_value = parameters.instruments[i].tick_value_nanos
            if market.is_tradable == 1:
                value_positions(account, market, state.positions, i, tick_value)
                if match_book(state.orders, state.books[i], i, levels):
                    fill_matched(state, parameters, output, i, event_no, ts)
            if is_settlement_due(account, market, state.positions, i, tick_value, ts):
                settle(state, parameters, output, i, event_no, ts)
            market.is_active = 1 if is_any_engaged(state.positions, state.orders, i) else 0
        elif market.is_tradable == 1 and market.is_marked == 0:
            mark_first(state, parameters, output, i, event_no, ts)
        while k < intents.shape[0] and intents[k].event_no == event_no:
            handle_intent(state, parameters, output, intents[k], event_no, ts)
            k += 1
        n += 1
    return n, k, output.counts.any(), account.fault


@kernel
def run_events(
    account: Any,
    markets: Any,
    positions: Any,
    orders: Any,
    order_times: Any,
    books: Any,
    instruments: Any,
    risk: Any,
    allocator: Any,
    venue: Any,
    account_settings: Any,
    decisions: Any,
    order_events: Any,
    fills: Any,
    marks: Any,
    counts: Any,
    events: Any,
    first_event_no: int,
    intents: Any,
    start: int,
    intent_start: int,
    rows_per_event: int,
) -> Any:
    """Do :func:`_run_events` on the fields of its tuples, one by one: handing tuples in from Python costs 2 µs a call.

    Parameters
    ----------
    account, …, books : of ``CoordinatorState``.
    instruments, …, account_settings : of ``CoordinatorParameters``.
    decisions, …, counts : of ``Rows``.
    """
    return _run_events(
        CoordinatorState(account, markets, positions, orders, order_times, books),
        CoordinatorParameters(instruments, risk, allocator, venue, account_settings),
        Rows(decisions, order_events, fills, marks, counts),
        events,
        first_event_no,
        intents,
        start,
        intent_start,
        rows_per_event,
    )
