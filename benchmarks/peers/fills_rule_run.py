"""A script of orders on a plain feed under the rules of :mod:`benchmarks.peers.fills_rules`."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.peers.fills_records import CANCEL, FILL_DTYPE, TRADE
from benchmarks.peers.fills_rule_matching import (
    apply_level,
    arrive,
    end_source_event,
    has_level,
    is_tradable,
    look_again,
    meet_print,
    note_print,
    refresh_taken,
)
from benchmarks.peers.fills_rule_queue import (
    DONE,
    IN_FLIGHT,
    LOG,
    NEVER,
    ORDER_DTYPE,
    POWER,
    RESTING,
    RISK_AVERSE,
    SIDE_DTYPE,
    compiled,
)
from benchmarks.peers.fills_rules import Rule

Array = np.ndarray[Any, Any]

_FILL_MOVES = int(Rule.FILL_MOVES_TOUCH)
_NAUTILUS_UNIT = 10**16  # of its prices; their sort keys are cut to 64 bits


@compiled
def _due(orders: Any, ts: int) -> int:
    """Return the order with the earliest arrival or cancel before ``ts``, -1: none."""
    found, first = -1, ts
    for k in range(orders.shape[0]):
        when = NEVER
        if orders[k].state == IN_FLIGHT:
            when = orders[k].arrive_ts
        elif orders[k].state == RESTING:
            when = orders[k].cancel_ts
        if when < first:
            found, first = k, when
    return found


@compiled
def _let_pass(
    orders: Any, book: Any, taken: Any, sides: Any, fills: Any, count: Any, rules: int, priority: int, ts: int
) -> int:
    """Do what is due before ``ts``, in the order of time; return the last priority given."""
    k = _due(orders, ts)
    while k >= 0:
        when = orders[k].cancel_ts
        if orders[k].state == IN_FLIGHT:
            priority, when = priority + 1, orders[k].arrive_ts
            arrive(orders, book, taken, sides, fills, count, rules, k, priority, when)
        else:
            orders[k].state = DONE
        look_again(orders, book, taken, sides, fills, count, rules, when)
        k = _due(orders, ts)
    return priority


@compiled
def _run(
    feed: Any, orders: Any, book: Any, taken: Any, sides: Any, fills: Any, rules: int, model: int, power: float
) -> int:
    """Run the feed; return how many fills there were. Orders are in the order of their arrival."""
    count, priority, is_new, began, first, end = np.zeros(1, np.int64), 0, True, 0, 0, 0
    for i in range(feed.shape[0]):
        row, ts = feed[i], feed[i].ts
        if is_new:
            began = i
            while end < orders.shape[0] and orders[end].arrive_ts < ts:
                end += 1
            while first < end and orders[first].state == DONE:
                first += 1
            priority = _let_pass(orders[first:end], book, taken, sides, fills, count, rules, priority, ts)
        live = orders[first:end]
        if row.kind != TRADE:
            apply_level(live, book, taken, sides, rules, model, power, row)
        elif row.side != 0 and is_tradable(sides):
            meet_print(live, fills, count, rules, -row.side, row.price, row.lots, ts)
            note_print(live, book, taken, sides, rules, row.side, row.price, row.lots)
        is_new = row.is_last == 1
        if is_new:
            refresh_taken(feed[began : i + 1], book, taken)
            is_looked_at = rules & _FILL_MOVES == 0 or has_level(feed[began : i + 1])
            if is_tradable(sides) and is_looked_at:
                end_source_event(live, book, taken, sides, fills, count, rules, model, power, ts)
    return count[0]


def fills_by_rules(feed: Array, script: Array, rules: Rule | int, queue: str, latency_ns: int) -> Array:
    """Return the fills (FILL_DTYPE) of ``script`` on ``feed`` under ``rules``.

    Parameters
    ----------
    feed, script : FEED_DTYPE and SCRIPT_DTYPE.
    queue : ``risk_averse``, ``power:N`` or ``log``.
    latency_ns : of orders and cancels, ns.
    """
    name, _, power = queue.partition(":")
    model = {"risk_averse": RISK_AVERSE, "power": POWER, "log": LOG}[name]
    new, cancels = script[script["action"] != CANCEL], script[script["action"] == CANCEL]
    orders = np.zeros(len(new), ORDER_DTYPE)
    for field in ("price", "size", "side", "order_type", "time_in_force"):
        orders[field][new["order_no"]] = new[field]
    orders["arrive_ts"][new["order_no"]] = new["ts"] + latency_ns
    orders["cancel_ts"] = NEVER
    orders["cancel_ts"][cancels["order_no"]] = cancels["ts"] + latency_ns
    orders["state"], orders["order_no"] = IN_FLIGHT, np.arange(len(orders))
    keys = orders["price"] * (_NAUTILUS_UNIT if rules & Rule.OWN_PRIORITY_WRAPS else 1)  # wraps as its keys do
    orders["rank"] = keys * orders["side"]
    prices = np.concatenate([feed["price"], new["price"][new["price"] > 0]])
    low = int(prices.min()) - 1
    plain = feed.copy()
    plain["price"] -= low
    orders["price"] -= low
    shape = (2, int(prices.max()) - low + 2)
    fills = np.zeros(64 * len(orders) + 1024, FILL_DTYPE)
    sides = np.zeros(2, SIDE_DTYPE)
    count = _run(
        plain, orders, np.zeros(shape, np.int64), np.zeros(shape, np.int64), sides, fills, int(rules), model,
        float(power or 2.0),
    )  # fmt: skip
    fills = fills[:count]
    fills["price"] += low
    return fills
