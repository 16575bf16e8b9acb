"""One instrument's half of the decision path: book, features, engines and model in one compiled loop."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from chimera_platform.configuration import Configuration, with_parameters
from chimera_platform.engines.hft import HFT_STATE_DTYPE, HftSettings, hft_is_due, hft_step
from chimera_platform.engines.interface import INTENTS_PER_EVENT_MAX
from chimera_platform.engines.order_flow.due import ORDER_FLOW_STATE_DTYPE, order_flow_is_due
from chimera_platform.engines.order_flow.parameters import ORDER_FLOW_PARAMETERS_DTYPE, order_flow_parameters
from chimera_platform.engines.order_flow.step import order_flow_step
from chimera_platform.engines.ranges import FRAME_COUNT, FRAME_DTYPE, new_frames
from chimera_platform.engines.structure import (
    STRUCTURE_STATE_DTYPE,
    StructureSettings,
    structure_is_due,
    structure_step,
)
from chimera_platform.engines.timeframes import TIMEFRAMES_DTYPE, TimeframeSettings, new_timeframes, update_timeframes
from chimera_platform.errors import DataError, ReleaseError
from chimera_platform.execution.records import INTENT_DTYPE
from chimera_platform.kernels import kernel
from chimera_platform.learning.model_inputs import MODEL_INPUT_COUNT, MODEL_INPUT_NAMES, model_inputs
from chimera_platform.learning.trees import NODE_DTYPE, Trees, score_row
from chimera_platform.market.book import (
    apply_event,
    best_ask,
    best_ask_size,
    best_bid,
    best_bid_size,
    is_tradable,
    new_books,
    pack_book,
    unpack_book,
)
from chimera_platform.market.events import EventFlag
from chimera_platform.market.instruments import INSTRUMENT_DTYPE, Universe
from chimera_platform.microstructure.feature_names import FEATURE_COUNT
from chimera_platform.microstructure.feature_snapshot import forget_the_past
from chimera_platform.microstructure.feature_vector import write_features
from chimera_platform.microstructure.feature_windows import evict_flow
from chimera_platform.microstructure.features import (
    FEATURE_STATE_DTYPE,
    FEATURE_WINDOWS_DTYPE,
    new_feature_states,
    new_feature_windows,
    update_features,
)
from chimera_platform.microstructure.fitted_microprice import MICROPRICE_DTYPE, new_microprice_table
from chimera_platform.microstructure.session_profile import (
    SESSION_PROFILE_DTYPE,
    SessionProfileSettings,
    update_session_profile,
)
from chimera_platform.regimes.rules import REGIME_STATE_DTYPE, RegimeRuleSettings, new_regime_states, update_regime
from chimera_platform.settings import record_dtype, to_record
from chimera_platform.signals.detectors import (
    DETECTORS_PARAMETERS_DTYPE,
    DETECTORS_STATE_DTYPE,
    detector_parameters,
    new_detections,
    new_detector_states,
    update_detectors,
)
from chimera_platform.signals.memory import SIGNAL_MEMORY_DTYPE, forget_news, remember
from chimera_platform.state_packing import pack_state, unpack_state

if TYPE_CHECKING:
    from chimera_platform.releases import Release

PARAMETERS_DTYPE = np.dtype(
    [
        ("hft", record_dtype(HftSettings)),
        ("structure", record_dtype(StructureSettings)),
        ("order_flow", ORDER_FLOW_PARAMETERS_DTYPE),
        ("detectors", DETECTORS_PARAMETERS_DTYPE),
        ("timeframes", record_dtype(TimeframeSettings)),
        ("regime", record_dtype(RegimeRuleSettings)),
        ("session_profile", record_dtype(SessionProfileSettings)),
        ("microprice", MICROPRICE_DTYPE),
        ("instrument", INSTRUMENT_DTYPE),
        ("instrument_id", "<i8"),
        ("base_margin", "<f8"),  # of the model, log-odds
        ("threshold", "<f8"),  # of the model; NaN where there is none
        ("has_model", "<i8"),  # 1: score intents
        ("release_no", "<i8"),
    ],
    align=True,
)
STATE_DTYPE = np.dtype(
    [
        ("features", FEATURE_STATE_DTYPE),
        ("windows", FEATURE_WINDOWS_DTYPE),
        ("detectors", DETECTORS_STATE_DTYPE),
        ("memory", SIGNAL_MEMORY_DTYPE),
        ("session_profile", SESSION_PROFILE_DTYPE),
        ("timeframes", TIMEFRAMES_DTYPE),
        ("regime", REGIME_STATE_DTYPE),
        ("hft", HFT_STATE_DTYPE),
        ("structure", STRUCTURE_STATE_DTYPE),
        ("frames", FRAME_DTYPE, (FRAME_COUNT,)),
        ("order_flow", ORDER_FLOW_STATE_DTYPE),
    ]
)
_BUFFER_ROWS = 1024
_NO_INTENTS = np.zeros(0, INTENT_DTYPE)
_LAST = int(EventFlag.LAST)
_SIZE_ASSUMED = int(EventFlag.SIZE_ASSUMED)


@kernel
def _run_events(
    parameters: Any,
    states: Any,
    books: Any,
    said: Any,
    vector: Any,
    inputs: Any,
    nodes: Any,
    roots: Any,
    events: Any,
    positions: Any,
    first_event_no: int,
    start: int,
    out: Any,
) -> Any:
    """Run events from row ``start`` on until they or the output buffer are used up.

    Returns
    -------
    (next row, rows written); next row is -1 - i where event i is of another instrument.
    """
    params, state, book, detections = parameters[0], states[0], books[0], said[0]
    room = out.shape[0] - INTENTS_PER_EVENT_MAX
    rows = 0
    for i in range(start, events.shape[0]):
        if rows > room:
            return i, rows
        event = events[i]
        if event.instrument_id != params.instrument_id:
            return -1 - i, rows
        apply_event(book, event)
        update_features(state.features, state.windows, book, event)
        detected = update_detectors(params.detectors, state.detectors, book, event, detections, 0)
        if detected > 0:
            remember(state.memory, detections.row, detected, event.ts_event)
        update_session_profile(params.session_profile, state.session_profile, event)
        if event.flags & _LAST and is_tradable(book):
            _follow_bars(params, state, book, event)
            ofi_norm = _ofi_norm(state.features, state.windows)
            hft = hft_is_due(params.hft, state.hft, state.memory, event, book, ofi_norm)
            structure = structure_is_due(params.structure, state.structure, state.frames, event, book)
            order_flow = order_flow_is_due(
                params.order_flow, state.order_flow, state.memory, state.timeframes, state.session_profile, event, book
            )
            if hft or structure or order_flow:
                event_no = first_event_no + positions[i]
                before = rows
                write_features(state.features, state.windows, book, params.microprice, vector)
                if hft:
                    rows += hft_step(
                        params.hft, state.hft, state.memory, params.instrument, event, event_no, book, vector, out, rows
                    )
                if structure:
                    rows += structure_step(
                        params.structure, state.structure, state.frames, params.instrument, event, event_no, book,
                        vector, out, rows,
                    )  # fmt: skip
                if order_flow:
                    rows += order_flow_step(
                        params.order_flow, state.order_flow, state.memory, state.timeframes, state.regime,
                        state.session_profile, params.instrument, event, event_no, book, vector, out, rows,
                    )  # fmt: skip
                if rows > before:
                    _finish_intents(params, vector, inputs, nodes, roots, out[before:rows])
            forget_news(state.memory)
    return events.shape[0], rows


@kernel
def _ofi_norm(state: Any, windows: Any) -> float:
    """Return the feature OFI_NORM_10S alone: a look at it is to cost less than all features."""
    evict_flow(state, windows, state.now)
    total = state.abs_ofi_total - state.flow_before.abs_ofi
    return (state.ofi_total[0] - state.flow_before.ofi) / total if total != 0 else np.nan


@kernel
def _follow_bars(params: Any, state: Any, book: Any, event: Any) -> None:
    """Take the mid into the timeframes; a completed minute decides the regime anew."""
    bid, ask = best_bid(book), best_ask(book)
    if update_timeframes(params.timeframes, state.timeframes, event.ts_event, bid + ask):
        depth = 0 if event.flags & _SIZE_ASSUMED else best_bid_size(book) + best_ask_size(book)
        update_regime(params.regime, state.regime, state.timeframes, ask - bid, depth)


@kernel
def _finish_intents(params: Any, vector: Any, inputs: Any, nodes: Any, roots: Any, intents: Any) -> None:
    """Give new intents the release's number and, where it has a model, their score and its threshold."""
    for k in range(intents.shape[0]):
        intent = intents[k]
        intent.release_no = params.release_no
        if params.has_model:
            model_inputs(vector, intent.side, intent.engine, inputs)
            intent.model_score = score_row(nodes, roots, params.base_margin, inputs)
            intent.model_threshold = params.threshold


class SymbolEngines:
    """One instrument's book, features and engines.

    Parameters
    ----------
    universe : the instruments of the run.
    instrument_id : which of them this is.
    configuration : the engines' sections and those of what they see are read; a release's parameters come on top.
    """

    def __init__(self, universe: Universe, instrument_id: int, configuration: Configuration) -> None:
        self.instrument_id = instrument_id
        self._configuration = configuration
        self._parameters = np.zeros(1, PARAMETERS_DTYPE)
        self._parameters["instrument"] = universe.records[instrument_id]
        self._parameters["instrument_id"] = instrument_id
        self._parameters["microprice"] = new_microprice_table()
        self._parameters["detectors"] = detector_parameters(configuration.detectors)
        for name in ("timeframes", "regime", "session_profile"):
            self._parameters[name] = to_record(getattr(configuration, name))
        self._state = np.zeros(1, STATE_DTYPE)
        self._state["features"] = new_feature_states([universe[instrument_id]])
        self._state["detectors"] = new_detector_states(1)
        self._state["timeframes"] = new_timeframes()
        self._state["regime"] = new_regime_states(1)
        self._state["windows"] = new_feature_windows(1)
        self._state["frames"] = new_frames()
        self._book, self._said = new_books(1), new_detections()
        self._vector, self._inputs = np.empty(FEATURE_COUNT), np.empty(MODEL_INPUT_COUNT)
        self._nodes, self._roots = np.zeros(0, NODE_DTYPE), np.zeros(0, np.int64)
        self._out = np.zeros(_BUFFER_ROWS, INTENT_DTYPE)
        self.apply_release(None, 0)

    def check_release(self, release: Release | None) -> Configuration:
        """Return the configuration under ``release`` without putting it in force.

        Raises
        ------
        ReleaseError
            If its model does not read :data:`MODEL_INPUT_NAMES`.
        ConfigurationError
            If one of its parameters is unknown or out of bounds.
        """
        if release is None:
            return self._configuration
        if release.trees is not None:
            _require_model_inputs(release.trees, release.id)
        return with_parameters(self._configuration, release.parameters)

    def apply_release(self, release: Release | None, release_no: int) -> None:
        """Put a release in force from the next event on; None stands for the configuration alone, without model.

        Raises as :meth:`check_release`; what was in force stays so then.
        """
        configuration = self.check_release(release)
        trees = None if release is None else release.trees
        parameters = self._parameters
        parameters["hft"], parameters["structure"] = to_record(configuration.hft), to_record(configuration.structure)
        parameters["order_flow"] = order_flow_parameters(configuration)
        parameters["release_no"] = release_no
        parameters["has_model"] = trees is not None
        parameters["threshold"] = np.nan if release is None or trees is None else release.threshold
        parameters["base_margin"] = 0.0 if trees is None else trees.base_margin
        self._nodes = np.zeros(0, NODE_DTYPE) if trees is None else trees.nodes
        self._roots = np.zeros(0, np.int64) if trees is None else trees.roots

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
            row, rows = _run_events(
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


def _require_model_inputs(trees: Trees, release_id: str) -> None:
    names = trees.feature_names or MODEL_INPUT_NAMES
    if trees.feature_count != MODEL_INPUT_COUNT or tuple(names) != MODEL_INPUT_NAMES:
        found = ", ".join(trees.feature_names) or f"{trees.feature_count} columns without names"
        raise ReleaseError(f"release {release_id}: its model reads {found}; expected {', '.join(MODEL_INPUT_NAMES)}")
