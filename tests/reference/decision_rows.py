"""Rows of decisions as given to the governor: a calm one that every gate passes, and changes to it."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.execution.records import DECISION_DTYPE, Engine
from chimera_platform.market.city_sessions import CitySession
from chimera_platform.risk.allocator import allocate
from chimera_platform.risk.governor import decide
from chimera_platform.risk.risk_settings import RiskAdaptiveSettings, RiskSettings
from chimera_platform.settings import to_record

NANOS = 1_000_000_000
MANY = 1 << 40
CALM: dict[str, Any] = {
    "size_wanted": 10,
    "size_sized": 10,
    "price": 2_000_00,  # gold at 2,000 in cents
    "lot_notional_nanos": 2_000 * NANOS,
    "engine_cap_nanos": 10**9 * NANOS,
    "symbol_cap_nanos": 10**9 * NANOS,
    "currency_cap_nanos": 10**9 * NANOS,
    "account_cap_nanos": 10**9 * NANOS,
    "equity_nanos": 1_000_000 * NANOS,
    "spread": 40,  # 200 ppm
    "mid2": 2 * 2_000_00,
    "since_same_ns": 1 << 60,
    "volatility_ratio": 1.0,
    "symbol_risk": 1e-6,
    "trade_risk": 1e-5,
    "confidence": 0.7,
    "model_score": 0.6,
    "model_threshold": 0.5,
    "breaker_multiplier": 1.0,
    "engine_weight": 1.0,
    "session": CitySession.LONDON,
    "engine": Engine.HFT,
    "side": 1,
    "is_tradable": 1,
}


def decision_row(**given: Any) -> np.ndarray[Any, Any]:
    """Return a calm row with these fields changed, shape (1,)."""
    row = np.zeros(1, DECISION_DTYPE)
    for name, value in {**CALM, **given}.items():
        row[name] = value
    return row


def decided(
    row: np.ndarray[Any, Any],
    lots_portfolio: int = MANY,
    risk: RiskSettings | None = None,
    adaptive: RiskAdaptiveSettings | None = None,
) -> np.ndarray[Any, Any]:
    """Return ``row`` after allocator and governor."""
    taken = row.copy()
    allocated, cap = allocate(taken[0], taken["size_sized"][0])
    taken["size_allocated"] = allocated
    risk_record = to_record(risk if risk is not None else RiskSettings())[0]
    adaptive_record = to_record(adaptive if adaptive is not None else RiskAdaptiveSettings())[0]
    decide(taken[0], risk_record, adaptive_record, cap, lots_portfolio)
    return taken
