"""How old the extremes are that stop runs break: stops gather beyond a price that has stood for a while."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.learning.quotes import QUOTE_CHANGE_DTYPE, QuotePath
from chimera_platform.market.sources import EventSource
from chimera_platform.simulation.market.episodes import EpisodeKind

AGE_NS = 120_000_000_000  # an extreme that was reached first later than this before the run is young
LOOK_BACK_NS = 1_800_000_000_000
_BATCH = 65_536


def breaks_young_extreme(source: EventSource, truth: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return which episodes are stop runs through an extreme that was itself made in the last two minutes.

    Such a burst is the same move going on: no detector that asks for an extreme that has stood can or should find it.

    Parameters
    ----------
    source : the market, read once.
    truth : shape (m,), EPISODE_DTYPE, of that market, of all kinds.

    Returns
    -------
    ndarray : bool, shape (m,).
    """
    runs = np.flatnonzero(truth["kind"] == EpisodeKind.STOP_RUN)
    young = np.zeros(len(truth), bool)
    if not len(runs):
        return young
    path, number, parts = QuotePath(len(source.universe)), 0, [np.zeros(0, QUOTE_CHANGE_DTYPE)]
    for events in source.batches(_BATCH):
        parts.append(path.run(events, number))
        number += len(events)
    quotes = np.concatenate(parts)
    for k in range(len(source.universe)):
        own = quotes[(quotes["instrument_id"] == k) & (quotes["bid_price"] > 0)]
        for run in runs[truth["instrument_id"][runs] == k]:
            young[run] = _is_young(own, truth[run])
    return young


def _is_young(quotes: np.ndarray[Any, Any], run: Any) -> bool:
    """Return whether the touch first reached the extreme, within the time looked back, less than ``AGE_NS`` before."""
    start = int(run["start_ts"])
    begin, end = np.searchsorted(quotes["ts_event"], [start - LOOK_BACK_NS, start])
    before = quotes[begin:end]
    reached = before["ask_price"] >= run["price"] if run["side"] > 0 else before["bid_price"] <= run["price"]
    first = np.flatnonzero(reached)
    return bool(first.size and start - int(before["ts_event"][first[0]]) < AGE_NS)
