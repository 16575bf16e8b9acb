"""Seeded markets with intents that make a coordinator busy: every order type, reject, cancel, expiry and exit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np

from chimera_platform.configuration import Configuration
from chimera_platform.execution.exit_settings import ExitSettings
from chimera_platform.execution.records import INTENT_DTYPE, SIGNAL_ENGINES
from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind, StatusCode
from chimera_platform.market.instruments import Instrument, Universe
from chimera_platform.portfolio.account import AccountSettings
from chimera_platform.portfolio.performance_tracker import PerformanceTrackingSettings
from chimera_platform.risk.allocator import AllocatorSettings
from chimera_platform.risk.circuit_breaker import CircuitBreakerSettings
from chimera_platform.risk.hedge_controller import HedgeSettings
from chimera_platform.risk.risk_settings import RiskAdaptiveSettings, RiskSettings
from chimera_platform.simulation.exchange.settings import SelfTradePrevention, VenueSettings

Array = np.ndarray[Any, Any]
MILLISECOND = 1_000_000
START = 1_700_000_000_000_000_000
HOURS = {"timezone": "UTC", "open": "00:00", "close": "00:00", "days": ["mon", "tue", "wed", "thu", "fri"]}


def instrument(symbol: str, **changes: Any) -> Instrument:
    """Return an instrument whose tick is worth an odd number of nanos, so that roundings show."""
    content = {
        "symbol": symbol,
        "venue": "TEST",
        "currency": "USD",
        "tick_size": "0.001000001",
        "lot_size": "1",
        "fees": {"maker_per_lot": "-0.0002", "maker_ppm": 3, "taker_per_lot": "0.0003", "taker_ppm": 7},
        "hours": HOURS,
    }
    return Instrument.model_validate({**content, **changes})


class CoordinatorSections(Configuration):
    """A configuration whose spread limit lets these markets trade."""

    risk: RiskSettings = RiskSettings(max_spread_ppm=50_000.0)


UNIVERSE = Universe(
    [
        instrument("QUOTED", base="XAU"),
        instrument("DEEP", base="XAU", venue="DEPTH", tick_size="0.01", fees={"taker_ppm": 450}),
    ]
)
"""Instrument 0 is an L1 quote feed, instrument 1 an L2 book with trades, at another venue; both buy and sell gold."""


def quotes(rng: np.random.Generator, times: Array) -> Array:
    """Return L1 quotes near 1,000 ticks, sometimes crossed or one-sided."""
    events = np.zeros(len(times), EVENT_DTYPE)
    mid = 1_000 + np.cumsum(rng.integers(-2, 3, len(times)))
    events["kind"], events["flags"], events["ts_event"] = EventKind.QUOTE, EventFlag.LAST, times
    events["price"] = mid - rng.integers(0, 4, len(times))
    events["ask_price"] = mid + rng.integers(0, 4, len(times))
    events["size"], events["ask_size"] = rng.integers(0, 30, (2, len(times)))
    events["size"][rng.random(len(times)) < 0.5] = 20
    return events


def depth(rng: np.random.Generator, times: Array) -> Array:
    """Return L2 levels near 500 ticks with trades and executions, hidden ones too, and a status now and then.

    One source event in five takes more than one record.
    """
    events = np.zeros(len(times), EVENT_DTYPE)
    mid = 500 + np.cumsum(rng.integers(-1, 2, len(times)) * (rng.random(len(times)) < 0.3))
    side = rng.choice([-1, 1], len(times))
    draw = rng.random(len(times))
    events["kind"] = np.where(draw < 0.3, EventKind.TRADE, EventKind.LEVEL)
    events["side"], events["ts_event"], events["instrument_id"] = side, times, 1
    distance = rng.integers(-2, 5, len(times))
    events["price"] = mid - side * distance
    events["size"] = np.where(distance > 0, rng.integers(0, 25, len(times)), 0)  # what the mid has run over goes
    events["flags"] = np.where(rng.random(len(times)) < 0.8, EventFlag.LAST, 0)
    trades = draw < 0.3
    events["size"][trades] = rng.integers(1, 25, trades.sum())
    events["price"][trades] = mid[trades] + rng.integers(-2, 3, trades.sum())
    events["side"][trades] = rng.integers(-1, 2, trades.sum())
    executions = (draw >= 0.3) & (draw < 0.42)
    events["kind"][executions], events["size"][executions] = EventKind.EXECUTE, rng.integers(1, 25, executions.sum())
    hidden = (executions | trades) & (rng.random(len(times)) < 0.1)
    events["flags"][hidden] |= np.uint16(rng.choice([EventFlag.HIDDEN, EventFlag.SNAPSHOT]))
    statuses = draw > 0.985
    events["kind"][statuses], events["flags"][statuses] = EventKind.STATUS, EventFlag.LAST
    events["price"][statuses] = rng.choice([StatusCode.HALT, StatusCode.RESUME, StatusCode.RESUME], statuses.sum())
    clears = (draw > 0.96) & ~statuses
    events["kind"][clears], events["size"][clears] = EventKind.CLEAR, 0
    return events


def venue(rng: np.random.Generator, **changes: Any) -> VenueSettings:
    """Return a venue with latencies and self-trade prevention of its own."""
    return VenueSettings(
        order_latency_ns=int(rng.integers(0, 40)) * MILLISECOND,
        report_latency_ns=int(rng.choice([0, 1, 5, 30])) * MILLISECOND,
        self_trade_prevention=SelfTradePrevention(rng.choice(list(SelfTradePrevention))),
        impact_half_life_ns=1_000 * MILLISECOND,
        **changes,
    )


def strict_venue(rng: np.random.Generator) -> VenueSettings:
    """Return a venue that draws its latencies, refuses one order in ten, and throttles."""
    quantiles = tuple(int(q) * MILLISECOND for q in np.sort(rng.integers(0, 50, 4)))
    return venue(
        rng,
        order_latency_quantiles_ns=quantiles,
        report_latency_quantiles_ns=quantiles[1:],
        feed_latency_ns=int(rng.integers(0, 3)) * MILLISECOND,
        reject_probability=0.1,
        messages_per_second=10,
        message_burst=2,
        max_order_lots=35,
        price_band_ppm=3_000,
    )


def plain_risk(**changes: Any) -> RiskSettings:
    """Return the governor's limits with those out of the way that need more than books, orders and money to follow."""
    wide = {
        "max_spread_ppm": 50_000.0,
        "collar_ppm": 1e6,
        "duplicate_window_ns": 0,
        "max_value_at_risk": 1.0,
        "max_stress_loss": 10.0,
        "max_risk_per_trade": 1.0,
        "max_portfolio_risk": 10.0,
        "max_concentration": 1.0,
    }
    return RiskSettings(**{**wide, **changes})


def plain_sections(**changes: Any) -> CoordinatorSections:
    """Return a configuration under which nothing but allocator, the plain gates, orders and exits as asked decides."""
    whole = {f"spread_threshold_{session}": 1.0 for session in ("london", "newyork", "asia")}
    plain = {
        "risk": plain_risk(),
        "risk_adaptive": RiskAdaptiveSettings(**whole, latency_threshold_ms=60_000.0, reject_escalation_threshold=1e6),
        "circuit_breaker": CircuitBreakerSettings(enabled=False),
        "hedge_controller": HedgeSettings(enable_cross_engine_hedging=False),
        "performance_tracking": PerformanceTrackingSettings(enable_dynamic_rebalancing=False),
        "exits": ExitSettings(max_stop_fraction=0.0),
    }
    return CoordinatorSections(**{**plain, **changes})


def configurations(seed: int) -> CoordinatorSections:
    """Return roomy accounts for even seeds; for odd ones small accounts with tight limits, whose gates all refuse."""
    rng = np.random.default_rng(seed + 2)
    if seed % 2 == 0:
        return plain_sections(venue=venue(rng), venues={"DEPTH": strict_venue(rng)} if seed % 4 == 0 else {})
    return plain_sections(
        account=AccountSettings(starting_equity=Decimal(80), mark_interval_ns=100 * MILLISECOND),
        allocator=AllocatorSettings(
            max_leverage=1.0,
            hft_share=float(rng.choice([0.2, 0.9])),
            structure_share=float(rng.choice([0.3, 0.9])),
            order_flow_share=float(rng.choice([0.1, 0.6])),
            symbol_share=float(rng.choice([0.25, 0.8])),
            symbol_shares={"DEEP": 0.5},
            currency_share=float(rng.choice([0.4, 0.7, 1.0])),
        ),
        risk=plain_risk(
            max_spread_ppm=5_000.0,
            soft_drawdown=0.001,
            hard_drawdown=0.006,
            max_orders=3,
            order_window_ns=150 * MILLISECOND,
        ),
        venue=venue(rng, max_walk_levels=2, protection_ppm=2_000),
    )


def market(seed: int, count: int) -> Array:
    """Return ``count`` events of both instruments, 0 to 20 ms apart, equal times included."""
    rng = np.random.default_rng(seed)
    times = START + np.cumsum(rng.integers(0, 21, count)) * MILLISECOND
    is_deep = rng.random(count) < 0.6
    events = np.zeros(count, EVENT_DTYPE)
    events[~is_deep] = quotes(rng, times[~is_deep])
    events[is_deep] = depth(rng, times[is_deep])
    events["seq"] = np.arange(count)
    events["ts_recv"] = events["ts_event"]
    return events


def intents(seed: int, events: Array, density: float = 0.2) -> Array:
    """Return intents of all engines at about ``density`` of the events, in the order that the coordinator asks for."""
    rng = np.random.default_rng(seed + 1)
    rows = []
    for event_no in np.flatnonzero(rng.random(len(events)) < density):
        for engine in SIGNAL_ENGINES:
            if rng.random() < 0.6:
                rows.append(_intent(rng, int(event_no), engine, events[event_no]))
    return np.concatenate(rows) if rows else np.zeros(0, INTENT_DTYPE)


def _intent(rng: np.random.Generator, event_no: int, engine: int, event: Any) -> Array:
    row = np.zeros(1, INTENT_DTYPE)
    is_limit = rng.random() < 0.6
    row["intent_no"], row["event_no"], row["engine"] = -1, event_no, engine
    row["ts_event"], row["instrument_id"] = event["ts_event"], event["instrument_id"]
    row["side"], row["size"] = rng.choice([-1, 1]), rng.integers(0, 40)
    row["stop_distance"], row["target_distance"] = rng.integers(1, 8, 2)
    row["max_hold_ns"] = rng.integers(1, 400) * MILLISECOND
    row["order_type"] = 2 if is_limit else 1
    anchor = 1_000 if event["instrument_id"] == 0 else 500
    near = int(event["price"]) if event["kind"] == EventKind.QUOTE else anchor
    row["limit_price"] = near + rng.integers(-3, 4) if is_limit else 0
    row["time_to_live_ns"] = rng.choice([0, 10, 100, 1000]) * MILLISECOND if is_limit else 0
    row["model_score"] = rng.choice([np.nan, 0.4, 0.6])
    row["model_threshold"] = rng.choice([np.nan, 0.5])
    return row
