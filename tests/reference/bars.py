"""Bars as their definition: gather the events of an interval in a list, then look at the list."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from chimera_platform.market.bars import BAR_DTYPE
from chimera_platform.market.events import EventFlag, EventKind
from tests.reference.book import ReferenceBook

NS_PER_WEEK = 7 * 86_400 * 10**9
MONDAY_NS = 4 * 86_400 * 10**9


@dataclass
class SourceEvent:
    """What one source event means for a bar."""

    ts_event: int
    quote: tuple[int, int] | None = None  # best bid and ask after it
    trades: list[tuple[int, int, int]] = field(default_factory=list)  # price, size, aggressor


def source_events(events: Any) -> list[SourceEvent]:
    """The source events of one instrument that quote or trade."""
    book, found, current = ReferenceBook(4096), [], None
    for event in events:
        book.apply(event)
        current = current or SourceEvent(int(event["ts_event"]))
        if event["kind"] == EventKind.TRADE:
            current.trades.append((int(event["price"]), int(event["size"]), int(event["side"])))
        if event["kind"] == EventKind.EXECUTE:
            current.trades.append((int(event["price"]), int(event["size"]), -int(event["side"])))
        if event["flags"] & EventFlag.LAST:
            if book.is_trusted() and book.sides[1] and book.sides[-1]:
                current.quote = book.best(1)[0], book.best(-1)[0]
            if current.quote or current.trades:
                found.append(current)
            current = None
    return found


def reference_bars(events: Any, interval: int) -> list[dict[str, int]]:
    """All bars of one instrument, the last one maybe unfinished, without the fields that only a bar under way needs."""
    groups: list[tuple[int, list[SourceEvent]]] = []
    for event in source_events(events):
        shift = MONDAY_NS if interval == NS_PER_WEEK else 0
        start = (event.ts_event - shift) // interval * interval + shift if interval > 0 else event.ts_event
        fits = groups and (groups[-1][0] == start if interval > 0 else len(groups[-1][1]) < -interval)
        if not fits:
            groups.append((start, []))
        groups[-1][1].append(event)
    return [_bar(start, group, interval) for start, group in groups]


def _bar(start: int, group: list[SourceEvent], interval: int) -> dict[str, int]:
    bar = dict.fromkeys([name for name in BAR_DTYPE.names or () if name not in ("is_open", "in_event")], 0)
    quotes = [event.quote for event in group if event.quote]
    trades = [trade for event in group for trade in event.trades]
    series = {
        "": [bid + ask for bid, ask in quotes],
        "bid_": [bid for bid, _ in quotes],
        "ask_": [ask for _, ask in quotes],
        "trade_": [price for price, _, _ in trades],
    }
    for prefix, values in series.items():
        if values:
            bar[f"{prefix}open"], bar[f"{prefix}close"] = values[0], values[-1]
            bar[f"{prefix}high"], bar[f"{prefix}low"] = max(values), min(values)
    bar |= {"ts_open": start, "ts_last": group[-1].ts_event, "interval": interval}
    bar |= {"events": len(group), "quotes": len(quotes), "trades": len(trades)}
    bar["volume"] = sum(size for _, size, _ in trades)
    bar["turnover"] = sum(price * size for price, size, _ in trades)
    bar["buy_volume"] = sum(size for _, size, aggressor in trades if aggressor > 0)
    bar["sell_volume"] = sum(size for _, size, aggressor in trades if aggressor < 0)
    return bar
