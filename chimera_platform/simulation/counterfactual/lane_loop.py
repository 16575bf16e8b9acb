"""The loop over one instrument's events: one book and one market for all lanes, each lane an account of its own.

From the sending of an entry on a lane does what the coordinator does, by the coordinator's own kernels. What it never
does is ask: no gate, no cap, no sizing, no clock, no breaker, no hedge. Lanes know nothing of each other. Of what the
account really traded they know what it left of the market: displayed lots that it took, and its impact.
"""

from __future__ import annotations

from typing import Any

from chimera_platform.coordination.entries import enter, refresh_market
from chimera_platform.coordination.loop import coordinate_after, meet_venue
from chimera_platform.coordination.parameters import CoordinatorParameters
from chimera_platform.coordination.state import CoordinatorState, Rows
from chimera_platform.kernels import inlined_kernel, kernel, record_kernel
from chimera_platform.market.book import apply_event
from chimera_platform.simulation.counterfactual.records import SIZES, WANTED, Carried, Lanes
from chimera_platform.simulation.exchange.consumed import consume
from chimera_platform.simulation.exchange.impact import impact_ticks, note_own_volume
from chimera_platform.simulation.exchange.records import CONSUMED_MAX
from chimera_platform.simulation.exchange.step import follow_market

_CLOSED, _OPEN = int(Carried.CLOSED), int(Carried.OPEN)
_REPEAT, _CAPACITY = int(Carried.REPEAT), int(Carried.CAPACITY)
MESSAGES_PER_INTENT = 64
"""How far apart the numbers begin that are drawn for two intents' messages, where latencies or refusals are drawn."""


@inlined_kernel
def state_of(lanes: Any, lane: int, books: Any) -> Any:
    """Return the coordinator's state that a lane is."""
    return CoordinatorState(
        lanes.account[lane],
        lanes.markets[lane],
        lanes.currencies[lane],
        lanes.positions[lane],
        lanes.orders[lane],
        lanes.order_times[lane],
        lanes.desk[lane],
        lanes.market_risk[lane],
        lanes.moments[lane],
        books,
        lanes.exchange_markets[lane],
        lanes.exchange_orders[lane],
        lanes.exchange_members[lane],
        lanes.exchange_sessions[lane],
    )


@kernel
def reset_lane(lanes: Any, fresh: Any, lane: int, market: Any, intent_no: int) -> None:
    """Put a lane into its first state, in the market as it is now; the numbers drawn for it are the intent's own."""
    lanes.account[lane] = fresh.account[0]
    lanes.markets[lane] = fresh.markets[0]
    lanes.currencies[lane] = fresh.currencies[0]
    lanes.positions[lane] = fresh.positions[0]
    lanes.orders[lane] = fresh.orders[0]
    lanes.desk[lane] = fresh.desk[0]
    lanes.market_risk[lane] = fresh.market_risk[0]
    lanes.moments[lane] = fresh.moments[0]
    lanes.exchange_orders[lane] = fresh.exchange_orders[0]
    lanes.exchange_members[lane] = fresh.exchange_members[0]
    lanes.exchange_sessions[lane] = fresh.exchange_sessions[0]
    lanes.exchange_markets[lane, 0] = market
    refresh_market(lanes.markets[lane, 0], lanes.exchange_markets[lane, 0])
    lanes.markets[lane, 0].is_marked = 1
    for v in range(lanes.exchange_sessions.shape[1]):
        lanes.exchange_sessions[lane, v].messages = intent_no * MESSAGES_PER_INTENT


@record_kernel
def free_lane(control: Any) -> int:
    """Return the first idle lane, -1 where there is none."""
    for lane in range(control.shape[0]):
        if control[lane].is_busy == 0:
            return lane
    return -1


@record_kernel
def take_lane(control: Any, wish: int, size: int, engine: int, gate: int) -> None:
    """Note what a lane carries out from here on; ``gate`` 0 where the intent was approved."""
    control.wish = wish
    control.size = size
    control.engine = engine
    control.gate = gate
    control.opened_ts = 0
    control.is_busy = 1


@record_kernel
def is_under_way(control: Any, engine: int, gate: int) -> bool:
    """Return whether an intent of ``engine`` that ``gate`` refused is being carried out."""
    for lane in range(control.shape[0]):
        row = control[lane]
        if row.is_busy == 1 and row.engine == engine and row.gate == gate:
            return True
    return False


@record_kernel
def write_outcome(row: Any, position: Any, opened_ts: int, ts: int, carried: int) -> None:
    """Write what a lane has earned up to ``ts`` (ns UTC)."""
    open_nanos = position.value_nanos - position.cost_nanos if position.lots != 0 else 0
    row.net_nanos = position.realised_nanos - position.fees_nanos + open_nanos
    row.fees_nanos = position.fees_nanos
    row.entered_lots = position.entry_lots
    row.held_ns = ts - opened_ts if opened_ts != 0 else 0
    row.carried = carried


@record_kernel
def follow_lane(control: Any, account: Any, market: Any, position: Any, outcomes: Any, ts: int) -> bool:
    """Take down how far a lane has come; return whether it is done, and idle again."""
    if control.opened_ts == 0 and position.entry_lots > 0:
        control.opened_ts = ts
    row = outcomes[control.wish, control.size]
    if account.fault != 0:
        write_outcome(row, position, control.opened_ts, ts, _CAPACITY)
        row.net_nanos = 0
        row.fees_nanos = 0
    elif market.is_active == 0:
        write_outcome(row, position, control.opened_ts, ts, _CLOSED)
    else:
        return False
    control.is_busy = 0
    return True


@kernel
def value_open(lanes: Any, outcomes: Any, ts: int) -> None:
    """Write what the lanes at work are worth at ``ts`` (ns UTC); they stay at work."""
    for lane in range(lanes.control.shape[0]):
        control = lanes.control[lane]
        if control.is_busy == 1:
            row = outcomes[control.wish, control.size]
            write_outcome(row, lanes.positions[lane, 0, control.engine], control.opened_ts, ts, _OPEN)


@record_kernel
def clear_rows(counts: Any) -> None:
    """Forget the rows that lanes have written: nobody reads them."""
    for table in range(counts.shape[0]):
        counts[table] = 0


@record_kernel
def leave_trace(venue: Any, market: Any, fills: Any, first: int, end: int, slip: int) -> None:
    """Let an order's walk through the levels leave in a market what it left in the account's: impact, lots taken."""
    lots = 0
    for f in range(first, end):
        fill = fills[f]
        lots += fill.size
        if market.consumed_count < CONSUMED_MAX:
            consume(market, fill.side, fill.price - fill.side * slip, fill.size)
    note_own_volume(venue, market, fills[first].side, lots, fills[first].ts_venue)


@kernel
def note_fills(venue: Any, lanes: Any, market: Any, intents: Any, fills: Any, first: int, before_ts: int) -> int:
    """Let the account's fills before ``before_ts`` (ns UTC) leave their trace; return the index of the next one.

    In the market, and in every lane but those of the same intent. ``market`` has the impact that the fills met.
    """
    f = first
    while f < fills.shape[0] and fills[f].ts_venue < before_ts:
        fill, end = fills[f], f + 1
        while end < fills.shape[0] and fills[end].order_no == fill.order_no and fills[end].ts_venue == fill.ts_venue:
            end += 1
        slip = impact_ticks(venue, market, fill.side, fill.ts_venue)
        leave_trace(venue, market, fills, f, end, slip)
        for lane in range(lanes.control.shape[0]):
            control = lanes.control[lane]
            if control.is_busy == 1 and intents[control.wish].intent_no != fill.intent_no:
                leave_trace(venue, lanes.exchange_markets[lane, 0], fills, f, end, slip)
        f = end
    return f


@kernel
def run_lanes(
    lanes: Lanes,
    fresh: Lanes,
    books: Any,
    markets: Any,
    parameters: CoordinatorParameters,
    rows: Rows,
    events: Any,
    event_nos: Any,
    intents: Any,
    wishes: Any,
    outcomes: Any,
    fills: Any,
    every_repeat: int,
    start: int,
    wish_start: int,
    fill_start: int,
    busy: int,
) -> Any:
    """Run events from index ``start`` on; return (next event, next wish, next fill, busy lanes).

    The next event is not the end where the idle lanes are fewer than its intents may need.

    Parameters
    ----------
    lanes, fresh : the pool, and a pool of one lane in its first state.
    books, markets : BOOK_DTYPE (1,) and EXCHANGE_MARKET_DTYPE (1,): the instrument's, as its events leave them.
    parameters, rows : of a coordinator of this one instrument; buffers for a lane's rows of one event.
    events, event_nos : EVENT_DTYPE (n,) with ``instrument_id`` 0, and their numbers in the run.
    intents, wishes : INTENT_DTYPE and WISH_DTYPE (m,), in the order of ``event_no``, ``instrument_id`` 0.
    outcomes : OUTCOME_DTYPE (m, SIZES).
    fills : FILL_DTYPE (f,), the account's in this instrument, in the order of ``ts_venue``.
    every_repeat : 1: what an engine goes on wanting is carried out each time.
    busy : lanes at work.
    """
    venue, market, book = parameters.venues[parameters.venue_index[0]], markets[0], books[0]
    n, k, f = start, wish_start, fill_start
    while n < events.shape[0]:
        event, event_no = events[n], event_nos[n]
        end = k
        while end < intents.shape[0] and intents[end].event_no == event_no:
            end += 1
        if lanes.control.shape[0] - busy < SIZES * (end - k):
            break
        if f < fills.shape[0] and fills[f].ts_venue < event.ts_event:
            f = note_fills(venue, lanes, market, intents, fills, f, event.ts_event)
        if busy > 0:
            for lane in range(lanes.control.shape[0]):
                if lanes.control[lane].is_busy == 1:
                    clear_rows(rows.counts)
                    state = state_of(lanes, lane, books)
                    meet_venue(state, parameters, rows, book, event, event_no)
        apply_event(book, event)
        follow_market(venue, market, book, event)
        if busy > 0:
            for lane in range(lanes.control.shape[0]):
                control = lanes.control[lane]
                if control.is_busy == 1:
                    clear_rows(rows.counts)
                    state = state_of(lanes, lane, books)
                    coordinate_after(state, parameters, rows, book, event, event_no)
                    position = state.positions[0, control.engine]
                    if follow_lane(control, state.account[0], state.markets[0], position, outcomes, event.ts_event):
                        busy -= 1
        while k < end:
            intent, wish = intents[k], wishes[k]
            gate = wish.gate if wish.is_refused == 1 else 0
            if gate != 0 and every_repeat == 0 and is_under_way(lanes.control, intent.engine, gate):
                outcomes[k, WANTED].carried = _REPEAT
            else:
                for size in range(SIZES):
                    if wish.lots[size] > 0:
                        lane = free_lane(lanes.control)
                        reset_lane(lanes, fresh, lane, market, intent.intent_no)
                        take_lane(lanes.control[lane], k, size, intent.engine, gate)
                        busy += 1
                        clear_rows(rows.counts)
                        state = state_of(lanes, lane, books)
                        lots, ts = wish.lots[size], event.ts_event
                        enter(state, parameters, rows, intent, lots, wish.price, 0, event_no, ts)
            k += 1
        n += 1
    return n, k, f, busy
