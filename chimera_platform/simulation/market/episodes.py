"""Ground truth of a simulated market: what was injected, when, where; detectors are scored against it."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class EpisodeKind(IntEnum):
    """What was injected; one row a symbol."""

    SWEEP = 1  # one aggressor takes whole price levels within the sweep window
    ICEBERG = 2  # one resting order shows a peak again and again at one price (native: same order id)
    COMPRESSION = 3  # efficient prices are held in narrow ranges, all symbols at once
    TREND = 4  # efficient prices leave their ranges with a drift, most of correlated symbols together
    NEWS = 5  # efficient prices jump, all symbols at once; makers step back and trading bursts
    DROUGHT = 6  # one side's orders are withdrawn and stay away: a vacuum made by cancels
    ABSORPTION = 7  # one side refills a level again and again against aggressive flow; it holds or breaks
    STOP_RUN = 8  # a burst through the recent extreme, which nothing but the burst moves: prices return
    STACKED_ABSORPTION = 9  # a level absorbs, then another of the same side, nearer to the market; it holds or breaks


class VolatilityRegime(IntEnum):
    """State of the whole market; a Markov chain."""

    CALM = 0
    ACTIVE = 1  # twice the flow; informed traders show in the book before the price moves
    STRESSED = 2  # wide spread, thin book, high volatility; imbalance is noise


EPISODE_DTYPE = np.dtype(
    [
        ("start_ts", "<i8"),  # ns UTC
        ("end_ts", "<i8"),  # ns UTC; at least start_ts
        ("first_event_no", "<i8"),  # row number of its first event in the stream (phases: next event from start_ts on)
        ("last_event_no", "<i8"),  # row number of its last event (phases: last event before the end)
        ("order_id", "<i8"),  # iceberg: the resting order; 0 otherwise
        # ticks; sweep: touch it started from; iceberg, absorption: their price; phases, news: efficient price before;
        # drought: touch before; stop run: the extreme that is broken; stacked absorption: the first level
        ("price", "<i8"),
        # ticks; sweep, stop run: last price traded by the burst; iceberg: its price; phases, news: efficient price at
        # the end; drought, absorption: touch at the end; stacked absorption: the second level, the first where none was
        ("end_price", "<i8"),
        ("size", "<i8"),  # lots traded: by the burst, against iceberg or levels; drought: withdrawn; 0 for phases, news
        # sweep, stop run: levels emptied; iceberg, absorption: refills; drought: orders withdrawn; stacked absorption:
        # refills of the level that had fewer
        ("levels", "<i8"),
        ("peak", "<i8"),  # lots; iceberg: displayed at most; absorption: refilled up to; drought: side's before
        ("hidden", "<i8"),  # iceberg: lots hidden at the start; 0 otherwise
        ("second_ts", "<i8"),  # ns UTC; stacked absorption: the second attack begins, 0 where none did; 0 otherwise
        ("instrument_id", "<i4"),
        ("kind", "u1"),  # EpisodeKind
        ("side", "i1"),  # aggressor, resting or emptied side, or direction; compression: 0
        ("difficulty", "u1"),  # 1 (clear) to 3 (near the usual flow) for news and what follows it; 0 for the others
        # absorption: 1 held, 0 broken or (stacked) only one; stop run: 1 returned, 0 not in time; 0 for the others
        ("outcome", "u1"),
    ]
)
"""One row an episode, in order of its end.

A sweep's events are the EXECUTE records ``first_event_no..last_event_no`` of its instrument; nothing else happens in
between. An iceberg's events are the records of ``order_id`` from its ADD at ``first_event_no`` to ``last_event_no``:
each refill is an ADD of the same id, at the same price, within the source event whose EXECUTE emptied what was shown.

The rows of news, drought, absorption (stacked or not) and stop run span the time from start to end,
``first_event_no..last_event_no`` of all symbols. A drought begins with its DELETE records; a stop run's first
``EXECUTE`` records are the burst; the level that absorbs is ``price``, and each refill an ADD there; of stacked ones
it is ``price`` until ``second_ts``, then ``end_price``. A symbol has one of the five at a time.
"""

REGIME_DTYPE = np.dtype(
    [
        ("start_ts", "<i8"),  # ns UTC
        ("end_ts", "<i8"),  # ns UTC, exclusive
        ("first_event_no", "<i8"),  # row number of the first event from start_ts on
        ("end_event_no", "<i8"),  # row number one past the last event before end_ts
        ("regime", "<i8"),  # VolatilityRegime
    ]
)
"""One row a stretch of one regime, in time order; stretches end at the session's close."""
