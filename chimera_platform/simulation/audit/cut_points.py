"""Where a stream is cut: at random, and right behind the decisions and fills that a look ahead would have changed."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.simulation.audit.decision_maker import Decisions

Array = np.ndarray[Any, Any]


def cut_points(events: int, decisions: Decisions, count: int, random: np.random.Generator) -> list[int]:
    """Return how many events to keep at each cut, ascending, each from 1 to ``events - 1``, distinct.

    A decision that knows the next event only differs where the cut falls between it and that event. Random cuts all
    but never do; so a third falls right behind an intent, a third right behind a fill, as far as there are any.
    """
    if events < 2:
        return []
    chosen: set[int] = set()
    for table, share in ((decisions.intents, 1), (decisions.fills, 2)):
        behind = np.unique(table["event_no"]) + 1
        behind = np.setdiff1d(behind[(behind >= 1) & (behind < events)], np.fromiter(chosen, np.int64, len(chosen)))
        wanted = min(len(behind), count * share // 3 - len(chosen))
        if wanted > 0:
            chosen.update(random.choice(behind, wanted, replace=False).tolist())
    free = np.setdiff1d(np.arange(1, events) if events < 100_000 else random.integers(1, events, 4 * count), [*chosen])
    wanted = min(len(free), count - len(chosen))
    chosen.update(random.choice(free, wanted, replace=False).tolist())
    return sorted(chosen)
