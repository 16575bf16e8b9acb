from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest

from chimera_platform.errors import DataError
from chimera_platform.market.events import EVENT_DTYPE
from streaming.sources.feeder import Feeder
from streaming.sources.inbound import Inbound

SECOND = 1_000_000_000


class Ticks:
    """One event each market second, then maybe a failure."""

    description = "ticks"

    def __init__(self, times: list[int], failure: Exception | None = None) -> None:
        self.rows = np.zeros(len(times), EVENT_DTYPE)
        self.rows["ts_event"], self.rows["seq"] = times, np.arange(len(times))
        self.failure = failure

    def batches(self, batch_size: int, start: int = 0) -> Iterator[np.ndarray]:
        for at in range(start, len(self.rows), batch_size):
            yield self.rows[at : at + batch_size]
        if self.failure is not None and batch_size > 1:
            raise self.failure


def drain(inbound: Inbound, timeout_s: float = 5.0) -> tuple[list[int], float]:
    began, taken = time.monotonic(), []
    while inbound.ended is None:
        assert time.monotonic() - began < timeout_s
        batch = inbound.take(100, 0.05)
        if batch is not None:
            taken += batch["seq"].tolist()
    return taken, time.monotonic() - began


def run(source: Ticks, **options: object) -> tuple[list[int], float]:
    inbound = Inbound()
    Feeder(source, inbound, **options).start()  # type: ignore[arg-type]
    return drain(inbound)


def test_without_a_speed_everything_comes_at_once() -> None:
    taken, seconds = run(Ticks([k * SECOND for k in range(1000)]))
    assert taken == list(range(1000)) and seconds < 2


def test_a_paced_feed_takes_market_time_over_speed() -> None:
    taken, seconds = run(Ticks([k * SECOND for k in range(11)]), speed=20.0)
    assert taken == list(range(11))
    assert 0.45 < seconds < 3  # ten market seconds at twenty times real time


def test_history_goes_at_once_and_only_what_follows_is_paced() -> None:
    times = [k * SECOND for k in range(1000)] + [1000 * SECOND + k * SECOND for k in range(5)]
    taken, seconds = run(Ticks(times), speed=20.0, backfill_ns=1000 * SECOND)
    assert taken == list(range(1005)) and seconds < 2


def test_a_closed_market_is_skipped() -> None:
    taken, seconds = run(Ticks([0, SECOND, 90_000 * SECOND, 90_001 * SECOND]), speed=20.0)
    assert taken == [0, 1, 2, 3] and seconds < 2


def test_the_limit_is_market_time_from_the_first_event_wherever_the_feed_resumes() -> None:
    times = [k * SECOND for k in range(100)]
    assert run(Ticks(times), limit_ns=50 * SECOND)[0] == list(range(50))
    assert run(Ticks(times), limit_ns=50 * SECOND, start=40)[0] == list(range(40, 50))


def test_a_failure_ends_the_feed_after_what_came_before_it() -> None:
    inbound = Inbound()
    Feeder(Ticks([0, 1, 2], DataError("broken")), inbound).start()  # type: ignore[arg-type]
    taken, _ = drain(inbound)
    assert taken == [0, 1, 2]
    assert inbound.ended is not None
    with pytest.raises(DataError, match="broken"):
        raise inbound.ended.failure  # type: ignore[misc]


def test_the_feeder_goes_when_the_reader_has_gone() -> None:
    inbound = Inbound()
    feeder = Feeder(Ticks([k * SECOND for k in range(10)]), inbound, speed=0.01)  # type: ignore[arg-type]
    feeder.start()
    time.sleep(0.05)
    inbound.closed = True
    feeder.join(5)
    assert not feeder.is_alive()
