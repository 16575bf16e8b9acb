"""The joined decision path: one order of events in, one order of intents out, whatever the batches are."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.order_flow import many_symbols
from benchmarks.streams import simulator
from chimera_platform.configuration import Configuration, with_parameters
from chimera_platform.coordinator import CoordinatorOutput
from chimera_platform.decision_path import DecisionPath, merge_intents, split_by_instrument
from chimera_platform.engines.step import SymbolEngines
from chimera_platform.errors import ConfigurationError, ReleaseError
from chimera_platform.execution.records import INTENT_DTYPE, Engine
from chimera_platform.market.events import EVENT_DTYPE
from chimera_platform.market.instruments import load_instruments
from chimera_platform.releases import Release
from chimera_platform.simulation.market.simulator import SimulatedMarket

MARKET = SimulatedMarket.from_url("sim://?symbols=XAUUSD,XAGUSD&seed=7&days=1", load_instruments())
EVENTS_COUNT = 30_000


@pytest.fixture(scope="module")
def events() -> np.ndarray[Any, Any]:
    return next(iter(MARKET.batches(EVENTS_COUNT)))


@pytest.fixture(scope="module")
def whole(events: np.ndarray[Any, Any]) -> CoordinatorOutput:
    return path().run(events, 0)


def path() -> DecisionPath:
    return DecisionPath(MARKET.universe, Configuration())


def release(parameters: dict[str, dict[str, float]], weights: dict[str, float] | None = None) -> Release:
    return Release("0" * 32, parameters, weights or {}, None, 0.0, {})


def joined(parts: list[CoordinatorOutput]) -> CoordinatorOutput:
    return CoordinatorOutput(*(np.concatenate(tables) for tables in zip(*parts, strict=True)))


def require_same(left: CoordinatorOutput, right: CoordinatorOutput) -> None:
    for name, one, other in zip(CoordinatorOutput._fields, left, right, strict=True):
        assert one.tobytes() == other.tobytes(), name


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_the_cut_into_batches_changes_no_byte_of_any_table(
    events: np.ndarray[Any, Any], whole: CoordinatorOutput, size: int
) -> None:
    assert min(len(whole.intents), len(whole.orders), len(whole.fills), len(whole.marks)) > 50
    cut, reference = path(), path()
    reference.run(events, 0)
    parts = [cut.run(events[k : k + size], k) for k in range(0, len(events), size)]
    require_same(joined(parts), whole)
    assert cut.state_hash() == reference.state_hash()


@settings(max_examples=8, deadline=None)
@given(cut=st.integers(0, EVENTS_COUNT))
def test_a_path_restored_from_a_snapshot_ends_with_the_same_bytes(cut: int) -> None:
    """Invariant: at any event, snapshot → pickle → restore in a fresh path changes nothing that follows."""
    stream = next(iter(MARKET.batches(EVENTS_COUNT)))
    first, second = path(), path()
    before = first.run(stream[:cut], 0)
    second.restore(pickle.loads(pickle.dumps(first.snapshot())))
    assert second.state_hash() == first.state_hash()
    after = second.run(stream[cut:], cut)
    require_same(joined([before, after]), path().run(stream, 0))


def test_intents_are_ordered_by_event_instrument_and_engine(whole: CoordinatorOutput) -> None:
    keys = list(zip(*(whole.intents[n].tolist() for n in ("event_no", "instrument_id", "engine")), strict=True))
    assert keys == sorted(keys)
    assert set(whole.intents["instrument_id"]) == {0, 1}
    assert set(whole.intents["engine"]) >= {Engine.HFT, Engine.STRUCTURE}
    np.testing.assert_array_equal(whole.intents["intent_no"], np.arange(len(whole.intents)))


def test_a_future_that_is_cut_off_changes_nothing_before_it(
    events: np.ndarray[Any, Any], whole: CoordinatorOutput
) -> None:
    cut = 21_111
    known = path().run(events[:cut], 0)
    for name, rows in zip(CoordinatorOutput._fields, known, strict=True):
        expected = getattr(whole, name)
        assert rows.tobytes() == expected[expected["event_no"] < cut].tobytes(), name


def test_a_release_changes_what_the_path_does_from_its_event_on(
    events: np.ndarray[Any, Any], whole: CoordinatorOutput
) -> None:
    changed = path()
    changed.apply_release(None, 0)
    before = changed.run(events[:15_000], 0)
    changed.apply_release(release({"hft": {"enabled": 0}}, {"structure": 0.0, "order_flow": 0.0}), 1)
    after = changed.run(events[15_000:], 15_000)
    assert before.intents.tobytes() == whole.intents[whole.intents["event_no"] < 15_000].tobytes()
    assert set(after.intents["engine"]) == {Engine.STRUCTURE, Engine.ORDER_FLOW}
    assert set(after.intents["release_no"]) == {1}
    assert not after.decisions["approved"].any()  # the weights leave the engines no capital


@pytest.mark.parametrize(
    ("refused", "error"),
    [
        (release({"hft": {"stop_vols": 99.0}}), ConfigurationError),
        (release({"hft": {"cooldown_ns": 0}}, {"oracle": 1.0}), ReleaseError),
    ],
)
def test_a_release_that_is_refused_changes_no_part_of_the_path(
    events: np.ndarray[Any, Any], whole: CoordinatorOutput, refused: Release, error: type[Exception]
) -> None:
    kept = path()
    with pytest.raises(error):
        kept.apply_release(refused, 1)
    require_same(kept.run(events, 0), whole)


def test_parameters_in_the_configuration_change_what_is_wanted(
    events: np.ndarray[Any, Any], whole: CoordinatorOutput
) -> None:
    eager = with_parameters(Configuration(), {"hft": {"queue_imbalance_min": 0.1, "microprice_edge_min": 0.0}})
    output = DecisionPath(MARKET.universe, eager).run(events, 0)
    assert len(output.intents) > len(whole.intents)


@settings(max_examples=200, deadline=None)
@given(ids=st.lists(st.integers(0, 5), max_size=60), offset=st.sampled_from([0, 3, 1000]))
def test_splitting_puts_every_row_into_its_instrument_once_and_in_order(ids: list[int], offset: int) -> None:
    """Invariant: the parts are the rows of each instrument present, ascending, and together all rows."""
    batch = np.zeros(len(ids), EVENT_DTYPE)
    batch["instrument_id"] = np.array(ids, np.int32) + offset
    parts = split_by_instrument(batch)
    expected = {k + offset: [row for row, own in enumerate(ids) if own == k] for k in sorted(set(ids))}
    assert [instrument for instrument, _ in parts] == list(expected)
    assert {instrument: rows.tolist() for instrument, rows in parts} == expected


def test_merging_orders_equal_events_by_instrument_then_engine() -> None:
    def intents(*keys: tuple[int, int, int]) -> np.ndarray[Any, Any]:
        rows = np.zeros(len(keys), INTENT_DTYPE)
        for row, key in zip(rows, keys, strict=True):
            row["event_no"], row["instrument_id"], row["engine"] = key
        return rows

    merged = merge_intents([intents((4, 1, 0), (4, 1, 1), (9, 1, 0)), intents(), intents((4, 0, 1), (7, 0, 0))])
    keys = merged[["event_no", "instrument_id", "engine"]].tolist()
    assert keys == [(4, 0, 1), (4, 1, 0), (4, 1, 1), (7, 0, 0), (9, 1, 0)]
    assert len(merge_intents([])) == 0


@pytest.mark.slow
def test_hundreds_of_symbols_are_decided_as_each_would_be_alone() -> None:
    stream = many_symbols(simulator(20_000), symbols=200, events_a_symbol=400)
    together = DecisionPath(stream.universe, Configuration())
    intents = np.concatenate(
        [together.run(events, 1_000 * k).intents for k, events in enumerate(stream.batches(1_000))]
    )
    wanted = 0
    for k in (0, 1, 99, 199):
        own = stream.events[stream.events["instrument_id"] == k]
        alone = SymbolEngines(stream.universe, k, Configuration()).run(own, 0)
        found = intents[intents["instrument_id"] == k]
        for name in ("ts_event", "seq", "engine", "reason", "side", "size", "stop_distance", "confidence", "features"):
            np.testing.assert_array_equal(found[name], alone[name])
        wanted += len(alone)
    assert wanted > 0
