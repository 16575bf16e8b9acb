"""Carrying out one instrument's wishes on its events, batch by batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.configuration import Configuration
from chimera_platform.coordination.loop import ROWS_PER_EVENT
from chimera_platform.coordination.parameters import coordinator_parameters
from chimera_platform.coordination.state import Rows, new_rows, new_state
from chimera_platform.execution.records import Liquidity
from chimera_platform.market.instruments import Instrument, Universe
from chimera_platform.simulation.counterfactual.lane_loop import run_lanes, value_open
from chimera_platform.simulation.counterfactual.records import OUTCOME_DTYPE, SIZES, grown, new_lanes

Array = np.ndarray[Any, Any]
LANES_AT_FIRST = 4
_LONGEST_NS = 86_400_000_000_000


def lane_configuration(configuration: Configuration) -> Configuration:
    """Return ``configuration`` for an account that nobody watches: no circuit breaker, hardly a mark."""
    return configuration.model_copy(
        update={
            "circuit_breaker": configuration.circuit_breaker.model_copy(update={"enabled": False}),
            "account": configuration.account.model_copy(update={"mark_interval_ns": _LONGEST_NS}),
        }
    )


def lane_rows() -> Rows:
    """Return buffers for the rows of one lane and event: they are written, and read by nobody."""
    return new_rows(ROWS_PER_EVENT)


class InstrumentLanes:
    """The lanes of one instrument.

    Parameters
    ----------
    instrument : with its fees.
    configuration : exits and venues are the run's; of the rest nothing is asked.
    intents, wishes : INTENT_DTYPE and WISH_DTYPE (m,) of this instrument, in the order of ``event_no``.
    fills : FILL_DTYPE (f,), what the account traded in this instrument.
    rows : buffers for what one event can bring, see :func:`lane_rows`; any number of instruments may share them.
    every_repeat : whether what an engine goes on wanting is carried out each time.
    """

    def __init__(
        self,
        instrument: Instrument,
        configuration: Configuration,
        intents: Array,
        wishes: Array,
        fills: Array,
        rows: Rows,
        every_repeat: bool = False,
    ) -> None:
        universe, settings = Universe([instrument]), lane_configuration(configuration)
        self._parameters = coordinator_parameters(universe, settings)
        self._first_state = new_state(universe, settings, self._parameters)
        self._fresh = new_lanes(self._first_state, 1)
        self._lanes = new_lanes(self._first_state, LANES_AT_FIRST)
        self._books, self._markets = self._first_state.books, self._first_state.exchange_markets.copy()
        self._rows = rows
        self._intents, self._wishes = intents.copy(), wishes
        self._intents["instrument_id"] = 0
        takers = fills[fills["liquidity"] == Liquidity.TAKER]  # what rested took nothing and has no impact
        self._fills = takers[np.argsort(takers["ts_venue"], kind="stable")]
        self._every_repeat = int(every_repeat)
        self._next, self._next_fill, self._busy, self._last_ts = 0, 0, 0, 0
        self._outcomes = np.zeros((len(intents), SIZES), OUTCOME_DTYPE)

    @property
    def lanes(self) -> int:
        """How many lanes there are: the pool doubles when more are needed, and never shrinks."""
        return len(self._lanes.control)

    @property
    def is_done(self) -> bool:
        """Whether all wishes have been carried out: further events change nothing."""
        return self._next == len(self._intents) and self._busy == 0

    def run(self, events: Array, event_nos: Array) -> None:
        """Run the next events of this instrument: EVENT_DTYPE (n,) with ``instrument_id`` 0, numbers int64 (n,)."""
        at = 0
        while at < len(events):
            at, self._next, self._next_fill, self._busy = run_lanes(
                self._lanes, self._fresh, self._books, self._markets, self._parameters, self._rows, events, event_nos,
                self._intents, self._wishes, self._outcomes, self._fills, self._every_repeat, at, self._next,
                self._next_fill, self._busy,
            )  # fmt: skip
            if at < len(events):
                self._lanes = grown(self._lanes, self._first_state, 2 * self.lanes)
        if len(events):
            self._last_ts = int(events["ts_event"][-1])

    def outcomes(self) -> Array:
        """Return OUTCOME_DTYPE (m, SIZES): what has come of each wish so far, open positions at the last mid."""
        value_open(self._lanes, self._outcomes, self._last_ts)
        return self._outcomes.copy()
