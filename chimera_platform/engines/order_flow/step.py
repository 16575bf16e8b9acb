"""The order-flow engine: what the strategies that are due want, and the most confident of them as an intent."""

from __future__ import annotations

from typing import Any

from chimera_platform.engines.interface import order_size_lots, write_intent
from chimera_platform.engines.order_flow.due import order_flow_is_due
from chimera_platform.engines.order_flow.iceberg_defense import iceberg_defense
from chimera_platform.engines.order_flow.look import NOTHING, take_look
from chimera_platform.engines.order_flow.mean_reversion import mean_reversion
from chimera_platform.engines.order_flow.node_bounce import node_bounce
from chimera_platform.engines.order_flow.signals import slot_of
from chimera_platform.engines.order_flow.stacked_absorption import stacked_absorption
from chimera_platform.engines.order_flow.sweep_reversal import sweep_reversal
from chimera_platform.engines.order_flow.vacuum_entry import vacuum_entry
from chimera_platform.execution.records import Engine, IntentReason, OrderType
from chimera_platform.kernels import kernel

_ENGINE, _LIMIT = int(Engine.ORDER_FLOW), int(OrderType.LIMIT)
_SWEEP_REVERSAL = int(IntentReason.SWEEP_REVERSAL)
_STACKED_ABSORPTION = int(IntentReason.STACKED_ABSORPTION)
_ICEBERG_DEFENSE = int(IntentReason.ICEBERG_DEFENSE)
_VACUUM = int(IntentReason.VACUUM)
_MEAN_REVERSION = int(IntentReason.MEAN_REVERSION)
_NODE_BOUNCE = int(IntentReason.NODE_BOUNCE)
_FIRST_REASON = _SWEEP_REVERSAL  # index 0 of the state's strategies
_BPS = 1e-4


@kernel
def order_flow_step(
    params: Any,
    state: Any,
    memory: Any,
    timeframes: Any,
    regime: Any,
    profile: Any,
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
    params : record of ORDER_FLOW_PARAMETERS_DTYPE.
    state : ORDER_FLOW_STATE_DTYPE record.
    memory : SIGNAL_MEMORY_DTYPE record: what the detectors said up to this event.
    timeframes : array of TIMEFRAME_DTYPE records, shortest first.
    regime : record with ``regime`` and ``confidence``.
    profile : SESSION_PROFILE_DTYPE record.
    instrument : INSTRUMENT_DTYPE record.
    event : EVENT_DTYPE record, last of its source event.
    event_no : its row number in the run.
    book, features : after the event; a book that is locked or crossed is not traded in.
    out : INTENT_DTYPE array with room at ``row``.

    Returns
    -------
    Rows written: 0 or 1. At equal confidence the lowest reason is written.
    """
    if not order_flow_is_due(params, state, memory, timeframes, profile, event, book):
        return 0
    state.next_look_ts = event.ts_event + params.engine.look_interval_ns
    state.next_touch_ts = event.ts_event + params.engine.touch_interval_ns
    look = take_look(params.engine, event, book, features)
    spread = look.ask - look.bid
    if spread < 1 or not spread <= params.engine.spread_bps_max * _BPS * look.mid:
        return 0
    wanted, reason = _most_confident(params, state, memory, timeframes, regime, profile, look)
    if wanted.side == 0:
        return 0
    _take_note(state, look.ts, wanted, reason, memory)
    intent = out[row]
    write_intent(intent, event, event_no, book, features)
    intent.size = order_size_lots(params.engine.order_notional, instrument.tick_value_nanos, look.mid)
    intent.stop_distance = wanted.stop_distance
    intent.target_distance = wanted.target_distance
    intent.confidence = wanted.confidence
    intent.reason = reason
    intent.engine = _ENGINE
    intent.side = wanted.side
    _set_times(params, intent, reason, wanted.limit_price)
    return 1


@kernel
def _most_confident(params: Any, state: Any, memory: Any, timeframes: Any, regime: Any, profile: Any, look: Any) -> Any:
    """Return (proposal, reason) of the strategy that is most confident, the first one at equality."""
    best, reason, used = NOTHING, 0, state.used
    if _may(params.sweep_reversal.common, state, _SWEEP_REVERSAL, look.ts):
        found = sweep_reversal(params, used, memory, timeframes, regime, profile, look)
        if found.confidence > best.confidence:
            best, reason = found, _SWEEP_REVERSAL
    if _may(params.stacked_absorption.common, state, _STACKED_ABSORPTION, look.ts):
        found = stacked_absorption(params, used, memory, timeframes, regime, profile, look)
        if found.confidence > best.confidence:
            best, reason = found, _STACKED_ABSORPTION
    if _may(params.iceberg_defense.common, state, _ICEBERG_DEFENSE, look.ts):
        found = iceberg_defense(params, used, memory, timeframes, regime, profile, look)
        if found.confidence > best.confidence:
            best, reason = found, _ICEBERG_DEFENSE
    if _may(params.vacuum_entry.common, state, _VACUUM, look.ts):
        found = vacuum_entry(params, used, memory, timeframes, regime, look)
        if found.confidence > best.confidence:
            best, reason = found, _VACUUM
    if _may(params.mean_reversion.common, state, _MEAN_REVERSION, look.ts):
        found = mean_reversion(params, timeframes, regime, profile, look)
        if found.confidence > best.confidence:
            best, reason = found, _MEAN_REVERSION
    if _may(params.node_bounce.common, state, _NODE_BOUNCE, look.ts):
        found = node_bounce(params, timeframes, regime, profile, look)
        if found.confidence > best.confidence:
            best, reason = found, _NODE_BOUNCE
    return best, reason


@kernel
def _may(common: Any, state: Any, reason: int, ts: int) -> bool:
    """Return whether a strategy is on and has rested since its last intent."""
    at = reason - _FIRST_REASON
    rested = state.strategy_intents[at] == 0 or ts - state.strategy_ts[at] >= common.cooldown_ns
    return common.enabled != 0 and rested


@kernel
def _take_note(state: Any, ts: int, wanted: Any, reason: int, memory: Any) -> None:
    """Remember the intent: when, whose, and on which signal, which is thereby used up."""
    state.last_intent_ts = ts
    state.intents += 1
    state.strategy_ts[reason - _FIRST_REASON] = ts
    state.strategy_intents[reason - _FIRST_REASON] += 1
    if wanted.detector != 0:
        k = slot_of(wanted.detector, wanted.side)
        state.used[wanted.detector, k] = memory.last[wanted.detector, k].detection_no + 1


@kernel
def _set_times(params: Any, intent: Any, reason: int, limit: int) -> None:
    """Set how long the entry may rest and the position may be held, and the limit where there is one."""
    if reason == _SWEEP_REVERSAL:
        _set_from(params.sweep_reversal.common, intent, limit)
    elif reason == _STACKED_ABSORPTION:
        _set_from(params.stacked_absorption.common, intent, limit)
    elif reason == _ICEBERG_DEFENSE:
        _set_from(params.iceberg_defense.common, intent, limit)
    elif reason == _VACUUM:
        _set_from(params.vacuum_entry.common, intent, limit)
    elif reason == _MEAN_REVERSION:
        _set_from(params.mean_reversion.common, intent, limit)
    else:
        _set_from(params.node_bounce.common, intent, limit)


@kernel
def _set_from(common: Any, intent: Any, limit: int) -> None:
    intent.max_hold_ns = common.max_hold_ns
    if limit != 0:
        intent.order_type = _LIMIT
        intent.limit_price = limit
        intent.time_to_live_ns = common.time_to_live_ns
