"""The coordinator's loop over events: the one place where time passes for account, risk and venue.

At each record of an instrument: :func:`coordinate_before` lets the venue act and takes in its reports, on the book as
it stood; the book has the record; :func:`coordinate_after` follows with what a completed source event means. Another
loop that keeps books of its own calls the two halves around its own ``apply_event``.
"""

from __future__ import annotations

from typing import Any

from chimera_platform.coordination.clock import ROWS_PER_TICK, tick
from chimera_platform.coordination.desk import Estimates
from chimera_platform.coordination.entries import handle_intent, refresh_market
from chimera_platform.coordination.exits import close_position, due_exit
from chimera_platform.coordination.losses import follow_losses
from chimera_platform.coordination.parameters import CoordinatorParameters
from chimera_platform.coordination.receiving import receive_reports
from chimera_platform.coordination.state import CoordinatorState, Rows
from chimera_platform.execution.orders import ENTRY, EXIT
from chimera_platform.execution.records import ENGINE_COUNT
from chimera_platform.kernels import inlined_kernel, kernel, record_kernel
from chimera_platform.market.book import apply_event
from chimera_platform.market.events import EventKind
from chimera_platform.portfolio.marks import append_mark
from chimera_platform.portfolio.positions import FAULT_INSTRUMENT, note_equity, revalue
from chimera_platform.risk.allocator import is_engaged
from chimera_platform.risk.circuit_breaker import needs_look
from chimera_platform.simulation.exchange.records import REPORTS_MAX
from chimera_platform.simulation.exchange.reports_ring import has_report
from chimera_platform.simulation.exchange.step import after_event, before_event, follow_market, is_exchange_idle

_TRADE, _STATUS = int(EventKind.TRADE), int(EventKind.STATUS)

ROWS_PER_EVENT = 6 * REPORTS_MAX + 4 * ENGINE_COUNT + ROWS_PER_TICK
"""Most rows of one table that one event can bring, intents' own aside: a full ring of reports before it and one after,
of which each can change three things about risk; each engine can cancel, exit, be marked, and be marked for the first
time; and what the clock brings."""


# The questions asked at every event of an active instrument take single arrays; only where the answer is yes are the
# functions called that take all state and parameters, which costs a few hundred nanoseconds a call.


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
            found = found or due_exit(account, market, position, tick_value_nanos, ts)[0] != 0
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
def settle(state: Any, parameters: Any, output: Any, i: int, event_no: int, ts: int) -> None:
    """Send the exits and write the marks that are due after a source event."""
    account, market = state.account[0], state.markets[i]
    for e in range(ENGINE_COUNT):
        position = state.positions[i, e]
        if market.is_tradable == 1:
            reason, lots = due_exit(account, market, position, parameters.instruments[i].tick_value_nanos, ts)
            if reason != 0:
                close_position(state, parameters, output, i, e, reason, lots, event_no, ts)
        if position.lots != 0 and ts >= position.next_mark_ts:
            append_mark(state, parameters, output, i, e, event_no, ts)


@kernel
def mark_first(state: Any, parameters: Any, output: Any, i: int, event_no: int, ts: int) -> None:
    """Write the flat first marks of an instrument when it becomes tradable for the first time."""
    state.markets[i].is_marked = 1
    for e in range(ENGINE_COUNT):
        append_mark(state, parameters, output, i, e, event_no, ts)


@inlined_kernel
def meet_venue(state: Any, parameters: Any, output: Any, book: Any, event: Any, event_no: int) -> None:
    """Let the venue do what is due before ``event``, and take in what it reports; ``book`` is without the event."""
    i = event.instrument_id
    if state.markets[i].is_at_venue == 1:
        v = parameters.venue_index[i]
        before_event(
            parameters.venues[v],
            state.exchange_sessions[v],
            state.exchange_markets[i],
            state.exchange_orders[i],
            state.exchange_members[i],
            book,
            event,
            event.ts_event,
        )
        if has_report(state.exchange_markets[i], event.ts_event):
            receive_reports(state, parameters, output, i, event_no, event.ts_event)


@inlined_kernel
def coordinate_before(
    state: Any, parameters: Any, estimates: Any, output: Any, book: Any, event: Any, event_no: int
) -> None:
    """Let the clock tick where it is time, let the venue do what is due before ``event``, take in what it reports.

    Parameters
    ----------
    state, parameters, output : see :mod:`chimera_platform.coordination.state`; ``book`` is still without the event.
    estimates : see :mod:`chimera_platform.coordination.desk`.
    book, event : records of BOOK_DTYPE and EVENT_DTYPE, of one instrument of the state.
    event_no : row number of the event in the run.
    """
    if event.ts_event >= state.desk[0].next_look_ts:
        tick(state, parameters, estimates, output, event_no, event.ts_event)
    meet_venue(state, parameters, output, book, event, event_no)


@inlined_kernel
def follow_active(state: Any, parameters: Any, output: Any, book: Any, event: Any, event_no: int) -> None:
    """Do what a completed source event of an active instrument means."""
    i, ts = event.instrument_id, event.ts_event
    account, market, exchange_market = state.account[0], state.markets[i], state.exchange_markets[i]
    tick_value = parameters.instruments[i].tick_value_nanos
    refresh_market(market, exchange_market)
    if market.is_tradable == 1:
        value_positions(account, market, state.positions, i, tick_value)
        if needs_look(state.desk[0].breaker, account.cash_nanos + account.value_nanos, ts):
            follow_losses(state, parameters, output, event_no, ts)
    if market.is_at_venue == 1:
        v, orders = parameters.venue_index[i], state.exchange_orders[i]
        after_event(
            parameters.venues[v],
            state.exchange_sessions[v],
            exchange_market,
            orders,
            state.exchange_members[i],
            book,
            event,
            ts,
        )
        if has_report(exchange_market, ts):
            receive_reports(state, parameters, output, i, event_no, ts)
        market.is_at_venue = 0 if is_exchange_idle(exchange_market, orders) else 1
    if is_settlement_due(account, market, state.positions, i, tick_value, ts):
        settle(state, parameters, output, i, event_no, ts)
    if market.is_at_venue == 0 and not is_any_engaged(state.positions, state.orders, i):
        market.is_active = 0


@inlined_kernel
def coordinate_after(state: Any, parameters: Any, output: Any, book: Any, event: Any, event_no: int) -> None:
    """Follow what ``book`` shows after ``event``: touch, venue, value of positions, exits and marks.

    An idle instrument costs little more than its market's touch and rates.

    Takes what :func:`coordinate_before` takes, estimates aside. Intents that the event gave rise to come after it.
    """
    i = event.instrument_id
    market, exchange_market = state.markets[i], state.exchange_markets[i]
    follow_market(parameters.venues[parameters.venue_index[i]], exchange_market, book, event)
    if exchange_market.is_complete == 1:
        if market.is_active == 1:
            follow_active(state, parameters, output, book, event, event_no)
        elif market.is_marked == 0 and exchange_market.is_tradable == 1:
            refresh_market(market, exchange_market)
            mark_first(state, parameters, output, i, event_no, event.ts_event)
    market.seen_ts = event.ts_event
    if event.kind != _TRADE and event.kind != _STATUS:
        market.quoted_ts = event.ts_event


@kernel
def has_room(output: Any, intents_left: int) -> bool:
    """Return whether the buffers can take whatever one more event can bring."""
    orders_room = output.orders.shape[0] - output.counts[1] - intents_left
    fills_room = output.fills.shape[0] - output.counts[2]
    marks_room = output.marks.shape[0] - output.counts[3]
    events_room = output.risk_events.shape[0] - output.counts[4]
    risk_room = min(events_room, output.risk_marks.shape[0] - output.counts[5])
    own_room = min(output.intents.shape[0] - output.counts[6], output.decisions.shape[0] - output.counts[0])
    return min(orders_room, fills_room, marks_room, risk_room) >= ROWS_PER_EVENT and own_room > intents_left


@record_kernel
def _run_events(
    state: Any,
    estimates: Any,
    parameters: Any,
    output: Any,
    events: Any,
    first_event_no: int,
    intents: Any,
    start: int,
    intent_start: int,
) -> Any:
    """Run events from index ``start`` on; return (next event, next intent, whether any row was written, fault).

    The next event is not the end of the batch where the rows are full: take them and call again.

    Parameters
    ----------
    state, estimates, parameters, output : see :mod:`chimera_platform.coordination`'s state, desk and parameters.
    events : EVENT_DTYPE (n,), in the run's order; the first one's ``event_no`` is ``first_event_no``.
    intents : INTENT_DTYPE, in the order of ``event_no``; numbered in place.
    """
    account = state.account[0]
    for table in range(output.counts.shape[0]):
        output.counts[table] = 0
    n, k = start, intent_start
    while n < events.shape[0] and account.fault == 0:
        if not has_room(output, intents.shape[0] - k):
            break
        event = events[n]
        i = event.instrument_id
        if i < 0 or i >= state.markets.shape[0]:
            account.fault = FAULT_INSTRUMENT
            break
        event_no = first_event_no + n
        book = state.books[i]
        coordinate_before(state, parameters, estimates, output, book, event, event_no)
        apply_event(book, event)
        coordinate_after(state, parameters, output, book, event, event_no)
        while k < intents.shape[0] and intents[k].event_no == event_no:
            delay = event.ts_recv - event.ts_event
            handle_intent(state, parameters, output, intents[k], event_no, event.ts_event, delay)
            k += 1
        n += 1
    has_rows = False
    for table in range(output.counts.shape[0]):
        has_rows = has_rows or output.counts[table] > 0
    return n, k, has_rows, account.fault


@record_kernel
def run_events(
    account: Any,
    markets: Any,
    currencies: Any,
    positions: Any,
    orders: Any,
    order_times: Any,
    desk: Any,
    market_risk: Any,
    moments: Any,
    books: Any,
    exchange_markets: Any,
    exchange_orders: Any,
    exchange_members: Any,
    exchange_sessions: Any,
    returns: Any,
    betas: Any,
    hedge_markets: Any,
    hedge_work: Any,
    work: Any,
    series: Any,
    instruments: Any,
    settings: Any,
    shares: Any,
    venues: Any,
    venue_index: Any,
    session_clock: Any,
    decisions: Any,
    order_events: Any,
    fills: Any,
    marks: Any,
    risk_events: Any,
    risk_marks: Any,
    own_intents: Any,
    counts: Any,
    events: Any,
    first_event_no: int,
    intents: Any,
    start: int,
    intent_start: int,
) -> Any:
    """Do :func:`_run_events` on the fields of its tuples, one by one: handing tuples in from Python costs 2 µs a call.

    Parameters
    ----------
    account, …, exchange_sessions : of ``CoordinatorState``.
    returns, …, series : of ``Estimates``.
    instruments, …, session_clock : of ``CoordinatorParameters``.
    decisions, …, counts : of ``Rows``.
    """
    return _run_events(
        CoordinatorState(
            account,
            markets,
            currencies,
            positions,
            orders,
            order_times,
            desk,
            market_risk,
            moments,
            books,
            exchange_markets,
            exchange_orders,
            exchange_members,
            exchange_sessions,
        ),
        Estimates(returns, betas, hedge_markets, hedge_work, work, series),
        CoordinatorParameters(instruments, settings, shares, venues, venue_index, session_clock),
        Rows(decisions, order_events, fills, marks, risk_events, risk_marks, own_intents, counts),
        events,
        first_event_no,
        intents,
        start,
        intent_start,
    )
