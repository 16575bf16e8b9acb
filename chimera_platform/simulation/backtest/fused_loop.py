"""The whole decision path as one compiled loop: every instrument's engines and the coordinator, one book for both.

At each event the coordinator lets time pass and its orders meet the event, the book takes it in, the coordinator
looks at the new book, then the engines do, and what they want is handled at once: the order in which the separate
halves (:class:`~chimera_platform.decision_path.DecisionPath`) do the same. There the intents of a batch are written
before the coordinator sees its first event; as engines see no account and the coordinator writes into no book, the
rows and the states are the same, byte for byte.
"""

from __future__ import annotations

from typing import Any

from chimera_platform.coordination.desk import Estimates
from chimera_platform.coordination.entries import handle_intent
from chimera_platform.coordination.loop import coordinate_after, coordinate_before, has_room
from chimera_platform.coordination.parameters import CoordinatorParameters
from chimera_platform.coordination.state import CoordinatorState, Rows
from chimera_platform.engines.event_loop import look_at_event, write_due
from chimera_platform.engines.interface import INTENTS_PER_EVENT_MAX
from chimera_platform.kernels import record_kernel
from chimera_platform.market.book import apply_event
from chimera_platform.portfolio.market_path import observe_market
from chimera_platform.portfolio.positions import FAULT_INSTRUMENT


@record_kernel
def _run_fused(
    state: Any,
    estimates: Any,
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
) -> Any:
    """Run events from index ``start`` on; return (next event, intents written, fault).

    The next event is not the end of the batch where the rows are full: take them and call again.

    Parameters
    ----------
    state, estimates, parameters, output : see :mod:`chimera_platform.coordination`'s state, desk and parameters.
    engine_parameters, engine_states : PARAMETERS_DTYPE and STATE_DTYPE arrays by instrument_id.
    said, vector, inputs : to work in: DETECTIONS_DTYPE (1,), f8 (features,), f8 (model inputs,).
    nodes, roots : of the model in force.
    intents : INTENT_DTYPE, written and numbered.
    paths, samples : what the markets do is noted there (:mod:`chimera_platform.portfolio.market_path`); where there
        are no paths, it is not.
    events : EVENT_DTYPE (n,), in the run's order; the first one's ``event_no`` is ``first_event_no``.
    """
    account, detections = state.account[0], said[0]
    room = min(intents.shape[0], output.decisions.shape[0]) - INTENTS_PER_EVENT_MAX
    for table in range(output.counts.shape[0]):
        output.counts[table] = 0
    is_observed = paths.shape[0] > 0
    rows, n = 0, start
    while n < events.shape[0]:
        if rows > room or not has_room(output, INTENTS_PER_EVENT_MAX):
            break
        event = events[n]
        i = event.instrument_id
        if i < 0 or i >= state.markets.shape[0]:
            account.fault = FAULT_INSTRUMENT
            break
        event_no = first_event_no + n
        book, ts = state.books[i], event.ts_event
        coordinate_before(state, parameters, estimates, output, book, event, event_no)
        apply_event(book, event)
        coordinate_after(state, parameters, output, book, event, event_no)
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
                handle_intent(state, parameters, output, intents[k], event_no, ts, event.ts_recv - ts)
        n += 1
        if account.fault != 0:
            break
    return n, rows, account.fault


@record_kernel
def run_fused(
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
) -> Any:
    """Do :func:`_run_fused` on the fields of its tuples, one by one: handing tuples in from Python costs 2 µs a call.

    Parameters
    ----------
    account, …, exchange_sessions : of ``CoordinatorState``.
    returns, …, series : of ``Estimates``.
    instruments, …, session_clock : of ``CoordinatorParameters``.
    decisions, …, counts : of ``Rows``.
    """
    return _run_fused(
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
    )
