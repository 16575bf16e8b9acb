"""A walk ends where the first displayed level begins that is one too many; own orders behind it are not met."""

from __future__ import annotations

from typing import Any

from chimera_platform.execution.records import OrderType, TimeInForce
from chimera_platform.execution.reports import ReportKind
from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind
from chimera_platform.simulation.exchange.order_script import SCRIPT_DTYPE, ScriptAction, run_script_on_events
from chimera_platform.simulation.exchange.settings import SelfTradePrevention, VenueSettings
from tests.reference.exchange_scripts import MILLISECOND, START, records

BUY, SELL = 1, -1


def run(script: list[dict[str, int]], **venue: Any) -> list[tuple[int, ReportKind, int, int]]:
    """Reports (order, kind, price of a trade, lots) of a script against bids 99 and asks 101, 102, 103."""
    levels = [(BUY, 99, 5), (SELL, 101, 5), (SELL, 102, 5), (SELL, 103, 5)]
    book = {"kind": EventKind.LEVEL, "ts_event": START, "flags": EventFlag.LAST}
    rows = [{**book, "side": side, "price": price, "size": size} for side, price, size in levels]
    rows += [{**rows[-1], "ts_event": START + at * MILLISECOND} for at in range(1, 20)]
    common = {"action": ScriptAction.NEW, "order_type": OrderType.LIMIT, "time_in_force": TimeInForce.GTC}
    sent = [{**common, "id": k, "ts": START + (k + 1) * MILLISECOND, **row} for k, row in enumerate(script)]
    settings = VenueSettings(order_latency_ns=0, report_latency_ns=0, max_walk_levels=1, **venue)
    reports = run_script_on_events([records(EVENT_DTYPE, rows)], 0, settings, records(SCRIPT_DTYPE, sent))
    return [
        (int(r["order_no"]), ReportKind(r["kind"]), int(r["price"]) * (r["lots"] > 0), int(r["lots"])) for r in reports
    ]


def test_an_own_order_behind_the_next_level_is_not_met() -> None:
    for price in (102, 103):
        script = [{"side": SELL, "price": price, "size": 4}, {"side": BUY, "price": 103, "size": 12}]
        reports = run(script, self_trade_prevention=SelfTradePrevention.NONE)
        assert reports[2:] == [(1, ReportKind.TRADE, 101, 5)]


def test_fill_or_kill_counts_no_lots_that_the_walk_does_not_reach() -> None:
    for price in (102, 103):
        fok = {"side": BUY, "price": 103, "size": 12, "time_in_force": TimeInForce.FOK}
        reports = run([{"side": SELL, "price": price, "size": 10}, fok], self_trade_prevention=SelfTradePrevention.NONE)
        assert reports[2:] == [(1, ReportKind.CANCELLED, 0, 0)]


def test_an_own_order_before_the_next_level_is_met() -> None:
    script = [{"side": SELL, "price": 101, "size": 4}, {"side": BUY, "price": 103, "size": 12}]
    reports = run(script, self_trade_prevention=SelfTradePrevention.NONE)
    assert reports[2:] == [(1, ReportKind.TRADE, 101, 5), (1, ReportKind.TRADE, 101, 4), (0, ReportKind.TRADE, 101, 4)]
