"""The ring of send times counts the entries of a window: those in (ts - window, ts], as many as it holds at most."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.portfolio.account import ACCOUNT_DTYPE
from chimera_platform.risk.order_rate import NEVER_SENT, note_order_time, orders_in_window


@given(st.integers(1, 9), st.lists(st.integers(0, 40), max_size=40), st.integers(1, 100), st.integers(0, 60))
@settings(max_examples=300, deadline=None)
def test_the_count_is_that_of_a_list_of_times(ring: int, gaps: list[int], window: int, later: int) -> None:
    account, times, sent = np.zeros(1, ACCOUNT_DTYPE), np.full(ring, NEVER_SENT, np.int64), []
    now = 1_700_000_000_000_000_000
    for gap in gaps:
        now += gap
        note_order_time(account[0], times, now)
        sent.append(now)
    now += later
    expected = min(sum(now - window < each <= now for each in sent), ring)
    assert orders_in_window(account[0], times, window, now) == expected


@pytest.mark.parametrize(("after", "count"), [(0, 1), (99, 1), (100, 0), (101, 0)])
def test_an_order_leaves_the_window_when_it_is_as_old_as_the_window_is_long(after: int, count: int) -> None:
    account, times = np.zeros(1, ACCOUNT_DTYPE), np.full(3, NEVER_SENT, np.int64)
    note_order_time(account[0], times, 1_000)
    assert orders_in_window(account[0], times, 100, 1_000 + after) == count
