"""What follows on a trade: effective and realised spread, and the refilling of a depleted touch (resilience)."""

from __future__ import annotations

from typing import Any

from chimera_platform.kernels import kernel
from chimera_platform.microstructure.flow_feature_windows import BUCKETS, LEVELS, SHORT_STEP_NS, WATCHES

REALISED_NS = 5_000_000_000
WATCH_NS = 1_000_000_000
_MASK = BUCKETS - 1

SPREAD_FIELDS = (
    ("effective", "<i8"),  # half ticks × 2: 2·sign·(2·price - mid in half ticks), in half ticks
    ("has_effective", "<i8"),
    ("realised", "<i8"),  # half ticks
    ("has_realised", "<i8"),
    ("print_head", "<i8"),  # entries ever written to the queue of prints
    ("print_tail", "<i8"),
    ("watch_price", "<i8", (2,)),  # ticks, the touch that was depleted; bid, ask
    ("watch_left", "<i8", (2,)),  # lots that were left
    ("watch_lost", "<i8", (2,)),  # lots lost; 0: nothing is watched
    ("watch_end", "<i8", (2,)),  # ns UTC
    ("watches", "<i8"),  # watches completed
    ("resilience", "<f8"),
)


@kernel
def take_print(state: Any, windows: Any, now: int, price: int, sign: int) -> None:
    """Note the source event's last signed print for its spreads; the mid is still the one before."""
    if state.has_mid:
        state.effective = 2 * sign * (2 * price - state.mid)
        state.has_effective = 1
    i = (state.print_head - 1) & _MASK
    bucket = now // SHORT_STEP_NS
    if state.print_head == state.print_tail or windows.print_bucket[i] != bucket:
        i = state.print_head & _MASK
        state.print_head += 1
        windows.print_bucket[i] = bucket
    windows.print_ts[i] = now
    windows.print_price[i] = price
    windows.print_sign[i] = sign


@kernel
def realise_spreads(state: Any, windows: Any, now: int) -> None:
    """Compare the prints whose five seconds are over with the mid as it stands before this source event."""
    while state.print_tail < state.print_head and windows.print_ts[state.print_tail & _MASK] + REALISED_NS < now:
        i = state.print_tail & _MASK
        if state.has_mid:
            state.realised = 2 * windows.print_sign[i] * (2 * windows.print_price[i] - state.mid)
            state.has_realised = 1
        state.print_tail += 1


@kernel
def _at_or_better(prices: Any, sizes: Any, sign: int, price: int) -> Any:
    """Return the lots at ``price`` or better on the best levels of one side."""
    total = 0
    for k in range(LEVELS):
        if sizes[k] > 0 and sign * prices[k] >= sign * price:
            total += sizes[k]
    return total


@kernel
def end_watch(state: Any, windows: Any, k: int, sign: int, prices: Any, sizes: Any) -> None:
    """Record how much of the loss is back; ``prices`` and ``sizes`` are those of the last state in time."""
    back = _at_or_better(prices, sizes, sign, state.watch_price[k]) - state.watch_left[k]
    share = min(max(back / state.watch_lost[k], 0.0), 1.0)
    windows.watched_share[state.watches % WATCHES] = share
    state.watches += 1
    state.watch_lost[k] = 0
    n = min(state.watches, WATCHES)
    total = 0.0
    for i in range(n):
        total += windows.watched_share[i]
    state.resilience = total / n


@kernel
def begin_watch(state: Any, k: int, sign: int, now: int, price: int, size: int, prices: Any, sizes: Any) -> None:
    """Watch a touch of ``size`` lots at ``price`` from which half or more has gone."""
    left = _at_or_better(prices, sizes, sign, price)
    if size > 0 and 2 * (size - left) >= size:
        state.watch_price[k] = price
        state.watch_left[k] = left
        state.watch_lost[k] = size - left
        state.watch_end[k] = now + WATCH_NS
