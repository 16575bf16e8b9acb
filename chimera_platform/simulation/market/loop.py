"""The simulator's loop: sessions, the grid of latent prices, and the race of exponential clocks between its points.

Between two points of the grid every intensity depends on the books only, so the next action is drawn exactly: an
exponential waiting time of the summed intensity, then the symbol and the action in proportion to theirs.
"""

from __future__ import annotations

from typing import Any

from chimera_platform.kernels import kernel
from chimera_platform.simulation.market.icebergs import iceberg_action, withdraw_far
from chimera_platform.simulation.market.order_flow import NO_SCENARIO
from chimera_platform.simulation.market.own_book import ASK, BID, NO_ORDER
from chimera_platform.simulation.market.quotes import cancel_action, limit_action
from chimera_platform.simulation.market.random_numbers import exponential, uniform
from chimera_platform.simulation.market.records import EPISODE_CAPACITY
from chimera_platform.simulation.market.scenario_ends import watch_scenario
from chimera_platform.simulation.market.scenarios import (
    NEWS,
    absorption_action,
    attack_action,
    by_difficulty,
    drought_action,
    set_news_regime,
    stop_run_action,
    track_extremes,
)
from chimera_platform.simulation.market.sessions import (
    DAY_NS,
    HOUR_NS,
    begin_session,
    end_session,
    open_symbol,
    step_market,
)
from chimera_platform.simulation.market.stacked_absorption import is_attacked, stacked_absorption_action
from chimera_platform.simulation.market.trades import market_action, sweep_action

ROOM = 1024  # rows that one turn of the loop needs at most
TRUTH_ROOM = 4  # rows of ground truth that it needs at most, a symbol
RATES = 10  # intensities of a symbol; their sum stands behind them
REGIMES = 3  # rows of the settings' regimes; behind them one a symbol for the time after news


@kernel
def set_intensities(parameters: Any, regime: Any, curve: Any, market: Any, symbol: Any, book: Any, rates: Any) -> Any:
    """Write the symbol's intensities (events a second); return their sum.

    In order: limit, cancel, market, sweep, iceberg, drought, absorption, stop run, attack on a level that absorbs,
    stacked absorption.
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
    usual = rates[0] + rates[1] + rates[2] + rates[3] + rates[4]
    absorptions = parameters.absorptions_a_day + parameters.stacked_absorptions_a_day
    if parameters.droughts_a_day + absorptions + parameters.stop_runs_a_day == 0.0:
        return usual  # the others stay 0
    calm = hour * regime.activity / day_s if symbol.scenario == NO_SCENARIO else 0.0
    rates[5] = parameters.droughts_a_day * calm
    rates[6] = parameters.absorptions_a_day * calm
    rates[7] = parameters.stop_runs_a_day * calm
    rates[8] = 0.0
    if is_attacked(market, symbol):
        base = parameters.rate * (1.0 - parameters.burst_branching) * hour * regime.activity
        rates[8] = base * parameters.market_share * by_difficulty(parameters.episode_difficulty, 50.0, 20.0, 6.5)
    rates[9] = parameters.stacked_absorptions_a_day * calm
    return usual + rates[5] + rates[6] + rates[7] + rates[8] + rates[9]


@kernel
def regime_row(parameters: Any, regimes: Any, market: Any, symbol: Any, instrument: Any) -> Any:
    """Return the row of ``regimes`` that the symbol behaves by now; after news one of its own, written here."""
    if symbol.scenario != NEWS:
        return market.regime
    set_news_regime(parameters, regimes[market.regime], regimes[REGIMES + instrument])
    return REGIMES + instrument


@kernel
def act_scenario(
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
    """Begin the scenario, or attack; ``draw`` is uniform over their intensities, ``rates[5:]``."""
    if draw < rates[5]:
        drought_action(parameters, profile, market, symbol, book, instrument, out, random)
    elif draw < rates[5] + rates[6]:
        absorption_action(parameters, regime, profile, market, symbol, book, instrument, out, random)
    elif draw < rates[5] + rates[6] + rates[7]:
        stop_run_action(parameters, profile, market, symbol, book, instrument, out, episodes, random)
    elif rates[8] > 0.0:
        attack_action(parameters, regime, profile, market, symbol, book, instrument, out, episodes, random)
    elif rates[9] > 0.0:
        stacked_absorption_action(parameters, regime, profile, market, symbol, book, instrument, out, random)


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
    usual = rates[0] + rates[1] + rates[2] + rates[3] + rates[4]
    if rates[RATES] > usual and draw >= usual:
        rest = draw - usual
        act_scenario(parameters, regime, profile, market, symbol, book, instrument, rates, rest, episodes, out, random)
    elif draw < rates[0]:
        limit_action(parameters, regime, profile, market, symbol, book, instrument, out, random)
    elif draw < rates[0] + rates[1]:
        cancel_action(parameters, regime, profile, market, symbol, book, instrument, out, random)
    elif draw < rates[0] + rates[1] + rates[2]:
        market_action(parameters, regime, profile, market, symbol, book, instrument, out, episodes, random)
    elif draw < rates[0] + rates[1] + rates[2] + rates[3]:
        sweep_action(parameters, profile, market, symbol, book, instrument, out, episodes, random)
    elif symbol.iceberg_slot == NO_ORDER:
        iceberg_action(parameters, profile, market, symbol, book, instrument, out, random)
    if symbol.scenario != NO_SCENARIO:
        watch_scenario(parameters, profile, market, symbol, book, instrument, out, episodes, random)
    if parameters.stop_runs_a_day > 0.0 and symbol.extreme_end != 0:
        track_extremes(market, symbol, book)


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
    count = len(symbols)
    total = 0.0
    for i in range(count):
        regime = regimes[regime_row(parameters, regimes, market, symbols[i], i)]
        rates[i, RATES] = set_intensities(parameters, regime, curve, market, symbols[i], books[i], rates[i])
        total += rates[i, RATES]
    # A sweep may run over `until`: then nothing more is drawn, or the stream would depend on where a chunk ends.
    while (
        market.ts < until
        and market.rows <= len(out) - ROOM - count
        and market.episodes < EPISODE_CAPACITY - TRUTH_ROOM * count
    ):
        wait_ns = int(exponential(random, 1e9 / total)) + 1
        if market.ts + wait_ns >= until:
            market.ts = max(market.ts, until)
            return
        market.ts += wait_ns
        draw, i = uniform(random) * total, 0
        while i < count - 1 and draw >= rates[i, RATES]:
            draw -= rates[i, RATES]
            i += 1
        regime = regimes[regime_row(parameters, regimes, market, symbols[i], i)]
        act(parameters, regime, profiles[i], market, symbols[i], books[i], i, rates[i], draw, episodes, out, random)
        rates[i, RATES] = set_intensities(parameters, regime, curve, market, symbols[i], books[i], rates[i])
        total = 0.0
        for k in range(count):
            total += rates[k, RATES]


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
    parameters, regimes, profiles, curve : records of the settings; shapes (), (REGIMES + n,), (n,), (24,); the
        regimes behind the settings' own are scratch.
    sessions : i8, shape (sessions, 2): opening and close, ns UTC.
    market, symbols, books : the state; shapes (), (n,), (n,).
    rates : f8 scratch, shape (n, RATES + 1).
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
    truth_room = EPISODE_CAPACITY - TRUTH_ROOM * count
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
