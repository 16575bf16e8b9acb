"""How far a resting order is from the head of its queue, and what it gets of a print or of a crossing book.

An order joins behind the lots displayed at its price. ``ahead`` counts the lots of *others* that trade before it; own
orders among themselves keep price and arrival priority. It moves by

- *prints*: one at its price takes the lots ahead first, what is left fills own orders; one beyond its price met them
  before and fills the whole order as far as it goes. Each printed lot fills one own order at most;
- *withdrawals*, as ``queue_model`` says: RISK_AVERSE: those behind leave first, the queue ahead is never more than
  what is displayed. PROBABILISTIC and LOGARITHMIC: of the lots that left the level since the last change and did not
  trade, the share f(back) / (f(back) + f(front)) was behind, with f(x) = x^queue_power or log(1 + x); the models of
  Rigtorp 2013, "Estimating order queue position", in the form hftbacktest gives them (back counts what the level
  showed before the change less the front after the prints). EXACT: L3 records name the order that leaves, and
  :mod:`chimera_platform.simulation.exchange.members` knows who joined later; without order ids as RISK_AVERSE;
- a *cross*: when the opposite side displays lots at its price or beyond, these fill it, each displayed lot once
  (:mod:`chimera_platform.simulation.exchange.consumed`). This is all that an L1 feed can show.

Prints of unknown aggressor count for both sides; hidden executions and snapshot records for none. Where the price is
outside the displayed depth the queue is unknown (infinite): only prints beyond it or a cross fill the order, until
the price is displayed and the order takes the end of that queue. Queue priority after Moallemi and Yuan 2017, "A model
for queue position valuation in a limit order book".
"""

from __future__ import annotations

import math
from typing import Any

from chimera_platform.execution.records import OrderType
from chimera_platform.kernels import record_kernel
from chimera_platform.market.book import ask_level, bid_level
from chimera_platform.market.events import EventFlag, EventKind
from chimera_platform.simulation.exchange.consumed import available, consume
from chimera_platform.simulation.exchange.members import join_member, member_priority, shrink_member
from chimera_platform.simulation.exchange.records import VenueOrderState
from chimera_platform.simulation.exchange.settings import QueueModelCode

_ADD, _CANCEL, _DELETE = int(EventKind.ADD), int(EventKind.CANCEL), int(EventKind.DELETE)
_TRADE, _EXECUTE = int(EventKind.TRADE), int(EventKind.EXECUTE)
_SNAPSHOT = int(EventFlag.SNAPSHOT)
_NO_TRADE = int(EventFlag.HIDDEN | EventFlag.SNAPSHOT)
_WORKING = int(VenueOrderState.WORKING)
_LIMIT, _STOP_LIMIT = int(OrderType.LIMIT), int(OrderType.STOP_LIMIT)
_ICEBERG, _POST_ONLY = int(OrderType.ICEBERG), int(OrderType.POST_ONLY)
_PROBABILISTIC, _LOGARITHMIC = int(QueueModelCode.PROBABILISTIC), int(QueueModelCode.LOGARITHMIC)
_EXACT = int(QueueModelCode.EXACT)
UNKNOWN = math.inf


@record_kernel
def displayed_at(book: Any, side: int, price: int) -> float:
    """Return the lots shown at ``price`` on ``side`` of the book; infinity beyond the worst level shown."""
    low, high = 1, book.bid_count if side > 0 else book.ask_count
    if high == 0:
        return UNKNOWN
    while low < high:  # the first level that is not better than `price`
        middle = (low + high) // 2
        level, _ = bid_level(book, middle) if side > 0 else ask_level(book, middle)
        if side * (level - price) > 0:
            low = middle + 1
        else:
            high = middle
    level, lots = bid_level(book, low) if side > 0 else ask_level(book, low)
    if level == price:
        return float(lots)
    return UNKNOWN if side * (level - price) > 0 else 0.0


@record_kernel
def is_print(event: Any) -> bool:
    """Return whether ``event`` is a trade that resting orders may take part in."""
    return (event.kind == _TRADE or event.kind == _EXECUTE) and event.flags & _NO_TRADE == 0


@record_kernel
def is_resting(order: Any) -> bool:
    """Return whether ``order`` stands in the book at its price."""
    if order.state != _WORKING:
        return False
    return order.order_type in (_LIMIT, _STOP_LIMIT, _ICEBERG, _POST_ONLY)


@record_kernel
def next_in_line(orders: Any, side: int, after: int) -> int:
    """Return the slot of the resting order of ``side`` that trades next after slot ``after`` (-1: the first); -1: none.

    By price, best first, then by priority.
    """
    found = -1
    for k in range(orders.shape[0]):
        if not is_resting(orders[k]) or orders[k].side != side or k == after:
            continue
        if after >= 0 and _is_before(orders[k], orders[after]):
            continue
        if found < 0 or _is_before(orders[k], orders[found]):
            found = k
    return found


@record_kernel
def _is_before(one: Any, other: Any) -> bool:
    """Return whether ``one`` trades before ``other``, both of one side."""
    better = one.side * (one.price - other.price)
    return better > 0 or (better == 0 and one.priority < other.priority)


@record_kernel
def join_queue(order: Any, book: Any) -> None:
    """Put ``order`` at the end of the queue that ``book`` shows at its price."""
    order.ahead = displayed_at(book, order.side, order.price)
    order.level_size = order.ahead
    order.traded = 0.0


@record_kernel
def join_queue_later(order: Any) -> None:
    """Let ``order`` join at the end of the queue as the source event under way leaves it."""
    order.ahead = UNKNOWN
    order.level_size = UNKNOWN
    order.traded = 0.0


@record_kernel
def _lots_open(order: Any, is_beyond: bool) -> int:
    """Return the lots a print can fill: of an iceberg the part shown, all of it when prices beyond it trade."""
    rest = order.size - order.filled
    if order.order_type == _ICEBERG and not is_beyond:
        return max(min(order.shown, rest), 0)
    return rest


@record_kernel
def _print_on_side(venue: Any, orders: Any, side: int, event: Any, behind_of: int, left: float) -> float:
    """Allocate ``left`` printed lots over own orders of ``side``; return what is left of them for others.

    ``behind_of``: the order that the market executed is behind own orders of a lower priority at its price; -1: not
    known to be.
    """
    eaten = 0.0  # lots of others ahead of the order at hand that this print took
    k = next_in_line(orders, side, -1)
    while k >= 0 and side * (orders[k].price - event.price) >= 0:
        order = orders[k]
        is_beyond = order.price != event.price
        if not is_beyond:
            if order.priority < behind_of:
                order.ahead = eaten  # a later order traded: nobody is ahead any more
            others = min(max(order.ahead - eaten, 0.0), left)
            eaten += others
            left -= others
            order.ahead = max(order.ahead - eaten, 0.0)
            order.traded += event.size
        lots = min(_lots_open(order, is_beyond), int(left + 0.5))
        order.matched = lots
        left = max(left - lots, 0.0)
        k = next_in_line(orders, side, k)
    return left


@record_kernel
def is_any_matched(orders: Any) -> bool:
    """Return whether the print at hand fills an order."""
    matched = 0
    for k in range(orders.shape[0]):
        matched += orders[k].matched
    return matched > 0


@record_kernel
def queue_on_trade(venue: Any, market: Any, orders: Any, members: Any, event: Any) -> bool:
    """Let a print move the queues of own orders; return whether it fills any: ``matched`` says how many lots.

    Called before the record is applied to the book. A fraction of a lot that a probabilistic queue leaves counts as
    one from a half on; the orders together never get more than the print.
    """
    for k in range(orders.shape[0]):
        orders[k].matched = 0
    if not is_print(event) or event.size <= 0:
        return False
    resting_side = event.side if event.kind == _EXECUTE else -event.side
    behind_of = -1
    if venue.queue_model == _EXACT and members.shape[0] > 0 and event.kind == _EXECUTE and event.order_id != 0:
        behind_of = member_priority(members, event.order_id)
        shrink_member(market, members, event.order_id, event.size)
    left = float(event.size)
    if resting_side >= 0:
        left = _print_on_side(venue, orders, 1, event, behind_of, left)
    if resting_side <= 0:
        left = _print_on_side(venue, orders, -1, event, behind_of, left)
    return left < event.size and is_any_matched(orders)


@record_kernel
def queue_on_cancel(venue: Any, market: Any, orders: Any, members: Any, event: Any) -> None:
    """Under EXACT, let an L3 record move the queues: a withdrawal shortens those it was ahead in, an ADD joins behind.

    To be called for every record, before it is applied; does nothing for kinds that say nothing of a queue. Records
    of a snapshot repeat what stood before: they join nowhere.
    """
    if venue.queue_model != _EXACT or members.shape[0] == 0 or event.flags & _SNAPSHOT:
        return
    is_withdrawal = event.kind == _CANCEL or event.kind == _DELETE
    if (event.kind != _ADD and not is_withdrawal) or event.order_id == 0:
        return
    priority = member_priority(members, event.order_id) if is_withdrawal else -1
    is_joined, oldest = False, market.next_priority
    for k in range(orders.shape[0]):
        order = orders[k]
        if not is_resting(order):
            continue
        oldest = min(oldest, order.priority)
        if order.side != event.side or order.price != event.price:
            continue
        if not is_withdrawal:
            is_joined = True
        elif (priority < 0 and order.priority >= market.members_lost) or (0 <= priority <= order.priority):
            order.ahead = max(order.ahead - event.size, 0.0)
    if is_joined:
        join_member(market, members, event.order_id, event.size, oldest)
    if priority >= 0:
        shrink_member(market, members, event.order_id, event.size)


@record_kernel
def share_behind(venue: Any, front: float, back: float) -> float:
    """Return which share of a withdrawal a probabilistic model takes to have been behind the order."""
    if venue.queue_model == _LOGARITHMIC:
        weight_front, weight_back = math.log(1.0 + front), math.log(1.0 + back)
    else:
        weight_front, weight_back = front**venue.queue_power, back**venue.queue_power
    total = weight_front + weight_back
    return weight_back / total if total > 0.0 else 1.0


@record_kernel
def ahead_after(venue: Any, ahead: float, level_size: float, traded: float, shown: float) -> float:
    """Return the lots ahead after a level that showed ``level_size`` came to show ``shown``.

    ``traded`` lots of the difference were prints, and ``ahead`` is after these. All in lots; ``level_size`` and
    ``ahead`` are infinite where unknown.
    """
    model = venue.queue_model
    withdrawn = level_size - traded - shown
    is_modelled = model in (_PROBABILISTIC, _LOGARITHMIC)
    if is_modelled and withdrawn > 0.0 and ahead < UNKNOWN and level_size < UNKNOWN:
        back = max(level_size - ahead, 0.0)
        behind = share_behind(venue, ahead, back) * withdrawn
        ahead = max(ahead - (withdrawn - behind) + min(back - behind, 0.0), 0.0)
    return min(ahead, shown)


@record_kernel
def queue_on_book(venue: Any, market: Any, orders: Any, book: Any) -> None:
    """After a source event: let what its price now shows move the queue of each resting order."""
    for k in range(orders.shape[0]):
        order = orders[k]
        if not is_resting(order):
            continue
        shown = displayed_at(book, order.side, order.price)
        if shown == order.level_size:
            continue
        order.ahead = ahead_after(venue, order.ahead, order.level_size, order.traded, shown)
        order.level_size = shown
        order.traded = 0.0


@record_kernel
def cross_lots(market: Any, order: Any, book: Any, max_levels: int) -> int:
    """Take the displayed lots of the opposite side that cross a resting order, best first; return how many.

    At most ``max_levels`` levels, and no lot that an own order has taken before. Orders are to be asked in the order
    of :func:`next_in_line`.
    """
    rest = order.size - order.filled
    taken = 0
    for k in range(1, max_levels + 1):
        level, shown = ask_level(book, k) if order.side > 0 else bid_level(book, k)
        if shown <= 0 or taken >= rest or order.side * (order.price - level) < 0:
            break
        lots = min(available(market, order.side, level, shown), rest - taken)
        consume(market, order.side, level, lots)
        taken += lots
    return taken
