"""Forward returns against a plain definition, whatever the batches, and without a look ahead."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.errors import ConfigurationError
from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind, StatusCode
from chimera_platform.signals.forward_returns import HORIZONS_NS, OUTCOME_DTYPE, ForwardReturns
from chimera_platform.signals.records import DETECTION_DTYPE
from tests.reference.forward_returns import change

SECOND = 1_000_000_000


def stream(steps: list[tuple[int, int, int, str]]) -> np.ndarray:
    """Return quotes, halts and prints of two symbols from (wait in 100 ms, symbol, bid, what)."""
    events = np.zeros(len(steps), EVENT_DTYPE)
    ts = 1_000 * SECOND
    for row, (wait, symbol, bid, what) in zip(events, steps, strict=True):
        ts += wait * 100_000_000
        row["ts_event"], row["instrument_id"], row["flags"] = ts, symbol, EventFlag.LAST
        row["kind"], row["price"], row["size"] = EventKind.QUOTE, bid, 5
        row["ask_price"], row["ask_size"] = bid + 1 + bid % 3, 5
        if what == "halt":
            row["kind"], row["price"], row["size"] = EventKind.STATUS, StatusCode.HALT, 0
        elif what == "resume":
            row["kind"], row["price"], row["size"] = EventKind.STATUS, StatusCode.RESUME, 0
        elif what == "print":
            row["kind"], row["size"], row["side"] = EventKind.TRADE, 1, 1
    return events


def moments_at(events: np.ndarray, positions: list[int], first: int = 0) -> np.ndarray:
    rows = np.zeros(len(positions), DETECTION_DTYPE)
    rows["event_no"] = np.array(positions, np.int64) + first
    for name in ("ts_event", "instrument_id"):
        rows[name] = events[name][positions]
    return rows


def run(events: np.ndarray, asked: list[int], cut: int) -> np.ndarray:
    follower, parts = ForwardReturns(2), []
    for first in range(0, len(events), cut):
        batch = events[first : first + cut]
        inside = [k - first for k in asked if first <= k < first + len(batch)]
        parts.append(follower.run(batch, first, moments_at(batch, inside, first)))
    found = np.concatenate([*parts, follower.finish(), np.zeros(0, OUTCOME_DTYPE)])
    return found[np.lexsort((found["ts_event"], found["instrument_id"], found["number"]))]


def path_of(events: np.ndarray, symbol: int) -> list[tuple[int, int, int]]:
    """Return (event number, time, price) after each event of a symbol, by plain rules."""
    rows, quote, trade, halted, quoted = [], 0, 0, False, False
    for number, event in enumerate(events):
        if event["instrument_id"] != symbol:
            continue
        if event["kind"] == EventKind.QUOTE:
            quote, quoted = int(event["price"] + event["ask_price"]), True
        elif event["kind"] == EventKind.TRADE:
            trade = 2 * int(event["price"])
        else:
            halted = event["price"] == StatusCode.HALT
        price = trade if not quoted else 0 if halted else quote
        rows.append((number, int(event["ts_event"]), price))
    return rows


STEPS = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 4, 9, 60, 700, 4000]),
        st.integers(0, 1),
        st.integers(100, 110),
        st.sampled_from(["quote"] * 6 + ["print", "halt", "resume"]),
    ),
    min_size=1,
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.integers(1, 70), st.randoms(use_true_random=False))
def test_each_return_is_the_plain_ones_however_the_stream_is_cut(steps, cut, random) -> None:
    """For every moment and horizon: price at or before t + h less the price after the moment's event."""
    events = stream(steps)
    asked = sorted(random.sample(range(len(events)), min(len(events), 12)))
    found = run(events, asked, cut)
    own = found[found["number"] >= 0]
    assert own["number"].tolist() == list(range(len(asked)))
    last = int(events["ts_event"].max())
    for row, position in zip(own, asked, strict=True):
        event = events[position]
        path = path_of(events, int(event["instrument_id"]))
        expected = [change(path, position, int(event["ts_event"]), h, last) for h in HORIZONS_NS]
        np.testing.assert_array_equal(row["change"], expected)
    whole = run(events, asked, len(events))
    np.testing.assert_array_equal(found["change"], whole["change"])
    np.testing.assert_array_equal(found["ts_event"], whole["ts_event"])


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_an_unconditional_moment_is_the_first_event_of_a_second_with_a_price(steps) -> None:
    """Every symbol and second with a priced event has one moment: its first."""
    events = stream(steps)
    found = run(events, [], 7)
    for symbol in range(2):
        expected: dict[int, int] = {}
        for _, ts, price in path_of(events, symbol):
            if price:
                expected.setdefault(ts // SECOND, ts)
        assert found["ts_event"][found["instrument_id"] == symbol].tolist() == list(expected.values())


def test_what_comes_after_a_horizon_changes_nothing_about_it() -> None:
    steps = [(5, 0, 100 + k % 7, "quote") for k in range(200)]
    events = stream(steps)
    other = events.copy()
    late = other["ts_event"] > events["ts_event"][50] + HORIZONS_NS[1]
    other["price"][late] += 50
    other["ask_price"][late] += 50
    before, after = (run(e, [50], 64)[-1]["change"] for e in (events, other))
    np.testing.assert_array_equal(before[:2], after[:2])
    assert before[2] != after[2]


def test_a_moment_that_is_not_among_the_events_is_refused() -> None:
    events = stream([(5, 0, 100, "quote")] * 4)
    with pytest.raises(ConfigurationError, match="moments at events 7 to 7; expected 0 to 3"):
        ForwardReturns(2).run(events, 0, moments_at(events, [0], first=7))


def test_memory_holds_only_what_the_longest_horizon_needs() -> None:
    follower = ForwardReturns(1)
    events = stream([(5, 0, 100 + k % 7, "quote") for k in range(20_000)])
    none = np.zeros(0, DETECTION_DTYPE)
    for first in range(0, len(events), 1_000):
        follower.run(events[first : first + 1_000], first, none)
        assert len(follower._paths[0]) <= 2 * 300 + 2 + 1_000
        assert len(follower._waiting[0]) <= 301 + 500
