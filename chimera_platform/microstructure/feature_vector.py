"""All features, computed from the state that :mod:`chimera_platform.microstructure.features` keeps."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.kernels import record_kernel
from chimera_platform.market.book import best_ask, best_ask_size, best_bid, best_bid_size, is_trusted
from chimera_platform.microstructure.feature_names import Feature
from chimera_platform.microstructure.feature_seconds import evaluate_seconds
from chimera_platform.microstructure.feature_touch import resilience
from chimera_platform.microstructure.feature_volume import evaluate_volume
from chimera_platform.microstructure.feature_windows import (
    LEVELS,
    LONG_STEPS,
    SHORT_STEPS,
    STEP_CAPACITY,
    evict_flow,
    step_at,
)
from chimera_platform.microstructure.fitted_microprice import fitted_adjustment

_STEP_MASK = STEP_CAPACITY - 1

_MID, _SPREAD, _MICROPRICE = int(Feature.MID), int(Feature.SPREAD), int(Feature.MICROPRICE)
_QUEUE_IMBALANCE, _EDGE = int(Feature.QUEUE_IMBALANCE), int(Feature.MICROPRICE_EDGE)
_DEPTH_IMBALANCE_5, _DEPTH_IMBALANCE_10 = int(Feature.DEPTH_IMBALANCE_5), int(Feature.DEPTH_IMBALANCE_10)
_SLOPE_BID, _SLOPE_ASK = int(Feature.BOOK_SLOPE_BID_5), int(Feature.BOOK_SLOPE_ASK_5)
_FITTED_EDGE = int(Feature.FITTED_MICROPRICE_EDGE)
_OFI_EVENT, _OFI_10S, _OFI_NORM = int(Feature.OFI_EVENT), int(Feature.OFI_10S), int(Feature.OFI_NORM_10S)
_MLOFI_EVENT, _MLOFI_10S = int(Feature.MLOFI_EVENT_2), int(Feature.MLOFI_10S_2)
_TRADE_IMBALANCE_10S, _TRADE_IMBALANCE_60S = int(Feature.TRADE_IMBALANCE_10S), int(Feature.TRADE_IMBALANCE_60S)
_VWAP_DEVIATION, _VWAP_SPREADS = int(Feature.VWAP_DEVIATION), int(Feature.VWAP_DEVIATION_SPREADS)
_DELTA, _INTENSITY = int(Feature.CUMULATIVE_DELTA), int(Feature.ARRIVAL_INTENSITY_10S)
_CANCEL_RATIO, _RESILIENCE = int(Feature.CANCEL_TO_TRADE_60S), int(Feature.RESILIENCE_1S)
_SPREAD_Z, _MID_RETURN = int(Feature.SPREAD_Z), int(Feature.MID_RETURN_10S)
_VOL_10S, _VOL_60S, _VOL_600S = (
    int(Feature.REALISED_VOL_10S),
    int(Feature.REALISED_VOL_60S),
    int(Feature.REALISED_VOL_600S),
)
_BIPOWER, _LAMBDA = int(Feature.BIPOWER_VARIATION_60S), int(Feature.KYLE_LAMBDA_300S)
_EFFECTIVE, _REALISED = int(Feature.EFFECTIVE_SPREAD), int(Feature.REALISED_SPREAD_5S)
_VPIN, _TRADE_IMBALANCE_VOLUME = int(Feature.VPIN), int(Feature.TRADE_IMBALANCE_VOLUME)
_OFI_NORM_VOLUME, _VOL_VOLUME = int(Feature.OFI_NORM_VOLUME), int(Feature.REALISED_VOL_VOLUME)
_RETURN_VOLUME = int(Feature.PRICE_RETURN_VOLUME_10)

DECISION_FEATURES = (
    Feature.QUEUE_IMBALANCE,
    Feature.MICROPRICE_EDGE,
    Feature.FITTED_MICROPRICE_EDGE,
    Feature.OFI_NORM_10S,
    Feature.TRADE_IMBALANCE_10S,
    Feature.VWAP_DEVIATION,
    Feature.MID_RETURN_10S,
    Feature.REALISED_VOL_60S,
)
"""What the engines read of the vector before they want anything; an intent has all of it."""


@record_kernel
def _ratio(numerator: float, denominator: float) -> Any:
    """Return the quotient, NaN where the denominator is zero."""
    return numerator / denominator if denominator != 0 else np.nan


@record_kernel
def _write_touch(state: Any, bid: int, bid_size: int, ask: int, ask_size: int, out: Any) -> None:
    """Write the features of the best quotes."""
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
    trades = state.trades
    out[_VWAP_DEVIATION] = _ratio(0.5 * mid_doubled * trades.volume, trades.notional) - 1.0
    # (mid - VWAP) with the base taken out first: no digits are lost at high prices
    away = 0.5 * (mid_doubled - 2 * trades.base) * trades.volume - trades.moment
    out[_VWAP_SPREADS] = _ratio(away, float(trades.volume) * spread)
    out[_SPREAD_Z] = _ratio(spread - state.seconds.spread_mean, state.seconds.spread_deviation)


@record_kernel
def _depth(sizes: Any, count: int, levels: int) -> Any:
    """Return the lots on the best ``levels`` of one side."""
    lots = 0
    for k in range(max(count - levels, 0), count):
        lots += sizes[k]
    return lots


@record_kernel
def _write_depth(book: Any, out: Any) -> None:
    """Write the features of several levels of a two-sided book."""
    bids, asks = book.bid_count, book.ask_count
    bid_5, ask_5 = _depth(book.bid_size, bids, 5), _depth(book.ask_size, asks, 5)
    bid_10 = bid_5 + _depth(book.bid_size, bids - 5, 5)
    ask_10 = ask_5 + _depth(book.ask_size, asks - 5, 5)
    out[_DEPTH_IMBALANCE_5] = (bid_5 - ask_5) / (bid_5 + ask_5)
    out[_DEPTH_IMBALANCE_10] = (bid_10 - ask_10) / (bid_10 + ask_10)
    out[_SLOPE_BID] = bid_5 / (book.bid_price[bids - 1] - book.bid_price[max(bids - 5, 0)] + 1)
    out[_SLOPE_ASK] = ask_5 / (book.ask_price[max(asks - 5, 0)] - book.ask_price[asks - 1] + 1)


@record_kernel
def _write_quotes(state: Any, book: Any, microprice: Any, out: Any) -> None:
    """Write what a trusted two-sided book defines, NaN without one."""
    if not (is_trusted(book) and book.bid_count > 0 and book.ask_count > 0):
        for k in (
            _MID, _SPREAD, _MICROPRICE, _QUEUE_IMBALANCE, _EDGE, _VWAP_DEVIATION, _VWAP_SPREADS, _SPREAD_Z,
            _DEPTH_IMBALANCE_5, _DEPTH_IMBALANCE_10, _SLOPE_BID, _SLOPE_ASK, _FITTED_EDGE,
        ):  # fmt: skip
            out[k] = np.nan
        return
    bid, bid_size, ask, ask_size = best_bid(book), best_bid_size(book), best_ask(book), best_ask_size(book)
    _write_touch(state, bid, bid_size, ask, ask_size, out)
    _write_depth(book, out)
    out[_FITTED_EDGE] = _ratio(0.5 * fitted_adjustment(microprice, bid, bid_size, ask, ask_size), float(ask - bid))


@record_kernel
def _write_event_flow(state: Any, book: Any, out: Any) -> None:
    """Write the last source event's order-flow imbalance by level."""
    bids, asks = state.sides[0], state.sides[1]
    bid_counts = 1 if bids.flow_event == book.events else 0
    ask_counts = 1 if asks.flow_event == book.events else 0
    out[_OFI_EVENT] = bid_counts * bids.flow[0] + ask_counts * asks.flow[0]
    for k in range(1, LEVELS):
        out[_MLOFI_EVENT + k - 1] = bid_counts * bids.flow[k] + ask_counts * asks.flow[k]


@record_kernel
def ofi_norm_now(state: Any, windows: Any) -> Any:
    """Return the feature OFI_NORM_10S alone, as it stands after the last complete source event."""
    evict_flow(state, windows, state.now)
    before = state.flow_before
    return _ratio(state.ofi_total[0] - before.ofi, state.abs_ofi_total - before.abs_ofi)


@record_kernel
def _write_flow(state: Any, windows: Any, out: Any) -> None:
    """Write the sums over ten and sixty seconds."""
    evict_flow(state, windows, state.now)
    before = state.flow_before
    ofi = state.ofi_total[0] - before.ofi
    out[_OFI_10S] = ofi
    out[_OFI_NORM] = _ratio(ofi, state.abs_ofi_total - before.abs_ofi)
    buy, sell = state.buy_total - before.buy, state.sell_total - before.sell
    out[_TRADE_IMBALANCE_10S] = _ratio(buy - sell, buy + sell)
    state.short_tail = step_at(state, windows, state.short_tail, SHORT_STEPS)
    short = windows.steps[state.short_tail & _STEP_MASK]
    for k in range(1, LEVELS):
        out[_MLOFI_10S + k - 1] = state.ofi_total[k] - short.ofi[k - 1]
    state.long_tail = step_at(state, windows, state.long_tail, LONG_STEPS)
    long = windows.steps[state.long_tail & _STEP_MASK]
    buy, sell = state.buy_total - long.buy, state.sell_total - long.sell
    out[_TRADE_IMBALANCE_60S] = _ratio(buy - sell, buy + sell)
    out[_CANCEL_RATIO] = _ratio(state.cancel_total - long.cancels, state.print_total - long.prints)


@record_kernel
def _write_trades(state: Any, windows: Any, out: Any) -> None:
    """Write what trades and time alone define."""
    seconds, volume, trades = state.seconds, state.volume, state.trades
    half_tick = 0.5 * state.tick_numerator / state.tick_denominator
    out[_MID_RETURN] = seconds.mid_return
    out[_VOL_10S] = seconds.vol[0]
    out[_VOL_60S] = seconds.vol[1]
    out[_VOL_600S] = seconds.vol[2]
    out[_BIPOWER] = seconds.bipower
    out[_LAMBDA] = seconds.slope * half_tick
    out[_DELTA] = trades.delta
    out[_EFFECTIVE] = trades.effective * half_tick if trades.has_effective else np.nan
    out[_REALISED] = trades.realised * half_tick if trades.has_realised else np.nan
    out[_RESILIENCE] = resilience(state, windows)
    evaluate_volume(volume, windows)
    out[_VPIN] = volume.vpin
    out[_TRADE_IMBALANCE_VOLUME] = volume.trade_imbalance
    out[_OFI_NORM_VOLUME] = volume.ofi_norm
    out[_VOL_VOLUME] = volume.volatility
    out[_RETURN_VOLUME] = volume.price_return


@record_kernel
def write_features(state: Any, windows: Any, book: Any, microprice: Any, out: Any) -> None:
    """Write all features as they stand after the last complete source event.

    Asking changes nothing but what has been looked up already: the values are the same however often one asks.

    Parameters
    ----------
    state, windows : of ``update_features``, which has returned True for the last record.
    book : record of ``BOOK_DTYPE`` after that record.
    microprice : record of ``MICROPRICE_DTYPE``.
    out : float64 vector of length ``FEATURE_COUNT``, in the order of ``FEATURE_NAMES``.
    """
    evaluate_seconds(state.seconds, windows)
    _write_quotes(state, book, microprice, out)
    _write_event_flow(state, book, out)
    _write_flow(state, windows, out)
    out[_INTENSITY] = 0.1 * (book.events - windows.steps[state.short_tail & _STEP_MASK].events)
    _write_trades(state, windows, out)


@record_kernel
def write_decision_features(state: Any, windows: Any, book: Any, microprice: Any, out: Any) -> None:
    """Write those features alone that engines decide on, :data:`DECISION_FEATURES`, of a tradable book.

    They are what :func:`write_features` writes, whose parameters these are; the others in ``out`` are left as they are.
    """
    evaluate_seconds(state.seconds, windows)
    bid, bid_size, ask, ask_size = best_bid(book), best_bid_size(book), best_ask(book), best_ask_size(book)
    _write_touch(state, bid, bid_size, ask, ask_size, out)
    out[_FITTED_EDGE] = _ratio(0.5 * fitted_adjustment(microprice, bid, bid_size, ask, ask_size), float(ask - bid))
    out[_OFI_NORM] = ofi_norm_now(state, windows)
    before = state.flow_before
    buy, sell = state.buy_total - before.buy, state.sell_total - before.sell
    out[_TRADE_IMBALANCE_10S] = _ratio(buy - sell, buy + sell)
    out[_MID_RETURN] = state.seconds.mid_return
    out[_VOL_60S] = state.seconds.vol[1]
