"""Writing the simulated stream: event records, source events, ground truth; the state they are numbered from."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.kernels import kernel
from chimera_platform.market.events import EventFlag, EventKind
from chimera_platform.simulation.market.random_numbers import exponential

LAST, SNAPSHOT = int(EventFlag.LAST), int(EventFlag.SNAPSHOT)
STATUS = int(EventKind.STATUS)
EPISODE_CAPACITY = 4096  # of one chunk

MARKET_DTYPE = np.dtype(
    [
        ("random", "<u8", (4,)),
        ("ts", "<i8"),  # ns UTC: now
        ("step_end", "<i8"),  # ns UTC: when the efficient prices move next
        ("last_recv", "<i8"),  # ns UTC: a feed never overtakes itself
        ("session", "<i8"),  # index of the session
        ("opening", "<i8"),  # next symbol to open; the number of symbols once all are open
        ("rows", "<i8"),  # rows in the current chunk
        ("event_rows", "<i8"),  # rows in it when the current source event began
        ("base", "<i8"),  # event_no of the chunk's first row
        ("seq", "<i8"),  # of the current source event
        ("next_order_id", "<i8"),
        ("regime", "<i8"),  # VolatilityRegime
        ("regime_ts", "<i8"),  # ns UTC: since when
        ("regime_event", "<i8"),  # event_no of the first event from regime_ts on
        ("episodes", "<i8"),  # rows of ground truth in the current chunk
        ("spans", "<i8"),  # regime stretches in the current chunk
        ("done", "<i8"),  # 1: the last session has closed
    ]
)


@kernel
def event_number(market: Any) -> Any:
    """Return the row number in the stream of the next record."""
    return market.base + market.rows


@kernel
def emit(market: Any, out: Any, instrument: Any, kind: Any, order_id: Any, price: Any, size: Any, side: Any) -> None:
    """Write one record (``price`` in ticks) of the current source event."""
    row = out[market.rows]
    row.ts_event = market.ts
    row.ts_recv = market.last_recv
    row.seq = market.seq
    row.order_id = order_id
    row.price = price
    row.size = size
    row.ask_price = 0
    row.ask_size = 0
    row.instrument_id = instrument
    row.flags = 0
    row.kind = kind
    row.side = side
    market.rows += 1


@kernel
def finish_event(parameters: Any, market: Any, out: Any, snapshot: Any, random: Any) -> None:
    """End the current source event: times of receipt, LAST on its final record; does nothing where it is empty."""
    if market.rows == market.event_rows:
        return
    latency_us = parameters.feed_latency_us + exponential(random, float(parameters.feed_jitter_us))
    market.last_recv = max(market.last_recv, market.ts + int(latency_us * 1000.0))
    for i in range(market.event_rows, market.rows):
        out[i].ts_recv = market.last_recv
        out[i].flags = SNAPSHOT if snapshot else 0
    out[market.rows - 1].flags |= LAST
    market.event_rows = market.rows
    market.seq += 1


@kernel
def emit_status(parameters: Any, market: Any, out: Any, instrument: Any, code: Any, random: Any) -> None:
    """Write a STATUS event."""
    emit(market, out, instrument, STATUS, 0, code, 0, 0)
    finish_event(parameters, market, out, False, random)


@kernel
def record_episode(market: Any, episodes: Any, kind: Any, instrument: Any, side: Any, start_ts: Any, first: Any) -> Any:
    """Take the next row of ground truth, ending now, what varies by kind still 0; return its index."""
    row = episodes[market.episodes]
    row.start_ts = start_ts
    row.end_ts = market.ts
    row.first_event_no = first
    row.last_event_no = event_number(market) - 1
    row.order_id = 0
    row.price = 0
    row.end_price = 0
    row.size = 0
    row.levels = 0
    row.peak = 0
    row.hidden = 0
    row.second_ts = 0
    row.instrument_id = instrument
    row.kind = kind
    row.side = side
    row.difficulty = 0
    row.outcome = 0
    market.episodes += 1
    return market.episodes - 1
