"""The order table of L3 streams: makes every order record self-contained before it reaches a book.

The book kernel needs price and size of what changes, which a feed may leave out (a deletion by id) or state only as
the order's new form (a modification). Resolving once, where the stream enters, keeps the books and everything behind
them free of order tables.

========  ==========================================================================================
record    becomes
========  ==========================================================================================
ADD       itself; of an id that still rests: DELETE of the old order, then ADD
MODIFY    CANCEL of the difference where only the size shrinks (the order keeps its place in the
          queue), else DELETE and ADD; ADD where the order is unknown; DELETE where the new size is 0
CANCEL    the same with the resting order's price and at most its remaining size
DELETE    the same with the resting order's price and remaining size
EXECUTE   as CANCEL; at a price other than the resting one: CANCEL at the resting price, then TRADE
CLEAR     itself; the instrument's orders are forgotten
========  ==========================================================================================

Records of unknown orders otherwise pass unchanged and are counted. Records of other kinds, and order records
without an id (0), pass as they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.errors import CapacityError
from chimera_platform.kernels import kernel
from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind

ORDER_DTYPE = np.dtype(
    [
        ("order_id", "<i8"),
        ("instrument_id", "<i8"),
        ("price", "<i8"),  # ticks
        ("size", "<i8"),  # lots left; 0: the slot is free
        ("side", "<i8"),  # +1 bid, -1 ask
    ]
)
ORDER_TABLE_DTYPE = np.dtype(
    [
        ("orders", "<i8"),  # resting orders
        ("unknown", "<i8"),  # counter: records of an order that does not rest
        ("mismatched", "<i8"),  # counter: more withdrawn than is left, or an id added twice
    ]
)
ORDERS_MAX = 1 << 24

_ADD, _MODIFY, _CANCEL = int(EventKind.ADD), int(EventKind.MODIFY), int(EventKind.CANCEL)
_DELETE, _EXECUTE = int(EventKind.DELETE), int(EventKind.EXECUTE)
_TRADE, _CLEAR = int(EventKind.TRADE), int(EventKind.CLEAR)
_HIDDEN, _LAST = int(EventFlag.HIDDEN), int(EventFlag.LAST)
_NOT_LAST = ~int(EventFlag.LAST)
_MIX = -7046029254386353131  # 2^64 / golden ratio, as int64


@kernel
def _home(order_id: int, instrument_id: int, mask: int) -> Any:
    """Return the slot at which the search for an order begins (Fibonacci hashing)."""
    mixed = (order_id ^ (instrument_id << 48)) * _MIX
    return (mixed ^ (mixed >> 32)) & mask


@kernel
def _find_order(slots: Any, order_id: int, instrument_id: int) -> Any:
    """Return the order's slot, or -1 - (the free slot where it belongs)."""
    mask = slots.shape[0] - 1
    at = _home(order_id, instrument_id, mask)
    while slots[at].size != 0:
        if slots[at].order_id == order_id and slots[at].instrument_id == instrument_id:
            return at
        at = (at + 1) & mask
    return -1 - at


@kernel
def _free_slot(slots: Any, at: int) -> None:
    """Free a slot and move up what was displaced by it (linear probing without tombstones)."""
    mask = slots.shape[0] - 1
    hole, probe = at, (at + 1) & mask
    while slots[probe].size != 0:
        home = _home(slots[probe].order_id, slots[probe].instrument_id, mask)
        if ((probe - home) & mask) >= ((probe - hole) & mask):
            slots[hole] = slots[probe]
            hole = probe
        probe = (probe + 1) & mask
    slots[hole].size = 0


@kernel
def _copy_orders(source: Any, target: Any, without_instrument: int) -> Any:
    """Insert the orders of ``source``, except one instrument's, into the empty ``target``; return their number."""
    copied = 0
    for i in range(source.shape[0]):
        order = source[i]
        if order.size != 0 and order.instrument_id != without_instrument:
            at = -1 - _find_order(target, order.order_id, order.instrument_id)
            target[at] = order
            copied += 1
    return copied


@kernel
def _rest(table: Any, slots: Any, event: Any) -> None:
    """Put an order that is not in the table into it."""
    at = -1 - _find_order(slots, event.order_id, event.instrument_id)
    slots[at].order_id = event.order_id
    slots[at].instrument_id = event.instrument_id
    slots[at].price = event.price
    slots[at].size = event.size
    slots[at].side = event.side
    table.orders += 1


@kernel
def _withdraw(table: Any, slots: Any, at: int, event: Any, kind: int, size: int, out: Any, row: int) -> None:
    """Take ``size`` lots from a resting order and write the record that says so."""
    out[row] = event
    out[row].kind = kind
    out[row].price = slots[at].price
    out[row].side = slots[at].side
    out[row].size = size
    slots[at].size -= size
    if slots[at].size == 0:
        _free_slot(slots, at)
        table.orders -= 1


@kernel
def _replace(table: Any, slots: Any, at: int, event: Any, out: Any, row: int) -> Any:
    """Write the change of a resting order to its new price and size; return the rows written."""
    order = slots[at]
    if event.size <= 0:
        _withdraw(table, slots, at, event, _DELETE, order.size, out, row)
        return 1
    if event.price == order.price and event.side == order.side and event.size < order.size:
        _withdraw(table, slots, at, event, _CANCEL, order.size - event.size, out, row)
        return 1
    _withdraw(table, slots, at, event, _DELETE, order.size, out, row)
    out[row].flags &= _NOT_LAST
    out[row + 1] = event
    out[row + 1].kind = _ADD
    _rest(table, slots, event)
    return 2


@kernel
def _execute(table: Any, slots: Any, at: int, event: Any, size: int, out: Any, row: int) -> Any:
    """Write an execution of a resting order; return the rows written."""
    if event.price == slots[at].price:
        _withdraw(table, slots, at, event, _EXECUTE, size, out, row)
        return 1
    _withdraw(table, slots, at, event, _CANCEL, size, out, row)
    out[row + 1] = event
    out[row + 1].kind = _TRADE
    out[row + 1].size = size
    out[row + 1].side = -out[row].side
    out[row].flags &= _NOT_LAST
    return 2


@kernel
def _resolve(table: Any, slots: Any, event: Any, out: Any, row: int) -> Any:
    """Write one order record in self-contained form; return the rows written (1 or 2)."""
    kind = event.kind
    at = _find_order(slots, event.order_id, event.instrument_id)
    if at < 0:
        out[row] = event
        if kind != _ADD:
            table.unknown += 1
        if kind == _MODIFY:
            out[row].kind = _ADD
        if kind <= _MODIFY and event.size > 0:
            _rest(table, slots, event)
        return 1
    if kind <= _MODIFY:
        table.mismatched += 1 if kind == _ADD else 0
        return _replace(table, slots, at, event, out, row)
    left = slots[at].size
    if kind == _DELETE or event.size > left:
        table.mismatched += 1 if event.size > left else 0
        size = left
    else:
        size = max(event.size, 0)
    if kind == _EXECUTE:
        return _execute(table, slots, at, event, size, out, row)
    _withdraw(table, slots, at, event, kind, size, out, row)
    return 1


@kernel
def _resolve_events(table: Any, slots: Any, spare: Any, events: Any, out: Any) -> Any:
    """Resolve records in order into ``out`` (at least twice as long); return the rows written."""
    rows = 0
    for i in range(events.shape[0]):
        kind = events[i].kind
        if kind <= _EXECUTE and events[i].order_id != 0 and events[i].flags & _HIDDEN == 0:
            rows += _resolve(table, slots, events[i], out, rows)
            continue
        if kind == _CLEAR:
            for k in range(spare.shape[0]):
                spare[k].size = 0
            table.orders = _copy_orders(slots, spare, events[i].instrument_id)
            for k in range(spare.shape[0]):
                slots[k] = spare[k]
        out[rows] = events[i]
        rows += 1
    return rows


class OrderTable:
    """Resting orders by (instrument, id), growing with their number up to a bound.

    Parameters
    ----------
    orders_max : bound on the resting orders; beyond it :class:`~chimera_platform.errors.CapacityError`.

    Attributes
    ----------
    counters : record array of shape (1,), dtype :data:`ORDER_TABLE_DTYPE`.
    """

    def __init__(self, orders_max: int = ORDERS_MAX) -> None:
        self.orders_max = orders_max
        self.counters = np.zeros(1, ORDER_TABLE_DTYPE)
        self._slots = np.zeros(1024, ORDER_DTYPE)
        self._spare = np.zeros(1024, ORDER_DTYPE)

    def __len__(self) -> int:
        return int(self.counters["orders"][0])

    def resolve(self, events: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return the records that ``events`` stand for, each self-contained (see the module's table).

        Parameters
        ----------
        events : shape (n,), ``EVENT_DTYPE``, in stream order.

        Returns
        -------
        ndarray : shape (m,), n <= m <= 2 n; a record that becomes two keeps LAST on the second only.
        """
        self._reserve(len(self) + len(events))
        out = np.empty(2 * len(events), EVENT_DTYPE)
        rows = _resolve_events(self.counters[0], self._slots, self._spare, events, out)
        return out[:rows].copy()

    def _reserve(self, orders: int) -> None:
        if len(self) > self.orders_max:
            raise CapacityError(f"{len(self)} resting orders; at most {self.orders_max} were allowed")
        capacity = len(self._slots)
        while 3 * capacity < 4 * orders:
            capacity *= 2
        if capacity > len(self._slots):
            grown = np.zeros(capacity, ORDER_DTYPE)
            _copy_orders(self._slots, grown, -1)
            self._slots, self._spare = grown, np.zeros(capacity, ORDER_DTYPE)

    def snapshot(self) -> dict[str, Any]:
        """Return the state, picklable: the resting orders in use and the counters."""
        return {"counters": self.counters.copy(), "orders": self._slots[self._slots["size"] != 0].copy()}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take over a :meth:`snapshot`."""
        orders = snapshot["orders"]
        self.counters = np.zeros(1, ORDER_TABLE_DTYPE)
        self._slots, self._spare = np.zeros(1024, ORDER_DTYPE), np.zeros(1024, ORDER_DTYPE)
        self._reserve(2 * len(orders))
        _copy_orders(orders, self._slots, -1)
        self.counters = snapshot["counters"].copy()
