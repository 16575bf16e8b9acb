"""The simulated market between actions: sessions open and close, regimes, prices and phases move on."""

from __future__ import annotations

import math
from typing import Any

from chimera_platform.kernels import kernel
from chimera_platform.market.events import EventKind, StatusCode
from chimera_platform.simulation.market.icebergs import finish_iceberg, withdraw_iceberg
from chimera_platform.simulation.market.order_flow import NO_SCENARIO, draw_size, place_order, sign_of
from chimera_platform.simulation.market.own_book import BID, NO_ORDER, clear_flow_book
from chimera_platform.simulation.market.random_numbers import below, normal, uniform
from chimera_platform.simulation.market.records import emit, emit_status, event_number, finish_event, record_episode
from chimera_platform.simulation.market.regimes import (
    COMPRESSION,
    NO_PHASE,
    enter_phase,
    next_regime,
    phase_ns,
    start_trend,
    step_price,
)
from chimera_platform.simulation.market.scenario_ends import end_scenario
from chimera_platform.simulation.market.scenarios import break_news, track_extremes

CLEAR = int(EventKind.CLEAR)
SESSION_OPEN, SESSION_CLOSE = int(StatusCode.SESSION_OPEN), int(StatusCode.SESSION_CLOSE)
OPENING_LEVELS = 15
DAY_NS, HOUR_NS = 86_400_000_000_000, 3_600_000_000_000


@kernel
def record_regime(market: Any, spans: Any) -> None:
    """Write the ground truth of the regime that has lasted until now."""
    if market.ts > market.regime_ts:
        row = spans[market.spans]
        row.start_ts = market.regime_ts
        row.end_ts = market.ts
        row.first_event_no = market.regime_event
        row.end_event_no = event_number(market)
        row.regime = market.regime
        market.spans += 1
    market.regime_ts = market.ts
    market.regime_event = event_number(market)


@kernel
def finish_phase(profile: Any, market: Any, symbol: Any, episodes: Any, instrument: Any) -> None:
    """Write the ground truth of the symbol's phase and leave it."""
    begun = symbol.phase_episode
    row = episodes[record_episode(market, episodes, symbol.phase, instrument, begun[3], begun[0], begun[1])]
    row.price = begun[2] * profile.quote_ticks
    row.end_price = int(symbol.efficient) * profile.quote_ticks
    symbol.phase = NO_PHASE
    symbol.drift = 0.0


@kernel
def step_phases(
    parameters: Any, profiles: Any, market: Any, symbols: Any, episodes: Any, step_s: Any, random: Any
) -> None:
    """Let the phase of all symbols end, or a compression begin; they range together and break out together."""
    phase, event_no = symbols[0].phase, event_number(market)
    if phase == NO_PHASE:
        if uniform(random) * parameters.session_hours * 3600.0 < parameters.compressions_a_day * step_s:
            end = market.ts + phase_ns(parameters.compression_minutes, random)
            for i in range(len(symbols)):
                enter_phase(symbols[i], COMPRESSION, end, market.ts, event_no, 0)
    elif market.ts >= symbols[0].phase_end:
        for i in range(len(symbols)):
            finish_phase(profiles[i], market, symbols[i], episodes, i)
        if phase == COMPRESSION and uniform(random) < parameters.breakout_share:
            end = market.ts + phase_ns(parameters.trend_minutes, random)
            common = 1 if uniform(random) < 0.5 else -1
            for i in range(len(symbols)):
                start_trend(parameters, symbols[i], profiles[i], common, end, market.ts, event_no, random)


@kernel
def step_scenarios(
    parameters: Any, profiles: Any, market: Any, symbols: Any, books: Any, episodes: Any, step_s: Any, random: Any
) -> None:
    """Let the scenarios end whose time is over, and news come."""
    for i in range(len(symbols)):
        if symbols[i].scenario != NO_SCENARIO and market.ts >= symbols[i].scenario_end:
            end_scenario(parameters, profiles[i], market, symbols[i], books[i], episodes, i)
        if parameters.stop_runs_a_day > 0:
            track_extremes(market, symbols[i], books[i])
    session_s = parameters.session_hours * 3600.0
    if parameters.news_a_day > 0 and uniform(random) * session_s < parameters.news_a_day * step_s:
        break_news(parameters, profiles, market, symbols, random)


@kernel
def step_size(parameters: Any, random: Any) -> Any:
    """Return the size of the efficient prices' step, relative, of mean square 1: rarely a much larger one."""
    usual = 1.0 / math.sqrt(1.0 + parameters.jump_share * (parameters.jump_size**2 - 1.0))
    return usual * (parameters.jump_size if uniform(random) < parameters.jump_share else 1.0)


@kernel
def step_market(
    parameters: Any,
    regimes: Any,
    profiles: Any,
    curve: Any,
    market: Any,
    symbols: Any,
    books: Any,
    episodes: Any,
    spans: Any,
    out: Any,
    random: Any,
) -> None:
    """Move regime, efficient prices and phases by one step of the grid; withdraw icebergs whose time is over."""
    step_s = parameters.price_step_ms * 1e-3
    regime = next_regime(market.regime, regimes[market.regime].dwell_minutes, step_s, random)
    if regime != market.regime:
        record_regime(market, spans)
        market.regime = regime
    share = step_s / (3600.0 * parameters.session_hours) * curve[market.ts % DAY_NS // HOUR_NS]
    scale = math.sqrt(share) * regimes[regime].volatility * step_size(parameters, random)
    common = normal(random)
    for i in range(len(symbols)):
        symbol, loading = symbols[i], profiles[i].loading
        innovation = loading * common + math.sqrt(1.0 - loading * loading) * normal(random)
        step_price(parameters, regimes[regime], symbol, scale * profiles[i].day_volatility, innovation, step_s, random)
        if symbol.iceberg_slot != NO_ORDER and market.ts >= symbol.iceberg_end:
            withdraw_iceberg(parameters, profiles[i], market, symbol, books[i], i, out, episodes, random)
    step_phases(parameters, profiles, market, symbols, episodes, step_s, random)
    step_scenarios(parameters, profiles, market, symbols, books, episodes, step_s, random)


@kernel
def open_symbol(
    parameters: Any,
    regime: Any,
    profile: Any,
    market: Any,
    symbol: Any,
    book: Any,
    instrument: Any,
    out: Any,
    random: Any,
) -> None:
    """Build the book about the efficient price: a snapshot behind a CLEAR, then SESSION_OPEN."""
    clear_flow_book(book)
    symbol.fair = symbol.efficient
    symbol.noise = normal(random)
    symbol.depth = 1.0
    symbol.excitation = 0.0
    emit(market, out, instrument, CLEAR, 0, 0, 0, 0)
    for side in range(2):
        towards = -sign_of(side)
        touch = symbol.efficient + towards * regime.half_spread
        start = math.floor(touch) if side == BID else math.ceil(touch)
        for level in range(OPENING_LEVELS):
            for _ in range(1 + below(random, 3)):
                size = draw_size(parameters, regime.depth, profile.size_unit, random)
                place_order(market, out, book, instrument, profile, side, start + towards * level, size)
    finish_event(parameters, market, out, True, random)
    emit_status(parameters, market, out, instrument, SESSION_OPEN, random)


@kernel
def begin_session(parameters: Any, profiles: Any, market: Any, symbols: Any, open_ts: Any, random: Any) -> None:
    """Set the clock to the session's opening and let the efficient prices gap, except before the first session."""
    market.ts = max(market.ts, open_ts)
    market.step_end = open_ts + parameters.price_step_ms * 1_000_000
    market.regime_ts = market.ts
    market.regime_event = event_number(market)
    common = normal(random)
    for i in range(len(symbols)):
        loading = profiles[i].loading
        innovation = loading * common + math.sqrt(1.0 - loading * loading) * normal(random)
        if market.session > 0:
            symbols[i].efficient *= math.exp(parameters.overnight * profiles[i].day_volatility * innovation)


@kernel
def end_session(
    parameters: Any,
    profiles: Any,
    market: Any,
    symbols: Any,
    books: Any,
    close_ts: Any,
    episodes: Any,
    spans: Any,
    out: Any,
    random: Any,
) -> None:
    """Close every symbol; phases, scenarios and icebergs end here, the resting orders with the next opening's CLEAR."""
    market.ts = max(market.ts, close_ts)  # a sweep may have run over it
    record_regime(market, spans)
    for i in range(len(symbols)):
        if symbols[i].phase != NO_PHASE:
            finish_phase(profiles[i], market, symbols[i], episodes, i)
        if symbols[i].scenario != NO_SCENARIO:
            end_scenario(parameters, profiles[i], market, symbols[i], books[i], episodes, i)
        symbols[i].extreme_end = 0
        slot = symbols[i].iceberg_slot
        if slot != NO_ORDER:
            price = books[i].order_price[slot] * profiles[i].quote_ticks
            finish_iceberg(market, symbols[i], episodes, i, books[i].order_side[slot], books[i].order_id[slot], price)
    for i in range(len(symbols)):
        emit_status(parameters, market, out, i, SESSION_CLOSE, random)
    market.session += 1
    market.opening = 0
