"""What one record of the stream means for the candidates among which icebergs are looked for."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.kernels import kernel
from chimera_platform.market.book import ask_level, bid_level
from chimera_platform.market.events import EventFlag, EventKind
from chimera_platform.signals.iceberg_candidates import count_refill, count_trade, find, forget, insert, withdraw

SEARCH_LEVELS = 8  # from the touch, in which a print's level is looked for

_CANCEL, _DELETE = int(EventKind.CANCEL), int(EventKind.DELETE)
_EXECUTE, _LEVEL, _TRADE = int(EventKind.EXECUTE), int(EventKind.LEVEL), int(EventKind.TRADE)
_NOT_TRADED = int(EventFlag.SNAPSHOT) | int(EventFlag.WINDOW)
_UNSEEN = _NOT_TRADED | int(EventFlag.HIDDEN)
_MS = 1_000_000


@kernel
def _take_execution(table: Any, event: Any) -> None:
    """Take in the execution of a displayed order with an id."""
    at = find(table, event.order_id, event.side, event.price)
    if at >= 0 and (table.slot[at].price != event.price or table.slot[at].side != event.side):
        forget(table, at)
        at = -1
    if at < 0:
        at = insert(table, event.order_id, event.side, event.price, event.ts_event)
    count_trade(table, at, event.size, event.ts_event)


@kernel
def _is_refilled(params: Any, lots: int, peak: int) -> Any:
    """Return whether ``lots`` displayed again are enough of those displayed at most."""
    return float(lots) >= params.refill_share_min * float(peak)


@kernel
def _take_change(params: Any, table: Any, at: int, event: Any) -> None:
    """Take in an ADD or DELETE of the order at slot ``at``; what is added again may be a refill."""
    slot = table.slot[at]
    if event.kind == _DELETE:
        if slot.stage == 0:
            forget(table, at)
        else:
            withdraw(table, at)
        return
    same = slot.price == event.price and slot.side == event.side and slot.withdrawn == 0
    soon = event.ts_event - slot.trade_ts <= params.refill_ms * _MS
    # What was traded since is what had been displayed, as the order was emptied by it.
    peak = max(slot.peak, slot.since)
    if same and soon and slot.since > 0 and event.size > 0 and _is_refilled(params, event.size, peak):
        slot.peak = peak
        count_refill(table, at, event.size, event.size)
    else:
        forget(table, at)


@kernel
def _displayed(book: Any, side: int, price: int) -> Any:
    """Return the lots displayed at a price near the touch, 0 where there are none."""
    for k in range(1, SEARCH_LEVELS + 1):
        at, lots = bid_level(book, k) if side > 0 else ask_level(book, k)
        if lots == 0 or at == price:
            return lots
    return 0


@kernel
def _take_print(table: Any, book: Any, event: Any) -> None:
    """Take in a print: lots traded at a level, of which a candidate is made where it is displayed."""
    side = -np.int64(event.side)
    at = find(table, 0, side, event.price)
    if at < 0:
        shown = _displayed(book, side, event.price)
        if shown == 0:
            return
        at = insert(table, 0, side, event.price, event.ts_event)
        table.slot[at].shown = shown
        table.slot[at].peak = shown
    count_trade(table, at, event.size, event.ts_event)


@kernel
def _take_level(params: Any, table: Any, at: int, event: Any) -> None:
    """Take in the new total of the level at slot ``at``; a refill where prints had used up what it displayed."""
    slot = table.slot[at]
    exhausted = slot.since > 0 and slot.since >= slot.shown
    if exhausted and event.size == 0:
        return  # it may come back
    soon = event.ts_event - slot.trade_ts <= params.refill_ms * _MS
    if exhausted and soon and _is_refilled(params, event.size, slot.peak):
        count_refill(table, at, event.size + slot.since - slot.shown, event.size)
    elif event.size == 0 and slot.refills == 0:
        forget(table, at)
    else:
        slot.since = 0
        slot.shown = event.size
        slot.peak = max(slot.peak, event.size)


@kernel
def take_record(params: Any, table: Any, book: Any, event: Any) -> None:
    """Take in a record."""
    kind = event.kind
    if kind == _LEVEL:
        if table.count > 0 and event.flags & _NOT_TRADED == 0:
            at = find(table, 0, event.side, event.price)
            if at >= 0:
                _take_level(params, table, at, event)
    elif kind == _TRADE:
        if event.side != 0 and event.size > 0:
            _take_print(table, book, event)
    elif kind <= _EXECUTE and kind != _CANCEL and event.order_id != 0 and event.flags & _UNSEEN == 0:
        if kind == _EXECUTE:
            if event.side != 0 and event.size > 0:
                _take_execution(table, event)
        elif table.count > 0:
            at = find(table, event.order_id, event.side, event.price)
            if at >= 0:
                _take_change(params, table, at, event)
