"""Bars of all nine timeframes, built event by event (requirements row A6).

A time bar holds the events with open <= t < open + interval, where the opens are whole multiples of the interval
since 1970-01-01 00:00 UTC (weeks since Monday 1970-01-05); an interval without events gives no bar. A tick bar holds
a fixed number of source events. An *event* here is a source event that leaves a two-sided, trusted book, or that is
a trade; everything else (snapshots under way, halts, one-sided books) neither opens nor changes a bar.

Prices are kept exactly: bid, ask and trade prices in ticks, the mid doubled (bid + ask).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from chimera_platform.errors import ConfigurationError
from chimera_platform.kernels import kernel
from chimera_platform.market.book import apply_event, best_ask, best_bid, is_trusted, is_two_sided, new_books
from chimera_platform.market.events import EventFlag, EventKind
from chimera_platform.market.instruments import Universe

_NS_PER_MINUTE = 60_000_000_000
_NS_PER_DAY = 1440 * _NS_PER_MINUTE
_NS_PER_WEEK = 7 * _NS_PER_DAY
_FIRST_MONDAY_NS = 4 * _NS_PER_DAY  # 1970-01-05 00:00 UTC

DEFAULT_TICKS = 100
TIMEFRAMES = {
    "tick": -DEFAULT_TICKS,  # a negative interval counts source events
    "1m": _NS_PER_MINUTE,
    "5m": 5 * _NS_PER_MINUTE,
    "15m": 15 * _NS_PER_MINUTE,
    "30m": 30 * _NS_PER_MINUTE,
    "1h": 60 * _NS_PER_MINUTE,
    "4h": 240 * _NS_PER_MINUTE,
    "1d": _NS_PER_DAY,
    "1w": _NS_PER_WEEK,
}

_TRADE, _EXECUTE = int(EventKind.TRADE), int(EventKind.EXECUTE)
_LAST = int(EventFlag.LAST)
_OUTPUT_ROWS = 4096

BAR_DTYPE = np.dtype(
    [
        ("ts_open", "<i8"),  # ns UTC: start of the interval; of a tick bar, its first event
        ("ts_last", "<i8"),  # ns UTC of the last event in the bar
        ("interval", "<i8"),  # ns; negative: minus the number of source events of a tick bar
        ("open", "<i8"),  # doubled mid (bid + ask), ticks; 0 in all of bid, ask, mid: no quote yet
        ("high", "<i8"),
        ("low", "<i8"),
        ("close", "<i8"),
        ("bid_open", "<i8"),  # ticks
        ("bid_high", "<i8"),
        ("bid_low", "<i8"),
        ("bid_close", "<i8"),
        ("ask_open", "<i8"),  # ticks
        ("ask_high", "<i8"),
        ("ask_low", "<i8"),
        ("ask_close", "<i8"),
        ("trade_open", "<i8"),  # ticks; 0: no trade yet
        ("trade_high", "<i8"),
        ("trade_low", "<i8"),
        ("trade_close", "<i8"),
        ("volume", "<i8"),  # lots traded
        ("buy_volume", "<i8"),  # lots bought by an aggressor
        ("sell_volume", "<i8"),  # lots sold by an aggressor; the rest of the volume has an unknown one
        ("turnover", "<i8"),  # sum of price × size, ticks × lots: VWAP = turnover / volume
        ("trades", "<i8"),  # how many trades
        ("quotes", "<i8"),  # source events that left a two-sided book
        ("events", "<i8"),  # source events in the bar
        ("is_open", "<i8"),  # 1: the bar holds at least one event
        ("in_event", "<i8"),  # 1: the last record belongs to a source event that is not at its end
        ("instrument_id", "<i4"),
    ],
    align=True,
)


def parse_interval(text: str) -> int:
    """Return the interval of a timeframe's name, ns, or minus the number of events for tick bars (``tick``, ``250t``).

    Raises
    ------
    ConfigurationError : no such timeframe.
    """
    ticks = re.fullmatch(r"([1-9]\d{0,8})t", text)
    if ticks is None and text not in TIMEFRAMES:
        raise ConfigurationError(
            f"no timeframe '{text}'; expected one of {', '.join(TIMEFRAMES)}, or 250t for 250 ticks"
        )
    return TIMEFRAMES[text] if ticks is None else -int(ticks.group(1))


def new_bars(instrument_count: int, intervals: Sequence[int]) -> np.ndarray[Any, Any]:
    """Return empty bars, shape (instrument_count, len(intervals)), dtype :data:`BAR_DTYPE`."""
    bars = np.zeros((instrument_count, len(intervals)), BAR_DTYPE)
    bars["interval"] = np.asarray(intervals)
    bars["instrument_id"] = np.arange(instrument_count)[:, None]
    return bars


@kernel
def open_time(ts_event: int, interval: int) -> Any:
    """Return the open time of the time bar that holds ``ts_event``."""
    if interval == _NS_PER_WEEK:
        return (ts_event - _FIRST_MONDAY_NS) // interval * interval + _FIRST_MONDAY_NS
    return ts_event // interval * interval


@kernel
def start_bar(bar: Any, ts_event: int) -> None:
    """Empty the bar and open it for an event at ``ts_event``."""
    bar.ts_open = open_time(ts_event, bar.interval) if bar.interval > 0 else ts_event
    bar.open = bar.high = bar.low = bar.close = 0
    bar.bid_open = bar.bid_high = bar.bid_low = bar.bid_close = 0
    bar.ask_open = bar.ask_high = bar.ask_low = bar.ask_close = 0
    bar.trade_open = bar.trade_high = bar.trade_low = bar.trade_close = 0
    bar.volume = bar.buy_volume = bar.sell_volume = bar.turnover = 0
    bar.trades = bar.quotes = bar.events = 0
    bar.is_open = 1


@kernel
def add_quote(bar: Any, bid: int, ask: int) -> None:
    """Take the best bid and ask (ticks) into an open bar."""
    mid = bid + ask
    if bar.quotes == 0:
        bar.open = bar.high = bar.low = mid
        bar.bid_open = bar.bid_high = bar.bid_low = bid
        bar.ask_open = bar.ask_high = bar.ask_low = ask
    bar.high, bar.low, bar.close = max(bar.high, mid), min(bar.low, mid), mid
    bar.bid_high, bar.bid_low, bar.bid_close = max(bar.bid_high, bid), min(bar.bid_low, bid), bid
    bar.ask_high, bar.ask_low, bar.ask_close = max(bar.ask_high, ask), min(bar.ask_low, ask), ask
    bar.quotes += 1


@kernel
def add_trade(bar: Any, price: int, size: int, aggressor: int) -> None:
    """Take a trade (ticks, lots, +1 buyer, -1 seller, 0 unknown) into an open bar."""
    if bar.trades == 0:
        bar.trade_open = bar.trade_high = bar.trade_low = price
    bar.trade_high, bar.trade_low, bar.trade_close = max(bar.trade_high, price), min(bar.trade_low, price), price
    bar.volume += size
    bar.turnover += price * size
    bar.trades += 1
    if aggressor > 0:
        bar.buy_volume += size
    elif aggressor < 0:
        bar.sell_volume += size


@kernel
def update_bar(bar: Any, closed: Any, at: int, event: Any, bid: int, ask: int) -> Any:
    """Take one event record into a bar; return whether a bar has closed, which then stands in ``closed[at]``.

    Parameters
    ----------
    bar : record of :data:`BAR_DTYPE`, the bar under way; its ``interval`` says of which timeframe.
    closed : array of :data:`BAR_DTYPE`; untouched when no bar has closed.
    at : where in ``closed`` to write.
    event : record of ``EVENT_DTYPE`` of the bar's instrument.
    bid, ask : best prices of the book after the record, ticks; both 0 where it is one-sided or not trusted.

    Notes
    -----
    A time bar closes at the first event at or behind its end, before that event is taken in; a tick bar closes
    with its last event.
    """
    is_trade = event.kind == _TRADE or event.kind == _EXECUTE
    is_last = event.flags & _LAST != 0
    has_quote = is_last and bid > 0 and ask > 0
    if not is_trade and not has_quote and (bar.in_event == 0 or not is_last):
        return False
    has_closed = False
    if bar.is_open and bar.interval > 0 and event.ts_event >= bar.ts_open + bar.interval:
        closed[at] = bar
        has_closed = True
        bar.is_open = 0
    if bar.is_open == 0:
        start_bar(bar, event.ts_event)
    bar.ts_last = event.ts_event
    bar.in_event = 0 if is_last else 1
    if is_trade:
        add_trade(bar, event.price, event.size, event.side if event.kind == _TRADE else -event.side)
    if has_quote:
        add_quote(bar, bid, ask)
    if is_last:
        bar.events += 1
        if bar.events == -bar.interval:
            closed[at] = bar
            has_closed = True
            bar.is_open = 0
    return has_closed


@kernel
def build_bars(books: Any, bars: Any, events: Any, begin: int, closed: Any) -> Any:
    """Apply ``events`` from ``begin`` to books and bars until all are taken in or ``closed`` may overflow.

    Returns
    -------
    (next event to take in, bars written to ``closed``).
    """
    rows = 0
    timeframes = bars.shape[1]
    for i in range(begin, events.shape[0]):
        if rows + timeframes > closed.shape[0]:
            return i, rows
        event = events[i]
        k = event.instrument_id
        book = books[k]
        apply_event(book, event)
        bid, ask = 0, 0
        if event.flags & _LAST and is_two_sided(book) and is_trusted(book):
            bid, ask = best_bid(book), best_ask(book)
        for t in range(timeframes):
            if update_bar(bars[k, t], closed, rows, event, bid, ask):
                rows += 1
    return events.shape[0], rows


class BarBuilder:
    """Bars of several timeframes for all instruments of a universe, from any stream of events.

    Parameters
    ----------
    universe : the instruments; an event's ``instrument_id`` is an index into it.
    intervals : names of timeframes, see :func:`parse_interval`.
    """

    def __init__(self, universe: Universe, intervals: Sequence[str]) -> None:
        if not intervals:
            raise ConfigurationError(f"no timeframe was given; expected some of {', '.join(TIMEFRAMES)}")
        self.universe = universe
        self._books = new_books(len(universe))
        self._bars = new_bars(len(universe), [parse_interval(name) for name in intervals])
        self._closed = np.empty(max(_OUTPUT_ROWS, len(intervals)), BAR_DTYPE)

    def update(self, events: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Take in ``events`` and return the bars that closed, in the order in which they did, as ``BAR_DTYPE``."""
        begin, closed = 0, [np.empty(0, BAR_DTYPE)]
        while begin < events.size:
            begin, count = build_bars(self._books, self._bars, events, begin, self._closed)
            closed.append(self._closed[:count].copy())
        return np.concatenate(closed)

    def unfinished(self) -> np.ndarray[Any, Any]:
        """Return the bars under way, by instrument and timeframe, as ``BAR_DTYPE``."""
        return self._bars[self._bars["is_open"] != 0]
