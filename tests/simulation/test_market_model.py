"""The simulated flow against the laws that it is stated to follow, and its facts against those of recorded markets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chimera_platform.market.events import EventKind
from chimera_platform.market.instruments import load_instruments
from chimera_platform.settings import to_record
from chimera_platform.simulation.facts.command import open_any
from chimera_platform.simulation.facts.measures import Facts, facts_of
from chimera_platform.simulation.facts.observation import observe
from chimera_platform.simulation.market.order_flow import REACH
from chimera_platform.simulation.market.own_book import ASK, BID, FLOW_BOOK_DTYPE, add_order, clear_flow_book
from chimera_platform.simulation.market.quotes import cancel_weight, deep_price, pick_cancel
from chimera_platform.simulation.market.random_numbers import power_law, seeded_random
from chimera_platform.simulation.market.settings import MarketSettings
from chimera_platform.simulation.market.simulator import SimulatedMarket

PARAMETERS = to_record(MarketSettings())[0]
TOUCH = 1_000


def book_of(levels: dict[int, int]) -> Any:
    """A book whose bids stand at ``TOUCH`` minus the keys, as many orders each as the values say; one ask."""
    book = np.zeros(1, FLOW_BOOK_DTYPE)[0]
    clear_flow_book(book)
    order_id = 1
    for behind, count in levels.items():
        for _ in range(count):
            add_order(book, BID, TOUCH - behind, 10, order_id)
            order_id += 1
    add_order(book, ASK, TOUCH + 1, 10, order_id)
    return book


@pytest.mark.parametrize("tail", [1.2, 1.6, 3.0])
def test_lengths_of_large_orders_follow_their_power_law(tail: float) -> None:
    random = seeded_random(5)
    drawn = np.array([power_law(random, tail, 50) for _ in range(40_000)])
    assert drawn.min() == 1 and drawn.max() <= 50
    for n in (2, 4, 8, 16):
        expected = n**-tail
        assert np.mean(drawn >= n) == pytest.approx(expected, abs=4.0 * np.sqrt(expected / len(drawn)))


def test_orders_behind_the_touch_are_placed_by_a_power_law_of_the_distance() -> None:
    book, random = book_of({0: 1}), seeded_random(3)
    behind = np.array([TOUCH - deep_price(PARAMETERS, book, BID, random) for _ in range(40_000)])
    assert behind.min() == 1 and behind.max() == 1 + REACH // 2
    scale, tail = PARAMETERS["placement_offset"] + 1.0, PARAMETERS["placement_tail"]
    for d in (1, 5, 20, 80):
        expected = (1.0 + d / scale) ** -tail
        assert np.mean(behind > d) == pytest.approx(expected, abs=4.0 * np.sqrt(expected / len(behind)))


def test_a_level_loses_orders_in_proportion_to_its_queue_and_to_the_rate_at_its_distance() -> None:
    levels = {0: 8, 1: 2, 3: 8, 10: 6, 40: 6}
    book, random, draws = book_of(levels), seeded_random(9), 40_000
    picked = [int(book["order_price"][pick_cancel(PARAMETERS, book, BID, 0.0, random)]) for _ in range(draws)]
    rates = np.array([count * cancel_weight(PARAMETERS, behind) for behind, count in levels.items()])
    expected = rates / rates.sum()
    seen = np.array([picked.count(TOUCH - behind) for behind in levels]) / draws
    assert seen == pytest.approx(expected, abs=0.01)


@pytest.fixture(scope="module")
def simulated() -> list[Facts]:
    return [facts_of(o) for o in observe(open_any("sim://?symbols=XAUUSD,XAGUSD&seed=5&days=3"))]


# What was measured on NASDAQ, Binance and COMEX (docs/market-facts.md), widened by what a few days vary.
BOUNDS = {
    "spread, 95 % quantile / median": (lambda f: f.spread_bp[1] / f.spread_bp[0], 1.0, 2.3),
    "touch in market orders": (lambda f: f.touch_orders, 3.0, 9.5),
    "depth of level 2": (lambda f: f.depth[1], 0.17, 0.75),
    "depth of level 3": (lambda f: f.depth[2], 0.09, 0.6),
    "depth of level 5": (lambda f: f.depth[4], 0.11, 0.56),
    "depth of level 10": (lambda f: f.depth[9], 0.11, 0.88),
    "tail of trade sizes": (lambda f: f.tail, 1.0, 2.7),
    "signs, lag 1": (lambda f: f.signs[0], 0.19, 0.63),
    "signs, lag 10": (lambda f: f.signs[9], 0.03, 0.14),
    "signs, mean of 50 lags": (lambda f: f.signs.mean(), 0.025, 0.11),
    "absolute returns, 10 s": (lambda f: f.clustering[0], 0.1, 0.3),
    "absolute returns, 300 s": (lambda f: f.clustering[2], 0.02, 0.17),
    "order flow, 1 s": (lambda f: f.ofi[0], 0.23, 0.53),
    "order flow, 10 s": (lambda f: f.ofi[1], 0.38, 0.58),
    "order flow, 60 s": (lambda f: f.ofi[2], 0.43, 0.65),
    "queue imbalance": (lambda f: f.auc, 0.6, 0.87),
    "cancel ratio": (lambda f: f.cancel_ratio, 0.73, 0.985),
}


@pytest.mark.parametrize("fact", BOUNDS)
def test_the_simulated_market_lies_within_reach_of_recorded_ones(simulated: list[Facts], fact: str) -> None:
    of, low, high = BOUNDS[fact]
    values = [float(of(facts)) for facts in simulated]
    print(f"{fact}: {np.round(values, 3)}")
    assert all(low <= value <= high for value in values)


def signs_without(setting: str) -> float:
    (seen,) = observe(open_any(f"sim://?symbols=XAUUSD&seed=5&days=3&{setting}"))
    return float(facts_of(seen).signs.mean())


def test_signs_remember_because_large_orders_are_worked_piece_by_piece(simulated: list[Facts]) -> None:
    assert simulated[0].signs.mean() > 2.0 * signs_without("metaorder_share=0")


def test_market_orders_set_each_other_off() -> None:
    def burstiness(branching: float) -> float:
        """Orders within the two seconds after one, as a multiple of those in two seconds of the minute around it."""
        url = f"sim://?symbols=XAUUSD&seed=5&days=2&sweeps_a_day=0&burst_branching={branching}"
        market = SimulatedMarket.from_url(url, load_instruments())
        events = np.concatenate(list(market.batches(65_536)))
        ts = np.unique(events["ts_event"][events["kind"] == EventKind.EXECUTE])
        after = np.searchsorted(ts, ts + 2 * 10**9, side="right") - np.arange(len(ts)) - 1
        around = np.searchsorted(ts, ts + 30 * 10**9) - np.searchsorted(ts, ts - 30 * 10**9) - 1
        return float(after.mean() / (around.mean() / 30.0))

    alone, excited = burstiness(0.0), burstiness(0.45)
    print(f"market orders soon after one, relative: {alone:.2f} without excitation, {excited:.2f} with it")
    assert alone < 1.3 and excited > 2.0
