"""Confirmed sweeps that are followed until prices return through their start, or the time for it is over."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.kernels import kernel
from chimera_platform.market.book import best_ask, best_bid, is_tradable
from chimera_platform.signals.sweep_burst import figures, is_beyond

FOLLOWED_MAX = 8  # confirmed sweeps followed for a return; a ninth replaces the oldest

FOLLOWED_DTYPE = np.dtype(
    [
        ("number", "<i8"),  # detection_no
        ("side", "<i8"),  # aggressor
        ("start_ts", "<i8"),  # ns UTC
        ("end_ts", "<i8"),  # ns UTC: last trade
        ("start", "<i8"),  # ticks: price it started from
        ("extreme", "<i8"),  # ticks: last price taken
        ("lots", "<i8"),
        ("beyond", "<i8"),  # lots traded beyond the start
        ("levels", "<i8"),
        ("share", "<f8"),  # of the depth
    ]
)
RETURNS_DTYPE = np.dtype(
    [
        ("count", "<i8"),  # sweeps in use, oldest first
        ("expires_ts", "<i8"),  # ns UTC: later, one is followed no more
        ("ask", "<i8"),  # ticks: the highest start of buyers' sweeps; an ask at it or below is a return
        ("bid", "<i8"),  # ticks: the lowest start of sellers' sweeps; a bid at it or above is a return
        ("sweep", FOLLOWED_DTYPE, (FOLLOWED_MAX,)),
    ]
)

_NEVER, _LOWEST = np.iinfo(np.int64).max, np.iinfo(np.int64).min


@kernel
def watch(returns: Any, return_ns: int) -> None:
    """Work out when there is something to look at, after a change."""
    expires, ask, bid = _NEVER, _LOWEST, _NEVER
    for k in range(returns.count):
        sweep = returns.sweep[k]
        expires = min(expires, sweep.end_ts + return_ns)
        if sweep.side > 0:
            ask = max(ask, sweep.start)
        else:
            bid = min(bid, sweep.start)
    returns.expires_ts = expires
    returns.ask = ask
    returns.bid = bid


@kernel
def remove(returns: Any, at: int) -> None:
    """Follow a sweep no more."""
    for k in range(at, returns.count - 1):
        to, source = returns.sweep[k], returns.sweep[k + 1]
        to.number = source.number
        to.side = source.side
        to.start_ts = source.start_ts
        to.end_ts = source.end_ts
        to.start = source.start
        to.extreme = source.extreme
        to.lots = source.lots
        to.beyond = source.beyond
        to.levels = source.levels
        to.share = source.share
    returns.count -= 1


@kernel
def follow(returns: Any, burst: Any, return_ns: int) -> None:
    """Take in a burst, confirmed and over."""
    if returns.count == FOLLOWED_MAX:
        remove(returns, 0)
    levels, lots, beyond, share = figures(burst)
    sweep = returns.sweep[returns.count]
    sweep.number = burst.number
    sweep.side = burst.side
    sweep.start_ts = burst.step[0].ts
    sweep.end_ts = burst.last_ts
    sweep.start = burst.step[0].price
    sweep.extreme = burst.step[burst.steps - 1].price
    sweep.lots = lots
    sweep.beyond = beyond
    sweep.levels = levels
    sweep.share = share
    returns.count += 1
    watch(returns, return_ns)


@kernel
def has_news(returns: Any, book: Any, ts: int) -> Any:
    """Return whether a sweep's time is over, or its start is back."""
    if ts > returns.expires_ts:
        return True
    back = (book.ask_count > 0 and best_ask(book) <= returns.ask) or (
        book.bid_count > 0 and best_bid(book) >= returns.bid
    )
    return back and is_tradable(book)


@kernel
def is_back(sweep: Any, book: Any) -> Any:
    """Return whether the swept side's touch stands at or inside the price that the sweep started from."""
    return is_tradable(book) and not is_beyond(book, sweep.side, sweep.start)
