"""A seeded random market for tests: two-sided L2 books with trades, or bare quotes without sizes."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind, StatusCode

LEVELS = 5


def quotes(count: int, seed: int, instrument_id: int = 0, step_ns: int = 400_000_000) -> np.ndarray[Any, Any]:
    """Return L1 quotes of assumed size with trends, so that the engines find something to do.

    Shape (count,), EVENT_DTYPE, about ``step_ns`` apart; the volatility changes by turns, so that ranges narrow, then
    break.
    """
    rng = np.random.default_rng(seed)
    turn = np.arange(count) // 3000
    scale = np.where(turn % 2 == 0, 1.0, 6.0)
    drift = np.repeat(rng.normal(0, 0.6, count // 40 + 1), 40)[:count]
    mid = np.round(1_300_000 + np.cumsum((rng.normal(0, 3, count) + drift) * scale)).astype(np.int64)
    half = rng.integers(20, 30, count)
    events = _blank(count, rng, instrument_id, step_ns)
    events["kind"] = EventKind.QUOTE
    events["price"], events["ask_price"] = mid - half, mid + half
    events["size"] = events["ask_size"] = 500
    events["flags"] = EventFlag.LAST | EventFlag.SIZE_ASSUMED
    return events


def depth(count: int, seed: int, instrument_id: int = 0, step_ns: int = 500_000_000) -> np.ndarray[Any, Any]:
    """Return about ``count`` records of an L2 book: levels, trades, a gap with its rebuild, a halt.

    EVENT_DTYPE; source events take one to three records. The book is sometimes crossed or one-sided, as real ones are.
    """
    rng = np.random.default_rng(seed)
    events = _blank(count, rng, instrument_id, step_ns)
    moves = rng.choice([-1, 1], count) * (rng.random(count) < 0.1)
    mid = 100_000 + np.cumsum(moves)
    pressure = np.repeat(rng.normal(0, 1, count // 200 + 1), 200)[:count]
    side = np.where(rng.random(count) < 0.5, 1, -1)
    distance = rng.integers(1, LEVELS + 1, count)
    is_trade = rng.random(count) < 0.2
    aggressor = np.where(rng.normal(0, 1, count) < pressure, 1, -1)
    events["kind"] = np.where(is_trade, EventKind.TRADE, EventKind.LEVEL)
    events["side"] = np.where(is_trade, aggressor, side)
    events["price"] = np.where(is_trade, mid, mid - side * distance)
    tilt = np.exp(0.8 * pressure * side)
    events["size"] = np.maximum(1, rng.integers(1, 40, count) * tilt).astype(np.int64)
    events["flags"] = np.where(rng.random(count) < 0.8, EventFlag.LAST, 0)
    events["size"][(rng.random(count) < 0.25) & ~is_trade] = 0
    # What stands where the mid arrives is taken away; sometimes not, so that the book is crossed for a while.
    swept = (moves != 0) & (rng.random(count) < 0.95)
    events["kind"][swept], events["side"][swept] = EventKind.LEVEL, -moves[swept]
    events["price"][swept], events["size"][swept] = mid[swept], 0
    _clear_now_and_then(events, mid)
    return events


def interleaved(parts: list[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    """Return several instruments' events in one order by time, earlier instruments first at equal times."""
    joined = np.concatenate(parts)
    return joined[np.argsort(joined["ts_event"], kind="stable")]


def _blank(count: int, rng: np.random.Generator, instrument_id: int, step_ns: int) -> np.ndarray[Any, Any]:
    events = np.zeros(count, EVENT_DTYPE)
    start = 1_400_000_000_000_000_000
    events["ts_event"] = start + np.cumsum(rng.integers(0, 2 * step_ns, count))
    events["ts_recv"] = events["ts_event"]
    events["seq"] = np.arange(count)
    events["instrument_id"] = instrument_id
    return events


def _clear_now_and_then(events: np.ndarray[Any, Any], mid: np.ndarray[Any, Any]) -> None:
    """Rebuild the book every 500 records (it would fill with stale levels), with a gap or a halt at some of these."""
    for number, at in enumerate(range(0, len(events) - 2 * LEVELS - 4, 500)):
        if number % 5 == 3:
            events["kind"][at], events["price"][at] = EventKind.STATUS, StatusCode.GAP
            events["flags"][at] = EventFlag.LAST
        if number % 7 == 5:
            events["kind"][at], events["price"][at] = EventKind.STATUS, StatusCode.HALT
            events["kind"][at + 40], events["price"][at + 40] = EventKind.STATUS, StatusCode.RESUME
            events["flags"][[at, at + 40]] = EventFlag.LAST
        events["kind"][at + 1], events["flags"][at + 1] = EventKind.CLEAR, 0
        for k in range(2 * LEVELS):
            row, sign = at + 2 + k, 1 if k % 2 == 0 else -1
            events["kind"][row], events["side"][row] = EventKind.LEVEL, sign
            events["price"][row], events["size"][row] = mid[at] - sign * (1 + k // 2), 10 + k
            events["flags"][row] = EventFlag.SNAPSHOT | (EventFlag.LAST if k == 2 * LEVELS - 1 else 0)
