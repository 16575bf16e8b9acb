"""The control: a decision path that knows the future, which the audit has to find."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chimera_platform.execution.records import OrderType
from chimera_platform.simulation.audit.decision_maker import DecisionMaker, Decisions
from chimera_platform.simulation.audit.mids import Mids
from chimera_platform.simulation.audit.moments import SourceEvents

Array = np.ndarray[Any, Any]


class Oracle:
    """A decision path that cheats: it takes each intent in the direction in which the mid will have moved.

    It is the audit's control. A check that does not find it on a stream proves nothing there.

    Parameters
    ----------
    maker : whose moments of decision are taken.
    by_events : how many source events of the instrument it sees ahead; 0: ``by_ns`` counts.
    by_ns : how long it sees ahead, ns.
    """

    def __init__(self, maker: DecisionMaker, by_events: int = 0, by_ns: int = 0) -> None:
        self._maker, self._by_events, self._by_ns = maker, by_events, by_ns
        self.universe = maker.universe

    def intents(self, events: Array) -> Array:
        """Return the honest intents, turned to where the mid will be; those without a move are left out."""
        intents = self._maker.intents(events)
        if not len(intents):
            return intents
        mids, ids = Mids(self.universe, events), intents["instrument_id"]
        if self._by_events:
            later = mids.after_event(ids, SourceEvents(self.universe, events).ahead(intents, self._by_events))
        else:
            later = mids.at_time(ids, intents["ts_event"] + self._by_ns)
        move = later - mids.after_event(ids, intents["event_no"])
        kept = np.isfinite(move) & (move != 0)
        chosen = intents[kept]
        chosen["side"] = np.sign(move[kept]).astype(np.int8)
        chosen["order_type"], chosen["limit_price"] = OrderType.MARKET, 0
        return chosen

    def execute(self, events: Array, intents: Array) -> Decisions:
        """See :meth:`DecisionMaker.execute`."""
        return self._maker.execute(events, intents)

    def run(self, events: Array, ends: Sequence[int] = ()) -> Decisions:
        """See :meth:`DecisionMaker.run`."""
        del ends
        return self.execute(events, self.intents(events))
