"""Invariant: an order's score lies in [0, 1], falls with slippage and latency and rises with the fill ratio."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.execution.quality import (
    EXECUTION_DTYPE,
    QUALITY_DTYPE,
    LatencyAttributionSettings,
    note_answer,
    note_execution,
    note_order_end,
    order_score,
    overall_quality,
    quality_record,
    quality_score,
    score_of,
    start_execution,
)

MS = 10**6
SENT = 1_700_000_000 * 10**9
WEIGHT = st.floats(0.0, 1.0)
OPTIONS = st.builds(
    LatencyAttributionSettings,
    slippage_weight=WEIGHT,
    acknowledgement_weight=st.floats(0.01, 1.0),
    fill_weight=WEIGHT,
    fill_ratio_weight=WEIGHT,
    slippage_half_ticks=st.floats(0.1, 100.0),
    acknowledgement_half_ms=st.floats(0.1, 1e4),
    fill_half_ms=st.floats(0.1, 1e5),
)
TICKS, MILLISECONDS, PART = st.floats(-100.0, 100.0), st.floats(0.0, 1e5), st.floats(0.0, 1.0)


def record(**changes):
    return quality_record(LatencyAttributionSettings(**changes))[0]


def execution(side=1, fills=(), answer_ms=None, bid=100, ask=101, stop=0):
    """Return an order's execution; ``fills`` are (price, lots, ms after sending)."""
    found = np.zeros(1, EXECUTION_DTYPE)[0]
    start_execution(found, side, stop, bid, ask, SENT)
    if answer_ms is not None:
        note_answer(found, SENT + answer_ms * MS)
    for price, lots, after in fills:
        note_execution(found, side, price, lots, SENT + after * MS)
    return found


def qualities(engines=1):
    return np.zeros(engines, QUALITY_DTYPE)


@settings(deadline=None)
@given(OPTIONS, PART, TICKS, MILLISECONDS, MILLISECONDS, PART, st.floats(0.0, 50.0), st.floats(0.0, 1e4))
def test_the_score_is_monotone_in_each_of_its_parts(options, ratio, slippage, ack, fill, more, worse, later):
    parameters = quality_record(options)[0]
    score = score_of(parameters, ratio, slippage, ack, fill)
    assert 0.0 <= score <= 1.0 + 1e-12
    assert score_of(parameters, ratio, slippage + worse, ack, fill) <= score + 1e-12
    assert score_of(parameters, ratio, slippage, ack + later, fill) <= score + 1e-12
    assert score_of(parameters, ratio, slippage, ack, fill + later) <= score + 1e-12
    assert score_of(parameters, max(ratio, more), slippage, ack, fill) >= score - 1e-12


def test_the_score_is_the_weighted_sum_of_its_parts():
    found = execution(side=1, answer_ms=10, fills=[(103, 1, 20), (105, 1, 60)])
    # slippage (2 + 4) / 2 = 3 ticks; acknowledged after 10 ms, filled 50 ms later; 2 of 4 lots
    expected = (0.2 * 50 / 60 + 0.5 * (0.4 * 5 / 8 + 0.1 * 1000 / 1050 + 0.3)) / 1.0
    assert order_score(found, record(), 4) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("side", "price"), [(1, 104), (-1, 97)])
def test_slippage_is_counted_against_the_touch_of_the_orders_side(side, price):
    found = execution(side=side, answer_ms=1, fills=[(price, 5, 2)])
    assert found["slippage_tick_lots"] == 3 * 5


def test_a_stop_order_slips_from_its_stop_price():
    assert execution(side=-1, stop=90, fills=[(88, 5, 2)])["slippage_tick_lots"] == 10


def test_without_a_market_at_sending_nothing_is_said_about_slippage():
    assert execution(side=1, ask=0, fills=[(88, 5, 2)])["slippage_tick_lots"] == 0


def test_a_better_price_makes_up_for_a_worse_one_but_counts_no_more_than_the_touch():
    parameters = record()
    at_touch = order_score(execution(fills=[(101, 2, 1)]), parameters, 2)
    assert order_score(execution(fills=[(100, 1, 1), (102, 1, 1)]), parameters, 2) == at_touch
    assert order_score(execution(fills=[(90, 2, 1)]), parameters, 2) == at_touch


def test_the_first_answer_is_the_acknowledgement_and_a_fill_is_one():
    found = execution(answer_ms=3, fills=[(101, 1, 7)])
    assert (found["answer_ts"], found["fill_ts"]) == (SENT + 3 * MS, SENT + 7 * MS)
    note_answer(found, SENT + 9 * MS)
    assert found["answer_ts"] == SENT + 3 * MS
    assert execution(fills=[(101, 1, 7)])["answer_ts"] == SENT + 7 * MS


def test_an_order_that_was_never_answered_scores_nothing():
    assert order_score(execution(), record(), 5) == 0.0


def test_a_perfect_order_scores_one():
    assert order_score(execution(answer_ms=0, fills=[(101, 5, 0)]), record(), 5) == pytest.approx(1.0, rel=1e-15)


def test_a_slot_starts_afresh_with_each_order():
    found = execution(answer_ms=3, fills=[(108, 4, 7)])
    start_execution(found, 1, 0, 100, 101, SENT + 10**12)
    assert tuple(found.item())[1:3] == (0, 0)
    assert (found["filled"], found["slippage_tick_lots"]) == (0, 0)


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=60), st.floats(1.0, 200.0))
def test_an_engines_score_is_the_weighted_mean_of_its_orders(filled, half_life):
    parameters = record(quality_half_life_orders=half_life)
    quality, scores = qualities()[0], []
    for lots in filled:
        found = execution(answer_ms=5, fills=[(102, lots, 9)] if lots else [])
        note_order_end(quality, found, parameters, 5)
        scores.append(order_score(found, parameters, 5))
    weights = 0.5 ** (np.arange(len(scores))[::-1] / half_life)
    assert quality_score(quality) == pytest.approx(weights @ scores / weights.sum(), rel=1e-9)
    assert quality["orders"] == len(filled)
    assert quality["filled_orders"] == sum(lots > 0 for lots in filled)


def feed(quality, parameters, good, count):
    found = execution(answer_ms=1, fills=[(101, 5, 2)] if good else [])
    return [bool(note_order_end(quality, found, parameters, 5)) for _ in range(count)]


def test_it_becomes_low_once_and_good_again_only_past_the_margin():
    parameters = record(quality_half_life_orders=1, quality_min_orders=1, quality_recovery_margin=0.3)
    quality = qualities()[0]
    assert feed(quality, parameters, good=True, count=3) == [False] * 3
    assert feed(quality, parameters, good=False, count=4) == [True, False, False, False]
    assert quality["is_low"] == 1
    changes, path = [], []
    for _ in range(8):
        changes += feed(quality, parameters, good=True, count=1)
        path.append(float(quality_score(quality)))
    assert sum(changes) == 1
    at = changes.index(True)
    assert path[at] >= 0.9 > path[at - 1]
    assert path[at - 1] > 0.6, "it had been above the threshold before, without coming back"
    assert quality["is_low"] == 0


def test_no_verdict_before_enough_orders():
    parameters = record(quality_min_orders=20)
    assert feed(qualities()[0], parameters, good=False, count=20) == [False] * 19 + [True]


def test_switched_off_nothing_is_counted():
    quality = qualities()[0]
    assert not any(feed(quality, record(enable_execution_analytics=False), good=False, count=30))
    assert quality["orders"] == 0
    assert math.isnan(quality_score(quality))


def test_all_engines_together_are_weighted_by_their_orders():
    parameters, found = record(quality_half_life_orders=1e6), qualities(3)
    feed(found[0], parameters, good=True, count=3)
    feed(found[1], parameters, good=False, count=1)
    expected = (3 * found[0]["last_score"] + found[1]["last_score"]) / 4
    assert overall_quality(found) == pytest.approx(expected, rel=1e-5)
    assert math.isnan(overall_quality(qualities(3)))


def test_the_documents_keys_have_the_documents_defaults():
    defaults = LatencyAttributionSettings()
    assert defaults.enable_execution_analytics is True
    assert (defaults.quality_score_threshold, defaults.export_stats_interval_seconds) == (0.6, 60.0)
