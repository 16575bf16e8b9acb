"""Each displayed lot is taken once: against a search through the book and a dictionary of what was taken."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.market.book import apply_event, new_books
from chimera_platform.market.events import EventFlag, EventKind, StatusCode
from chimera_platform.simulation.exchange.consumed import available, consume, refresh_consumed
from chimera_platform.simulation.exchange.records import CONSUMED_MAX, EXCHANGE_MARKET_DTYPE
from tests.reference.event_streams import make_events


def new_market() -> Any:
    return np.zeros(1, EXCHANGE_MARKET_DTYPE)[0]


def level(side: int, price: int, size: int) -> dict[str, int]:
    return {"kind": EventKind.LEVEL, "side": side, "price": price, "size": size}


def apply(book: Any, market: Any, *rows: dict[str, int]) -> None:
    for event in make_events(*rows):
        apply_event(book, event)
    refresh_consumed(market, book)


changes = st.tuples(st.just("level"), st.sampled_from((1, -1)), st.integers(95, 105), st.integers(0, 6))
takes = st.tuples(st.just("take"), st.sampled_from((1, -1)), st.integers(95, 105), st.integers(1, 6))


@given(st.lists(st.one_of(changes, takes), max_size=60))
@settings(deadline=None)
def test_no_more_is_taken_of_a_level_than_it_shows_until_it_shows_less(script: list[tuple[str, int, int, int]]) -> None:
    book, market = new_books(1)[0], new_market()
    shown: dict[tuple[int, int], int] = {}
    taken: dict[tuple[int, int], int] = {}
    for what, side, price, lots in script:
        if what == "level":
            shown[side, price] = lots
            apply(book, market, level(side, price, lots))
            taken = {at: min(n, shown.get(at, 0)) for at, n in taken.items()}
            continue
        at = (-side, price)  # a buyer takes asks
        free = available(market, side, price, shown.get(at, 0))
        assert free == shown.get(at, 0) - taken.get(at, 0)
        consume(market, side, price, min(lots, free))
        taken[at] = taken.get(at, 0) + min(lots, free)
        assert taken[at] <= shown.get(at, 0)


def test_lots_that_come_back_to_a_level_that_was_gone_are_new() -> None:
    book, market = new_books(1)[0], new_market()
    apply(book, market, level(-1, 101, 5))
    consume(market, 1, 101, 5)
    apply(book, market, level(-1, 101, 0))
    apply(book, market, level(-1, 101, 4))
    assert available(market, 1, 101, 4) == 4


def test_what_was_taken_is_remembered_while_the_book_is_rebuilt_after_a_gap() -> None:
    book, market = new_books(1)[0], new_market()
    apply(book, market, level(-1, 101, 5))
    consume(market, 1, 101, 5)
    apply(book, market, {"kind": EventKind.STATUS, "price": StatusCode.GAP})
    apply(book, market, {"kind": EventKind.CLEAR})
    apply(book, market, {**level(-1, 101, 5), "flags": EventFlag.SNAPSHOT | EventFlag.LAST})
    assert available(market, 1, 101, 5) == 0


def test_a_full_table_lets_no_further_level_be_taken() -> None:
    market = new_market()
    for price in range(CONSUMED_MAX):
        consume(market, 1, 1000 + price, 1)
    assert available(market, 1, 999, 7) == 0
    assert available(market, 1, 1000, 7) == 6
