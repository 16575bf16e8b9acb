"""Conversion for the peers: the converted stream is the same market, update for update."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.peers.conversion import level_updates
from benchmarks.peers.environment import LOCK
from benchmarks.peers.runners import Run, best_quotes
from benchmarks.peers.side_by_side import summarise
from benchmarks.streams import simulator
from chimera_platform.errors import ChimeraError, DataError
from chimera_platform.market.book import apply_events, ask_level, bid_level, new_books
from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind

LAST = int(EventFlag.LAST)


def event(kind, side=0, price=0, size=0, flags=LAST, ask_price=0, ask_size=0):
    row = np.zeros(1, EVENT_DTYPE)
    row["kind"], row["side"], row["price"], row["size"], row["flags"] = int(kind), side, price, size, flags
    row["ask_price"], row["ask_size"] = ask_price, ask_size
    return row


def updates(*rows):
    return level_updates(np.concatenate(rows))[["side", "price", "size", "flags"]].tolist()


def test_orders_become_their_levels_totals():
    assert updates(
        event(EventKind.ADD, 1, 100, 5),
        event(EventKind.ADD, 1, 100, 3),
        event(EventKind.EXECUTE, 1, 100, 6),
        event(EventKind.DELETE, 1, 100, 2),
    ) == [(1, 100, 5, LAST), (1, 100, 8, LAST), (1, 100, 2, LAST), (1, 100, 0, LAST)]


def test_prints_and_hidden_executions_are_dropped_and_the_source_event_still_ends():
    assert updates(
        event(EventKind.ADD, -1, 101, 4, flags=0),
        event(EventKind.EXECUTE, -1, 101, 1, flags=int(EventFlag.HIDDEN)),
        event(EventKind.TRADE, 1, 101, 1),
    ) == [(-1, 101, 4, LAST)]


def test_a_quote_removes_the_old_levels_before_it_sets_the_new_ones():
    assert updates(
        event(EventKind.QUOTE, price=100, size=5, ask_price=101, ask_size=5),
        event(EventKind.QUOTE, price=101, size=5, ask_price=102, ask_size=5),
    ) == [(1, 100, 5, 0), (-1, 101, 5, LAST), (1, 100, 0, 0), (-1, 101, 0, 0), (1, 101, 5, 0), (-1, 102, 5, LAST)]


def test_an_unresolved_modification_is_refused():
    with pytest.raises(DataError, match="event 0"):
        updates(event(EventKind.MODIFY, 1, 100, 5))


def test_the_simulated_market_ends_with_the_same_book_after_conversion():
    events = simulator(20_000).events
    events = events[events["instrument_id"] == 0]
    books = new_books(2)
    apply_events(books[:1], events)
    apply_events(books[1:], level_updates(events))
    assert best_quotes(books[0]) == best_quotes(books[1])
    assert books["bid_count"][0] == books["bid_count"][1] > 5
    for level in (bid_level, ask_level):
        assert [level(books[0], k) for k in range(1, 30)] == [level(books[1], k) for k in range(1, 30)]


def test_a_comparison_gives_medians_per_event_and_ratios_of_times():
    ours = [Run(seconds, seconds, 10, [1, 2, 3, 4]) for seconds in (3e-6, 1e-6, 2e-6)]
    peer = [Run(seconds, seconds, 9, [1, 2, 3, 4]) for seconds in (4e-6, 5e-6, 6e-6)]
    compared = summarise(10, {"ours": ours, "peer": peer}, ["ours"])
    assert compared["runs"]["ours"]["ns_per_event"] == 200
    assert compared["runs"]["ours"]["wall_best_ns_per_event"] == 100
    assert compared["runs"]["ours"]["times_faster_than"] == {"peer": 2.5}
    assert compared["books_equal"] == ["ours", "peer"]


def test_a_comparison_with_another_final_book_is_refused():
    taken = {"ours": [Run(1e-6, 1e-6, 1, [1, 2, 3, 4])], "peer": [Run(1e-6, 1e-6, 1, [1, 2, 3, 5])]}
    with pytest.raises(ChimeraError, match=r"peer ends with the book \[1, 2, 3, 5\]"):
        summarise(1, taken, ["ours"])


def test_the_lock_holds_the_peers_that_are_compared():
    lock = LOCK.read_text()
    assert "\nhftbacktest==2.4.4 " in lock
    assert "\nnautilus-trader==1.231.0 ; python_full_version >= '3.12' " in lock


def test_the_lock_pins_every_package_by_hash_and_names_no_host():
    lock = LOCK.read_text()
    pins = [line for line in lock.splitlines() if line and not line.startswith(" ")]
    assert all("==" in line and line.endswith("\\") for line in pins)
    assert "://" not in lock
