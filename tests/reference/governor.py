"""The risk governor in plain Python: a list of gates, a list of limits, four factors; nothing is fast or clever."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from chimera_platform.execution.records import DecisionReason, Engine
from chimera_platform.market.city_sessions import CitySession
from chimera_platform.portfolio.positions import MAX_POSITION_LOTS
from chimera_platform.risk.circuit_breaker import BreakerState
from chimera_platform.risk.risk_settings import RiskAdaptiveSettings, RiskSettings

R = DecisionReason
NOT_FOR_HEDGES = {
    R.LATENCY, R.MODEL_SCORE, R.CONFIDENCE, R.VOLATILITY, R.DRAWDOWN, R.VALUE_AT_RISK, R.STRESS, R.MAX_POSITIONS,
    R.MAX_POSITION, R.CONCENTRATION, R.PORTFOLIO_RISK, R.TRADE_RISK, R.SESSION,
}  # fmt: skip


@dataclass(frozen=True)
class Decided:
    """What the governor says."""

    reason: DecisionReason
    binding: DecisionReason
    multiplier: float
    lots: int


def governor(
    row: Mapping[str, Any], risk: RiskSettings, adaptive: RiskAdaptiveSettings, lots_portfolio: int
) -> Decided:
    """Decide on a row whose ``size_allocated`` is what fits under the caps."""
    factors = size_factors(row, risk, adaptive)
    multiplier = factors[R.DRAWDOWN] * factors[R.SESSION] * factors[R.REJECT_RATE] * factors[R.CIRCUIT_BREAKER]
    refused = [reason for reason, refuses in refusals(row, risk, adaptive).items() if refuses]
    if refused:
        return Decided(min(refused), min(refused), multiplier, 0)

    wanted, sized = int(row["size_wanted"]), int(row["size_sized"])
    most: dict[DecisionReason, int] = {**cap_lots(row), **limits(row, risk, lots_portfolio)}
    smallest = min(factors, key=lambda reason: (factors[reason], reason))
    scaled = int(sized * multiplier)
    nothing = [reason for reason, lots in most.items() if lots < 1]
    if sized < 1 and wanted >= 1:
        nothing.append(R.SIZING)
    if sized < 1 and wanted < 1 and not any(reason in cap_lots(row) for reason in nothing):
        return Decided(R.SIZE_ZERO, R.SIZE_ZERO, multiplier, 0)
    if nothing:
        return Decided(min(nothing), min(nothing), multiplier, 0)
    if scaled < 1:
        return Decided(R.SIZE_ZERO, smallest, multiplier, 0)
    if scaled < sized:
        most[smallest] = min(scaled, most.get(smallest, scaled))
    lots = min(sized, *most.values())
    if lots < sized:
        binding = min(reason for reason, each in most.items() if each == lots)
    else:
        binding = R.APPROVED if sized == wanted else R.SIZING
    return Decided(R.APPROVED, binding, multiplier, lots)


def refusals(row: Mapping[str, Any], risk: RiskSettings, adaptive: RiskAdaptiveSettings) -> dict[DecisionReason, bool]:
    """Return each gate that holds for the engine, and whether it refuses."""
    is_hedge = row["engine"] == Engine.HEDGE
    mid = Fraction(int(row["mid2"]), 2)
    share = {
        CitySession.LONDON: adaptive.spread_threshold_london,
        CitySession.NEW_YORK: adaptive.spread_threshold_newyork,
        CitySession.ASIA: adaptive.spread_threshold_asia,
    }[CitySession(row["session"])]
    spread_ppm = risk.max_spread_ppm * (1.0 if is_hedge else share)
    gates = {
        R.SHUTDOWN: row["is_closing"] == 1,
        R.CIRCUIT_BREAKER: row["breaker"] == BreakerState.TRIGGERED,
        R.MARKET_NOT_TRADABLE: row["is_tradable"] == 0,
        R.STALE_DATA: row["data_age_ns"] > risk.max_data_age_ns,
        R.LATENCY: row["is_latency_paused"] == 1,
        R.REJECT_RATE: row["reject_step"] in (2, 3),
        R.MODEL_SCORE: row["model_score"] < row["model_threshold"],
        R.CONFIDENCE: row["confidence"] < risk.signal_confidence_threshold,
        R.SPREAD: int(row["spread"]) * 1_000_000 > Fraction(spread_ppm) * abs(mid),
        R.VOLATILITY: row["volatility_ratio"] > risk.max_volatility_ratio,
        R.PRICE_COLLAR: int(row["collar_ticks"]) * 1_000_000 > max(Fraction(risk.collar_ppm) * abs(mid), 0),
        R.DUPLICATE: row["since_same_ns"] < risk.duplicate_window_ns,
        R.DRAWDOWN: drawdown(row) >= risk.hard_drawdown,
        R.VALUE_AT_RISK: row["value_at_risk"] > risk.max_value_at_risk,
        R.STRESS: row["stress_loss"] > risk.max_stress_loss,
        R.ORDER_RATE: row["orders_in_window"] >= risk.max_orders,
        R.POSITION_OPEN: row["is_engaged"] == 1,
        R.MAX_POSITIONS: row["open_positions"] >= risk.max_positions,
    }
    return {reason: bool(refuses) for reason, refuses in gates.items() if not (is_hedge and reason in NOT_FOR_HEDGES)}


def drawdown(row: Mapping[str, Any]) -> float:
    """Return the fall below peak equity as a fraction of the peak, 1 where there is no positive peak."""
    peak = int(row["equity_nanos"]) + int(row["drawdown_nanos"])
    return float(row["drawdown_nanos"]) / float(peak) if peak > 0 else 1.0


def size_factors(
    row: Mapping[str, Any], risk: RiskSettings, adaptive: RiskAdaptiveSettings
) -> dict[DecisionReason, float]:
    """Return the factors on sizes by the reason that each stands for."""
    if row["engine"] == Engine.HEDGE:
        return dict.fromkeys((R.CIRCUIT_BREAKER, R.REJECT_RATE, R.DRAWDOWN, R.SESSION), 1.0)
    below = (risk.hard_drawdown - drawdown(row)) / (risk.hard_drawdown - risk.soft_drawdown)
    session = {
        CitySession.LONDON: adaptive.session_scale_london,
        CitySession.NEW_YORK: adaptive.session_scale_newyork,
        CitySession.ASIA: adaptive.session_scale_asia,
    }[CitySession(row["session"])]
    return {
        R.CIRCUIT_BREAKER: float(row["breaker_multiplier"]),
        R.REJECT_RATE: adaptive.reject_scale if row["reject_step"] > 0 else 1.0,
        R.DRAWDOWN: min(max(below, 0.0), 1.0),
        R.SESSION: session,
    }


def cap_lots(row: Mapping[str, Any]) -> dict[DecisionReason, int]:
    """Return the lots that each of the allocator's caps leaves."""
    lot = int(row["lot_notional_nanos"])
    rooms = {
        reason: int(row[f"{name}_cap_nanos"]) - int(row[f"{name}_exposure_nanos"])
        for reason, name in (
            (R.ENGINE_CAP, "engine"),
            (R.SYMBOL_CAP, "symbol"),
            (R.CURRENCY_CAP, "currency"),
            (R.ACCOUNT_CAP, "account"),
        )
    }
    return {reason: max(room, 0) // lot for reason, room in rooms.items()}


def limits(row: Mapping[str, Any], risk: RiskSettings, lots_portfolio: int) -> dict[DecisionReason, int]:
    """Return the lots that each limit leaves which holds for the engine."""
    held, lot = int(row["symbol_lots"]), int(row["lot_notional_nanos"])
    most = {
        R.MAX_ORDER: int(risk.max_order_notional * 1e9) // lot,
        R.MAX_POSITION: int(risk.max_position_notional * 1e9) // lot - held,
        R.CONCENTRATION: most_lots(risk.max_concentration * risk.max_portfolio_risk, row["symbol_risk"]) - held,
        R.PORTFOLIO_RISK: lots_portfolio,
        R.TRADE_RISK: most_lots(risk.max_risk_per_trade, row["trade_risk"]),
    }
    is_hedge = row["engine"] == Engine.HEDGE
    return {reason: max(lots, 0) for reason, lots in most.items() if not (is_hedge and reason in NOT_FOR_HEDGES)}


def most_lots(limit: float, of_a_lot: float) -> int:
    """Return the most lots within ``limit``, counted one by one; beyond all sizes where a lot's share is unknown."""
    if math.isnan(of_a_lot) or of_a_lot <= 0.0 or limit >= 20_000 * of_a_lot:
        return MAX_POSITION_LOTS
    lots = 0
    while (lots + 1) * float(of_a_lot) <= limit:
        lots += 1
    return lots
