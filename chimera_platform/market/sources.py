"""Where market events come from: one protocol for files, captures, the journal and the simulator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np

from chimera_platform.market.instruments import Universe


@runtime_checkable
class EventSource(Protocol):
    """A finite, repeatable stream of market events in one deterministic order.

    Attributes
    ----------
    universe : the instruments; an event's ``instrument_id`` is an index into it.
    description : canonical identity of the data: equal descriptions mean equal events.
    """

    universe: Universe
    description: str

    def batches(self, batch_size: int, start: int = 0) -> Iterator[np.ndarray[Any, Any]]:
        """Yield arrays of ``EVENT_DTYPE``, each of exactly ``batch_size`` rows except the last.

        The cut into batches does not depend on files or chunks; ``start`` is the ``event_no`` to begin at.
        """
        ...
