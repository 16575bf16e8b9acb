"""Recomputed features are those that the engines saw, under whatever release was in force."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chimera_platform.configuration import Configuration
from chimera_platform.engines.step import SymbolEngines
from chimera_platform.market.instruments import Universe, load_instruments
from chimera_platform.microstructure.feature_names import Feature
from chimera_platform.microstructure.feature_stream import FeatureStream
from chimera_platform.release_microprice import tables_of
from chimera_platform.releases import ReleaseStore
from chimera_platform.simulation.market.simulator import SimulatedMarket
from pipelines.feature_replay import FeatureReplay

KNOWN = load_instruments()
UNIVERSE = Universe([KNOWN["XAUUSD"]])
EDGE = Feature.FITTED_MICROPRICE_EDGE
CHANGE = 4_001  # event from which the release is in force
TABLE = {"imbalance_bins": 3, "spread_step": 200, "rows": [[-40.0, 0.0, 40.0], [-90.0, 0.0, 90.0]]}


@pytest.fixture(scope="module")
def events() -> np.ndarray[Any, Any]:
    market = SimulatedMarket.from_url("sim://?symbols=XAUUSD&days=1&seed=3&sweeps_a_day=200", KNOWN)
    return next(iter(market.batches(20_000)))


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    return ReleaseStore(tmp_path / "releases")


def fitted(store: ReleaseStore) -> str:
    return store.create({}, {}, None, 0.0, {}, tables_of({"XAUUSD": TABLE}, "test")).id


def replayed(events: Any, changes: Any, store: ReleaseStore, cut: int = 10**9) -> tuple[Any, Any]:
    replay = FeatureReplay(UNIVERSE, changes, store)
    parts = [(i, replay.run(events[i : i + cut], i)) for i in range(0, len(events), cut)]
    return np.concatenate([p + i for i, (p, _) in parts]), np.concatenate([v for _, (_, v) in parts])


def same(a: Any, b: Any) -> bool:
    return bool(((a == b) | (np.isnan(a) & np.isnan(b))).all())


def test_without_releases_it_is_the_feature_stream(events: Any, store: ReleaseStore) -> None:
    positions, values = FeatureStream(UNIVERSE).run(events)
    found, again = replayed(events, [(0, "")], store)
    assert np.array_equal(found, positions) and same(again, values)


@pytest.mark.parametrize("cut", [10**9, 1000, 4001])
def test_a_microprice_counts_from_the_first_event_under_its_release(events: Any, store: ReleaseStore, cut: int) -> None:
    changes = [(0, ""), (CHANGE, fitted(store)), (9_000, "")]
    positions, values = replayed(events, changes, store, cut)
    edge, rest = values[:, EDGE], np.delete(values, EDGE, axis=1)
    under = (positions >= CHANGE) & (positions < 9_000)
    assert np.isnan(edge[~under]).all() and np.isfinite(edge[under]).mean() > 0.9 and (edge[under] != 0).any()
    assert same(rest, np.delete(FeatureStream(UNIVERSE).run(events)[1], EDGE, axis=1))


def test_a_release_that_is_gone_counts_as_without_microprices(events: Any, store: ReleaseStore) -> None:
    _, values = replayed(events, [(0, ""), (CHANGE, "0" * 32)], store)
    assert np.isnan(values[:, EDGE]).all()


def test_the_engines_record_what_the_replay_recomputes(events: Any, store: ReleaseStore) -> None:
    release_id = fitted(store)
    engines = SymbolEngines(UNIVERSE, 0, Configuration())
    before = engines.run(events[:CHANGE], 0)
    engines.apply_release(store.load(release_id), 1)
    after = engines.run(events[CHANGE:], CHANGE)
    positions, values = replayed(events, [(0, ""), (CHANGE, release_id)], store)
    for intents in (before, after):
        rows = np.searchsorted(positions, intents["event_no"])
        assert len(intents) and same(values[rows], intents["features"])
    assert np.isnan(before["features"][:, EDGE]).all() and np.isfinite(after["features"][:, EDGE]).any()
