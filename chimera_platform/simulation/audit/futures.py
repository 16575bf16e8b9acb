"""Other futures for the same past: what a decision must not depend on is changed, and only that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chimera_platform.market.events import EventFlag, EventKind

Array = np.ndarray[Any, Any]
Future = Callable[[Array, int, np.random.Generator], Array]

_PRICED = (
    EventKind.ADD,
    EventKind.MODIFY,
    EventKind.CANCEL,
    EventKind.DELETE,
    EventKind.EXECUTE,
    EventKind.LEVEL,
    EventKind.TRADE,
    EventKind.QUOTE,
)
_LARGEST_MOVE = 0.01  # of the price: far enough to change every decision, near enough for a market


def scrambled(events: Array, cut: int, random: np.random.Generator) -> Array:
    """Move each later source event's prices by an amount of its own, and change its sizes."""
    changed = events.copy()
    later = changed[cut:]
    group = _source_events(later)
    moves = random.uniform(-_LARGEST_MOVE, _LARGEST_MOVE, group[-1] + 1 if len(group) else 0)[group]
    priced = np.isin(later["kind"], _PRICED)
    moved = np.rint(later["price"] * moves).astype(np.int64)
    moved += np.where(moved == 0, 1, 0)
    later["price"] = np.where(priced, np.maximum(later["price"] + moved, 1), later["price"])
    is_quote = later["kind"] == EventKind.QUOTE
    later["ask_price"] = np.where(is_quote, np.maximum(later["ask_price"] + moved, 2), later["ask_price"])
    factor = random.integers(1, 5, len(later))
    for name in ("size", "ask_size"):
        later[name] = np.where(priced, later[name] * factor, later[name])
    return changed


def mirrored(events: Array, cut: int, random: np.random.Generator) -> Array:
    """Turn every later move around, about each instrument's last price: what rose falls, bids become asks."""
    del random
    changed = events.copy()
    later = changed[cut:]
    for instrument in np.unique(later["instrument_id"]):
        own = later["instrument_id"] == instrument
        axis = _last_price(events, cut, int(instrument))
        rows = own & np.isin(later["kind"], _PRICED) & (later["kind"] != EventKind.QUOTE)
        later["price"] = np.where(rows, np.maximum(2 * axis - later["price"], 1), later["price"])
        later["side"] = np.where(rows, -later["side"], later["side"])
        quotes = own & (later["kind"] == EventKind.QUOTE)
        bid, ask = later["price"].copy(), later["ask_price"].copy()
        bid_size, ask_size = later["size"].copy(), later["ask_size"].copy()
        later["price"] = np.where(quotes, np.maximum(2 * axis - ask, 1), later["price"])
        later["ask_price"] = np.where(quotes, np.maximum(2 * axis - bid, 2), later["ask_price"])
        later["size"] = np.where(quotes, ask_size, later["size"])
        later["ask_size"] = np.where(quotes, bid_size, later["ask_size"])
    return changed


def dropped(events: Array, cut: int, random: np.random.Generator) -> Array:
    """Leave out half of the later source events."""
    group = _source_events(events[cut:])
    kept = random.random(group[-1] + 1 if len(group) else 0) < 0.5
    return np.concatenate([events[:cut], events[cut:][kept[group]]])


def delayed(events: Array, cut: int, random: np.random.Generator) -> Array:
    """Let the rest happen later and at another pace: only times change."""
    changed = events.copy()
    later = changed[cut:]
    if len(later):
        start = int(later["ts_event"][0])
        pace, pause = int(random.integers(2, 6)), int(random.integers(1_000_000, 5_000_000_000))
        for name in ("ts_event", "ts_recv"):
            later[name] = start + pause + pace * (later[name] - start)
    return changed


def hurried(events: Array, cut: int, random: np.random.Generator) -> Array:
    """Let the rest follow at once, and faster: only times change."""
    changed = events.copy()
    later, pace = changed[cut:], int(random.integers(10, 1_001))
    for name in ("ts_event", "ts_recv"):
        now = int(events[name][cut - 1]) if cut > 0 else 0
        later[name] = now + (later[name] - now) // pace
    return changed


FUTURES: dict[str, Future] = {
    "scrambled": scrambled,
    "mirrored": mirrored,
    "dropped": dropped,
    "delayed": delayed,
    "hurried": hurried,
}


def _source_events(events: Array) -> Array:
    """Return the number of the source event that each record belongs to, from 0."""
    last = (events["flags"] & EventFlag.LAST) != 0
    return np.cumsum(last) - last


def _last_price(events: Array, cut: int, instrument: int) -> int:
    """Return a price of the instrument near the cut: the last one before it, or the first one there is."""
    rows = np.flatnonzero((events["instrument_id"] == instrument) & np.isin(events["kind"], _PRICED))
    before = rows[rows < cut]
    return int(events["price"][before[-1] if len(before) else rows[0]]) if len(rows) else 1
