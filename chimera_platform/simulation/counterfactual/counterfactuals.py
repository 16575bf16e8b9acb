"""What a run's intents would have earned: one pass over its events, with lanes for each instrument.

The question is asked of one intent at a time: all that the account really did stays as it was, the market too. What an
intent is carried out on is the market as the account's trades left it: without the displayed lots that they took, and
with their impact on prices. What one intent would have traded leaves nothing behind for another, and no order trades
with an own one. Where the venue draws latencies or refusals, the numbers of an intent's messages are its own, the same
in either size.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.configuration import Configuration
from chimera_platform.market.instruments import Universe
from chimera_platform.simulation.counterfactual.lanes import InstrumentLanes, lane_rows
from chimera_platform.simulation.counterfactual.records import OUTCOME_DTYPE, SIZES
from chimera_platform.simulation.counterfactual.wishes import is_carried_out, standings, wishes_of

Array = np.ndarray[Any, Any]


class Counterfactuals:
    """Carries out intents alone, refused ones and resized ones in the size wanted, approved ones as they were.

    Parameters
    ----------
    universe, configuration : of the run.
    intents, decisions : INTENT_DTYPE and DECISION_DTYPE (m,), row by row the same intents, numbered, ascending.
    fills : FILL_DTYPE, all that the account traded.
    every_repeat : whether what an engine goes on wanting is carried out each time: by default the first of a row of
        intents is, that the same gate refused, until its position would have been closed; and none that was refused
        while the engine was in the instrument.

    Raises
    ------
    ValueError : intents and decisions are not of the same intents, or not in order; an unknown instrument.
    """

    def __init__(
        self,
        universe: Universe,
        configuration: Configuration,
        intents: Array,
        decisions: Array,
        fills: Array,
        every_repeat: bool = False,
    ) -> None:
        _check(universe, intents, decisions)
        self.standings = standings(decisions)
        chosen = is_carried_out(self.standings, every_repeat)
        wishes = wishes_of(decisions)
        self._rows: list[Array] = []
        self._lanes: dict[int, InstrumentLanes] = {}
        buffers = lane_rows()
        for i in np.unique(intents["instrument_id"][chosen]).tolist():
            rows = np.flatnonzero(chosen & (intents["instrument_id"] == i))
            self._rows.append(rows)
            self._lanes[i] = InstrumentLanes(
                universe[i],
                configuration,
                intents[rows],
                wishes[rows],
                fills[fills["instrument_id"] == i],
                buffers,
                every_repeat=every_repeat,
            )
        self._count = len(intents)

    def run(self, events: Array, first_event_no: int) -> None:
        """Run the next events of the run, EVENT_DTYPE (n,), the first of which has the number ``first_event_no``."""
        for i, lanes in self._lanes.items():
            if lanes.is_done:
                continue
            positions = np.flatnonzero(events["instrument_id"] == i)
            own = events[positions]
            own["instrument_id"] = 0
            lanes.run(own, positions + first_event_no)

    @property
    def lanes(self) -> int:
        """Lanes of all instruments together."""
        return sum(lanes.lanes for lanes in self._lanes.values())

    def outcomes(self) -> Array:
        """Return OUTCOME_DTYPE (m, SIZES), by intent and size, open positions valued at the last mid."""
        found = np.zeros((self._count, SIZES), OUTCOME_DTYPE)
        for rows, lanes in zip(self._rows, self._lanes.values(), strict=True):
            found[rows] = lanes.outcomes()
        return found


def _check(universe: Universe, intents: Array, decisions: Array) -> None:
    if len(intents) != len(decisions) or (intents["intent_no"] != decisions["intent_no"]).any():
        raise ValueError(f"{len(intents)} intents and {len(decisions)} decisions that are not of the same intents")
    if (np.diff(intents["event_no"]) < 0).any():
        raise ValueError("intents that are not in the order of their events")
    if len(intents) and not 0 <= intents["instrument_id"].min() <= intents["instrument_id"].max() < len(universe):
        raise ValueError(f"an intent of an instrument that is not among the {len(universe)} of the universe")
