"""Exact integer sums of order flow and trades over a rolling ten seconds, in bounded memory.

The window at time t is (t − 10 s, t]. Contributions of one timestamp share one ring entry. A full ring halves its
time resolution instead of losing anything: neighbours are merged two and two under the later of their times, so
that a contribution leaves the sums at most one merged span late; the merges are counted in ``coalesced``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.errors import ConfigurationError
from chimera_platform.kernels import kernel

WINDOW_NS = 10_000_000_000
RING_CAPACITY = 8192  # entries, that is distinct timestamps within ten seconds

FLOW_RING_DTYPE = np.dtype(
    [
        ("ts_event", "<i8"),  # ns UTC
        ("ofi", "<i8"),  # lots, signed
        ("abs_ofi", "<i8"),  # lots, sum of absolute contributions
        ("buy", "<i8"),  # lots traded by aggressive buyers
        ("sell", "<i8"),  # lots traded by aggressive sellers
    ]
)

FLOW_FIELDS = (
    ("ring_first", "<i8"),  # index of the oldest entry
    ("ring_count", "<i8"),  # entries in use
    ("ofi_sum", "<i8"),  # lots, over the window
    ("abs_ofi_sum", "<i8"),  # lots
    ("buy_sum", "<i8"),  # lots
    ("sell_sum", "<i8"),  # lots
    ("coalesced", "<i8"),  # counter: entries merged because the ring was full
)


def new_flow_rings(count: int, capacity: int = RING_CAPACITY) -> np.ndarray[Any, Any]:
    """Return empty rings, shape (count, capacity), dtype :data:`FLOW_RING_DTYPE`; a power of two, at least 2."""
    if capacity < 2 or capacity & (capacity - 1):
        raise ConfigurationError(f"ring capacity is {capacity}; expected a power of two, at least 2")
    return np.zeros((count, capacity), FLOW_RING_DTYPE)


@kernel
def _halve_resolution(state: Any, ring: Any) -> None:
    """Merge the entries of a full ring two and two under the later time."""
    mask = ring.shape[0] - 1
    half = ring.shape[0] >> 1
    for k in range(half):
        target = (state.ring_first + k) & mask
        early = (state.ring_first + 2 * k) & mask
        late = (state.ring_first + 2 * k + 1) & mask
        ofi = ring[early].ofi + ring[late].ofi
        abs_ofi = ring[early].abs_ofi + ring[late].abs_ofi
        buy = ring[early].buy + ring[late].buy
        sell = ring[early].sell + ring[late].sell
        ring[target].ts_event = ring[late].ts_event
        ring[target].ofi = ofi
        ring[target].abs_ofi = abs_ofi
        ring[target].buy = buy
        ring[target].sell = sell
    state.ring_count = half
    state.coalesced += half


@kernel
def evict_flow(state: Any, ring: Any, ts_event: int) -> None:
    """Take what is ten seconds old or older out of the sums."""
    bound = ts_event - WINDOW_NS
    first, count = state.ring_first, state.ring_count
    if count == 0 or ring[first].ts_event > bound:
        return
    mask = ring.shape[0] - 1
    ofi, abs_ofi, buy, sell = 0, 0, 0, 0
    while count > 0 and ring[first].ts_event <= bound:
        oldest = ring[first]
        ofi += oldest.ofi
        abs_ofi += oldest.abs_ofi
        buy += oldest.buy
        sell += oldest.sell
        first = (first + 1) & mask
        count -= 1
    state.ring_first = first
    state.ring_count = count
    state.ofi_sum -= ofi
    state.abs_ofi_sum -= abs_ofi
    state.buy_sum -= buy
    state.sell_sum -= sell


@kernel
def push_flow(state: Any, ring: Any, ts_event: int, ofi: int, buy: int, sell: int) -> None:
    """Add one event's contribution; ``ts_event`` never decreases from call to call."""
    mask = ring.shape[0] - 1
    count = state.ring_count
    entry = ring[(state.ring_first + count - 1) & mask]
    if count > 0 and entry.ts_event == ts_event:
        entry.ofi += ofi
        entry.abs_ofi += abs(ofi)
        entry.buy += buy
        entry.sell += sell
    else:
        if count == ring.shape[0]:
            _halve_resolution(state, ring)
            count = state.ring_count
        entry = ring[(state.ring_first + count) & mask]
        entry.ts_event = ts_event
        entry.ofi = ofi
        entry.abs_ofi = abs(ofi)
        entry.buy = buy
        entry.sell = sell
        state.ring_count = count + 1
    state.ofi_sum += ofi
    state.abs_ofi_sum += abs(ofi)
    state.buy_sum += buy
    state.sell_sum += sell
