"""Invariant: what is taken is what was put, in order, however the takes are cut."""

from __future__ import annotations

import threading
import time

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from chimera_platform.market.events import EVENT_DTYPE
from streaming.sources.inbound import Inbound


def events(first: int, count: int) -> np.ndarray:
    rows = np.zeros(count, EVENT_DTYPE)
    rows["seq"] = np.arange(first, first + count)
    return rows


@given(st.lists(st.integers(0, 9), max_size=20), st.integers(1, 7))
def test_events_come_out_in_order_and_in_batches_of_at_most_the_asked_size(sizes: list[int], most: int) -> None:
    inbound, total = Inbound(), 0
    for size in sizes:
        inbound.put(events(total, size))
        total += size
    inbound.end()
    taken: list[int] = []
    while inbound.ended is None:
        batch = inbound.take(most, 0.0)
        if batch is not None:
            assert 1 <= len(batch) <= most
            taken += batch["seq"].tolist()
    assert taken == list(range(total))
    assert inbound.held == 0


def test_a_burst_is_taken_as_one_batch_and_a_single_event_alone() -> None:
    inbound = Inbound()
    for k in range(5):
        inbound.put(events(k, 1))
    assert len(inbound.take(1024, 0.0)) == 5
    inbound.put(events(5, 1))
    assert len(inbound.take(1024, 0.0)) == 1


def test_taking_waits_for_an_event_and_gives_up_after_the_timeout() -> None:
    inbound = Inbound()
    assert inbound.take(1, 0.01) is None
    threading.Timer(0.05, lambda: inbound.put(events(0, 1))).start()
    assert len(inbound.take(1, 5.0)) == 1


def test_a_full_queue_makes_the_feed_wait_and_drops_nothing() -> None:
    inbound = Inbound(capacity=10)
    assert inbound.put(events(0, 10))
    feeder = threading.Thread(target=lambda: inbound.put(events(10, 5)))
    feeder.start()
    time.sleep(0.05)
    assert feeder.is_alive() and inbound.held == 10
    assert inbound.take(10, 0.0)["seq"].tolist() == list(range(10))
    feeder.join(5)
    assert inbound.take(10, 1.0)["seq"].tolist() == list(range(10, 15))


def test_a_failure_is_seen_only_after_every_event_before_it() -> None:
    inbound, failure = Inbound(), ValueError("line 7")
    inbound.put(events(0, 3))
    inbound.end(failure)
    assert inbound.take(2, 0.0)["seq"].tolist() == [0, 1] and inbound.ended is None
    assert inbound.take(2, 0.0)["seq"].tolist() == [2]
    assert inbound.take(2, 0.0) is None
    assert inbound.ended is not None and inbound.ended.failure is failure
