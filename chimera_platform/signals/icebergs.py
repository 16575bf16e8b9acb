"""Icebergs: resting orders that trade more than they show.

*Native* (L3): an order that executions have emptied is added again under the same id, side and price within
``refill_ms``, at least ``refill_share_min`` of what it displayed at most. The stream names the order, so one refill is
proof. *Synthetic* (L2): the prints at a price reach or
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
from chimera_platform.market.book import best_ask, best_bid, is_trusted
from chimera_platform.market.events import EventFlag, EventKind
from chimera_platform.settings import Settings
from chimera_platform.signals.iceberg_candidates import (
    CANDIDATES_DTYPE,
    SUSPECTS_MAX,
    find,
    forget,
    forget_all,
)
from chimera_platform.signals.iceberg_records import take_record
from chimera_platform.signals.records import Detector, Stage

ICEBERG_EVIDENCE = ("peak_lots", "refills", "hidden_lots", "regularity")
ICEBERG_ROWS_MAX = SUSPECTS_MAX  # a record, at most


class IcebergSettings(Settings):
    """What counts as an iceberg."""

    refill_ms: int = Field(default=500, ge=0, le=60_000, description="time in which the size comes back, ms")
    native_refills: int = Field(default=1, ge=1, le=100, description="refills of one order id that confirm it")
    synthetic_refills: int = Field(default=3, ge=1, le=100, description="refills of one level that confirm it")
    regularity: float = Field(default=0.7, ge=0.0, le=1.0, description="of the refills' sizes, 1: all equal")
    idle_ms: int = Field(default=600_000, ge=1, le=86_400_000, description="without a trade until forgotten, ms")
    refill_share_min: float = Field(
        default=0.0, ge=0.0, le=1.0, description="lots displayed again over those displayed at most, at least"
    )


ICEBERG_STATE_DTYPE = np.dtype(
    [
        ("candidates", CANDIDATES_DTYPE),
        ("detections", "<i8"),  # counter
        # When there is news of the suspects without a record about one of them:
        ("due_ts", "<i8"),  # ns UTC: from here on, one may have failed, or be forgotten
        ("bid", "<i8"),  # ticks: a bid below it trades one through
        ("ask", "<i8"),  # ticks: an ask above it trades one through
    ]
)

_CANCEL, _DELETE = int(EventKind.CANCEL), int(EventKind.DELETE)
_EXECUTE, _LEVEL = int(EventKind.EXECUTE), int(EventKind.LEVEL)
_TRADE, _CLEAR = int(EventKind.TRADE), int(EventKind.CLEAR)
_LAST = int(EventFlag.LAST)
_NOT_TRADED = int(EventFlag.SNAPSHOT) | int(EventFlag.WINDOW)
_UNSEEN = _NOT_TRADED | int(EventFlag.HIDDEN)
_ICEBERG = int(Detector.ICEBERG)
_FORMING, _CONFIRMED, _FAILED = int(Stage.FORMING), int(Stage.CONFIRMED), int(Stage.FAILED)
_MS = 1_000_000
_NEVER, _LOWEST = np.iinfo(np.int64).max, np.iinfo(np.int64).min


def new_iceberg_states(count: int) -> np.ndarray[Any, Any]:
    """Return the states of ``count`` instruments, shape (count,), :data:`ICEBERG_STATE_DTYPE`."""
    return np.zeros(count, ICEBERG_STATE_DTYPE)


@kernel
def _regularity(slot: Any) -> Any:
    hidden = float(slot.hidden)
    return hidden * hidden / (slot.refills * slot.squares)


@kernel
def _is_through(slot: Any, book: Any) -> Any:
    """Return whether the price is beyond the touch, or out of the book."""
    if slot.side > 0:
        return book.bid_count == 0 or best_bid(book) < slot.price
    return book.ask_count == 0 or best_ask(book) > slot.price


@kernel
def _stage_of(params: Any, slot: Any, book: Any, ts: int) -> Any:
    """Return the stage that the suspect is in now, 0: none yet."""
    if slot.withdrawn != 0 or (ts - slot.trade_ts > params.refill_ms * _MS and _is_through(slot, book)):
        return _FAILED
    if slot.stage == _CONFIRMED:
        return _CONFIRMED
    native = slot.order_id != 0
    needed = params.native_refills if native else params.synthetic_refills
    if slot.refills >= needed and (native or _regularity(slot) >= params.regularity):
        return _CONFIRMED
    return _FORMING if slot.refills >= needed - 1 else slot.stage


@kernel
def _say(state: Any, slot: Any, stage: int, out: Any, rows: int) -> Any:
    """Write a row about a suspect."""
    if slot.stage == 0:
        slot.number = state.detections
        state.detections += 1
    refills, regularity = slot.refills, _regularity(slot)
    row = out.row[rows]
    row.detection_no = slot.number
    row.ts_start = slot.start_ts
    row.price_low = slot.price
    row.price_high = slot.price
    row.size = slot.traded
    row.strength = regularity * (refills / (refills + 1))
    row.evidence[0] = slot.peak
    row.evidence[1] = refills
    row.evidence[2] = slot.hidden
    row.evidence[3] = regularity
    row.detector = _ICEBERG
    row.stage = stage
    row.side = slot.side
    slot.stage = stage
    return rows + 1


@kernel
def _watch(params: Any, state: Any, book: Any) -> None:
    """Work out when there is news of the suspects without a record about one of them."""
    table, due, bid, ask = state.candidates, _NEVER, _LOWEST, _NEVER
    for k in range(table.suspects):
        slot = table.slot[table.suspect[k]]
        due = min(due, slot.trade_ts + params.idle_ms * _MS + 1)
        if _is_through(slot, book):
            due = min(due, slot.trade_ts + params.refill_ms * _MS + 1)
        elif slot.side > 0:
            bid = max(bid, slot.price)
        else:
            ask = min(ask, slot.price)
    state.due_ts = due
    state.bid = bid
    state.ask = ask
    table.changed = 0


@kernel
def _has_news(state: Any, book: Any, ts: int) -> Any:
    """Return whether anything about the suspects may have changed."""
    return (
        state.candidates.changed != 0
        or ts >= state.due_ts
        or best_bid(book) < state.bid
        or best_ask(book) > state.ask
        or book.bid_count == 0
        or book.ask_count == 0
    )


@kernel
def _judge(params: Any, state: Any, book: Any, ts: int, out: Any, rows: int) -> Any:
    """Say what has changed about the suspects; return the rows written."""
    table, k = state.candidates, 0
    while k < table.suspects:
        at = table.suspect[k]
        slot = table.slot[at]
        stage, before = _stage_of(params, slot, book, ts), slot.stage
        if stage != before and (stage != _FAILED or before != 0):
            rows = _say(state, slot, stage, out, rows)
        if stage == _FAILED or ts - slot.trade_ts > params.idle_ms * _MS:
            forget(table, at)
        else:
            k += 1
    _watch(params, state, book)
    return rows


@kernel
def may_concern_icebergs(state: Any, book: Any, event: Any) -> Any:
    """Return whether a record that is not a trade may concern a candidate."""
    table, kind = state.candidates, event.kind
    if table.count == 0:
        return False
    if event.flags & _LAST and table.suspects > 0 and _has_news(state, book, event.ts_event):
        return True
    if kind == _LEVEL:
        return find(table, 0, event.side, event.price) >= 0 or not is_trusted(book)
    return (event.order_id != 0 and find(table, event.order_id, 0, 0) >= 0) or not is_trusted(book)


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
    table = state.candidates
    if event.kind == _CLEAR or not is_trusted(book):
        forget_all(table)
        return rows
    take_record(params, table, book, event)
    if event.flags & _LAST and table.suspects > 0 and _has_news(state, book, event.ts_event):
        rows = _judge(params, state, book, event.ts_event, out, rows)
    return rows
