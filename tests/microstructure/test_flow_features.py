"""Invariant: the incremental order-flow features equal their batch definitions at every source event."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.market.events import BUY, SELL, EventKind
from chimera_platform.market.instruments import Universe, load_instruments
from chimera_platform.market.sources import open_source
from chimera_platform.microstructure.feature_names import FEATURE_COUNT
from chimera_platform.microstructure.feature_page import feature_page
from chimera_platform.microstructure.feature_stream import TABLE_NAMES, FeatureStream, FlowFeatureStream
from chimera_platform.microstructure.flow_feature_names import FLOW_FEATURE_DESCRIPTIONS, FlowFeature
from chimera_platform.microstructure.flow_feature_vpin import FlowFeatureSettings
from chimera_platform.microstructure.flow_feature_windows import FLOW_WINDOWS_DTYPE
from chimera_platform.microstructure.flow_features import FLOW_FEATURE_STATE_DTYPE
from tests.reference.event_streams import SECOND, event_streams, make_events
from tests.reference.flow_features import batch_flow_features

Array = np.ndarray[Any, Any]
GOOG = load_instruments()["GOOG"]
TICK = float(GOOG.tick_size)
MIDNIGHT = 19_000 * 86_400 * SECOND
SMALL_BUCKETS = FlowFeatureSettings(vpin_calibration_prints=3, vpin_bucket_prints=1, vpin_buckets=4)


def run_kernel(events: Array, chosen: FlowFeatureSettings | None = None) -> Array:
    return FlowFeatureStream(Universe([GOOG]), settings=chosen).run(events)[1][:, FEATURE_COUNT:]


def assert_equal(kernel: Array, batch: Array) -> None:
    assert kernel.shape == batch.shape
    for feature in FlowFeature:
        np.testing.assert_allclose(
            kernel[:, feature], batch[:, feature], rtol=1e-9, atol=1e-14, err_msg=feature.name
        )  # fmt: skip


def level(side: int, price: int, size: int, **more: int) -> dict[str, int]:
    return {"kind": EventKind.LEVEL, "side": side, "price": price, "size": size, **more}


def trade(side: int, price: int, size: int, **more: int) -> dict[str, int]:
    return {"kind": EventKind.TRADE, "side": side, "price": price, "size": size, **more}


def random_market(seed: int, n: int, mean_step_s: float) -> Array:
    """Quotes that walk, with prints among them."""
    rng = np.random.default_rng(seed)
    ts = MIDNIGHT - 100 * SECOND + np.cumsum(rng.exponential(mean_step_s, n) * SECOND).astype(np.int64)
    rows, bid = [], 100_000
    for t in ts:
        if rng.random() < 0.4:
            rows.append(trade(int(rng.integers(-1, 2)), bid + int(rng.integers(-1, 3)), int(rng.integers(1, 9))))
        else:
            bid += int(rng.integers(-3, 4))
            size, ask_size = (int(x) for x in rng.integers(1, 9, 2))
            rows.append({"kind": EventKind.QUOTE, "price": bid, "size": size, "ask_size": ask_size})
            rows[-1]["ask_price"] = bid + int(rng.integers(1, 4))
        rows[-1]["ts_event"] = int(t)
    return make_events(*rows)


@settings(max_examples=120, deadline=None)
@given(event_streams(start_ns=MIDNIGHT - 20 * SECOND))
def test_the_kernel_equals_the_batch_definitions_on_any_stream(events: Array) -> None:
    assert_equal(run_kernel(events, SMALL_BUCKETS), batch_flow_features(events, TICK, SMALL_BUCKETS))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.05, 0.4, 2.0, 9.0]))
def test_long_streams_fill_every_window_and_agree(seed: int, mean_step_s: float) -> None:
    events = random_market(seed, 400, mean_step_s)
    assert_equal(run_kernel(events, SMALL_BUCKETS), batch_flow_features(events, TICK, SMALL_BUCKETS))


def test_every_feature_is_defined_in_a_busy_market() -> None:
    values = run_kernel(random_market(1, 3_000, 0.5), SMALL_BUCKETS)
    assert not np.isnan(values[-1]).any()
    varied = {f.name for f in FlowFeature if len(np.unique(values[-500:, f])) > 1}
    constant = {f"MLOFI_{w}_{k}" for w in ("EVENT", "10S") for k in range(2, 6)} | {"CANCEL_TO_TRADE_60S"}
    assert varied == {f.name for f in FlowFeature} - constant, "quotes have one level and are never cancelled"


@settings(max_examples=40, deadline=None)
@given(event_streams(instruments=2), st.lists(st.integers(0, 200), max_size=6))
def test_flow_features_do_not_depend_on_how_the_stream_is_cut(events: Array, cuts: list[int]) -> None:
    universe = Universe([GOOG, load_instruments()["AMZN"]])
    whole, cut = (FlowFeatureStream(universe, settings=SMALL_BUCKETS) for _ in range(2))
    values = whole.run(events)[1]
    bounds = sorted({0, len(events), *(min(c, len(events)) for c in cuts)})
    assert np.concatenate([cut.run(events[b:e])[1] for b, e in pairwise(bounds)]).tobytes() == values.tobytes()
    assert cut.flow_states.tobytes() == whole.flow_states.tobytes()
    assert cut.flow_windows.tobytes() == whole.flow_windows.tobytes()


@settings(max_examples=40, deadline=None)
@given(event_streams(), event_streams(), st.floats(0, 1))
def test_what_comes_later_changes_nothing_before(events: Array, other: Array, share: float) -> None:
    ends = np.flatnonzero(events["flags"] & 1) + 1
    cut = int(ends[int(share * (len(ends) - 1))])
    perturbed = np.concatenate([events[:cut], other])
    rows = int((events["flags"][:cut] & 1).sum())
    assert run_kernel(events)[:rows].tobytes() == run_kernel(perturbed)[:rows].tobytes()


@settings(max_examples=40, deadline=None)
@given(event_streams())
def test_the_first_kernel_is_unchanged_and_nothing_is_infinite(events: Array) -> None:
    both = FlowFeatureStream(Universe([GOOG])).run(events)[1]
    assert (
        np.ascontiguousarray(both[:, :FEATURE_COUNT]).tobytes()
        == FeatureStream(Universe([GOOG])).run(events)[1].tobytes()
    )
    assert not np.isinf(both).any()


def test_huge_prices_and_sizes_stay_defined() -> None:
    huge = 2**52
    events = make_events(
        level(BUY, huge, huge, flags=0), level(SELL, huge + 1, 1), trade(BUY, huge + 1, huge), trade(SELL, huge, huge)
    )
    values = run_kernel(events, SMALL_BUCKETS)
    assert not np.isinf(values).any()
    assert values[1, FlowFeature.CUMULATIVE_DELTA] == huge
    assert values[2, FlowFeature.CUMULATIVE_DELTA] == 0


def test_a_refilled_touch_counts_by_its_share() -> None:
    events = make_events(
        level(BUY, 99, 8, flags=0), level(SELL, 101, 7), level(BUY, 99, 2, ts_event=SECOND),
        level(BUY, 99, 5, ts_event=2 * SECOND), level(SELL, 101, 9, ts_event=2 * SECOND + 1),
    )  # fmt: skip
    values = run_kernel(events)[:, FlowFeature.RESILIENCE_1S]
    assert np.isnan(values[:-1]).all()
    assert values[-1] == (5 - 2) / (8 - 2)


def test_spreads_of_a_trade_follow_their_definition() -> None:
    events = make_events(
        level(BUY, 99, 8, flags=0), level(SELL, 101, 7), trade(BUY, 101, 1, ts_event=SECOND),
        level(BUY, 100, 1, ts_event=3 * SECOND), level(BUY, 99, 1, ts_event=6 * SECOND + 1),
    )  # fmt: skip
    values = run_kernel(events)
    assert values[1, FlowFeature.EFFECTIVE_SPREAD] == pytest.approx(2 * TICK)
    assert np.isnan(values[2, FlowFeature.REALISED_SPREAD_5S])
    assert values[3, FlowFeature.REALISED_SPREAD_5S] == pytest.approx(2 * (101 - 100.5) * TICK)


def test_a_symbols_memory_is_bounded() -> None:
    assert FLOW_FEATURE_STATE_DTYPE.itemsize + FLOW_WINDOWS_DTYPE.itemsize < 1_000_000


def test_every_column_of_the_table_has_one_name_and_every_flow_feature_a_description() -> None:
    assert len(set(TABLE_NAMES)) == len(TABLE_NAMES)
    assert set(FLOW_FEATURE_DESCRIPTIONS) == set(FlowFeature)


def test_the_feature_page_is_up_to_date() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "features.md"
    assert page.read_text(encoding="utf-8") == feature_page(), (
        "run python -m chimera_platform.microstructure.feature_page docs/features.md"
    )


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("path", "form", "symbol", "count"),
    [
        ("lobster/LOBSTER_SampleFile_GOOG_2012-06-21_10.zip", "lobster", "GOOG", 12_000),
        ("binance/usdm_btcusdt_20240808.gz", "binance", "BTCUSDT", 40_000),
        ("comex/tick", "comex", "GC", 6_000),
    ],
)
def test_the_kernel_equals_the_batch_definitions_on_real_markets(
    real_data: Path, path: str, form: str, symbol: str, count: int
) -> None:
    source = open_source([real_data / path], form, load_instruments(), [symbol])
    events = next(iter(source.batches(count)))
    found = FlowFeatureStream(source.universe).run(events)[1][:, FEATURE_COUNT:]
    wanted = batch_flow_features(events, float(source.universe[0].tick_size))
    defined = [f.name for f in FlowFeature if not np.isnan(wanted[:, f]).all()]
    print(f"{symbol}: {len(wanted)} source events compared, {len(defined)} features defined: {', '.join(defined)}")
    assert_equal(found, wanted)
