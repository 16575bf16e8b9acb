"""The engines' kernels against their rules in plain Python, on whole streams."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chimera_platform.configuration import Configuration, with_parameters
from chimera_platform.engines.step import SymbolEngines
from chimera_platform.execution.records import Engine
from chimera_platform.market.book import apply_event, best_ask, best_bid, is_tradable, new_books
from chimera_platform.market.instruments import Universe, load_instruments
from chimera_platform.microstructure.feature_names import FEATURE_COUNT
from chimera_platform.microstructure.feature_vector import write_features
from chimera_platform.microstructure.features import new_feature_states, new_feature_windows, update_features
from chimera_platform.microstructure.fitted_microprice import new_microprice_table
from chimera_platform.signals.detectors import (
    DetectorSettings,
    detector_parameters,
    new_detections,
    new_detector_states,
    update_detectors,
)
from chimera_platform.signals.records import Detector, Stage
from chimera_platform.signals.sweeps import SWEEP_EVIDENCE
from tests.reference import engines as reference
from tests.reference import random_market

UNIVERSE = Universe([load_instruments()["XAUUSD"]])
TICK_VALUE = UNIVERSE[0].tick_value_nanos
TRAPPED = SWEEP_EVIDENCE.index("lots_trapped")
TESTED = (Engine.HFT, Engine.STRUCTURE)  # the order-flow engine has its own rules and tests


def observed(events: np.ndarray[Any, Any]) -> list[reference.Observation]:
    """Return what the engines get to see of a stream, by the kernels of book, features and detectors."""
    book, state, windows = new_books(1)[0], new_feature_states(UNIVERSE)[0], new_feature_windows(1)[0]
    params, detectors = detector_parameters(DetectorSettings())[0], new_detector_states(1)[0]
    detections, microprice = new_detections()[0], new_microprice_table()[0]
    seen, said = [], {}
    for event_no, event in enumerate(events):
        apply_event(book, event)
        is_last = update_features(state, windows, book, event)
        rows = update_detectors(params, detectors, book, event, detections, 0)
        said |= sweeps_in(detections["row"][:rows], int(event["ts_event"]))
        if is_last and is_tradable(book):
            vector = np.empty(FEATURE_COUNT)
            write_features(state, windows, book, microprice, vector)
            bid, ask = int(best_bid(book)), int(best_ask(book))
            seen.append(reference.Observation.of(event_no, event, bid, ask, vector, dict(said)))
            said = {side: replace(sweep, is_news=False) for side, sweep in said.items()}
    return seen


def sweeps_in(rows: np.ndarray[Any, Any], ts: int) -> dict[int, reference.SaidOfSweep]:
    return {
        int(row["side"]): reference.SaidOfSweep(
            ts, Stage(row["stage"]), float(row["strength"]), float(row["evidence"][TRAPPED]), True
        )
        for row in rows
        if row["detector"] == Detector.SWEEP
    }


def expected(seen: list[reference.Observation], configuration: Configuration) -> list[reference.Wanted]:
    wanted = reference.hft(seen, configuration.hft, TICK_VALUE) if configuration.hft.enabled else []
    if configuration.structure.enabled:
        wanted += reference.structure(seen, configuration.structure, TICK_VALUE)
    return sorted(wanted, key=lambda w: (w.event_no, w.engine))


def require_equal(intents: np.ndarray[Any, Any], wanted: list[reference.Wanted]) -> None:
    intents = intents[np.isin(intents["engine"], TESTED)]
    for intent, want in zip(intents, wanted, strict=False):
        for name, value in asdict(want).items():
            assert intent[name] == pytest.approx(value, rel=1e-12), f"event {want.event_no}: {name}"
    assert len(intents) == len(wanted)


STREAMS = {
    "quotes": random_market.quotes(9_000, seed=3, step_ns=5_000_000_000),
    "depth": random_market.depth(12_000, seed=4),
    "sparse depth": random_market.depth(9_000, seed=5, step_ns=4_000_000_000),
}
SEEN = {name: observed(events) for name, events in STREAMS.items()}


@pytest.mark.parametrize("name", STREAMS)
def test_engines_want_what_their_rules_say(name: str) -> None:
    intents = SymbolEngines(UNIVERSE, 0, Configuration()).run(STREAMS[name], 0)
    require_equal(intents, expected(SEEN[name], Configuration()))
    assert len(intents) > 20


def test_the_streams_reach_every_branch_of_the_rules() -> None:
    wanted = [w for seen in SEEN.values() for w in expected(seen, Configuration())]
    assert {(w.engine, w.side, w.order_type) for w in wanted} == {
        (0, 1, 1), (0, -1, 1), (1, 1, 1), (1, -1, 1), (1, 1, 2), (1, -1, 2),
    }  # fmt: skip


def section(name: str) -> st.SearchStrategy[dict[str, float]]:
    """Any settings of a section, drawn from the bounds that the optimiser searches."""
    fields: dict[str, st.SearchStrategy[Any]] = {}
    for key, info in Configuration.model_fields[name].annotation.model_fields.items():
        bounds = {type(m).__name__: m for m in info.metadata}
        if info.annotation is bool:
            fields[key] = st.booleans()
        elif info.annotation is int:
            fields[key] = st.integers(bounds["Ge"].ge, bounds["Le"].le)
        else:
            fields[key] = st.floats(bounds["Ge"].ge, bounds["Le"].le)
    return st.fixed_dictionaries({}, optional=fields)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(hft=section("hft"), structure=section("structure"), name=st.sampled_from(sorted(STREAMS)))
def test_engines_follow_their_rules_under_any_settings_within_bounds(
    hft: dict[str, float], structure: dict[str, float], name: str
) -> None:
    """Invariant: for every setting that validation accepts, kernel and rule want the same intents."""
    configuration = with_parameters(Configuration(), {"hft": hft, "structure": structure})
    intents = SymbolEngines(UNIVERSE, 0, configuration).run(STREAMS[name], 0)
    require_equal(intents, expected(SEEN[name], configuration))
