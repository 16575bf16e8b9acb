"""The session's profile by its definition: all prints of the session are kept and counted afresh."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.reference.volume_profile import DAY, levels, prints


def session_prints(events: Any) -> list[tuple[int, int]]:
    """(price, size) of the prints of the UTC day that is under way after the last event."""
    rows = prints(events)
    return [(price, size) for ts, price, size in rows if size > 0 and ts // DAY == rows[-1][0] // DAY]


def counted(rows: list[tuple[int, int]], power: int) -> dict[int, int]:
    """Lots by bin of 2^power ticks."""
    lots = Counter[int]()
    for price, size in rows:
        lots[price // 2**power] += size
    return dict(lots)


def levels_in_ticks(rows: list[tuple[int, int]], power: int, permille: int) -> tuple[int, int, int, int] | None:
    """(POC, low, high, volume): the POC in the middle of its bin, the value area from edge to edge."""
    found = levels(counted(rows, power), permille)
    if found is None:
        return None
    poc, low, high, volume = found
    return poc * 2**power + 2**power // 2, low * 2**power, (high + 1) * 2**power - 1, volume


def developing(events: Any, permille: int, step_ns: int, growth_permille: int) -> tuple[int, int, int, int] | None:
    """Levels as last measured, in bins of one tick: at the first event of a step, if the volume has grown enough."""
    measured, now = None, -1
    for n, event in enumerate(events):
        ts = max(now, int(event["ts_event"]))
        if now >= 0 and ts // DAY != now // DAY:
            measured = None
        elif now >= 0 and ts // step_ns != now // step_ns:
            rows = session_prints(events[:n])
            volume, before = sum(size for _, size in rows), measured[3] if measured else 0
            if volume > before and 1000 * volume >= (1000 + growth_permille) * before:
                measured = levels_in_ticks(rows, 0, permille)
        now = ts
    return measured
