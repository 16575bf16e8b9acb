"""Scripts of orders for the comparison: drawn with a seed over a recorded market, the same for everybody.

Orders are sent a moment after a source event, at prices around the touch shown then; what happens to them later
changes nothing of the script. All orders that are alive together are of one side, so that none meets another of its
own account: what an exchange does then is no matter of fills.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.peers.fills_records import CANCEL, GTC, IOC, LIMIT, MARKET, NEW, SCRIPT_DTYPE
from chimera_platform.market.book import apply_events, ask_level, bid_level, is_tradable, new_books
from chimera_platform.market.events import EventFlag

Array = np.ndarray[Any, Any]
_KINDS = ("market", "touch", "inside", "behind", "through", "ioc")
_SHARES = (0.15, 0.35, 0.15, 0.15, 0.1, 0.1)
_SENT_AFTER_NS, _CANCELLED_AFTER_NS = 1_007, 503  # odd, so that nothing arrives at the time of an event


@dataclass(frozen=True)
class ScriptPlan:
    """What a script is drawn from.

    Attributes
    ----------
    orders : how many are drawn; those that find no place are left out.
    most_lots : sizes are drawn from 1 to this.
    is_alone : no two orders of the script rest at one price at a time.
    round_trip_ns : no cancel is sent before the answer to its order is there.
    seed : of the draw.
    """

    orders: int
    most_lots: int
    is_alone: bool
    round_trip_ns: int
    seed: int
    a_side: int = 10  # orders drawn one after the other before the side changes


def draw_script(events: Array, plan: ScriptPlan) -> Array:
    """Return SCRIPT_DTYPE in order of time, order numbers from 0, over ``events`` of one instrument."""
    draw = np.random.default_rng(plan.seed)
    ends = np.flatnonzero(events["flags"] & int(EventFlag.LAST))
    chosen = np.sort(draw.choice(np.arange(len(ends) // 50, len(ends)), plan.orders, replace=False))
    times = events["ts_event"][ends[chosen]] + _SENT_AFTER_NS
    book, applied, sent_ts = new_books(1), 0, 0
    rows: list[tuple[int, ...]] = []
    alive: list[tuple[int, int]] = []  # price, until
    for k, end in enumerate(ends[chosen]):
        apply_events(book, events[applied : end + 1])
        applied = end + 1
        block = k // plan.a_side
        side = 1 if block % 2 == 0 else -1
        next_block = (block + 1) * plan.a_side
        latest = int(times[next_block]) - 1 if next_block < plan.orders else int(events["ts_event"][-1])
        ts = int(times[k])
        life = int(events["ts_event"][ends[min(chosen[k] + draw.integers(20, 3000), len(ends) - 1)]]) - ts
        kind = str(draw.choice(_KINDS, p=_SHARES))
        size = int(draw.integers(1, plan.most_lots + 1))
        offset = int(draw.integers(1, 4))
        until = min(ts + max(life, plan.round_trip_ns) + _CANCELLED_AFTER_NS, latest)
        if not is_tradable(book[0]) or until <= ts + plan.round_trip_ns or ts <= sent_ts:
            continue
        price = _price(book[0], kind, side, offset)
        alive = [(p, t) for p, t in alive if t >= ts]
        if plan.is_alone and any(p == price for p, _ in alive):
            continue
        order_no, sent_ts = len({row[1] for row in rows}), ts
        order_type = MARKET if kind == "market" else LIMIT
        rows.append((ts, order_no, price, size, NEW, order_type, IOC if kind == "ioc" else GTC, side))
        if kind not in ("market", "ioc"):
            alive.append((price, until))
            rows.append((until, order_no, price, size, CANCEL, order_type, GTC, side))
    return np.array(sorted(rows), SCRIPT_DTYPE)


def _price(book: Any, kind: str, side: int, offset: int) -> int:
    """Return the limit price (ticks) of an order of ``kind``; 0 of a market order."""
    own, other = (bid_level, ask_level) if side > 0 else (ask_level, bid_level)
    touch, opposite = int(own(book, 1)[0]), int(other(book, 1)[0])
    if kind == "market":
        return 0
    if kind == "touch":
        return touch
    if kind == "inside":
        return touch + side * min(offset, max(abs(opposite - touch) - 1, 0))
    if kind == "behind":
        return int(own(book, 1 + offset)[0]) or touch
    return int(other(book, offset)[0]) or opposite if kind == "through" else opposite
