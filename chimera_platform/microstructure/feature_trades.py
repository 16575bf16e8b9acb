"""Trades: their sign, the session's volume, effective and realised spread."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.kernels import record_kernel
from chimera_platform.market.events import EventKind
from chimera_platform.microstructure.feature_volume import take_volume

DAY_NS = 86_400_000_000_000
REALISED_NS = 5_000_000_000
GROUP_NS = 10_000_000  # of the prints within one such step only the last one's realised spread is measured
PRINT_CAPACITY = 512  # a power of two, more than groups in REALISED_NS
NEVER = 2**62
_MASK = PRINT_CAPACITY - 1
_EXECUTE = int(EventKind.EXECUTE)

PRINT_DTYPE = np.dtype(
    [
        ("group", "<i8"),  # ts // GROUP_NS
        ("ts_event", "<i8"),  # ns UTC
        ("price", "<i8"),  # ticks
        ("sign", "<i8"),  # +1 bought, -1 sold
    ]
)
TRADES_DTYPE = np.dtype(
    [
        ("buy", "<i8"),  # lots bought aggressively in the open source event
        ("sell", "<i8"),  # lots sold aggressively
        ("prints", "<i8"),  # records of the open source event
        ("signed", "<i8"),  # sign of its last signed print, 0: none
        ("signed_price", "<i8"),  # ticks, that print's
        ("trade_price", "<i8"),  # ticks, last trade; 0 before the first
        ("tick_sign", "<i8"),  # direction of the last change of the trade price
        ("day", "<i8"),  # UTC days since 1970 of the session
        ("delta", "<i8"),  # lots, bought - sold in the session
        ("volume", "<i8"),  # lots traded in the session
        ("notional", "<f8"),  # ticks × lots traded in the session
        ("base", "<i8"),  # ticks, the session's first print
        ("moment", "<f8"),  # (ticks - base) × lots over the session: whole numbers, exact below 2^53
        ("effective", "<i8"),  # quarter ticks: 2·sign·(2·price - mid in half ticks), in half ticks
        ("has_effective", "<i8"),
        ("realised", "<i8"),  # half ticks
        ("has_realised", "<i8"),
        ("head", "<i8"),  # entries ever written to the queue of prints
        ("tail", "<i8"),  # entries ever taken from it
    ]
)


@record_kernel
def start_session(trades: Any, ts_event: int) -> None:
    """Reset the session's volume at 00:00 UTC."""
    day = ts_event // DAY_NS
    if day != trades.day:
        trades.day = day
        trades.delta = 0
        trades.volume = 0
        trades.notional = 0.0
        trades.moment = 0.0


@record_kernel
def trade_sign(trades: Any, mid_doubled: int, has_mid: bool, event: Any) -> Any:
    """Return the aggressor of a trade: +1 buyer, -1 seller, 0 unknown.

    The exchange's own flag where there is one (an execution's aggressor is opposite to the resting side), else Lee &
    Ready (1991): above the mid a buy, below it a sell, at the mid (or without quotes) the tick test.
    """
    side = np.int64(event.side)
    if event.kind == _EXECUTE:
        return -side
    if side != 0:
        return side
    if has_mid:
        distance = 2 * event.price - mid_doubled
        if distance != 0:
            return 1 if distance > 0 else -1
    return trades.tick_sign


@record_kernel
def gather_print(
    trades: Any, volume: Any, windows: Any, event: Any, ts_event: int, mid_doubled: int, has_mid: bool, ofi_total: int
) -> None:
    """Add a print to the open source event, the session and the volume buckets; quotes are those before the event."""
    price, size = event.price, event.size
    if trades.trade_price != 0 and price != trades.trade_price:
        trades.tick_sign = 1 if price > trades.trade_price else -1
    sign = trade_sign(trades, mid_doubled, has_mid, event)
    trades.trade_price = price
    trades.prints += 1
    if sign != 0:
        trades.signed = sign
        trades.signed_price = price
    if sign > 0:
        trades.buy += size
    elif sign < 0:
        trades.sell += size
    start_session(trades, ts_event)
    if trades.volume == 0:
        trades.base = price
    trades.volume += size
    trades.notional += float(price) * float(size)
    trades.moment += float(price - trades.base) * float(size)
    take_volume(volume, windows, price, size, sign, ofi_total)


@record_kernel
def await_spread(trades: Any, windows: Any, now: int, mid_doubled: int, has_mid: int) -> None:
    """Note the source event's last signed print for its spreads; the mid is still the one before."""
    price, sign = trades.signed_price, trades.signed
    if has_mid:
        trades.effective = 2 * sign * (2 * price - mid_doubled)
        trades.has_effective = 1
    group = now // GROUP_NS
    at = (trades.head - 1) & _MASK
    if trades.head == trades.tail or windows.prints[at].group != group:
        at = trades.head & _MASK
        trades.head += 1
    entry = windows.prints[at]
    entry.group = group
    entry.ts_event = now
    entry.price = price
    entry.sign = sign


@record_kernel
def realise_spreads(trades: Any, windows: Any, now: int, mid_doubled: int, has_mid: int) -> None:
    """Compare the prints whose five seconds are over with the mid as it stands before this source event."""
    while trades.tail < trades.head and windows.prints[trades.tail & _MASK].ts_event + REALISED_NS < now:
        entry = windows.prints[trades.tail & _MASK]
        if has_mid:
            trades.realised = 2 * entry.sign * (2 * entry.price - mid_doubled)
            trades.has_realised = 1
        trades.tail += 1


@record_kernel
def spread_due(trades: Any, windows: Any) -> Any:
    """Return the time, ns UTC, from which the oldest waiting print's five seconds are over."""
    if trades.tail == trades.head:
        return NEVER
    return windows.prints[trades.tail & _MASK].ts_event + REALISED_NS + 1
