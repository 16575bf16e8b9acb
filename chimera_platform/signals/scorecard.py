"""How often detectors are right: their confirmed detections against a simulated market's ground truth.

Matching rule
-------------
A detection counts when it is CONFIRMED. It fits an episode of its kind where instrument and side are the same, it was
said at or after the episode's first event and not later than its end in event time (the last record of an episode need
not be the last of its source event, at which detectors speak), and the two price zones touch. Episodes are taken in
order of their beginning, and each takes the first detection that fits it and that none has taken: one to one. What is
left over are false positives, a second detection of the same episode too, and false negatives.

An iceberg that never refilled cannot be told from any other order by anyone: such episodes are counted as
``hidden_from_all`` and asked of no detector; a detection of one is a false positive.

Delay runs from the episode's first event to the detection; for an iceberg that includes waiting for a trade. False
alarms an hour are confirmed detections on a market without such episodes, by hour and instrument of open sessions.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from chimera_platform.market.events import EventKind, StatusCode
from chimera_platform.market.instruments import Universe
from chimera_platform.market.sources import EventSource
from chimera_platform.signals.detector_stream import DetectorStream
from chimera_platform.signals.detectors import DetectorSettings
from chimera_platform.signals.records import DETECTION_DTYPE, Detector, Stage
from chimera_platform.simulation.episodes import EpisodeKind
from chimera_platform.simulation.market import SimulatedMarket

KINDS = {Detector.SWEEP: EpisodeKind.SWEEP, Detector.ICEBERG: EpisodeKind.ICEBERG}  # those that the simulator injects
NULL_SETTINGS = {"sweeps_a_day": 0.0, "icebergs_a_day": 0.0}
_BATCH = 65_536
_HOUR_NS = 3_600_000_000_000


@dataclass(frozen=True)
class Score:
    """One detector's figures; a rate is NaN where it has nothing to be a rate of."""

    episodes: int  # that can be seen
    hidden_from_all: int
    true_positives: int
    false_positives: int
    false_negatives: int
    delay_ms_median: float  # of the true positives
    delay_ms_p95: float

    @property
    def precision(self) -> float:
        """Share of the detections that are right."""
        return _share(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """Share of the episodes that are detected."""
        return _share(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return _share(2 * self.true_positives, 2 * self.true_positives + self.false_positives + self.false_negatives)

    def as_dict(self) -> dict[str, float]:
        """Return counts and rates by name."""
        return asdict(self) | {"precision": self.precision, "recall": self.recall, "f1": self.f1}


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def match(detections: np.ndarray[Any, Any], episodes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return for each episode the index of the detection that it takes, -1 for none (the module's matching rule).

    Parameters
    ----------
    detections : shape (n,), ``DETECTION_DTYPE``, of one detector, confirmed ones only, in the order of ``event_no``.
    episodes : shape (m,), ``EPISODE_DTYPE``, of the same kind, in any order.

    Returns
    -------
    ndarray : int64, shape (m,).
    """
    taken = np.full(len(episodes), -1, np.int64)
    is_free = np.ones(len(detections), bool)
    low = np.minimum(episodes["price"], episodes["end_price"])
    high = np.maximum(episodes["price"], episodes["end_price"])
    for k in np.argsort(episodes["first_event_no"], kind="stable").tolist():
        episode = episodes[k]
        begin = np.searchsorted(detections["event_no"], episode["first_event_no"], "left")
        end = begin + np.searchsorted(detections["ts_event"][begin:], episode["end_ts"], "right")
        rows = detections[begin:end]
        fits = (
            is_free[begin:end]
            & (rows["instrument_id"] == episode["instrument_id"])
            & (rows["side"] == episode["side"])
            & (rows["price_low"] <= high[k])
            & (rows["price_high"] >= low[k])
        )
        found = np.flatnonzero(fits)
        if found.size:
            taken[k] = begin + found[0]
            is_free[taken[k]] = False
    return taken


def score(detections: np.ndarray[Any, Any], truth: np.ndarray[Any, Any], detector: Detector) -> Score:
    """Return how well ``detector`` found its episodes.

    Parameters
    ----------
    detections : shape (n,), ``DETECTION_DTYPE``, of all detectors and stages, in stream order.
    truth : shape (m,), ``EPISODE_DTYPE``, of all kinds, of the same stream.
    detector : one of :data:`KINDS`.
    """
    said = detections[(detections["detector"] == detector) & (detections["stage"] == Stage.CONFIRMED)]
    episodes = truth[truth["kind"] == KINDS[detector]]
    can_be_seen = episodes["levels"] > 0  # sweeps always; icebergs from the first refill on
    visible = episodes[can_be_seen]
    taken = match(said, visible)
    hits = taken >= 0
    delays = (said["ts_event"][taken[hits]] - visible["start_ts"][hits]) / 1e6
    median, p95 = np.quantile(delays, (0.5, 0.95)) if delays.size else (float("nan"), float("nan"))
    found = int(hits.sum())
    return Score(
        episodes=len(visible),
        hidden_from_all=int((~can_be_seen).sum()),
        true_positives=found,
        false_positives=len(said) - found,
        false_negatives=len(visible) - found,
        delay_ms_median=float(median),
        delay_ms_p95=float(p95),
    )


def detect_all(
    source: EventSource, settings: DetectorSettings | None = None, detectors: DetectorStream | None = None
) -> tuple[np.ndarray[Any, Any], float]:
    """Return all detections of a source, ``DETECTION_DTYPE``, and the hours that its instruments traded, summed.

    An instrument's time runs between SESSION_OPEN and SESSION_CLOSE; where a source has none, from its first to its
    last event.
    """
    stream = detectors if detectors is not None else DetectorStream(source.universe, settings)
    parts, number, clock = [np.zeros(0, DETECTION_DTYPE)], 0, _SessionClock(source.universe)
    for events in source.batches(_BATCH):
        parts.append(stream.run(events, number))
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
        instrument's hour; the null market has the same seed, days and settings, but no sweeps and no icebergs).
    """
    detections, _ = detect_all(market, settings)
    truth = market.ground_truth()
    calm = market.settings.model_copy(update=NULL_SETTINGS)
    null = SimulatedMarket(market.universe, market.seed, market.days, market.start, calm)
    alarms, hours = detect_all(null, settings)
    alarms = alarms[alarms["stage"] == Stage.CONFIRMED]
    result = {}
    for detector in KINDS:
        false_alarms = int((alarms["detector"] == detector).sum())
        figures = score(detections, truth, detector).as_dict()
        result[detector.name.lower()] = figures | {
            "false_alarms_per_hour": false_alarms / hours if hours else float("nan")
        }
    return result
