"""Gates on the market: data too old, spread too wide, volatility out of line, a limit price beyond the touch."""

from __future__ import annotations

from typing import Any

from chimera_platform.kernels import record_kernel
from chimera_platform.market.city_sessions import CitySession
from chimera_platform.risk.gates.applicability import is_hedge

LONDON, NEW_YORK = int(CitySession.LONDON), int(CitySession.NEW_YORK)


@record_kernel
def spread_share(adaptive: Any, session: int) -> float:
    """Return the share of ``max_spread_ppm`` that is open to a session."""
    if session == LONDON:
        return adaptive.spread_threshold_london
    if session == NEW_YORK:
        return adaptive.spread_threshold_newyork
    return adaptive.spread_threshold_asia


@record_kernel
def exceeds_ppm(ticks: int, mid2: int, limit_ppm: float) -> bool:
    """Return whether ``ticks`` are more than ``limit_ppm`` millionths of the mid (half ticks); multiplied out."""
    return float(ticks) * 2e6 > limit_ppm * abs(float(mid2))


@record_kernel
def is_spread_too_wide(row: Any, risk: Any, adaptive: Any) -> bool:
    """Return whether the spread is above the session's share of ``max_spread_ppm``; hedges have all of it."""
    share = 1.0 if is_hedge(row) else spread_share(adaptive, row.session)
    return exceeds_ppm(row.spread, row.mid2, risk.max_spread_ppm * share)


@record_kernel
def is_beyond_collar(row: Any, risk: Any) -> bool:
    """Return whether the limit price lies further beyond the touch than ``collar_ppm`` of the mid."""
    return row.collar_ticks > 0 and exceeds_ppm(row.collar_ticks, row.mid2, risk.collar_ppm)
