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
        ("price", "<i8"),  # ticks; sweep: touch it started from; iceberg: its price; phases: efficient price at start
        ("end_price", "<i8"),  # ticks; sweep: last price traded; phases: efficient price at the end; iceberg: its price
        ("size", "<i8"),  # lots traded by the sweep, or traded against the iceberg; 0 for phases
        ("levels", "<i8"),  # sweep: price levels emptied; iceberg: refills; 0 for phases
        ("peak", "<i8"),  # iceberg: lots displayed at most; 0 otherwise
        ("hidden", "<i8"),  # iceberg: lots hidden at the start; 0 otherwise
        ("instrument_id", "<i4"),
        ("kind", "u1"),  # EpisodeKind
        ("side", "i1"),  # sweep: aggressor; iceberg: resting side; trend: direction; compression: 0
    ]
)
"""One row an episode, in order of its end.

A sweep's events are the EXECUTE records ``first_event_no..last_event_no`` of its instrument; nothing else happens in
between. An iceberg's events are the records of ``order_id`` from its ADD at ``first_event_no`` to ``last_event_no``:
each refill is an ADD of the same id, at the same price, within the source event whose EXECUTE emptied what was shown.
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
