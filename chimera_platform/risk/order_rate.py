"""How many entries have been sent of late: a ring of send times, for the whole account."""

from __future__ import annotations

from typing import Any

from chimera_platform.kernels import record_kernel

NEVER_SENT = -(1 << 62)
"""What the ring of send times holds before that many orders were sent; ns."""


@record_kernel
def note_order_time(account: Any, order_times: Any, ts: int) -> None:
    """Enter a sent order into the ring of the last ``max_orders`` send times."""
    order_times[account.order_time_index] = ts
    account.order_time_index = (account.order_time_index + 1) % order_times.shape[0]


@record_kernel
def orders_in_window(account: Any, order_times: Any, window_ns: int, ts: int) -> int:
    """Return how many entries were sent in (ts - window, ts], at most as many as the ring holds.

    The ring's times ascend from the oldest, so the first one inside the window is found by bisection.
    """
    count = order_times.shape[0]
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        at = account.order_time_index + middle
        if ts - order_times[at if at < count else at - count] < window_ns:
            high = middle
        else:
            low = middle + 1
    return count - low
