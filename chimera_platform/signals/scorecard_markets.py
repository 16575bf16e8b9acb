"""The simulated markets that detectors are scored on: one a detector and difficulty, all of it from one seed.

On each only the detector's own pattern is injected into the usual flow, so that what is right and wrong is beyond
doubt. Difficulty is the simulator's own for news and what follows it; sweeps and icebergs are made harder by what
:data:`HARDER` changes. Beside those, a null market without episodes, and one with all patterns at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from chimera_platform.market.city_sessions import CitySession, city_sessions
from chimera_platform.market.instruments import Universe, load_instruments
from chimera_platform.signals.detectors import EVIDENCE_NAMES, DetectorSettings
from chimera_platform.signals.extremes import breaks_young_extreme
from chimera_platform.signals.matching import RULES
from chimera_platform.signals.records import Detector
from chimera_platform.signals.scorecard import NULL_SETTINGS, Matched, Score, confirmed, detect_all, match_all
from chimera_platform.simulation.market.episodes import EpisodeKind, VolatilityRegime
from chimera_platform.simulation.market.settings import MarketSettings
from chimera_platform.simulation.market.simulator import SimulatedMarket

SYMBOLS = ("XAUUSD", "XAGUSD")
DIFFICULTIES = (1, 2, 3)
CLEAR_REFILLS = 4  # of an iceberg that is clear where only levels and prints are seen
RATES: dict[Detector, dict[str, float]] = {  # episodes a symbol and day
    Detector.SWEEP: {"sweeps_a_day": 60.0},
    Detector.ICEBERG: {"icebergs_a_day": 60.0},
    Detector.ABSORPTION: {"absorptions_a_day": 30.0},
    Detector.STACKED_ABSORPTION: {"stacked_absorptions_a_day": 20.0},
    Detector.VACUUM: {"droughts_a_day": 20.0},
    Detector.STOP_RUN: {"stop_runs_a_day": 40.0},
}
HARDER: dict[Detector, dict[int, dict[str, float]]] = {
    Detector.SWEEP: {2: {"sweep_levels": 4, "sweep_window_ms": 100}, 3: {"sweep_levels": 3, "sweep_window_ms": 300}},
    Detector.ICEBERG: {2: {"iceberg_refills": 4}, 3: {"iceberg_refills": 2, "iceberg_peak_units": 3}},
}
TOGETHER = "everything at once"
Progress = Callable[[str], None]


@dataclass(frozen=True)
class ScoreRow:
    """A published score: of one detector at one difficulty in one part of its market.

    Attributes
    ----------
    detector, difficulty : what was scored on which market; difficulty 0 is the market with everything at once.
    as_levels : whether the detector saw levels and prints instead of orders.
    part : ``all``, or the session or volatility regime.
    refills : an iceberg's at least to be asked for; detections of one with fewer are set aside.
    """

    detector: Detector
    difficulty: int
    as_levels: bool
    part: str
    score: Score
    refills: int = 0


@dataclass(frozen=True)
class NullRow:
    """False alarms of one detector on the market without episodes."""

    detector: Detector
    as_levels: bool
    alarms: int
    hours: float


def settings_of(detector: Detector, difficulty: int) -> MarketSettings:
    """Return the market on which ``detector`` is scored at ``difficulty``."""
    changes = NULL_SETTINGS | RATES[detector] | HARDER.get(detector, {}).get(difficulty, {})
    return MarketSettings.model_validate(changes | {"episode_difficulty": difficulty})


def settings_together() -> MarketSettings:
    """Return the market with every detector's pattern at once, clear ones, a quarter as often."""
    return MarketSettings.model_validate(
        NULL_SETTINGS | {name: rate / 4.0 for rates in RATES.values() for name, rate in rates.items()}
    )


def scored_detectors() -> tuple[Detector, ...]:
    """Return the detectors that there are and that have episodes of their own."""
    return tuple(d for d in RULES if d in EVIDENCE_NAMES)


def score_detectors(
    seed: int, days: int, settings: DetectorSettings | None = None, progress: Progress | None = None
) -> tuple[list[ScoreRow], list[NullRow]]:
    """Score every detector at every difficulty, overall and by session and regime, and count false alarms.

    Memory: one market's detections at a time.
    """
    say = progress or (lambda _: None)
    rows: list[ScoreRow] = []
    for detector in scored_detectors():
        for difficulty in DIFFICULTIES:
            say(f"{detector.name.lower()}, difficulty {difficulty}")
            market = _market(seed, days, settings_of(detector, difficulty))
            for as_levels in _views(detector):
                rows += _rows_of(market, detector, difficulty, as_levels, settings)
    say(TOGETHER)
    market = _market(seed, days, settings_together())
    detections, _ = detect_all(market, settings)
    truth = market.ground_truth()
    doubtful = breaks_young_extreme(market, truth)
    rows += [
        ScoreRow(d, 0, False, "all", match_all(detections, truth, d, doubtful).score()) for d in scored_detectors()
    ]
    say("a market without episodes")
    null = _market(seed, days, MarketSettings.model_validate(NULL_SETTINGS))
    alarms: list[NullRow] = []
    for as_levels in (False, True):
        said, hours = detect_all(null, settings, as_levels=as_levels)
        shown = EVIDENCE_NAMES if not as_levels else [d for d in EVIDENCE_NAMES if True in _views(d)]
        alarms += [NullRow(d, as_levels, len(confirmed(said, d)), hours) for d in shown]
    return rows, alarms


def _views(detector: Detector) -> tuple[bool, ...]:
    """Return the views that a detector is scored on: icebergs are another question without order ids."""
    return (False, True) if detector == Detector.ICEBERG else (False,)


def _market(seed: int, days: int, settings: MarketSettings) -> SimulatedMarket:
    known = load_instruments()
    return SimulatedMarket(Universe([known[s] for s in SYMBOLS]), seed, days, settings=settings)


def _rows_of(
    market: SimulatedMarket, detector: Detector, difficulty: int, as_levels: bool, settings: DetectorSettings | None
) -> Iterator[ScoreRow]:
    detections, _ = detect_all(market, settings, as_levels=as_levels)
    truth = market.ground_truth()
    young = breaks_young_extreme(market, truth)
    for refills in (0, CLEAR_REFILLS) if as_levels else (0,):
        few = (truth["kind"] == EpisodeKind.ICEBERG) & (truth["levels"] < refills)
        matched = match_all(detections, truth, detector, young | few)
        yield ScoreRow(detector, difficulty, as_levels, "all", matched.score(), refills)
        for part, (said_in, episodes_in, hidden_in) in parts(matched, market.regimes()).items():
            score = matched.score(said_in, episodes_in, hidden_in)
            yield ScoreRow(detector, difficulty, as_levels, part, score, refills)


def parts(
    matched: Matched, regimes: np.ndarray[Any, Any]
) -> dict[str, tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    """Return the masks of detections, episodes and hidden episodes by session and volatility regime.

    An episode belongs where it begins, a detection where it was said.

    Parameters
    ----------
    regimes : REGIME_DTYPE, of the same market.
    """
    times = matched.said["ts_event"], matched.episodes["start_ts"], matched.hidden["start_ts"]
    result = {}
    for session in CitySession:
        said, episodes, hidden = (city_sessions(ts) == session for ts in times)
        result[session_name(session)] = (said, episodes, hidden)
    for regime in VolatilityRegime:
        said, episodes, hidden = (_regimes_at(ts, regimes) == regime for ts in times)
        result[regime.name.lower()] = (said, episodes, hidden)
    return result


def session_name(session: CitySession) -> str:
    """Return ``Asia``, ``London`` or ``New York``."""
    return session.name.replace("_", " ").title()


def _regimes_at(ts: np.ndarray[Any, Any], regimes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    at = np.maximum(np.searchsorted(regimes["start_ts"], ts, "right") - 1, 0)
    return np.asarray(regimes["regime"][at])
