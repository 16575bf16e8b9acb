"""Own orders' queues and the dense book, under the rules of :mod:`benchmarks.peers.fills_rules`.

Compiled anew in every process: the kernels' cache on disk watches the package's files only.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from benchmarks.peers.fills_rules import Rule

_APART, _VIEW_EMPTY = int(Rule.OWN_QUEUES_APART), int(Rule.OUT_OF_VIEW_IS_EMPTY)
_BELOW_ZERO, _PRINTS_ALONE = int(Rule.QUEUE_BELOW_ZERO), int(Rule.QUEUE_BY_PRINTS_ALONE)

RISK_AVERSE, POWER, LOG = 0, 1, 2
IN_FLIGHT, RESTING, DONE = 1, 2, 3
NEVER = 2**62

ORDER_DTYPE = np.dtype(
    [
        ("order_no", "<i8"),
        ("arrive_ts", "<i8"),
        ("cancel_ts", "<i8"),
        ("priority", "<i8"),
        ("rank", "<i8"),  # of its price among own orders of its side, higher first
        ("price", "<i8"),
        ("size", "<i8"),
        ("filled", "<i8"),
        ("ahead", "<f8"),
        ("level", "<f8"),
        ("traded", "<f8"),
        ("order_type", "<i8"),
        ("time_in_force", "<i8"),
        ("state", "<i8"),
        ("side", "<i8"),
    ],
    align=True,
)
SIDE_DTYPE = np.dtype([("best", "<i8"), ("levels", "<i8"), ("touch", "<i8")], align=True)


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``function`` compiled, not kept on disk."""
    return njit(function)


@compiled
def row_of(side: int) -> int:
    """Return the book's row of ``side``: bids 0, asks 1."""
    return 0 if side > 0 else 1


@compiled
def set_level(book: Any, sides: Any, side: int, price: int, lots: int) -> None:
    """Set a level's total and move the best."""
    r = row_of(side)
    s, old = sides[r], book[r, price]
    book[r, price] = lots
    if old == 0 and lots > 0:
        s.levels += 1
        s.best = price if s.levels == 1 or side * (price - s.best) > 0 else s.best
    elif old > 0 and lots == 0:
        s.levels -= 1
        while s.levels > 0 and book[r, s.best] == 0:
            s.best -= side


@compiled
def shown_at(book: Any, sides: Any, rules: int, side: int, price: int) -> float:
    """Return the lots displayed at a price; infinity outside the displayed depth."""
    r = row_of(side)
    at, passed = sides[r].best, 0
    if rules & _VIEW_EMPTY or book[r, price] > 0:
        return float(book[r, price])
    while passed < sides[r].levels and side * (at - price) > 0:
        passed += 1 if book[r, at] > 0 else 0
        at -= side
    return 0.0 if passed < sides[r].levels else math.inf


@compiled
def count_resting(orders: Any) -> int:
    """Return how many own orders rest."""
    resting = 0
    for k in range(orders.shape[0]):
        resting += 1 if orders[k].state == RESTING else 0
    return resting


@compiled
def _is_before(one: Any, other: Any) -> bool:
    """Return whether own order ``one`` is asked before ``other`` of its side."""
    return one.rank > other.rank or (one.rank == other.rank and one.priority < other.priority)


@compiled
def next_in_line(orders: Any, side: int, after: int) -> int:
    """Return the resting order of ``side`` that is asked next after ``after`` (-1: the first), -1: none."""
    found = -1
    for k in range(orders.shape[0]):
        if orders[k].state != RESTING or orders[k].side != side or k == after:
            continue
        if after >= 0 and _is_before(orders[k], orders[after]):
            continue
        if found < 0 or _is_before(orders[k], orders[found]):
            found = k
    return found


@compiled
def _weight(model: int, power: float, x: float) -> float:
    """Return f(x) of a probabilistic queue model; NaN where it has no value."""
    if model == LOG:
        return math.log(1.0 + x) if x > -1.0 else math.nan
    if x < 0.0 and power != math.floor(power):
        return math.nan
    return x**power


@compiled
def withdraw(rules: int, model: int, power: float, ahead: float, level: float, traded: float, shown: float) -> float:
    """Return the lots ahead after a level went from ``level`` to ``shown`` with ``traded`` lots of prints."""
    if rules & _PRINTS_ALONE:
        return 0.0 if shown == 0.0 else min(ahead, math.inf)
    change = level - shown - traded
    bounded = rules & _BELOW_ZERO == 0
    if model != RISK_AVERSE and change >= 0.0 and ahead < math.inf and level < math.inf:
        back = level - ahead
        if bounded:
            back = max(back, 0.0)
        in_front, behind = _weight(model, power, ahead), _weight(model, power, back)
        share = behind / (behind + in_front) if behind + in_front != 0.0 else (1.0 if bounded else math.nan)
        if math.isnan(share):
            return shown
        ahead = ahead - (1.0 - share) * change + min(back - share * change, 0.0)
        if bounded:
            ahead = max(ahead, 0.0)
    return min(ahead, shown)


@compiled
def print_share(rules: int, order: Any, size: int, left: float, eaten: float) -> Any:
    """Let a print at the order's own price shorten its queue.

    Returns
    -------
    (lots for the order, lots left of the print before it, lots of others eaten so far).
    """
    rest = order.size - order.filled
    order.traded += size
    if rules & _BELOW_ZERO:
        order.ahead -= size
        mine = math.floor(0.5 - order.ahead)
        if mine > 0:
            order.ahead = 0.0
        return max(min(rest, mine), 0), left, eaten  # a queue far below zero gives more than was printed
    if rules & _APART:
        others = min(order.ahead, float(size))
        order.ahead -= others
        return min(rest, int(min(left, size - others) + 0.5)), left, eaten
    others = min(max(order.ahead - eaten, 0.0), left)
    eaten += others
    order.ahead = max(order.ahead - eaten, 0.0)
    return min(rest, int(left - others + 0.5)), left - others, eaten
