"""What the coordinator knows beside account, positions and orders: the risk desk's state, and when it is looked at.

The desk's clock ticks at the first event at or after each whole ``clock_interval_ns`` of event time, but only while
there is something that moves with time: an exposure, a pause, weights on their way. Otherwise it sleeps until the next
sample of the markets or the next trading day, so that a flat account costs an event one comparison.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from chimera_platform.execution.quality import QUALITY_DTYPE
from chimera_platform.execution.records import ENGINE_COUNT
from chimera_platform.portfolio.performance_tracker import PERFORMANCE_DTYPE
from chimera_platform.risk.circuit_breaker import BREAKER_DTYPE
from chimera_platform.risk.covariance import PORTFOLIO_RISK_DTYPE
from chimera_platform.risk.hedge_controller import HEDGE_DTYPE
from chimera_platform.risk.latency_pause import LATENCY_DTYPE
from chimera_platform.risk.live_value_at_risk import VAR_DTYPE
from chimera_platform.risk.rebalancing import WEIGHTS_DTYPE
from chimera_platform.risk.reject_escalation import REJECTS_DTYPE
from chimera_platform.risk.stress import STRESS_DTYPE

DESK_DTYPE = np.dtype(
    [
        ("next_look_ts", "<i8"),  # ns UTC: the next tick
        ("next_risk_mark_ts", "<i8"),  # ns UTC
        ("is_holding_changed", "<i8"),  # 1: what is held, or known of its market, has changed since risk was measured
        ("is_rebalancing", "<i8"),  # 1: weights are on their way, or trades have ended since they were looked at
        ("breaker", BREAKER_DTYPE),
        ("latency", LATENCY_DTYPE),
        ("portfolio", PORTFOLIO_RISK_DTYPE),
        ("value_at_risk", VAR_DTYPE),
        ("stress", STRESS_DTYPE),
        ("hedge", HEDGE_DTYPE),
        ("weights", WEIGHTS_DTYPE),
        ("rejects", REJECTS_DTYPE, (ENGINE_COUNT + 1,)),  # by engine, then the account
        ("qualities", QUALITY_DTYPE, (ENGINE_COUNT,)),
        ("performances", PERFORMANCE_DTYPE, (ENGINE_COUNT,)),
    ],
    align=True,
)

MIDS, RETURNS, VALUES, HALF_SPREADS, VOLATILITIES = range(5)
WORK_ROWS = 5


class Estimates(NamedTuple):
    """What only a tick of the clock needs: of the markets together, and room to work in (the last three)."""

    returns: np.ndarray[Any, Any]  # f8 (instruments, window): ring of sampled returns
    betas: np.ndarray[Any, Any]  # BETA_DTYPE (pairs,)
    hedge_markets: np.ndarray[Any, Any]  # HEDGE_MARKET_DTYPE (instruments,)
    hedge_work: np.ndarray[Any, Any]  # f8 (…, instruments)
    work: np.ndarray[Any, Any]  # f8 (WORK_ROWS, instruments)
    series: np.ndarray[Any, Any]  # f8 (2, window)
