"""Invariant: at every LAST each book is two-sided and uncrossed, and no record takes more than rests."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.market.book import apply_events, best_ask, best_bid, new_books
from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind
from chimera_platform.market.instruments import Universe, load_instruments
from chimera_platform.simulation.market.settings import MarketSettings
from chimera_platform.simulation.market.simulator import OrderFlow, SimulatedMarket
from tests.reference.order_by_order_book import OrderByOrderBook

INSTRUMENTS = load_instruments()


def own_orders(flow: OrderFlow, symbol: int) -> dict[int, list[int]]:
    """The simulator's own resting orders: id -> [side, ticks, lots]."""
    book, ticks = flow.books[symbol], int(flow.profiles["quote_ticks"][symbol])
    found = {}
    for side, sign in ((0, 1), (1, -1)):
        for slot in book["live"][side, : book["live_count"][side]]:
            price, size = int(book["order_price"][slot]) * ticks, int(book["order_size"][slot])
            found[int(book["order_id"][slot])] = [sign, price, size]
    return found


def own_levels(flow: OrderFlow, symbol: int, sign: int) -> dict[int, int]:
    book, ticks = flow.books[symbol], int(flow.profiles["quote_ticks"][symbol])
    used = np.flatnonzero(book["level_count"])
    middle = 0.5 * (book["best"][0] + book["best"][1])
    prices = book["level_price"][used]
    mine = used[(prices < middle) if sign == 1 else (prices > middle)]
    return {int(book["level_price"][k]) * ticks: int(book["level_size"][k]) for k in mine}


def replay(market: SimulatedMarket, compare_every: int) -> int:
    """Apply the stream to naive books, checking each LAST; compare with the simulator's own between chunks."""
    flow, books = market.flow(), [OrderByOrderBook() for _ in market.universe.symbols]
    chunk, seen = np.zeros(compare_every, EVENT_DTYPE), 0
    while rows := flow.fill(chunk):
        for event in chunk[:rows]:
            book = books[event["instrument_id"]]
            book.apply(event)
            if event["flags"] & EventFlag.LAST:
                assert book.best(1) < book.best(-1)
        seen += rows
        for i, book in enumerate(books):
            assert book.orders == own_orders(flow, i)
            for sign in (1, -1):
                assert book.levels[sign] == own_levels(flow, i, sign)
            assert [book.best(1), book.best(-1)] == (flow.books[i]["best"] * flow.profiles["quote_ticks"][i]).tolist()
    return seen


def test_a_naive_book_agrees_with_the_simulators_own() -> None:
    market = SimulatedMarket.from_url("sim://?days=2&rate=0.15&seed=11", INSTRUMENTS)
    assert replay(market, 3000) > 100_000


@settings(max_examples=14, deadline=None)
@given(
    seed=st.integers(0, 2**63 - 1),
    values=st.fixed_dictionaries(
        {
            "volatility": st.sampled_from([0.05, 1.0, 10.0]),
            "orders_a_side": st.sampled_from([30, 120]),
            "market_share": st.sampled_from([0.01, 0.07, 0.3]),
            "limit_share": st.sampled_from([0.2, 0.5, 0.6]),
            "sweeps_a_day": st.sampled_from([0.0, 2000.0]),
            "sweep_levels": st.sampled_from([2, 20]),
            "icebergs_a_day": st.sampled_from([0.0, 2000.0]),
            "correlation": st.sampled_from([-0.99, 0.0, 0.99]),
            "burst_branching": st.sampled_from([0.0, 0.9]),
            "news_a_day": st.sampled_from([0.0, 500.0]),
            "droughts_a_day": st.sampled_from([0.0, 500.0]),
            "absorptions_a_day": st.sampled_from([0.0, 500.0]),
            "stacked_absorptions_a_day": st.sampled_from([0.0, 500.0]),
            "stop_runs_a_day": st.sampled_from([0.0, 500.0]),
            "episode_difficulty": st.sampled_from([1, 2, 3]),
        }
    ),
)
def test_the_books_hold_under_any_parameters(seed: int, values: dict[str, Any]) -> None:
    universe = Universe([INSTRUMENTS["GC"], INSTRUMENTS["BTCUSDT"], INSTRUMENTS["GOOG"]])
    market = SimulatedMarket(universe, seed, days=1, settings=MarketSettings(rate=0.05, session_hours=12, **values))
    assert replay(market, 2000) > 1000


def test_the_platforms_book_kernel_follows_the_stream() -> None:
    market = SimulatedMarket.from_url("sim://?days=2&seed=5", INSTRUMENTS)
    flow, books, chunk = market.flow(), new_books(2), np.zeros(20_000, EVENT_DTYPE)
    while rows := flow.fill(chunk):
        apply_events(books, chunk[:rows])
        for i in range(2):
            touch = [best_bid(books[i]), best_ask(books[i])]
            assert touch == (flow.books[i]["best"] * flow.profiles["quote_ticks"][i]).tolist()
    for counter in ("gaps", "crossed", "dropped_levels"):
        assert (books[counter] == 0).all()


def test_resting_orders_stay_near_their_setting_and_never_run_out() -> None:
    flow = SimulatedMarket.from_url("sim://?days=4&seed=2", INSTRUMENTS).flow()
    chunk, counts, depths = np.zeros(4096, EVENT_DTYPE), [], []
    while flow.fill(chunk):
        counts.append(flow.books["live_count"].copy())
        depths.append(flow.books["depth"].copy())
    print(f"resting orders a side: median {np.median(counts):.0f}; levels: median {np.median(depths):.0f}")
    assert 45 < np.median(counts) < 180
    assert np.min(depths) >= 5
    assert np.max(counts) <= 4 * 90 + 10


def test_every_order_id_is_new_except_in_an_icebergs_refill() -> None:
    market = SimulatedMarket.from_url("sim://?days=2&rate=0.15&seed=11", INSTRUMENTS)
    events = np.concatenate(list(market.batches(65_536)))
    added = events[events["kind"] == EventKind.ADD]
    ids, times = np.unique(added["order_id"], return_counts=True)
    truth = market.ground_truth()
    refilled = truth[(truth["levels"] > 0) & (truth["order_id"] > 0)]
    assert set(ids[times > 1]) == set(refilled["order_id"])
    assert len(refilled) > 10
