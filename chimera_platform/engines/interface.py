"""What every engine is: a pure function of market data that writes intents.

An engine is a kernel ``step(parameters, state, inputs…, out, row) -> rows written``. It sees one instrument's book,
features and bars at the last record of a source event and nothing else: no account, no position, no other engine,
no clock but the event's. What it wants stands in an intent with its reason; whether that becomes an order is the
coordinator's decision.
"""

from __future__ import annotations

import math
from typing import Any

from chimera_platform.execution.records import SIGNAL_ENGINES, OrderType
from chimera_platform.kernels import kernel
from chimera_platform.market.book import best_ask, best_bid
from chimera_platform.microstructure.feature_names import FEATURE_COUNT, Feature

INTENTS_PER_EVENT_MAX = len(SIGNAL_ENGINES)
"""Rows that all engines together write at most for one event: one each."""

NS_PER_MINUTE = 60_000_000_000
NANOS = 1_000_000_000
_REALISED_VOL_60S = int(Feature.REALISED_VOL_60S)
_MARKET = int(OrderType.MARKET)


@kernel
def order_size_lots(order_notional: float, tick_value_nanos: int, mid_ticks: float) -> int:
    """Return how many lots ``order_notional`` (account currency) buys at ``mid_ticks``, at least one."""
    if mid_ticks <= 0.0:
        return 1
    lots = math.floor(order_notional * NANOS / (tick_value_nanos * mid_ticks))
    return max(1, int(lots))


@kernel
def volatility_ticks(features: Any, mid_ticks: float, horizon_ns: int) -> float:
    """Return one standard deviation of the mid over ``horizon_ns``, in ticks; 0 where volatility is not known.

    The realised volatility of the last minute, scaled by the square root of time.
    """
    volatility = features[_REALISED_VOL_60S]
    if math.isnan(volatility):
        return 0.0
    return volatility * mid_ticks * math.sqrt(horizon_ns / NS_PER_MINUTE)


@kernel
def distance_ticks(ticks: float) -> int:
    """Return a stop or target distance as whole ticks, rounded up, at least one."""
    return max(1, math.ceil(ticks))


@kernel
def write_intent(out: Any, event: Any, event_no: int, book: Any, features: Any) -> None:
    """Fill ``out``, one record, with what all engines' intents share, as a market order without size or exits.

    Every field is set, so a reused buffer cannot leak an earlier intent into this one.
    """
    out.intent_no = -1
    out.event_no = event_no
    out.ts_event = event.ts_event
    out.seq = event.seq
    out.limit_price = 0
    out.size = 0
    out.stop_distance = 1
    out.target_distance = 1
    out.max_hold_ns = 0
    out.time_to_live_ns = 0
    out.bid_price = best_bid(book)
    out.ask_price = best_ask(book)
    out.confidence = 0.0
    out.predicted_move = math.nan
    out.model_score = math.nan
    out.model_threshold = math.nan
    for i in range(FEATURE_COUNT):
        out.features[i] = features[i]
    out.instrument_id = event.instrument_id
    out.release_no = 0
    out.reason = 0
    out.engine = 0
    out.order_type = _MARKET
    out.side = 0
    out.regime = -1
