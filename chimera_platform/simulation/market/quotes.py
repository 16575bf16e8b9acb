"""Passive flow of the simulated market: limit orders and cancels by distance from the touch and by what rests there.

Near orders keep to makers' fair value, the others follow a power law of the distance; each order is withdrawn at a rate
that falls with its distance, so a level loses orders in proportion to its queue. A side takes fewer orders the more
it holds, and a wide spread draws them (Cont, Stoikov & Talreja 2010; Huang, Lehalle & Rosenbaum 2015).
"""

from __future__ import annotations

import math
from typing import Any

from chimera_platform.kernels import kernel
from chimera_platform.market.events import EventKind
from chimera_platform.simulation.market.makers import requote, stale_side, withdraw_touch
from chimera_platform.simulation.market.order_flow import (
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
from chimera_platform.simulation.market.own_book import ASK, BID, NO_ORDER, head_of, level_lots, reduce_order
from chimera_platform.simulation.market.random_numbers import below, exponential, uniform
from chimera_platform.simulation.market.records import emit, finish_event

CANCEL = int(EventKind.CANCEL)
DRAWS_MAX = 8  # of the order to withdraw


@kernel
def appetite(parameters: Any, book: Any, side: Any) -> Any:
    """Return the relative intensity of new orders on ``side``: a thin side fills up again."""
    return min(4.0, parameters.orders_a_side / (1.0 + book.live_count[side]))


@kernel
def deep_price(parameters: Any, book: Any, side: Any, random: Any) -> Any:
    """Return a price behind the touch whose distance follows a power law: P(distance > d) = (1 + d / d0) ** -tail.

    Source: Bouchaud, Mézard & Potters 2002, Zovko & Farmer 2002; here the law is cut at the orders' reach.
    """
    scale = parameters.placement_offset + 1.0
    distance = scale * ((1.0 - uniform(random)) ** (-1.0 / parameters.placement_tail) - 1.0)
    return book.best[side] - sign_of(side) * (1 + int(min(distance, 0.5 * REACH)))


@kernel
def limit_price(parameters: Any, regime: Any, symbol: Any, book: Any, side: Any, random: Any) -> Any:
    """Return where a new limit order goes, in quote steps; never through the other side.

    Near orders join the touch, or improve it by a step, as far as makers' fair value allows, or quote where it puts
    them; a spread wider than makers want draws most orders there. The others go behind the touch, near or deep.
    """
    towards = sign_of(side)
    edge = towards * (symbol.fair - book.best[side])
    wide = book.best[ASK] - book.best[BID] > 2.0 * regime.half_spread + 2.0
    if uniform(random) >= (parameters.refill_share if wide else parameters.near_share):
        return deep_price(parameters, book, side, random)
    if not wide and edge >= 0.5 * regime.half_spread and uniform(random) < parameters.join_share:
        improve = edge >= 1.0 + regime.half_spread and book.best[ASK] - book.best[BID] > 1
        return book.best[side] + (towards if improve else 0)
    distance = regime.half_spread + exponential(random, parameters.near_reach)
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
    relative = regime.depth * symbol.depth * (1.0 + 0.8 * lean * sign_of(side))
    size = draw_size(parameters, relative, profile.size_unit, random)
    place_order(market, out, book, instrument, profile, side, price, size)
    finish_event(parameters, market, out, False, random)


@kernel
def cancel_weight(parameters: Any, behind: Any) -> Any:
    """Return the relative intensity at which one order is withdrawn, ``behind`` quote steps from the touch.

    Intensities fall with the distance, as Cont, Stoikov & Talreja 2010 estimate; summed over a level's orders they
    grow with its queue.
    """
    return parameters.cancel_touch if behind == 0 else 1.0 / (1.0 + behind / parameters.cancel_reach)


@kernel
def pick_cancel(parameters: Any, book: Any, side: Any, against: Any, random: Any) -> Any:
    """Return the slot of an order to withdraw on ``side``.

    The first at the touch, the likelier the more the flow leans ``against`` the side; else any, drawn in proportion to
    its intensity (by rejection).
    """
    if uniform(random) < 0.6 * against:
        return head_of(book, book.best[side])
    slot = book.live[side, below(random, book.live_count[side])]
    for _ in range(DRAWS_MAX):
        behind = sign_of(side) * (book.best[side] - book.order_price[slot])
        if uniform(random) < cancel_weight(parameters, behind):
            break
        slot = book.live[side, below(random, book.live_count[side])]
    return slot


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
        withdraw_touch(parameters, regime, profile, market, symbol, book, instrument, stale, out, random)
        finish_event(parameters, market, out, False, random)
        requote(parameters, regime, profile, market, symbol, book, instrument, 1 - stale, out, random)
        return
    lean = lean_of(parameters, regime, symbol, book)
    asks = book.live_count[ASK] * (1.0 + 0.8 * lean)
    bids = book.live_count[BID] * (1.0 - 0.8 * lean)
    side = ASK if uniform(random) * (asks + bids) < asks else BID
    slot = pick_cancel(parameters, book, side, -lean * sign_of(side), random)
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
