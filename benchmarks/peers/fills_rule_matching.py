"""Matching under the rules of :mod:`benchmarks.peers.fills_rules`: what a row of the feed and an arrival do."""

from __future__ import annotations

from typing import Any

from benchmarks.peers.fills_records import IOC, MARKET, TRADE
from benchmarks.peers.fills_rule_queue import (
    DONE,
    RESTING,
    compiled,
    count_resting,
    next_in_line,
    print_share,
    row_of,
    set_level,
    shown_at,
    withdraw,
)
from benchmarks.peers.fills_rules import Rule

_CROSS_WHOLE, _BEYOND_WHOLE = int(Rule.CROSS_FILLS_WHOLE), int(Rule.PRINT_BEYOND_FILLS_WHOLE)
_EVERY_ORDER, _TAKES_WHOLE = int(Rule.PRINT_FILLS_EVERY_ORDER), int(Rule.LIMIT_TAKES_WHOLE)
_TAKEN_AGAIN, _WITHIN_100 = int(Rule.LOTS_TAKEN_AGAIN), int(Rule.MARKET_WITHIN_100_TICKS)
_BY_RECORD, _BEFORE_PRICE = int(Rule.QUEUE_BY_RECORD), int(Rule.QUEUE_BEFORE_PRICE)
_MOVES_TOUCH, _FILL_MOVES = int(Rule.PRINT_MOVES_TOUCH), int(Rule.FILL_MOVES_TOUCH)
_FRESH, _PRINT_TAKES = int(Rule.CHANGED_LEVEL_IS_FRESH), int(Rule.PRINT_TAKES_DISPLAYED)
_FAR = 10**9  # ticks


@compiled
def is_tradable(sides: Any) -> bool:
    """Return whether both sides are there and not crossed."""
    return sides[0].levels > 0 and sides[1].levels > 0 and sides[0].best < sides[1].best


@compiled
def _fill(orders: Any, fills: Any, count: Any, k: int, lots: int, price: int, is_maker: int, ts: int) -> None:
    """Note a fill of order ``k``; what is filled whole is done."""
    if lots <= 0:
        return
    orders[k].filled += lots
    if orders[k].filled >= orders[k].size:
        orders[k].state = DONE
    n = count[0]
    fills[n].order_no = orders[k].order_no
    fills[n].ts = ts
    fills[n].price = price
    fills[n].lots = lots
    fills[n].is_maker = is_maker
    count[0] = n + 1


@compiled
def _take_level(book: Any, taken: Any, rules: int, row: int, price: int, wanted: int) -> int:
    """Take lots of one level; return how many."""
    lots = min(max(book[row, price] - taken[row, price], 0), wanted)
    if rules & _TAKEN_AGAIN == 0:
        taken[row, price] += lots
    return lots


@compiled
def _take(book: Any, taken: Any, sides: Any, rules: int, side: int, worst: int, wanted: int) -> int:
    """Take displayed lots of the opposite side down to ``worst``; return how many."""
    other, got, passed = 1 - row_of(side), 0, 0
    price = sides[other].best
    while got < wanted and side * (worst - price) >= 0 and passed < sides[other].levels:
        passed += 1 if book[other, price] > 0 else 0
        got += _take_level(book, taken, rules, other, price, wanted - got)
        price += side
    return got


@compiled
def _may_cross(rules: int, order: Any) -> bool:
    """Return whether a crossing book fills ``order``."""
    return rules & _BEFORE_PRICE == 0 or order.ahead <= 0.0


@compiled
def _levels_before(book: Any, sides: Any, side: int, price: int) -> int:
    """Return how many levels of the opposite side are better for an order of ``side`` than ``price``; 2: or more."""
    other, found = 1 - row_of(side), 0
    at = sides[other].best
    while side * (price - at) > 0 and found < 2:
        found += 1 if book[other, at] > 0 else 0
        at += side
    return found


@compiled
def _cross(
    orders: Any, book: Any, taken: Any, sides: Any, fills: Any, count: Any, rules: int, side: int, ts: int
) -> None:
    """Fill the resting orders of ``side`` that the opposite touch has reached."""
    other = 1 - row_of(side)
    if sides[other].levels == 0:
        return
    k, touch, is_kept = next_in_line(orders, side, -1), sides[other].best, False
    while k >= 0:
        order, following = orders[k], next_in_line(orders, side, k)
        lots = order.size - order.filled if side * (order.price - touch) >= 0 else 0
        if rules & _CROSS_WHOLE == 0 and lots > 0:
            lots = _take(book, taken, sides, rules, side, order.price, lots) if _may_cross(rules, order) else 0
        _fill(orders, fills, count, k, lots, order.price, 1, ts)
        if rules & _FILL_MOVES and lots > 0:
            touch = order.price
            # put back to what it was before the last level that the fill looked at
            is_kept = _levels_before(book, sides, side, touch) >= 2
        k = following
    if touch != sides[other].best and (is_kept or count_resting(orders) == 0):  # or nobody left to put it back
        sides[other].touch = touch


@compiled
def look_again(orders: Any, book: Any, taken: Any, sides: Any, fills: Any, count: Any, rules: int, ts: int) -> None:
    """After a message to the venue, under FILL_MOVES_TOUCH: the touch is the book's, and crossed orders fill."""
    sides[0].touch, sides[1].touch = sides[0].best, sides[1].best
    if rules & _FILL_MOVES:
        for side in (1, -1):
            _cross(orders, book, taken, sides, fills, count, rules, side, ts)


@compiled
def meet_print(orders: Any, fills: Any, count: Any, rules: int, side: int, price: int, size: int, ts: int) -> None:
    """Let a print of ``size`` lots at ``price`` meet the resting orders of ``side``."""
    left, eaten = float(size), 0.0
    k = next_in_line(orders, side, -1)
    while k >= 0:
        order, following = orders[k], next_in_line(orders, side, k)
        beyond, rest, lots = side * (order.price - price), order.size - order.filled, 0
        if rules & _EVERY_ORDER:
            left, eaten = float(size), 0.0
        if beyond > 0 and (rules & _BEFORE_PRICE == 0 or order.ahead <= 0.0):
            lots = rest if rules & _BEYOND_WHOLE else min(rest, int(left + 0.5))
        elif beyond == 0:
            lots, left, eaten = print_share(rules, order, size, left, eaten)
        left = max(left - lots, 0.0)
        _fill(orders, fills, count, k, lots, order.price, 1, ts)
        k = following


@compiled
def arrive(
    orders: Any, book: Any, taken: Any, sides: Any, fills: Any, count: Any, rules: int, k: int, priority: int, ts: int
) -> None:
    """Let an order reach the venue: it takes what it may, the rest of a limit order rests."""
    order = orders[k]
    side, other = order.side, 1 - row_of(order.side)
    order.state = DONE
    if not is_tradable(sides):
        return
    is_market = order.order_type == MARKET
    worst = order.price
    if is_market:  # hftbacktest: 100 ticks with the best for buyers, 101 for sellers
        worst = sides[other].best + side * ((99 if side > 0 else 100) if rules & _WITHIN_100 else _FAR)
    is_resting_kind = not is_market and order.time_in_force != IOC
    touch = sides[other].touch if rules & _MOVES_TOUCH else sides[other].best
    price = sides[other].best
    takes_rest = rules & _TAKES_WHOLE and is_resting_kind and side * (order.price - price) >= 0
    if is_market or side * (order.price - touch) >= 0:
        passed = 0
        while order.filled < order.size and side * (worst - price) >= 0 and passed < sides[other].levels:
            if takes_rest and price == order.price:
                break
            passed += 1 if book[other, price] > 0 else 0
            lots = _take_level(book, taken, rules, other, price, order.size - order.filled)
            _fill(orders, fills, count, k, lots, price, 0, ts)
            price += side
    if takes_rest:
        _fill(orders, fills, count, k, order.size - order.filled, order.price, 0, ts)
    if is_resting_kind and order.filled < order.size:
        order.state = RESTING
        order.priority = priority
        order.ahead = shown_at(book, sides, rules, side, order.price)
        order.level = order.ahead
        order.traded = 0.0


@compiled
def apply_level(orders: Any, book: Any, taken: Any, sides: Any, rules: int, model: int, power: float, row: Any) -> None:
    """Apply a level's new total; under QUEUE_BY_RECORD queues see it now."""
    old = float(book[row_of(row.side), row.price])
    set_level(book, sides, row.side, row.price, row.lots)
    sides[0].touch, sides[1].touch = sides[0].best, sides[1].best
    if rules & _FRESH:
        taken[row_of(row.side), row.price] = 0
    if rules & _BY_RECORD == 0:
        return
    for k in range(orders.shape[0]):
        order = orders[k]
        if order.state == RESTING and order.side == row.side and order.price == row.price:
            shown = shown_at(book, sides, rules, order.side, order.price)
            order.ahead = withdraw(rules, model, power, order.ahead, old, order.traded, shown)
            order.level = shown
            order.traded = 0.0


@compiled
def has_level(rows: Any) -> bool:
    """Return whether a level is among the rows of a source event."""
    levels = 0
    for n in range(rows.shape[0]):
        levels += 1 if rows[n].kind != TRADE else 0
    return levels > 0


@compiled
def end_source_event(
    orders: Any,
    book: Any,
    taken: Any,
    sides: Any,
    fills: Any,
    count: Any,
    rules: int,
    model: int,
    power: float,
    ts: int,
) -> None:
    """At the end of a source event queues see the book, and crossed orders fill."""
    for k in range(orders.shape[0]):
        order = orders[k]
        if order.state != RESTING or rules & _BY_RECORD:
            continue
        shown = shown_at(book, sides, rules, order.side, order.price)
        if shown != order.level:
            order.ahead = withdraw(rules, model, power, order.ahead, order.level, order.traded, shown)
            order.level = shown
            order.traded = 0.0
    for side in (1, -1):
        _cross(orders, book, taken, sides, fills, count, rules, side, ts)


@compiled
def note_print(orders: Any, book: Any, taken: Any, sides: Any, rules: int, side: int, price: int, lots: int) -> None:
    """What a print of an aggressor of ``side`` does to the venue's idea of the book."""
    other = 1 - row_of(side)
    if rules & _MOVES_TOUCH and side * (price - sides[other].touch) > 0:
        sides[other].touch = price
    if rules & _PRINT_TAKES and count_resting(orders) > 0:
        _take(book, taken, sides, 0, side, price, lots)


@compiled
def refresh_taken(rows: Any, book: Any, taken: Any) -> None:
    """What was taken of a level is at most what it still shows after a source event."""
    for n in range(rows.shape[0]):
        if rows[n].kind != TRADE:
            r, price = row_of(rows[n].side), rows[n].price
            taken[r, price] = min(taken[r, price], book[r, price])
