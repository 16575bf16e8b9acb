"""The simulated venue: orders meet the replayed book, in event time.

What the venue does with an order of an instrument, before that instrument's next event is applied (and so on the book
as it stood then; an arrival waits for the end of a source event that is under way), at the order's own times:

1. *Arrival*, ``order_latency_ns`` after sending. A book that is not tradable refuses it (``VENUE_CLOSED``). What is
   marketable trades against the displayed levels, best first, as taker: a limit order down to its price, a market
   order within ``protection_ppm`` of the touch, both through ``max_walk_levels`` levels at most. The rest of an
   immediate-or-cancel order is cancelled (``NO_LIQUIDITY``), the rest of a limit order rests at the end of the
   queue shown at its price.
2. *Cancel*, ``order_latency_ns`` after its sending, or *expiry*, whichever is first.

How a resting order fills stands in :mod:`chimera_platform.simulation.queue`. The venue's own fills do not change the
replayed book: the market does not react to them, and two orders may meet the same lots.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from chimera_platform.execution.fills import TAKER, fill_order
from chimera_platform.execution.orders import (
    CANCELLED,
    EXPIRED,
    GTC,
    MARKET,
    NEW,
    PENDING_CANCEL,
    REJECTED,
    ROLE_COUNT,
    append_order_event,
    end_order,
)
from chimera_platform.execution.records import ENGINE_COUNT, OrderReason
from chimera_platform.kernels import kernel
from chimera_platform.market.book import ask_level, best_ask, best_bid, bid_level
from chimera_platform.settings import Settings
from chimera_platform.simulation.queue import displayed_at

NO_LIQUIDITY, VENUE_CLOSED = int(OrderReason.NO_LIQUIDITY), int(OrderReason.VENUE_CLOSED)
TIME_TO_LIVE = int(OrderReason.TIME_TO_LIVE)

WALK_LEVELS_MAX = 64


class VenueSettings(Settings):
    """How the simulated venue treats orders."""

    order_latency_ns: int = Field(
        5_000_000, ge=0, le=60_000_000_000, description="from sending an order or a cancel to the venue's book, ns"
    )
    max_walk_levels: int = Field(
        10, ge=1, le=WALK_LEVELS_MAX, description="most price levels that one order takes from the book on arrival"
    )
    protection_ppm: int = Field(
        5_000,
        ge=0,
        le=1_000_000,
        description="a market order trades no further from the touch it meets than this, millionths of that price",
    )


@kernel
def worst_price(order: Any, book: Any, protection_ppm: int) -> int:
    """Return the last price (ticks) at which ``order`` may trade on arrival."""
    if order.order_type != MARKET:
        return order.price
    touch = best_ask(book) if order.side > 0 else best_bid(book)
    return touch + order.side * (abs(touch) * protection_ppm // 1_000_000)


@kernel
def take_liquidity(state: Any, parameters: Any, output: Any, i: int, e: int, role: int, event_no: int, ts: int) -> None:
    """Trade the marketable part of an arriving order against the opposite side of the book, level by level."""
    venue, book, order = parameters.venue[0], state.books[i], state.orders[i, e, role]
    worst = worst_price(order, book, venue.protection_ppm)
    for k in range(1, venue.max_walk_levels + 1):
        price, shown = ask_level(book, k) if order.side > 0 else bid_level(book, k)
        if shown <= 0 or order.side * (worst - price) < 0:
            break
        lots = min(shown, order.size - order.filled)
        order.cross_taken += lots
        fill_order(state, parameters, output, i, e, role, price, lots, TAKER, event_no, ts)
        if order.is_open == 0:
            break


@kernel
def arrive(state: Any, parameters: Any, output: Any, i: int, e: int, role: int, event_no: int) -> None:
    """Let an order reach the venue, at its own time, on the book as it stands."""
    order = state.orders[i, e, role]
    ts = order.venue_ts
    order.at_venue = 1
    if state.markets[i].is_tradable == 0:
        end_order(state, output, i, e, role, REJECTED, VENUE_CLOSED, event_no, ts)
        return
    if order.status != PENDING_CANCEL:
        order.status = NEW
    append_order_event(state, output, i, e, order, order.reason, event_no, ts)
    take_liquidity(state, parameters, output, i, e, role, event_no, ts)
    if order.is_open == 0:
        return
    if order.time_in_force == GTC:
        order.queue_ahead = displayed_at(state.books[i], order.side, order.price)
    else:
        end_order(state, output, i, e, role, CANCELLED, NO_LIQUIDITY, event_no, ts)


@kernel
def is_due(order: Any, is_book_complete: int, ts: int) -> bool:
    """Return whether the venue has something to do with ``order`` before ``ts``; arrivals wait for a complete book."""
    if order.is_open == 0:
        return False
    if order.at_venue == 0:
        return is_book_complete == 1 and order.venue_ts < ts
    return min(order.cancel_ts, order.expire_ts) < ts


@kernel
def step_order(state: Any, parameters: Any, output: Any, i: int, e: int, role: int, event_no: int, ts: int) -> None:
    """Do what the venue did with an order that is due before ``ts``: arrival, then cancel or expiry."""
    order = state.orders[i, e, role]
    if order.at_venue == 0:
        arrive(state, parameters, output, i, e, role, event_no)
    if not is_due(order, 1, ts):
        return
    if order.cancel_ts <= order.expire_ts:
        end_order(state, output, i, e, role, CANCELLED, order.cancel_reason, event_no, order.cancel_ts)
    else:
        end_order(state, output, i, e, role, EXPIRED, TIME_TO_LIVE, event_no, order.expire_ts)


def rows_per_event(settings: VenueSettings) -> int:
    """Return the most rows of one table that one event can bring, intents' own aside.

    Each order of an instrument (two an engine) can arrive (1), walk the book, end (1), meet a trade (1) and a cross
    (1); each engine can cancel, exit and be marked.
    """
    return ENGINE_COUNT * ROLE_COUNT * (settings.max_walk_levels + 4) + 3 * ENGINE_COUNT
