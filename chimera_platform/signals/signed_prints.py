"""A source whose prints have an aggressor: where the venue names none, the tick test's (Lee & Ready 1991)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from chimera_platform.kernels import kernel
from chimera_platform.market.events import EventKind
from chimera_platform.market.instruments import Universe
from chimera_platform.market.sources import EventSource

_TRADE = int(EventKind.TRADE)
_STATE_DTYPE = np.dtype([("price", "<i8"), ("sign", "i1")])  # ticks of the last trade, 0: none; its aggressor


@kernel
def _sign(states: Any, events: Any) -> None:
    """Give each TRADE without a side one: of the change from the trade before, or the last one that was not zero."""
    for i in range(events.shape[0]):
        event = events[i]
        if event.kind != _TRADE:
            continue
        state = states[event.instrument_id]
        if state.price != 0 and event.price != state.price:
            state.sign = 1 if event.price > state.price else -1
        state.price = event.price
        if event.side == 0:
            event.side = state.sign


class SignedPrints:
    """``source`` with a side on its prints; knows of earlier trades only.

    Parameters
    ----------
    source : any; what has a side keeps it.
    """

    def __init__(self, source: EventSource) -> None:
        self._source = source

    @property
    def universe(self) -> Universe:
        """The source's."""
        return self._source.universe

    @property
    def description(self) -> str:
        """The source's, and that its prints are signed."""
        return f"{self._source.description}; prints signed by the tick test"

    def batches(self, batch_size: int, start: int = 0) -> Iterator[np.ndarray[Any, Any]]:
        """Yield the events from number ``start`` in batches; what is before is read too, for the last trades."""
        states, number = np.zeros(len(self.universe), _STATE_DTYPE), 0
        rest: np.ndarray[Any, Any] | None = None
        for events in self._source.batches(batch_size):
            signed = events.copy()
            _sign(states, signed)
            number += len(signed)
            if number <= start:
                continue
            ready = signed[max(0, len(signed) - (number - start)) :] if rest is None else np.concatenate([rest, signed])
            yield from (ready[k : k + batch_size] for k in range(0, len(ready) - batch_size + 1, batch_size))
            rest = ready[len(ready) - len(ready) % batch_size :]
        if rest is not None and len(rest):
            yield rest
