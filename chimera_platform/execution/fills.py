"""Fills: an execution moves reservation to commitment, cash, position and profit, and is written down."""

from __future__ import annotations

from typing import Any

from chimera_platform.execution.orders import (
    ENTRY,
    FILLED,
    PARTIALLY_FILLED,
    PENDING_CANCEL,
    append_order_event,
)
from chimera_platform.execution.records import Liquidity
from chimera_platform.kernels import kernel
from chimera_platform.portfolio.exposure import add_committed, add_reserved
from chimera_platform.portfolio.marks import append_mark
from chimera_platform.portfolio.positions import fee_nanos, note_equity, revalue, trade

MAKER, TAKER = int(Liquidity.MAKER), int(Liquidity.TAKER)


@kernel
def fill_fee_nanos(instrument: Any, lots: int, price: int, liquidity: int) -> int:
    """Return what the venue takes for a fill; negative: a rebate."""
    notional = lots * abs(price) * instrument.tick_value_nanos
    if liquidity == MAKER:
        return fee_nanos(notional, lots, instrument.maker_fee_per_lot_nanos, instrument.maker_fee_ppm)
    return fee_nanos(notional, lots, instrument.taker_fee_per_lot_nanos, instrument.taker_fee_ppm)


@kernel
def _append_fill(
    state: Any, output: Any, i: int, e: int, order: Any, event_no: int, ts: int, price: int, lots: int
) -> Any:
    """Append a fill row without its money and return it."""
    account, market = state.account[0], state.markets[i]
    row = output.fills[output.counts[2]]
    output.counts[2] += 1
    row.fill_no = account.next_fill_no
    account.next_fill_no += 1
    row.order_no = order.order_no
    row.intent_no = order.intent_no
    row.event_no = event_no
    row.ts_event = ts
    row.ts_sent = order.ts_sent
    row.price = price
    row.size = lots
    row.bid_price = market.bid
    row.ask_price = market.ask
    row.decision_bid = order.decision_bid
    row.decision_ask = order.decision_ask
    row.instrument_id = i
    row.reason = order.reason
    row.engine = e
    row.is_exit = order.is_exit
    row.side = order.side
    return row


@kernel
def fill_order(
    state: Any,
    parameters: Any,
    output: Any,
    i: int,
    e: int,
    role: int,
    price: int,
    lots: int,
    liquidity: int,
    event_no: int,
    ts: int,
) -> None:
    """Execute ``lots`` of the open order of (instrument, engine, role) at ``price`` ticks."""
    account, market = state.account[0], state.markets[i]
    position, order, instrument = state.positions[i, e], state.orders[i, e, role], parameters.instruments[i]
    fee = fill_fee_nanos(instrument, lots, price, liquidity)
    held = position.lots
    cash, committed = account.cash_nanos, position.committed_nanos
    realised = trade(account, position, order.side, lots, price, instrument.tick_value_nanos, fee)
    add_reserved(account, market, position, e, -lots * order.reserved_per_lot_nanos)
    add_committed(account, market, position, e, abs(position.cost_nanos) - committed)
    order.filled += lots
    if order.filled == order.size:
        order.status = FILLED
        order.is_open = 0
    elif order.status != PENDING_CANCEL:
        order.status = PARTIALLY_FILLED
    if role == ENTRY and held == 0:
        position.exit_ts = ts + position.max_hold_ns
    row = _append_fill(state, output, i, e, order, event_no, ts, price, lots)
    row.cash_nanos = account.cash_nanos - cash + fee
    row.fee_nanos = fee
    row.realised_nanos = realised
    row.position_after = position.lots
    row.liquidity = liquidity
    append_order_event(state, output, i, e, order, order.reason, event_no, ts)
    revalue(account, position, market.bid, market.ask, instrument.tick_value_nanos)
    note_equity(account)
    append_mark(state, parameters, output, i, e, event_no, ts)
