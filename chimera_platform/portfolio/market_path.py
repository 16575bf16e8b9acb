"""What a market's mid did over a run, in bounded memory: its value at even times, and the volume that traded.

Even times are ``origin + k step``. When the samples are full, every second one is dropped and the step doubles, so a
year fits as well as an hour. A mid that nothing confirmed for :data:`STALE_NS` is none: nobody could have traded then.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from chimera_platform.kernels import kernel
from chimera_platform.market.book import apply_event, best_ask, best_bid, is_tradable, new_books
from chimera_platform.market.events import EventFlag, EventKind
from chimera_platform.portfolio.capacity import MARKET_ACTIVITY_DTYPE

Array = np.ndarray[Any, Any]
STEP_NS = 1_000_000_000
STALE_NS = 900_000_000_000
_SAMPLES_MAX, _SAMPLES_MIN, _SAMPLES_OF_ALL = 1 << 20, 1 << 14, 1 << 22
_TRADE, _EXECUTE, _LAST = int(EventKind.TRADE), int(EventKind.EXECUTE), int(EventFlag.LAST)
_STALE = STALE_NS

MARKET_PATH_DTYPE = np.dtype(
    [
        ("origin_ts", "<i8"),  # ns UTC of sample 0; meaningless while first_ts is 0
        ("step_ns", "<i8"),
        ("next_ts", "<i8"),  # ns UTC of the next sample to write
        ("count", "<i8"),  # samples written, those without a mid included
        ("mid2", "<i8"),  # half ticks, bid + ask, now; 0: no tradable market
        ("first_ts", "<i8"),  # ns UTC of the first and the latest complete event
        ("last_ts", "<i8"),
        ("volume", "<i8"),  # lots traded
    ]
)


class MarketPaths(NamedTuple):
    """The mids of all instruments, by instrument_id."""

    paths: Array  # MARKET_PATH_DTYPE (instruments,)
    samples: Array  # i8 (instruments, capacity): half ticks at origin + k step; 0: no tradable market
    tick_values: Array  # i8 (instruments,): nanos of one tick on one lot


def new_market_paths(instruments: Array, step_ns: int = STEP_NS, capacity: int | None = None) -> MarketPaths:
    """Return empty paths.

    Parameters
    ----------
    instruments : INSTRUMENT_DTYPE array.
    step_ns : first distance of two samples.
    capacity : samples of one instrument, even; None: a million, fewer where there are more than four instruments.
    """
    count = len(instruments)
    if capacity is None:
        capacity = max(_SAMPLES_MIN, min(_SAMPLES_MAX, _SAMPLES_OF_ALL // max(count, 1) // 2 * 2))
    paths = np.zeros(count, MARKET_PATH_DTYPE)
    paths["step_ns"] = step_ns
    return MarketPaths(paths, np.zeros((count, capacity), np.int64), instruments["tick_value_nanos"].astype(np.int64))


@kernel
def observe_market(path: Any, samples: Any, book: Any, event: Any) -> None:
    """Take note of an event of the instrument, which its book has been given already; a few ns.

    Parameters
    ----------
    path, samples : the instrument's MARKET_PATH_DTYPE record and row of samples.
    """
    if event.kind == _TRADE or event.kind == _EXECUTE:
        path.volume += event.size
    if event.flags & _LAST != 0:
        mid2 = best_bid(book) + best_ask(book) if is_tradable(book) else 0
        observe_mid(path, samples, event.ts_event, mid2)


@kernel
def observe_mid(path: Any, samples: Any, ts: int, mid2: int) -> None:
    """Take note of the mid (half ticks, 0: none) from ``ts`` on."""
    if path.count == 0:
        path.origin_ts = path.first_ts = path.last_ts = path.next_ts = ts
        samples[0] = mid2
        path.count = 1
        path.next_ts = ts + path.step_ns
    elif ts > path.next_ts:
        _sample(path, samples, ts)
    path.mid2 = mid2
    path.last_ts = ts


@kernel
def _sample(path: Any, samples: Any, ts: int) -> None:
    """Write the samples that are due before ``ts``, of the mid that has held since the latest event."""
    while (ts - 1 - path.origin_ts) // path.step_ns >= samples.shape[0]:
        _halve(path, samples)
    end = (ts - 1 - path.origin_ts) // path.step_ns + 1
    for k in range(path.count, end):
        is_fresh = path.origin_ts + k * path.step_ns - path.last_ts <= _STALE
        samples[k] = path.mid2 if is_fresh else 0
    path.count = max(path.count, end)
    path.next_ts = path.origin_ts + path.count * path.step_ns


@kernel
def _halve(path: Any, samples: Any) -> None:
    """Keep every second sample and double the step."""
    kept = (path.count + 1) // 2
    for k in range(kept):
        samples[k] = samples[2 * k]
    path.count = kept
    path.step_ns *= 2


@kernel
def _observe(books: Any, paths: Any, samples: Any, events: Any) -> None:
    for n in range(events.shape[0]):
        event = events[n]
        i = event.instrument_id
        apply_event(books[i], event)
        observe_market(paths[i], samples[i], books[i], event)


class MarketObserver:
    """Follows the markets of a stream on books of its own, where no loop that has books does."""

    def __init__(self, instruments: Array) -> None:
        """Take INSTRUMENT_DTYPE records."""
        self._instruments = instruments
        self._books = new_books(len(instruments))
        self.restart()

    def restart(self) -> None:
        """Begin new paths; the books stay as they are."""
        self.market = new_market_paths(self._instruments)

    def observe(self, events: Array) -> None:
        """Take note of an EVENT_DTYPE batch."""
        _observe(self._books, self.market.paths, self.market.samples, events)


def market_activity(market: MarketPaths) -> Array:
    """Return volume and variance rates of each market, MARKET_ACTIVITY_DTYPE by instrument_id.

    Over the time with a tradable market: the lots traded in it, and the squared changes of the mid from sample to
    sample. NaN where it was never tradable.
    """
    found = np.zeros(len(market.paths), MARKET_ACTIVITY_DTYPE)
    found["tick_value_nanos"] = market.tick_values
    for i, path in enumerate(market.paths):
        mid2 = market.samples[i, : path["count"]]
        both = (mid2[1:] != 0) & (mid2[:-1] != 0)
        seconds = both.sum() * path["step_ns"] / 1e9
        squares = float((np.diff(mid2)[both] / 2.0) ** 2 @ np.ones(both.sum())) if seconds else np.nan
        found[i]["variance_rate"] = squares / seconds if seconds else np.nan
        found[i]["volume_rate"] = path["volume"] / seconds if seconds else np.nan
    return found
