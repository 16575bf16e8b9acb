"""The inputs of a decision: everything that its gates look at, written into its row before anything is reserved."""

from __future__ import annotations

from typing import Any

from chimera_platform.coordination.exposing import lots_in_all
from chimera_platform.execution.orders import ENTRY, EXIT
from chimera_platform.execution.records import Engine, OrderType
from chimera_platform.kernels import kernel
from chimera_platform.market.session_clock import session_at
from chimera_platform.portfolio.account import CLOSING_COMMAND
from chimera_platform.portfolio.performance_tracker import effective_trades, return_variance
from chimera_platform.risk.allocator import fill_caps, is_engaged, lot_notional_nanos
from chimera_platform.risk.circuit_breaker import breaker_multiplier
from chimera_platform.risk.covariance import volatility_ratio
from chimera_platform.risk.latency_pause import is_latency_paused
from chimera_platform.risk.live_value_at_risk import gate_value_at_risk
from chimera_platform.risk.order_rate import orders_in_window
from chimera_platform.risk.portfolio_risk import portfolio_risk, symbol_risk, trade_risk
from chimera_platform.risk.reject_escalation import ACCOUNT, reject_score, reject_step_now
from chimera_platform.risk.sizing import round_trip_cost_ticks, sized_lots
from chimera_platform.risk.stress import worst_stress

LIMIT, HEDGE = int(OrderType.LIMIT), int(Engine.HEDGE)


@kernel
def decision_price(market: Any, intent: Any) -> int:
    """Return the price (ticks) at which exposure is reserved: the limit, or the touch that a market order meets."""
    if intent.order_type == LIMIT:
        return intent.limit_price
    return market.ask if intent.side > 0 else market.bid


@kernel
def beyond_touch(market: Any, intent: Any) -> int:
    """Return how far (ticks) a limit price is beyond the touch that it would meet, 0 for a market order."""
    if intent.order_type != LIMIT:
        return 0
    beyond = intent.limit_price - market.ask if intent.side > 0 else market.bid - intent.limit_price
    return max(beyond, 0)


@kernel
def fill_market_inputs(
    row: Any, intent: Any, market: Any, market_risk: Any, settings: Any, clock: Any, ts: int, delay: int
) -> None:
    """Write what the instrument's market says; ``delay``: of its feed, from event to receipt, ns."""
    row.price = decision_price(market, intent)
    row.spread = market.ask - market.bid
    row.mid2 = market.bid + market.ask
    row.collar_ticks = beyond_touch(market, intent)
    row.data_age_ns = max(ts - market.quoted_ts, delay)
    row.volatility_ratio = volatility_ratio(market_risk, settings.covariance)
    row.is_tradable = 1 if market.is_tradable == 1 and market.is_complete == 1 else 0
    row.session = session_at(clock, ts)


@kernel
def fill_account_inputs(row: Any, account: Any, desk: Any, order_times: Any, settings: Any, ts: int) -> None:
    """Write what the account has lost, risks and has done of late."""
    adaptive, e = settings.risk_adaptive, row.engine
    row.drawdown_nanos = account.peak_equity_nanos - row.equity_nanos
    row.orders_in_window = orders_in_window(account, order_times, settings.risk.order_window_ns, ts)
    row.open_positions = account.open_positions
    row.ack_latency_ns = desk.latency.last_ns
    row.is_latency_paused = 1 if is_latency_paused(desk.latency, ts) else 0
    row.reject_score = reject_score(desk.rejects, adaptive, e, ts)
    row.account_reject_score = reject_score(desk.rejects, adaptive, ACCOUNT, ts)
    row.reject_step = reject_step_now(desk.rejects, adaptive, e, ts)
    row.breaker = desk.breaker.state
    row.breaker_multiplier = breaker_multiplier(desk.breaker, settings.circuit_breaker)
    row.is_closing = 1 if account.closing & CLOSING_COMMAND else 0  # by the breaker: its state says so
    row.value_at_risk = gate_value_at_risk(desk.value_at_risk, settings.value_at_risk)
    row.stress_loss = worst_stress(desk.stress)
    row.portfolio_risk = portfolio_risk(desk.portfolio, settings.covariance, row.equity_nanos)


@kernel
def wanted_lots(row: Any, intent: Any, performance: Any, instrument: Any, settings: Any, stop: int, target: int) -> int:
    """Return the lots that the sizing method gives the intent; hedges have their size already."""
    if row.engine == HEDGE:
        return intent.size
    cost = round_trip_cost_ticks(
        row.spread,
        row.price,
        instrument.tick_value_nanos,
        instrument.taker_fee_per_lot_nanos,
        instrument.taker_fee_ppm,
    )
    return sized_lots(
        settings.sizing,
        intent.size,
        intent.model_score,
        stop,
        float(target),
        cost,
        instrument.tick_value_nanos,
        row.lot_notional_nanos,
        row.equity_nanos,
        row.symbol_risk,
        effective_trades(performance),
        performance.mean,
        return_variance(performance),
    )


@kernel
def fill_inputs(
    row: Any, state: Any, parameters: Any, intent: Any, stop: int, target: int, event_no: int, ts: int, delay: int
) -> None:
    """Write every input of the decision on ``intent``.

    Parameters
    ----------
    row : DECISION_DTYPE record.
    stop, target : ticks, as the exit plan would have them.
    delay : of the instrument's feed, ns.
    """
    i, e = intent.instrument_id, intent.engine
    account, desk, market = state.account[0], state.desk[0], state.markets[i]
    position, share, settings = state.positions[i, e], parameters.shares[i], parameters.settings[0]
    instrument = parameters.instruments[i]
    row.intent_no = intent.intent_no
    row.event_no = event_no
    row.ts_event = ts
    row.size_wanted = intent.size
    row.instrument_id = i
    row.release_no = account.release_no
    row.engine = e
    row.side = intent.side
    row.confidence = intent.confidence
    row.model_score = intent.model_score
    row.model_threshold = intent.model_threshold
    fill_caps(row, account, market, state.currencies[share.currency_index], settings.allocator, share)
    fill_market_inputs(row, intent, market, state.market_risk[i], settings, parameters.session_clock, ts, delay)
    fill_account_inputs(row, account, desk, state.order_times, settings, ts)
    row.lot_notional_nanos = lot_notional_nanos(row.price, instrument.tick_value_nanos)
    row.is_engaged = 1 if is_engaged(position, state.orders[i, e, ENTRY], state.orders[i, e, EXIT]) else 0
    row.since_same_ns = ts - (position.bought_ts if intent.side > 0 else position.sold_ts)
    row.symbol_lots = lots_in_all(state.positions, state.orders, i)
    row.symbol_risk = symbol_risk(state.market_risk[i], settings.covariance, row.lot_notional_nanos, row.equity_nanos)
    row.trade_risk = trade_risk(stop, instrument.tick_value_nanos, row.equity_nanos)
    row.size_sized = wanted_lots(row, intent, desk.performances[e], instrument, settings, stop, target)
