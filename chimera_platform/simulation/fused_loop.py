"""The whole decision path as one compiled loop: every instrument's engines and the coordinator, one book for both.

At each event the coordinator lets time pass and its orders meet the event, the book takes it in, the coordinator
looks at the new book, then the engines do, and what they want is handled at once: the order in which the separate
halves (:class:`~chimera_platform.decision_path.DecisionPath`) do the same. There the intents of a batch are written
before the coordinator sees its first event; as engines see no account and the coordinator writes into no book, the
rows and the states are the same, byte for byte.
"""

from __future__ import annotations

from typing import Any

from chimera_platform.coordination.entries import handle_intent, refresh_market
from chimera_platform.coordination.loop import (
    fill_matched,
    has_room,
    is_any_engaged,
    is_settlement_due,
    is_venue_due,
    mark_first,
    match_book,
    match_trade,
    settle,
    step_venue,
    value_positions,
)
from chimera_platform.coordination.state import CoordinatorParameters, CoordinatorState, Rows
from chimera_platform.engines.event_loop import look_at_event, write_due
from chimera_platform.engines.interface import INTENTS_PER_EVENT_MAX
from chimera_platform.kernels import kernel
from chimera_platform.market.book import apply_event
from chimera_platform.market.events import EventFlag
from chimera_platform.portfolio.market_path import observe_market
from chimera_platform.portfolio.positions import FAULT_INSTRUMENT

_LAST = int(EventFlag.LAST)


@kernel
def _run_fused(
    state: Any,
    parameters: Any,
    output: Any,
    engine_parameters: Any,
    engine_states: Any,
    said: Any,
    vector: Any,
    inputs: Any,
    nodes: Any,
    roots: Any,
    intents: Any,
    paths: Any,
    samples: Any,
    events: Any,
    first_event_no: int,
    start: int,
    rows_per_event: int,
) -> Any:
    """Run events from index ``start`` on; return (next event, intents written, fault).

    The next event is not the end of the batch where the rows are full: take them and call again.

    Parameters
    ----------
    state, parameters, output : see :mod:`chimera_platform.coordination.state`.
    engine_parameters, engine_states : PARAMETERS_DTYPE and STATE_DTYPE arrays by instrument_id.
    said, vector, inputs : to work in: DETECTIONS_DTYPE (1,), f8 (features,), f8 (model inputs,).
    nodes, roots : of the model in force.
    intents : INTENT_DTYPE, written and numbered.
    paths, samples : what the markets do is noted there (:mod:`chimera_platform.portfolio.market_path`); where there
        are no paths, it is not.
    events : EVENT_DTYPE (n,), in the run's order; the first one's ``event_no`` is ``first_event_no``.
    rows_per_event : most rows of one table that an event brings, without its intents.
    """
    account, detections = state.account[0], said[0]
    levels = parameters.venue[0].max_walk_levels
    room = min(intents.shape[0], output.decisions.shape[0]) - INTENTS_PER_EVENT_MAX
    output.counts[:] = 0
    is_observed = paths.shape[0] > 0
    rows, n = 0, start
    while n < events.shape[0]:
        if rows > room or not has_room(output, rows_per_event, INTENTS_PER_EVENT_MAX):
            break
        event = events[n]
        i = event.instrument_id
        if i < 0 or i >= state.markets.shape[0]:
            account.fault = FAULT_INSTRUMENT
            break
        event_no = first_event_no + n
        market, book = state.markets[i], state.books[i]
        ts = event.ts_event
        if market.is_active == 1:
            if is_venue_due(state.orders, market, i, ts):
                step_venue(state, parameters, output, i, event_no, ts)
            if market.is_tradable == 1 and match_trade(state.orders, i, event):
                fill_matched(state, parameters, output, i, event_no, ts)
        apply_event(book, event)
        market.is_complete = 1 if event.flags & _LAST != 0 else 0
        if market.is_complete == 1:
            refresh_market(market, book)
        if market.is_complete == 1 and market.is_active == 1:
            tick_value = parameters.instruments[i].tick_value_nanos
            if market.is_tradable == 1:
                value_positions(account, market, state.positions, i, tick_value)
                if match_book(state.orders, book, i, levels):
                    fill_matched(state, parameters, output, i, event_no, ts)
            if is_settlement_due(account, market, state.positions, i, tick_value, ts):
                settle(state, parameters, output, i, event_no, ts)
            market.is_active = 1 if is_any_engaged(state.positions, state.orders, i) else 0
        elif market.is_tradable == 1 and market.is_marked == 0:
            mark_first(state, parameters, output, i, event_no, ts)
        if is_observed:
            observe_market(paths[i], samples[i], book, event)
        due = look_at_event(engine_parameters[i], engine_states[i], book, detections, event)
        if due:
            before = rows
            rows = write_due(
                engine_parameters[i], engine_states[i], book, vector, inputs, nodes, roots, event, event_no, due,
                intents, rows,
            )  # fmt: skip
            for k in range(before, rows):
                handle_intent(state, parameters, output, intents[k], event_no, ts)
        n += 1
        if account.fault != 0:
            break
    return n, rows, account.fault


@kernel
def run_fused(
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
    engine_parameters: Any,
    engine_states: Any,
    said: Any,
    vector: Any,
    inputs: Any,
    nodes: Any,
    roots: Any,
    intents: Any,
    paths: Any,
    samples: Any,
    events: Any,
    first_event_no: int,
    start: int,
    rows_per_event: int,
) -> Any:
    """Do :func:`_run_fused` on the fields of its tuples, one by one: handing tuples in from Python costs 2 µs a call.

    Parameters
    ----------
    account, …, books : of ``CoordinatorState``.
    instruments, …, account_settings : of ``CoordinatorParameters``.
    decisions, …, counts : of ``Rows``.
    """
    return _run_fused(
        CoordinatorState(account, markets, positions, orders, order_times, books),
        CoordinatorParameters(instruments, risk, allocator, venue, account_settings),
        Rows(decisions, order_events, fills, marks, counts),
        engine_parameters,
        engine_states,
        said,
        vector,
        inputs,
        nodes,
        roots,
        intents,
        paths,
        samples,
        events,
        first_event_no,
        start,
        rows_per_event,
    )
