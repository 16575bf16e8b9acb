"""Invariant: the feature kernel equals the definitions recomputed from the whole history, at every source event."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.errors import ConfigurationError, DataError
from chimera_platform.market.book import BOOK_LEVELS, pack_book
from chimera_platform.market.events import BUY, SELL, EventFlag, EventKind, StatusCode
from chimera_platform.market.instruments import Universe, load_instruments
from chimera_platform.microstructure.feature_names import Feature
from chimera_platform.microstructure.feature_stream import FeatureStream
from chimera_platform.microstructure.features import new_feature_states
from tests.reference.book import ReferenceBook
from tests.reference.event_streams import SECOND, event_streams, make_events
from tests.reference.features import DEFINED_HERE, ReferenceFeatures, order_flow_imbalance

GOOG = load_instruments()["GOOG"]
TICK = float(GOOG.tick_size)
EXACT = [Feature.OFI_EVENT, Feature.OFI_10S]
MIDNIGHT = 19_000 * 86_400 * SECOND


def run_kernel(events: np.ndarray[Any, Any], **options: int) -> np.ndarray[Any, Any]:
    return FeatureStream(Universe([GOOG]), **options).run(events)[1]


def run_reference(events: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    book, features, rows = ReferenceBook(BOOK_LEVELS), ReferenceFeatures(TICK), []
    for event in events:
        book.apply(event)
        vector = features.update(book, event)
        if vector is not None:
            rows.append(vector)
    return np.array(rows).reshape(-1, len(DEFINED_HERE))


def assert_equal(kernel: np.ndarray[Any, Any], reference: np.ndarray[Any, Any]) -> None:
    assert len(kernel) == len(reference)
    for feature in DEFINED_HERE:
        mine, truth = kernel[:, feature], reference[:, feature]
        if feature in EXACT:
            np.testing.assert_array_equal(mine, truth, err_msg=feature.name)
        else:
            np.testing.assert_allclose(mine, truth, rtol=1e-12, atol=1e-13, err_msg=feature.name)


def level(side: int, price: int, size: int, **more: int) -> dict[str, int]:
    return {"kind": EventKind.LEVEL, "side": side, "price": price, "size": size, **more}


def trade(side: int, price: int, size: int, **more: int) -> dict[str, int]:
    return {"kind": EventKind.TRADE, "side": side, "price": price, "size": size, **more}


def quote(bid: int, ask: int, ts: int, size: int = 1) -> dict[str, int]:
    return {
        "kind": EventKind.QUOTE, "price": bid, "size": size, "ask_price": ask, "ask_size": size, "ts_event": ts,
    }  # fmt: skip


TWO_SIDED = (level(BUY, 99, 5, flags=0), level(SELL, 101, 7))


@settings(max_examples=120, deadline=None)
@given(event_streams(start_ns=MIDNIGHT - 20 * SECOND))
def test_the_kernel_and_the_reference_agree_at_every_source_event(events: np.ndarray[Any, Any]) -> None:
    assert_equal(run_kernel(events), run_reference(events))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.05, 0.4, 2.0]))
def test_long_quote_streams_agree_with_the_reference(seed: int, mean_step_s: float) -> None:
    rng = np.random.default_rng(seed)
    n = 300
    ts = MIDNIGHT - 100 * SECOND + np.cumsum(rng.exponential(mean_step_s, n) * SECOND).astype(np.int64)
    bid = 100_000 + np.cumsum(rng.integers(-3, 4, n))
    events = make_events(
        *(quote(int(b), int(b) + int(rng.integers(1, 4)), int(t)) for b, t in zip(bid, ts, strict=True))
    )
    assert_equal(run_kernel(events), run_reference(events))


@settings(max_examples=40, deadline=None)
@given(event_streams(instruments=2), st.lists(st.integers(0, 200), max_size=6))
def test_results_do_not_depend_on_how_the_stream_is_cut(events: np.ndarray[Any, Any], cuts: list[int]) -> None:
    universe = Universe([GOOG, load_instruments()["AMZN"]])
    whole, cut = FeatureStream(universe), FeatureStream(universe)
    positions, values = whole.run(events)
    bounds = sorted({0, len(events), *(min(c, len(events)) for c in cuts)})
    parts = [(b, *cut.run(events[b:e])) for b, e in pairwise(bounds)]
    assert np.array_equal(np.concatenate([b + p for b, p, _ in parts]), positions)
    assert np.concatenate([v for _, _, v in parts]).tobytes() == values.tobytes()
    assert cut.states.tobytes() == whole.states.tobytes()
    assert [pack_book(b) for b in cut.books] == [pack_book(b) for b in whole.books]


@settings(max_examples=60, deadline=None)
@given(event_streams())
def test_bounded_features_stay_in_their_bounds(events: np.ndarray[Any, Any]) -> None:
    values = run_kernel(events)
    for feature, bound in {
        Feature.QUEUE_IMBALANCE: 1, Feature.DEPTH_IMBALANCE_5: 1, Feature.TRADE_IMBALANCE_10S: 1,
        Feature.OFI_NORM_10S: 1, Feature.MICROPRICE_EDGE: 0.5,
    }.items():  # fmt: skip
        assert not (np.abs(values[:, feature]) > bound).any(), feature.name
    assert not (values[:, Feature.REALISED_VOL_60S] < 0).any()


def test_a_small_book_gives_the_values_computed_by_hand() -> None:
    events = make_events(*TWO_SIDED, level(BUY, 100, 3))
    first, second = run_kernel(events)
    assert first[Feature.MID] == 100 * TICK
    assert first[Feature.SPREAD] == 2 * TICK
    assert first[Feature.MICROPRICE] == pytest.approx((99 * 7 + 101 * 5) / 12 * TICK, rel=1e-15)
    assert first[Feature.QUEUE_IMBALANCE] == -2 / 12
    assert first[Feature.OFI_EVENT] == 0, "the first book is no flow"
    assert second[Feature.MID] == 0.5025, "prices are the decimal nearest, not ticks times a rounded tick size"
    assert second[Feature.DEPTH_IMBALANCE_5] == (8 - 7) / 15
    assert second[Feature.OFI_EVENT] == 3
    assert second[Feature.MICROPRICE_EDGE] == pytest.approx(0.5 * (3 - 7) / 10)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ((99, 5, 101, 7), 0),
        ((99, 8, 101, 7), 3),  # bid refilled
        ((99, 2, 101, 7), -3),  # bid reduced
        ((100, 4, 101, 7), 4),  # bid improved
        ((98, 9, 101, 7), -5),  # bid gone, worse one shows
        ((99, 5, 101, 9), -2),  # ask refilled
        ((99, 5, 100, 1), -1),  # ask improved
        ((99, 5, 103, 9), 7),  # ask gone
        ((0, 0, 101, 7), -5),  # no bid left
    ],
)
def test_order_flow_follows_cont_kukanov_and_stoikov(now: tuple[int, int, int, int], expected: int) -> None:
    bid, bid_size, ask, ask_size = now
    assert order_flow_imbalance((99, 5, 101, 7), now) == expected
    changes = [level(BUY, 99, 0, flags=0)] if bid != 99 else []
    changes += [level(SELL, 101, 0, flags=0)] if ask != 101 else []
    changes += [level(BUY, bid, bid_size, flags=0), level(SELL, ask, ask_size)]
    values = run_kernel(make_events(*TWO_SIDED, *changes))
    assert values[-1, Feature.OFI_EVENT] == expected


def test_a_level_that_enters_a_limited_view_is_no_order_flow() -> None:
    window = EventFlag.WINDOW | EventFlag.LAST
    values = run_kernel(make_events(*TWO_SIDED, level(BUY, 100, 50, flags=window), level(BUY, 100, 60)))
    assert values[:, Feature.OFI_EVENT].tolist() == [0, 0, 10]


def test_a_hidden_execution_does_not_make_flow_of_a_level_that_enters_the_view() -> None:
    hidden = {"kind": EventKind.EXECUTE, "side": BUY, "price": 99, "size": 5, "flags": EventFlag.HIDDEN}
    entered = level(BUY, 100, 50, flags=EventFlag.WINDOW | EventFlag.LAST)
    assert run_kernel(make_events(*TWO_SIDED, hidden, entered))[-1, Feature.OFI_EVENT] == 0


def test_snapshot_levels_are_no_order_flow_without_a_clear_either() -> None:
    refreshed = level(BUY, 100, 50, flags=EventFlag.SNAPSHOT | EventFlag.LAST)
    assert run_kernel(make_events(*TWO_SIDED, refreshed))[-1, Feature.OFI_EVENT] == 0


def test_a_touch_revealed_by_an_execution_counts_what_was_taken_only() -> None:
    taken = {"kind": EventKind.EXECUTE, "side": BUY, "price": 99, "size": 5, "flags": 0}
    revealed = level(BUY, 97, 80, flags=EventFlag.WINDOW | EventFlag.LAST)
    values = run_kernel(make_events(*TWO_SIDED, taken, revealed))
    assert values[-1, Feature.OFI_EVENT] == -5


def test_a_rebuild_after_a_gap_is_no_order_flow_and_the_gap_has_no_quote_features() -> None:
    snapshot = EventFlag.SNAPSHOT
    rows = [
        *TWO_SIDED,
        {"kind": EventKind.STATUS, "price": StatusCode.GAP},
        {"kind": EventKind.CLEAR, "flags": snapshot},
        level(BUY, 90, 9, flags=snapshot),
        level(SELL, 95, 9, flags=snapshot | EventFlag.LAST),
        level(BUY, 90, 10),
    ]
    values = run_kernel(make_events(*rows))
    assert values[:, Feature.OFI_EVENT].tolist() == [0, 0, 0, 1]
    assert np.isnan(values[:, Feature.MID]).tolist() == [False, True, False, False]


def test_sums_over_ten_seconds_leave_out_what_is_exactly_ten_seconds_old() -> None:
    rows = [dict(r, ts_event=0) for r in TWO_SIDED]
    rows += [level(BUY, 99, 8, ts_event=SECOND), trade(BUY, 101, 4, ts_event=SECOND)]
    rows += [trade(SELL, 99, 1, ts_event=11 * SECOND - 1), trade(SELL, 99, 1, ts_event=11 * SECOND)]
    values = run_kernel(make_events(*rows))
    assert values[:, Feature.OFI_10S].tolist() == [0, 3, 3, 3, 0]
    assert values[2:, Feature.TRADE_IMBALANCE_10S].tolist() == [1, (4 - 1) / 5, -1]


def test_trades_without_a_side_are_signed_by_the_quotes_and_at_the_mid_by_the_tick_test() -> None:
    rows = [*TWO_SIDED, trade(0, 101, 1), trade(0, 100, 2), trade(0, 100, 4), trade(0, 99, 8)]
    values = run_kernel(make_events(*rows))[1:, Feature.TRADE_IMBALANCE_10S]
    assert values.tolist() == [1, (1 - 2) / 3, (1 - 6) / 7, (1 - 14) / 15]


def test_an_executions_aggressor_is_opposite_to_the_resting_side() -> None:
    execution = {"kind": EventKind.EXECUTE, "side": SELL, "price": 101, "size": 2}
    assert run_kernel(make_events(*TWO_SIDED, execution))[-1, Feature.TRADE_IMBALANCE_10S] == 1


def test_the_session_vwap_starts_anew_at_midnight_utc() -> None:
    rows = [dict(r, ts_event=MIDNIGHT - 2 * SECOND) for r in TWO_SIDED]
    rows += [trade(BUY, 101, 1, ts_event=MIDNIGHT - SECOND), trade(SELL, 98, 3, ts_event=MIDNIGHT - 1)]
    rows += [level(BUY, 98, 1, ts_event=MIDNIGHT), trade(BUY, 101, 5, ts_event=MIDNIGHT)]
    values = run_kernel(make_events(*rows))[:, Feature.VWAP_DEVIATION]
    expected = [math.nan, 100 / 101 - 1, 100 / ((101 + 3 * 98) / 4) - 1, math.nan, 100 / 101 - 1]
    np.testing.assert_allclose(values, expected, rtol=1e-12)


def test_volatility_and_return_use_the_last_mid_of_each_second() -> None:
    mids = [1000 + (k * 7) % 13 for k in range(70)]
    rows = []
    for k, mid in enumerate(mids):
        rows += [quote(5, 5000, k * SECOND + 10), quote(mid - 1, mid + 1, k * SECOND + 20)]
    values = run_kernel(make_events(*rows))
    steps = np.diff(np.log(mids[:69]))
    assert values[-1, Feature.REALISED_VOL_60S] == pytest.approx(np.sqrt((steps[-60:] ** 2).sum()), rel=1e-12)
    assert values[-1, Feature.MID_RETURN_10S] == pytest.approx(np.log(mids[68] / mids[58]), rel=1e-12)
    defined = np.flatnonzero(~np.isnan(values[:, Feature.REALISED_VOL_60S]))[0]
    assert defined == 2 * 61, "sixty returns need sixty-one whole seconds"


def test_the_spread_is_compared_with_its_last_three_hundred_seconds() -> None:
    spreads = [2 + k % 5 for k in range(400)]
    values = run_kernel(make_events(*(quote(1000, 1000 + s, k * SECOND) for k, s in enumerate(spreads))))
    recent = np.array(spreads[99:399])
    z = (spreads[399] - recent.mean()) / recent.std()
    assert values[-1, Feature.SPREAD_Z] == pytest.approx(z, rel=1e-12)
    assert np.isnan(values[:60, Feature.SPREAD_Z]).all()
    assert not np.isnan(values[60, Feature.SPREAD_Z])


def test_a_constant_spread_has_no_z_score_and_a_change_in_it_no_infinite_one() -> None:
    rows = [quote(1000, 1007, k * SECOND) for k in range(310)] + [quote(1000, 1008, 310 * SECOND)]
    values = run_kernel(make_events(*rows))
    assert np.isnan(values[:, Feature.SPREAD_Z]).all()


def test_stub_quotes_do_not_overflow_the_spread_statistics() -> None:
    values = run_kernel(make_events(*(quote(1, 40_000_000 + k % 2, k * SECOND) for k in range(400))))
    assert np.isnan(values[:, Feature.SPREAD_Z]).all(), "all samples stand at the cap"
    assert values[-1, Feature.SPREAD] == pytest.approx(40_000_000 * TICK)


def test_a_weekend_without_events_is_bridged_with_the_last_value() -> None:
    monday = 2 * 86_400 * SECOND
    rows = [quote(999, 1001 + k % 2, k * SECOND) for k in range(100)]
    rows += [quote(1099, 1101, monday + k * SECOND) for k in (0, 1)]
    values = run_kernel(make_events(*rows))
    assert values[-2, Feature.REALISED_VOL_60S] == 0
    assert values[-1, Feature.REALISED_VOL_60S] == pytest.approx(math.log(2200 / 2001), rel=1e-12)


def test_a_burst_beyond_the_ring_keeps_the_sums_and_counts_what_was_merged() -> None:
    rng = np.random.default_rng(5)
    ts = np.cumsum(rng.integers(1, 20_000_000, 4000))
    rows = [dict(r, ts_event=0) for r in TWO_SIDED]
    rows += [trade(int(rng.choice([BUY, SELL])), 100, int(rng.integers(1, 9)), ts_event=int(t)) for t in ts]
    events = make_events(*rows)
    exact, tight = FeatureStream(Universe([GOOG])), FeatureStream(Universe([GOOG]), flow_capacity=256)
    wanted, got = exact.run(events)[1], tight.run(events)[1]
    assert exact.coalesced == 0
    assert tight.coalesced > 0
    within = ts < 10 * SECOND
    assert np.array_equal(got[1:][within], wanted[1:][within], equal_nan=True), "nothing has left the window yet"
    gap = np.abs(got[1:, Feature.TRADE_IMBALANCE_10S] - wanted[1:, Feature.TRADE_IMBALANCE_10S])
    assert gap.max() < 0.05, "a merged entry leaves at most its own span late"


@pytest.mark.parametrize("capacity", [1, 1000, 16384])
def test_a_capacity_that_is_no_power_of_two_within_bounds_is_refused(capacity: int) -> None:
    with pytest.raises(ConfigurationError, match="power of two"):
        new_feature_states([GOOG], flow_capacity=capacity)


def test_an_event_of_an_unknown_instrument_is_refused() -> None:
    stream = FeatureStream(Universe([GOOG]))
    with pytest.raises(DataError, match="expected 0 to 0"):
        stream.run(make_events(level(BUY, 99, 1, instrument_id=1)))
    assert stream.run(make_events())[1].shape == (0, len(Feature))
