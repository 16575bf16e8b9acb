"""How often detectors are right: their confirmed detections against a simulated market's ground truth.

What counts as right is said in :mod:`~chimera_platform.signals.matching`. Delay runs from the episode's first event to
the detection; for an iceberg that includes waiting for a trade. False alarms an hour are confirmed detections on a
market without any episodes, by hour and instrument of open sessions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chimera_platform.market.events import EventKind, StatusCode
from chimera_platform.market.instruments import Universe
from chimera_platform.market.sources import EventSource
from chimera_platform.signals.detector_stream import DetectorStream
from chimera_platform.signals.detectors import DetectorSettings
from chimera_platform.signals.extremes import breaks_young_extreme
from chimera_platform.signals.level_view import LevelView
from chimera_platform.signals.matching import RULES, levels_of_stacks, match
from chimera_platform.signals.records import DETECTION_DTYPE, Detector, Stage
from chimera_platform.simulation.market.simulator import SimulatedMarket

NULL_SETTINGS = {
    "sweeps_a_day": 0.0,
    "icebergs_a_day": 0.0,
    "news_a_day": 0.0,
    "droughts_a_day": 0.0,
    "absorptions_a_day": 0.0,
    "stacked_absorptions_a_day": 0.0,
    "stop_runs_a_day": 0.0,
}
"""A market without episodes that a detector is scored on; ranges, trends and volatility regimes stay."""

_BATCH = 65_536
_HOUR_NS = 3_600_000_000_000


@dataclass(frozen=True)
class Score:
    """One detector's figures; a rate is NaN where it has nothing to be a rate of."""

    episodes: int  # that are asked for
    hidden_from_all: int  # cannot be told from the usual flow
    found: int  # of the episodes
    detections: int
    right: int  # of the detections; differs from found only in a part of the market whose border a match crosses
    set_aside: int  # further detections, neither right nor wrong; of the whole market
    delay_ms_median: float  # of the episodes found
    delay_ms_p95: float

    @property
    def precision(self) -> float:
        """Share of the detections that are right."""
        return _share(self.right, self.detections)

    @property
    def recall(self) -> float:
        """Share of the episodes that are detected."""
        return _share(self.found, self.episodes)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 where one of them is."""
        return _share(self.right + self.found, self.detections + self.episodes)

    def as_dict(self) -> dict[str, float]:
        """Return counts and rates by name."""
        return vars(self) | {"precision": self.precision, "recall": self.recall, "f1": self.f1}


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


@dataclass(frozen=True)
class Matched:
    """One detector's detections and episodes, and what became of them.

    Attributes
    ----------
    said : DETECTION_DTYPE (n,), confirmed.
    episodes : EPISODE_DTYPE (m,), those that can be seen.
    taken : int64 (m,), index of the detection that found each, -1 for none.
    hidden : EPISODE_DTYPE of those that cannot be seen.
    set_aside : detections that are neither right nor wrong; not among ``said``.
    """

    said: np.ndarray[Any, Any]
    episodes: np.ndarray[Any, Any]
    taken: np.ndarray[Any, Any]
    hidden: np.ndarray[Any, Any]
    set_aside: int

    def score(
        self,
        said_in: np.ndarray[Any, Any] | None = None,
        episodes_in: np.ndarray[Any, Any] | None = None,
        hidden_in: np.ndarray[Any, Any] | None = None,
    ) -> Score:
        """Return the figures of a part of the market: masks over detections and episodes; None: all of them."""
        said_in = np.ones(len(self.said), bool) if said_in is None else said_in
        episodes_in = np.ones(len(self.episodes), bool) if episodes_in is None else episodes_in
        is_right = np.zeros(len(self.said), bool)
        is_right[self.taken[self.taken >= 0]] = True
        hits = (self.taken >= 0) & episodes_in
        delays = (self.said["ts_event"][self.taken[hits]] - self.episodes["start_ts"][hits]) / 1e6
        median, p95 = np.quantile(delays, (0.5, 0.95)) if delays.size else (float("nan"), float("nan"))
        return Score(
            episodes=int(episodes_in.sum()),
            hidden_from_all=len(self.hidden) if hidden_in is None else int(hidden_in.sum()),
            found=int(hits.sum()),
            detections=int(said_in.sum()),
            right=int((is_right & said_in).sum()),
            set_aside=self.set_aside,
            delay_ms_median=float(median),
            delay_ms_p95=float(p95),
        )


def confirmed(detections: np.ndarray[Any, Any], detector: Detector) -> np.ndarray[Any, Any]:
    """Return the rows of one detector that are CONFIRMED."""
    return detections[(detections["detector"] == detector) & (detections["stage"] == Stage.CONFIRMED)]


def match_all(
    detections: np.ndarray[Any, Any],
    truth: np.ndarray[Any, Any],
    detector: Detector,
    doubtful: np.ndarray[Any, Any] | None = None,
) -> Matched:
    """Return what ``detector`` found of its episodes.

    Parameters
    ----------
    detections : shape (n,), ``DETECTION_DTYPE``, of all detectors and stages, in stream order.
    truth : shape (m,), ``EPISODE_DTYPE``, of all kinds, of the same stream.
    detector : one of :data:`~chimera_platform.signals.matching.RULES`.
    doubtful : bool, shape (m,): episodes that are not asked for, and a detection of one of them is set aside.
    """
    rule, said = RULES[detector], confirmed(detections, detector)
    episodes = truth[truth["kind"] == rule.kind]
    asked, allowed = rule.is_asked(episodes), rule.is_allowed(episodes)
    if doubtful is not None:
        of_kind = doubtful[truth["kind"] == rule.kind]
        asked, allowed = asked & ~of_kind, allowed | (asked & of_kind)
    if detector == Detector.ABSORPTION:
        levels = levels_of_stacks(truth)
        episodes = np.concatenate([episodes, levels])
        asked = np.concatenate([asked, np.zeros(len(levels), bool)])
        allowed = np.concatenate([allowed, np.ones(len(levels), bool)])
    taken = match(said, episodes, rule, asked | allowed)
    aside = np.zeros(len(said), bool)
    aside[taken[allowed & (taken >= 0)]] = True
    number = np.cumsum(~aside) - 1  # of those that are left
    left = np.where(taken[asked] >= 0, number[taken[asked]] if len(said) else -1, -1)
    return Matched(said[~aside], episodes[asked], left, episodes[~asked & ~allowed], int(aside.sum()))


def score(detections: np.ndarray[Any, Any], truth: np.ndarray[Any, Any], detector: Detector) -> Score:
    """Return how well ``detector`` found its episodes; parameters as of :func:`match_all`."""
    return match_all(detections, truth, detector).score()


def detect_all(
    source: EventSource,
    settings: DetectorSettings | None = None,
    detectors: DetectorStream | None = None,
    as_levels: bool = False,
) -> tuple[np.ndarray[Any, Any], float]:
    """Return all detections of a source, ``DETECTION_DTYPE``, and the hours that its instruments traded, summed.

    An instrument's time runs between SESSION_OPEN and SESSION_CLOSE; where a source has none, from its first to its
    last event. With ``as_levels`` the detectors see levels and prints instead of orders; ``event_no`` stays that of
    the source.
    """
    stream = detectors if detectors is not None else DetectorStream(source.universe, settings)
    view = LevelView(len(source.universe)) if as_levels else None
    parts, number, clock = [np.zeros(0, DETECTION_DTYPE)], 0, _SessionClock(source.universe)
    for events in source.batches(_BATCH):
        if view is None:
            parts.append(stream.run(events, number))
        else:
            shown, rows = view.run(events)
            said = stream.run(shown, 0)
            said["event_no"] = number + rows[said["event_no"]]
            parts.append(said)
        clock.run(events)
        number += len(events)
    return np.concatenate(parts), clock.hours()


class _SessionClock:
    """Time that instruments were open."""

    def __init__(self, universe: Universe) -> None:
        self._span_ns: list[list[int]] = [[] for _ in universe.symbols]  # first and last event
        self._open_ns, self._opened = [0] * len(universe), [-1] * len(universe)

    def run(self, events: np.ndarray[Any, Any]) -> None:
        for k, span in enumerate(self._span_ns):
            times = events["ts_event"][events["instrument_id"] == k]
            if times.size:
                span[:] = [span[0] if span else int(times[0]), int(times[-1])]
        codes = events["price"]
        session = np.isin(codes, (StatusCode.SESSION_OPEN, StatusCode.SESSION_CLOSE))
        for event in events[(events["kind"] == EventKind.STATUS) & session]:
            k, ts = int(event["instrument_id"]), int(event["ts_event"])
            if event["price"] == StatusCode.SESSION_OPEN:
                self._opened[k] = ts
            elif self._opened[k] >= 0:
                self._open_ns[k] += ts - self._opened[k]
                self._opened[k] = -1

    def hours(self) -> float:
        total = 0
        for k, span in enumerate(self._span_ns):
            still_open = span[1] - self._opened[k] if self._opened[k] >= 0 else 0
            spent = self._open_ns[k] + still_open
            total += spent if spent or not span else span[1] - span[0]
        return total / _HOUR_NS


def scorecard(market: SimulatedMarket, settings: DetectorSettings | None = None) -> dict[str, dict[str, float]]:
    """Return each detector's figures on ``market``, and its false alarms an hour on the same market without episodes.

    Returns
    -------
    dict : by detector's name, lower case: the keys of :meth:`Score.as_dict` and ``false_alarms_per_hour`` (an
        instrument's hour; the null market has the same seed, days and settings, but none of the episodes).
    """
    detections, _ = detect_all(market, settings)
    truth = market.ground_truth()
    doubtful = breaks_young_extreme(market, truth)
    alarms, hours = detect_all(without_episodes(market), settings)
    result = {}
    for detector in RULES:
        false_alarms = len(confirmed(alarms, detector))
        figures = match_all(detections, truth, detector, doubtful).score().as_dict()
        result[detector.name.lower()] = figures | {
            "false_alarms_per_hour": false_alarms / hours if hours else float("nan")
        }
    return result


def without_episodes(market: SimulatedMarket) -> SimulatedMarket:
    """Return the null market: the same seed, days and settings, but :data:`NULL_SETTINGS`."""
    calm = market.settings.model_copy(update=NULL_SETTINGS)
    return SimulatedMarket(market.universe, market.seed, market.days, market.start, calm)
