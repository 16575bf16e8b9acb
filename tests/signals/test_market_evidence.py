"""Evidence of a whole source: the moments are the detectors' own, with what the price did, session and regime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chimera_platform.learning.quotes import QuotePath
from chimera_platform.market.city_sessions import CitySession, city_sessions
from chimera_platform.market.instruments import load_instruments
from chimera_platform.market.sources import open_source
from chimera_platform.signals.detector_stream import DetectorStream
from chimera_platform.signals.directional import SIGNALS, SWEEP_REVERSAL, directions, signal_numbers
from chimera_platform.signals.market_evidence import SymbolEvidence, gather_evidence
from chimera_platform.signals.records import DETECTION_DTYPE, Detector, Stage
from chimera_platform.simulation.market.simulator import SimulatedMarket

URL = "sim://?symbols=XAUUSD,XAGUSD&seed=4&days=1&rate=0.4&sweeps_a_day=80"


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return SimulatedMarket.from_url(URL, load_instruments())


@pytest.fixture(scope="module")
def evidence(market: SimulatedMarket) -> list[SymbolEvidence]:
    return gather_evidence(market)


def test_a_signal_is_a_confirmed_detection_or_a_sweep_that_came_back() -> None:
    rows = np.zeros(5, DETECTION_DTYPE)
    rows["detector"] = [Detector.SWEEP, Detector.SWEEP, Detector.SWEEP, Detector.ICEBERG, Detector.SWEEP]
    rows["stage"] = [Stage.CONFIRMED, Stage.FAILED, Stage.FAILED, Stage.FAILED, Stage.FORMING]
    rows["side"] = [1, 1, 1, -1, 1]
    rows["evidence"][1, 3] = 12  # lots trapped: it had been confirmed
    numbers = signal_numbers(rows)
    assert [SIGNALS[k].name if k >= 0 else None for k in numbers] == ["sweep", SWEEP_REVERSAL, None, None, None]
    assert directions(rows, numbers).tolist() == [1, -1, 0, 0, 0]


def test_the_moments_are_the_detections_and_the_changes_those_of_the_quotes(
    market: SimulatedMarket, evidence: list[SymbolEvidence]
) -> None:
    events = np.concatenate(list(market.batches(65_536)))
    said, quotes = DetectorStream(market.universe).run(events, 0), QuotePath(2).run(events, 0)
    for k, symbol in enumerate(evidence):
        mine = said[(said["instrument_id"] == k) & (said["detector"] == Detector.SWEEP)]
        mine = mine[mine["stage"] == Stage.CONFIRMED]
        sweeps = symbol.moments["sweep"]
        assert len(sweeps) > 20
        np.testing.assert_array_equal(sweeps["ts_event"], mine["ts_event"])
        np.testing.assert_array_equal(sweeps["direction"], mine["side"])
        own = quotes[quotes["instrument_id"] == k]
        mids = (own["bid_price"] + own["ask_price"]) / 2
        for row, detection in zip(sweeps, mine, strict=True):
            start = mids[own["event_no"] <= detection["event_no"]][-1]
            end = mids[own["ts_event"] <= detection["ts_event"] + 10_000_000_000][-1]
            assert row["change"][1] == end - start
        np.testing.assert_array_equal(sweeps["session"], city_sessions(sweeps["ts_event"]))


def test_evidence_has_every_session_and_several_regimes(evidence: list[SymbolEvidence]) -> None:
    for symbol in evidence:
        assert set(np.unique(symbol.every["session"])) == {int(s) for s in CitySession}
        assert len(np.unique(symbol.every["regime"])) >= 4
        assert (np.diff(symbol.every["ts_event"]) > 0).all()
        assert symbol.hours == pytest.approx(21.0, abs=0.1)


def test_what_is_known_of_a_moment_does_not_change_with_what_comes_later(
    market: SimulatedMarket, evidence: list[SymbolEvidence]
) -> None:
    class FirstHalf:
        """The market, ended early."""

        universe, description = market.universe, "half"

        def batches(self, batch_size: int, start: int = 0):
            events = np.concatenate(list(market.batches(65_536)))
            yield events[: len(events) // 2]

    for whole, half in zip(evidence, gather_evidence(FirstHalf()), strict=True):
        for name, moments in half.moments.items():
            same = whole.moments[name][: len(moments)]
            for field in ("ts_event", "direction", "spread", "session", "regime"):
                np.testing.assert_array_equal(moments[field], same[field])
            known = ~np.isnan(moments["change"])
            np.testing.assert_array_equal(moments["change"][known], same["change"][known])


def test_real_orders_give_evidence(real_data: Path) -> None:
    source = open_source([real_data / "lobster/LOBSTER_SampleFile_GOOG_2012-06-21_10.zip"], None, load_instruments())
    (google,) = gather_evidence(source)
    assert google.symbol == "GOOG" and len(google.moments["sweep"]) >= 30
    assert set(np.unique(google.every["session"])) == {int(CitySession.NEW_YORK)}
    assert google.hours == pytest.approx(6.5, abs=0.01)
