"""Labels: equal to the definition for any market, and blind to everything after the intent's horizon."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.execution.records import INTENT_DTYPE
from chimera_platform.learning.labels import LabelOutcome, LabelSettings, is_labelled, label_intents
from chimera_platform.learning.quotes import QUOTE_CHANGE_DTYPE, QuotePath
from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind
from chimera_platform.market.instruments import INSTRUMENT_DTYPE
from tests.reference.triple_barrier import best_move
from tests.reference.triple_barrier import label as label_by_definition

SPEC = np.zeros(1, INSTRUMENT_DTYPE)
SPEC["tick_value_nanos"], SPEC["taker_fee_per_lot_nanos"], SPEC["taker_fee_ppm"] = 1_000_000, 250_000, 20
NO_LATENCY = LabelSettings(entry_latency_ns=0)


def quotes_of(rows: list[tuple[int, int, int]]) -> np.ndarray[Any, Any]:
    quotes = np.zeros(len(rows), QUOTE_CHANGE_DTYPE)
    for i, (ts, bid, ask) in enumerate(rows):
        quotes[i] = (i, ts, bid, ask, 0)
    return quotes


def intents_of(rows: list[tuple[int, int, int, int, int]]) -> np.ndarray[Any, Any]:
    """Rows of (ts, side, stop, target, hold)."""
    intents = np.zeros(len(rows), INTENT_DTYPE)
    for i, (ts, side, stop, target, hold) in enumerate(rows):
        intents[i]["intent_no"], intents[i]["ts_event"], intents[i]["side"] = i, ts, side
        intents[i]["stop_distance"], intents[i]["target_distance"], intents[i]["max_hold_ns"] = stop, target, hold
    return intents


def test_a_buy_that_reaches_its_target_wins_net_of_spread_and_fees() -> None:
    quotes = quotes_of([(0, 1000, 1002), (10, 1005, 1007), (20, 900, 902)])
    label = label_intents(intents_of([(0, 1, 5, 3, 50)]), quotes, 100, SPEC, NO_LATENCY)[0]
    assert LabelOutcome(label["outcome"]) is LabelOutcome.TARGET
    assert (label["entry_price"], label["exit_price"], label["exit_ts"]) == (1002, 1005, 10)
    fees = 2 * 250_000 + 1002 * 1_000_000 * 20 // 1_000_000 + 1005 * 1_000_000 * 20 // 1_000_000
    assert label["gross_nanos"] == 3_000_000
    assert label["net_nanos"] == 3_000_000 - fees
    assert label["won"] == 1


def test_a_sell_that_reaches_its_stop_loses_what_the_market_gapped() -> None:
    quotes = quotes_of([(0, 1000, 1002), (10, 1009, 1012)])
    label = label_intents(intents_of([(0, -1, 5, 3, 50)]), quotes, 100, SPEC, NO_LATENCY)[0]
    assert LabelOutcome(label["outcome"]) is LabelOutcome.STOP
    assert (label["entry_price"], label["exit_price"]) == (1000, 1012)
    assert label["won"] == 0


def test_a_trade_that_touches_neither_barrier_ends_at_its_time_with_the_spread_paid() -> None:
    quotes = quotes_of([(0, 1000, 1002)])
    label = label_intents(intents_of([(0, 1, 5, 3, 50)]), quotes, 100, SPEC, NO_LATENCY)[0]
    assert LabelOutcome(label["outcome"]) is LabelOutcome.TIME
    assert label["gross_nanos"] == -2_000_000
    assert label["exit_ts"] == 50


def test_the_entry_is_at_the_price_after_the_latency() -> None:
    quotes = quotes_of([(0, 1000, 1002), (5, 1003, 1006)])
    label = label_intents(intents_of([(0, 1, 50, 50, 20)]), quotes, 100, SPEC, LabelSettings(entry_latency_ns=5))[0]
    assert label["entry_price"] == 1006


def test_an_intent_whose_horizon_passes_the_end_has_no_label_even_if_a_barrier_was_hit_before() -> None:
    quotes = quotes_of([(0, 1000, 1002), (10, 1050, 1052)])
    labels = label_intents(intents_of([(0, 1, 5, 3, 90), (0, 1, 5, 3, 91)]), quotes, 90, SPEC, NO_LATENCY)
    assert is_labelled(labels).tolist() == [True, False]
    assert LabelOutcome(labels[1]["outcome"]) is LabelOutcome.HORIZON_PASSES_END


def test_an_intent_without_a_market_at_entry_or_exit_has_no_label() -> None:
    quotes = quotes_of([(10, 1000, 1002), (30, 0, 0), (70, 1000, 1002)])
    rows = [(5, 1, 5, 3, 20), (15, 1, 5, 3, 20), (15, 1, 5, 3, 60), (40, -1, 5, 3, 40)]
    labels = label_intents(intents_of(rows), quotes, 100, SPEC, NO_LATENCY)
    assert is_labelled(labels).tolist() == [False, False, True, False]
    assert np.isnan(labels["net_bps"]).tolist() == [True, True, False, True]


def test_the_best_move_goes_on_beyond_the_target_and_ends_at_the_stop_or_the_time() -> None:
    path = [(0, 1000, 1001), (10, 1005, 1006), (20, 1009, 1010), (30, 996, 997), (40, 1050, 1051), (60, 1060, 1061)]
    rows = [(0, 1, 5, 3, 50), (0, 1, 6, 3, 50), (0, 1, 6, 3, 29), (30, -1, 5, 3, 15), (0, 1, 5, 3, 61)]
    labels = label_intents(intents_of(rows), quotes_of(path), 60, SPEC, NO_LATENCY)
    assert labels["best_move"].tolist() == [8, 49, 8, 0, -1]


@st.composite
def markets(draw: st.DrawFn) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], int]:
    count = draw(st.integers(1, 40))
    steps = draw(st.lists(st.tuples(st.integers(0, 5), st.integers(-4, 4), st.integers(1, 3)), min_size=count))
    ts, mid, rows = 0, 1000, []
    for gap, move, spread in steps:
        ts, mid = ts + gap, mid + move
        rows.append((ts, mid, mid + spread) if gap != 5 else (ts, 0, 0))
    intents = draw(
        st.lists(
            st.tuples(
                st.integers(0, ts + 3),
                st.sampled_from([1, -1]),
                st.integers(1, 6),
                st.integers(1, 6),
                st.integers(1, 40),
            ),
            min_size=1,
            max_size=20,
        )
    )
    return quotes_of(rows), intents_of(intents), ts


@given(markets(), st.integers(0, 4))
@settings(max_examples=150, deadline=None)
def test_labels_equal_the_definition(
    market: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], int], latency: int
) -> None:
    """For any quotes and intents the kernel and the plain definition agree."""
    quotes, intents, end = market
    labels = label_intents(intents, quotes, end, SPEC, LabelSettings(entry_latency_ns=latency))
    for intent, label in zip(intents, labels, strict=True):
        expected = label_by_definition(intent, list(quotes), end, SPEC[0], latency)
        got = (label["outcome"], label["entry_price"], label["exit_price"], label["net_nanos"])
        assert tuple(map(int, got)) == expected
        expected_move = best_move(intent, list(quotes), latency) if is_labelled(label) else -1
        assert label["best_move"] == expected_move


@given(markets(), st.integers(-500, 500))
@settings(max_examples=100, deadline=None)
def test_a_label_does_not_change_when_the_market_after_its_horizon_does(
    market: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], int], shock: int
) -> None:
    """Leak test: moving every quote after an intent's horizon leaves its label as it was."""
    quotes, intents, end = market
    labels = label_intents(intents, quotes, end, SPEC, NO_LATENCY)
    for intent, label in zip(intents, labels, strict=True):
        future = quotes["ts_event"] > label["horizon_end_ts"]
        other = quotes.copy()
        for side in ("bid_price", "ask_price"):
            other[side][future] += shock
        assert label_intents(intent.reshape(1), other, end, SPEC, NO_LATENCY)[0].tobytes() == label.tobytes()


@given(markets(), st.data())
@settings(max_examples=100, deadline=None)
def test_no_label_depends_on_what_comes_after_the_partition(
    market: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], int], data: st.DataObject
) -> None:
    """Leak test: cutting the market off at the partition's end gives the same labels as knowing the rest."""
    quotes, intents, last = market
    end = data.draw(st.integers(0, last))
    known = quotes[quotes["ts_event"] <= end]
    whole = label_intents(intents, quotes, end, SPEC, NO_LATENCY)
    assert label_intents(intents, known, end, SPEC, NO_LATENCY).tobytes() == whole.tobytes()
    assert np.all(whole["horizon_end_ts"][is_labelled(whole)] <= end)


def quote_events(rows: list[tuple[int, int, int]]) -> np.ndarray[Any, Any]:
    events = np.zeros(len(rows), EVENT_DTYPE)
    for event, (ts, bid, ask) in zip(events, rows, strict=True):
        event["ts_event"], event["price"], event["ask_price"] = ts, bid, ask
        event["size"] = event["ask_size"] = 1
        event["kind"], event["flags"] = EventKind.QUOTE, EventFlag.LAST
    return events


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_the_quote_path_holds_each_change_of_the_touch_once_however_the_events_are_cut(batch: int) -> None:
    events = quote_events([(1, 100, 102), (2, 100, 102), (3, 101, 103), (4, 103, 103), (5, 101, 103)])
    path = QuotePath(1)
    changes = np.concatenate([path.run(events[i : i + batch], i) for i in range(0, len(events), batch)])
    assert changes["event_no"].tolist() == [0, 2, 3, 4]
    assert changes["bid_price"].tolist() == [100, 101, 0, 101]
    assert changes["ask_price"].tolist() == [102, 103, 0, 103]
