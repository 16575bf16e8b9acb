"""The structure engine's baseline, version 1: two moving averages of the minute's close that cross.

The source document describes its first version as "Basic EMA". Taken at its word::

    average of n     e = e + 2 / (n + 1) * (close - e), from the first completed minute's close on
    trade where      at least the slow average's number of minutes is complete, a minute has just completed, and the
                     fast average is then on the other side of the slow one than before; at the market
    confidence       0.5: a crossing says which way, not how surely
    stop, target     cross_stop_ppm of the mid, and reward_risk times that: fixed, whatever the market does

The close is the last mid of a tradable book in the minute; a minute without one does not count. Of two settings the
smaller number of minutes is the fast average; equal ones never cross.
"""

from __future__ import annotations

from typing import Any

from chimera_platform.engines.interface import NS_PER_MINUTE, distance_ticks, order_size_lots, write_intent
from chimera_platform.execution.records import Engine, IntentReason
from chimera_platform.kernels import kernel
from chimera_platform.market.bars import open_time
from chimera_platform.market.book import best_ask, best_bid

_ENGINE = int(Engine.STRUCTURE)
_REASON = int(IntentReason.EMA_CROSS)


@kernel
def averages_crossed(params: Any, state: Any, event: Any, book: Any) -> bool:
    """Take in the mid at this event; return whether :func:`cross_step` is to follow a crossing.

    Parameters
    ----------
    params : record of ``StructureSettings``.
    state : STRUCTURE_STATE_DTYPE record.
    event : EVENT_DTYPE record, last of its source event.
    book : after the event; it must be tradable.
    """
    state.is_due = 0
    if event.ts_event >= state.minute_end_ts:
        if state.minute_end_ts != 0 and _complete_minute(params, state) and params.enabled != 0:
            waits = state.intents > 0 and event.ts_event - state.last_intent_ts < params.cooldown_ns
            state.is_due = 0 if waits else 1
        state.minute_end_ts = open_time(event.ts_event, NS_PER_MINUTE) + NS_PER_MINUTE
    state.close_doubled = best_bid(book) + best_ask(book)
    return state.is_due == 1


@kernel
def _complete_minute(params: Any, state: Any) -> bool:
    """Take the minute's close into both averages; return whether they have crossed."""
    close = float(state.close_doubled)
    fast, slow = min(params.cross_bars_a, params.cross_bars_b), max(params.cross_bars_a, params.cross_bars_b)
    state.minutes += 1
    if state.minutes == 1:
        state.fast = close
        state.slow = close
        return False
    state.fast += 2.0 / (fast + 1.0) * (close - state.fast)
    state.slow += 2.0 / (slow + 1.0) * (close - state.slow)
    if state.fast == state.slow:
        return False
    before, side = state.cross_side, 1 if state.fast > state.slow else -1
    state.cross_side = side
    return before == -side and state.minutes >= slow


@kernel
def cross_step(
    params: Any, state: Any, instrument: Any, event: Any, event_no: int, book: Any, features: Any, out: Any, row: int
) -> int:
    """Write the intent of an event at which :func:`averages_crossed` has just held; return rows written.

    Parameters as ``structure_step``; the features go into the intent and decide nothing.
    """
    if state.is_due == 0:
        return 0
    state.is_due = 0
    state.last_intent_ts = event.ts_event
    state.intents += 1
    mid = 0.5 * (best_bid(book) + best_ask(book))
    stop = params.cross_stop_ppm * mid / 1e6
    intent = out[row]
    write_intent(intent, event, event_no, book, features)
    intent.size = order_size_lots(params.order_notional, instrument.tick_value_nanos, mid)
    intent.stop_distance = distance_ticks(stop)
    intent.target_distance = distance_ticks(params.reward_risk * stop)
    intent.max_hold_ns = params.max_hold_ns
    intent.confidence = 0.5
    intent.reason = _REASON
    intent.engine = _ENGINE
    intent.side = state.cross_side
    return 1
