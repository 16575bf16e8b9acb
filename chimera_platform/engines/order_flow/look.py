"""What the strategies see of the market at one event, and what they answer."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from chimera_platform.engines.interface import volatility_ticks
from chimera_platform.kernels import kernel
from chimera_platform.market.book import best_ask, best_bid
from chimera_platform.market.events import EventFlag
from chimera_platform.microstructure.feature_names import Feature

_SIZE_ASSUMED = int(EventFlag.SIZE_ASSUMED)
_VWAP_DEVIATION = int(Feature.VWAP_DEVIATION)
_OFI_NORM = int(Feature.OFI_NORM_10S)
_MID_RETURN = int(Feature.MID_RETURN_10S)
_MICROPRICE_EDGE = int(Feature.MICROPRICE_EDGE)
_FITTED_EDGE = int(Feature.FITTED_MICROPRICE_EDGE)


class Look(NamedTuple):
    """The market at one event, as far as several strategies read it."""

    ts: int  # ns UTC
    bid: int  # ticks
    ask: int
    mid: float
    noise: float  # ticks: the unit of distances
    vwap: float  # ticks, of the session; NaN without prints
    lean: float  # (microprice - mid) / spread, the fitted microprice where there is one; NaN without sizes
    ofi: float  # [-1, 1], normalised, 10 s; NaN early
    momentum: float  # log return of 10 s; NaN early
    is_sized: int  # 0: the source publishes no sizes, so queues say nothing


class Proposal(NamedTuple):
    """What a strategy wants; side 0: nothing."""

    side: int
    confidence: float
    limit_price: int  # ticks; 0: at the market
    stop_distance: int  # ticks from the entry
    target_distance: int  # ticks from the entry
    detector: int  # whose signal it uses up; 0: none


NOTHING = Proposal(0, 0.0, 0, 0, 0, 0)


@kernel
def take_look(engine: Any, event: Any, book: Any, features: Any) -> Any:
    """Return the :class:`Look` at ``event``.

    Parameters
    ----------
    engine : record of :class:`~chimera_platform.engines.order_flow.engine_settings.OrderFlowSettings`.
    """
    bid, ask = best_bid(book), best_ask(book)
    mid = 0.5 * (bid + ask)
    lean = features[_FITTED_EDGE]
    if math.isnan(lean):
        lean = features[_MICROPRICE_EDGE]
    return Look(
        event.ts_event,
        bid,
        ask,
        mid,
        max(float(ask - bid), volatility_ticks(features, mid, engine.noise_horizon_ns)),
        mid / (1.0 + features[_VWAP_DEVIATION]),
        lean,
        features[_OFI_NORM],
        features[_MID_RETURN],
        0 if event.flags & _SIZE_ASSUMED else 1,
    )


@kernel
def flow_agrees(common: Any, look: Any, side: int) -> bool:
    """Return whether queue and order flow no longer push against ``side``; an unknown one refuses."""
    leans = look.is_sized == 0 or side * look.lean >= common.lean_min
    return leans and side * look.ofi >= common.ofi_norm_min
