"""The feeder's thread: reads an event source at the asked pace and fills the inbound queue."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np

from chimera_platform.market.sources import EventSource
from streaming.sources.inbound import Inbound

READ_SIZE = 16_384
_LONGEST_WAIT_S = 0.05
_LONGEST_GAP_NS = 600_000_000_000  # nothing for ten minutes of market time: the market is closed, skip ahead

Records = np.ndarray[Any, Any]


class Feeder(threading.Thread):
    """Deliver ``source`` from event ``start`` on.

    Parameters
    ----------
    speed : None for as fast as possible, else market seconds per wall second.
    backfill_ns : this much market time from the stream's first event goes unpaced: the history before 'now'.
    limit_ns : the feed ends this much market time after the stream's first event; None for no limit.
    """

    def __init__(
        self,
        source: EventSource,
        inbound: Inbound,
        *,
        start: int = 0,
        speed: float | None = None,
        backfill_ns: int = 0,
        limit_ns: int | None = None,
    ) -> None:
        super().__init__(name="feeder", daemon=True)
        self._source, self._inbound, self._start_no = source, inbound, start
        self._speed, self._backfill_ns, self._limit_ns = speed, backfill_ns, limit_ns

    def run(self) -> None:
        """Read until the end, the limit or a failure; a failure ends the feed after what came before it."""
        try:
            self._feed()
        except Exception as error:
            self._inbound.end(error)
        else:
            self._inbound.end()

    def _feed(self) -> None:
        first_ts = self._first_timestamp()
        if first_ts is None:
            return
        limit_ts = None if self._limit_ns is None else first_ts + self._limit_ns
        paced_from = None if self._speed is None else first_ts + self._backfill_ns
        clock = _Pace(self._speed or 1.0)
        for events in self._source.batches(READ_SIZE, self._start_no):
            wanted = len(events) if limit_ts is None else _before(events, limit_ts)
            if not self._deliver(events[:wanted], paced_from, clock) or wanted < len(events):
                return

    def _first_timestamp(self) -> int | None:
        for events in self._source.batches(1, 0):
            return int(events["ts_event"][0])
        return None

    def _deliver(self, events: Records, paced_from: int | None, clock: _Pace) -> bool:
        """Put ``events`` at their pace; False once the reader has gone."""
        if paced_from is None or len(events) == 0:
            return self._inbound.put(events)
        at = _before(events, paced_from)
        if at and not self._inbound.put(events[:at]):
            return False
        while at < len(events):
            due = clock.due(int(events["ts_event"][at]))
            end = max(_after(events, due), at)
            if end == at:
                time.sleep(min(clock.wait_s(int(events["ts_event"][at])), _LONGEST_WAIT_S))
                if self._inbound.closed:
                    return False
                continue
            if not self._inbound.put(events[at:end]):
                return False
            at = end
        return True


class _Pace:
    """Market time as it should be now; the anchor is the first paced event, and the first after a closed market."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._anchor: tuple[int, int] | None = None

    def due(self, next_ts: int) -> int:
        """Return the market time (ns) up to which events are due."""
        now = time.monotonic_ns()
        if self._anchor is None or next_ts - self._market_time(now) > _LONGEST_GAP_NS:
            self._anchor = (next_ts, now)
        return self._market_time(now)

    def _market_time(self, now: int) -> int:
        ts, wall = self._anchor or (0, now)
        return ts + int((now - wall) * self._speed)

    def wait_s(self, ts: int) -> float:
        """Return the wall seconds until market time ``ts``."""
        return max(0.0, (ts - self.due(ts)) / self._speed / 1e9)


def _before(events: Records, ts: int) -> int:
    return int(np.searchsorted(events["ts_event"], ts, side="left"))


def _after(events: Records, ts: int) -> int:
    return int(np.searchsorted(events["ts_event"], ts, side="right"))
