"""The coordinator on real ticks: the books' venue never trades outside what the market showed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chimera_platform.configuration import Configuration
from chimera_platform.coordination.invariants import Violation
from chimera_platform.coordinator import Coordinator, CoordinatorOutput
from chimera_platform.digest import RunDigest
from chimera_platform.execution.records import INTENT_DTYPE, SIGNAL_ENGINES, DecisionReason, Liquidity
from chimera_platform.market.events import EventFlag, EventKind
from chimera_platform.market.instruments import load_instruments
from chimera_platform.market.sources import open_source

pytestmark = pytest.mark.real_data
SOURCES = {
    "L1": ("oanda/tick", ["XAUUSD"], 200_000),
    "L3": ("lobster/LOBSTER_SampleFile_GOOG_2012-06-21_10.zip", None, 100_000),
}


@pytest.fixture(scope="module", params=SOURCES)
def market(request: Any, real_data: Path) -> tuple[Any, np.ndarray[Any, Any]]:
    path, symbols, count = SOURCES[request.param]
    source = open_source([real_data / path], None, load_instruments(), symbols)
    return source.universe, next(iter(source.batches(count)))


def wanted(events: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Intents of all engines at about every hundredth event, limits within a few ticks of the event's price."""
    rng = np.random.default_rng(9)
    at = np.flatnonzero((events["flags"] & EventFlag.LAST != 0) & (rng.random(len(events)) < 0.01))
    rows = np.zeros(len(at), INTENT_DTYPE)
    rows["event_no"], rows["ts_event"] = at, events["ts_event"][at]
    rows["instrument_id"], rows["engine"] = events["instrument_id"][at], rng.integers(0, len(SIGNAL_ENGINES), len(at))
    rows["side"], rows["size"], rows["order_type"] = rng.choice([-1, 1], len(at)), 300, rng.integers(1, 3, len(at))
    near = np.where(events["kind"][at] == EventKind.QUOTE, events["ask_price"][at], events["price"][at])
    rows["limit_price"] = np.where(rows["order_type"] == 2, near + rng.integers(-40, 40, len(at)), 0)
    rows["time_to_live_ns"], rows["max_hold_ns"] = 10**10, 20 * 10**9
    rows["stop_distance"] = rows["target_distance"] = 100
    rows["model_score"] = rows["model_threshold"] = np.nan
    return rows


def run(market: Any, size: int) -> tuple[CoordinatorOutput, str, str]:
    universe, events = market
    coordinator, digest, parts, intents = Coordinator(universe, Configuration()), RunDigest(), [], wanted(events)
    for first in range(0, len(events), size):
        batch = events[first : first + size]
        mine = (intents["event_no"] >= first) & (intents["event_no"] < first + len(batch))
        parts.append(coordinator.run(batch, first, intents[mine]))
        assert coordinator.violation() is Violation.NONE
        digest.update(parts[-1].intents, parts[-1].orders, parts[-1].fills)
    output = CoordinatorOutput(*(np.concatenate(tables) for tables in zip(*parts, strict=True)))
    return output, digest.hexdigest(), coordinator.state_hash()


def test_one_batch_and_many_give_one_digest_and_one_state(market: Any) -> None:
    whole, pieces = run(market, len(market[1])), run(market, 997)
    assert whole[1:] == pieces[1:]


def test_fills_stay_within_what_the_market_showed(market: Any) -> None:
    output, _, _ = run(market, len(market[1]))
    fills = output.fills
    assert len(fills) > 200
    assert set(fills["liquidity"]) == {Liquidity.MAKER, Liquidity.TAKER}
    assert DecisionReason.APPROVED in output.decisions["reason"]
    taken = fills[fills["liquidity"] == Liquidity.TAKER]
    touch = np.where(taken["side"] > 0, taken["ask_price"], taken["bid_price"])
    slip = taken["side"] * (taken["price"] - touch)
    assert (slip >= 0).all()
    assert (slip <= touch * Configuration().venue.protection_ppm // 1_000_000).all()
    latency_ns = Configuration().venue.order_latency_ns
    assert (fills["ts_event"] - fills["ts_sent"] >= latency_ns).all()
    assert (fills["ts_event"] <= market[1]["ts_event"][fills["event_no"]]).all()
