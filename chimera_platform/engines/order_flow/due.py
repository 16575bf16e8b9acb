"""Whether the order-flow engine has anything to look at: nearly free, asked at every event."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.engines.order_flow.iceberg_defense import stands_at_iceberg
from chimera_platform.kernels import record_kernel
from chimera_platform.market.book import best_ask, best_bid
from chimera_platform.signals.memory import DETECTOR_SLOTS
from chimera_platform.signals.records import Detector, Stage

STRATEGY_COUNT = 6

ORDER_FLOW_STATE_DTYPE = np.dtype(
    [
        ("last_intent_ts", "<i8"),  # ns UTC of the last intent
        ("intents", "<i8"),  # emitted so far; 0: last_intent_ts has no meaning
        ("next_look_ts", "<i8"),  # ns UTC: looked at again from then on, news or not
        ("next_touch_ts", "<i8"),  # ns UTC: a touch at an iceberg counts from then on
        ("strategy_ts", "<i8", (STRATEGY_COUNT,)),  # ns UTC of each strategy's last intent
        ("strategy_intents", "<i8", (STRATEGY_COUNT,)),
        ("used", "<i8", (DETECTOR_SLOTS, 2)),  # detection_no + 1 last traded on from each slot of the memory; 0: none
    ]
)

_SWEEP, _STOP_RUN, _STACKED = int(Detector.SWEEP), int(Detector.STOP_RUN), int(Detector.STACKED_ABSORPTION)
_ICEBERG, _VACUUM = int(Detector.ICEBERG), int(Detector.VACUUM)
_CONFIRMED, _FAILED = int(Stage.CONFIRMED), int(Stage.FAILED)
_ROUNDING = 1.0 + 1e-9  # products of the same numbers taken another way round


@record_kernel
def order_flow_is_due(
    params: Any, state: Any, memory: Any, timeframes: Any, profile: Any, event: Any, book: Any
) -> bool:
    """Return whether ``order_flow_step`` has anything to look at; where False, it writes nothing.

    Due are news that a strategy listens to, a touch that stands at a recent iceberg, and a second without a look while
    a signal may still be valid or the price is where a fade or a bounce begins; none before the cooldown is over. A
    second after which neither holds counts as looked at.

    Parameters
    ----------
    params : record of ORDER_FLOW_PARAMETERS_DTYPE.
    state : ORDER_FLOW_STATE_DTYPE record; only ``next_look_ts`` changes.
    memory : SIGNAL_MEMORY_DTYPE record.
    timeframes, profile : as for the step.
    event, book : the last record of a source event, and the tradable book after it.
    """
    ts, engine = event.ts_event, params.engine
    if engine.enabled == 0 or (state.intents > 0 and ts - state.last_intent_ts < engine.cooldown_ns):
        return False
    if ts >= state.next_look_ts:
        if _may_trade(params, memory, timeframes[0], profile, ts, book):
            return True
        state.next_look_ts = ts + engine.look_interval_ns
    if memory.news > 0 and _is_news(params, memory):
        return True
    return ts >= state.next_touch_ts and _is_at_iceberg(params, state, memory, ts, book)


@record_kernel
def _may_trade(params: Any, memory: Any, frame: Any, profile: Any, ts: int, book: Any) -> bool:
    """Return whether a look without news can lead to a trade: what every strategy needs, and is known for nothing."""
    valid_ns = max(params.sweep_reversal.valid_ns, params.stacked_absorption.valid_ns)
    valid_ns = max(valid_ns, params.iceberg_defense.valid_ns, params.vacuum_entry.valid_ns)
    if ts - memory.said_ts <= valid_ns:
        return True
    mid_doubled = best_bid(book) + best_ask(book)
    fade = params.mean_reversion
    stretch = abs(frame.bollinger_middle - mid_doubled)
    if fade.common.enabled != 0 and stretch >= fade.band_deviations_min * frame.bollinger_deviation:  # false for NaN
        return True
    return params.node_bounce.common.enabled != 0 and _is_near_node(params.node_bounce, frame, profile, mid_doubled)


@record_kernel
def _is_near_node(own: Any, frame: Any, profile: Any, mid_doubled: int) -> bool:
    """Return whether the mid can be near a node: so many noises at most, while the slow average is so many away."""
    mid, average = 0.5 * mid_doubled, 0.5 * frame.ema_slow
    for k in range(profile.node_count):
        if profile.node_strength[k] >= own.strength_min:
            for which in range(2):
                node = profile.node_high[k] if which == 0 else profile.node_low[k]
                reach = own.near_noise * abs(average - node) * _ROUNDING
                if abs(mid - node) * own.approach_noise <= reach:  # false for NaN
                    return True
    return False


@record_kernel
def _is_news(params: Any, memory: Any) -> bool:
    """Return whether something new was said that a strategy listens to."""
    for k in range(2):
        if params.sweep_reversal.common.enabled != 0 and (
            _says(memory.last[_SWEEP, k], _FAILED) or _says(memory.last[_STOP_RUN, k], _CONFIRMED)
        ):
            return True
        if params.stacked_absorption.common.enabled != 0 and _says(memory.last[_STACKED, k], _CONFIRMED):
            return True
        if params.iceberg_defense.common.enabled != 0 and _says(memory.last[_ICEBERG, k], _CONFIRMED):
            return True
        if params.vacuum_entry.common.enabled != 0 and _says(memory.last[_VACUUM, k], _CONFIRMED):
            return True
    return False


@record_kernel
def _says(slot: Any, stage: int) -> bool:
    return slot.is_news != 0 and slot.stage == stage


@record_kernel
def _is_at_iceberg(params: Any, state: Any, memory: Any, ts: int, book: Any) -> bool:
    if params.iceberg_defense.common.enabled == 0:
        return False
    bid, ask = best_bid(book), best_ask(book)
    return stands_at_iceberg(params, state.used, memory, 1, ts, bid, ask) or stands_at_iceberg(
        params, state.used, memory, -1, ts, bid, ask
    )
