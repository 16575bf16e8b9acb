"""From intent to order: reserve, check, send, or release."""

from __future__ import annotations

from typing import Any

from chimera_platform.coordination.exposing import follow_exposure, lots_at_stake
from chimera_platform.coordination.inputs import decision_price, fill_inputs
from chimera_platform.coordination.sending import transmit_order
from chimera_platform.execution.exit_plan import (
    HOLD_LIMIT_NS,
    cost_in_ticks,
    minute_volatility_of,
    planned_stop,
    planned_target,
    start_intent_plan,
    start_plain_plan,
)
from chimera_platform.execution.fills import fill_fee_nanos
from chimera_platform.execution.orders import ENTRY, IOC, new_order
from chimera_platform.execution.records import Engine, Liquidity, OrderReason, OrderType, TimeInForce
from chimera_platform.kernels import inlined_kernel, kernel, record_kernel
from chimera_platform.portfolio.exposure import add_reserved
from chimera_platform.risk.allocator import allocate
from chimera_platform.risk.governor import decide
from chimera_platform.risk.order_rate import note_order_time
from chimera_platform.risk.portfolio_risk import (
    exposure_nanos,
    lots_within_risk,
    risk_after,
    risk_at,
    risk_slope,
)
from chimera_platform.simulation.exchange.records import NEVER

HEDGE, TAKER = int(Engine.HEDGE), int(Liquidity.TAKER)
REASON_ENTRY, LIMIT, GTD = int(OrderReason.ENTRY), int(OrderType.LIMIT), int(TimeInForce.GTD)


@record_kernel
def refresh_market(market: Any, exchange_market: Any) -> None:
    """Take over what the instrument's market data show: client and simulated venue read one feed.

    Only where something depends on it: an idle instrument's is not kept in step.
    """
    market.is_complete = exchange_market.is_complete
    market.is_tradable = exchange_market.is_tradable
    market.bid = exchange_market.bid
    market.ask = exchange_market.ask


@kernel
def _start_plan(position: Any, intent: Any, instrument: Any, exits: Any, lots: int, price: int) -> None:
    """Plan how what the entry fills is left; a hedge is left when its controller says so."""
    if intent.engine == HEDGE:
        start_plain_plan(position, intent.stop_distance, intent.target_distance, intent.max_hold_ns)
        return
    fee = fill_fee_nanos(instrument, lots, price, TAKER)
    cost = cost_in_ticks(fee, lots, instrument.tick_value_nanos)
    start_intent_plan(position, exits, intent, price, cost)


@kernel
def _send_entry(
    state: Any, parameters: Any, output: Any, intent: Any, lots: int, lot_notional: int, event_no: int, ts: int
) -> None:
    """Send the entry order; a limit with no time to live is immediate-or-cancel, otherwise it rests until then."""
    i, e = intent.instrument_id, intent.engine
    position = state.positions[i, e]
    position.intent_no = intent.intent_no
    if intent.side > 0:
        position.bought_ts = ts
    else:
        position.sold_ts = ts
    order = new_order(state, i, e, ENTRY, intent.side, lots, REASON_ENTRY, intent.intent_no, ts)
    order.reserved_per_lot_nanos = lot_notional
    expire_ts = NEVER
    if intent.order_type == LIMIT:
        order.order_type = LIMIT
        order.price = intent.limit_price
        order.time_in_force = GTD if intent.time_to_live_ns > 0 else IOC
        if intent.time_to_live_ns > 0:
            expire_ts = ts + min(intent.time_to_live_ns, HOLD_LIMIT_NS)
    transmit_order(state, parameters, output, i, e, ENTRY, expire_ts, event_no, ts)


@inlined_kernel
def enter(
    state: Any,
    parameters: Any,
    output: Any,
    intent: Any,
    lots: int,
    price: int,
    lot_notional: int,
    event_no: int,
    ts: int,
) -> None:
    """Carry out an intent in ``lots`` lots: plan how it is left, send its entry, count what that exposes.

    Parameters
    ----------
    price, lot_notional : ticks, and nanos of a lot, at which it was decided; the latter has been reserved for each lot.
    """
    i, e = intent.instrument_id, intent.engine
    exits = parameters.settings[0].exits
    _start_plan(state.positions[i, e], intent, parameters.instruments[i], exits, lots, price)
    _send_entry(state, parameters, output, intent, lots, lot_notional, event_no, ts)
    follow_exposure(state, parameters, i, e, ts)


@kernel
def _risk_on_side(state: Any, parameters: Any, row: Any) -> Any:
    """Return (the portfolio's risk with the open entries of the row's side filled, covariance of a lot with it)."""
    i, side, equity = row.instrument_id, row.side, row.equity_nanos
    portfolio, settings = state.desk[0].portfolio, parameters.settings[0].covariance
    most, least = lots_at_stake(state.positions, state.orders, i)
    own = exposure_nanos(most if side > 0 else least, row.mid2, parameters.instruments[i].tick_value_nanos)
    base = risk_at(state.market_risk, state.moments, portfolio, settings, i, own, equity)
    lot = row.lot_notional_nanos
    return base, risk_slope(state.market_risk, state.moments, portfolio, settings, i, side, own, lot, equity)


@kernel
def handle_intent(state: Any, parameters: Any, output: Any, intent: Any, event_no: int, ts: int, delay: int) -> None:
    """Reserve for ``intent``, let the governor look, then send what is approved or release.

    Parameters
    ----------
    state, parameters, output : see :mod:`chimera_platform.coordination.state`.
    intent : INTENT_DTYPE record; numbered here.
    event_no, ts : the event at which it is decided, and its time, ns UTC.
    delay : of the instrument's feed, from event to receipt, ns.
    """
    i, e = intent.instrument_id, intent.engine
    account, market, position = state.account[0], state.markets[i], state.positions[i, e]
    settings = parameters.settings[0]
    refresh_market(market, state.exchange_markets[i])
    intent.intent_no = account.next_intent_no
    account.next_intent_no += 1
    price = decision_price(market, intent)
    stop = planned_stop(settings.exits, intent.stop_distance, minute_volatility_of(intent), intent.max_hold_ns, price)
    target = planned_target(settings.exits, stop, intent.target_distance, intent.predicted_move)
    row = output.decisions[output.counts[0]]
    output.counts[0] += 1
    fill_inputs(row, state, parameters, intent, stop, target, event_no, ts, delay)
    lot_notional = row.lot_notional_nanos
    reserved, cap = allocate(row, row.size_sized)
    row.size_allocated = reserved
    currency = state.currencies[parameters.shares[i].currency_index]
    add_reserved(account, market, currency, position, e, reserved * lot_notional)
    base, slope = _risk_on_side(state, parameters, row)
    row.side_risk, row.risk_slope = base, slope
    limit = max(settings.risk.max_portfolio_risk, row.portfolio_risk)
    most = lots_within_risk(base, slope, row.symbol_risk, limit)
    lots = decide(row, settings.risk, settings.risk_adaptive, cap, most)
    add_reserved(account, market, currency, position, e, (lots - reserved) * lot_notional)
    row.risk_after = max(row.portfolio_risk, risk_after(base, slope, row.symbol_risk, lots))
    row.reserved_nanos = lots * lot_notional
    if lots > 0:
        note_order_time(account, state.order_times, ts)
        enter(state, parameters, output, intent, lots, price, lot_notional, event_no, ts)
