"""A market with a pattern that one knows: the queue fills up on one side, and then the price jumps.

Every seven minutes the size on one side grows quote by quote for some seconds, and then both prices jump: to that side
with ``follows`` +1, to the other with -1. Which side is a coin's choice, so that the last jump, which is all that a
spread trigger looks at, says nothing about the next. Seven minutes are longer than the engine holds a position.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind

STEP_NS = 1_000_000_000
ROUND = 420  # steps
PRESSED = 25  # steps of a round with growing size on one side
JUMP_STEP = 26
SPREAD_TICKS, JUMP_TICKS, PRICE = 100, 2_000, 2_000_000
SIZE = 100
START_NS = 1_704_207_600_000_000_000  # 2024-01-02 15:00 UTC


def planted_day(seed: int, follows: int, rounds: int = 30) -> np.ndarray[Any, Any]:
    """Return a day of quotes: EVENT_DTYPE, (rounds * ROUND,); ``follows`` 0: the jump is another coin's choice."""
    random = np.random.default_rng(seed)
    events = np.zeros(rounds * ROUND, EVENT_DTYPE)
    bid = PRICE
    for number in range(rounds):
        pressed = int(random.choice((-1, 1)))
        jump = follows * pressed if follows else int(random.choice((-1, 1)))
        for step in range(ROUND):
            row = events[number * ROUND + step]
            if step == JUMP_STEP:
                bid += jump * JUMP_TICKS
            growth = 10 * step if step < PRESSED else 0
            row["price"], row["ask_price"] = bid, bid + SPREAD_TICKS
            row["size"] = SIZE + growth * (pressed > 0)
            row["ask_size"] = SIZE + growth * (pressed < 0)
    events["kind"], events["flags"] = EventKind.QUOTE, EventFlag.LAST
    events["ts_event"] = START_NS + STEP_NS * np.arange(len(events))
    events["ts_recv"] = events["ts_event"]
    events["seq"] = np.arange(len(events))
    return events
