"""Whether the order-flow engine has anything to look at: nearly free, asked at every event."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.engines.order_flow.iceberg_defense import stands_at_iceberg
from chimera_platform.kernels import kernel
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


@kernel
def order_flow_is_due(
    params: Any, state: Any, memory: Any, timeframes: Any, profile: Any, event: Any, book: Any
) -> bool:
    """Return whether ``order_flow_step`` has anything to look at; where False, it writes nothing.

    Due are news that a strategy listens to, a second without a look, and a touch that stands at a recent iceberg; none
    of them before the cooldown is over.

    Parameters
    ----------
    params : record of ORDER_FLOW_PARAMETERS_DTYPE.
    state : ORDER_FLOW_STATE_DTYPE record.
    memory : SIGNAL_MEMORY_DTYPE record.
    timeframes, profile : as for the step; what they hold does not matter here.
    event, book : the last record of a source event, and the tradable book after it.
    """
    ts, engine = event.ts_event, params.engine
    if engine.enabled == 0 or (state.intents > 0 and ts - state.last_intent_ts < engine.cooldown_ns):
        return False
    if ts >= state.next_look_ts:
        return True
    if memory.news > 0 and _is_news(params, memory):
        return True
    return ts >= state.next_touch_ts and _is_at_iceberg(params, state, memory, ts, book)


@kernel
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


@kernel
def _says(slot: Any, stage: int) -> bool:
    return slot.is_news != 0 and slot.stage == stage


@kernel
def _is_at_iceberg(params: Any, state: Any, memory: Any, ts: int, book: Any) -> bool:
    if params.iceberg_defense.common.enabled == 0:
        return False
    bid, ask = best_bid(book), best_ask(book)
    return stands_at_iceberg(params, state.used, memory, 1, ts, bid, ask) or stands_at_iceberg(
        params, state.used, memory, -1, ts, bid, ask
    )
