"""Drawn latencies follow the quantiles that they are drawn from."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.simulation.exchange.latency import draw_latency
from chimera_platform.simulation.exchange.settings import VenueSettings, venue_record

tables = st.lists(st.integers(0, 10**9), min_size=1, max_size=20).map(sorted)


def draws(table: list[int], count: int, seed: int = 3) -> np.ndarray:
    quantiles = np.array(table, np.int64)
    return np.array([draw_latency(quantiles, len(table), seed, k) for k in range(count)])


def test_a_single_quantile_is_a_constant_latency() -> None:
    venue = venue_record(VenueSettings(order_latency_ns=1234))[0]
    assert {draw_latency(venue["order_quantiles_ns"], venue["order_quantiles"], 5, k) for k in range(9)} == {1234}


@given(table=tables, seed=st.integers(0, 2**63 - 1), counter=st.integers(0, 2**40))
@settings(deadline=None)
def test_a_latency_is_between_the_smallest_and_the_largest_and_repeats(
    table: list[int], seed: int, counter: int
) -> None:
    quantiles = np.array(table, np.int64)
    drawn = draw_latency(quantiles, len(table), seed, counter)
    assert table[0] <= drawn <= table[-1]
    assert draw_latency(quantiles, len(table), seed, counter) == drawn


def test_many_latencies_have_the_quantiles_they_were_drawn_from() -> None:
    table = [100, 200, 400, 800, 10_000]
    drawn = np.quantile(draws(table, 40_000), [0.0, 0.25, 0.5, 0.75, 1.0])
    np.testing.assert_allclose(drawn, table, rtol=0.03)
    halfway = np.quantile(draws(table, 40_000), 0.875)
    assert abs(halfway - (800 + 10_000) / 2) < 200


def test_two_seeds_draw_different_latencies() -> None:
    assert not np.array_equal(draws([0, 10**9], 20, seed=1), draws([0, 10**9], 20, seed=2))
