"""Invariant: a book fed with resolved records holds, per price, the sum of the orders that rest there."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.errors import CapacityError
from chimera_platform.market.book import apply_events, ask_level, bid_level, new_books
from chimera_platform.market.events import BUY, SELL, EventFlag, EventKind
from chimera_platform.market.orders_l3 import OrderTable
from tests.reference.event_streams import make_events

ADD, MODIFY, CANCEL = EventKind.ADD, EventKind.MODIFY, EventKind.CANCEL
DELETE, EXECUTE, TRADE = EventKind.DELETE, EventKind.EXECUTE, EventKind.TRADE
IDS = (1, 2, 3, 5, 8, -(2**62), 2**40)


def order(kind: EventKind, order_id: int, side: int = 0, price: int = 0, size: int = 0, **more: int) -> dict[str, int]:
    return {"kind": kind, "order_id": order_id, "side": side, "price": price, "size": size, **more}


def short(events: np.ndarray[Any, Any]) -> list[tuple[EventKind, int, int, int]]:
    return [(EventKind(int(e["kind"])), int(e["side"]), int(e["price"]), int(e["size"])) for e in events]


def reference_orders(events: np.ndarray[Any, Any]) -> dict[tuple[int, int], list[int]]:
    """Return (instrument, id) → [side, price, size] of what rests after the records."""
    resting: dict[tuple[int, int], list[int]] = {}
    for e in events:
        instrument = int(e["instrument_id"])
        key = (instrument, int(e["order_id"]))
        side, price, size = int(e["side"]), int(e["price"]), int(e["size"])
        if e["kind"] == EventKind.CLEAR:
            resting = {k: v for k, v in resting.items() if k[0] != instrument}
        elif e["kind"] in (ADD, MODIFY):
            resting[key] = [side, price, size]
        elif key in resting:
            resting[key][2] -= resting[key][2] if e["kind"] == DELETE else size
        if key in resting and resting[key][2] <= 0:
            del resting[key]
    return resting


records = st.builds(
    lambda kind, order_id, side, distance, size, instrument_id: order(
        kind, order_id, side, 100 - side * distance, size, instrument_id=instrument_id
    ),
    st.sampled_from((ADD, ADD, MODIFY, CANCEL, DELETE, EXECUTE)),
    st.sampled_from(IDS),
    st.sampled_from((BUY, SELL)),
    st.integers(1, 3),
    st.integers(1, 5),
    st.integers(0, 1),
)
clears = st.builds(lambda k: {"kind": EventKind.CLEAR, "instrument_id": k}, st.integers(0, 1))
streams = st.lists(st.one_of(records, records, records, records, records, records, clears), max_size=60)


def is_known(events: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Drop the records that take from an order that does not rest (those pass unresolved)."""
    kept: list[int] = []
    for i, event in enumerate(events):
        resting = reference_orders(events[kept])
        key = (int(event["instrument_id"]), int(event["order_id"]))
        if event["kind"] not in (CANCEL, DELETE, EXECUTE) or key in resting:
            kept.append(i)
    return events[kept]


@settings(max_examples=50, deadline=None)
@given(streams, st.integers(1, 60))
def test_levels_are_the_sums_of_the_resting_orders(rows: list[dict[str, int]], cut: int) -> None:
    events = is_known(make_events(*rows))
    table, books = OrderTable(), new_books(2)
    for part in (events[:cut], events[cut:]):
        apply_events(books, table.resolve(part))
        # An execution states its own price in these streams: off the resting price it becomes CANCEL and TRADE.
    wanted: dict[tuple[int, int], dict[int, int]] = {(k, side): {} for k in (0, 1) for side in (BUY, SELL)}
    for (instrument, _), (side, price, size) in reference_orders(events).items():
        level = wanted[instrument, side]
        level[price] = level.get(price, 0) + size
    for (instrument, side), truth in wanted.items():
        level = bid_level if side == BUY else ask_level
        found = [level(books[instrument], k) for k in range(1, len(truth) + 2)]
        assert found == [*sorted(truth.items(), reverse=side == BUY), (0, 0)]
    assert len(table) == len(reference_orders(events))
    assert books["unmatched"].sum() == 0


@settings(max_examples=30, deadline=None)
@given(streams, streams)
def test_a_restored_table_goes_on_exactly_like_the_original(before: list[Any], after: list[Any]) -> None:
    first = OrderTable()
    first.resolve(make_events(*before))
    second = OrderTable()
    second.restore(pickle.loads(pickle.dumps(first.snapshot())))
    assert first.resolve(make_events(*after)).tobytes() == second.resolve(make_events(*after)).tobytes()
    assert first.counters == second.counters


def test_a_smaller_size_at_the_same_price_is_a_cancel_of_the_difference() -> None:
    events = make_events(order(ADD, 1, BUY, 99, 5), order(MODIFY, 1, BUY, 99, 2))
    assert short(OrderTable().resolve(events)) == [(ADD, 1, 99, 5), (CANCEL, 1, 99, 3)]


def test_another_price_or_a_larger_size_is_a_deletion_and_a_new_order_of_one_source_event() -> None:
    events = make_events(order(ADD, 1, BUY, 99, 5), order(MODIFY, 1, BUY, 98, 5), order(MODIFY, 1, BUY, 98, 6))
    resolved = OrderTable().resolve(events)
    assert short(resolved)[1:] == [(DELETE, 1, 99, 5), (ADD, 1, 98, 5), (DELETE, 1, 98, 5), (ADD, 1, 98, 6)]
    assert (resolved["flags"] & EventFlag.LAST).tolist() == [1, 0, 1, 0, 1]


def test_a_deletion_that_names_only_the_order_gets_its_price_side_and_size() -> None:
    events = make_events(order(ADD, 1, SELL, 101, 5), order(CANCEL, 1, size=2), order(DELETE, 1))
    assert short(OrderTable().resolve(events))[1:] == [(CANCEL, -1, 101, 2), (DELETE, -1, 101, 3)]


def test_an_execution_away_from_the_resting_price_is_a_cancel_and_a_print_of_the_aggressor() -> None:
    events = make_events(order(ADD, 1, SELL, 101, 5), order(EXECUTE, 1, SELL, 100, 2))
    resolved = OrderTable().resolve(events)
    assert short(resolved)[1:] == [(CANCEL, SELL, 101, 2), (TRADE, BUY, 100, 2)]
    assert (resolved["flags"] & EventFlag.LAST).tolist() == [1, 0, 1]


def test_what_does_not_fit_is_passed_on_or_capped_and_counted() -> None:
    table = OrderTable()
    hidden = order(EXECUTE, 0, BUY, 100, 1, flags=EventFlag.HIDDEN | EventFlag.LAST)
    events = make_events(order(DELETE, 9, BUY, 99, 1), order(ADD, 1, BUY, 99, 5), order(CANCEL, 1, BUY, 99, 8), hidden)
    resolved = short(table.resolve(events))
    assert resolved == [(DELETE, 1, 99, 1), (ADD, 1, 99, 5), (CANCEL, 1, 99, 5), (EXECUTE, 1, 100, 1)]
    assert (table.counters["unknown"][0], table.counters["mismatched"][0]) == (1, 1)


def test_a_large_table_grows_and_forgets_every_order_again() -> None:
    rng = np.random.default_rng(6)
    ids = rng.choice(2**60, 30_000, replace=False)
    adds = np.zeros(len(ids), make_events().dtype)
    adds["kind"], adds["side"], adds["price"], adds["size"], adds["order_id"] = int(ADD), 1, 99, 1, ids
    deletes = adds[rng.permutation(len(ids))]
    deletes["kind"] = int(DELETE)
    table, books = OrderTable(), new_books(1)
    apply_events(books, table.resolve(adds))
    assert (len(table), bid_level(books[0], 1)) == (30_000, (99, 30_000))
    apply_events(books, table.resolve(deletes))
    assert (len(table), bid_level(books[0], 1)) == (0, (0, 0))
    assert not table.snapshot()["orders"].size


def test_more_orders_than_allowed_is_an_error() -> None:
    table = OrderTable(orders_max=2)
    table.resolve(make_events(*(order(ADD, k, BUY, 99, 1) for k in (1, 2, 3))))
    with pytest.raises(CapacityError, match="at most 2"):
        table.resolve(make_events(order(ADD, 4, BUY, 99, 1)))
