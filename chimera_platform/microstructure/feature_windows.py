"""The features' memory of the last ten and sixty seconds: queues of running totals, bounded by construction.

What fell into a window is the total now less the total where the window begins, so an event only adds to totals and
a reader looks up where its window begins; nothing is ever taken out of a sum, and integers make every sum exact.

Two queues. *Flow* has one entry per time at which the touch's order flow or a trade changed, for sums over
(t - 10 s, t]; a full queue halves its resolution in time instead of losing anything: of two neighbours the later
stays, so that a contribution leaves the sums at most one merged span late. *Steps* has one entry per 100 ms in which
anything happened; a window of W seconds holds the step under way and the 10·W - 1 before it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.kernels import record_kernel

LEVELS = 5  # levels of the multi-level OFI
FLOW_NS = 10_000_000_000
FLOW_CAPACITY = 8192  # distinct times within ten seconds, a power of two
STEP_NS = 100_000_000
STEPS_PER_SECOND = 10
SHORT_STEPS, LONG_STEPS = 100, 600  # 10 s and 60 s
STEP_CAPACITY = 1024  # a power of two, more than the steps of the longest window
_STEP_MASK = STEP_CAPACITY - 1

FLOW_ENTRY_DTYPE = np.dtype(
    [
        ("ts_event", "<i8"),  # ns UTC
        ("ofi", "<i8"),  # totals after this time: lots
        ("abs_ofi", "<i8"),  # lots
        ("buy", "<i8"),  # lots
        ("sell", "<i8"),  # lots
    ]
)
STEP_ENTRY_DTYPE = np.dtype(
    [
        ("step", "<i8"),  # ts // STEP_NS
        ("events", "<i8"),  # totals before this step: source events
        ("ofi", "<i8", (LEVELS - 1,)),  # lots, levels two to five
        ("buy", "<i8"),  # lots
        ("sell", "<i8"),  # lots
        ("cancels", "<i8"),  # records
        ("prints", "<i8"),  # records
    ]
)

TOTAL_FIELDS = (
    ("ofi_total", "<i8", (LEVELS,)),  # lots, by level, since the beginning
    ("abs_ofi_total", "<i8"),  # lots, at the touch
    ("buy_total", "<i8"),  # lots of complete source events
    ("sell_total", "<i8"),
    ("cancel_total", "<i8"),  # records of complete source events
    ("print_total", "<i8"),
    ("step", "<i8"),  # the step under way
    ("step_head", "<i8"),  # entries ever written; the newest is that of the step under way
    ("flow_mask", "<i8"),  # capacity in use - 1
    ("flow_first", "<i8"),  # index of the oldest entry
    ("flow_count", "<i8"),  # entries in use
    ("flow_before", FLOW_ENTRY_DTYPE),  # the last entry that has left the window
    ("coalesced", "<i8"),  # counter: entries merged because the queue was full
    ("short_tail", "<i8"),  # first entry within 10 s when last looked up
    ("long_tail", "<i8"),  # first entry within 60 s when last looked up
)


@record_kernel
def open_step(state: Any, windows: Any, step: int, events_before: int) -> None:
    """Note the totals at the beginning of ``step``; no record of the source event under way may be in them."""
    entry = windows.steps[state.step_head & _STEP_MASK]
    entry.step = step
    entry.events = events_before
    for k in range(LEVELS - 1):
        entry.ofi[k] = state.ofi_total[k + 1]
    entry.buy = state.buy_total
    entry.sell = state.sell_total
    entry.cancels = state.cancel_total
    entry.prints = state.print_total
    state.step = step
    state.step_head += 1


@record_kernel
def step_at(state: Any, windows: Any, tail: int, steps: int) -> Any:
    """Return the number of the first entry within the last ``steps``, searched from ``tail`` on."""
    bound = state.step - steps
    tail = max(tail, state.step_head - steps)
    while windows.steps[tail & _STEP_MASK].step <= bound:
        tail += 1
    return tail


@record_kernel
def evict_flow(state: Any, windows: Any, now: int) -> None:
    """Move past what is ten seconds old or older."""
    bound = now - FLOW_NS
    first, count = state.flow_first, state.flow_count
    if count == 0 or windows.flow[first].ts_event > bound:
        return
    mask = state.flow_mask
    last = first
    while count > 0 and windows.flow[first].ts_event <= bound:
        last = first
        first = (first + 1) & mask
        count -= 1
    left = windows.flow[last]
    before = state.flow_before
    before.ts_event = left.ts_event
    before.ofi = left.ofi
    before.abs_ofi = left.abs_ofi
    before.buy = left.buy
    before.sell = left.sell
    state.flow_first = first
    state.flow_count = count


@record_kernel
def _halve_resolution(state: Any, windows: Any) -> None:
    """Keep the later one of each two entries of a full queue."""
    mask = state.flow_mask
    half = (mask + 1) >> 1
    for k in range(half):
        target = windows.flow[(state.flow_first + k) & mask]
        late = windows.flow[(state.flow_first + 2 * k + 1) & mask]
        target.ts_event = late.ts_event
        target.ofi = late.ofi
        target.abs_ofi = late.abs_ofi
        target.buy = late.buy
        target.sell = late.sell
    state.flow_count = half
    state.coalesced += half


@record_kernel
def _free_flow_entry(state: Any, windows: Any, now: int) -> Any:
    """Append an entry for ``now``, making room where the queue is full; return its index."""
    if state.flow_count > state.flow_mask:
        evict_flow(state, windows, now)
        if state.flow_count > state.flow_mask:
            _halve_resolution(state, windows)
    at = (state.flow_first + state.flow_count) & state.flow_mask
    state.flow_count += 1
    windows.flow[at].ts_event = now
    return at


@record_kernel
def push_flow(state: Any, windows: Any, now: int) -> None:
    """Note the totals after a change of the touch's flow or of the trades; ``now`` never decreases."""
    at = (state.flow_first + state.flow_count - 1) & state.flow_mask
    if state.flow_count == 0 or windows.flow[at].ts_event != now:
        at = _free_flow_entry(state, windows, now)
    entry = windows.flow[at]
    entry.ofi = state.ofi_total[0]
    entry.abs_ofi = state.abs_ofi_total
    entry.buy = state.buy_total
    entry.sell = state.sell_total
