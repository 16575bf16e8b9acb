"""The impact of own trading: never a gain, more with more own volume, gone with time; rates against their sums."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.market.events import EventFlag, EventKind
from chimera_platform.simulation.exchange.impact import follow_rates, impact_ticks, note_own_volume
from chimera_platform.simulation.exchange.records import EXCHANGE_MARKET_DTYPE
from chimera_platform.simulation.exchange.settings import VenueSettings, venue_record
from tests.reference.event_streams import make_events

SECOND, HALF_LIFE = 1_000_000_000, 600_000_000_000
START = 1_400_000_000 * SECOND
VENUE = venue_record(VenueSettings())[0]


def market_of(volume_rate: float = 2.0, variance_rate: float = 9.0) -> Any:
    market = np.zeros(1, EXCHANGE_MARKET_DTYPE)[0]
    market["is_tradable"], market["rate_weight"] = 1, 1.0
    market["volume_rate"], market["variance_rate"] = volume_rate, variance_rate
    return market


own_trades = st.lists(
    st.tuples(st.sampled_from((1, -1)), st.integers(1, 10_000), st.integers(0, 3 * HALF_LIFE)), max_size=12
)


def trade_all(market: Any, trades: list[tuple[int, int, int]]) -> int:
    ts = START
    for side, lots, wait in trades:
        ts += wait
        note_own_volume(VENUE, market, side, lots, ts)
    return ts


@given(trades=own_trades, wait=st.integers(0, HALF_LIFE))
@settings(deadline=None)
def test_impact_is_never_a_gain_and_is_there_for_one_side_at_most(trades: Any, wait: int) -> None:
    market = market_of()
    ts = trade_all(market, trades) + wait
    buy, sell = impact_ticks(VENUE, market, 1, ts), impact_ticks(VENUE, market, -1, ts)
    assert buy >= 0 and sell >= 0
    assert buy == 0 or sell == 0


@given(trades=own_trades, side=st.sampled_from((1, -1)), lots=st.integers(1, 10_000))
@settings(deadline=None)
def test_impact_grows_with_own_volume_of_the_side_and_shrinks_with_that_of_the_other(
    trades: Any, side: int, lots: int
) -> None:
    market = market_of()
    ts = trade_all(market, trades)
    before, other = impact_ticks(VENUE, market, side, ts), impact_ticks(VENUE, market, -side, ts)
    note_own_volume(VENUE, market, side, lots, ts)
    assert impact_ticks(VENUE, market, side, ts) >= before
    assert impact_ticks(VENUE, market, -side, ts) <= other


@given(trades=own_trades, side=st.sampled_from((1, -1)))
@settings(deadline=None)
def test_impact_never_grows_with_time_and_is_gone_in_the_end(trades: Any, side: int) -> None:
    market = market_of()
    ts = trade_all(market, trades)
    path = [impact_ticks(VENUE, market, side, ts + k * HALF_LIFE) for k in range(61)]
    assert path == sorted(path, reverse=True)
    assert path[-1] == 0


@given(trades=own_trades, waits=st.lists(st.integers(0, HALF_LIFE), min_size=12, max_size=12))
@settings(deadline=None)
def test_no_round_trip_in_a_market_that_stands_still_earns_anything(trades: Any, waits: list[int]) -> None:
    market, ts, cash, position = market_of(), START, 0, 0

    def trade(side: int, lots: int) -> None:
        nonlocal cash, position
        price = 10_000 + side * impact_ticks(VENUE, market, side, ts)
        note_own_volume(VENUE, market, side, lots, ts)
        cash, position = cash - side * price * lots, position + side * lots

    for (side, lots, _), wait in zip(trades, waits, strict=False):
        ts += wait
        trade(side, lots)
    if position:
        trade(-1 if position > 0 else 1, abs(position))
    assert position == 0
    assert cash <= 0


def test_impact_is_the_square_root_of_own_volume_over_the_markets() -> None:
    market = market_of(volume_rate=2.0, variance_rate=9.0)
    note_own_volume(VENUE, market, 1, 800, START)
    assert impact_ticks(VENUE, market, 1, START) == round(0.5 * 3.0 * math.sqrt(800 / 2.0))
    assert impact_ticks(VENUE, market, 1, START + HALF_LIFE) == round(0.5 * 3.0 * math.sqrt(400 / 2.0))


def prints(seconds: int, lots: int, step: int = 1) -> np.ndarray[Any, Any]:
    return make_events(
        *({"kind": EventKind.TRADE, "side": 1, "size": lots, "ts_event": START + k * SECOND}
          for k in range(0, seconds, step))
    )  # fmt: skip


def follow(market: Any, events: np.ndarray[Any, Any], mids: list[int]) -> None:
    for event, mid in zip(events, mids, strict=True):
        follow_rates(VENUE, market, event, mid - 1, mid + 1)


def test_there_is_no_impact_before_a_minute_of_market_has_been_seen() -> None:
    mids = [1000 + k % 2 for k in range(62)]
    for seconds, expected in ((60, 0), (62, 12)):
        market = market_of(0.0, 0.0)
        market["rate_weight"] = 0.0
        follow(market, prints(seconds, 4), mids[:seconds])
        note_own_volume(VENUE, market, 1, 2400, START)
        assert impact_ticks(VENUE, market, 1, START) == pytest.approx(expected, abs=0)


def test_there_is_no_impact_where_a_source_has_no_prints() -> None:
    market = market_of(0.0, 0.0)
    events = prints(200, 4)
    events["kind"] = EventKind.QUOTE
    follow(market, events, [1000 + k % 7 for k in range(200)])
    note_own_volume(VENUE, market, 1, 10**6, START)
    assert impact_ticks(VENUE, market, 1, START) == 0


def test_rates_are_the_weighted_means_of_what_each_second_saw() -> None:
    market = market_of(0.0, 0.0)
    market["rate_weight"] = 0.0
    rng = np.random.default_rng(5)
    events = prints(900, 1)
    events["size"] = rng.integers(1, 50, 900)
    mids = (1000 + np.cumsum(rng.integers(-3, 4, 900))).tolist()
    follow(market, events, mids)
    weights = 0.5 ** ((899 - np.arange(1, 900)) * SECOND / HALF_LIFE)
    volumes, moves = events["size"][1:], np.diff(mids) ** 2
    assert market["volume_rate"] == pytest.approx(np.average(volumes, weights=weights), rel=1e-9)
    assert market["variance_rate"] == pytest.approx(np.average(moves, weights=weights), rel=1e-9)


def test_a_night_without_a_market_changes_no_rate() -> None:
    market = market_of(0.0, 0.0)
    events = prints(100, 3)
    follow(market, events, [1000 + k % 2 for k in range(100)])
    before = (float(market["volume_rate"]), float(market["variance_rate"]))
    late = events[:1].copy()
    late["ts_event"] = START + 60_000 * SECOND
    follow(market, late, [5000])
    assert (float(market["volume_rate"]), float(market["variance_rate"])) == before


def test_records_of_a_snapshot_are_no_volume() -> None:
    market = market_of(0.0, 0.0)
    events = prints(10, 3)
    events["flags"] = EventFlag.LAST | EventFlag.SNAPSHOT
    follow(market, events, [1000] * 10)
    assert market["volume_rate"] == 0.0
