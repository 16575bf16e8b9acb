"""What is wrong with market data is counted: each kind by itself, and all of them against a plain definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.market.book import new_books
from chimera_platform.market.data_quality import (
    QUALITY_COUNTS_DTYPE,
    QualitySettings,
    inspect_events,
    new_quality_states,
)
from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind, StatusCode
from chimera_platform.settings import to_record
from tests.reference.data_quality import inspect

SECOND, MINUTE, DAY = 10**9, 60 * 10**9, 86_400 * 10**9
START = 1_700_000_000 * SECOND


def quotes(count: int, step_ns: int = SECOND) -> np.ndarray[Any, Any]:
    """A quiet market: the mid moves by one tick up and down."""
    events = np.zeros(count, EVENT_DTYPE)
    events["kind"], events["flags"], events["seq"] = EventKind.QUOTE, EventFlag.LAST, np.arange(count)
    events["ts_event"] = START + np.arange(count) * step_ns
    events["ts_recv"] = events["ts_event"]
    events["price"] = 10_000 + np.arange(count) % 2
    events["ask_price"] = events["price"] + 2
    events["size"] = events["ask_size"] = 5
    return events


def counted(events: np.ndarray[Any, Any], cut: int | None = None, **chosen: Any) -> dict[str, int]:
    """Everything that is not zero, records and source events aside."""
    params, states, books = to_record(QualitySettings(**chosen)), new_quality_states(2), new_books(2)
    found, before = np.zeros(1, QUALITY_COUNTS_DTYPE), 0
    for part in [events] if cut is None else [events[:cut], events[cut:]]:
        before = inspect_events(params[0], states, books, part, before, found[0])
    return {name: int(found[name][0]) for name in found.dtype.names}


def wrong(events: np.ndarray[Any, Any], **chosen: Any) -> dict[str, int]:
    found = counted(events, **chosen)
    return {name: n for name, n in found.items() if n and name not in ("records", "source_events")}


def test_a_sound_market_has_nothing_wrong() -> None:
    assert wrong(quotes(500)) == {}


@pytest.mark.parametrize(("late_ms", "stale"), [(10_000, 0), (10_001, 3), (-10_001, 3)])
def test_a_clock_is_stale_where_receipt_is_far_from_the_exchanges_time(late_ms: int, stale: int) -> None:
    events = quotes(20)
    events["ts_recv"][5:8] += late_ms * 1_000_000
    assert wrong(events).get("stale_clock", 0) == stale


def test_a_clock_is_frozen_while_source_events_advance_without_it() -> None:
    events = quotes(50)
    events["ts_event"][10:30] = events["ts_event"][10]
    assert counted(events)["frozen_clock"] == 19
    assert counted(quotes(50))["frozen_clock"] == 0


def test_records_that_step_back_are_out_of_order_across_instruments_too() -> None:
    events = quotes(20)
    events["instrument_id"][9] = 1
    events["ts_event"][9] -= 5 * SECOND
    assert wrong(events) == {"out_of_order": 1}


def test_a_block_that_is_sent_again_is_repeated() -> None:
    events = quotes(40)
    events["seq"][20:30] -= 10
    assert counted(events)["repeated"] == 10
    events["kind"][19] = EventKind.CLEAR
    assert counted(events)["repeated"] == 0, "a cleared book begins anew"


def test_prints_and_book_have_sequences_of_their_own_and_a_new_day_begins_anew() -> None:
    events = quotes(40)
    events["kind"][::2] = EventKind.TRADE
    events["seq"][::2] += 1_000_000
    assert counted(events)["repeated"] == 0
    events["ts_event"][20:] += DAY
    events["seq"][20:] -= events["seq"][20]
    assert counted(events)["repeated"] == 0


@pytest.mark.parametrize(
    ("kind", "size", "ask_size", "bad"),
    [
        (EventKind.TRADE, 0, 0, 1),
        (EventKind.TRADE, 1, 0, 0),
        (EventKind.ADD, -1, 0, 1),
        (EventKind.EXECUTE, 0, 0, 1),
        (EventKind.LEVEL, 0, 0, 0),  # removes the level
        (EventKind.LEVEL, -1, 0, 1),
        (EventKind.QUOTE, 0, 5, 0),  # one side only
        (EventKind.QUOTE, 5, -5, 1),
        (EventKind.STATUS, 0, 0, 0),
        (EventKind.CLEAR, 0, 0, 0),
    ],
)
def test_a_size_is_bad_where_its_kind_cannot_have_it(kind: EventKind, size: int, ask_size: int, bad: int) -> None:
    events = quotes(5)
    events["kind"][3], events["size"][3], events["ask_size"][3] = kind, size, ask_size
    assert counted(events)["bad_sizes"] == bad


def test_the_longest_locked_and_one_sided_stretches_are_measured_until_they_end() -> None:
    events = quotes(60)
    events["ask_price"][10:20] = events["price"][10:20]  # ten seconds, until the quote at 20
    events["ask_size"][30:50] = 0
    found = wrong(events)
    assert (found["locked_ns"], found["one_sided_ns"]) == (10 * SECOND, 20 * SECOND)
    assert found["crossed"] == 10


def test_what_is_not_heard_of_is_not_known_to_last() -> None:
    events = quotes(20)
    events["ask_price"][10] = events["price"][10]
    events["ts_event"][11:] += 10 * MINUTE
    assert counted(events)["locked_ns"] == 0
    assert counted(events, silence_ms=700_000)["locked_ns"] == 10 * MINUTE + SECOND


@pytest.mark.parametrize("status", [StatusCode.HALT, StatusCode.SESSION_CLOSE, StatusCode.GAP])
def test_a_book_that_is_not_open_is_not_held_to_be_locked(status: StatusCode) -> None:
    events = quotes(30)
    events["kind"][9], events["price"][9] = EventKind.STATUS, status
    events["ask_price"][10:20] = events["price"][10:20]
    locked = counted(events)["locked_ns"]
    assert locked == (10 * SECOND if status is StatusCode.GAP else 0), "a quote is complete in itself and ends a gap"


@pytest.mark.parametrize(
    ("jump", "lasts", "spikes"),
    [
        (10_000, 1, 1),
        (-5_000, 3, 1),
        (10_000, 200, 0),  # a move that stays is a move
        (8, 1, 0),  # less than a thousandth of the price
    ],
)
def test_a_price_that_jumps_and_comes_back_at_once_is_a_spike(jump: int, lasts: int, spikes: int) -> None:
    events = quotes(400)
    events["price"][200 : 200 + lasts] += jump
    events["ask_price"][200 : 200 + lasts] += jump
    assert counted(events)["price_spikes"] == spikes


def test_a_spike_is_rare_against_the_usual_changes_and_back_in_time() -> None:
    events = quotes(400)
    wild = events.copy()
    wild["price"] += (np.arange(400) % 3) * 400
    wild["ask_price"] = wild["price"] + 2
    wild["price"][200] += 4_000
    wild["ask_price"][200] += 4_000
    assert counted(wild)["price_spikes"] == 0
    assert counted(wild, spike_sigmas=2.0)["price_spikes"] == 1
    slow = events.copy()
    slow["price"][200] += 10_000
    slow["ask_price"][200] += 10_000
    slow["ts_event"][201:] += 10 * SECOND
    assert counted(slow)["price_spikes"] == 0


def test_a_print_off_the_market_is_a_spike() -> None:
    events = quotes(400)
    events["kind"][::2], events["price"][::2] = EventKind.TRADE, 10_000 + np.arange(200) % 2
    events["price"][200] = 20_000
    assert counted(events)["price_spikes"] == 1


@given(seed=st.integers(0, 1 << 30))
@settings(max_examples=25, deadline=None)
def test_any_events_count_as_their_definition_says_however_they_are_cut(seed: int) -> None:
    """Invariant: kernel and definition count the same, in one piece or two."""
    chosen = {"spike_sigmas": 1.0, "silence_ms": 5_000, "spike_ms": 2_000}
    events = random_events(seed)
    expected = inspect(events, 2, QualitySettings(**chosen))
    for cut in (None, seed % len(events)):
        assert counted(events, cut, **chosen) == expected


def test_the_random_events_have_everything_wrong_with_them() -> None:
    totals = [wrong(random_events(seed), spike_sigmas=1.0) for seed in range(5)]
    assert set().union(*totals) == set(QUALITY_COUNTS_DTYPE.names) - {"records", "source_events"}


def random_events(seed: int, count: int = 1_500) -> np.ndarray[Any, Any]:
    """Quotes, levels, orders and prints with everything that can go wrong, at a walking price."""
    rng = np.random.default_rng(seed)
    events = quotes(count)
    events["instrument_id"] = rng.integers(0, 2, count)
    step = rng.choice([0, 1, 500, 1_000, 8_000], count, p=[0.3, 0.2, 0.3, 0.19, 0.01]) * 1_000_000
    events["ts_event"] = START + np.cumsum(step) + DAY * (np.arange(count) > 1_000)
    events["ts_event"] -= (rng.random(count) < 0.02) * 2 * SECOND
    events["ts_recv"] = events["ts_event"] + (rng.random(count) < 0.05) * 11 * SECOND
    mid = 10_000 + np.cumsum(rng.integers(-2, 3, count)) + (rng.random(count) < 0.03) * 3_000
    events["price"], events["ask_price"] = mid - rng.integers(0, 3, count), mid + rng.integers(0, 3, count)
    events["size"], events["ask_size"] = rng.integers(-1, 6, count), rng.integers(0, 6, count)
    kinds = [EventKind.QUOTE, EventKind.TRADE, EventKind.LEVEL, EventKind.ADD, EventKind.EXECUTE, EventKind.CLEAR]
    events["kind"] = rng.choice(kinds, count, p=[0.6, 0.15, 0.1, 0.05, 0.08, 0.02])
    status = rng.random(count) < 0.02
    events["kind"][status], events["price"][status] = EventKind.STATUS, rng.choice(list(StatusCode), status.sum())
    events["side"] = rng.integers(-1, 2, count)
    events["flags"] = np.where(rng.random(count) < 0.9, EventFlag.LAST, 0)
    events["flags"] |= np.where(rng.random(count) < 0.05, EventFlag.HIDDEN, 0).astype(np.uint16)
    events["seq"] -= (rng.random(count) < 0.05) * rng.integers(0, 20, count)
    return events
