"""The HFT engine's baseline, version 1: a tight spread, in the direction of the mid's last move.

The source document describes its first version by two words, "spread triggers", with fixed spread thresholds a
session (0.3 to 0.5 on gold, some 200 millionths of its price), static limits and "no microstructure intelligence".
Taken at its word::

    trade where      ask - bid <= trigger_spread_ppm * mid, the mid has moved before, and the cooldown is over
    side             of the mid's last move
    confidence       1 - spread / threshold
    stop, target     stop_spreads, target_spreads times the threshold: fixed distances, whatever the market does

It is there to be compared with: what the second version adds or costs shows against it on the same events.
"""

from __future__ import annotations

from typing import Any

from chimera_platform.engines.interface import distance_ticks, order_size_lots, write_intent
from chimera_platform.execution.records import Engine, IntentReason
from chimera_platform.kernels import kernel
from chimera_platform.market.book import best_ask, best_bid

_ENGINE = int(Engine.HFT)
_REASON = int(IntentReason.SPREAD_TRIGGER)
_MILLIONTHS_DOUBLED = 2e6


@kernel
def baseline_is_due(params: Any, state: Any, event: Any, book: Any) -> bool:
    """Take in the mid at this event; return whether :func:`baseline_step` writes an intent.

    Parameters
    ----------
    params : record of ``HftSettings``.
    state : HFT_STATE_DTYPE record.
    event : EVENT_DTYPE record, last of its source event.
    book : after the event; it must be tradable.
    """
    mid_doubled = best_bid(book) + best_ask(book)
    if mid_doubled != state.mid_doubled:
        if state.mid_doubled != 0:
            state.direction = 1 if mid_doubled > state.mid_doubled else -1
        state.mid_doubled = mid_doubled
    return _triggers(params, state, event, book)


@kernel
def _triggers(params: Any, state: Any, event: Any, book: Any) -> bool:
    """Return whether the engine wants a trade now."""
    if params.enabled == 0 or state.direction == 0:
        return False
    if state.intents > 0 and event.ts_event - state.last_intent_ts < params.cooldown_ns:
        return False
    return best_ask(book) - best_bid(book) <= _threshold_ticks(params, book)


@kernel
def _threshold_ticks(params: Any, book: Any) -> float:
    """Return the largest spread that triggers, ticks."""
    return params.trigger_spread_ppm * (best_bid(book) + best_ask(book)) / _MILLIONTHS_DOUBLED


@kernel
def baseline_step(
    params: Any, state: Any, instrument: Any, event: Any, event_no: int, book: Any, features: Any, out: Any, row: int
) -> int:
    """Write the intent of an event at which :func:`baseline_is_due` held into ``out[row]``; return rows written.

    Parameters as ``hft_step``; the features go into the intent and decide nothing.
    """
    if not _triggers(params, state, event, book):
        return 0
    state.last_intent_ts = event.ts_event
    state.intents += 1
    threshold = _threshold_ticks(params, book)
    intent = out[row]
    write_intent(intent, event, event_no, book, features)
    mid = 0.5 * (best_ask(book) + best_bid(book))
    intent.size = order_size_lots(params.order_notional, instrument.tick_value_nanos, mid)
    intent.stop_distance = distance_ticks(params.stop_spreads * threshold)
    intent.target_distance = distance_ticks(params.target_spreads * threshold)
    intent.max_hold_ns = params.max_hold_ns
    intent.confidence = 1.0 - (best_ask(book) - best_bid(book)) / threshold
    intent.reason = _REASON
    intent.engine = _ENGINE
    intent.side = state.direction
    return 1
