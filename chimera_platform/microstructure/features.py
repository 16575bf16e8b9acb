"""The feature kernel: fourteen microstructure features per instrument, updated with every source event.

Call :func:`update_features` for *every* record right after ``apply_event`` (trades are gathered from all records);
it fills the output at the source event's LAST record. Feature names and units are those of
:class:`chimera_platform.microstructure.feature_names.Feature`; formulas and sources stand in the leaf kernels.

Conventions: features of the quotes are NaN while a side is empty or the book is not trusted (gap, rebuild); ratios
are NaN while their denominator is zero; a crossed book is shown as it is (negative spread). A clock that runs
backwards within an instrument is held at the latest time seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from chimera_platform.kernels import kernel
from chimera_platform.market.book import (
    best_ask,
    best_ask_size,
    best_bid,
    best_bid_size,
    is_trusted,
)
from chimera_platform.market.events import EventFlag, EventKind
from chimera_platform.market.instruments import Instrument
from chimera_platform.microstructure.feature_names import Feature
from chimera_platform.microstructure.flow_window import FLOW_FIELDS, evict_flow, push_flow
from chimera_platform.microstructure.sampling import SAMPLING_FIELDS, advance_samples, clear_sampling

DAY_NS = 86_400_000_000_000
DEPTH_LEVELS = 5

FEATURE_STATE_DTYPE = np.dtype(
    [
        ("tick_numerator", "<f8"),  # price = ticks · numerator / denominator: correctly rounded where one of them is 1
        ("tick_denominator", "<f8"),
        ("ts_event", "<i8"),  # ns UTC, latest seen
        ("has_previous", "<i8"),  # 1: the previous best quote below is one of a trusted book
        ("bid", "<i8"),  # ticks; best quote at the previous LAST
        ("bid_size", "<i8"),  # lots, 0: side empty
        ("ask", "<i8"),  # ticks
        ("ask_size", "<i8"),  # lots
        ("flow", "<i8"),  # 1: the open source event has changed the book as order flow
        ("rebuild", "<i8"),  # 1: the open source event has cleared the book or carries a snapshot
        ("buy", "<i8"),  # lots bought aggressively in the open source event
        ("sell", "<i8"),  # lots sold aggressively
        ("trade_price", "<i8"),  # ticks, last trade; 0 before the first
        ("tick_sign", "<i8"),  # direction of the last change of the trade price
        ("day", "<i8"),  # UTC days since 1970 of the session VWAP
        ("notional", "<f8"),  # ticks × lots traded in the session
        ("volume", "<i8"),  # lots traded in the session
        *FLOW_FIELDS,
        *SAMPLING_FIELDS,
    ]
)

_ADD, _EXECUTE, _TRADE = int(EventKind.ADD), int(EventKind.EXECUTE), int(EventKind.TRADE)
_LEVEL, _QUOTE, _CLEAR = int(EventKind.LEVEL), int(EventKind.QUOTE), int(EventKind.CLEAR)
_LAST, _SNAPSHOT = int(EventFlag.LAST), int(EventFlag.SNAPSHOT)
_HIDDEN, _WINDOW = int(EventFlag.HIDDEN), int(EventFlag.WINDOW)

_MID, _SPREAD, _MICROPRICE = int(Feature.MID), int(Feature.SPREAD), int(Feature.MICROPRICE)
_QUEUE_IMBALANCE, _DEPTH_IMBALANCE = int(Feature.QUEUE_IMBALANCE), int(Feature.DEPTH_IMBALANCE_5)
_OFI_EVENT, _OFI_10S, _OFI_NORM = int(Feature.OFI_EVENT), int(Feature.OFI_10S), int(Feature.OFI_NORM_10S)
_TRADE_IMBALANCE, _VWAP_DEVIATION = int(Feature.TRADE_IMBALANCE_10S), int(Feature.VWAP_DEVIATION)
_REALISED_VOL, _SPREAD_Z = int(Feature.REALISED_VOL_60S), int(Feature.SPREAD_Z)
_MID_RETURN, _EDGE = int(Feature.MID_RETURN_10S), int(Feature.MICROPRICE_EDGE)


def new_feature_states(instruments: Iterable[Instrument]) -> np.ndarray[Any, Any]:
    """Return fresh states, one per instrument (a ``Universe`` is fine), dtype :data:`FEATURE_STATE_DTYPE`."""
    ratios = [i.tick_size.as_integer_ratio() for i in instruments]
    states = np.zeros(len(ratios), FEATURE_STATE_DTYPE)
    states["tick_numerator"] = [r[0] for r in ratios]
    states["tick_denominator"] = [r[1] for r in ratios]
    clear_sampling(states)
    return states


@kernel
def order_flow_imbalance(
    bid_before: int, bid_size_before: int, ask_before: int, ask_size_before: int,
    bid: int, bid_size: int, ask: int, ask_size: int,
) -> Any:  # fmt: skip
    """Return e of Cont, Kukanov & Stoikov (2014, eq. 4) in lots, between two consecutive best quotes.

    An empty side (size 0) stands infinitely far away: a quote that appears counts whole, so does one that vanishes.
    """
    e = 0
    if bid_size > 0 and (bid_size_before == 0 or bid >= bid_before):
        e += bid_size
    if bid_size_before > 0 and (bid_size == 0 or bid <= bid_before):
        e -= bid_size_before
    if ask_size > 0 and (ask_size_before == 0 or ask <= ask_before):
        e -= ask_size
    if ask_size_before > 0 and (ask_size == 0 or ask >= ask_before):
        e += ask_size_before
    return e


@kernel
def trade_sign(state: Any, event: Any) -> Any:
    """Return the aggressor of a trade: +1 buyer, -1 seller, 0 unknown.

    The exchange's own flag where there is one (an execution's aggressor is opposite to the resting side), else Lee &
    Ready (1991): above the mid a buy, below it a sell, at the mid (or without quotes) the tick test.
    """
    if event.kind == _EXECUTE:
        return -np.int64(event.side)
    if event.side != 0:
        return np.int64(event.side)
    if state.has_previous and state.bid_size > 0 and state.ask_size > 0:
        distance = 2 * event.price - (state.bid + state.ask)
        if distance != 0:
            return 1 if distance > 0 else -1
    return state.tick_sign


@kernel
def _start_session(state: Any, ts_event: int) -> None:
    """Reset the session's volume at 00:00 UTC."""
    day = ts_event // DAY_NS
    if day != state.day:
        state.day = day
        state.notional = 0.0
        state.volume = 0


@kernel
def _gather_trade(state: Any, event: Any) -> None:
    """Add a print to the open source event and to the session's volume."""
    if state.trade_price != 0 and event.price != state.trade_price:
        state.tick_sign = 1 if event.price > state.trade_price else -1
    sign = trade_sign(state, event)
    state.trade_price = event.price
    if sign > 0:
        state.buy += event.size
    elif sign < 0:
        state.sell += event.size
    _start_session(state, max(event.ts_event, state.ts_event))
    state.notional += float(event.price) * float(event.size)
    state.volume += event.size


@kernel
def _ratio(numerator: float, denominator: float) -> Any:
    """Return the quotient, NaN where the denominator is zero."""
    return numerator / denominator if denominator != 0 else np.nan


@kernel
def _write_quote_features(state: Any, book: Any, out: Any) -> None:
    """Write the features of a trusted two-sided book."""
    bid, bid_size, ask, ask_size = best_bid(book), best_bid_size(book), best_ask(book), best_ask_size(book)
    numerator, denominator = state.tick_numerator, state.tick_denominator
    mid_doubled, spread = bid + ask, ask - bid
    both = bid_size + ask_size
    out[_MID] = mid_doubled * numerator / (2.0 * denominator)
    out[_SPREAD] = spread * numerator / denominator
    weighted = float(bid) * float(ask_size) + float(ask) * float(bid_size)
    out[_MICROPRICE] = weighted * numerator / (both * denominator)
    imbalance = (bid_size - ask_size) / both
    out[_QUEUE_IMBALANCE] = imbalance
    # (microprice - mid) / spread in closed form: the difference of two close prices would lose digits.
    out[_EDGE] = 0.5 * imbalance if spread != 0 else np.nan
    deep_bid, deep_ask = 0, 0
    for k in range(max(book.bid_count - DEPTH_LEVELS, 0), book.bid_count):
        deep_bid += book.bid_size[k]
    for k in range(max(book.ask_count - DEPTH_LEVELS, 0), book.ask_count):
        deep_ask += book.ask_size[k]
    out[_DEPTH_IMBALANCE] = (deep_bid - deep_ask) / (deep_bid + deep_ask)
    out[_VWAP_DEVIATION] = _ratio(0.5 * mid_doubled * state.volume, state.notional) - 1.0
    out[_SPREAD_Z] = _ratio(spread - state.spread_mean, state.spread_deviation)
    state.mid_doubled = mid_doubled
    state.spread_ticks = spread
    state.has_mid = 1


@kernel
def _clear_quote_features(out: Any) -> None:
    """Write NaN to the features of the quotes."""
    for k in (_MID, _SPREAD, _MICROPRICE, _QUEUE_IMBALANCE, _EDGE, _DEPTH_IMBALANCE, _VWAP_DEVIATION, _SPREAD_Z):
        out[k] = np.nan


@kernel
def _event_flow(state: Any, book: Any) -> Any:
    """Return the source event's OFI and make the current best quote the previous one."""
    if not is_trusted(book):
        state.has_previous = 0
        return 0
    bid, bid_size, ask, ask_size = best_bid(book), best_bid_size(book), best_ask(book), best_ask_size(book)
    e = 0
    if state.flow and not state.rebuild and state.has_previous:
        e = order_flow_imbalance(
            state.bid, state.bid_size, state.ask, state.ask_size, bid, bid_size, ask, ask_size
        )  # fmt: skip
    state.bid, state.bid_size, state.ask, state.ask_size = bid, bid_size, ask, ask_size
    state.has_previous = 1
    return e


@kernel
def _emit(state: Any, ring: Any, book: Any, ts_event: int, out: Any) -> None:
    """Write the feature vector at the end of a source event."""
    if ts_event > state.ts_event:
        state.ts_event = ts_event
    now = state.ts_event
    _start_session(state, now)
    advance_samples(state, now)
    e = _event_flow(state, book)
    evict_flow(state, ring, now)
    if e != 0 or state.buy != 0 or state.sell != 0:
        push_flow(state, ring, now, e, state.buy, state.sell)
    if is_trusted(book) and book.bid_count > 0 and book.ask_count > 0:
        _write_quote_features(state, book, out)
    else:
        _clear_quote_features(out)
    out[_OFI_EVENT] = e
    out[_OFI_10S] = state.ofi_sum
    out[_OFI_NORM] = _ratio(state.ofi_sum, state.abs_ofi_sum)
    out[_TRADE_IMBALANCE] = _ratio(state.buy_sum - state.sell_sum, state.buy_sum + state.sell_sum)
    out[_REALISED_VOL] = state.realised_vol
    out[_MID_RETURN] = state.mid_return
    state.flow = 0
    state.rebuild = 0
    state.buy = 0
    state.sell = 0


@kernel
def update_features(state: Any, ring: Any, book: Any, event: Any, out: Any) -> bool:
    """Take in one record, already applied to ``book``; at LAST write the feature vector.

    Parameters
    ----------
    state : record of :data:`FEATURE_STATE_DTYPE`, changed in place.
    ring : 1-D array of ``FLOW_RING_DTYPE``, the instrument's row of ``new_flow_rings``.
    book : record of ``BOOK_DTYPE`` after this event.
    event : record of ``EVENT_DTYPE``.
    out : float64 vector of length ``FEATURE_COUNT``, written at LAST only.

    Returns
    -------
    bool : whether ``out`` was written.

    Notes
    -----
    The event's OFI compares the best quotes of consecutive LAST states. A source event that clears the book or
    carries a snapshot contributes 0, and so does one that only moves levels in or out of a depth-limited view.
    """
    kind = event.kind
    flags = event.flags
    if kind == _CLEAR or flags & _SNAPSHOT:
        state.rebuild = 1
    elif (kind <= _LEVEL or kind == _QUOTE) and flags & (_WINDOW | _HIDDEN) == 0:
        state.flow = 1
    if kind in (_TRADE, _EXECUTE):
        _gather_trade(state, event)
    if flags & _LAST == 0:
        return False
    _emit(state, ring, book, event.ts_event, out)
    return True
