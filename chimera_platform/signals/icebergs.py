"""Icebergs: resting orders that trade more than they show.

*Native* (L3): an order that executions have emptied is added again under the same id, side and price within
``refill_ms``. The stream names the order, so one refill is proof. *Synthetic* (L2): the prints at a price reach or
exceed what was displayed there, and the level shows size again within ``refill_ms`` of the last of them. Others may
refill a level by chance, so several refills of regular size are asked for. Prints must come before the level's
update, as venues send them; Christensen & Woodmansee 2013 and Zotikov & Antonov 2021 describe both kinds on CME.

==========  ===========================================================================================
stage       said at the LAST record at which
==========  ===========================================================================================
FORMING     a synthetic iceberg is one refill short (it has one at least)
CONFIRMED   ``native_refills``, or ``synthetic_refills`` with ``regularity``, are reached
FAILED      the order was withdrawn, or for ``refill_ms`` after its last trade its price has been beyond the
            touch, traded through or out of the book
==========  ===========================================================================================

What rests untouched for ``idle_ms`` is forgotten without a word, as is everything at lost messages or a cleared
book. ``side`` is the resting side: who hides size to buy is bullish. Evidence: see :data:`ICEBERG_EVIDENCE`;
*regularity* of the refills' sizes x is (Σx)²/(n Σx²), 1 for equal ones; strength regularity · n/(n + 1).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field

from chimera_platform.kernels import kernel
from chimera_platform.market.book import ask_level, best_ask, best_bid, bid_level, is_trusted
from chimera_platform.market.events import EventFlag, EventKind
from chimera_platform.settings import Settings
from chimera_platform.signals.records import Detector, Stage

ICEBERG_EVIDENCE = ("peak_lots", "refills", "hidden_lots", "regularity")
GROUPS, WAYS = 64, 4  # an instrument's candidates: a table of GROUPS × WAYS; a full group loses its oldest
SUSPECTS_MAX = 32  # of them with a refill, at once; a further one is not looked at
SEARCH_LEVELS = 8  # from the touch, in which a print's level is looked for
ICEBERG_ROWS_MAX = SUSPECTS_MAX  # a record, at most


class IcebergSettings(Settings):
    """What counts as an iceberg."""

    refill_ms: int = Field(default=500, ge=0, le=60_000, description="time in which the size comes back, ms")
    native_refills: int = Field(default=1, ge=1, le=100, description="refills of one order id that confirm it")
    synthetic_refills: int = Field(default=3, ge=1, le=100, description="refills of one level that confirm it")
    regularity: float = Field(default=0.7, ge=0.0, le=1.0, description="of the refills' sizes, 1: all equal")
    idle_ms: int = Field(default=600_000, ge=1, le=86_400_000, description="without a trade until forgotten, ms")


_SLOTS = GROUPS * WAYS
ICEBERG_STATE_DTYPE = np.dtype(
    [
        ("order_id", "<i8", (_SLOTS,)),  # native; 0: synthetic
        ("price", "<i8", (_SLOTS,)),  # ticks
        ("side", "<i8", (_SLOTS,)),  # resting side; 0: the slot is free
        ("start_ts", "<i8", (_SLOTS,)),  # ns UTC: first trade
        ("trade_ts", "<i8", (_SLOTS,)),  # ns UTC: last trade
        ("traded", "<i8", (_SLOTS,)),  # lots
        ("since", "<i8", (_SLOTS,)),  # lots traded since the size was last shown
        ("shown", "<i8", (_SLOTS,)),  # synthetic: lots displayed when last shown
        ("peak", "<i8", (_SLOTS,)),  # lots displayed at most
        ("refills", "<i8", (_SLOTS,)),
        ("hidden", "<i8", (_SLOTS,)),  # lots that came back: hidden until then
        ("squares", "<f8", (_SLOTS,)),  # lots²: sum over the refills
        ("withdrawn", "<i8", (_SLOTS,)),  # 1: by its owner
        ("stage", "<i8", (_SLOTS,)),  # Stage said last, 0: nothing yet
        ("number", "<i8", (_SLOTS,)),  # detection_no
        ("suspect", "<i8", (SUSPECTS_MAX,)),  # slots with a refill
        ("suspects", "<i8"),  # of them in use
        ("candidates", "<i8"),  # slots in use
        ("detections", "<i8"),  # counter
        ("missed", "<i8"),  # counter: refills not looked at because there were too many suspects
    ]
)

_ADD, _CANCEL, _DELETE = int(EventKind.ADD), int(EventKind.CANCEL), int(EventKind.DELETE)
_EXECUTE, _LEVEL = int(EventKind.EXECUTE), int(EventKind.LEVEL)
_TRADE, _CLEAR = int(EventKind.TRADE), int(EventKind.CLEAR)
_LAST, _HIDDEN = int(EventFlag.LAST), int(EventFlag.HIDDEN)
_NOT_TRADED = int(EventFlag.SNAPSHOT) | int(EventFlag.WINDOW)
_ICEBERG = int(Detector.ICEBERG)
_FORMING, _CONFIRMED, _FAILED = int(Stage.FORMING), int(Stage.CONFIRMED), int(Stage.FAILED)
_MS = 1_000_000
_MIX = -7046029254386353131  # 2^64 / golden ratio, as int64


def new_iceberg_states(count: int) -> np.ndarray[Any, Any]:
    """Return the states of ``count`` instruments, shape (count,), :data:`ICEBERG_STATE_DTYPE`."""
    return np.zeros(count, ICEBERG_STATE_DTYPE)


# ---- the table of candidates ------------------------------------------------------------------------------------


@kernel
def _group(order_id: int, price: int) -> Any:
    """Return the first slot of the group in which a candidate stands (Fibonacci hashing)."""
    mixed = (order_id if order_id != 0 else price) * _MIX
    return ((mixed >> 32) & (GROUPS - 1)) * WAYS


@kernel
def _find(state: Any, order_id: int, side: int, price: int) -> Any:
    """Return the candidate's slot, -1 where there is none; an order is found by its id, a level by side and price."""
    if state.candidates == 0:
        return -1
    first = _group(order_id, price)
    for slot in range(first, first + WAYS):
        if state.side[slot] == 0 or state.order_id[slot] != order_id:
            continue
        if order_id != 0 or (state.side[slot] == side and state.price[slot] == price):
            return slot
    return -1


@kernel
def _forget(state: Any, slot: int) -> None:
    """Free a slot."""
    if state.refills[slot] > 0:
        for k in range(state.suspects):
            if state.suspect[k] == slot:
                state.suspects -= 1
                state.suspect[k] = state.suspect[state.suspects]
                break
    state.side[slot] = 0
    state.candidates -= 1


@kernel
def _forget_all(state: Any) -> None:
    if state.candidates > 0:
        for slot in range(_SLOTS):
            state.side[slot] = 0
    state.candidates = 0
    state.suspects = 0


@kernel
def _insert(state: Any, order_id: int, side: int, price: int, ts: int) -> Any:
    """Make a candidate, in place of its group's least recently traded one where there is no room; return its slot."""
    first = _group(order_id, price)
    at = first
    for slot in range(first, first + WAYS):
        if state.side[slot] == 0:
            at = slot
            break
        if state.trade_ts[slot] < state.trade_ts[at]:
            at = slot
    if state.side[at] != 0:
        _forget(state, at)
    state.candidates += 1
    state.order_id[at] = order_id
    state.price[at] = price
    state.side[at] = side
    state.start_ts[at] = ts
    state.trade_ts[at] = ts
    state.traded[at] = 0
    state.since[at] = 0
    state.shown[at] = 0
    state.peak[at] = 0
    state.refills[at] = 0
    state.hidden[at] = 0
    state.squares[at] = 0.0
    state.withdrawn[at] = 0
    state.stage[at] = 0
    return at


@kernel
def _trade(state: Any, slot: int, event: Any) -> None:
    state.traded[slot] += event.size
    state.since[slot] += event.size
    state.trade_ts[slot] = event.ts_event


@kernel
def _refill(state: Any, slot: int, lots: int, shown: int) -> None:
    """Count a refill: ``lots`` that were not displayed before, ``shown`` of them still to be traded."""
    if state.refills[slot] == 0:
        if state.suspects == SUSPECTS_MAX:
            state.missed += 1
            _forget(state, slot)
            return
        state.suspect[state.suspects] = slot
        state.suspects += 1
    state.refills[slot] += 1
    state.hidden[slot] += lots
    state.squares[slot] += float(lots) * float(lots)
    state.peak[slot] = max(state.peak[slot], shown)
    state.since[slot] = 0
    state.shown[slot] = shown


# ---- records ----------------------------------------------------------------------------------------------------


@kernel
def _take_order(params: Any, state: Any, event: Any) -> None:
    """Take in an L3 record of an order with an id."""
    slot = _find(state, event.order_id, event.side, event.price)
    kind = event.kind
    if kind == _EXECUTE:
        if event.size <= 0 or event.side == 0:
            return
        if slot >= 0 and (state.price[slot] != event.price or state.side[slot] != event.side):
            _forget(state, slot)
            slot = -1
        if slot < 0:
            slot = _insert(state, event.order_id, event.side, event.price, event.ts_event)
        _trade(state, slot, event)
    elif slot < 0 or kind == _CANCEL:
        return
    elif kind == _DELETE:
        if state.stage[slot] == 0:
            _forget(state, slot)
        else:
            state.withdrawn[slot] = 1
    elif kind == _ADD:
        same = state.price[slot] == event.price and state.side[slot] == event.side and state.withdrawn[slot] == 0
        soon = event.ts_event - state.trade_ts[slot] <= params.refill_ms * _MS
        if same and soon and state.since[slot] > 0 and event.size > 0:
            # What was traded since is what had been displayed, as the order was emptied by it.
            state.peak[slot] = max(state.peak[slot], state.since[slot])
            _refill(state, slot, event.size, event.size)
        else:
            _forget(state, slot)


@kernel
def _displayed(book: Any, side: int, price: int) -> Any:
    """Return the lots displayed at a price near the touch, 0 where there are none."""
    for k in range(1, SEARCH_LEVELS + 1):
        at, lots = bid_level(book, k) if side > 0 else ask_level(book, k)
        if lots == 0 or at == price:
            return lots
    return 0


@kernel
def _take_print(state: Any, book: Any, event: Any) -> None:
    """Take in a print: lots traded at a level, of which a candidate is made where it is displayed."""
    side = -np.int64(event.side)
    slot = _find(state, 0, side, event.price)
    if slot < 0:
        shown = _displayed(book, side, event.price)
        if shown == 0:
            return
        slot = _insert(state, 0, side, event.price, event.ts_event)
        state.shown[slot] = shown
        state.peak[slot] = shown
    _trade(state, slot, event)


@kernel
def _take_level(params: Any, state: Any, event: Any) -> None:
    """Take in a level's new total; a refill where prints had used up what it displayed."""
    slot = _find(state, 0, event.side, event.price)
    if slot < 0:
        return
    exhausted = state.since[slot] > 0 and state.since[slot] >= state.shown[slot]
    if exhausted and event.size == 0:
        return  # it may come back
    if exhausted and event.ts_event - state.trade_ts[slot] <= params.refill_ms * _MS:
        _refill(state, slot, event.size + state.since[slot] - state.shown[slot], event.size)
    elif event.size == 0 and state.refills[slot] == 0:
        _forget(state, slot)
    else:
        state.since[slot] = 0
        state.shown[slot] = event.size
        state.peak[slot] = max(state.peak[slot], event.size)


# ---- what is said -----------------------------------------------------------------------------------------------


@kernel
def _regularity(state: Any, slot: int) -> Any:
    hidden = float(state.hidden[slot])
    return hidden * hidden / (state.refills[slot] * state.squares[slot])


@kernel
def _stage_of(params: Any, state: Any, book: Any, slot: int, ts: int) -> Any:
    """Return the stage that the suspect is in now, 0: none yet."""
    price, resting_ns = state.price[slot], ts - state.trade_ts[slot]
    if state.side[slot] > 0:
        through = book.bid_count == 0 or best_bid(book) < price
    else:
        through = book.ask_count == 0 or best_ask(book) > price
    if state.withdrawn[slot] != 0 or (through and resting_ns > params.refill_ms * _MS):
        return _FAILED
    if state.stage[slot] == _CONFIRMED:
        return _CONFIRMED
    native = state.order_id[slot] != 0
    needed = params.native_refills if native else params.synthetic_refills
    if state.refills[slot] >= needed and (native or _regularity(state, slot) >= params.regularity):
        return _CONFIRMED
    return _FORMING if state.refills[slot] >= needed - 1 else state.stage[slot]


@kernel
def _say(state: Any, slot: int, stage: int, out: Any, rows: int) -> Any:
    """Write a row about a suspect."""
    if state.stage[slot] == 0:
        state.number[slot] = state.detections
        state.detections += 1
    refills, regularity = state.refills[slot], _regularity(state, slot)
    row = out.row[rows]
    row.detection_no = state.number[slot]
    row.ts_start = state.start_ts[slot]
    row.price_low = state.price[slot]
    row.price_high = state.price[slot]
    row.size = state.traded[slot]
    row.strength = regularity * (refills / (refills + 1))
    row.evidence[0] = state.peak[slot]
    row.evidence[1] = refills
    row.evidence[2] = state.hidden[slot]
    row.evidence[3] = regularity
    row.detector = _ICEBERG
    row.stage = stage
    row.side = state.side[slot]
    state.stage[slot] = stage
    return rows + 1


@kernel
def _judge(params: Any, state: Any, book: Any, ts: int, out: Any, rows: int) -> Any:
    """Say what has changed about the suspects; return the rows written."""
    k = 0
    while k < state.suspects:
        slot = state.suspect[k]
        stage = _stage_of(params, state, book, slot, ts)
        before = state.stage[slot]
        if stage != before and (stage != _FAILED or before != 0):
            rows = _say(state, slot, stage, out, rows)
        if stage == _FAILED or ts - state.trade_ts[slot] > params.idle_ms * _MS:
            _forget(state, slot)
        else:
            k += 1
    return rows


@kernel
def update_icebergs(params: Any, state: Any, book: Any, event: Any, out: Any, rows: int) -> Any:
    """Take in one record, after the book has; write what there is to say behind row ``rows`` and return the new count.

    Parameters
    ----------
    params : record of :class:`IcebergSettings`.
    state : record of :data:`ICEBERG_STATE_DTYPE`, changed in place.
    book : the instrument's ``BOOK_DTYPE`` record with ``event`` applied.
    event : ``EVENT_DTYPE`` record of any kind.
    out : record with ``ICEBERG_ROWS_MAX`` rows behind ``rows``, see :func:`update_detectors`.
    """
    kind = event.kind
    if kind == _CLEAR or not is_trusted(book):
        _forget_all(state)
        return rows
    if kind <= _EXECUTE:
        if event.order_id != 0 and event.flags & (_HIDDEN | _NOT_TRADED) == 0:
            _take_order(params, state, event)
    elif kind == _LEVEL:
        if event.flags & _NOT_TRADED == 0:
            _take_level(params, state, event)
    elif kind == _TRADE and event.side != 0 and event.size > 0:
        _take_print(state, book, event)
    if event.flags & _LAST and state.suspects > 0:
        rows = _judge(params, state, book, event.ts_event, out, rows)
    return rows
