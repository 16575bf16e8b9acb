"""The order-flow features' memory of the past: queues of time buckets, bounded by construction.

A window of W seconds in steps of s holds what fell into the bucket of the current time and the W/s - 1 before it.
Only buckets in which something happened are kept, in a queue; the number of buckets bounds it, so nothing is ever
merged or lost, the sums are exact integers, and an event costs O(1) amortised however long the silence before it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.kernels import kernel

LEVELS = 5  # levels of the multi-level OFI, the book slope and the watch of the touch
BUCKETS = 1024  # entries of each queue, a power of two, at least buckets in a window
SHORT_STEP_NS, SHORT_BUCKETS = 10_000_000, 1000  # 10 s
LONG_STEP_NS, LONG_BUCKETS = 100_000_000, 600  # 60 s
VOLUME_BUCKETS_MAX = 64  # volume buckets that VPIN may average
WATCHES = 32  # measurements that the resilience averages
_MASK = BUCKETS - 1
_WATCH_MASK = WATCHES - 1

FLOW_WINDOWS_DTYPE = np.dtype(
    [
        ("short_bucket", "<i8", (BUCKETS,)),  # ts // SHORT_STEP_NS
        ("short_events", "<i8", (BUCKETS,)),  # source events
        ("short_ofi", "<i8", (BUCKETS * LEVELS,)),  # lots, by level
        ("long_bucket", "<i8", (BUCKETS,)),  # ts // LONG_STEP_NS
        ("long_buy", "<i8", (BUCKETS,)),  # lots
        ("long_sell", "<i8", (BUCKETS,)),  # lots
        ("long_cancels", "<i8", (BUCKETS,)),  # records
        ("long_prints", "<i8", (BUCKETS,)),  # records
        ("second", "<i8", (BUCKETS,)),  # seconds since 1970 at the bucket's end
        ("square", "<f8", (BUCKETS,)),  # squared log return
        ("pair", "<f8", (BUCKETS,)),  # |r| times |r| of the second before
        ("change", "<i8", (BUCKETS,)),  # half ticks, change of the mid
        ("signed_volume", "<i8", (BUCKETS,)),  # lots
        ("print_bucket", "<i8", (BUCKETS,)),  # ts // SHORT_STEP_NS of prints that wait for their realised spread
        ("print_ts", "<i8", (BUCKETS,)),  # ns UTC
        ("print_price", "<i8", (BUCKETS,)),  # ticks
        ("print_sign", "<i8", (BUCKETS,)),
        ("volume_change", "<i8", (VOLUME_BUCKETS_MAX,)),  # ticks from the previous volume bucket's close
        ("volume_imbalance", "<f8", (VOLUME_BUCKETS_MAX,)),  # |V_b - V_s| / V
        ("watched_share", "<f8", (WATCHES,)),  # refilled shares of the touch
    ]
)

WINDOW_FIELDS = (
    ("short_head", "<i8"),  # entries ever written; the newest is at (head - 1) & mask
    ("short_tail", "<i8"),  # entries ever evicted
    ("long_head", "<i8"),
    ("long_tail", "<i8"),
    ("event_sum", "<i8"),  # source events over the short window
    ("ofi_sum", "<i8", (LEVELS,)),  # lots over the short window
    ("buy_sum", "<i8"),  # lots over the long window
    ("sell_sum", "<i8"),
    ("cancel_sum", "<i8"),  # records over the long window
    ("print_sum", "<i8"),
)


def new_flow_windows(count: int) -> np.ndarray[Any, Any]:
    """Return empty windows, one record per instrument (about 180 KB each)."""
    return np.zeros(count, FLOW_WINDOWS_DTYPE)


@kernel
def push_short(state: Any, windows: Any, now: int, ofi: Any) -> None:
    """Evict what has left the ten seconds and add this source event with its OFI by level."""
    bucket = now // SHORT_STEP_NS
    tail = state.short_tail
    while tail < state.short_head and windows.short_bucket[tail & _MASK] <= bucket - SHORT_BUCKETS:
        i = tail & _MASK
        state.event_sum -= windows.short_events[i]
        for level in range(LEVELS):
            state.ofi_sum[level] -= windows.short_ofi[i * LEVELS + level]
        tail += 1
    state.short_tail = tail
    i = (state.short_head - 1) & _MASK
    if state.short_head == tail or windows.short_bucket[i] != bucket:
        i = state.short_head & _MASK
        state.short_head += 1
        windows.short_bucket[i] = bucket
        windows.short_events[i] = 0
        for level in range(LEVELS):
            windows.short_ofi[i * LEVELS + level] = 0
    windows.short_events[i] += 1
    state.event_sum += 1
    for level in range(LEVELS):
        windows.short_ofi[i * LEVELS + level] += ofi[level]
        state.ofi_sum[level] += ofi[level]


@kernel
def push_long(state: Any, windows: Any, now: int, buy: int, sell: int, cancels: int, prints: int) -> None:
    """Evict what has left the sixty seconds and add this source event's trades and withdrawals."""
    bucket = now // LONG_STEP_NS
    tail = state.long_tail
    while tail < state.long_head and windows.long_bucket[tail & _MASK] <= bucket - LONG_BUCKETS:
        i = tail & _MASK
        state.buy_sum -= windows.long_buy[i]
        state.sell_sum -= windows.long_sell[i]
        state.cancel_sum -= windows.long_cancels[i]
        state.print_sum -= windows.long_prints[i]
        tail += 1
    state.long_tail = tail
    if cancels == 0 and prints == 0:
        return
    i = (state.long_head - 1) & _MASK
    if state.long_head == tail or windows.long_bucket[i] != bucket:
        i = state.long_head & _MASK
        state.long_head += 1
        windows.long_bucket[i] = bucket
        windows.long_buy[i] = 0
        windows.long_sell[i] = 0
        windows.long_cancels[i] = 0
        windows.long_prints[i] = 0
    windows.long_buy[i] += buy
    windows.long_sell[i] += sell
    windows.long_cancels[i] += cancels
    windows.long_prints[i] += prints
    state.buy_sum += buy
    state.sell_sum += sell
    state.cancel_sum += cancels
    state.print_sum += prints


@kernel
def add_compensated(sums: Any, term: float) -> None:
    """Add to an unevaluated sum (high, low): Knuth's two-sum, so that what is taken out again leaves nothing behind."""
    total = sums[0] + term
    part = total - sums[0]
    error = (sums[0] - (total - part)) + (term - part)
    low = sums[1] + error
    sums[0] = total + low
    sums[1] = low - (sums[0] - total)
