"""Invariant: the kernel's book equals two dictionaries after every record; sides sorted, sizes positive, no doubles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from chimera_platform.errors import DataError
from chimera_platform.market.book import (
    BOOK_LEVELS,
    apply_event,
    apply_events,
    ask_level,
    best_ask,
    best_ask_size,
    best_bid,
    best_bid_size,
    bid_level,
    is_crossed,
    is_tradable,
    is_trusted,
    new_books,
    pack_book,
    unpack_book,
)
from chimera_platform.market.events import BUY, SELL, EventFlag, EventKind, StatusCode
from tests.reference.book import ReferenceBook
from tests.reference.event_streams import event_streams, make_events

COUNTERS = ("events", "gaps", "crossed", "dropped_levels", "unmatched")


class KernelBook:
    """The kernel behind the reference's interface."""

    def __init__(self, bound: int = BOOK_LEVELS) -> None:
        self.record = new_books(1)[0]

    def apply(self, event: Any) -> None:
        apply_event(self.record, event)

    def levels(self, side: int) -> list[tuple[int, int]]:
        name = "bid" if side > 0 else "ask"
        count = self.record[f"{name}_count"]
        prices, sizes = self.record[f"{name}_price"][:count], self.record[f"{name}_size"][:count]
        return [(int(p), int(q)) for p, q in zip(prices[::-1], sizes[::-1], strict=True)]

    def best(self, side: int) -> tuple[int, int]:
        record = self.record
        if side > 0:
            return best_bid(record), best_bid_size(record)
        return best_ask(record), best_ask_size(record)

    def is_crossed(self) -> bool:
        return bool(is_crossed(self.record))

    def is_trusted(self) -> bool:
        return bool(is_trusted(self.record))

    def is_tradable(self) -> bool:
        return bool(is_tradable(self.record))

    def __getattr__(self, name: str) -> int:
        return int(self.record[name])


@pytest.fixture(params=[KernelBook, ReferenceBook])
def book(request: pytest.FixtureRequest) -> Any:
    return request.param(BOOK_LEVELS)


def state_of(book: Any) -> dict[str, Any]:
    state = {name: getattr(book, name) for name in COUNTERS}
    state |= {f"levels {side}": book.levels(side) for side in (BUY, SELL)}
    state |= {f"best {side}": book.best(side) for side in (BUY, SELL)}
    return state | {name: getattr(book, name)() for name in ("is_crossed", "is_trusted", "is_tradable")}


def feed(book: Any, *rows: dict[str, int]) -> None:
    for event in make_events(*rows):
        book.apply(event)


def level(side: int, price: int, size: int, **more: int) -> dict[str, int]:
    return {"kind": EventKind.LEVEL, "side": side, "price": price, "size": size, **more}


def order(kind: EventKind, side: int, price: int, size: int, **more: int) -> dict[str, int]:
    return {"kind": kind, "side": side, "price": price, "size": size, **more}


def status(code: StatusCode) -> dict[str, int]:
    return {"kind": EventKind.STATUS, "price": code}


CLEAR = {"kind": EventKind.CLEAR, "flags": 0}
TWO_SIDED = (level(BUY, 99, 5), level(SELL, 101, 7))


@settings(max_examples=150, deadline=None)
@given(event_streams())
def test_the_kernel_and_the_reference_agree_after_every_record(events: np.ndarray[Any, Any]) -> None:
    kernel, reference = KernelBook(), ReferenceBook(BOOK_LEVELS)
    for event in events:
        kernel.apply(event)
        reference.apply(event)
        assert state_of(kernel) == state_of(reference)


@settings(max_examples=60, deadline=None)
@given(event_streams())
def test_levels_are_sorted_without_doubles_and_sizes_are_positive(events: np.ndarray[Any, Any]) -> None:
    book = KernelBook()
    for event in events:
        book.apply(event)
        for side in (BUY, SELL):
            keys = [-side * price for price, _ in book.levels(side)]
            assert keys == sorted(set(keys))
            assert all(size > 0 for _, size in book.levels(side))


@settings(max_examples=40, deadline=None)
@given(event_streams(instruments=3))
def test_many_instruments_in_one_call_equal_each_on_its_own(events: np.ndarray[Any, Any]) -> None:
    together = new_books(3)
    apply_events(together, events)
    for k in range(3):
        alone = new_books(3)
        apply_events(alone, events[events["instrument_id"] == k])
        assert pack_book(alone[k]) == pack_book(together[k])


@settings(max_examples=40, deadline=None)
@given(event_streams(), event_streams())
def test_a_packed_book_goes_on_exactly_like_the_one_it_was_taken_from(
    before: np.ndarray[Any, Any], after: np.ndarray[Any, Any]
) -> None:
    books = new_books(2)
    apply_events(books, before)
    unpack_book(pack_book(books[0]), books[1])
    apply_events(books[:1], after)
    apply_events(books[1:], after)
    assert pack_book(books[0]) == pack_book(books[1])


def test_a_full_side_drops_the_level_farthest_from_the_touch_and_counts_it() -> None:
    rng = np.random.default_rng(3)
    prices = 1_000_000 + rng.permutation(BOOK_LEVELS + 300)
    rows = [level(side, int(p), 1) for p in prices for side in (BUY, SELL)]
    rows += [level(BUY, int(prices.max()) + 1, 2), level(SELL, int(prices.min()) - 1, 2)]
    kernel, reference = KernelBook(), ReferenceBook(BOOK_LEVELS)
    feed(kernel, *rows)
    feed(reference, *rows)
    assert kernel.dropped_levels == 2 * 301
    assert state_of(kernel) == state_of(reference)


def test_levels_deep_in_a_large_book_are_found_and_changed() -> None:
    rng = np.random.default_rng(4)
    rows = [level(side, 10_000 - side * k, 1) for k in range(1, 700) for side in (BUY, SELL)]
    deep = zip(rng.choice([BUY, SELL], 2000), rng.integers(1, 900, 2000), rng.integers(0, 3, 2000), strict=True)
    rows += [level(int(s), 10_000 - int(s) * int(k), int(q)) for s, k, q in deep]
    kernel, reference = KernelBook(), ReferenceBook(BOOK_LEVELS)
    feed(kernel, *rows)
    feed(reference, *rows)
    assert state_of(kernel) == state_of(reference)


def test_level_one_is_the_touch_and_absent_levels_are_zero() -> None:
    book = KernelBook()
    feed(book, level(BUY, 99, 5), level(BUY, 98, 6), level(SELL, 101, 7))
    assert [bid_level(book.record, k) for k in (0, 1, 2, 3)] == [(0, 0), (99, 5), (98, 6), (0, 0)]
    assert [ask_level(book.record, k) for k in (0, 1, 2)] == [(0, 0), (101, 7), (0, 0)]


def test_orders_at_one_price_add_up_and_leave_one_by_one(book: Any) -> None:
    feed(book, order(EventKind.ADD, BUY, 99, 5), order(EventKind.ADD, BUY, 99, 3), order(EventKind.CANCEL, BUY, 99, 2))
    assert book.levels(BUY) == [(99, 6)]
    feed(book, order(EventKind.EXECUTE, BUY, 99, 3), order(EventKind.DELETE, BUY, 99, 3))
    assert (book.levels(BUY), book.unmatched) == ([], 0)


def test_taking_more_than_is_there_empties_the_level_and_is_counted(book: Any) -> None:
    feed(book, order(EventKind.ADD, SELL, 101, 5), order(EventKind.DELETE, SELL, 101, 6))
    feed(book, order(EventKind.CANCEL, SELL, 105, 1))
    assert (book.levels(SELL), book.unmatched) == ([], 2)


def test_prints_and_hidden_executions_leave_the_book_alone(book: Any) -> None:
    hidden = EventFlag.HIDDEN | EventFlag.LAST
    feed(book, *TWO_SIDED, order(EventKind.TRADE, BUY, 101, 7), order(EventKind.EXECUTE, BUY, 99, 5, flags=hidden))
    assert (book.best(BUY), book.best(SELL), book.events) == ((99, 5), (101, 7), 4)


def test_a_quote_replaces_both_sides_and_a_side_without_size_is_empty(book: Any) -> None:
    quote = {"kind": EventKind.QUOTE, "price": 98, "size": 4, "ask_price": 102, "ask_size": 0}
    feed(book, *TWO_SIDED, quote)
    assert (book.levels(BUY), book.levels(SELL), book.is_tradable()) == ([(98, 4)], [], False)


def test_a_gap_is_closed_only_by_a_clear_and_a_snapshot_up_to_its_last_record(book: Any) -> None:
    feed(book, *TWO_SIDED)
    assert book.is_tradable()
    feed(book, status(StatusCode.GAP), *TWO_SIDED)
    assert not book.is_tradable()
    feed(book, CLEAR, *TWO_SIDED)
    assert not book.is_tradable(), "cleared, but no snapshot has come"
    feed(book, CLEAR, level(BUY, 99, 5, flags=EventFlag.SNAPSHOT), level(SELL, 101, 7, flags=EventFlag.SNAPSHOT))
    assert not book.is_tradable(), "the snapshot is not complete"
    feed(book, level(SELL, 102, 7, flags=EventFlag.SNAPSHOT | EventFlag.LAST))
    assert (book.is_tradable(), book.gaps) == (True, 1)


def test_a_gap_during_a_rebuild_starts_over(book: Any) -> None:
    feed(book, status(StatusCode.GAP), CLEAR, level(BUY, 99, 5, flags=EventFlag.SNAPSHOT), status(StatusCode.GAP))
    feed(book, *TWO_SIDED)
    assert (book.is_tradable(), book.gaps) == (False, 2)


def test_a_quote_is_complete_in_itself_and_closes_a_gap(book: Any) -> None:
    quote = {"kind": EventKind.QUOTE, "price": 98, "size": 4, "ask_price": 102, "ask_size": 3}
    feed(book, status(StatusCode.GAP), quote)
    assert book.is_tradable()


def test_a_crossed_or_locked_book_is_counted_and_untradable_while_it_lasts(book: Any) -> None:
    feed(book, *TWO_SIDED, level(BUY, 102, 1), level(BUY, 101, 1), level(BUY, 102, 0))
    assert (book.is_tradable(), book.is_crossed(), book.crossed) == (False, True, 3)
    feed(book, level(BUY, 101, 0))
    assert (book.is_tradable(), book.crossed) == (True, 3)


def test_a_crossed_quote_is_counted_and_untradable(book: Any) -> None:
    feed(book, {"kind": EventKind.QUOTE, "price": 103, "size": 4, "ask_price": 102, "ask_size": 3})
    assert (book.is_tradable(), book.crossed) == (False, 1)


@pytest.mark.parametrize(
    ("stop", "go"), [(StatusCode.HALT, StatusCode.RESUME), (StatusCode.SESSION_CLOSE, StatusCode.SESSION_OPEN)]
)
def test_halts_and_session_ends_stop_trading_until_revoked(book: Any, stop: StatusCode, go: StatusCode) -> None:
    feed(book, *TWO_SIDED, status(stop))
    assert not book.is_tradable()
    feed(book, status(go))
    assert book.is_tradable()


def test_a_modification_that_was_not_resolved_opens_a_gap(book: Any) -> None:
    feed(book, *TWO_SIDED, order(EventKind.MODIFY, BUY, 98, 1))
    assert (book.is_tradable(), book.gaps, book.unmatched) == (False, 1, 1)


def test_a_packed_book_is_small_and_damage_to_it_is_refused() -> None:
    books = new_books(1)
    apply_events(books, make_events(*TWO_SIDED))
    packed = pack_book(books[0])
    assert len(packed) < 200
    with pytest.raises(DataError, match="expected"):
        unpack_book(packed[:-1], books[0])
    with pytest.raises(DataError, match="at least"):
        unpack_book(packed[:10], books[0])
