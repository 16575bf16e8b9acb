"""A market of orders as levels and prints, by dictionaries of totals."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from chimera_platform.market.events import EVENT_DTYPE, EventKind


def as_levels(events: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the same market as a venue of levels and prints shows it, and each record's row among ``events``."""
    totals: defaultdict[tuple[int, int, int], int] = defaultdict(int)
    out, rows = np.zeros(2 * len(events), EVENT_DTYPE), np.zeros(2 * len(events), np.int64)
    n = 0
    for number, event in enumerate(events):
        kind = event["kind"]
        if kind == EventKind.CLEAR:
            for key in [key for key in totals if key[0] == event["instrument_id"]]:
                del totals[key]
        if kind == EventKind.EXECUTE:
            out[n] = event
            out[n]["kind"], out[n]["side"], out[n]["flags"] = EventKind.TRADE, -event["side"], 0
            rows[n] = number
            n += 1
        out[n] = event
        if kind <= EventKind.EXECUTE:
            key = (int(event["instrument_id"]), int(event["side"]), int(event["price"]))
            totals[key] += int(event["size"]) * (1 if kind == EventKind.ADD else -1)
            out[n]["kind"], out[n]["size"] = EventKind.LEVEL, totals[key]
        rows[n] = number
        n += 1
    out["order_id"] = 0
    return out[:n], rows[:n]
