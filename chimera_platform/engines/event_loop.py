"""One instrument's half of the decision path, from event to intents, and the compiled loop over it.

The loop that has the coordinator in it too (:mod:`chimera_platform.simulation.backtest.fused_loop`) takes the same two
steps at each event.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.engines.hft import HFT_STATE_DTYPE, HftSettings, hft_is_due, hft_step
from chimera_platform.engines.interface import INTENTS_PER_EVENT_MAX
from chimera_platform.engines.order_flow.due import ORDER_FLOW_STATE_DTYPE, order_flow_is_due
from chimera_platform.engines.order_flow.parameters import ORDER_FLOW_PARAMETERS_DTYPE
from chimera_platform.engines.order_flow.step import order_flow_step
from chimera_platform.engines.ranges import FRAME_COUNT, FRAME_DTYPE
from chimera_platform.engines.structure import (
    STRUCTURE_STATE_DTYPE,
    StructureSettings,
    structure_is_due,
    structure_step,
)
from chimera_platform.engines.timeframes import TIMEFRAMES_DTYPE, TimeframeSettings, update_timeframes
from chimera_platform.execution.records import Engine
from chimera_platform.kernels import kernel
from chimera_platform.learning.target_inputs import target_inputs
from chimera_platform.learning.trees import margin_of_trees, probability
from chimera_platform.market.book import (
    apply_event,
    best_ask,
    best_ask_size,
    best_bid,
    best_bid_size,
    is_tradable,
)
from chimera_platform.market.events import EventFlag
from chimera_platform.market.instruments import INSTRUMENT_DTYPE
from chimera_platform.microstructure.feature_names import FEATURE_COUNT
from chimera_platform.microstructure.feature_vector import ofi_norm_now, write_decision_features, write_features
from chimera_platform.microstructure.features import (
    FEATURE_STATE_DTYPE,
    FEATURE_WINDOWS_DTYPE,
    update_features,
)
from chimera_platform.microstructure.fitted_microprice import MICROPRICE_DTYPE
from chimera_platform.microstructure.session_profile import (
    SESSION_PROFILE_DTYPE,
    SessionProfileSettings,
    update_session_profile,
)
from chimera_platform.regimes.rules import REGIME_STATE_DTYPE, RegimeRuleSettings, update_regime
from chimera_platform.settings import record_dtype
from chimera_platform.signals.detectors import (
    DETECTORS_PARAMETERS_DTYPE,
    DETECTORS_STATE_DTYPE,
    update_detectors,
)
from chimera_platform.signals.memory import SIGNAL_MEMORY_DTYPE, forget_news, remember

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
        ("target_base", "<f8"),  # of the target model, stops
        ("has_target_model", "<i8"),  # 1: predict moves
        ("model_trees", "<i8"),  # of the signal model; the target model's follow in the same arrays
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
_LAST = int(EventFlag.LAST)
_SIZE_ASSUMED = int(EventFlag.SIZE_ASSUMED)


_HFT, _STRUCTURE, _ORDER_FLOW = 1 << Engine.HFT, 1 << Engine.STRUCTURE, 1 << Engine.ORDER_FLOW


@kernel
def look_at_event(params: Any, state: Any, book: Any, detections: Any, event: Any) -> int:
    """Take in one record, already applied to ``book``; return the engines that :func:`write_due` is to ask, as bits.

    Parameters
    ----------
    params, state : records of :data:`PARAMETERS_DTYPE` and :data:`STATE_DTYPE`.
    book, event : records of BOOK_DTYPE and EVENT_DTYPE.
    detections : record of DETECTIONS_DTYPE, to write into.
    """
    update_features(state.features, state.windows, book, event)
    detected = update_detectors(params.detectors, state.detectors, book, event, detections, 0)
    if detected > 0:
        remember(state.memory, detections.row, detected, event.ts_event)
    update_session_profile(params.session_profile, state.session_profile, event)
    if event.flags & _LAST == 0 or not is_tradable(book):
        return 0
    _follow_bars(params, state, book, event)
    due = 0
    ofi_norm = ofi_norm_now(state.features, state.windows)
    if hft_is_due(params.hft, state.hft, state.memory, event, book, ofi_norm):
        due |= _HFT
    if structure_is_due(params.structure, state.structure, state.frames, event, book):
        due |= _STRUCTURE
    if order_flow_is_due(
        params.order_flow, state.order_flow, state.memory, state.timeframes, state.session_profile, event, book
    ):
        due |= _ORDER_FLOW
    if due == 0:
        forget_news(state.memory)
    return due


@kernel
def write_due(
    params: Any,
    state: Any,
    book: Any,
    vector: Any,
    inputs: Any,
    nodes: Any,
    roots: Any,
    event: Any,
    event_no: int,
    due: int,
    out: Any,
    rows: int,
) -> int:
    """Let the engines that are due write their intents from ``out[rows]`` on; return the rows then in use.

    Most that are due want nothing in the end: the features that decide it come first, the others for an intent.
    """
    before = rows
    write_decision_features(state.features, state.windows, book, params.microprice, vector)
    if due & _HFT:
        rows += hft_step(
            params.hft, state.hft, state.memory, params.instrument, event, event_no, book, vector, out, rows
        )
    if due & _STRUCTURE:
        rows += structure_step(
            params.structure, state.structure, state.frames, params.instrument, event, event_no, book, vector, out, rows
        )
    if due & _ORDER_FLOW:
        rows += order_flow_step(
            params.order_flow, state.order_flow, state.memory, state.timeframes, state.regime, state.session_profile,
            params.instrument, event, event_no, book, vector, out, rows,
        )  # fmt: skip
    if rows > before:
        write_features(state.features, state.windows, book, params.microprice, vector)
        for row in range(before, rows):
            for k in range(FEATURE_COUNT):
                out[row].features[k] = vector[k]
        _finish_intents(params, state.regime, inputs, nodes, roots, out[before:rows])
    forget_news(state.memory)
    return rows


@kernel
def run_events(
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
        due = look_at_event(params, state, book, detections, event)
        if due:
            event_no = first_event_no + positions[i]
            rows = write_due(params, state, book, vector, inputs, nodes, roots, event, event_no, due, out, rows)
    return events.shape[0], rows


@kernel
def _follow_bars(params: Any, state: Any, book: Any, event: Any) -> None:
    """Take the mid into the timeframes; a completed minute decides the regime anew."""
    bid, ask = best_bid(book), best_ask(book)
    if update_timeframes(params.timeframes, state.timeframes, event.ts_event, bid + ask):
        depth = 0 if event.flags & _SIZE_ASSUMED else best_bid_size(book) + best_ask_size(book)
        update_regime(params.regime, state.regime, state.timeframes, ask - bid, depth)


@kernel
def _finish_intents(params: Any, regime: Any, inputs: Any, nodes: Any, roots: Any, intents: Any) -> None:
    """Give new intents regime and release number and what the release's models say, where it has any.

    Both models' trees stand in one array, those of the signal model first; ``inputs``: room for TARGET_INPUT_COUNT.
    """
    for k in range(intents.shape[0]):
        intent = intents[k]
        intent.release_no = params.release_no
        if regime.decisions > 0:
            intent.regime = regime.regime
        if params.has_model or params.has_target_model:
            target_inputs(intent, inputs)
        if params.has_model:
            margin = margin_of_trees(nodes, roots, 0, params.model_trees, params.base_margin, inputs)
            intent.model_score = probability(margin)
            intent.model_threshold = params.threshold
        if params.has_target_model:
            stops = margin_of_trees(nodes, roots, params.model_trees, roots.shape[0], params.target_base, inputs)
            intent.predicted_move = stops * intent.stop_distance
