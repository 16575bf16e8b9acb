"""How much of the time, and of its equity, an account was in the market."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chimera_platform.execution.records import ENGINE_COUNT
from chimera_platform.kernels import kernel
from chimera_platform.portfolio.event_time import EventClock

Array = np.ndarray[Any, Any]


def exposure_metrics(marks: Array, clock: EventClock | None) -> dict[str, Any]:
    """Return ``time_in_market``, ``mean_gross_exposure`` and ``max_gross_exposure``.

    The gross exposure is the sum of the positions' absolute values over the account's equity at the same mark; each
    mark holds until the next one. A position is marked at each of its fills and from time to time in between.

    Parameters
    ----------
    marks : MARK_DTYPE array in ``mark_no`` order.
    clock : event time; its share with any position open is ``time_in_market``. None, or no event time: NaN.
    """
    if clock is None or not clock.seconds > 0.0:
        return dict.fromkeys(("time_in_market", "mean_gross_exposure", "max_gross_exposure"), math.nan)
    if len(marks) == 0:
        return dict.fromkeys(("time_in_market", "mean_gross_exposure", "max_gross_exposure"), 0.0)
    owner = marks["instrument_id"].astype(np.int64) * ENGINE_COUNT + marks["engine"]
    columns = (np.ascontiguousarray(marks[name]) for name in ("position", "value_nanos", "equity_nanos"))
    held = np.diff(clock.passed(marks["ts_event"]), append=clock.seconds)
    inside, area, highest = _walk(owner, *columns, held, np.zeros((int(owner.max()) + 1, 2), np.int64))
    return {
        "time_in_market": inside / clock.seconds,
        "mean_gross_exposure": area / clock.seconds,
        "max_gross_exposure": highest,
    }


@kernel
def _walk(owner: Any, position: Any, value: Any, equity: Any, held: Any, latest: Any) -> Any:
    """Return seconds with any position, seconds × exposure, and the highest exposure.

    ``latest``: by owner of positions, the absolute value of its latest mark and whether it was open; zero at first.
    """
    gross, positions = 0, 0
    inside, area, highest = 0.0, 0.0, 0.0
    for k in range(owner.shape[0]):
        own = latest[owner[k]]
        gross += abs(value[k]) - own[0]
        own[0] = abs(value[k])
        is_open = 1 if position[k] != 0 else 0
        positions += is_open - own[1]
        own[1] = is_open
        share = float(gross) / float(max(equity[k], 1))
        highest = max(highest, share)
        area += share * held[k]
        if positions > 0:
            inside += held[k]
    return inside, area, highest
