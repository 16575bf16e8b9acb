"""The sampled mid of a market: what held at even times, in bounded memory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind
from chimera_platform.market.instruments import Universe, load_instruments
from chimera_platform.portfolio.market_path import (
    STALE_NS,
    MarketObserver,
    MarketPaths,
    market_activity,
    new_market_paths,
    observe_mid,
)

SECOND = 1_000_000_000
INSTRUMENTS = Universe([load_instruments()["XAUUSD"], load_instruments()["XAGUSD"]]).records


def sampled(points: list[tuple[int, int]], step: int = 10, capacity: int = 64) -> MarketPaths:
    market = new_market_paths(INSTRUMENTS[:1], step, capacity)
    for ts, mid2 in points:
        observe_mid(market.paths[0], market.samples[0], ts, mid2)
    return market


points = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 9)), min_size=1, max_size=60)


@settings(max_examples=300, deadline=None)
@given(points=points, capacity=st.sampled_from([4, 16, 512]))
def test_a_sample_is_the_mid_that_held_just_before_or_at_its_time(points: list[tuple[int, int]], capacity: int) -> None:
    """Invariant: whatever the step has grown to, sample k is the latest mid at origin + k step."""
    ts, curve = 1_000, []
    for gap, mid2 in points:
        curve.append((ts, mid2))
        ts += gap
    market = sampled(curve, capacity=capacity)
    path = market.paths[0]
    assert path["count"] <= capacity
    assert path["origin_ts"] == 1_000
    last = curve[-1][0]
    assert path["origin_ts"] + (path["count"] - 1) * path["step_ns"] < last or path["count"] == 1
    assert path["origin_ts"] + path["count"] * path["step_ns"] >= last
    for k in range(path["count"]):
        at = path["origin_ts"] + k * path["step_ns"]
        assert market.samples[0, k] == max((t, -n, m) for n, (t, m) in enumerate(reversed(curve)) if t <= at)[2]


def test_a_mid_that_nothing_confirmed_for_long_is_none() -> None:
    market = sampled([(SECOND, 7), (SECOND + 3 * STALE_NS, 9), (2 * SECOND + 3 * STALE_NS, 9)], SECOND, 1 << 16)
    samples = market.samples[0, : market.paths[0]["count"]]
    stale = STALE_NS // SECOND
    assert (samples[: stale + 1] == 7).all()
    assert (samples[stale + 1 : 3 * stale] == 0).all()
    assert samples[3 * stale] == 9


def test_a_year_takes_no_more_memory_than_an_hour() -> None:
    market = sampled([(k * 86_400 * SECOND + 1, 100 + k) for k in range(365)], SECOND, 1 << 10)
    path = market.paths[0]
    assert path["count"] <= 1 << 10
    assert path["step_ns"] * path["count"] >= 363 * 86_400 * SECOND
    assert path["step_ns"] == SECOND << 15


def quotes() -> np.ndarray:
    """Two markets in turns, a quote every second and a trade of three lots every other one."""
    rows = []
    for second in range(200):
        for i in (0, 1):
            bid = 1_000 + (second * (i + 1)) % 7
            rows.append((EventKind.QUOTE, bid, bid + 2, 5, second, i))
            if second % 2:
                rows.append((EventKind.TRADE, bid, 0, 3, second, i))
    events = np.zeros(len(rows), EVENT_DTYPE)
    for event, (kind, price, ask, size, second, i) in zip(events, rows, strict=True):
        event["kind"], event["price"], event["ask_price"] = kind, price, ask
        event["size"] = event["ask_size"] = size
        event["ts_event"], event["instrument_id"], event["flags"] = (second + 1) * SECOND, i, EventFlag.LAST
    return events


@pytest.mark.parametrize("batch", [1, 33, 10_000])
def test_mids_and_volume_are_those_of_each_book(batch: int) -> None:
    events, observer = quotes(), MarketObserver(INSTRUMENTS)
    for first in range(0, len(events), batch):
        observer.observe(events[first : first + batch])
    for i in (0, 1):
        path = observer.market.paths[i]
        expected = [2 * (1_000 + (second * (i + 1)) % 7) + 2 for second in range(199)]
        assert observer.market.samples[i, : path["count"]].tolist() == expected
        assert path["volume"] == 300
    activity = market_activity(observer.market)
    changes = np.diff([(second * 2) % 7 for second in range(199)])
    assert activity["volume_rate"] == pytest.approx([300 / 198] * 2)
    assert activity["variance_rate"][1] == pytest.approx((changes.astype(float) ** 2).mean())
    assert activity["tick_value_nanos"].tolist() == INSTRUMENTS["tick_value_nanos"].tolist()


def test_a_market_that_never_opened_has_no_rates() -> None:
    activity = market_activity(new_market_paths(INSTRUMENTS))
    assert np.isnan(activity["volume_rate"]).all()
    assert np.isnan(activity["variance_rate"]).all()
