"""News, droughts, absorption and stop runs of the simulated market: refills, how they end, their ground truth."""

from __future__ import annotations

from typing import Any

from chimera_platform.kernels import kernel
from chimera_platform.simulation.market.order_flow import (
    ABSORPTION,
    NO_SCENARIO,
    STACKED_ABSORPTION,
    has_defence,
    sign_of,
)
from chimera_platform.simulation.market.own_book import ASK
from chimera_platform.simulation.market.records import record_episode
from chimera_platform.simulation.market.scenarios import NEWS, STOP_RUN, refill_level
from chimera_platform.simulation.market.stacked_absorption import move_defence


@kernel
def episode_side(symbol: Any) -> Any:
    """Return the sign that the ground truth shows: direction of news and stop runs, resting side of the others."""
    if symbol.scenario in (NEWS, STOP_RUN):
        return 1 if symbol.scenario_side == ASK else -1
    return sign_of(symbol.scenario_side)


@kernel
def finish_scenario(
    parameters: Any, profile: Any, market: Any, symbol: Any, book: Any, episodes: Any, instrument: Any, outcome: Any
) -> None:
    """Write the ground truth of the symbol's scenario and leave it."""
    kind, side = symbol.scenario, symbol.scenario_side
    start_ts, first = symbol.scenario_start, symbol.scenario_first
    row = episodes[record_episode(market, episodes, kind, instrument, episode_side(symbol), start_ts, first)]
    row.price = symbol.scenario_price * profile.quote_ticks
    if kind == NEWS:
        row.end_price = int(symbol.efficient) * profile.quote_ticks
    elif kind == STOP_RUN:
        row.end_price = symbol.scenario_last * profile.quote_ticks
    else:
        row.end_price = book.best[side] * profile.quote_ticks
    row.size = symbol.scenario_lots
    row.levels = symbol.scenario_count
    row.peak = symbol.scenario_peak
    row.difficulty = parameters.episode_difficulty
    row.outcome = outcome
    if kind == STACKED_ABSORPTION:
        row.price = symbol.scenario_before[0] * profile.quote_ticks
        row.end_price = symbol.scenario_price * profile.quote_ticks
        row.second_ts = symbol.scenario_second
        row.levels = min(symbol.scenario_before[1], symbol.scenario_count) if symbol.scenario_second != 0 else 0
    symbol.scenario = NO_SCENARIO


@kernel
def is_behind(symbol: Any, book: Any) -> Any:
    """Return whether the touch of the scenario's side lies behind its price, seen from the middle of the book."""
    side = symbol.scenario_side
    return sign_of(side) * (book.best[side] - symbol.scenario_price) < 0


@kernel
def watch_scenario(
    parameters: Any,
    profile: Any,
    market: Any,
    symbol: Any,
    book: Any,
    instrument: Any,
    out: Any,
    episodes: Any,
    random: Any,
) -> None:
    """After an action: refill the level that absorbs, go to the next, see it break; see quotes return from a stop run.

    What breaks was known: the efficient price goes at least as far as the touch.
    """
    if symbol.scenario == STACKED_ABSORPTION:
        move_defence(parameters, profile, market, symbol, book, instrument, out, episodes, random)
    if has_defence(symbol):
        if is_behind(symbol, book):
            side = symbol.scenario_side
            touch = float(book.best[side])
            symbol.efficient = max(symbol.efficient, touch) if side == ASK else min(symbol.efficient, touch)
            finish_scenario(parameters, profile, market, symbol, book, episodes, instrument, 0)
        elif market.ts < symbol.scenario_until:
            refill_level(parameters, profile, market, symbol, book, instrument, out, random)
    elif symbol.scenario == STOP_RUN and not is_behind(symbol, book):
        finish_scenario(parameters, profile, market, symbol, book, episodes, instrument, 1)


@kernel
def end_scenario(
    parameters: Any, profile: Any, market: Any, symbol: Any, book: Any, episodes: Any, instrument: Any
) -> None:
    """End the symbol's scenario because its time is over: an absorbing level has held, a stop run not returned."""
    stacked = symbol.scenario == STACKED_ABSORPTION and symbol.scenario_second != 0
    outcome = 1 if symbol.scenario == ABSORPTION or stacked else 0
    finish_scenario(parameters, profile, market, symbol, book, episodes, instrument, outcome)
