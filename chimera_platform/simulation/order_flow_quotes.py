"""Passive flow of the simulated market: limit orders, cancels, and makers who follow their fair value."""

from __future__ import annotations

import math
from typing import Any

from chimera_platform.kernels import kernel
from chimera_platform.market.events import EventKind
from chimera_platform.simulation.market_random import below, exponential, uniform
from chimera_platform.simulation.order_flow import (
    LEVELS_MIN,
    REACH,
    delete_order,
    draw_size,
    is_full,
    is_held,
    lean_of,
    place_order,
    sign_of,
    stays_away,
)
from chimera_platform.simulation.order_flow_book import ASK, BID, NO_ORDER, head_of, level_lots, reduce_order
from chimera_platform.simulation.order_flow_records import emit, finish_event

CANCEL = int(EventKind.CANCEL)
WITHDRAWALS_MAX = 32  # orders that makers withdraw together


@kernel
def appetite(parameters: Any, book: Any, side: Any) -> Any:
    """Return the relative intensity of new orders on ``side``: a thin side fills up again."""
    return min(4.0, parameters.orders_a_side / (1.0 + book.live_count[side]))


@kernel
def limit_price(parameters: Any, regime: Any, symbol: Any, book: Any, side: Any, random: Any) -> Any:
    """Return where a new limit order goes, in quote steps; never through the other side.

    Most near orders join the touch, or improve it by a step, as far as makers' fair value allows; the others go
    where fair value puts them, near or deep.
    """
    towards = sign_of(side)
    edge = towards * (symbol.fair - book.best[side])
    near = uniform(random) < parameters.near_share
    if near and edge >= 0.5 * regime.half_spread and uniform(random) < parameters.join_share:
        improve = edge >= 1.0 + regime.half_spread and book.best[ASK] - book.best[BID] > 1
        return book.best[side] + (towards if improve else 0)
    distance = regime.half_spread + exponential(random, 0.6 if near else 7.0)
    if side == BID:
        return min(math.floor(symbol.fair - distance), book.best[ASK] - 1)
    return max(math.ceil(symbol.fair + distance), book.best[BID] + 1)


@kernel
def limit_action(
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
    """Add one limit order; orders on the side that the flow leans to are more frequent and larger."""
    lean = lean_of(parameters, regime, symbol, book)
    bids = (1.0 + 0.8 * lean) * appetite(parameters, book, BID)
    asks = (1.0 - 0.8 * lean) * appetite(parameters, book, ASK)
    side = BID if uniform(random) * (bids + asks) < bids else ASK
    if is_full(parameters, book, side) or stays_away(parameters, symbol, side, random):
        return
    price = limit_price(parameters, regime, symbol, book, side, random)
    if sign_of(side) * (book.best[side] - price) > REACH // 2:
        return
    size = draw_size(parameters, regime.depth * (1.0 + 0.8 * lean * sign_of(side)), profile.size_unit, random)
    place_order(market, out, book, instrument, profile, side, price, size)
    finish_event(parameters, market, out, False, random)


@kernel
def pick_cancel(book: Any, side: Any, against: Any, random: Any) -> Any:
    """Return the slot of an order to withdraw on ``side``.

    The first at the touch, the likelier the more the flow leans ``against`` the side; else any, near ones more rarely.
    """
    if uniform(random) < 0.6 * against:
        return head_of(book, book.best[side])
    slot = book.live[side, below(random, book.live_count[side])]
    for _ in range(3):
        behind = sign_of(side) * (book.best[side] - book.order_price[slot])
        if uniform(random) < 0.25 + 0.05 * behind:
            break
        slot = book.live[side, below(random, book.live_count[side])]
    return slot


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

    Where the side has no price level to spare, one is first added behind it: makers move back, they do not vanish.
    """
    if book.depth[side] <= LEVELS_MIN + 1 and not is_full(parameters, book, side):
        price = book.worst[side] - sign_of(side) * (1 + below(random, 3))
        place_order(
            market, out, book, instrument, profile, side, price, draw_size(parameters, 1.0, profile.size_unit, random)
        )
    if is_held(market, symbol, side, book.best[side]):
        return
    slot = head_of(book, book.best[side])
    for _ in range(WITHDRAWALS_MAX):
        behind = book.order_next[slot]
        last = level_lots(book, book.order_price[slot]) == book.order_size[slot]
        if last and book.depth[side] <= LEVELS_MIN:
            break
        if slot != symbol.iceberg_slot and uniform(random) < 0.75:
            delete_order(market, out, book, instrument, profile, slot)
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
    """Let makers who left the other touch follow fair value on ``side``: a better price, or more at the best one."""
    edge = sign_of(side) * (symbol.fair - book.best[side])
    steps = min(int(edge - regime.half_spread), book.best[ASK] - book.best[BID] - 1)
    if steps < 0 or is_full(parameters, book, side) or stays_away(parameters, symbol, side, random):
        return
    size = draw_size(parameters, 2.0 * regime.depth, profile.size_unit, random)
    place_order(market, out, book, instrument, profile, side, book.best[side] + sign_of(side) * steps, size)
    finish_event(parameters, market, out, False, random)


@kernel
def cancel_action(
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
    """Makers leave a stale touch together; otherwise someone withdraws an order, or part of it.

    Nothing happens where the order is an iceberg or on a level that is held, or the side would get too thin.
    """
    stale = stale_side(regime, symbol, book)
    if stale != NO_ORDER and uniform(random) < parameters.stale_share:
        withdraw_touch(parameters, profile, market, symbol, book, instrument, stale, out, random)
        finish_event(parameters, market, out, False, random)
        requote(parameters, regime, profile, market, symbol, book, instrument, 1 - stale, out, random)
        return
    lean = lean_of(parameters, regime, symbol, book)
    asks = book.live_count[ASK] * (1.0 + 0.8 * lean)
    bids = book.live_count[BID] * (1.0 - 0.8 * lean)
    side = ASK if uniform(random) * (asks + bids) < asks else BID
    slot = pick_cancel(book, side, -lean * sign_of(side), random)
    if slot == symbol.iceberg_slot or is_held(market, symbol, side, book.order_price[slot]):
        return
    size, unit = book.order_size[slot], profile.size_unit
    if size > unit and uniform(random) < 0.25:
        lots = unit * (1 + below(random, size // unit - 1)) if size >= 2 * unit else 1
        price = book.order_price[slot] * profile.quote_ticks
        emit(market, out, instrument, CANCEL, book.order_id[slot], price, lots, sign_of(side))
        reduce_order(book, slot, lots)
    elif book.depth[side] > LEVELS_MIN or level_lots(book, book.order_price[slot]) > size:
        delete_order(market, out, book, instrument, profile, slot)
    finish_event(parameters, market, out, False, random)
