"""From intent to order: reserve, check, send, or release."""

from __future__ import annotations

from typing import Any

from chimera_platform.coordination.sending import transmit_order
from chimera_platform.execution.orders import ENTRY, EXIT, IOC, new_order
from chimera_platform.execution.records import DecisionReason, OrderReason, OrderType, TimeInForce
from chimera_platform.kernels import kernel, record_kernel
from chimera_platform.portfolio.exposure import add_reserved
from chimera_platform.risk.allocator import allocate, fill_caps, is_engaged, lot_notional_nanos
from chimera_platform.risk.governor import note_order_time, review, size_multiplier
from chimera_platform.simulation.exchange.records import NEVER

APPROVED, SIZE_ZERO = int(DecisionReason.APPROVED), int(DecisionReason.SIZE_ZERO)
REASON_ENTRY, LIMIT, GTD = int(OrderReason.ENTRY), int(OrderType.LIMIT), int(TimeInForce.GTD)
DISTANCE_LIMIT = 1 << 31  # ticks: keeps distance * lots inside int64
HOLD_LIMIT_NS = 1 << 60  # 36 years: keeps ts + duration inside int64


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
def decision_price(market: Any, intent: Any) -> int:
    """Return the price (ticks) at which exposure is reserved: the limit, or the touch that a market order meets."""
    if intent.order_type == LIMIT:
        return intent.limit_price
    return market.ask if intent.side > 0 else market.bid


@kernel
def _append_decision(state: Any, parameters: Any, output: Any, intent: Any, event_no: int, ts: int) -> Any:
    """Append a decision with the state it is taken in, before anything is reserved, and return it."""
    account, i, e = state.account[0], intent.instrument_id, intent.engine
    market, share = state.markets[i], parameters.shares[i]
    row = output.decisions[output.counts[0]]
    output.counts[0] += 1
    row.intent_no = intent.intent_no
    row.event_no = event_no
    row.ts_event = ts
    row.size_wanted = intent.size
    row.engine = e
    fill_caps(row, account, market, state.currencies[share.currency_index], parameters.allocator[0], share)
    row.price = decision_price(market, intent)
    row.lot_notional_nanos = lot_notional_nanos(row.price, parameters.instruments[i].tick_value_nanos)
    row.is_engaged = 1 if is_engaged(state.positions[i, e], state.orders[i, e, ENTRY], state.orders[i, e, EXIT]) else 0
    row.drawdown_nanos = account.peak_equity_nanos - row.equity_nanos
    row.spread = market.ask - market.bid
    row.instrument_id = i
    row.release_no = account.release_no
    row.side = intent.side
    return row


@kernel
def _send_entry(
    state: Any, parameters: Any, output: Any, intent: Any, lots: int, lot_notional: int, event_no: int, ts: int
) -> None:
    """Send the entry order; a limit with no time to live is immediate-or-cancel, otherwise it rests until then."""
    i, e = intent.instrument_id, intent.engine
    position = state.positions[i, e]
    position.intent_no = intent.intent_no
    position.stop_distance = min(intent.stop_distance, DISTANCE_LIMIT)
    position.target_distance = min(intent.target_distance, DISTANCE_LIMIT)
    position.max_hold_ns = min(intent.max_hold_ns, HOLD_LIMIT_NS)
    position.exit_reason = 0
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


@kernel
def handle_intent(state: Any, parameters: Any, output: Any, intent: Any, event_no: int, ts: int) -> None:
    """Reserve for ``intent``, let the governor look, then send what is approved or release.

    Where the allocator and the governor both refuse, the reason is that of the first gate in DecisionReason's order.
    """
    i, e = intent.instrument_id, intent.engine
    account, market, position = state.account[0], state.markets[i], state.positions[i, e]
    refresh_market(market, state.exchange_markets[i])
    intent.intent_no = account.next_intent_no
    account.next_intent_no += 1
    row = _append_decision(state, parameters, output, intent, event_no, ts)
    lot_notional = row.lot_notional_nanos
    reserved, gate = allocate(row, intent.size)
    reason = gate if reserved < 1 else APPROVED
    currency = state.currencies[parameters.shares[i].currency_index]
    add_reserved(account, market, currency, position, e, reserved * lot_notional)
    refusal = review(state, parameters.risk[0], intent, ts)
    if refusal != APPROVED and (reason == APPROVED or refusal < reason):
        reason = refusal
    multiplier = size_multiplier(account, parameters.risk[0])
    lots = min(reserved, int(float(intent.size) * multiplier))
    if lots < 1 and (reason == APPROVED or reason > SIZE_ZERO):
        reason = SIZE_ZERO
    if reason != APPROVED:
        lots = 0
    add_reserved(account, market, currency, position, e, (lots - reserved) * lot_notional)
    row.size_multiplier = multiplier
    row.reason = reason
    row.approved = 1 if lots > 0 else 0
    row.size_approved = lots
    row.reserved_nanos = lots * lot_notional
    if lots > 0:
        note_order_time(account, state.order_times, ts)
        _send_entry(state, parameters, output, intent, lots, lot_notional, event_no, ts)
