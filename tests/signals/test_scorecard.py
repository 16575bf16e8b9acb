from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from chimera_platform.market.events import BUY, SELL
from chimera_platform.market.instruments import load_instruments
from chimera_platform.signals.detectors import DetectorSettings
from chimera_platform.signals.matching import RULES, match
from chimera_platform.signals.records import DETECTION_DTYPE, Detector, Stage
from chimera_platform.signals.scorecard import detect_all, score, scorecard
from chimera_platform.signals.sweeps import SweepSettings
from chimera_platform.simulation.market.episodes import EPISODE_DTYPE, EpisodeKind
from chimera_platform.simulation.market.simulator import SimulatedMarket

MS = 1_000_000
URL = "sim://?days=2&rate=0.5&seed=21&sweeps_a_day=60&icebergs_a_day=60"


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return SimulatedMarket.from_url(URL, load_instruments())


def detection(event_no: int, **values: Any) -> dict[str, Any]:
    usual = {"side": BUY, "price_low": 100, "price_high": 102, "detector": Detector.SWEEP, "stage": Stage.CONFIRMED}
    return {"event_no": event_no, "ts_event": event_no * MS} | usual | values


def episode(first: int, last: int, **values: Any) -> dict[str, Any]:
    usual = {"side": BUY, "price": 101, "end_price": 105, "kind": EpisodeKind.SWEEP, "levels": 5}
    span = {"first_event_no": first, "last_event_no": last, "start_ts": first * MS, "end_ts": last * MS}
    return span | usual | values


def table(dtype: np.dtype[Any], *rows: dict[str, Any]) -> np.ndarray[Any, Any]:
    out = np.zeros(len(rows), dtype)
    for i, row in enumerate(rows):
        for name, value in row.items():
            out[i][name] = value
    return out


def test_each_episode_takes_the_first_detection_that_fits() -> None:
    said = table(DETECTION_DTYPE, *(detection(k) for k in (9, 12, 14, 21, 40)))
    episodes = table(EPISODE_DTYPE, episode(20, 30), episode(10, 15), episode(10, 13), episode(31, 39))
    # 9 and 40 are outside; 12 goes to the second and 14 is too late for the third, which begins as early
    assert match(said, episodes).tolist() == [3, 1, -1, -1]


@pytest.mark.parametrize(
    "other",
    [
        {"side": SELL},
        {"instrument_id": 1},
        {"price_low": 106, "price_high": 110},
        {"price_low": 90, "price_high": 100},
        {"ts_event": 16 * MS},
    ],
    ids=["side", "instrument", "zone above", "zone below", "too late"],
)
def test_what_differs_does_not_fit(other: dict[str, Any]) -> None:
    episodes = table(EPISODE_DTYPE, episode(10, 15))
    assert match(table(DETECTION_DTYPE, detection(12, **other)), episodes).tolist() == [-1]
    assert match(table(DETECTION_DTYPE, detection(12, price_low=105, price_high=110)), episodes).tolist() == [0]


def test_precision_recall_and_delay_follow_their_definitions() -> None:
    said = table(
        DETECTION_DTYPE,
        detection(11, stage=Stage.FORMING),  # does not count
        detection(12),
        detection(13),  # a second one of the same episode
        detection(22, detector=Detector.ICEBERG),  # another detector
        detection(34),
        detection(80),
    )
    truth = table(
        EPISODE_DTYPE, episode(10, 15), episode(20, 25), episode(30, 35), episode(40, 45), episode(1, 90, kind=4)
    )
    figures = score(said, truth, Detector.SWEEP)
    assert (figures.found, figures.detections - figures.right, figures.episodes - figures.found) == (2, 2, 2)
    assert (figures.precision, figures.recall, figures.f1) == (0.5, 0.5, 0.5)
    assert figures.delay_ms_median == 3.0 and figures.episodes == 4


def test_an_iceberg_that_never_refilled_is_asked_of_nobody() -> None:
    truth = table(EPISODE_DTYPE, *(episode(10 * k, 10 * k + 5, kind=EpisodeKind.ICEBERG, levels=k) for k in range(3)))
    said = table(DETECTION_DTYPE, detection(2, detector=Detector.ICEBERG), detection(12, detector=Detector.ICEBERG))
    figures = score(said, truth, Detector.ICEBERG)
    assert (figures.episodes, figures.hidden_from_all) == (2, 1)
    assert (figures.found, figures.detections - figures.right, figures.episodes - figures.found) == (1, 1, 1)


def test_rates_of_nothing_are_undefined() -> None:
    figures = score(np.zeros(0, DETECTION_DTYPE), np.zeros(0, EPISODE_DTYPE), Detector.SWEEP)
    assert all(math.isnan(x) for x in (figures.precision, figures.recall, figures.f1, figures.delay_ms_median))


def test_clear_episodes_are_found_and_nothing_else(market: SimulatedMarket) -> None:
    card = scorecard(market)
    print(json.dumps(card, indent=1))
    assert list(card) == [detector.name.lower() for detector in RULES]
    for figures in (card["sweep"], card["iceberg"]):
        assert figures["episodes"] > 60
        assert figures["recall"] > 0.95 and figures["precision"] > 0.95
        assert figures["false_alarms_per_hour"] < 0.05
    assert card["sweep"]["delay_ms_p95"] <= market.settings.sweep_window_ms


def test_single_large_orders_cost_precision_where_they_count_as_sweeps(market: SimulatedMarket) -> None:
    each_order = DetectorSettings(sweeps=SweepSettings(orders=1))
    figures = scorecard(market, each_order)["sweep"]
    print(json.dumps(figures))
    assert figures["recall"] > 0.95 and 0.7 < figures["precision"] < 1.0
    assert figures["false_alarms_per_hour"] > 0.0


def test_hours_are_those_of_open_sessions(market: SimulatedMarket) -> None:
    assert detect_all(market)[1] == pytest.approx(2 * 2 * 21.0)


def test_levels_and_prints_alone_show_the_sweeps_and_half_of_the_icebergs(market: SimulatedMarket) -> None:
    said, hours = detect_all(market, as_levels=True)
    assert hours == detect_all(market)[1]
    truth = market.ground_truth()
    sweeps, icebergs = score(said, truth, Detector.SWEEP), score(said, truth, Detector.ICEBERG)
    print(json.dumps({"sweep": sweeps.as_dict(), "iceberg": icebergs.as_dict()}, indent=1))
    assert sweeps.recall > 0.95 and sweeps.precision > 0.95
    assert icebergs.precision > 0.9 and icebergs.recall > 0.4
