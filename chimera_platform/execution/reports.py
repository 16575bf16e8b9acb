"""Execution reports: what a venue, simulated or real, says about an order."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class ReportKind(IntEnum):
    """What happened; the names of FIX 4.4's ExecType where it has one."""

    NEW = 1  # accepted
    TRADE = 2
    CANCELLED = 3
    REPLACED = 4
    REJECTED = 5
    EXPIRED = 6
    TRIGGERED = 7  # a stop is now in the book
    CANCEL_REJECTED = 8  # OrderCancelReject: a cancel or replacement came too late


REPORT_DTYPE = np.dtype(
    [
        ("order_no", "<i8"),
        ("exec_no", "<i8"),  # the venue's own sequence for the instrument: the same number is the same report
        ("ts_venue", "<i8"),  # ns UTC, when it happened
        ("ts_received", "<i8"),  # ns UTC, when the client has it
        ("price", "<i8"),  # ticks: of the trade; of the order after NEW and REPLACED
        ("lots", "<i8"),  # of the trade; 0 otherwise
        ("size", "<i8"),  # lots of the whole order now
        ("filled", "<i8"),  # lots filled so far, this trade included
        ("bid_price", "<i8"),  # ticks, the touch at the venue then
        ("ask_price", "<i8"),
        ("reason", "<u2"),  # OrderReason
        ("slot", "<i2"),
        ("kind", "u1"),  # ReportKind
        ("liquidity", "u1"),  # Liquidity of the trade; 0 otherwise
        ("side", "i1"),
    ],
    align=True,
)
