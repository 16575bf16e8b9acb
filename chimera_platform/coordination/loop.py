"""The coordinator's loop over events: the one place where time passes for account, risk and venue."""

from __future__ import annotations

from typing import Any

from chimera_platform.coordination.entries import handle_intent, refresh_market
from chimera_platform.coordination.exits import handle_exit
from chimera_platform.execution.orders import ROLE_COUNT
from chimera_platform.execution.records import ENGINE_COUNT
from chimera_platform.kernels import kernel
from chimera_platform.market.book import apply_event
from chimera_platform.market.events import EventFlag
from chimera_platform.portfolio.marks import append_mark
from chimera_platform.portfolio.positions import revalue
from chimera_platform.risk.allocator import is_engaged
from chimera_platform.simulation.queue import match_book, match_trade
from chimera_platform.simulation.venue import step_order

_LAST = int(EventFlag.LAST)


@kernel
def before_event(state: Any, parameters: Any, output: Any, i: int, event: Any, event_no: int) -> None:
    """Let the venue do what was due before this event, and match resting orders with the trade that it may be."""
    market = state.markets[i]
    for e in range(ENGINE_COUNT):
        for role in range(ROLE_COUNT):
            order = state.orders[i, e, role]
            if order.is_open == 1 and market.is_complete == 1:
                step_order(state, parameters, output, i, e, role, event_no, event.ts_event)
            if order.is_open == 1 and order.at_venue == 1 and market.is_tradable == 1:
                match_trade(state, parameters, output, i, e, role, event, event_no)


@kernel
def after_event(state: Any, parameters: Any, output: Any, i: int, event_no: int, ts: int) -> None:
    """After a completed source event of an active instrument: match, value, exit, mark."""
    account, market = state.account[0], state.markets[i]
    refresh_market(market, state.books[i])
    for e in range(ENGINE_COUNT):
        position = state.positions[i, e]
        if market.is_tradable == 1:
            for role in range(ROLE_COUNT):
                order = state.orders[i, e, role]
                if order.is_open == 1 and order.at_venue == 1:
                    match_book(state, parameters, output, i, e, role, event_no, ts)
            revalue(account, position, market.bid, market.ask, parameters.instruments[i].tick_value_nanos)
            handle_exit(state, parameters, output, i, e, event_no, ts)
        if position.lots != 0 and ts >= position.next_mark_ts:
            append_mark(state, parameters, output, i, e, event_no, ts)
    market.is_active = 0
    for e in range(ENGINE_COUNT):
        if is_engaged(state, i, e):
            market.is_active = 1


@kernel
def mark_first(state: Any, parameters: Any, output: Any, i: int, event_no: int, ts: int) -> None:
    """Write the flat first marks of an instrument when it becomes tradable for the first time."""
    market = state.markets[i]
    refresh_market(market, state.books[i])
    if market.is_tradable == 1:
        market.is_marked = 1
        for e in range(ENGINE_COUNT):
            append_mark(state, parameters, output, i, e, event_no, ts)


@kernel
def has_room(output: Any, rows_per_event: int, intents_left: int) -> bool:
    """Return whether the buffers can take whatever one more event can bring."""
    orders_room = output.orders.shape[0] - output.counts[1] - intents_left
    fills_room = output.fills.shape[0] - output.counts[2]
    return min(orders_room, fills_room, output.marks.shape[0] - output.counts[3]) >= rows_per_event


@kernel
def run_events(
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
    """Run events from index ``start`` on and return (next event, next intent): less than all where rows are full.

    Parameters
    ----------
    state, parameters, output : see :mod:`chimera_platform.coordination.state`.
    events : EVENT_DTYPE (n,), in the run's order; the first one's ``event_no`` is ``first_event_no``.
    intents : INTENT_DTYPE, in the order of ``event_no``; numbered in place.
    rows_per_event : most rows of one table that an event brings, without its intents.
    """
    k = intent_start
    for n in range(start, events.shape[0]):
        if not has_room(output, rows_per_event, intents.shape[0] - k):
            return n, k
        event = events[n]
        i = event.instrument_id
        event_no = first_event_no + n
        market = state.markets[i]
        if market.is_active == 1:
            before_event(state, parameters, output, i, event, event_no)
        apply_event(state.books[i], event)
        market.is_complete = 1 if event.flags & _LAST != 0 else 0
        if market.is_complete == 1:
            if market.is_active == 1:
                after_event(state, parameters, output, i, event_no, event.ts_event)
            elif market.is_marked == 0:
                mark_first(state, parameters, output, i, event_no, event.ts_event)
        while k < intents.shape[0] and intents[k].event_no == event_no:
            handle_intent(state, parameters, output, intents[k], event_no, event.ts_event)
            k += 1
    return events.shape[0], k
