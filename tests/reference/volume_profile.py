"""Volume profiles by their definitions: all prints are kept, every range of bins is tried."""

from __future__ import annotations

from collections import Counter
from typing import Any

from chimera_platform.market.events import EventKind

DAY = 86_400_000_000_000


def prints(events: Any) -> list[tuple[int, int, int]]:
    """(time, price, size) of every print, and a last row of size 0 at the latest time; the clock never runs back."""
    now, found = 0, []
    for event in events:
        now = max(now, int(event["ts_event"]))
        if event["kind"] in (EventKind.TRADE, EventKind.EXECUTE):
            found.append((now, int(event["price"]), int(event["size"])))
    return [*found, (now, 0, 0)]


def histogram(events: Any, bin_ticks: int, since: Any) -> dict[int, int]:
    """Lots by bin of the prints for which ``since(time, now)`` holds."""
    rows, lots = prints(events), Counter[int]()
    for time, price, size in rows:
        if size > 0 and since(time, rows[-1][0]):
            lots[price // bin_ticks] += size
    return dict(lots)


def levels(lots: dict[int, int], permille: int) -> tuple[int, int, int, int] | None:
    """(POC, low, high, volume) by trying every range of bins."""
    if not lots:
        return None
    total, bins = sum(lots.values()), range(min(lots), max(lots) + 1)
    poc = min(bins, key=lambda b: (-lots.get(b, 0), b))
    ranges = []
    for low in bins:
        for high in bins:
            inside = sum(lots.get(b, 0) for b in range(low, high + 1))
            if low <= poc <= high and 1000 * inside >= permille * total:
                ranges.append((high - low, -inside, low, high))
    _, _, low, high = min(ranges)
    return poc, low, high, total
