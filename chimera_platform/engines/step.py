"""One instrument's half of the decision path: its state, the release in force, and batches through the loop."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chimera_platform.configuration import Configuration, with_parameters
from chimera_platform.engines.event_loop import PARAMETERS_DTYPE, STATE_DTYPE, run_events
from chimera_platform.engines.order_flow.parameters import order_flow_parameters
from chimera_platform.engines.ranges import new_frames
from chimera_platform.engines.timeframes import new_timeframes
from chimera_platform.errors import CapacityError, DataError, ReleaseError
from chimera_platform.execution.records import INTENT_DTYPE
from chimera_platform.learning.model_inputs import MODEL_INPUT_NAMES
from chimera_platform.learning.target_inputs import TARGET_INPUT_COUNT, TARGET_INPUT_NAMES
from chimera_platform.learning.trees import NODE_DTYPE, Trees, joined_trees
from chimera_platform.market.book import (
    new_books,
    pack_book,
    unpack_book,
)
from chimera_platform.market.instruments import Universe
from chimera_platform.microstructure.feature_names import FEATURE_COUNT
from chimera_platform.microstructure.feature_snapshot import forget_the_past
from chimera_platform.microstructure.features import (
    new_feature_states,
)
from chimera_platform.regimes.rules import new_regime_states
from chimera_platform.release_microprice import microprice_record
from chimera_platform.settings import to_record
from chimera_platform.signals.detectors import (
    detector_parameters,
    new_detections,
)
from chimera_platform.state_packing import pack_state, unpack_state

if TYPE_CHECKING:
    from chimera_platform.releases import Release

_BUFFER_ROWS = 128  # a batch that fills it is taken in several goes
_NO_INTENTS = np.zeros(0, INTENT_DTYPE)


class EngineArrays(NamedTuple):
    """What the kernels of several instruments' engines work on, one row an instrument."""

    parameters: np.ndarray[Any, Any]  # PARAMETERS_DTYPE
    states: np.ndarray[Any, Any]  # STATE_DTYPE
    books: np.ndarray[Any, Any]  # BOOK_DTYPE


def new_engine_arrays(count: int, books: np.ndarray[Any, Any] | None = None) -> EngineArrays:
    """Return zeroed arrays of ``count`` instruments; ``books`` where somebody else keeps them."""
    own = new_books(count) if books is None else books
    return EngineArrays(np.zeros(count, PARAMETERS_DTYPE), np.zeros(count, STATE_DTYPE), own)


class SymbolEngines:
    """One instrument's book, features and engines.

    Parameters
    ----------
    universe : the instruments of the run.
    instrument_id : which of them this is.
    configuration : the engines' sections and those of what they see are read; a release's parameters come on top.
    arrays : zeroed arrays of all instruments, of which the row ``instrument_id`` is worked on; None: of its own.
    """

    def __init__(
        self,
        universe: Universe,
        instrument_id: int,
        configuration: Configuration,
        arrays: EngineArrays | None = None,
    ) -> None:
        self.instrument_id = instrument_id
        self._symbol = universe[instrument_id].symbol
        self._configuration = configuration
        own = arrays if arrays is not None else new_engine_arrays(1)
        at = slice(instrument_id, instrument_id + 1) if arrays is not None else slice(0, 1)
        self._parameters, self._state, self._book = own.parameters[at], own.states[at], own.books[at]
        self._parameters["instrument"] = universe.records[instrument_id]
        self._parameters["instrument_id"] = instrument_id
        self._parameters["detectors"] = detector_parameters(configuration.detectors)
        for name in ("timeframes", "regime", "session_profile"):
            self._parameters[name] = to_record(getattr(configuration, name))
        self._state["features"] = new_feature_states([universe[instrument_id]])
        self._state["timeframes"] = new_timeframes()
        self._state["regime"] = new_regime_states(1)
        self._state["frames"] = new_frames()
        self._said = new_detections()
        self._vector, self._inputs = np.empty(FEATURE_COUNT), np.empty(TARGET_INPUT_COUNT)
        self._nodes, self._roots = np.zeros(0, NODE_DTYPE), np.zeros(0, np.int64)
        self._out = np.zeros(_BUFFER_ROWS, INTENT_DTYPE)
        self.apply_release(None, 0)

    @property
    def trees(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Nodes and roots of the models of the release in force, the signal model's first; none where it has none."""
        return self._nodes, self._roots

    def check_release(self, release: Release | None) -> Configuration:
        """Return the configuration under ``release`` without putting it in force.

        Raises
        ------
        ReleaseError
            If its models do not read :data:`MODEL_INPUT_NAMES` and :data:`TARGET_INPUT_NAMES`.
        ConfigurationError
            If one of its parameters is unknown or out of bounds.
        """
        if release is None:
            return self._configuration
        if release.trees is not None:
            _require_inputs(release.trees, MODEL_INPUT_NAMES, f"release {release.id}: its model")
        if release.target_trees is not None:
            _require_inputs(release.target_trees, TARGET_INPUT_NAMES, f"release {release.id}: its target model")
        return with_parameters(self._configuration, release.parameters)

    def apply_release(self, release: Release | None, release_no: int) -> None:
        """Put a release in force from the next event on; None stands for the configuration alone, without model.

        Raises as :meth:`check_release`; what was in force stays so then.
        """
        configuration = self.check_release(release)
        trees = None if release is None else release.trees
        target_trees = None if release is None else release.target_trees
        parameters = self._parameters
        parameters["hft"], parameters["structure"] = to_record(configuration.hft), to_record(configuration.structure)
        parameters["order_flow"] = order_flow_parameters(configuration)
        parameters["microprice"] = microprice_record(release, self._symbol)
        parameters["release_no"] = release_no
        parameters["has_model"] = trees is not None
        parameters["threshold"] = np.nan if release is None or trees is None else release.threshold
        parameters["base_margin"] = 0.0 if trees is None else trees.base_margin
        parameters["target_base"] = 0.0 if target_trees is None else target_trees.base_margin
        parameters["has_target_model"] = target_trees is not None
        parameters["model_trees"] = 0 if trees is None else len(trees.roots)
        self._nodes, self._roots = joined_trees([each for each in (trees, target_trees) if each is not None])

    def run(
        self, events: np.ndarray[Any, Any], first_event_no: int, positions: np.ndarray[Any, Any] | None = None
    ) -> np.ndarray[Any, Any]:
        """Run the instrument's next events.

        Parameters
        ----------
        events : EVENT_DTYPE array of this instrument's events in a batch, shape (n,).
        first_event_no : row number in the run of the batch's first event.
        positions : int64, the rows of ``events`` within the batch; None: they are the whole batch.

        Returns
        -------
        INTENT_DTYPE array by (event_no, engine); ``intent_no`` is -1 until the coordinator numbers them.
        """
        if positions is None:
            positions = np.arange(len(events))
        if len(positions) != len(events):
            raise DataError(f"{len(positions)} positions for {len(events)} events")
        events = writable(events)
        row, parts = 0, []
        while row < len(events):
            before = row
            row, rows = run_events(
                self._parameters,
                self._state,
                self._book,
                self._said,
                self._vector,
                self._inputs,
                self._nodes,
                self._roots,
                events,
                positions,
                first_event_no,
                row,
                self._out,
            )
            if row < 0:
                other = int(events["instrument_id"][-1 - row])
                raise DataError(f"event of instrument {other} among those of instrument {self.instrument_id}")
            if rows:
                parts.append(self._written(rows))
            elif row == before:
                raise CapacityError(f"a buffer of {len(self._out)} intents does not hold what one event may bring")
        if not parts:
            return _NO_INTENTS
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _written(self, rows: int) -> np.ndarray[Any, Any]:
        """Return a copy of the buffer's first rows; by bytes, as NumPy copies records field by field, in 5 µs."""
        return self._out.view("u1")[: rows * INTENT_DTYPE.itemsize].copy().view(INTENT_DTYPE)

    @property
    def nbytes(self) -> int:
        """Memory that the instrument takes, bytes: the same however busy its market is."""
        arrays = (self._book, self._state, self._said, self._parameters, self._vector, self._out)
        return sum(array.nbytes for array in arrays)

    def snapshot(self) -> dict[str, Any]:
        """Return the state as a picklable dict of bytes; only what is in use is kept."""
        state = self._state.view("u1").copy().view(STATE_DTYPE)  # NumPy copies records field by field
        forget_the_past(state["features"][0], state["windows"][0])
        return {"book": pack_book(self._book[0]), "state": pack_state(state)}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a state that :meth:`snapshot` returned; the release in force stays as it is.

        Raises
        ------
        DataError
            If it is not such a state.
        """
        unpack_state(state["state"], self._state)
        unpack_book(state["book"], self._book[0])

    def state_hash(self) -> str:
        """Return a SHA-256 over the state: equal exactly when two instances would decide alike from here."""
        sha = hashlib.sha256()
        for part in self.snapshot().values():
            sha.update(len(part).to_bytes(8, "little") + part)
        return sha.hexdigest()


def writable(events: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return ``events``, or a copy where they are read-only or strided: kernels would be compiled anew for those."""
    flags = events.flags
    return events if flags.c_contiguous and flags.writeable else np.array(events)


def _require_inputs(trees: Trees, inputs: tuple[str, ...], which: str) -> None:
    if trees.feature_count != len(inputs) or (trees.feature_names or inputs) != inputs:
        found = ", ".join(trees.feature_names) or f"{trees.feature_count} columns without names"
        raise ReleaseError(f"{which} reads {found}; expected {', '.join(inputs)}")
