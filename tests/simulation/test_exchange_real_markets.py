"""On recorded markets the exchange reports what the naive one does, whatever is sent near the touch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chimera_platform.execution.records import OrderType, TimeInForce
from chimera_platform.execution.reports import ReportKind
from chimera_platform.market.book import apply_event, best_ask, best_bid, is_tradable, new_books
from chimera_platform.market.instruments import load_instruments
from chimera_platform.market.sources import open_source
from chimera_platform.simulation.exchange.order_script import SCRIPT_DTYPE, ScriptAction, run_script_on_events
from chimera_platform.simulation.exchange.settings import QueueModel, SelfTradePrevention, VenueSettings
from tests.reference.exchange import NaiveExchange, plain

pytestmark = pytest.mark.real_data
MILLISECOND = 1_000_000
EVENTS, ORDERS = 2_500, 50
FILES = {
    "lobster": "lobster/LOBSTER_SampleFile_GOOG_2012-06-21_10.zip",
    "binance": "binance/usdm_btcusdt_20240808.gz",
    "oanda": "oanda/tick/xauusd",
}


def touches(events: Any) -> list[tuple[int, int, int, int]]:
    """(ts, bid, ask, lots at the touch) after each record of a tradable book."""
    book, found = new_books(1)[0], []
    for event in events:
        apply_event(book, event)
        if is_tradable(book):
            found.append((int(event["ts_event"]), int(best_bid(book)), int(best_ask(book)), int(event["size"]) or 1))
    return found


def orders_near_the_touch(events: Any, seed: int) -> Any:
    """Orders of every type, cancels and replacements, near the touch and about as large as what the feed shows."""
    rng, seen = np.random.default_rng(seed), touches(events)
    rows: list[dict[str, int]] = []
    for at in np.sort(rng.integers(0, len(seen), ORDERS)):
        ts, bid, ask, lots = seen[at]
        side, kind = int(rng.choice((1, -1))), int(rng.choice([2, 2, 2, 7, 8, *OrderType]))
        touch = bid if side > 0 else ask
        near = touch + side * int(rng.choice((-2, -1, 0, 0, 0, 1))) * max((ask - bid) // 3, 1)
        row = {
            "action": ScriptAction.NEW, "id": len(rows), "ts": ts, "order_type": kind, "side": side,
            "time_in_force": int(rng.choice([1, 1, 1, *TimeInForce])), "size": 1 + int(rng.integers(0, 3 * lots)),
            "end_ts": ts + int(rng.integers(1, 60_000)) * MILLISECOND,
        }  # fmt: skip
        row["price"] = near if kind not in (OrderType.MARKET, OrderType.STOP, OrderType.TWAP) else 0
        row["stop_price"] = (ask if side > 0 else bid) + side if kind in (OrderType.STOP, OrderType.STOP_LIMIT) else 0
        row["display_size"] = 1 + row["size"] // 3 if kind >= OrderType.TWAP else 0
        rows.append(row)
    later = []
    for row in rows:
        if rng.random() < 0.5:
            action = int(rng.choice((ScriptAction.CANCEL, ScriptAction.REPLACE)))
            moved = row["price"] + int(rng.integers(-1, 2)) if row["price"] else row["stop_price"]
            sent = {"ts": row["ts"] + int(rng.integers(1, 20_000)) * MILLISECOND, "id": row["id"], "action": action}
            later.append({**sent, "price": moved, "size": max(row["size"] - int(rng.integers(0, 2)), 1)})
    made = np.zeros(len(rows) + len(later), SCRIPT_DTYPE)
    for number, row in enumerate(sorted(rows + later, key=lambda each: each["ts"])):
        for name, value in row.items():
            made[name][number] = value
    return made


@pytest.mark.parametrize("model", list(QueueModel))
@pytest.mark.parametrize("market", FILES)
def test_reports_on_a_recorded_market_are_those_of_the_naive_exchange(
    real_data: Path, market: str, model: QueueModel
) -> None:
    source = open_source([real_data / FILES[market]], None, load_instruments())
    events = next(iter(source.batches(EVENTS))).copy()
    script = orders_near_the_touch(events, seed=10 * list(FILES).index(market) + list(QueueModel).index(model))
    venue = VenueSettings(
        queue_model=model, self_trade_prevention=SelfTradePrevention.NONE, impact_coefficient=1.0,
        order_latency_quantiles_ns=(0, 2 * MILLISECOND, 9 * MILLISECOND), protection_ppm=50_000,
    )  # fmt: skip
    reports = run_script_on_events([events], 0, venue, script)
    assert plain(reports) == plain(NaiveExchange(venue).run(events, script))
    kinds = [ReportKind(kind).name for kind in reports["kind"]]
    print(market, model, {name: kinds.count(name) for name in sorted(set(kinds))})
    assert kinds.count("TRADE") > 10
