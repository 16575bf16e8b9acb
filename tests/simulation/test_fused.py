"""The fused loop: the rows, states and errors of the two halves apart, byte for byte."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.configuration import Configuration, with_parameters
from chimera_platform.coordination.state import new_rows
from chimera_platform.coordinator import CoordinatorOutput
from chimera_platform.decision_path import DecisionPath
from chimera_platform.digest import digest_of
from chimera_platform.errors import CapacityError, ReleaseError
from chimera_platform.market.instruments import Universe, load_instruments
from chimera_platform.market.sources import EventSource, open_source
from chimera_platform.portfolio.market_path import MarketObserver, new_market_paths
from chimera_platform.releases import Release
from chimera_platform.simulation.backtest import fused
from chimera_platform.simulation.backtest.fused import Arena, FusedPath
from chimera_platform.simulation.backtest.sweep import hold
from chimera_platform.simulation.market.simulator import SimulatedMarket
from tests.engines.test_symbol_engines import QUOTES, UNIVERSE, model

Array = np.ndarray[Any, Any]
INSTRUMENTS = load_instruments()
MARKET = SimulatedMarket.from_url("sim://?symbols=XAUUSD,XAGUSD&seed=11&days=2&rate=0.3", INSTRUMENTS)
EVENTS = hold(MARKET, 25_000).events
EAGER = with_parameters(
    Configuration(), {"hft": {"queue_imbalance_min": 0.1, "cooldown_ns": 0}, "order_flow": {"cooldown_ns": 0}}
)
MODEL = model()
RELEASES: tuple[Release | None, ...] = (
    Release("1" * 32, {"hft": {"cooldown_ns": 500_000_000}}, {"structure": 0.5}, None, 0.0, {}),
    Release("2" * 32, {}, {"hft": 2.0}, MODEL, 0.45, {}),
    None,
)
PathType = Callable[[Universe, Configuration], DecisionPath]


def run(
    path: DecisionPath, events: Array, cuts: Sequence[int] = (), releases: dict[int, Release | None] | None = None
) -> CoordinatorOutput:
    """Run the events cut at ``cuts``; ``releases`` are put in force at the cuts that they name."""
    edges = sorted({0, len(events), *cuts})
    parts = []
    for number, (start, end) in enumerate(itertools.pairwise(edges), start=1):
        if releases is not None and start in releases:
            path.apply_release(releases[start], number)
        parts.append(path.run(events[start:end], start))
    return CoordinatorOutput(*(np.concatenate(tables) for tables in zip(*parts, strict=True)))


def require_same(left: CoordinatorOutput, right: CoordinatorOutput) -> None:
    for name, one, other in zip(CoordinatorOutput._fields, left, right, strict=True):
        assert one.dtype == other.dtype and one.tobytes() == other.tobytes(), name
    assert digest_of(left.intents, left.orders, left.fills) == digest_of(right.intents, right.orders, right.fills)


@pytest.fixture(scope="module")
def apart() -> tuple[CoordinatorOutput, str]:
    path = DecisionPath(MARKET.universe, EAGER)
    return run(path, EVENTS), path.state_hash()


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(1, len(EVENTS) - 1), max_size=12))
def test_rows_and_state_are_those_of_the_halves_apart_however_the_events_are_cut(
    apart: tuple[CoordinatorOutput, str], cuts: list[int]
) -> None:
    """Invariant: for any batches, the fused loop writes the same bytes and ends in the same state."""
    path = FusedPath(MARKET.universe, EAGER)
    require_same(run(path, EVENTS, cuts), apart[0])
    assert path.state_hash() == apart[1]
    assert min(len(table) for table in apart[0][:5]) > 50 and len(apart[0].risk_marks) > 50


def test_batches_of_one_event_give_the_same_bytes(apart: tuple[CoordinatorOutput, str]) -> None:
    path = FusedPath(MARKET.universe, EAGER)
    few = run(path, EVENTS[:3_000], range(3_000))
    for name, rows in zip(CoordinatorOutput._fields, few, strict=True):
        whole = getattr(apart[0], name)
        assert rows.tobytes() == whole[whole["event_no"] < 3_000].tobytes(), name


@settings(max_examples=8, deadline=None)
@given(
    changes=st.lists(
        st.tuples(st.integers(1, len(EVENTS) - 1), st.sampled_from(range(len(RELEASES)))), min_size=1, max_size=5
    ),
    cuts=st.lists(st.integers(1, len(EVENTS) - 1), max_size=4),
)
def test_releases_between_events_take_over_alike(changes: list[tuple[int, int]], cuts: list[int]) -> None:
    """Invariant: whatever releases come when, weights, parameters and models count from the same event on."""
    releases = {at: RELEASES[k] for at, k in changes}
    edges = [*cuts, *releases]
    one, other = FusedPath(MARKET.universe, Configuration()), DecisionPath(MARKET.universe, Configuration())
    require_same(run(one, EVENTS, edges, releases), run(other, EVENTS, edges, releases))
    assert one.state_hash() == other.state_hash()


@settings(max_examples=5, deadline=None)
@given(cut=st.integers(0, len(EVENTS)))
def test_snapshots_pass_between_the_fused_path_and_the_halves_apart(
    apart: tuple[CoordinatorOutput, str], cut: int
) -> None:
    """Invariant: either may go on from the other's snapshot, at any event."""
    types: tuple[PathType, PathType] = (FusedPath, DecisionPath)
    for first, second in (types, types[::-1]):
        begun, resumed = first(MARKET.universe, EAGER), second(MARKET.universe, EAGER)
        before = begun.run(EVENTS[:cut], 0)
        resumed.restore(pickle.loads(pickle.dumps(begun.snapshot())))
        assert resumed.state_hash() == begun.state_hash()
        after = resumed.run(EVENTS[cut:], cut)
        joined = CoordinatorOutput(*(np.concatenate(tables) for tables in zip(before, after, strict=True)))
        require_same(joined, apart[0])


def test_an_arena_used_again_leaves_no_trace(apart: tuple[CoordinatorOutput, str]) -> None:
    arena = Arena(MARKET.universe)
    run(FusedPath(MARKET.universe, Configuration(), arena), EVENTS[5_000:])
    again = FusedPath(MARKET.universe, EAGER, arena)
    assert again.state_hash() == FusedPath(MARKET.universe, EAGER).state_hash()
    require_same(run(again, EVENTS), apart[0])
    assert again.state_hash() == apart[1]


def test_what_the_markets_did_is_noted_on_the_way_as_an_observer_does(apart: tuple[CoordinatorOutput, str]) -> None:
    market, observer = new_market_paths(MARKET.universe.records), MarketObserver(MARKET.universe.records)
    require_same(run(FusedPath(MARKET.universe, EAGER, market=market), EVENTS, [7_000]), apart[0])
    observer.observe(EVENTS)
    for noted, expected in zip(market, observer.market, strict=True):
        assert noted.tobytes() == expected.tobytes()
    assert (market.paths["count"] > 100).all()


def test_buffers_that_fill_up_within_a_batch_change_nothing(
    apart: tuple[CoordinatorOutput, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fused, "_INTENT_ROWS", 4)
    monkeypatch.setattr(fused, "_OTHER_ROWS", 1)
    require_same(run(FusedPath(MARKET.universe, EAGER), EVENTS), apart[0])


def test_buffers_too_small_for_one_event_are_an_error_and_no_endless_loop() -> None:
    path = FusedPath(MARKET.universe, EAGER)
    path._rows = new_rows(1)
    with pytest.raises(CapacityError, match="buffers of 1 rows"):
        path.run(EVENTS, 0)


def test_a_release_that_is_refused_changes_nothing(apart: tuple[CoordinatorOutput, str]) -> None:
    path = FusedPath(MARKET.universe, EAGER)
    with pytest.raises(ReleaseError):
        path.apply_release(Release("3" * 32, {}, {"oracle": 1.0}, None, 0.0, {}), 1)
    require_same(run(path, EVENTS), apart[0])


@pytest.mark.parametrize("number", [-1, 2])
def test_an_event_of_no_instrument_is_the_same_error(number: int) -> None:
    broken = EVENTS[:2_000].copy()
    broken["instrument_id"][1_500] = number
    with pytest.raises(ValueError, match=f"event 1500 of the batch is of instrument_id {number}"):
        FusedPath(MARKET.universe, EAGER).run(broken, 0)


def test_exposure_beyond_what_is_exact_stops_both_with_the_same_error() -> None:
    events = QUOTES.copy()
    events["price"][4_000:] *= 1_000_000
    events["ask_price"][4_000:] *= 1_000_000
    messages = []
    for path in (FusedPath(UNIVERSE, EAGER), DecisionPath(UNIVERSE, EAGER)):
        with pytest.raises(CapacityError) as caught:
            path.run(events, 0)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_no_events_give_no_rows_and_read_only_events_are_taken() -> None:
    path = FusedPath(MARKET.universe, EAGER)
    assert [len(table) for table in path.run(EVENTS[:0], 0)] == [0] * 7
    frozen = EVENTS[:4_000].copy()
    frozen.setflags(write=False)
    require_same(path.run(frozen, 0), DecisionPath(MARKET.universe, EAGER).run(EVENTS[:4_000], 0))


@pytest.mark.real_data
@pytest.mark.parametrize(
    "files",
    [
        ("lobster/LOBSTER_SampleFile_GOOG_2012-06-21_10.zip",),
        ("binance/usdm_btcusdt_20240808.gz",),
        ("oanda/tick/xauusd/20140505_quote.zip",),
    ],
    ids=["lobster", "binance", "oanda"],
)
def test_real_markets_give_the_same_bytes(real_data: Path, files: tuple[str, ...]) -> None:
    source: EventSource = open_source([real_data / file for file in files], None, INSTRUMENTS)
    events = hold(source, 120_000).events
    rng = np.random.default_rng(5)
    cuts = rng.integers(1, len(events), 3).tolist()
    releases = {cuts[0]: RELEASES[0], cuts[1]: RELEASES[1], cuts[2]: None}
    one, other = FusedPath(source.universe, EAGER), DecisionPath(source.universe, EAGER)
    whole = run(other, events, cuts, releases)
    require_same(run(one, events, cuts, releases), whole)
    assert one.state_hash() == other.state_hash()
    assert len(whole.fills) > 20
