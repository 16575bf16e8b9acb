"""Invariant: the incremental order-flow features equal their batch definitions at every source event."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.kernels import kernel
from chimera_platform.market.book import apply_event, new_books
from chimera_platform.market.events import BUY, SELL, EventKind
from chimera_platform.market.instruments import Universe, load_instruments
from chimera_platform.market.sources import open_source
from chimera_platform.microstructure.feature_names import FEATURE_DESCRIPTIONS, FEATURE_NAMES, Feature
from chimera_platform.microstructure.feature_page import feature_page
from chimera_platform.microstructure.feature_stream import FeatureStream
from chimera_platform.microstructure.feature_vector import write_features
from chimera_platform.microstructure.feature_volume import VolumeTimeSettings
from chimera_platform.microstructure.features import (
    FEATURE_STATE_DTYPE,
    FEATURE_WINDOWS_DTYPE,
    new_feature_states,
    new_feature_windows,
    update_features,
)
from chimera_platform.microstructure.fitted_microprice import new_microprice_table
from tests.reference.event_streams import SECOND, event_streams, make_events
from tests.reference.flow_features import batch_flow_features

Array = np.ndarray[Any, Any]
GOOG = load_instruments()["GOOG"]
TICK = float(GOOG.tick_size)
MIDNIGHT = 19_000 * 86_400 * SECOND
SMALL_BUCKETS = VolumeTimeSettings(calibration_prints=3, bucket_prints=1, buckets=4)
DEFINED_HERE = [f for f in Feature if f > Feature.MICROPRICE_EDGE or f is Feature.REALISED_VOL_60S]
DEFINED_HERE.remove(Feature.FITTED_MICROPRICE_EDGE)


def run_kernel(events: Array, chosen: VolumeTimeSettings | None = None) -> Array:
    return FeatureStream(Universe([GOOG]), settings=chosen).run(events)[1]


def assert_equal(kernel: Array, batch: Array) -> None:
    assert kernel.shape == batch.shape
    for feature in DEFINED_HERE:
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
    table = new_microprice_table()
    table["is_fitted"], table["adjustment"] = 1, np.arange(16) - 7.5
    stream = FeatureStream(Universe([GOOG]), SMALL_BUCKETS, microprices=table)
    values = stream.run(random_market(1, 3_000, 0.5))[1]
    assert not np.isnan(values[-1]).any()
    varied = {f.name for f in Feature if len(np.unique(values[-500:, f])) > 1}
    constant = {f"MLOFI_{w}_{k}" for w in ("EVENT", "10S") for k in range(2, 6)} | {"CANCEL_TO_TRADE_60S"}
    assert varied == {f.name for f in Feature} - constant, "quotes have one level and are never cancelled"


@settings(max_examples=40, deadline=None)
@given(event_streams(instruments=2), st.lists(st.integers(0, 200), max_size=6))
def test_flow_features_do_not_depend_on_how_the_stream_is_cut(events: Array, cuts: list[int]) -> None:
    universe = Universe([GOOG, load_instruments()["AMZN"]])
    whole, cut = (FeatureStream(universe, settings=SMALL_BUCKETS) for _ in range(2))
    values = whole.run(events)[1]
    bounds = sorted({0, len(events), *(min(c, len(events)) for c in cuts)})
    assert np.concatenate([cut.run(events[b:e])[1] for b, e in pairwise(bounds)]).tobytes() == values.tobytes()
    assert cut.states.tobytes() == whole.states.tobytes()
    assert cut.windows.tobytes() == whole.windows.tobytes()


@settings(max_examples=40, deadline=None)
@given(event_streams(), event_streams(), st.floats(0, 1))
def test_what_comes_later_changes_nothing_before(events: Array, other: Array, share: float) -> None:
    ends = np.flatnonzero(events["flags"] & 1) + 1
    cut = int(ends[int(share * (len(ends) - 1))])
    perturbed = np.concatenate([events[:cut], other])
    rows = int((events["flags"][:cut] & 1).sum())
    assert run_kernel(events)[:rows].tobytes() == run_kernel(perturbed)[:rows].tobytes()


@kernel
def _run_asked_at(book: Any, states: Any, windows: Any, microprice: Any, events: Any, asked: Any, values: Any) -> None:
    for i in range(events.shape[0]):
        apply_event(book, events[i])
        if update_features(states[0], windows[0], book, events[i]) and asked[i]:
            write_features(states[0], windows[0], book, microprice, values[i])


def asked_at(events: Array, asked: Array) -> Array:
    """Return the features of the events at which they are asked for, NaN elsewhere."""
    values = np.full((len(events), len(Feature)), np.nan)
    states, windows = new_feature_states([GOOG], SMALL_BUCKETS), new_feature_windows(1)
    _run_asked_at(new_books(1)[0], states, windows, new_microprice_table()[0], events, asked, values)
    return values


@settings(max_examples=40, deadline=None)
@given(event_streams(start_ns=MIDNIGHT - 20 * SECOND), st.integers(0, 2**32 - 1))
def test_the_values_do_not_depend_on_how_often_one_asks(events: Array, seed: int) -> None:
    asked = np.random.default_rng(seed).random(len(events)) < 0.1
    seldom, always = asked_at(events, asked), asked_at(events, np.ones(len(events), bool))
    assert seldom[asked].tobytes() == always[asked].tobytes()


@pytest.mark.parametrize("mean_step_s", [0.02, 0.5, 3.0])
def test_asking_once_after_a_long_time_gives_what_asking_always_does(mean_step_s: float) -> None:
    events = random_market(7, 6_000, mean_step_s)
    asked = np.arange(len(events)) % 1999 == 0
    seldom, always = asked_at(events, asked), asked_at(events, np.ones(len(events), bool))
    assert not np.isnan(seldom[asked][-1, Feature.REALISED_VOL_10S])
    assert seldom[asked].tobytes() == always[asked].tobytes()


def test_a_fitted_microprice_is_shown_in_spreads() -> None:
    table = new_microprice_table()
    table["is_fitted"], table["imbalance_bins"], table["spreads_max"] = 1, 2, 3
    table["adjustment"][:, :, :2] = [-1.0, 1.0]
    events = make_events(
        level(BUY, 99, 8, flags=0), level(SELL, 101, 7), level(BUY, 99, 1), level(BUY, 101, 9), level(BUY, 102, 9)
    )
    values = FeatureStream(Universe([GOOG]), microprices=table).run(events)[1][:, Feature.FITTED_MICROPRICE_EDGE]
    assert values[:2].tolist() == [0.5 / 2, -0.5 / 2], "half a tick in a spread of two"
    assert np.isnan(values[2:]).all(), "locked, crossed"
    assert np.isnan(run_kernel(events)[:, Feature.FITTED_MICROPRICE_EDGE]).all(), "no table"


def test_lots_of_a_print_are_split_among_the_buckets_that_it_fills() -> None:
    prints = [trade(BUY, 100, 2), trade(BUY, 100, 2), trade(BUY, 100, 2)]  # buckets of two lots from here on
    prints += [trade(SELL, 98, 1), trade(BUY, 103, 8), trade(SELL, 101, 1), trade(SELL, 99, 2)]
    values = run_kernel(make_events(level(BUY, 99, 8, flags=0), level(SELL, 101, 7), *prints), SMALL_BUCKETS)
    # the eight lots at 103 fill a bucket that one sold lot began, three more, and half of one that a sold lot ends
    imbalance = values[:, Feature.TRADE_IMBALANCE_VOLUME]
    assert np.isnan(imbalance[:5]).all()
    assert imbalance[5:].tolist() == [(0 + 2 + 2 + 2) / 8, (2 + 2 + 2 + 0) / 8, (2 + 2 + 0 - 2) / 8]
    assert values[5, Feature.REALISED_VOL_VOLUME] == pytest.approx(np.log(103 / 100), rel=1e-12)


def test_huge_prices_and_sizes_stay_defined() -> None:
    huge = 2**52
    events = make_events(
        level(BUY, huge, huge, flags=0), level(SELL, huge + 1, 1), trade(BUY, huge + 1, huge), trade(SELL, huge, huge)
    )
    values = run_kernel(events, SMALL_BUCKETS)
    assert not np.isinf(values).any()
    assert values[1, Feature.CUMULATIVE_DELTA] == huge
    assert values[2, Feature.CUMULATIVE_DELTA] == 0


def test_a_refilled_touch_counts_by_its_share() -> None:
    events = make_events(
        level(BUY, 99, 8, flags=0), level(SELL, 101, 7), level(BUY, 99, 2, ts_event=SECOND),
        level(BUY, 99, 5, ts_event=2 * SECOND), level(SELL, 101, 9, ts_event=2 * SECOND + 1),
    )  # fmt: skip
    values = run_kernel(events)[:, Feature.RESILIENCE_1S]
    assert np.isnan(values[:-1]).all()
    assert values[-1] == (5 - 2) / (8 - 2)


def test_spreads_of_a_trade_follow_their_definition() -> None:
    events = make_events(
        level(BUY, 99, 8, flags=0), level(SELL, 101, 7), trade(BUY, 101, 1, ts_event=SECOND),
        level(BUY, 100, 1, ts_event=3 * SECOND), level(BUY, 99, 1, ts_event=6 * SECOND + 1),
    )  # fmt: skip
    values = run_kernel(events)
    assert values[1, Feature.EFFECTIVE_SPREAD] == pytest.approx(2 * TICK)
    assert np.isnan(values[2, Feature.REALISED_SPREAD_5S])
    assert values[3, Feature.REALISED_SPREAD_5S] == pytest.approx(2 * (101 - 100.5) * TICK)


def test_a_symbols_memory_is_bounded() -> None:
    assert FEATURE_STATE_DTYPE.itemsize + FEATURE_WINDOWS_DTYPE.itemsize < 700_000


def test_every_feature_has_one_name_and_a_description() -> None:
    assert len(set(FEATURE_NAMES)) == len(FEATURE_NAMES)
    assert list(FEATURE_DESCRIPTIONS) == list(Feature)
    assert all(all(description) for description in FEATURE_DESCRIPTIONS.values())


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
        ("binance/usdm_btcusdt_20240808.gz", "binance", "BTCUSDT", 20_000),
        ("comex/tick", "comex", "GC", 6_000),
    ],
)
def test_the_kernel_equals_the_batch_definitions_on_real_markets(
    real_data: Path, path: str, form: str, symbol: str, count: int
) -> None:
    source = open_source([real_data / path], form, load_instruments(), [symbol])
    events = next(iter(source.batches(count)))
    buckets = VolumeTimeSettings(calibration_prints=100, bucket_prints=4, buckets=50)  # short days, small buckets
    found = FeatureStream(source.universe, buckets).run(events)[1]
    wanted = batch_flow_features(events, float(source.universe[0].tick_size), buckets)
    defined = [f.name for f in DEFINED_HERE if not np.isnan(wanted[:, f]).all()]
    print(f"{symbol}: {len(wanted)} source events compared, {len(defined)} features defined: {', '.join(defined)}")
    assert {"VPIN", "TRADE_IMBALANCE_VOLUME", "REALISED_VOL_VOLUME", "PRICE_RETURN_VOLUME_10"} <= set(defined)
    assert_equal(found, wanted)
