"""LEVEL records for what a depth-limited view shows and hides.

LOBSTER's messages cover the shown levels only: when a level empties, the next deeper one enters the view with a size
that no message announced, and when a level is added, the deepest one leaves it. This module compares, message by
message, the book that the message leads to with the publisher's row, and writes the difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from chimera_platform.kernels import kernel
from chimera_platform.market.events import BUY, EVENT_DTYPE, SELL, EventFlag, EventKind

_ADD, _EXECUTE, _LEVEL = int(EventKind.ADD), int(EventKind.EXECUTE), int(EventKind.LEVEL)
_LAST, _HIDDEN, _WINDOW = int(EventFlag.LAST), int(EventFlag.HIDDEN), int(EventFlag.WINDOW)
_OUTPUT_ROWS = 1 << 16


class WindowReconciler:
    """Carries the last row of the view from block to block; starts with an empty view."""

    def __init__(self) -> None:
        self._view: np.ndarray[Any, Any] | None = None

    def reconcile(self, messages: np.ndarray[Any, Any], rows: np.ndarray[Any, Any]) -> Iterator[np.ndarray[Any, Any]]:
        """Yield ``messages`` with the LEVEL records that make the book equal ``rows``, in chunks.

        Parameters
        ----------
        messages : (n,) ``EVENT_DTYPE``, one record a message.
        rows : (n, L, 4) i8, the view after each message: ask ticks, ask lots, bid ticks, bid lots; 0 where absent.
        """
        if self._view is None:
            self._view = np.zeros(rows.shape[1:], np.int64)
        records_max = 4 * rows.shape[1] + 3  # both views on both sides, the message, one before and one after it
        step = max(_OUTPUT_ROWS // records_max, 1)
        out = np.empty(step * records_max, EVENT_DTYPE)
        for begin in range(0, len(messages), step):
            count = write_reconciled(messages[begin : begin + step], rows[begin : begin + step], self._view, out)
            yield out[:count].copy()


@kernel
def size_at(view: Any, side: int, price: int) -> Any:
    """Return the lots that a view of shape (L, 4) shows at ``price``, 0 where it shows none."""
    column = 2 if side > 0 else 0
    for k in range(view.shape[0]):
        if view[k, column] == price:
            return view[k, column + 1]
    return 0


@kernel
def write_level(out: Any, at: int, message: Any, side: int, price: int, size: int) -> Any:
    """Write one LEVEL record of the message's source event; return the next free row."""
    record = out[at]
    record.ts_event = message.ts_event
    record.ts_recv = message.ts_recv
    record.seq = message.seq
    record.order_id = 0
    record.price = price
    record.size = size
    record.ask_price = 0
    record.ask_size = 0
    record.instrument_id = message.instrument_id
    record.flags = _WINDOW
    record.kind = _LEVEL
    record.side = side
    return at + 1


@kernel
def write_difference(out: Any, at: int, message: Any, side: int, view: Any, row: Any, price: int, change: int) -> Any:
    """Write what turns one side of ``view``, changed by ``change`` lots at ``price``, into ``row``; return next row.

    Both are walked from the touch outwards; ``view`` holds the level at ``price`` as it was before the message.
    """
    column = 2 if side > 0 else 0
    levels = view.shape[0]
    i, j, seen = 0, 0, 0
    while True:
        has_old = i < levels and view[i, column] != 0
        has_new = j < levels and row[j, column] != 0
        if not has_old and not has_new:
            break
        old_first = has_old and (not has_new or side * view[i, column] >= side * row[j, column])
        new_first = has_new and (not has_old or side * row[j, column] >= side * view[i, column])
        at_price = view[i, column] if old_first else row[j, column]
        predicted = view[i, column + 1] if old_first else 0
        actual = row[j, column + 1] if new_first else 0
        if at_price == price:
            predicted += change
            seen = 1
        if predicted != actual:
            at = write_level(out, at, message, side, at_price, actual)
        i += 1 if old_first else 0
        j += 1 if new_first else 0
    if seen == 0 and change > 0:
        at = write_level(out, at, message, side, price, 0)  # an order beyond the shown levels
    return at


@kernel
def write_reconciled(messages: Any, rows: Any, view: Any, out: Any) -> Any:
    """Write each message with its LEVEL records; return how many rows were written.

    ``view`` (L, 4) is the row before the first message and becomes the row of the last; ``out`` has room for
    4 L + 3 records a message.
    """
    at = 0
    for m in range(messages.shape[0]):
        message, row = messages[m], rows[m]
        change = 0
        if message.kind <= _EXECUTE and message.flags & _HIDDEN == 0:
            change = message.size if message.kind == _ADD else -message.size
        if change < 0:
            shown = size_at(view, message.side, message.price)
            if shown + change < 0:  # the message takes more than was shown: the rest came in unseen
                before = size_at(row, message.side, message.price) - change
                at = write_level(out, at, message, message.side, message.price, before)
                change = before + change - shown
        out[at] = message
        out[at].flags = message.flags & ~_LAST
        at += 1
        at = write_difference(out, at, message, BUY, view, row, message.price, change if message.side > 0 else 0)
        at = write_difference(out, at, message, SELL, view, row, message.price, change if message.side < 0 else 0)
        out[at - 1].flags |= _LAST
        view[:, :] = row
    return at
