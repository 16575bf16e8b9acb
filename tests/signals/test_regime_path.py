"""The regime in force after each event: that of the kernels over the mids, however the stream is cut."""

from __future__ import annotations

import numpy as np
import pytest

from chimera_platform.market.events import EventFlag
from chimera_platform.market.instruments import load_instruments
from chimera_platform.regimes.rules import RegimeRuleSettings
from chimera_platform.signals.regime_path import UNKNOWN, RegimePath
from chimera_platform.simulation.market.simulator import SimulatedMarket

MINUTE = 60_000_000_000


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return SimulatedMarket.from_url("sim://?symbols=XAUUSD,XAGUSD&seed=4&days=1&rate=0.4", load_instruments())


@pytest.fixture(scope="module")
def events(market: SimulatedMarket) -> np.ndarray:
    return np.concatenate(list(market.batches(65_536)))


def test_the_regimes_do_not_depend_on_the_cut_and_change_only_with_a_bar(events: np.ndarray) -> None:
    whole = RegimePath(2).run(events, 0)
    path, parts = RegimePath(2), []
    for first in range(0, len(events), 777):
        parts.append(path.run(events[first : first + 777], first))
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert len(np.unique(whole)) > 3
    for symbol in range(2):
        mine = (events["instrument_id"] == symbol) & (events["flags"] & EventFlag.LAST != 0)
        own, minutes = whole[mine], events["ts_event"][mine] // MINUTE
        changed = np.flatnonzero(np.diff(own)) + 1
        assert (minutes[changed] > minutes[changed - 1]).all()
        assert own[0] == UNKNOWN and UNKNOWN not in own[changed]


def test_no_regime_is_known_before_the_bars_that_it_asks_for(events: np.ndarray) -> None:
    regimes, wanted = RegimePath(2).run(events, 0), RegimeRuleSettings.model_validate({}).history_bars_min
    minutes = (events["ts_event"] - events["ts_event"][0]) // MINUTE
    assert (regimes[minutes < wanted] == UNKNOWN).all()
    assert (regimes[minutes >= 2 * wanted] != UNKNOWN).all()


def test_later_events_change_no_earlier_regime(events: np.ndarray) -> None:
    half = len(events) // 2
    shocked = events.copy()
    shocked["price"][half:] += 500
    before, after = (RegimePath(2).run(e, 0)[:half] for e in (events, shocked))
    np.testing.assert_array_equal(before, after)
