"""Invariant: on awkward input every feature still equals its definition, and is NaN only where that says so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.market.book import BOOK_LEVELS
from chimera_platform.market.events import BUY, SELL, EventFlag, EventKind, StatusCode
from chimera_platform.market.instruments import Universe, load_instruments
from chimera_platform.microstructure.feature_names import Feature
from chimera_platform.microstructure.feature_stream import FeatureStream
from chimera_platform.microstructure.feature_volume import VolumeTimeSettings
from tests.reference.book import ReferenceBook
from tests.reference.event_streams import SECOND, Record, event_streams, make_events
from tests.reference.features import DEFINED_HERE, ReferenceFeatures
from tests.reference.flow_features import batch_flow_features

Array = np.ndarray[Any, Any]
GOOG = load_instruments()["GOOG"]
TICK = float(GOOG.tick_size)
NOON = 19_000 * 86_400 * SECOND + 43_200 * SECOND
MIDNIGHT = 19_001 * 86_400 * SECOND
BUCKETS = VolumeTimeSettings(calibration_prints=3, bucket_prints=1, buckets=4)
ALWAYS_DEFINED = [
    Feature.OFI_EVENT,
    Feature.OFI_10S,
    Feature.CUMULATIVE_DELTA,
    Feature.ARRIVAL_INTENSITY_10S,
    *(Feature(f) for f in range(Feature.MLOFI_EVENT_2, Feature.MLOFI_10S_5 + 1)),
]
OF_A_BOOK = [
    Feature.MID,
    Feature.SPREAD,
    Feature.MICROPRICE,
    Feature.QUEUE_IMBALANCE,
    Feature.DEPTH_IMBALANCE_5,
    Feature.DEPTH_IMBALANCE_10,
    Feature.BOOK_SLOPE_BID_5,
    Feature.BOOK_SLOPE_ASK_5,
]


def found_and_wanted(events: Array) -> tuple[Array, Array]:
    """Return the kernel's vectors and those of the definitions."""
    found = FeatureStream(Universe([GOOG]), BUCKETS).run(events)[1]
    wanted = batch_flow_features(events, TICK, BUCKETS)
    book, features, row = ReferenceBook(BOOK_LEVELS), ReferenceFeatures(TICK), 0
    for event in events:
        book.apply(event)
        vector = features.update(book, event)
        if vector is not None:
            wanted[row, DEFINED_HERE] = vector
            row += 1
    return found, wanted


def require_defined(events: Array) -> Array:
    """Compare every feature at every event with its definition; return the vectors."""
    found, wanted = found_and_wanted(events)
    assert not np.isinf(found).any()
    assert not np.isnan(found[:, ALWAYS_DEFINED]).any()
    for feature in Feature:
        np.testing.assert_allclose(found[:, feature], wanted[:, feature], rtol=1e-9, atol=1e-13, err_msg=feature.name)
    return found


def level(side: int, price: int, size: int, ts: int = NOON, **more: int) -> Record:
    return {"kind": EventKind.LEVEL, "side": side, "price": price, "size": size, "ts_event": ts, **more}


def trade(side: int, price: int, size: int, ts: int = NOON) -> Record:
    return {"kind": EventKind.TRADE, "side": side, "price": price, "size": size, "ts_event": ts}


def status(code: StatusCode, ts: int = NOON) -> Record:
    return {"kind": EventKind.STATUS, "price": code, "ts_event": ts}


def market(ts: Array, base: int = 1000, seed: int = 3) -> Iterator[Record]:
    """A few levels a side that come, change and go, with prints, at the given times."""
    rng = np.random.default_rng(seed)
    for t in ts:
        if rng.random() < 0.25:
            yield trade(int(rng.integers(-1, 2)), base + int(rng.integers(-2, 3)), int(rng.integers(1, 9)), int(t))
        else:
            side = int(rng.choice([BUY, SELL]))
            price = base - side * int(rng.integers(1, 8))
            yield level(side, price, int(rng.integers(0, 6)), int(t))


def steps(count: int, mean_ns: int, start: int = NOON, seed: int = 1) -> Array:
    return start + np.cumsum(np.random.default_rng(seed).integers(0, 2 * mean_ns, count))


def test_locked_and_crossed_books_are_shown_as_they_are() -> None:
    rows = [level(BUY, 99, 5), level(SELL, 101, 7), level(BUY, 101, 2), level(BUY, 102, 2), level(SELL, 101, 0)]
    rows += [trade(BUY, 101, 1), level(SELL, 102, 4), level(BUY, 102, 0), level(BUY, 101, 0)]
    values = require_defined(make_events(*rows))
    assert values[2:4, Feature.SPREAD].tolist() == [0, -TICK]
    assert np.isnan(values[2, [Feature.MICROPRICE_EDGE, Feature.VWAP_DEVIATION_SPREADS]]).all(), "locked"
    assert not np.isnan(values[3, OF_A_BOOK]).any(), "crossed"


def test_a_side_that_empties_takes_the_quotes_features_with_it_and_nothing_else() -> None:
    rows = [level(BUY, 99, 5), level(SELL, 101, 7), level(SELL, 101, 0), level(BUY, 99, 8), level(SELL, 102, 1)]
    values = require_defined(make_events(*rows))
    assert np.isnan(values[:, Feature.MID]).tolist() == [True, False, True, True, False]
    assert np.isnan(values[2, OF_A_BOOK]).all()
    assert values[:, Feature.OFI_10S].tolist() == [0, -7, 0, 3, 2]


def test_zero_sizes_change_nothing() -> None:
    quote = {"kind": EventKind.QUOTE, "price": 99, "ask_price": 101, "ts_event": NOON}
    order = {"kind": EventKind.ADD, "side": BUY, "price": 100, "size": 0, "ts_event": NOON}
    rows = [level(BUY, 99, 5), level(SELL, 101, 7), level(BUY, 98, 0), order, dict(order, kind=EventKind.EXECUTE)]
    rows += [trade(BUY, 101, 0), trade(0, 100, 0), dict(quote, size=0, ask_size=0), dict(quote, size=1, ask_size=0)]
    values = require_defined(make_events(*rows))
    assert values[1:7, Feature.OFI_10S].tolist() == [-7] * 6
    assert np.isnan(values[6, [Feature.TRADE_IMBALANCE_10S, Feature.VWAP_DEVIATION]]).all(), "no volume"
    assert np.isnan(values[7:, OF_A_BOOK]).all(), "no sizes: no quotes"


def test_prices_of_a_trillion_ticks_keep_their_digits() -> None:
    base = 2**40
    values = require_defined(make_events(*market(steps(900, SECOND // 5), base)))
    for feature in (Feature.QUEUE_IMBALANCE, Feature.VWAP_DEVIATION_SPREADS, Feature.EFFECTIVE_SPREAD):
        assert len(np.unique(values[-300:, feature])) >= 10, feature.name


def test_sizes_of_a_trillion_lots_do_not_overflow() -> None:
    rows = [dict(row, size=row["size"] * 2**40) for row in market(steps(600, SECOND // 5))]
    require_defined(make_events(*rows))


def test_thousands_of_levels_cost_no_exactness() -> None:
    deep = BOOK_LEVELS + 50  # more than the book holds: the farthest are dropped
    rows = [level(side, 10_000 - side * k, 1 + k % 5, flags=0) for k in range(1, deep) for side in (BUY, SELL)]
    rng = np.random.default_rng(2)
    rows.append(level(BUY, 9_999, 3))
    for k in range(60):
        side, depth = int(rng.choice([BUY, SELL])), int(rng.choice([1, 2, 5, 6, 10, 11, 3_000]))
        rows.append(level(side, 10_000 - side * depth, int(rng.integers(0, 4)), NOON + k * SECOND // 3))
    require_defined(make_events(*rows))


def test_a_burst_at_one_time_is_one_entry_of_the_windows() -> None:
    stream = FeatureStream(Universe([GOOG]), BUCKETS)
    events = make_events(*market(np.full(3_000, NOON)))
    values = stream.run(events)[1]
    np.testing.assert_array_equal(values[-1, Feature.ARRIVAL_INTENSITY_10S], 300.0)
    assert stream.coalesced == 0
    assert stream.states[0]["flow_count"] == 1
    require_defined(events[:800])


def test_halts_and_session_breaks_interrupt_nothing_that_the_book_still_shows() -> None:
    first = list(market(steps(250, SECOND // 4, MIDNIGHT - 60 * SECOND)))
    last = first[-1]["ts_event"]
    pause = [status(StatusCode.HALT, last), *market(steps(20, SECOND, last), seed=9)]
    resumed = [status(StatusCode.RESUME, pause[-1]["ts_event"]), status(StatusCode.SESSION_CLOSE, last + 90 * SECOND)]
    monday = last + 2 * 86_400 * SECOND
    reopened = [status(StatusCode.SESSION_OPEN, monday), *market(steps(250, SECOND // 4, monday), seed=5)]
    values = require_defined(make_events(*first, *pause, *resumed, *reopened))
    opened = len(first) + len(pause) + len(resumed)
    assert values[opened, Feature.CUMULATIVE_DELTA] == 0, "a new session"
    assert values[opened, Feature.ARRIVAL_INTENSITY_10S] == 0.1, "this event alone"
    assert not np.isnan(values[opened, OF_A_BOOK]).any(), "the book is as it was"


def test_lost_messages_make_quotes_unknown_until_the_book_is_rebuilt() -> None:
    known = list(market(steps(120, SECOND // 4)))
    lost = [status(StatusCode.GAP, known[-1]["ts_event"]), *market(steps(40, SECOND // 4, known[-1]["ts_event"]))]
    now, snapshot = lost[-1]["ts_event"], int(EventFlag.SNAPSHOT)
    rebuilt = [{"kind": EventKind.CLEAR, "flags": snapshot, "ts_event": now}, level(BUY, 990, 9, now, flags=snapshot)]
    rebuilt.append(level(SELL, 995, 9, now, flags=snapshot | EventFlag.LAST))
    values = require_defined(make_events(*known, *lost, *rebuilt, *market(steps(60, SECOND // 4, now), seed=8)))
    unknown = slice(len(known), len(known) + len(lost))
    assert np.isnan(values[unknown, OF_A_BOOK]).all()
    assert (values[unknown, Feature.OFI_EVENT] == 0).all()
    assert values[len(known) + len(lost), Feature.OFI_EVENT] == 0, "the rebuilt book is no flow"


@pytest.mark.parametrize("back_ns", [1, 50_000_000, 3 * SECOND, 3600 * SECOND])
def test_a_clock_that_steps_backwards_is_held(back_ns: int) -> None:
    ts = steps(300, SECOND // 4, MIDNIGHT - 30 * SECOND)
    ts[150:] -= back_ns
    values = require_defined(make_events(*market(ts)))
    held = FeatureStream(Universe([GOOG]), BUCKETS).run(make_events(*market(np.maximum.accumulate(ts))))[1]
    assert values.tobytes() == held.tobytes()


@settings(max_examples=60, deadline=None)
@given(event_streams(start_ns=MIDNIGHT - 20 * SECOND), st.sampled_from([0, 2**20, 2**40, 2**50]), st.integers(0, 40))
def test_nothing_is_infinite_and_what_must_be_defined_is(events: Array, away: int, exponent: int) -> None:
    prices = np.isin(events["kind"], [EventKind.STATUS, EventKind.CLEAR], invert=True)
    events["price"][prices] += away
    events["ask_price"][prices] += away
    events["size"] <<= exponent
    events["ask_size"] <<= exponent
    values = FeatureStream(Universe([GOOG]), BUCKETS).run(events)[1]
    assert not np.isinf(values).any()
    assert not np.isnan(values[:, ALWAYS_DEFINED]).any()
    undefined = np.isnan(values[:, OF_A_BOOK])
    assert (undefined.all(axis=1) | ~undefined.any(axis=1)).all(), "all of a book's features or none"


def test_prices_below_zero_leave_returns_undefined_while_they_are_in_the_window() -> None:
    """Spreads and, once, oil have traded below zero: a log return of such a mid is none."""
    rows: list[Record] = []
    for k in range(200):
        bid = -5 if k == 70 else 1_000 + k % 3
        rows.append({"kind": EventKind.QUOTE, "price": bid, "size": 1, "ts_event": NOON + k * SECOND})
        rows[-1] |= {"ask_price": bid + 2, "ask_size": 1}
    values = FeatureStream(Universe([GOOG])).run(make_events(*rows))[1]
    assert not np.isinf(values).any()
    undefined = np.isnan(values[:, Feature.REALISED_VOL_60S])
    assert undefined[:61].all() and not undefined[61:71].any(), "sixty returns"
    assert undefined[71:132].all() and not undefined[132:].any(), "while one of sixty-one samples is not positive"
