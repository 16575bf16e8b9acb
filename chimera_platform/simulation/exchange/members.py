"""Which L3 orders joined behind own resting orders, for exact queue positions.

A venue's feed says which order is withdrawn, so what an own order has ahead is known exactly: the orders that were
there when it joined. Only those that joined later need to be remembered, at the prices of own orders, while these
rest. Each is kept with the priority that the next own order would get, so it is behind exactly the own orders of a
lower one.

The table is bounded, one an instrument: open addressing, linear probing, no tombstones. When it is full even without
those that are ahead of every own order, the own orders resting then fall back to the pessimistic side: for them,
whatever is withdrawn and not known to be ahead is taken to be behind.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.kernels import record_kernel

MEMBERS_DTYPE = np.dtype(
    [
        ("order_id", "<i8"),
        ("priority", "<i8"),  # it is behind own orders of a lower priority
        ("lots", "<i8"),  # left of it; 0: the slot is free
    ],
    align=True,
)
MEMBERS_SLOTS = 4_096
MEMBERS_MAX = 3 * MEMBERS_SLOTS // 4
_MASK = MEMBERS_SLOTS - 1
_MIX = -7046029254386353131  # 2^64 / golden ratio, as int64


def new_members(instruments: int, is_exact: bool) -> np.ndarray[Any, Any]:
    """Return an empty table for each instrument: shape (instruments, MEMBERS_SLOTS), or (instruments, 0)."""
    return np.zeros((instruments, MEMBERS_SLOTS if is_exact else 0), MEMBERS_DTYPE)


@record_kernel
def _slot_of(members: Any, order_id: int) -> int:
    """Return the order's slot, or the free one where it belongs (Fibonacci hashing)."""
    mixed = order_id * _MIX
    at = (mixed ^ (mixed >> 32)) & _MASK
    while members[at].lots != 0 and members[at].order_id != order_id:
        at = (at + 1) & _MASK
    return at


@record_kernel
def _free_slot(members: Any, at: int) -> None:
    """Free a slot and move up what was displaced by it."""
    hole, probe = at, (at + 1) & _MASK
    while members[probe].lots != 0:
        mixed = members[probe].order_id * _MIX
        home = (mixed ^ (mixed >> 32)) & _MASK
        if ((probe - home) & _MASK) >= ((probe - hole) & _MASK):
            members[hole].order_id = members[probe].order_id
            members[hole].priority = members[probe].priority
            members[hole].lots = members[probe].lots
            hole = probe
        probe = (probe + 1) & _MASK
    members[hole].lots = 0


@record_kernel
def _forget_ahead(market: Any, members: Any, oldest: int) -> None:
    """Forget the orders that are ahead of all own orders, whose lowest priority is ``oldest``."""
    for k in range(members.shape[0]):
        while members[k].lots != 0 and members[k].priority <= oldest:
            _free_slot(members, k)
            market.members_count -= 1


@record_kernel
def join_member(market: Any, members: Any, order_id: int, lots: int, oldest: int) -> None:
    """Remember an order that joins behind the own orders there are; an id that is known already joins anew.

    ``oldest``: the lowest priority of a resting own order.
    """
    if order_id == 0 or lots <= 0:
        return
    if market.members_count >= MEMBERS_MAX and market.members_lost < market.next_priority:
        _forget_ahead(market, members, oldest)
    at = _slot_of(members, order_id)
    if members[at].lots == 0:
        if market.members_count >= MEMBERS_MAX:
            market.members_lost = market.next_priority
            return
        market.members_count += 1
    members[at].order_id = order_id
    members[at].priority = market.next_priority
    members[at].lots = lots


@record_kernel
def member_priority(members: Any, order_id: int) -> int:
    """Return the priority of a remembered order: it is behind own orders of a lower one. -1: not remembered."""
    if order_id == 0:
        return -1
    at = _slot_of(members, order_id)
    return members[at].priority if members[at].lots != 0 else -1


@record_kernel
def shrink_member(market: Any, members: Any, order_id: int, lots: int) -> None:
    """Take ``lots`` off a remembered order, and forget it when nothing is left."""
    at = _slot_of(members, order_id)
    if members[at].lots == 0:
        return
    left = members[at].lots - lots
    if left > 0:
        members[at].lots = left
        return
    _free_slot(members, at)
    market.members_count -= 1
