"""The HFT engine: what the next moves of the mid will be, from who is pushing the book now.

Version 2, the default. Four measures of pressure must point the same way before it wants a trade: the queue imbalance
at the touch (Gould and Bonart 2016), the microprice's distance from the mid (the fitted one of Stoikov 2018 where a
release brings its table), the normalised order-flow imbalance of the last ten seconds (Cont, Kukanov and Stoikov
2014) and, where the source prints trades, the trade imbalance. A source that publishes no sizes says nothing by its
queues; there the order-flow imbalance (then a count of quote moves) decides alone, against a limit of its own,
together with the direction of the mid's last ten seconds.

Sweeps speak through what the detector said of each side last, while that is no older than ``sweep_valid_ms``: a
confirmed one raises the confidence of a trade in its direction, and one that is strong enough is followed by itself
at the moment it is confirmed, where both sides are not swept at once; one that came back and left lots trapped
(FAILED with ``lots_trapped`` above zero) refuses the trade in its direction.

Version 1 is the baseline of :mod:`chimera_platform.engines.hft_baseline`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pydantic import Field

from chimera_platform.engines.hft_baseline import baseline_is_due, baseline_step
from chimera_platform.engines.interface import distance_ticks, order_size_lots, volatility_ticks, write_intent
from chimera_platform.execution.records import Engine, IntentReason
from chimera_platform.kernels import kernel
from chimera_platform.market.book import best_ask, best_ask_size, best_bid, best_bid_size
from chimera_platform.market.events import EventFlag
from chimera_platform.microstructure.feature_names import Feature
from chimera_platform.settings import Settings
from chimera_platform.signals.memory import BEARISH, BULLISH
from chimera_platform.signals.records import Detector, Stage
from chimera_platform.signals.sweeps import SWEEP_EVIDENCE


class HftSettings(Settings):
    """Parameters of the HFT engine; the bounds are the optimiser's search space."""

    enabled: bool = Field(True, description="whether the engine emits intents")
    version: int = Field(2, ge=1, le=2, description="2: pressure and sweeps; 1: the spread trigger, the baseline")
    queue_imbalance_min: float = Field(0.5, ge=0.0, le=1.0, description="least queue imbalance towards the trade")
    microprice_edge_min: float = Field(
        0.25, ge=0.0, le=0.5, description="least (microprice - mid) / spread towards the trade"
    )
    ofi_norm_min: float = Field(0.4, ge=0.0, le=1.0, description="least normalised 10 s OFI towards the trade")
    trade_imbalance_min: float = Field(
        0.1, ge=-1.0, le=1.0, description="least 10 s trade imbalance towards the trade, where trades are printed"
    )
    unsized_ofi_norm_min: float = Field(
        0.5, ge=0.0, le=1.0, description="least normalised 10 s OFI where the source publishes no sizes"
    )
    momentum_vols_min: float = Field(
        1.0,
        ge=0.0,
        le=5.0,
        description="least 10 s return towards the trade, in its standard deviations, where there are no sizes",
    )
    sweep_valid_ms: int = Field(2_000, ge=0, le=60_000, description="how long what was said of a sweep counts, ms")
    sweep_confidence: float = Field(
        0.5, ge=0.0, le=1.0, description="share of the missing confidence that a sweep of strength 1 adds to a trade"
    )
    sweep_strength_min: float = Field(
        0.6, ge=0.0, le=1.0, description="least strength of a sweep that is followed by itself; 1: none is"
    )
    trigger_spread_ppm: float = Field(
        200.0, ge=0.01, le=10_000.0, description="version 1: largest spread that triggers, millionths of the mid"
    )
    stop_spreads: float = Field(4.0, ge=0.25, le=20.0, description="stop distance, spreads; the larger of the two")
    stop_vols: float = Field(
        2.0, ge=0.0, le=10.0, description="stop distance, standard deviations of the mid over max_hold_ns"
    )
    target_spreads: float = Field(6.0, ge=0.25, le=20.0, description="target distance, spreads; the larger of the two")
    target_vols: float = Field(
        3.0, ge=0.0, le=10.0, description="target distance, standard deviations of the mid over max_hold_ns"
    )
    max_hold_ns: int = Field(
        300_000_000_000, ge=100_000_000, le=3_600_000_000_000, description="exit after this long, ns"
    )
    cooldown_ns: int = Field(
        10_000_000_000, ge=0, le=600_000_000_000, description="shortest time between two intents, ns"
    )
    order_notional: float = Field(25_000.0, ge=1.0, le=1e9, description="size wanted, account currency")


HFT_STATE_DTYPE = np.dtype(
    [
        ("last_intent_ts", "<i8"),  # ns UTC of the last intent
        ("intents", "<i8"),  # emitted so far; 0: last_intent_ts has no meaning
        ("mid_doubled", "<i8"),  # half ticks, at the last look; version 1 only, 0 before the first
        ("direction", "<i8"),  # of the mid's last move; version 1 only, 0 before the first
    ]
)

_ENGINE = int(Engine.HFT)
_IMBALANCE, _SWEEP_MOMENTUM = int(IntentReason.IMBALANCE), int(IntentReason.SWEEP_MOMENTUM)
_SIZE_ASSUMED = int(EventFlag.SIZE_ASSUMED)
_QUEUE_IMBALANCE = int(Feature.QUEUE_IMBALANCE)
_MICROPRICE_EDGE = int(Feature.MICROPRICE_EDGE)
_FITTED_EDGE = int(Feature.FITTED_MICROPRICE_EDGE)
_OFI_NORM = int(Feature.OFI_NORM_10S)
_TRADE_IMBALANCE = int(Feature.TRADE_IMBALANCE_10S)
_VOL_60S = int(Feature.REALISED_VOL_60S)
_MID_RETURN = int(Feature.MID_RETURN_10S)
_SWEEP, _CONFIRMED, _FAILED = int(Detector.SWEEP), int(Stage.CONFIRMED), int(Stage.FAILED)
_LOTS_TRAPPED = SWEEP_EVIDENCE.index("lots_trapped")
_NS_PER_MS = 1_000_000
_ROUNDING = 1.0 - 1e-12  # a product on the right side of this is not below the quotient that the feature is
_RETURN_SCALE = math.sqrt(10.0 / 60.0)  # standard deviation of a 10 s return from that of a 60 s one


@kernel
def hft_is_due(params: Any, state: Any, memory: Any, event: Any, book: Any, ofi_norm: float) -> bool:
    """Return False only where :func:`hft_step` would write nothing, without computing the features.

    To be called at every last record of a source event with a tradable book. Parameters as :func:`hft_step`;
    ``ofi_norm`` is the feature OFI_NORM_10S.
    """
    if params.version == 1:
        return baseline_is_due(params, state, event, book)
    if params.enabled == 0 or (state.intents > 0 and event.ts_event - state.last_intent_ts < params.cooldown_ns):
        return False
    if _may_press(params, event, book, ofi_norm):
        return True
    return memory.news > 0 and _sweep_to_follow(params, memory, event.ts_event) != 0


@kernel
def _may_press(params: Any, event: Any, book: Any, ofi_norm: float) -> bool:
    """Return whether the order-flow imbalance and, where there are sizes, the queues allow a trade on pressure."""
    if event.flags & _SIZE_ASSUMED:
        return abs(ofi_norm) >= params.unsized_ofi_norm_min  # false for NaN
    bid_size, ask_size = best_bid_size(book), best_ask_size(book)
    difference = bid_size - ask_size
    if abs(difference) < params.queue_imbalance_min * (bid_size + ask_size) * _ROUNDING:
        return False
    return (ofi_norm if difference > 0 else -ofi_norm) >= params.ofi_norm_min  # false for NaN


@kernel
def hft_step(
    params: Any,
    state: Any,
    memory: Any,
    instrument: Any,
    event: Any,
    event_no: int,
    book: Any,
    features: Any,
    out: Any,
    row: int,
) -> int:
    """Write the engine's intent at this event, if it has one, into ``out[row]``.

    Parameters
    ----------
    params : record of :class:`HftSettings`.
    state : HFT_STATE_DTYPE record.
    memory : SIGNAL_MEMORY_DTYPE record, of what the detectors have said up to this event.
    instrument : INSTRUMENT_DTYPE record.
    event : EVENT_DTYPE record, last of its source event.
    event_no : its row number in the run.
    book, features : after the event; the book must be tradable.
    out : INTENT_DTYPE array with room at ``row``.

    Returns
    -------
    Rows written: 0 or 1.
    """
    if params.version == 1:
        return baseline_step(params, state, instrument, event, event_no, book, features, out, row)
    if params.enabled == 0 or (state.intents > 0 and event.ts_event - state.last_intent_ts < params.cooldown_ns):
        return 0
    side, confidence, reason = _wanted(params, memory, event, features)
    if side == 0:
        return 0
    state.last_intent_ts = event.ts_event
    state.intents += 1
    spread = best_ask(book) - best_bid(book)
    mid = 0.5 * (best_ask(book) + best_bid(book))
    sigma = volatility_ticks(features, mid, params.max_hold_ns)
    intent = out[row]
    write_intent(intent, event, event_no, book, features)
    intent.size = order_size_lots(params.order_notional, instrument.tick_value_nanos, mid)
    intent.stop_distance = distance_ticks(max(params.stop_spreads * spread, params.stop_vols * sigma))
    intent.target_distance = distance_ticks(max(params.target_spreads * spread, params.target_vols * sigma))
    intent.max_hold_ns = params.max_hold_ns
    intent.confidence = confidence
    intent.reason = reason
    intent.engine = _ENGINE
    intent.side = side
    return 1


@kernel
def _wanted(params: Any, memory: Any, event: Any, features: Any) -> Any:
    """Return (side, confidence, reason) of the trade that pressure or a sweep speaks for; side 0 for none."""
    ts = event.ts_event
    if event.flags & _SIZE_ASSUMED:
        side, confidence = _unsized_pressure(params, features)
    else:
        side, confidence = _sized_pressure(params, features)
    if side == 0:
        side = _sweep_to_follow(params, memory, ts) if memory.news > 0 else 0
        if side == 0:
            return 0, 0.0, 0
        return side, memory.last[_SWEEP, BULLISH if side > 0 else BEARISH].strength, _SWEEP_MOMENTUM
    sweep = memory.last[_SWEEP, BULLISH if side > 0 else BEARISH]
    if ts - sweep.ts_event <= params.sweep_valid_ms * _NS_PER_MS:
        if sweep.stage == _FAILED and sweep.evidence[_LOTS_TRAPPED] > 0.0:
            return 0, 0.0, 0
        if sweep.stage == _CONFIRMED:
            confidence += (1.0 - confidence) * params.sweep_confidence * sweep.strength
    return side, confidence, _IMBALANCE


@kernel
def _sweep_to_follow(params: Any, memory: Any, ts: int) -> int:
    """Return the side of a sweep that was confirmed just now and is followed by itself; 0 for none, or for both."""
    side = 0
    for k in range(2):
        sweep = memory.last[_SWEEP, k]
        if (
            sweep.is_news
            and sweep.stage == _CONFIRMED
            and sweep.strength >= params.sweep_strength_min
            and ts - sweep.ts_event <= params.sweep_valid_ms * _NS_PER_MS
        ):
            side += 1 if k == BULLISH else -1
    return side


@kernel
def _sized_pressure(params: Any, features: Any) -> Any:
    """Return (side, confidence) of a market with sizes; side 0 unless all measures agree.

    Confidence is the mean strength of the measures that there are, each in [0, 1].
    """
    queue = features[_QUEUE_IMBALANCE]
    side = 1 if queue > 0.0 else -1
    edge = features[_FITTED_EDGE]
    if math.isnan(edge):
        edge = features[_MICROPRICE_EDGE]
    edge, ofi, trades = edge * side, features[_OFI_NORM] * side, features[_TRADE_IMBALANCE] * side
    queue *= side
    # A comparison with NaN is false, so a measure that is not defined yet refuses.
    agree = queue >= params.queue_imbalance_min and edge >= params.microprice_edge_min and ofi >= params.ofi_norm_min
    if not agree or queue == 0.0:
        return 0, 0.0
    strength = queue + min(max(2.0 * edge, 0.0), 1.0) + ofi  # the fitted microprice may lie outside the spread
    if math.isnan(trades):
        return side, strength / 3.0
    if trades < params.trade_imbalance_min:
        return 0, 0.0
    return side, (strength + max(trades, 0.0)) / 4.0


@kernel
def _unsized_pressure(params: Any, features: Any) -> Any:
    """Return (side, confidence) of a market without sizes, from the direction and steadiness of its quote moves."""
    ofi = features[_OFI_NORM]
    side = 1 if ofi > 0.0 else -1
    ofi *= side
    momentum = features[_MID_RETURN] * side
    sigma = features[_VOL_60S] * _RETURN_SCALE
    if (
        ofi >= params.unsized_ofi_norm_min
        and ofi > 0.0
        and momentum > 0.0
        and momentum >= params.momentum_vols_min * sigma
    ):
        return side, min(1.0, ofi)
    return 0, 0.0
