"""Taking liquidity: an order walks the displayed levels and the own orders that rest against it.

Price-time priority: the better price first; at one price the displayed lots that are ahead of an own resting order,
then that order, then the rest. Of a level are taken the lots that own orders have not taken before
(:mod:`~chimera_platform.simulation.exchange.consumed`). Displayed levels are worse by the own impact
(:mod:`~chimera_platform.simulation.exchange.impact`), as it is when the walk begins; own orders are met at their own
price, and where impact brings a level and an own order to the same price, the own order is first.

No price is worse than the order's limit, or for an order without limit than ``protection_ppm`` from the touch it
meets; no more than ``max_walk_levels`` displayed levels are taken. Own orders that would trade with each other are
treated as ``self_trade_prevention`` says: both trade (no volume of the market is used), or the incoming one's rest,
the resting one, or both are cancelled (``SELF_TRADE``).
"""

from __future__ import annotations

from typing import Any

from chimera_platform.execution.records import OrderReason
from chimera_platform.execution.reports import ReportKind
from chimera_platform.kernels import record_kernel
from chimera_platform.market.book import ask_level, best_ask, best_bid, bid_level
from chimera_platform.simulation.exchange.consumed import available, consume
from chimera_platform.simulation.exchange.impact import impact_ticks, note_own_volume
from chimera_platform.simulation.exchange.lifecycle import (
    MAKER,
    NO_REASON,
    TAKER,
    end_order,
    fill,
    has_limit,
)
from chimera_platform.simulation.exchange.queue_models import is_resting
from chimera_platform.simulation.exchange.records import CONSUMED_MAX
from chimera_platform.simulation.exchange.reports_ring import has_room
from chimera_platform.simulation.exchange.resting import refill
from chimera_platform.simulation.exchange.settings import SelfTradeCode

SELF_TRADE = int(OrderReason.SELF_TRADE)
_CANCELLED = int(ReportKind.CANCELLED)
_THEY_TRADE, _CANCEL_INCOMING = int(SelfTradeCode.NONE), int(SelfTradeCode.CANCEL_INCOMING)
_CANCEL_RESTING = int(SelfTradeCode.CANCEL_RESTING)


@record_kernel
def touch_against(book: Any, side: int) -> int:
    """Return the best price (ticks) that an order of ``side`` meets."""
    return best_ask(book) if side > 0 else best_bid(book)


@record_kernel
def level_against(book: Any, side: int, k: int) -> Any:
    """Return (ticks, lots) of the ``k``-th level that an order of ``side`` meets; (0, 0) where there is none."""
    return ask_level(book, k) if side > 0 else bid_level(book, k)


@record_kernel
def worst_price(venue: Any, order: Any, book: Any) -> int:
    """Return the last price (ticks) at which ``order`` may trade now."""
    if has_limit(order):
        return order.price
    touch = touch_against(book, order.side)
    return touch + order.side * (abs(touch) * venue.protection_ppm // 1_000_000)


@record_kernel
def last_own_price(venue: Any, book: Any, side: int, slip: int, worst: int) -> int:
    """Return the last price (ticks) at which a walk down to ``worst`` meets own orders.

    It ends where the first displayed level begins that is one too many.
    """
    level, displayed = level_against(book, side, venue.max_walk_levels + 1)
    if displayed <= 0:
        return worst
    end = level + slip if slip != 0 else level - side
    return worst if side * (end - worst) > 0 else end


@record_kernel
def own_against(orders: Any, order: Any, worst: int) -> int:
    """Return the slot of the own resting order that ``order`` meets first, down to the price ``worst``; -1: none."""
    found = -1
    for k in range(orders.shape[0]):
        each = orders[k]
        if each.side == -order.side and is_resting(each) and order.side * (worst - each.price) >= 0:
            if found < 0:
                found = k
            else:
                better = order.side * (orders[found].price - each.price)
                if better > 0 or (better == 0 and each.priority < orders[found].priority):
                    found = k
    return found


@record_kernel
def lots_before(resting: Any, displayed: int, open_lots: int) -> int:
    """Return how many of a level's ``open_lots`` trade before an own order that rests there.

    The lots taken already, ``displayed - open_lots``, were the level's first.
    """
    ahead = max(resting.ahead - float(displayed - open_lots), 0.0)
    return int(min(ahead, float(open_lots)))


@record_kernel
def takeable_lots(venue: Any, market: Any, orders: Any, order: Any, book: Any, worst: int, ts: int) -> int:
    """Return how many lots ``order`` would trade if it were to take now, itself not limiting it; nothing changes."""
    slip = order.side * impact_ticks(venue, market, order.side, ts)
    last = last_own_price(venue, book, order.side, slip, worst)
    mode, own, total = venue.self_trade_prevention, own_against(orders, order, last), 0
    is_stopped = own >= 0 and mode != _THEY_TRADE and mode != _CANCEL_RESTING
    for k in range(1, min(venue.max_walk_levels, CONSUMED_MAX - market.consumed_count) + 1):
        level, displayed = level_against(book, order.side, k)
        if displayed <= 0 or order.side * (worst - level - slip) < 0:
            break
        open_lots = available(market, order.side, level, displayed)
        if is_stopped and order.side * (level + slip - orders[own].price) >= 0:
            if slip == 0 and level == orders[own].price:
                total += lots_before(orders[own], displayed, open_lots)
            break
        total += open_lots
    if mode == _THEY_TRADE:
        for k in range(orders.shape[0]):
            each = orders[k]
            if each.side == -order.side and is_resting(each) and order.side * (last - each.price) >= 0:
                total += each.size - each.filled
    return total


@record_kernel
def meet_own(venue: Any, session: Any, market: Any, order: Any, resting: Any, lots: int, ts: int) -> int:
    """Let an incoming order meet an own resting one; return SELF_TRADE where the incoming order must stop."""
    mode = venue.self_trade_prevention
    if mode == _THEY_TRADE:
        size, price = min(lots, resting.shown), resting.price
        fill(venue, session, market, order, price, size, TAKER, ts)
        fill(venue, session, market, resting, price, size, MAKER, ts)
        return NO_REASON
    if mode != _CANCEL_INCOMING:
        end_order(venue, session, market, resting, _CANCELLED, SELF_TRADE, ts)
    return NO_REASON if mode == _CANCEL_RESTING else SELF_TRADE


@record_kernel
def take_liquidity(
    venue: Any, session: Any, market: Any, orders: Any, order: Any, book: Any, lots: int, worst: int, ts: int
) -> int:
    """Trade up to ``lots`` of ``order`` at prices down to ``worst``; return SELF_TRADE where it must not go on."""
    side, goal, k = order.side, order.filled + lots, 1
    slip = side * impact_ticks(venue, market, side, ts)
    last = last_own_price(venue, book, side, slip, worst)
    from_market, stopped = 0, NO_REASON
    while order.filled < goal and stopped == NO_REASON and has_room(market, 3):
        level, displayed = level_against(book, side, k)
        own = own_against(orders, order, last)
        if own >= 0 and displayed > 0 and side * (orders[own].price - level - slip) > 0:
            own = -1
        size = 0
        if displayed > 0 and k <= venue.max_walk_levels and side * (worst - level - slip) >= 0:
            size = available(market, side, level, displayed)
            if own >= 0:
                is_behind = slip == 0 and orders[own].price == level
                size = lots_before(orders[own], displayed, size) if is_behind else 0
        elif own < 0:
            break
        if size > 0:
            size = min(size, goal - order.filled)
            fill(venue, session, market, order, level + slip, size, TAKER, ts)
            consume(market, side, level, size)
            from_market += size
        elif own >= 0:
            stopped = meet_own(venue, session, market, order, orders[own], goal - order.filled, ts)
            refill(market, orders[own], book)
        if own < 0:
            k += 1
    if from_market > 0:
        note_own_volume(venue, market, side, from_market, ts)
    return stopped
