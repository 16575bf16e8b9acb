"""What the facts are computed from: quotes by the live feature kernel, depth, withdrawals and trades of a source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chimera_platform.kernels import kernel
from chimera_platform.market.book import apply_event, ask_level, bid_level, is_tradable, new_books
from chimera_platform.market.events import EventFlag, EventKind
from chimera_platform.market.sources import EventSource
from chimera_platform.microstructure.feature_names import Feature
from chimera_platform.microstructure.feature_stream import FeatureStream
from chimera_platform.microstructure.market_facts import tick_test

LEVELS = 10
Column = np.ndarray[Any, Any]

_CANCEL, _DELETE, _EXECUTE = int(EventKind.CANCEL), int(EventKind.DELETE), int(EventKind.EXECUTE)
_LEVEL, _TRADE = int(EventKind.LEVEL), int(EventKind.TRADE)
_LAST, _SNAPSHOT = int(EventFlag.LAST), int(EventFlag.SNAPSHOT)
_HIDDEN, _WINDOW = int(EventFlag.HIDDEN), int(EventFlag.WINDOW)

DEPTH_DTYPE = np.dtype(
    [
        ("ts", "<i8"),  # ns UTC of the last source event
        ("tradable", "<i8"),  # 1: the book was tradable after it
        ("lots", "<i8", (LEVELS,)),  # of both sides together by level, after it
        ("area", "<f8", (LEVELS,)),  # lots × ns of both sides while tradable
        ("time", "<f8"),  # ns tradable
        ("withdrawn", "<f8"),  # lots cancelled or deleted; levels' decreases where there are no orders
        ("removed", "<f8"),  # lots of levels' decreases (trades among them)
        ("executed", "<f8"),  # lots of displayed orders traded
        ("printed", "<f8"),  # lots of prints
    ]
)


@dataclass
class Observation:
    """One symbol of one source.

    Attributes
    ----------
    ts, mid, spread, imbalance, flow, tradable : shape (n,), after each source event: ns UTC, ticks, ticks, in
        [-1, 1], lots, bool. ``mid`` is NaN where the book is not trusted or not two-sided.
    trade_ts, trade_price, trade_size, trade_sign : shape (m,), one row a market order, that is consecutive fills of
        one time and aggressor: ns UTC, ticks of the last fill, lots, -1, 0 (unknown) or 1.
    depth : lots a side by level, time-weighted mean, shape (LEVELS,); 0 where there is none.
    cancel_ratio : share of what leaves the book that is withdrawn, not traded; NaN without a book.
    """

    symbol: str
    ts: np.ndarray[Any, Any]
    mid: np.ndarray[Any, Any]
    spread: np.ndarray[Any, Any]
    imbalance: np.ndarray[Any, Any]
    flow: np.ndarray[Any, Any]
    tradable: np.ndarray[Any, Any]
    trade_ts: np.ndarray[Any, Any]
    trade_price: np.ndarray[Any, Any]
    trade_size: np.ndarray[Any, Any]
    trade_sign: np.ndarray[Any, Any]
    depth: np.ndarray[Any, Any]
    cancel_ratio: float


@kernel
def _lots_at(prices: Any, sizes: Any, count: int, price: int) -> Any:
    """Return the lots of the level at ``price``, 0 where there is none; searched from the touch."""
    for i in range(count - 1, -1, -1):
        if prices[i] == price:
            return sizes[i]
    return 0


@kernel
def _count_removal(state: Any, book: Any, event: Any) -> None:
    """Add what the record, not yet applied, takes out of the book."""
    kind, flags = event.kind, event.flags
    if kind == _TRADE:
        state.printed += event.size
    elif kind in (_CANCEL, _DELETE):
        state.withdrawn += event.size
    elif kind == _EXECUTE and flags & _HIDDEN == 0:
        state.executed += event.size
    elif kind == _LEVEL and flags & (_WINDOW | _SNAPSHOT) == 0 and is_tradable(book):
        if event.side > 0:
            before = _lots_at(book.bid_price, book.bid_size, book.bid_count, event.price)
        else:
            before = _lots_at(book.ask_price, book.ask_size, book.ask_count, event.price)
        state.removed += max(before - event.size, 0)


@kernel
def _weigh_depth(state: Any, book: Any, ts_event: int) -> None:
    """Close the stretch since the last source event and look at the book after this one."""
    ts = max(ts_event, state.ts)
    if state.tradable:
        for k in range(LEVELS):
            state.area[k] += float(state.lots[k]) * (ts - state.ts)
        state.time += ts - state.ts
    state.ts = ts
    state.tradable = 1 if is_tradable(book) else 0
    for k in range(LEVELS):
        state.lots[k] = bid_level(book, k + 1)[1] + ask_level(book, k + 1)[1]


@kernel
def _run_depth(books: Any, states: Any, events: Any, tradable: Any) -> None:
    """Apply the events; write for each LAST record, in order, whether its book is tradable after it."""
    rows = 0
    for i in range(events.shape[0]):
        event = events[i]
        book, state = books[event.instrument_id], states[event.instrument_id]
        _count_removal(state, book, event)
        apply_event(book, event)
        if event.flags & _LAST:
            _weigh_depth(state, book, event.ts_event)
            tradable[rows] = state.tradable
            rows += 1


def _cancel_ratio(state: Any) -> float:
    """Return withdrawn / (withdrawn + traded); where only levels are published, what trades do not explain is it."""
    left = float(state["withdrawn"] + state["executed"])
    if left > 0:
        return float(state["withdrawn"]) / left
    return max(0.0, 1.0 - float(state["printed"] / state["removed"])) if state["removed"] > 0 else float("nan")


def market_orders(trades: np.ndarray[Any, Any]) -> tuple[Column, Column, Column, Column]:
    """Return time, price, size and aggressor of the market orders behind one symbol's fills (EVENT_DTYPE).

    The aggressor is the exchange's where there is one; if no fill of the symbol names one, the tick test's.
    """
    fills = trades[trades["size"] > 0]
    sign = np.where(fills["kind"] == _EXECUTE, -fills["side"].astype(np.int64), fills["side"])
    if len(fills) and not sign.any():
        sign = tick_test(fills["price"])
    first = np.ones(len(fills), np.bool_)
    first[1:] = (np.diff(fills["ts_event"]) != 0) | (np.diff(sign) != 0)
    starts = np.flatnonzero(first)
    if len(starts) == 0:
        none = np.zeros(0, np.int64)
        return none, none, none, none
    ends = np.append(starts[1:], len(fills)) - 1
    return fills["ts_event"][starts], fills["price"][ends], np.add.reduceat(fills["size"], starts), sign[starts]


def observe(source: EventSource, batch_size: int = 65_536) -> list[Observation]:
    """Read the source once and return its symbols' observations, in the order of its universe.

    Quotes and order-flow imbalance come from the feature kernel that decides live. Memory: a few columns a source
    event, and the fills.
    """
    count = len(source.universe)
    stream, books, states = FeatureStream(source.universe), new_books(count), np.zeros(count, DEPTH_DTYPE)
    columns = [Feature.MID, Feature.SPREAD, Feature.QUEUE_IMBALANCE, Feature.OFI_EVENT]
    rows, values, tradable, fills = [], [], [], []
    for events in source.batches(batch_size):
        positions, features = stream.run(events)
        flags = np.zeros(len(positions), np.bool_)
        _run_depth(books, states, events, flags)
        rows.append(events[["ts_event", "instrument_id"]][positions])
        values.append(features[:, columns].copy())
        tradable.append(flags)
        fills.append(events[np.isin(events["kind"], (_TRADE, _EXECUTE))])
    if not rows:
        return []
    row, value, trade = np.concatenate(rows), np.concatenate(values), np.concatenate(fills)
    flag = np.concatenate(tradable)
    return [
        _observation(
            instrument.symbol,
            float(instrument.tick_size),
            row["ts_event"][mine],
            value[mine],
            flag[mine],
            trade[trade["instrument_id"] == i],
            states[i],
        )
        for i, instrument in enumerate(source.universe.instruments)
        if (mine := row["instrument_id"] == i).any()
    ]


def _observation(
    symbol: str,
    tick: float,
    ts: np.ndarray[Any, Any],
    value: np.ndarray[Any, Any],
    tradable: np.ndarray[Any, Any],
    trades: np.ndarray[Any, Any],
    state: Any,
) -> Observation:
    mid = np.round(value[:, 0] / tick * 2.0) / 2.0  # whole or half ticks: exact, so that equal mids compare equal
    time = float(state["time"])
    depth = state["area"] / (2.0 * time) if time > 0 else np.zeros(LEVELS)
    return Observation(
        symbol,
        np.maximum.accumulate(ts),
        mid,
        np.round(value[:, 1] / tick),
        value[:, 2],
        value[:, 3],
        tradable & ~np.isnan(mid),
        *market_orders(trades),
        depth,
        _cancel_ratio(state),
    )
