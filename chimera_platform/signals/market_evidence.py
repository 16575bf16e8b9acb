"""What happened after the detectors spoke on a stream: their moments and the unconditional ones, by symbol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chimera_platform.configuration import Configuration
from chimera_platform.market.city_sessions import city_sessions
from chimera_platform.market.sources import EventSource
from chimera_platform.signals.detector_stream import DetectorStream
from chimera_platform.signals.directional import SIGNALS, directions, signal_numbers
from chimera_platform.signals.forward_returns import OUTCOME_DTYPE, ForwardReturns
from chimera_platform.signals.lift import MOMENT_DTYPE
from chimera_platform.signals.regime_path import RegimePath

_BATCH = 65_536


@dataclass(frozen=True)
class SymbolEvidence:
    """One symbol of one source.

    Attributes
    ----------
    moments : MOMENT_DTYPE by name of :data:`~chimera_platform.signals.directional.SIGNALS`, in time order.
    every : MOMENT_DTYPE of the unconditional moments, in time order.
    hours : from the first unconditional moment to the last.
    """

    symbol: str
    events: int
    moments: dict[str, np.ndarray[Any, Any]]
    every: np.ndarray[Any, Any]
    hours: float


def gather_evidence(source: EventSource, settings: Configuration | None = None) -> list[SymbolEvidence]:
    """Run detectors, regime and prices over ``source`` once and return its symbols' evidence.

    Memory: the unconditional moments, one a second and symbol at most, and the detections.
    """
    count, chosen = len(source.universe), settings or Configuration()
    detectors, prices = DetectorStream(source.universe, chosen.detectors), ForwardReturns(count)
    regime = RegimePath(count, chosen.timeframes, chosen.regime)
    outcomes, said, changes, number = [np.zeros(0, OUTCOME_DTYPE)], [], _RegimeTimes(count), 0
    events_of = np.zeros(count, np.int64)
    for events in source.batches(_BATCH):
        rows = detectors.run(events, number)
        numbers = signal_numbers(rows)
        rows, numbers = rows[numbers >= 0], numbers[numbers >= 0]
        outcomes.append(prices.run(events, number, rows))
        changes.add(events, regime.run(events, number))
        said.append((numbers, directions(rows, numbers)))
        events_of += np.bincount(events["instrument_id"], minlength=count)
        number += len(events)
    outcomes.append(prices.finish())
    found = np.concatenate(outcomes)
    numbers = np.concatenate([n for n, _ in said]) if said else np.zeros(0, np.int64)
    ways = np.concatenate([w for _, w in said]) if said else np.zeros(0, np.int64)
    result = []
    for k, symbol in enumerate(source.universe.symbols):
        mine = found[found["instrument_id"] == k]
        mine = mine[np.argsort(mine["ts_event"], kind="stable")]
        own, free = mine[mine["number"] >= 0], mine[mine["number"] < 0]
        moments = _moments(own, ways[own["number"]], changes.at(k, own["ts_event"]))
        which = numbers[own["number"]]
        every = _moments(free, np.zeros(len(free), np.int64), changes.at(k, free["ts_event"]))
        span = float(free["ts_event"][-1] - free["ts_event"][0]) / 3.6e12 if len(free) else 0.0
        by_name = {signal.name: moments[which == s] for s, signal in enumerate(SIGNALS)}
        result.append(SymbolEvidence(symbol, int(events_of[k]), by_name, every, span))
    return result


def _moments(
    outcomes: np.ndarray[Any, Any], ways: np.ndarray[Any, Any], regimes: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    rows = np.zeros(len(outcomes), MOMENT_DTYPE)
    for name in ("ts_event", "spread", "change"):
        rows[name] = outcomes[name]
    rows["direction"], rows["regime"] = ways, regimes
    rows["session"] = city_sessions(outcomes["ts_event"])
    return rows


class _RegimeTimes:
    """When which regime began, by instrument."""

    def __init__(self, instruments: int) -> None:
        self._times: list[list[int]] = [[] for _ in range(instruments)]
        self._regimes: list[list[int]] = [[-1] for _ in range(instruments)]

    def add(self, events: np.ndarray[Any, Any], regimes: np.ndarray[Any, Any]) -> None:
        for k, known in enumerate(self._regimes):
            mine = events["instrument_id"] == k
            own, times = regimes[mine], events["ts_event"][mine]
            begins = np.flatnonzero(np.diff(own, prepend=known[-1]) != 0)
            self._times[k] += times[begins].tolist()
            known += own[begins].tolist()

    def at(self, k: int, ts: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return the regime of instrument ``k`` at each time."""
        begun = np.searchsorted(np.array(self._times[k], np.int64), ts, "right")
        return np.array(self._regimes[k], np.int64)[begun]
