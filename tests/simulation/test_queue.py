"""What a resting order sees of the book, against a search through all levels."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.execution.orders import QUEUE_UNKNOWN
from chimera_platform.market.book import new_books
from chimera_platform.simulation.queue import displayed_against, displayed_at

levels = st.dictionaries(st.integers(80, 120), st.integers(1, 9), max_size=20)


def book_of(bids: dict[int, int], asks: dict[int, int]) -> np.void:
    book = new_books(1)[0]
    for name, side, order in (("bid", bids, sorted(bids)), ("ask", asks, sorted(asks, reverse=True))):
        book[f"{name}_count"] = len(side)
        book[f"{name}_price"][: len(side)] = order
        book[f"{name}_size"][: len(side)] = [side[price] for price in order]
    return book


@given(bids=levels, asks=levels, price=st.integers(78, 122), side=st.sampled_from((1, -1)))
@settings(deadline=None)
def test_the_lots_at_a_price_are_found_and_unknown_beyond_the_last_level(
    bids: dict[int, int], asks: dict[int, int], price: int, side: int
) -> None:
    own = bids if side > 0 else asks
    worst = (min(own) if side > 0 else max(own)) if own else None
    expected = own.get(price, 0)
    if worst is None or side * (worst - price) > 0:
        expected = QUEUE_UNKNOWN
    assert displayed_at(book_of(bids, asks), side, price) == expected


@given(bids=levels, asks=levels, price=st.integers(78, 122), side=st.sampled_from((1, -1)), depth=st.integers(1, 30))
@settings(deadline=None)
def test_the_lots_against_a_price_are_those_of_the_levels_at_it_or_better(
    bids: dict[int, int], asks: dict[int, int], price: int, side: int, depth: int
) -> None:
    against = asks if side > 0 else bids
    near = sorted(against, reverse=side < 0)[:depth]
    expected = sum(against[level] for level in near if side * (price - level) >= 0)
    assert displayed_against(book_of(bids, asks), side, price, depth) == expected
