"""The simulator's loop: sessions, the grid of latent prices, and the race of exponential clocks between its points.

Between two points of the grid every intensity depends on the books only, so the next action is drawn exactly: an
exponential waiting time of the summed intensity, then the symbol and the action in proportion to theirs.
"""

from __future__ import annotations

from typing import Any

from chimera_platform.kernels import kernel
from chimera_platform.simulation.market_random import exponential, uniform
from chimera_platform.simulation.order_flow_book import ASK, BID, NO_ORDER
from chimera_platform.simulation.order_flow_icebergs import iceberg_action, withdraw_far
from chimera_platform.simulation.order_flow_quotes import cancel_action, limit_action
from chimera_platform.simulation.order_flow_records import EPISODE_CAPACITY
from chimera_platform.simulation.order_flow_sessions import (
    DAY_NS,
    HOUR_NS,
    begin_session,
    end_session,
    open_symbol,
    step_market,
)
from chimera_platform.simulation.order_flow_trades import market_action, sweep_action

ROOM = 1024  # rows that one turn of the loop needs at most


@kernel
def set_intensities(parameters: Any, regime: Any, curve: Any, market: Any, symbol: Any, book: Any, rates: Any) -> Any:
    """Write the symbol's intensities (events a second) of limit, cancel, market, sweep and iceberg; return their sum.

    Cancels grow with the orders that rest, which is what keeps the book's depth near its setting.
    """
    hour = curve[(market.step_end - 1) % DAY_NS // HOUR_NS]  # constant between two points of the grid
    flow = parameters.rate * (1.0 - parameters.burst_branching) * hour * regime.activity + symbol.excitation
    day_s = 3600.0 * parameters.session_hours
    fullness = (book.live_count[BID] + book.live_count[ASK]) / (2.0 * parameters.orders_a_side)
    rates[0] = flow * parameters.limit_share
    rates[1] = flow * (1.0 - parameters.limit_share - parameters.market_share) * min(fullness, 3.0)
    rates[2] = flow * parameters.market_share
    rates[3] = parameters.sweeps_a_day * hour * regime.activity / day_s
    rates[4] = parameters.icebergs_a_day * hour * regime.activity / day_s if symbol.iceberg_slot == NO_ORDER else 0.0
    return rates[0] + rates[1] + rates[2] + rates[3] + rates[4]


@kernel
def act(
    parameters: Any,
    regime: Any,
    profile: Any,
    market: Any,
    symbol: Any,
    book: Any,
    instrument: Any,
    rates: Any,
    draw: Any,
    episodes: Any,
    out: Any,
    random: Any,
) -> None:
    """Do the action that ``draw``, uniform over the summed intensities, falls on."""
    withdraw_far(parameters, profile, market, symbol, book, instrument, out, episodes, random)
    if draw < rates[0]:
        limit_action(parameters, regime, profile, market, symbol, book, instrument, out, random)
    elif draw < rates[0] + rates[1]:
        cancel_action(parameters, regime, profile, market, symbol, book, instrument, out, random)
    elif draw < rates[0] + rates[1] + rates[2]:
        market_action(parameters, regime, profile, market, symbol, book, instrument, out, episodes, random)
    elif draw < rates[0] + rates[1] + rates[2] + rates[3]:
        sweep_action(parameters, profile, market, symbol, book, instrument, out, episodes, random)
    elif symbol.iceberg_slot == NO_ORDER:
        iceberg_action(parameters, profile, market, symbol, book, instrument, out, random)


@kernel
def trade_until(
    parameters: Any,
    regimes: Any,
    profiles: Any,
    curve: Any,
    market: Any,
    symbols: Any,
    books: Any,
    rates: Any,
    until: Any,
    episodes: Any,
    out: Any,
    random: Any,
) -> None:
    """Let the clocks race until the time ``until`` (ns UTC), or until there is no more room for rows."""
    regime, count = regimes[market.regime], len(symbols)
    total = 0.0
    for i in range(count):
        rates[i, 5] = set_intensities(parameters, regime, curve, market, symbols[i], books[i], rates[i])
        total += rates[i, 5]
    # A sweep may run over `until`: then nothing more is drawn, or the stream would depend on where a chunk ends.
    while (
        market.ts < until and market.rows <= len(out) - ROOM - count and market.episodes < EPISODE_CAPACITY - 2 * count
    ):
        wait_ns = int(exponential(random, 1e9 / total)) + 1
        if market.ts + wait_ns >= until:
            market.ts = max(market.ts, until)
            return
        market.ts += wait_ns
        draw, i = uniform(random) * total, 0
        while i < count - 1 and draw >= rates[i, 5]:
            draw -= rates[i, 5]
            i += 1
        act(parameters, regime, profiles[i], market, symbols[i], books[i], i, rates[i], draw, episodes, out, random)
        rates[i, 5] = set_intensities(parameters, regime, curve, market, symbols[i], books[i], rates[i])
        total = 0.0
        for k in range(count):
            total += rates[k, 5]


@kernel
def generate(
    parameters: Any,
    regimes: Any,
    profiles: Any,
    curve: Any,
    sessions: Any,
    market: Any,
    symbols: Any,
    books: Any,
    rates: Any,
    episodes: Any,
    spans: Any,
    out: Any,
) -> Any:
    """Fill ``out`` with the next rows of the stream and return how many; the state is ready for the next chunk.

    Parameters
    ----------
    parameters, regimes, profiles, curve : records of the settings; shapes (), (3,), (n,), (24,).
    sessions : i8, shape (sessions, 2): opening and close, ns UTC.
    market, symbols, books : the state; shapes (), (n,), (n,).
    rates : f8 scratch, shape (n, 6).
    episodes, spans : ground truth of this chunk, EPISODE_CAPACITY rows each; counts in ``market``.
    out : EVENT_DTYPE; a turn of the loop begins only where ROOM rows are left, so the stream does not depend on its
        length.
    """
    random, count = market.random, len(symbols)
    market.base += market.rows
    market.rows = 0
    market.event_rows = 0
    market.episodes = 0
    market.spans = 0
    room = len(out) - ROOM - count
    truth_room = EPISODE_CAPACITY - 2 * count
    while market.done == 0 and market.rows <= room and market.episodes < truth_room and market.spans < truth_room:
        if market.session == len(sessions):
            market.done = 1
        elif market.opening < count:
            i = market.opening
            if i == 0:
                begin_session(parameters, profiles, market, symbols, sessions[market.session, 0], random)
            open_symbol(parameters, regimes[market.regime], profiles[i], market, symbols[i], books[i], i, out, random)
            market.opening += 1
        else:
            close_ts = sessions[market.session, 1]
            until = min(market.step_end, close_ts)
            trade_until(
                parameters, regimes, profiles, curve, market, symbols, books, rates, until, episodes, out, random
            )
            if market.ts >= close_ts:
                end_session(parameters, profiles, market, symbols, books, close_ts, episodes, spans, out, random)
            elif market.ts >= market.step_end:
                step_market(parameters, regimes, profiles, curve, market, symbols, books, episodes, spans, out, random)
                market.step_end += parameters.price_step_ms * 1_000_000
    return market.rows
