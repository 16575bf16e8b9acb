"""The market event: one record type for every source (requirements row A1).

Prices are integer ticks and sizes integer lots of the instrument; times are integer nanoseconds, UTC.
One *source event* (a LOBSTER message, a Binance depth update, a quote) may take several records; they share
``seq`` and the last one carries :attr:`EventFlag.LAST`. Whatever decides does so only at ``LAST``.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

import numpy as np


class EventKind(IntEnum):
    """What an event does to the book."""

    ADD = 1  # L3: a new resting order
    MODIFY = 2  # L3: the order now has this price and size
    CANCEL = 3  # L3: `size` lots of the order are withdrawn
    DELETE = 4  # L3: the whole order is withdrawn; `size` is what was left of it
    EXECUTE = 5  # L3: `size` lots of the resting order trade; `side` is the resting side
    LEVEL = 6  # L2: the level's total is now `size` (0 removes the level)
    TRADE = 7  # a print; `side` is the aggressor (0 unknown); the book does not change
    QUOTE = 8  # L1: bid in `price`/`size`, ask in `ask_price`/`ask_size`; replaces the top
    CLEAR = 9  # the book is empty from here (a snapshot follows)
    STATUS = 10  # `price` holds a StatusCode


class EventFlag(IntFlag):
    """Properties of an event record."""

    LAST = 1  # last record of its source event: the book is consistent here
    SNAPSHOT = 2  # part of a snapshot, not a change seen on the market
    HIDDEN = 4  # execution against an order that was not displayed: the book does not change
    SIZE_ASSUMED = 8  # the source publishes no size; the instrument's `assumed_size` stands in
    WINDOW = 16  # a level that entered or left a depth-limited view: not a change of the market


class StatusCode(IntEnum):
    """What a STATUS event says, in its `price` field."""

    GAP = 1  # messages were lost: the book is not to be trusted until it is cleared and rebuilt
    HALT = 2
    RESUME = 3
    SESSION_OPEN = 4
    SESSION_CLOSE = 5


BUY, SELL = 1, -1

EVENT_DTYPE = np.dtype(
    [
        ("ts_event", "<i8"),  # ns UTC: the exchange's time; the only clock that kernels know
        ("ts_recv", "<i8"),  # ns UTC: when it was received; equals ts_event where the source has none
        ("seq", "<i8"),  # the source's own sequence number
        ("order_id", "<i8"),  # L3 order id, 0 where there is none
        ("price", "<i8"),  # ticks
        ("size", "<i8"),  # lots
        ("ask_price", "<i8"),  # ticks, QUOTE only
        ("ask_size", "<i8"),  # lots, QUOTE only
        ("instrument_id", "<i4"),  # index into the run's universe
        ("flags", "<u2"),  # EventFlag
        ("kind", "u1"),  # EventKind
        ("side", "i1"),  # +1 bid or buy, -1 ask or sell, 0 none
    ]
)
