"""The bounded table of resting orders and levels that have traded, among which icebergs are looked for."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.kernels import kernel

GROUPS, WAYS = 64, 4  # an instrument's candidates: a table of GROUPS × WAYS; a full group loses its oldest
SUSPECTS_MAX = 32  # of them with a refill, at once; a further one is not looked at
_SLOTS = GROUPS * WAYS

CANDIDATE_DTYPE = np.dtype(
    [
        ("order_id", "<i8"),  # native; 0: synthetic
        ("price", "<i8"),  # ticks
        ("side", "<i8"),  # resting side; 0: the slot is free
        ("start_ts", "<i8"),  # ns UTC: first trade
        ("trade_ts", "<i8"),  # ns UTC: last trade
        ("traded", "<i8"),  # lots
        ("since", "<i8"),  # lots traded since the size was last shown
        ("shown", "<i8"),  # synthetic: lots displayed when last shown
        ("peak", "<i8"),  # lots displayed at most
        ("refills", "<i8"),
        ("hidden", "<i8"),  # lots that came back: hidden until then
        ("squares", "<f8"),  # lots²: sum over the refills
        ("withdrawn", "<i8"),  # 1: by its owner
        ("stage", "<i8"),  # Stage said last, 0: nothing yet
        ("number", "<i8"),  # detection_no
    ]
)
CANDIDATES_DTYPE = np.dtype(
    [
        ("key", "<i8", (_SLOTS,)),  # what is looked for first, 0: the slot is free; a group's are side by side
        ("slot", CANDIDATE_DTYPE, (_SLOTS,)),
        ("suspect", "<i8", (SUSPECTS_MAX,)),  # slots with a refill
        ("suspects", "<i8"),  # of them in use
        ("changed", "<i8"),  # 1: a record was about a suspect since they were last looked at
        ("count", "<i8"),  # slots in use
        ("missed", "<i8"),  # counter: refills not looked at because there were too many suspects
    ]
)

_MIX = -7046029254386353131  # 2^64 / golden ratio, as int64


@kernel
def _key(order_id: int, side: int, price: int) -> Any:
    """Return what a candidate is found by, not 0: its order's id, or its side and price; two may share one."""
    return order_id if order_id != 0 else 4 * price + 2 + side


@kernel
def _group(order_id: int, price: int) -> Any:
    """Return the first slot of the group in which a candidate stands (Fibonacci hashing)."""
    mixed = (order_id if order_id != 0 else price) * _MIX
    return ((mixed >> 32) & (GROUPS - 1)) * WAYS


@kernel
def find(table: Any, order_id: int, side: int, price: int) -> Any:
    """Return the candidate's slot, -1 where there is none; an order is found by its id, a level by side and price."""
    key, first = _key(order_id, side, price), _group(order_id, price)
    for at in range(first, first + WAYS):
        if table.key[at] != key:
            continue
        slot = table.slot[at]
        if slot.order_id == order_id and (order_id != 0 or (slot.side == side and slot.price == price)):
            return at
    return -1


@kernel
def forget(table: Any, at: int) -> None:
    """Free a slot."""
    if table.slot[at].refills > 0:
        for k in range(table.suspects):
            if table.suspect[k] == at:
                table.suspects -= 1
                table.suspect[k] = table.suspect[table.suspects]
                break
    table.key[at] = 0
    table.slot[at].side = 0
    table.count -= 1


@kernel
def forget_all(table: Any) -> None:
    """Free every slot."""
    if table.count > 0:
        for at in range(_SLOTS):
            table.key[at] = 0
            table.slot[at].side = 0
    table.count = 0
    table.suspects = 0


@kernel
def insert(table: Any, order_id: int, side: int, price: int, ts: int) -> Any:
    """Make a candidate, in place of its group's least recently traded one where there is no room; return its slot."""
    first = _group(order_id, price)
    at = first
    for k in range(first, first + WAYS):
        if table.slot[k].side == 0:
            at = k
            break
        if table.slot[k].trade_ts < table.slot[at].trade_ts:
            at = k
    if table.slot[at].side != 0:
        forget(table, at)
    table.count += 1
    table.key[at] = _key(order_id, side, price)
    slot = table.slot[at]
    slot.order_id = order_id
    slot.price = price
    slot.side = side
    slot.start_ts = ts
    slot.trade_ts = ts
    slot.traded = 0
    slot.since = 0
    slot.shown = 0
    slot.peak = 0
    slot.refills = 0
    slot.hidden = 0
    slot.squares = 0.0
    slot.withdrawn = 0
    slot.stage = 0
    return at


@kernel
def count_trade(table: Any, at: int, lots: int, ts: int) -> None:
    """Count lots that traded against a candidate."""
    slot = table.slot[at]
    slot.traded += lots
    slot.since += lots
    slot.trade_ts = ts
    if slot.refills > 0:
        table.changed = 1


@kernel
def count_refill(table: Any, at: int, lots: int, shown: int) -> None:
    """Count a refill: ``lots`` that were not displayed before, ``shown`` of them still to be traded."""
    slot = table.slot[at]
    if slot.refills == 0:
        if table.suspects == SUSPECTS_MAX:
            table.missed += 1
            forget(table, at)
            return
        table.suspect[table.suspects] = at
        table.suspects += 1
    slot.refills += 1
    slot.hidden += lots
    slot.squares += float(lots) * float(lots)
    slot.peak = max(slot.peak, shown)
    slot.since = 0
    slot.shown = shown
    table.changed = 1


@kernel
def withdraw(table: Any, at: int) -> None:
    """Note that the owner has taken the order away."""
    table.slot[at].withdrawn = 1
    table.changed = 1
