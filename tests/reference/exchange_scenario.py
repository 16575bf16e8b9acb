"""A market and orders written down by hand, and what the simulated exchange reports of them, as lines of text.

Times are milliseconds after :data:`START`, prices ticks, sizes lots. A report reads

    <order> <ms at the venue> <KIND> [<lots>@<price> <MAKER or TAKER>] [<REASON>]
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.execution.records import Liquidity, OrderReason, OrderType, TimeInForce
from chimera_platform.execution.reports import ReportKind
from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind, StatusCode
from chimera_platform.simulation.exchange.order_script import SCRIPT_DTYPE, ScriptAction, run_script_on_events
from chimera_platform.simulation.exchange.settings import VenueSettings

START, MILLISECOND = 1_700_000_000_000_000_000, 1_000_000
BUY, SELL = 1, -1


def ns(at_ms: float) -> int:
    """Return the time ``at_ms`` milliseconds after the start, ns UTC."""
    return START + round(at_ms * MILLISECOND)


def in_words(report: np.void) -> str:
    """Return one report as a line."""
    words = [f"{report['order_no']}", f"{(report['ts_venue'] - START) / MILLISECOND:g}"]
    words.append(ReportKind(report["kind"]).name)
    if report["kind"] == ReportKind.TRADE:
        words.append(f"{report['lots']}@{report['price']} {Liquidity(report['liquidity']).name}")
    if report["reason"]:
        words.append(OrderReason(report["reason"]).name)
    return " ".join(words)


class Scenario:
    """Events and messages, in any order of writing; orders take 5 ms to the venue unless told otherwise."""

    def __init__(self, latency_ms: float = 5, **venue: Any) -> None:
        latencies = {"order_latency_ns": round(latency_ms * MILLISECOND), "report_latency_ns": 0}
        self.settings = VenueSettings(**{**latencies, "protection_ppm": 50_000, **venue})
        self.events: list[dict[str, int]] = []
        self.messages: list[dict[str, int]] = []

    # ---- the market

    def event(self, at_ms: float, **fields: int) -> Scenario:
        row = {"ts_event": ns(at_ms), "seq": len(self.events), "flags": int(EventFlag.LAST)}
        self.events.append({**row, **fields})
        return self

    def quote(self, at_ms: float, bid: int, ask: int, size: int = 100, ask_size: int | None = None) -> Scenario:
        lots = size if ask_size is None else ask_size
        return self.event(at_ms, kind=EventKind.QUOTE, price=bid, size=size, ask_price=ask, ask_size=lots)

    def level(self, at_ms: float, side: int, price: int, size: int, **fields: int) -> Scenario:
        return self.event(at_ms, kind=EventKind.LEVEL, side=side, price=price, size=size, **fields)

    def trade(self, at_ms: float, aggressor: int, price: int, size: int, **fields: int) -> Scenario:
        return self.event(at_ms, kind=EventKind.TRADE, side=aggressor, price=price, size=size, **fields)

    def status(self, at_ms: float, code: StatusCode) -> Scenario:
        return self.event(at_ms, kind=EventKind.STATUS, price=code)

    def ladder(self, at_ms: float, bids: dict[int, int], asks: dict[int, int]) -> Scenario:
        """Show these levels, as one source event."""
        for side, levels in ((BUY, bids), (SELL, asks)):
            for price, size in levels.items():
                self.level(at_ms, side, price, size, flags=0)
        self.events[-1]["flags"] = EventFlag.LAST
        return self

    def tick(self, *at_ms: float) -> Scenario:
        """Let time be seen to pass: a level far from the touch changes."""
        for number, each in enumerate(at_ms):
            self.level(each, BUY, 1, 1 + number)
        return self

    # ---- the client

    def order(
        self,
        at_ms: float,
        order_id: int,
        side: int,
        size: int,
        price: int = 0,
        kind: OrderType | None = None,
        tif: TimeInForce | None = None,
        **fields: int,
    ) -> Scenario:
        """Send an order: a limit, good till cancelled, where there is a price, else a market order."""
        kind = kind or (OrderType.LIMIT if price else OrderType.MARKET)
        tif = tif or (TimeInForce.IOC if kind == OrderType.MARKET else TimeInForce.GTC)
        terms = {"order_type": kind, "time_in_force": tif, "side": side, "size": size, "price": price}
        return self._send(at_ms, ScriptAction.NEW, order_id, **terms, **fields)

    def cancel(self, at_ms: float, order_id: int) -> Scenario:
        return self._send(at_ms, ScriptAction.CANCEL, order_id)

    def replace(self, at_ms: float, order_id: int, size: int, price: int) -> Scenario:
        return self._send(at_ms, ScriptAction.REPLACE, order_id, size=size, price=price)

    def _send(self, at_ms: float, action: ScriptAction, order_id: int, **fields: int) -> Scenario:
        self.messages.append({"ts": ns(at_ms), "action": action, "id": order_id, **fields})
        return self

    # ---- what comes of it

    def records(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Return the events (EVENT_DTYPE) and the messages in the order of time (SCRIPT_DTYPE)."""
        messages = sorted(self.messages, key=lambda row: row["ts"])
        return _records(EVENT_DTYPE, self.events), _records(SCRIPT_DTYPE, messages)

    def rows(self) -> np.ndarray[Any, Any]:
        """Return the reports: REPORT_DTYPE."""
        events, script = self.records()
        return run_script_on_events([events], 0, self.settings, script)

    def reports(self, order_id: int | None = None) -> list[str]:
        """Return the reports in words, of one order or of all."""
        return [in_words(row) for row in self.rows() if order_id is None or row["order_no"] == order_id]

    def trades(self, order_id: int | None = None) -> list[str]:
        """Return the trades among them."""
        return [line for line in self.reports(order_id) if " TRADE " in line]


def _records(dtype: np.dtype[Any], rows: list[dict[str, int]]) -> np.ndarray[Any, Any]:
    records = np.zeros(len(rows), dtype)
    for number, row in enumerate(rows):
        for name, value in row.items():
            records[name][number] = value
    return records
