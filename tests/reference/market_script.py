"""A market written down by hand, one source event a call, and the intents that stand beside it."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.coordinator import Coordinator, CoordinatorOutput
from chimera_platform.execution.records import INTENT_DTYPE
from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind, StatusCode
from tests.reference.coordinator_streams import MILLISECOND, START

BUY, SELL = 1, -1


class MarketScript:
    """Events at given milliseconds after :data:`START` of instrument 0, and intents at the event just written."""

    def __init__(self) -> None:
        self.rows: list[dict[str, int]] = []
        self.wanted: list[dict[str, Any]] = []

    def event(self, at_ms: float, **fields: int) -> MarketScript:
        row = {"ts_event": START + round(at_ms * MILLISECOND), "seq": len(self.rows), "flags": EventFlag.LAST}
        self.rows.append({**row, **fields})
        return self

    def quote(self, at_ms: float, bid: int, ask: int, size: int = 100, ask_size: int | None = None) -> MarketScript:
        lots = size if ask_size is None else ask_size
        return self.event(at_ms, kind=EventKind.QUOTE, price=bid, size=size, ask_price=ask, ask_size=lots)

    def level(self, at_ms: float, side: int, price: int, size: int, **fields: int) -> MarketScript:
        return self.event(at_ms, kind=EventKind.LEVEL, side=side, price=price, size=size, **fields)

    def trade(self, at_ms: float, aggressor: int, price: int, size: int, **fields: int) -> MarketScript:
        return self.event(at_ms, kind=EventKind.TRADE, side=aggressor, price=price, size=size, **fields)

    def status(self, at_ms: float, code: StatusCode) -> MarketScript:
        return self.event(at_ms, kind=EventKind.STATUS, price=code)

    def ladder(self, at_ms: float, bids: dict[int, int], asks: dict[int, int]) -> MarketScript:
        """Show these levels, as one source event."""
        levels = [(BUY, price, size) for price, size in bids.items()]
        levels += [(SELL, price, size) for price, size in asks.items()]
        for side, price, size in levels:
            self.level(at_ms, side, price, size, flags=0)
        self.rows[-1]["flags"] = EventFlag.LAST
        return self

    def intent(self, side: int, size: int, limit: int = 0, **fields: Any) -> MarketScript:
        """Want ``size`` lots at the event just written; far stops, no limit means a market order."""
        wide = {"stop_distance": 10_000, "target_distance": 10_000, "max_hold_ns": 10**15}
        row = {"event_no": len(self.rows) - 1, "ts_event": self.rows[-1]["ts_event"], "side": side, "size": size}
        kind = {"order_type": 2 if limit else 1, "limit_price": limit, "time_to_live_ns": 10**15 if limit else 0}
        self.wanted.append({**wide, **row, **kind, "model_score": np.nan, "model_threshold": np.nan, **fields})
        return self

    def events(self) -> np.ndarray[Any, Any]:
        """Return the market's events: EVENT_DTYPE (n,)."""
        return _records(EVENT_DTYPE, self.rows)

    def run(self, coordinator: Coordinator) -> CoordinatorOutput:
        """Run the whole script as one batch."""
        return coordinator.run(self.events(), 0, _records(INTENT_DTYPE, self.wanted))


def _records(dtype: np.dtype[Any], rows: list[dict[str, Any]]) -> np.ndarray[Any, Any]:
    records = np.zeros(len(rows), dtype)
    for number, row in enumerate(rows):
        for name, value in row.items():
            records[name][number] = value
    return records
