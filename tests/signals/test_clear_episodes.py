"""On markets with clear episodes of one kind, the detector of that kind finds nearly all of them and little else."""

from __future__ import annotations

import pytest

from chimera_platform.market.instruments import Universe, load_instruments
from chimera_platform.signals.extremes import breaks_young_extreme
from chimera_platform.signals.records import Detector
from chimera_platform.signals.scorecard import detect_all, match_all
from chimera_platform.signals.scorecard_markets import SYMBOLS, settings_of
from chimera_platform.simulation.market.simulator import SimulatedMarket

DAYS = 6


@pytest.mark.parametrize(
    ("detector", "least"),
    [
        (Detector.VACUUM, 150), (Detector.STOP_RUN, 150), (Detector.ABSORPTION, 150),
        (Detector.STACKED_ABSORPTION, 120),
    ],
)  # fmt: skip
def test_recall_and_precision_are_above_nine_in_ten(detector: Detector, least: int) -> None:
    known = load_instruments()
    market = SimulatedMarket(Universe([known[s] for s in SYMBOLS]), 101, DAYS, settings=settings_of(detector, 1))
    said, _ = detect_all(market)
    truth = market.ground_truth()
    score = match_all(said, truth, detector).score()
    print(score.as_dict())
    assert score.episodes > least
    assert score.recall > 0.9 and score.precision > 0.9
    assert not breaks_young_extreme(market, truth).any()
