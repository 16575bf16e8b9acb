from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.errors import DataError
from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind
from chimera_platform.market.instruments import Universe, load_instruments
from chimera_platform.market.sources import open_source
from chimera_platform.signals import detector_stream
from chimera_platform.signals.absorption import AbsorptionSettings
from chimera_platform.signals.detector_stream import DetectorStream
from chimera_platform.signals.detectors import DetectorSettings
from chimera_platform.signals.icebergs import IcebergSettings
from chimera_platform.signals.records import Detector, Stage
from chimera_platform.signals.sweeps import SweepSettings
from chimera_platform.simulation.market.simulator import SimulatedMarket
from tests.reference.detectors_sweep_iceberg import detections as by_definition
from tests.reference.event_streams import event_streams
from tests.reference.random_market import depth, interleaved

KNOWN = load_instruments()
UNIVERSE = Universe([KNOWN["XAUUSD"], KNOWN["XAGUSD"]])
# Easy to meet, so that random streams of a few records go through every stage.
EAGER = DetectorSettings(
    sweeps=SweepSettings(window_ms=400, levels=3, forming_levels=1, depth_share=0.7, depth_levels=3, return_ms=4000),
    icebergs=IcebergSettings(refill_ms=900, synthetic_refills=2, regularity=0.8, idle_ms=9000),
    absorption=AbsorptionSettings(volume_multiple=3.0, warm_trades=1, window_ms=5000),
)
OWN = (Detector.SWEEP, Detector.ICEBERG)


def ordered(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the sweeps and icebergs of a table in an order that does not hang on a table's internal one."""
    rows = rows[np.isin(rows["detector"], OWN)]
    return rows[np.lexsort((rows["stage"], rows["ts_start"], rows["price_low"], rows["detector"], rows["event_no"]))]


def said(
    events: np.ndarray[Any, Any], chosen: DetectorSettings = EAGER, cut: int | None = None
) -> np.ndarray[Any, Any]:
    stream = DetectorStream(UNIVERSE, chosen)
    cut = cut or max(len(events), 1)
    parts = [stream.run(events[i : i + cut], i) for i in range(0, len(events), cut)]
    return np.concatenate(parts)


def same_but_numbers(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> bool:
    """Whether two tables agree; icebergs found at one event may be numbered in either order."""
    names = [name for name in a.dtype.names or () if name != "detection_no"]
    return len(a) == len(b) and all(np.array_equal(a[name], b[name]) for name in names)


@st.composite
def trading_streams(draw: st.DrawFn) -> Any:
    """Streams of trades through a ladder of levels, with refills, in bursts: L3 with ids, or L2 with prints."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return ladder(rng, draw(st.integers(20, 150)), by_order=draw(st.booleans()))


def ladder(rng: np.random.Generator, count: int, by_order: bool) -> np.ndarray[Any, Any]:
    events = np.zeros(count, EVENT_DTYPE)
    events["ts_event"] = np.cumsum(rng.choice([0, 1, 10**8, 10**9, 5 * 10**9], count, p=[0.4, 0.2, 0.25, 0.1, 0.05]))
    events["instrument_id"] = rng.integers(0, 2, count)
    events["flags"] = np.where(rng.random(count) < 0.8, EventFlag.LAST, 0)
    kinds = [EventKind.ADD, EventKind.EXECUTE, EventKind.DELETE, EventKind.CANCEL]
    if by_order:
        events["kind"] = rng.choice(kinds, count, p=[0.45, 0.45, 0.07, 0.03])
        events["order_id"] = rng.integers(0, 12, count)
    else:
        events["kind"] = rng.choice([EventKind.LEVEL, EventKind.TRADE], count)
    events["side"] = rng.choice([1, -1, -1, -1], count)
    offset = rng.integers(1, 5, count)
    resting = np.where(events["kind"] == EventKind.TRADE, -events["side"], events["side"]).astype(np.int64)
    events["price"] = 100 - resting * np.where(rng.random(count) < 0.95, offset, -1)
    events["size"] = rng.integers(0, 4, count)
    return events


@given(st.one_of(event_streams(instruments=2), trading_streams()))
@settings(max_examples=150, deadline=None)
def test_the_kernels_say_what_the_definitions_say(events: np.ndarray[Any, Any]) -> None:
    """Sweeps and icebergs equal the naive reference on every stream, crossed, one-sided and broken ones too."""
    reference = by_definition(events, 2, EAGER.sweeps, EAGER.icebergs)
    assert same_but_numbers(ordered(said(events)), ordered(reference))


@given(trading_streams(), st.integers(0, 12), st.sampled_from([0.0, 0.0101, 0.0197, 0.029]), st.floats(0.0, 1.0))
@settings(max_examples=100, deadline=None)
def test_the_least_volume_move_and_refill_are_those_of_the_definitions(
    events: np.ndarray[Any, Any], lots: int, move: float, refill: float
) -> None:
    """With any of the three limits sweeps and icebergs equal the naive reference."""
    sweeps = EAGER.sweeps.model_copy(update={"lots_min": lots, "move_min": move})
    icebergs = EAGER.icebergs.model_copy(update={"refill_share_min": refill})
    chosen = EAGER.model_copy(update={"sweeps": sweeps, "icebergs": icebergs})
    assert same_but_numbers(ordered(said(events, chosen)), ordered(by_definition(events, 2, sweeps, icebergs)))


@pytest.mark.parametrize("by_order", [True, False])
def test_the_streams_of_the_comparison_reach_every_stage(by_order: bool) -> None:
    rows = said(ladder(np.random.default_rng(3), 6000, by_order))
    for detector in OWN:
        assert set(rows["stage"][rows["detector"] == detector]) >= {Stage.CONFIRMED, Stage.FAILED}
    reference = by_definition(ladder(np.random.default_rng(3), 6000, by_order), 2, EAGER.sweeps, EAGER.icebergs)
    assert same_but_numbers(ordered(rows), ordered(reference))


@pytest.fixture(scope="module")
def market() -> np.ndarray[Any, Any]:
    simulated = SimulatedMarket.from_url("sim://?days=1&rate=0.2&seed=4&sweeps_a_day=80&icebergs_a_day=80", KNOWN)
    return np.concatenate(list(simulated.batches(65_536)))


def test_the_kernels_agree_with_the_definitions_on_a_simulated_day(market: np.ndarray[Any, Any]) -> None:
    events = market[:25_000]
    chosen = DetectorSettings()
    reference = by_definition(events, 2, chosen.sweeps, chosen.icebergs)
    assert (reference["evidence"][reference["detector"] == Detector.SWEEP][:, 3] > 0).any(), "none was trapped"
    assert len(reference) > 50 and same_but_numbers(ordered(said(events, chosen)), ordered(reference))


@pytest.mark.parametrize("cut", [1, 7, 4096])
def test_detections_do_not_depend_on_the_cut_into_batches(market: np.ndarray[Any, Any], cut: int) -> None:
    events = np.concatenate([market[:9000], interleaved([depth(3000, 1, 0), depth(3000, 2, 1)])])
    whole = said(events)
    assert len(whole) > 100 and whole.tobytes() == said(events, cut=cut).tobytes()


def test_nothing_is_said_that_needs_the_future(market: np.ndarray[Any, Any]) -> None:
    whole = said(market[:12_000])
    for end in (1, 3001, 7777, 11_999):
        known = whole[whole["event_no"] < end]
        assert said(market[:end]).tobytes() == known.tobytes()
        changed = market[:12_000].copy()
        changed["size"][end:] *= 3
        changed["price"][end:] += 1
        after = said(changed)
        assert after[after["event_no"] < end].tobytes() == known.tobytes()


def test_a_full_output_buffer_loses_nothing(market: np.ndarray[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = said(market)
    monkeypatch.setattr(detector_stream, "_FIRST_ROWS", detector_stream.DETECTION_ROWS_MAX)
    assert len(whole) > 300 and said(market).tobytes() == whole.tobytes()
    assert set(whole["detector"]) >= {Detector.SWEEP, Detector.ICEBERG, Detector.ABSORPTION}


def test_every_detector_speaks_in_one_stream_whatever_the_cut() -> None:
    """On a market with every pattern, all detectors together give the same rows for every cut."""
    url = "sim://?days=1&seed=4&droughts_a_day=60&stop_runs_a_day=60&absorptions_a_day=30"
    events = np.concatenate(list(SimulatedMarket.from_url(url, KNOWN).batches(65_536)))[:120_000]
    whole = said(events, DetectorSettings())
    assert set(whole["detector"][whole["stage"] == Stage.CONFIRMED]) >= set(Detector) - {Detector.STACKED_ABSORPTION}
    assert said(events, DetectorSettings(), cut=997).tobytes() == whole.tobytes()


def test_a_restored_stream_goes_on_as_the_first_would(market: np.ndarray[Any, Any]) -> None:
    first, second = DetectorStream(UNIVERSE, EAGER), DetectorStream(UNIVERSE, EAGER)
    first.run(market[:10_000], 0)
    kept = pickle.dumps(first.snapshot())
    later = first.run(market[10_000:], 10_000)
    second.run(market[:500], 0)
    second.restore(pickle.loads(kept))
    assert len(later) > 50 and second.run(market[10_000:], 10_000).tobytes() == later.tobytes()


def test_a_snapshot_of_other_instruments_and_an_unknown_instrument_are_refused(market: np.ndarray[Any, Any]) -> None:
    alone = DetectorStream(Universe([KNOWN["XAUUSD"]]))
    with pytest.raises(DataError, match="2 instruments"):
        alone.restore(DetectorStream(UNIVERSE).snapshot())
    with pytest.raises(DataError, match="instrument_id 0 to 1"):
        alone.run(market, 0)
    assert len(alone.run(market[:0], 0)) == 0


@pytest.mark.real_data
def test_real_orders_give_what_the_definitions_say_whether_ten_levels_are_shown_or_one(real_data: Path) -> None:
    counts = {}
    for levels in (10, 1):
        archive = real_data / "lobster" / f"LOBSTER_SampleFile_GOOG_2012-06-21_{levels}.zip"
        source = open_source([archive], "lobster", KNOWN)
        events, chosen = next(iter(source.batches(30_000))), DetectorSettings()
        rows = DetectorStream(source.universe).run(events, 0)
        reference = by_definition(events, 1, chosen.sweeps, chosen.icebergs)
        assert len(rows) > 30 and same_but_numbers(ordered(rows), ordered(reference))
        whole = np.concatenate([*source.batches(65_536)])
        confirmed = DetectorStream(source.universe).run(whole, 0)
        counts[levels] = int(((confirmed["stage"] == Stage.CONFIRMED) & np.isin(confirmed["detector"], OWN)).sum())
    print(f"confirmed: {counts}")
    assert counts[10] > 30 and abs(counts[10] - counts[1]) <= 0.1 * counts[10]
