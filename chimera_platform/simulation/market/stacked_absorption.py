"""Stacked absorption of the simulated market: two attacks on one side, absorbed one after the other, the later nearer.

Someone holds the touch under attack. The attack pauses, the defender lifts the price by a step or two, if need be by
taking what the other side shows there, and holds the new price under a second attack; for some, only for a part of it.
"""

from __future__ import annotations

from typing import Any

from chimera_platform.kernels import kernel
from chimera_platform.simulation.market.order_flow import ABSORPTION, STACKED_ABSORPTION, is_full, place_order, sign_of
from chimera_platform.simulation.market.own_book import ASK, BID, level_lots
from chimera_platform.simulation.market.random_numbers import below, uniform
from chimera_platform.simulation.market.records import finish_event
from chimera_platform.simulation.market.regimes import SECOND_NS
from chimera_platform.simulation.market.scenarios import (
    ABSORBING_ORDERS,
    begin_scenario,
    refill_level,
    set_patience,
)
from chimera_platform.simulation.market.trades import market_order

PAUSE_S = 5.0  # between the attacks, at least; up to twice as much on top
LIFT_S = 30.0  # in which the defence moves, or the second attack does not come
LIFT_STEPS = 2  # quote steps from the first level to the second, at most


@kernel
def is_attacked(market: Any, symbol: Any) -> Any:
    """Return whether a level of the symbol is under attack now; between the two attacks none is."""
    if symbol.scenario == STACKED_ABSORPTION:
        return symbol.scenario_second != 0 or market.ts < symbol.scenario_calm
    return symbol.scenario == ABSORPTION


@kernel
def stacked_absorption_action(
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
    """Let someone hold the touch of one side against the first attack and through the pause behind it."""
    side = BID if uniform(random) < 0.5 else ASK
    pause_s = PAUSE_S * (1.0 + 2.0 * uniform(random))
    length_s = parameters.absorption_s + pause_s + LIFT_S
    begin_scenario(market, symbol, STACKED_ABSORPTION, side, book.best[side], length_s)
    symbol.scenario_until = symbol.scenario_end
    symbol.scenario_calm = market.ts + int(parameters.absorption_s * SECOND_NS)
    symbol.scenario_lift = symbol.scenario_calm + int(pause_s * SECOND_NS)
    symbol.scenario_second = 0
    symbol.scenario_before[0] = symbol.scenario_price
    symbol.scenario_before[1] = 0
    units = int(ABSORBING_ORDERS * parameters.order_units * regime.depth)
    symbol.scenario_peak = profile.size_unit * max(units, 2)
    refill_level(parameters, profile, market, symbol, book, instrument, out, random)


@kernel
def clear_way(
    parameters: Any,
    profile: Any,
    market: Any,
    symbol: Any,
    book: Any,
    instrument: Any,
    price: Any,
    out: Any,
    episodes: Any,
    random: Any,
) -> Any:
    """Take what the other side shows up to ``price``; return whether nothing of it is left there."""
    other = 1 - symbol.scenario_side
    towards = sign_of(symbol.scenario_side)
    lots, reach = 0, towards * (price - book.best[other])
    for k in range(reach + 1):
        lots += level_lots(book, price - towards * k)
    if lots > 0:
        market_order(profile, market, symbol, book, instrument, other, lots, reach, out, episodes)
        finish_event(parameters, market, out, False, random)
    return towards * (book.best[other] - price) > 0


@kernel
def move_defence(
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
    """When its time has come, hold a price nearer to the market and let the second attack begin.

    Tried again after the next action where the other side is too thin to be taken, or holds an iceberg.
    """
    if symbol.scenario_second != 0 or market.ts < symbol.scenario_lift:
        return
    side = symbol.scenario_side
    price = symbol.scenario_price + sign_of(side) * (1 + below(random, LIFT_STEPS))
    if is_full(parameters, book, side) or not clear_way(
        parameters, profile, market, symbol, book, instrument, price, out, episodes, random
    ):
        return
    symbol.scenario_before[1] = symbol.scenario_count
    symbol.scenario_price = price
    symbol.scenario_second = market.ts
    symbol.scenario_end = market.ts + int(parameters.absorption_s * SECOND_NS)
    symbol.scenario_count = 0
    set_patience(parameters, market, symbol, random)
    size = max(symbol.scenario_peak - level_lots(book, price), profile.size_unit)
    place_order(market, out, book, instrument, profile, side, price, size)
    finish_event(parameters, market, out, False, random)
