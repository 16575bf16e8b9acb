"""Makers of the simulated market: they leave a stale touch together and quote again where fair value puts them.

That is what makes the touch deep and the levels behind it thin, and what lets the queues show where prices go.
"""

from __future__ import annotations

from typing import Any

from chimera_platform.kernels import kernel
from chimera_platform.simulation.market.order_flow import (
    LEVELS_MIN,
    delete_order,
    draw_size,
    is_full,
    is_held,
    place_order,
    sign_of,
    stays_away,
)
from chimera_platform.simulation.market.own_book import ASK, BID, NO_ORDER, head_of, level_lots
from chimera_platform.simulation.market.random_numbers import below, uniform
from chimera_platform.simulation.market.records import finish_event

WITHDRAWALS_MAX = 32  # orders that makers withdraw together


@kernel
def stale_side(regime: Any, symbol: Any, book: Any) -> Any:
    """Return the side whose touch is nearer to makers' fair value than they like, NO_ORDER where neither is."""
    bid_edge, ask_edge = symbol.fair - book.best[BID], book.best[ASK] - symbol.fair
    if min(bid_edge, ask_edge) >= 0.5 * regime.half_spread:
        return NO_ORDER
    return BID if bid_edge < ask_edge else ASK


@kernel
def withdraw_touch(
    parameters: Any,
    regime: Any,
    profile: Any,
    market: Any,
    symbol: Any,
    book: Any,
    instrument: Any,
    side: Any,
    out: Any,
    random: Any,
) -> None:
    """Withdraw the makers' orders at the touch of ``side``, each with probability three in four.

    The share ``follow`` of them quotes again one step behind, in the same source event.

    Where the side has no price level to spare, one is first added behind it: makers move back, they do not vanish.
    """
    if book.depth[side] <= LEVELS_MIN + 1 and not is_full(parameters, book, side):
        price = book.worst[side] - sign_of(side) * (1 + below(random, 3))
        place_order(
            market, out, book, instrument, profile, side, price, draw_size(parameters, 1.0, profile.size_unit, random)
        )
    if is_held(market, symbol, side, book.best[side]):
        return
    price = book.best[side]
    slot = head_of(book, price)
    for _ in range(WITHDRAWALS_MAX):
        behind = book.order_next[slot]
        last = level_lots(book, price) == book.order_size[slot]
        if last and book.depth[side] <= LEVELS_MIN:
            break
        if slot != symbol.iceberg_slot and uniform(random) < 0.75:
            size = book.order_size[slot]
            delete_order(market, out, book, instrument, profile, slot)
            if uniform(random) < regime.follow and not stays_away(parameters, symbol, side, random):
                place_order(market, out, book, instrument, profile, side, price - sign_of(side), size)
        if behind == NO_ORDER:
            break
        slot = behind


@kernel
def follow(
    regime: Any,
    profile: Any,
    market: Any,
    symbol: Any,
    book: Any,
    instrument: Any,
    side: Any,
    left: Any,
    out: Any,
    random: Any,
) -> None:
    """Let makers at ``left``, the touch until now, move up to the new one, half of them to a step on the way there."""
    if is_held(market, symbol, side, left):
        return
    gap = abs(book.best[side] - left)
    slot = head_of(book, left)
    for _ in range(WITHDRAWALS_MAX):
        behind = book.order_next[slot]
        if book.depth[side] <= LEVELS_MIN and level_lots(book, left) == book.order_size[slot]:
            break
        if slot != symbol.iceberg_slot and uniform(random) < regime.follow:
            size = book.order_size[slot]
            up = gap if uniform(random) < 0.5 else 1 + below(random, gap)
            delete_order(market, out, book, instrument, profile, slot)
            place_order(market, out, book, instrument, profile, side, left + sign_of(side) * up, size)
        if behind == NO_ORDER:
            break
        slot = behind


@kernel
def requote(
    parameters: Any,
    regime: Any,
    profile: Any,
    market: Any,
    symbol: Any,
    book: Any,
    instrument: Any,
    side: Any,
    out: Any,
    random: Any,
) -> None:
    """Let makers who left the other touch follow fair value on ``side``: a better price, or more at the best one.

    Where the price is better, others follow to it in the same source event.
    """
    edge = sign_of(side) * (symbol.fair - book.best[side])
    steps = min(int(edge - regime.half_spread), book.best[ASK] - book.best[BID] - 1)
    if steps < 0 or is_full(parameters, book, side) or stays_away(parameters, symbol, side, random):
        return
    size = draw_size(parameters, 2.0 * regime.depth * symbol.depth, profile.size_unit, random)
    left = book.best[side]
    place_order(market, out, book, instrument, profile, side, left + sign_of(side) * steps, size)
    if steps > 0:
        follow(regime, profile, market, symbol, book, instrument, side, left, out, random)
    finish_event(parameters, market, out, False, random)
