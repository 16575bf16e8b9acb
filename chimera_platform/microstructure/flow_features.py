"""The second feature kernel: order flow over several levels, trades, volatility, impact, toxicity and liquidity.

Call :func:`update_flow_features` for *every* record right after ``apply_event``; it fills the output at the source
event's LAST record. Names, units, formulas, windows and sources are those of
:data:`chimera_platform.microstructure.flow_feature_names.FLOW_FEATURE_DESCRIPTIONS`.

Conventions are those of the first kernel: quotes count only in a trusted book, with both sides; rebuilds and levels
that enter or leave a depth-limited view are no flow; a clock that runs backwards is held. All records of a source
event count at the time of its LAST record. Undefined is NaN, never infinite.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from chimera_platform.kernels import kernel
from chimera_platform.market.book import is_trusted
from chimera_platform.market.events import EventFlag, EventKind
from chimera_platform.market.instruments import Instrument
from chimera_platform.microstructure.features import DAY_NS, order_flow_imbalance, trade_sign
from chimera_platform.microstructure.flow_feature_names import FlowFeature
from chimera_platform.microstructure.flow_feature_seconds import SECOND_FIELDS, advance_seconds, clear_seconds, take_mid
from chimera_platform.microstructure.flow_feature_spreads import (
    SPREAD_FIELDS,
    begin_watch,
    end_watch,
    realise_spreads,
    take_print,
)
from chimera_platform.microstructure.flow_feature_vpin import VPIN_FIELDS, FlowFeatureSettings, take_print_volume
from chimera_platform.microstructure.flow_feature_windows import LEVELS, WINDOW_FIELDS, push_long, push_short

DEPTH_LEVELS = 10

FLOW_FEATURE_STATE_DTYPE = np.dtype(
    [
        ("tick_numerator", "<f8"),  # price = ticks · numerator / denominator
        ("tick_denominator", "<f8"),
        ("now", "<i8"),  # ns UTC, latest LAST
        ("has_previous", "<i8"),  # 1: the levels below are those of a trusted book
        ("bid", "<i8"),  # ticks; best quote at the previous LAST
        ("bid_size", "<i8"),  # lots, 0: side empty
        ("ask", "<i8"),
        ("ask_size", "<i8"),
        ("bids", "<i8", (LEVELS,)),  # ticks, best levels at the previous LAST, touch first
        ("bid_sizes", "<i8", (LEVELS,)),  # lots, 0: no such level
        ("asks", "<i8", (LEVELS,)),
        ("ask_sizes", "<i8", (LEVELS,)),
        ("ofi", "<i8", (LEVELS,)),  # lots, the source event's contribution by level
        ("flow", "<i8"),  # 1: the open source event has changed the book as order flow
        ("rebuild", "<i8"),  # 1: the open source event has cleared the book or carries a snapshot
        ("buy", "<i8"),  # lots bought aggressively in the open source event
        ("sell", "<i8"),
        ("cancels", "<i8"),  # records of the open source event
        ("prints", "<i8"),
        ("signed_price", "<i8"),  # ticks, the open source event's last signed print
        ("signed", "<i8"),  # its sign, 0: none
        ("trade_price", "<i8"),  # ticks, last trade; 0 before the first
        ("tick_sign", "<i8"),  # direction of the last change of the trade price
        ("day", "<i8"),  # UTC days since 1970 of the session
        ("delta", "<i8"),  # lots, bought - sold in the session
        ("volume", "<i8"),  # lots traded in the session
        ("base", "<i8"),  # ticks, the session's first print
        ("moment", "<f8"),  # (ticks - base) × lots over the session: whole numbers, exact below 2^53
        *WINDOW_FIELDS,
        *SECOND_FIELDS,
        *SPREAD_FIELDS,
        *VPIN_FIELDS,
    ]
)

_EXECUTE, _TRADE, _LEVEL = int(EventKind.EXECUTE), int(EventKind.TRADE), int(EventKind.LEVEL)
_CANCEL, _DELETE = int(EventKind.CANCEL), int(EventKind.DELETE)
_QUOTE, _CLEAR = int(EventKind.QUOTE), int(EventKind.CLEAR)
_LAST, _SNAPSHOT = int(EventFlag.LAST), int(EventFlag.SNAPSHOT)
_NO_FLOW = int(EventFlag.WINDOW) | int(EventFlag.HIDDEN)

_MLOFI_EVENT, _MLOFI_10S = int(FlowFeature.MLOFI_EVENT_1), int(FlowFeature.MLOFI_10S_1)
_DEPTH_IMBALANCE, _DELTA = int(FlowFeature.DEPTH_IMBALANCE_10), int(FlowFeature.CUMULATIVE_DELTA)
_TRADE_IMBALANCE, _VWAP = int(FlowFeature.TRADE_IMBALANCE_60S), int(FlowFeature.VWAP_DEVIATION_SPREADS)
_VOL, _BIPOWER = int(FlowFeature.REALISED_VOL_GRID_10S), int(FlowFeature.BIPOWER_VARIATION_60S)
_LAMBDA, _VPIN = int(FlowFeature.KYLE_LAMBDA_300S), int(FlowFeature.VPIN)
_SLOPE_BID, _SLOPE_ASK = int(FlowFeature.BOOK_SLOPE_BID_5), int(FlowFeature.BOOK_SLOPE_ASK_5)
_RESILIENCE, _CANCEL_RATIO = int(FlowFeature.RESILIENCE_1S), int(FlowFeature.CANCEL_TO_TRADE_60S)
_INTENSITY = int(FlowFeature.ARRIVAL_INTENSITY_10S)
_EFFECTIVE, _REALISED = int(FlowFeature.EFFECTIVE_SPREAD), int(FlowFeature.REALISED_SPREAD_5S)


def new_flow_feature_states(
    instruments: Iterable[Instrument], settings: FlowFeatureSettings | None = None
) -> np.ndarray[Any, Any]:
    """Return fresh states, one per instrument (a ``Universe`` is fine), dtype :data:`FLOW_FEATURE_STATE_DTYPE`."""
    chosen = settings or FlowFeatureSettings()
    ratios = [i.tick_size.as_integer_ratio() for i in instruments]
    states = np.zeros(len(ratios), FLOW_FEATURE_STATE_DTYPE)
    states["tick_numerator"] = [r[0] for r in ratios]
    states["tick_denominator"] = [r[1] for r in ratios]
    states["calibration_prints"] = chosen.vpin_calibration_prints
    states["bucket_prints"] = chosen.vpin_bucket_prints
    states["bucket_count"] = chosen.vpin_buckets
    clear_seconds(states)
    states["vpin"] = np.nan
    states["resilience"] = np.nan
    return states


@kernel
def _start_session(state: Any, now: int) -> None:
    """Reset delta and VWAP at 00:00 UTC."""
    day = now // DAY_NS
    if day != state.day:
        state.day = day
        state.delta = 0
        state.volume = 0
        state.moment = 0.0


@kernel
def _gather_print(state: Any, windows: Any, event: Any) -> None:
    """Add a print to the open source event, the session and the volume buckets."""
    if state.trade_price != 0 and event.price != state.trade_price:
        state.tick_sign = 1 if event.price > state.trade_price else -1
    sign = trade_sign(state, event)
    state.trade_price = event.price
    state.prints += 1
    if sign != 0:
        state.signed = sign
        state.signed_price = event.price
    if sign > 0:
        state.buy += event.size
    elif sign < 0:
        state.sell += event.size
    _start_session(state, max(event.ts_event, state.now))
    if state.volume == 0:
        state.base = event.price
    state.volume += event.size
    state.moment += float(event.price - state.base) * float(event.size)
    take_print_volume(state, windows, event.price, event.size)


@kernel
def _close_watches(state: Any, windows: Any, now: int) -> None:
    """End the watches whose second is over, by the book as it was before this source event."""
    if state.watch_lost[0] > 0 and now > state.watch_end[0]:
        end_watch(state, windows, 0, 1, state.bids, state.bid_sizes)
    if state.watch_lost[1] > 0 and now > state.watch_end[1]:
        end_watch(state, windows, 1, -1, state.asks, state.ask_sizes)


@kernel
def _take_levels(state: Any, book: Any) -> None:
    """Compute the contribution of every level and make the current levels the previous ones."""
    counts = state.flow != 0 and state.rebuild == 0 and state.has_previous != 0
    for k in range(LEVELS):
        i, j = book.bid_count - 1 - k, book.ask_count - 1 - k
        bid, bid_size, ask, ask_size = 0, 0, 0, 0
        if i >= 0:
            bid, bid_size = book.bid_price[i], book.bid_size[i]
        if j >= 0:
            ask, ask_size = book.ask_price[j], book.ask_size[j]
        if counts:
            state.ofi[k] = order_flow_imbalance(
                state.bids[k], state.bid_sizes[k], state.asks[k], state.ask_sizes[k], bid, bid_size, ask, ask_size
            )
        state.bids[k], state.bid_sizes[k] = bid, bid_size
        state.asks[k], state.ask_sizes[k] = ask, ask_size


@kernel
def _follow_book(state: Any, book: Any, now: int) -> None:
    """Take over the book's best levels: multi-level OFI, and a watch where a touch is depleted."""
    for k in range(LEVELS):
        state.ofi[k] = 0
    if not is_trusted(book):
        state.has_previous = 0
        state.watch_lost[0] = 0
        state.watch_lost[1] = 0
        return
    if state.rebuild:
        state.watch_lost[0] = 0
        state.watch_lost[1] = 0
    _take_levels(state, book)
    if state.flow and state.rebuild == 0 and state.has_previous:
        if state.watch_lost[0] == 0 and (state.bid != state.bids[0] or state.bid_size > state.bid_sizes[0]):
            begin_watch(state, 0, 1, now, state.bid, state.bid_size, state.bids, state.bid_sizes)
        if state.watch_lost[1] == 0 and (state.ask != state.asks[0] or state.ask_size > state.ask_sizes[0]):
            begin_watch(state, 1, -1, now, state.ask, state.ask_size, state.asks, state.ask_sizes)
    state.bid, state.bid_size = state.bids[0], state.bid_sizes[0]
    state.ask, state.ask_size = state.asks[0], state.ask_sizes[0]
    state.has_previous = 1


@kernel
def _ratio(numerator: float, denominator: float) -> Any:
    """Return the quotient, NaN where the denominator is zero."""
    return numerator / denominator if denominator != 0 else np.nan


@kernel
def _depth_per_tick(prices: Any, sizes: Any) -> Any:
    """Return the lots of the best levels over the ticks that they span."""
    lots, last = 0, prices[0]
    for k in range(LEVELS):
        if sizes[k] > 0:
            lots += sizes[k]
            last = prices[k]
    return lots / (abs(prices[0] - last) + 1)


@kernel
def _write_quote_features(state: Any, book: Any, now: int, out: Any) -> None:
    """Write the features of the book: NaN without trust or a side."""
    if not (is_trusted(book) and book.bid_count > 0 and book.ask_count > 0):
        for k in (_DEPTH_IMBALANCE, _VWAP, _SLOPE_BID, _SLOPE_ASK):
            out[k] = np.nan
        return
    deep_bid, deep_ask = 0, 0
    for k in range(max(book.bid_count - DEPTH_LEVELS, 0), book.bid_count):
        deep_bid += book.bid_size[k]
    for k in range(max(book.ask_count - DEPTH_LEVELS, 0), book.ask_count):
        deep_ask += book.ask_size[k]
    out[_DEPTH_IMBALANCE] = (deep_bid - deep_ask) / (deep_bid + deep_ask)
    out[_SLOPE_BID] = _depth_per_tick(state.bids, state.bid_sizes)
    out[_SLOPE_ASK] = _depth_per_tick(state.asks, state.ask_sizes)
    mid, spread = state.bid + state.ask, state.ask - state.bid
    # (mid - VWAP) with the base taken out first: no digits are lost at high prices
    away = 0.5 * (mid - 2 * state.base) * state.volume - state.moment
    out[_VWAP] = _ratio(away, float(state.volume) * spread)
    take_mid(state, mid, now)


@kernel
def _write_flow_features(state: Any, out: Any) -> None:
    """Write what does not need a two-sided book."""
    for k in range(LEVELS):
        out[_MLOFI_EVENT + k] = state.ofi[k]
        out[_MLOFI_10S + k] = state.ofi_sum[k]
    out[_DELTA] = state.delta
    out[_TRADE_IMBALANCE] = _ratio(state.buy_sum - state.sell_sum, state.buy_sum + state.sell_sum)
    for k in range(3):
        out[_VOL + k] = state.vol[k]
    out[_BIPOWER] = state.bipower
    half_tick = 0.5 * state.tick_numerator / state.tick_denominator
    out[_LAMBDA] = state.slope * half_tick
    out[_VPIN] = state.vpin
    out[_RESILIENCE] = state.resilience
    out[_CANCEL_RATIO] = _ratio(state.cancel_sum, state.print_sum)
    out[_INTENSITY] = 0.1 * state.event_sum
    out[_EFFECTIVE] = state.effective * half_tick if state.has_effective else np.nan
    out[_REALISED] = state.realised * half_tick if state.has_realised else np.nan


@kernel
def _emit(state: Any, windows: Any, book: Any, ts_event: int, out: Any) -> None:
    """Close the source event and write the vector."""
    if ts_event > state.now:
        state.now = ts_event
    now = state.now
    _start_session(state, now)
    advance_seconds(state, windows, now)
    realise_spreads(state, windows, now)
    _close_watches(state, windows, now)
    state.delta += state.buy - state.sell
    state.second_volume += state.buy - state.sell
    if state.signed != 0:
        take_print(state, windows, now, state.signed_price, state.signed)
    _follow_book(state, book, now)
    push_short(state, windows, now, state.ofi)
    push_long(state, windows, now, state.buy, state.sell, state.cancels, state.prints)
    _write_quote_features(state, book, now, out)
    _write_flow_features(state, out)
    state.flow = 0
    state.rebuild = 0
    state.buy = 0
    state.sell = 0
    state.cancels = 0
    state.prints = 0
    state.signed = 0


@kernel
def update_flow_features(state: Any, windows: Any, book: Any, event: Any, out: Any) -> bool:
    """Take in one record, already applied to ``book``; at LAST write the vector of order-flow features.

    Parameters
    ----------
    state : record of :data:`FLOW_FEATURE_STATE_DTYPE`, changed in place.
    windows : record of ``FLOW_WINDOWS_DTYPE``, changed in place.
    book : record of ``BOOK_DTYPE`` after this event.
    event : record of ``EVENT_DTYPE``.
    out : float64 vector of length ``FLOW_FEATURE_COUNT``, written at LAST only.

    Returns
    -------
    bool : whether ``out`` was written.
    """
    kind = event.kind
    flags = event.flags
    if kind == _CLEAR or flags & _SNAPSHOT:
        state.rebuild = 1
    elif (kind <= _LEVEL or kind == _QUOTE) and flags & _NO_FLOW == 0:
        state.flow = 1
        if kind in (_CANCEL, _DELETE) or (kind == _LEVEL and event.size == 0):
            state.cancels += 1
    if kind in (_TRADE, _EXECUTE):
        _gather_print(state, windows, event)
    if flags & _LAST == 0:
        return False
    _emit(state, windows, book, event.ts_event, out)
    return True
