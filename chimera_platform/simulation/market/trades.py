"""Aggressive flow of the simulated market: market orders, informed or not, and sweeps."""

from __future__ import annotations

from typing import Any

from chimera_platform.kernels import kernel
from chimera_platform.market.events import EventKind
from chimera_platform.simulation.market.episodes import EpisodeKind
from chimera_platform.simulation.market.icebergs import finish_iceberg
from chimera_platform.simulation.market.metaorders import wanted_side
from chimera_platform.simulation.market.order_flow import (
    LEVELS_MIN,
    draw_size,
    has_defence,
    is_absorbing,
    is_held,
    mid_of,
    sign_of,
)
from chimera_platform.simulation.market.own_book import (
    ASK,
    BID,
    LADDER,
    NO_ORDER,
    head_of,
    level_lots,
    next_level,
    reduce_order,
    refill_order,
    remove_order,
)
from chimera_platform.simulation.market.random_numbers import below, power_law, uniform
from chimera_platform.simulation.market.records import emit, event_number, finish_event, record_episode

ADD, EXECUTE, SWEEP = int(EventKind.ADD), int(EventKind.EXECUTE), int(EpisodeKind.SWEEP)

INTO_BOOK_MAX = 20  # quote steps that a market order goes beyond the touch
FILLS_MAX = 64  # EXECUTE records of one market order
SWEEP_CHILDREN = 4  # market orders that a sweep is cut into


@kernel
def execute_against(
    profile: Any, market: Any, symbol: Any, book: Any, instrument: Any, side: Any, lots: Any, out: Any, episodes: Any
) -> None:
    """Trade ``lots`` (at most what is displayed) of the first order at the touch of ``side``; icebergs refill."""
    price = book.best[side]
    slot = head_of(book, price)
    ticks, order_id = price * profile.quote_ticks, book.order_id[slot]
    emit(market, out, instrument, EXECUTE, order_id, ticks, lots, sign_of(side))
    reduce_order(book, slot, lots)
    if is_absorbing(symbol, side, price):
        symbol.scenario_lots += lots
    iceberg = slot == symbol.iceberg_slot
    if iceberg:
        symbol.iceberg_traded += lots
    if book.order_size[slot] > 0:
        return
    refill = min(book.order_hidden[slot], symbol.iceberg_peak)
    if refill > 0:
        refill_order(book, slot, refill)
        emit(market, out, instrument, ADD, order_id, ticks, refill, sign_of(side))
        symbol.iceberg_refills += 1
        return
    remove_order(book, slot)
    if iceberg:
        finish_iceberg(market, symbol, episodes, instrument, side, order_id, ticks)


@kernel
def market_order(
    profile: Any,
    market: Any,
    symbol: Any,
    book: Any,
    instrument: Any,
    side: Any,
    size: Any,
    reach: Any,
    out: Any,
    episodes: Any,
) -> Any:
    """Trade up to ``size`` lots against ``side``, within ``reach`` quote steps of the touch; return the lots traded.

    Stops before it would take one of the last LEVELS_MIN price levels or a whole level that is held, and after
    FILLS_MAX fills.
    """
    left, touch = size, book.best[side]
    for _ in range(FILLS_MAX):
        price = book.best[side]
        if sign_of(side) * (touch - price) > reach:
            break
        slot = head_of(book, price)
        lots = min(left, book.order_size[slot])
        if book.depth[side] <= LEVELS_MIN and lots == level_lots(book, price) and book.order_hidden[slot] == 0:
            break
        if lots == level_lots(book, price) and is_held(market, symbol, side, price):
            break
        execute_against(profile, market, symbol, book, instrument, side, lots, out, episodes)
        left -= lots
        if left == 0:
            break
    return size - left


@kernel
def excite(parameters: Any, symbol: Any) -> None:
    """Raise the symbol's flow after a market order: a Hawkes process of branching ratio ``burst_branching``.

    Source: Hawkes 1971; for order flow Bacry, Mastromatteo & Muzy 2015. The kernel is exponential.
    """
    symbol.excitation += parameters.burst_branching / (parameters.burst_decay_s * parameters.market_share)


@kernel
def market_action(
    parameters: Any,
    regime: Any,
    profile: Any,
    market: Any,
    symbol: Any,
    book: Any,
    instrument: Any,
    out: Any,
    episodes: Any,
    random: Any,
) -> None:
    """One market order: of someone who knows the efficient price if it is beyond the touch, else of someone who leans.

    While an iceberg stands at the touch, it is what most of the uninformed trade with.
    """
    side = wanted_side(parameters, regime, symbol, book, random)
    relative = regime.depth * parameters.market_units / parameters.order_units
    size = draw_size(parameters, relative, profile.size_unit, random)
    reach = power_law(random, parameters.market_tail, INTO_BOOK_MAX) - 1
    if market_order(profile, market, symbol, book, instrument, side, size, reach, out, episodes) > 0:
        finish_event(parameters, market, out, False, random)
        excite(parameters, symbol)


@kernel
def take_levels(
    parameters: Any,
    profile: Any,
    market: Any,
    symbol: Any,
    book: Any,
    instrument: Any,
    side: Any,
    levels: Any,
    window_ns: Any,
    out: Any,
    episodes: Any,
    random: Any,
) -> Any:
    """Take ``levels`` of ``side`` in a few market orders within the window; return the lots and the last price."""
    children = min(SWEEP_CHILDREN, levels)
    gap_ns = window_ns // children
    traded, last_price = 0, book.best[side]
    for child in range(children):
        if child > 0:
            market.ts += below(random, gap_ns)
        lots, price = 0, book.best[side]
        taken = levels * (child + 1) // children - levels * child // children
        for k in range(taken):
            if k > 0:
                price = next_level(book, side, price)
            lots += level_lots(book, price)
        last_price = price
        traded += market_order(profile, market, symbol, book, instrument, side, lots, LADDER, out, episodes)
        finish_event(parameters, market, out, False, random)
    return traded, last_price


@kernel
def sweep_action(
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
    """One aggressor takes whole levels in a few market orders within the window; some of them know something.

    Nothing happens where the side is too thin, or an iceberg or an absorbing level stands on it.
    """
    levels = parameters.sweep_levels + below(random, 4)
    buy = uniform(random) < 0.5
    if uniform(random) < 0.6:
        buy = symbol.efficient > mid_of(book)
    side = ASK if buy else BID
    slot = symbol.iceberg_slot
    if book.depth[side] < levels + LEVELS_MIN or (slot != NO_ORDER and book.order_side[slot] == side):
        return
    if has_defence(symbol) and symbol.scenario_side == side:
        return
    start_ts, first, start_price = market.ts, event_number(market), book.best[side]
    depth, window_ns = book.depth[side], parameters.sweep_window_ms * 1_000_000
    traded, last_price = take_levels(
        parameters, profile, market, symbol, book, instrument, side, levels, window_ns, out, episodes, random
    )
    emptied = depth - book.depth[side]
    if uniform(random) < parameters.sweep_impact:
        symbol.efficient = max(symbol.efficient, float(last_price)) if buy else min(symbol.efficient, float(last_price))
    excite(parameters, symbol)
    if emptied >= parameters.sweep_levels:
        row = episodes[record_episode(market, episodes, SWEEP, instrument, -sign_of(side), start_ts, first)]
        row.price = start_price * profile.quote_ticks
        row.end_price = out[market.rows - 1].price
        row.size = traded
        row.levels = emptied
