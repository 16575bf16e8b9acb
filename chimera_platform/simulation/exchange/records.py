"""What the simulated exchange keeps: orders as the venue sees them, one instrument's market, a session, reports.

An order of the client has a slot here from its sending on, with the cancel and the replacement that may be on their
way to it. Reports wait in a first-in, first-out ring until the client receives them.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from chimera_platform.execution.reports import REPORT_DTYPE

NEVER = int(np.iinfo(np.int64).max)
NO_BID = -NEVER
REPORTS_MAX = 256  # waiting at once for an instrument
REPORTS_EARLY = 128  # with more than these waiting, the oldest is delivered before its time
CONSUMED_MAX = 128  # price levels an instrument of which own orders have taken lots


class VenueOrderState(IntEnum):
    """Where an order stands, as the venue sees it."""

    NONE = 0  # free slot
    IN_FLIGHT = 1  # sent, not yet arrived
    WAITING = 2  # a stop that has not been triggered
    WORKING = 3  # in the book, or an algorithm at work
    DONE = 4  # filled, cancelled, rejected or expired; the reports of it may still be on their way


VENUE_ORDER_DTYPE = np.dtype(
    [
        ("order_no", "<i8"),
        ("priority", "<i8"),  # sequence of arrival at its price among own orders of the instrument
        ("ts_sent", "<i8"),  # ns UTC
        ("arrive_ts", "<i8"),  # ns UTC, when the venue has it
        ("cancel_ts", "<i8"),  # ns UTC, when a cancel arrives; NEVER
        ("replace_ts", "<i8"),  # ns UTC, when a replacement arrives; NEVER
        ("replace_price", "<i8"),  # ticks
        ("replace_size", "<i8"),  # lots, total
        ("expire_ts", "<i8"),  # ns UTC; NEVER
        ("start_ts", "<i8"),  # ns UTC, arrival of a TWAP or VWAP
        ("end_ts", "<i8"),  # ns UTC, by when a TWAP or VWAP is to be done
        ("next_slice_ts", "<i8"),  # ns UTC; NEVER
        ("price", "<i8"),  # ticks; 0: none
        ("stop_price", "<i8"),  # ticks; 0: none
        ("size", "<i8"),  # lots, total
        ("filled", "<i8"),  # lots
        ("display_size", "<i8"),  # lots shown at a time; 0: all
        ("shown", "<i8"),  # lots of the part in the book now
        ("volume_seen", "<i8"),  # lots that the market traded since start_ts
        ("expected_volume", "<f8"),  # lots that the market is expected to trade in a VWAP's time; 0: unknown
        ("ahead", "<f8"),  # lots of others that trade before it at its price; infinite: unknown
        ("level_size", "<f8"),  # lots displayed at its price at the last look
        ("traded", "<f8"),  # lots that traded at its price since the last look
        ("matched", "<i8"),  # lots that the current event fills; 0 between events
        ("refusal", "<u2"),  # OrderReason decided at sending (throttle, chance), 0: none
        ("cancel_reason", "<u2"),  # OrderReason of the cancel
        ("cancel_refusal", "<u2"),  # OrderReason decided at the cancel's sending, 0: none
        ("replace_refusal", "<u2"),  # the same of the replacement
        ("owner", "<i2"),  # who of the account it belongs to: the engine
        ("slot", "<i2"),  # index in the instrument's slots
        ("order_type", "u1"),
        ("time_in_force", "u1"),
        ("state", "u1"),  # VenueOrderState
        ("is_triggered", "u1"),  # 1: the market has reached the stop price
        ("side", "i1"),
    ],
    align=True,
)

CONSUMED_DTYPE = np.dtype([("price", "<i8"), ("lots", "<i8"), ("side", "<i8")], align=True)

EXCHANGE_MARKET_DTYPE = np.dtype(
    [
        ("bid", "<i8"),  # ticks, when last tradable
        ("ask", "<i8"),
        ("last_trade", "<i8"),  # ticks, where has_traded
        ("next_priority", "<i8"),
        ("next_exec_no", "<i8"),
        ("position", "<i8"),  # lots, signed: bought less sold by the account, as the venue counts
        ("last_received_ts", "<i8"),  # ns UTC of the last report handed over: the session keeps their order
        ("reports_first", "<i8"),  # ring index
        ("reports_count", "<i8"),
        ("consumed_count", "<i8"),
        ("members_count", "<i8"),  # L3 orders known to have joined behind own orders
        ("members_lost", "<i8"),  # own orders of a lower priority may have others behind them that are not known
        ("impact_lots", "<f8"),  # own signed volume, decayed
        ("impact_ts", "<i8"),  # ns UTC of its last update
        ("volume_rate", "<f8"),  # lots/s of the market, exponentially weighted
        ("variance_rate", "<f8"),  # ticks²/s of the mid, exponentially weighted
        ("rate_ts", "<i8"),  # ns UTC of their last update
        ("rate_volume", "<f8"),  # lots traded since
        ("rate_mid", "<f8"),  # half ticks then
        ("rate_weight", "<f8"),  # of the market seen, 1: as much as the weights ever count
        ("due_ts", "<i8"),  # ns UTC, when the venue has something to do for an own order; NEVER
        ("own_bid", "<i8"),  # ticks, the best own resting buy; NO_BID
        ("own_ask", "<i8"),  # ticks, the best own resting sell; NEVER
        ("alive", "<i8"),  # own orders that the venue has anything to do with
        ("resting", "<i8"),  # of them in the book
        ("waiting", "<i8"),  # stops not triggered
        ("following", "<i8"),  # VWAPs at work
        ("hidden", "<i8"),  # icebergs whose next part is not yet shown
        ("is_changed", "u1"),  # 1: these eight are to be counted anew
        ("is_queue_changed", "u1"),  # 1: a level with an own order has had a record since the queues were looked at
        ("has_traded", "u1"),  # 1: last_trade is one
        ("is_tradable", "u1"),  # at the last completed source event
        ("is_complete", "u1"),  # 1: the last record applied was the LAST of its source event
        ("is_closed", "u1"),  # 1: between SESSION_CLOSE and SESSION_OPEN
        ("consumed", CONSUMED_DTYPE, (CONSUMED_MAX,)),
        ("reports", REPORT_DTYPE, (REPORTS_MAX,)),
    ],
    align=True,
)

SESSION_DTYPE = np.dtype(
    [
        ("tokens", "<i8"),  # billionths of messages that may be sent at once: whole numbers, so that none is lost
        ("tokens_ts", "<i8"),  # ns UTC of their last update
        ("messages", "<i8"),  # sent so far: the counter of the drawn numbers
    ],
    align=True,
)
