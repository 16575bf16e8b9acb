"""The whole decision path in one loop, for backtests: what :class:`DecisionPath` does, in two thirds of the time.

The live flow keeps the halves apart, as steps of their own on several workers. Here they share one book per
instrument, events are not split by instrument, and intents do not pass through Python.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.configuration import Configuration
from chimera_platform.coordination.loop import ROWS_PER_EVENT
from chimera_platform.coordination.state import new_rows
from chimera_platform.coordinator import Coordinator, CoordinatorOutput, fault_error, require_progress, with_own
from chimera_platform.decision_path import DecisionPath
from chimera_platform.engines.step import EngineArrays, SymbolEngines, new_engine_arrays, writable
from chimera_platform.execution.records import INTENT_DTYPE
from chimera_platform.learning.target_inputs import TARGET_INPUT_COUNT
from chimera_platform.market.instruments import INSTRUMENT_DTYPE, Universe
from chimera_platform.microstructure.feature_names import FEATURE_COUNT
from chimera_platform.portfolio.market_path import MarketPaths, new_market_paths
from chimera_platform.signals.detectors import new_detections
from chimera_platform.simulation.backtest.fused_loop import run_fused

Array = np.ndarray[Any, Any]
_INTENT_ROWS = 1_024
_OTHER_ROWS = 4_096
_NO_MARKET = new_market_paths(np.zeros(0, INSTRUMENT_DTYPE), capacity=2)


class Arena:
    """Memory of a path, used again by the next one of the same universe; one path at a time.

    Parameters
    ----------
    universe : the instruments.
    """

    def __init__(self, universe: Universe) -> None:
        self.engines = new_engine_arrays(len(universe), np.zeros(0))
        self.intents = np.zeros(_INTENT_ROWS, INTENT_DTYPE)
        self.rows = new_rows(_OTHER_ROWS)

    def cleared(self) -> Arena:
        """Return the arena with everything that lasts set to zero."""
        for array in (self.engines.parameters, self.engines.states):
            array.view("u1")[...] = 0
        return self


class FusedPath(DecisionPath):
    """Every instrument's engines and the coordinator in one loop; same rows, states and snapshots as DecisionPath.

    Parameters
    ----------
    universe : the instruments; an event's ``instrument_id`` is an index into it.
    configuration : the settings of the run; a release's parameters come on top.
    arena : memory to use again; a path that used it before must not run any more.
    market : what the markets do is noted there, where it is given; nothing depends on it.
    """

    def __init__(
        self,
        universe: Universe,
        configuration: Configuration,
        arena: Arena | None = None,
        market: MarketPaths | None = None,
    ) -> None:
        own = arena.cleared() if arena is not None else Arena(universe)
        self._coordinator = Coordinator(universe, configuration)
        self._arrays = EngineArrays(own.engines.parameters, own.engines.states, self._coordinator.state.books)
        self._engines = [SymbolEngines(universe, k, configuration, self._arrays) for k in range(len(universe))]
        self._intents, self._rows = own.intents, own.rows
        if len(self._rows.orders) < 2 * ROWS_PER_EVENT:
            self._rows = new_rows(2 * ROWS_PER_EVENT)
        self._market = market if market is not None else _NO_MARKET
        self._said = new_detections()
        self._vector, self._inputs = np.empty(FEATURE_COUNT), np.empty(TARGET_INPUT_COUNT)

    def run(self, events: Array, first_event_no: int) -> CoordinatorOutput:
        """Decide on a batch; see :meth:`DecisionPath.run`.

        Raises
        ------
        ValueError, CapacityError
            As :meth:`Coordinator.run`.
        """
        events = writable(events)
        coordinator, intents = self._coordinator, self._intents
        nodes, roots = self._engines[0].trees
        parts: list[list[Array]] = []
        event = 0
        while True:
            before = event
            event, written, fault = run_fused(
                *coordinator.state, *coordinator.estimates, *coordinator.parameters, *self._rows,
                self._arrays.parameters, self._arrays.states, self._said, self._vector, self._inputs, nodes, roots,
                intents, self._market.paths, self._market.samples, events, first_event_no, event,
            )  # fmt: skip
            if fault:
                raise fault_error(fault, events, event)
            counts = [written, *self._rows.counts.tolist()]
            tables = (intents, *self._rows[:-1])
            parts.append([_first_rows(rows, n) for rows, n in zip(tables, counts, strict=True)])
            if event == len(events):
                joined = parts[0] if len(parts) == 1 else [_joined(pieces) for pieces in zip(*parts, strict=True)]
                return CoordinatorOutput(with_own(joined[0], joined[-1]), *joined[1:-1])
            require_progress(event - before, len(self._rows.orders))


def _first_rows(rows: Array, count: int) -> Array:
    """Return a copy of the first rows; by bytes, as NumPy copies records field by field."""
    return rows.view("u1")[: count * rows.dtype.itemsize].copy().view(rows.dtype)


def _joined(parts: tuple[Array, ...]) -> Array:
    """Return the rows of several arrays of one dtype as one; by bytes, too."""
    return np.concatenate([part.view("u1") for part in parts]).view(parts[0].dtype)
