"""What the demo plays: the feed's days, which of them are history, and how fast 'now' goes."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

import numpy as np

from chimera_platform.errors import DataError
from chimera_platform.market.feeds import open_feed
from chimera_platform.market.instruments import load_instruments

_NS_PER_DAY = 86_400_000_000_000
_DAY_SHARE_MIN = 0.2  # a day with fewer events than this share of the fullest one is no trading day of its own


@dataclass(frozen=True)
class DemoPlan:
    """The demo's feed.

    Attributes
    ----------
    feed : feed URL.
    days : UTC days with events, ``YYYY-MM-DD``; the last one is played live, those before are history.
    backfill_s : market seconds of history.
    speed : market seconds per second afterwards.
    live_from : ns UTC at which the live day begins.
    """

    feed: str
    days: tuple[str, ...]
    backfill_s: float
    speed: float
    live_from: int

    @property
    def history(self) -> tuple[str, ...]:
        """The days before the live one."""
        return self.days[:-1]


def simulator_feed(seed: int) -> str:
    """Return the built-in feed: four sessions of two correlated metals."""
    return f"sim://?symbols=XAUUSD,XAGUSD&seed={seed}&days=4"


def recorded_feed(path: str, symbols: str) -> str:
    """Return the feed of recorded data."""
    return f"replay:{quote(path)}?symbols={symbols}"


def plan(feed: str, live_seconds: float) -> DemoPlan:
    """Read the feed once and lay out the demo so that its last day takes ``live_seconds``.

    Raises
    ------
    DataError
        If the feed has fewer than three days of trading: two to learn from and to judge on, one to go live.
    """
    source = open_feed(feed, load_instruments()).source
    counts: dict[int, int] = {}
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for events in source.batches(65_536):
        ts = events["ts_event"]
        days, starts, sizes = np.unique(ts // _NS_PER_DAY, return_index=True, return_counts=True)
        for day, start, size in zip(days.tolist(), starts.tolist(), sizes.tolist(), strict=True):
            counts[day] = counts.get(day, 0) + size
            first.setdefault(day, int(ts[start]))
            last[day] = int(ts[start + size - 1])
    full = [day for day, count in sorted(counts.items()) if count >= _DAY_SHARE_MIN * max(counts.values())]
    if len(full) < 3:
        raise DataError(f"{feed}: {len(full)} day(s) of trading; the demo needs at least 3")
    live = full[-1]
    return DemoPlan(
        feed=feed,
        days=tuple(str(np.datetime64(day, "D")) for day in sorted(counts) if day <= live),
        backfill_s=(first[live] - min(first.values())) / 1e9,
        speed=max(1.0, (last[live] - first[live]) / 1e9 / live_seconds),
        live_from=first[live],
    )
