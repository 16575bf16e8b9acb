"""The worker's one inbound queue: market data and control, taken by a blocking call.

A source that blocks on a queue answers in microseconds at next to no CPU, while polling costs half a millisecond;
but a blocking source holds up every other source on its worker, so everything that comes in shares this queue.
"""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

Records = np.ndarray[Any, Any]

_BACKPRESSURE_WAIT_S = 0.0005


@dataclass(slots=True, frozen=True)
class EndOfFeed:
    """The feed has ended; ``failure`` is what ended it, None where it ran out of events."""

    failure: BaseException | None = None


class Inbound:
    """Bounded queue between the feeder's thread and the source.

    Parameters
    ----------
    capacity : most events held; a faster feed waits (nothing is dropped).
    """

    def __init__(self, capacity: int = 262_144) -> None:
        self._queue: queue.SimpleQueue[Records | EndOfFeed] = queue.SimpleQueue()
        self._capacity = capacity
        self._held = 0
        self._lock = threading.Lock()
        self._rest: Records | None = None
        self._end: EndOfFeed | None = None
        self.closed = False

    def put(self, events: Records) -> bool:
        """Add ``events``, waiting while the queue is full; return False once the reader has gone."""
        while not self.closed:
            with self._lock:
                if self._held == 0 or self._held + len(events) <= self._capacity:
                    self._held += len(events)
                    self._queue.put(events)
                    return True
            time.sleep(_BACKPRESSURE_WAIT_S)
        return False

    def end(self, failure: BaseException | None = None) -> None:
        """Say that no more events come."""
        self._queue.put(EndOfFeed(failure))

    @property
    def held(self) -> int:
        """Events waiting."""
        return self._held

    @property
    def ended(self) -> EndOfFeed | None:
        """The end of the feed, once every event before it has been taken."""
        return self._end if self._rest is None else None

    def take(self, most: int, timeout_s: float) -> Records | None:
        """Return up to ``most`` events: one when quiet, more under load; None when none came in ``timeout_s``."""
        if self._rest is None and not self._next(timeout_s):
            return None
        parts: list[Records] = []
        size = 0
        while self._rest is not None:
            part = self._rest[: most - size]
            self._rest = self._rest[len(part) :] if len(part) < len(self._rest) else None
            parts.append(part)
            size += len(part)
            if size >= most or (self._rest is None and not self._next(0.0)):
                break
        with self._lock:
            self._held -= size
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _next(self, timeout_s: float) -> bool:
        """Fetch the next array into ``_rest``; False where none waits."""
        if self._end is not None:
            return False
        try:
            item = self._queue.get(timeout=timeout_s) if timeout_s > 0 else self._queue.get_nowait()
        except queue.Empty:
            return False
        if isinstance(item, EndOfFeed):
            self._end = item
            return False
        if len(item) == 0:
            return False
        self._rest = item
        return True
