"""Fills: an execution moves commitment, cash, position and profit when its report is received, and is written down."""

from __future__ import annotations

from typing import Any

from chimera_platform.execution.records import Liquidity
from chimera_platform.kernels import kernel
from chimera_platform.portfolio.exposure import add_committed, committed_by_fill
from chimera_platform.portfolio.positions import fee_nanos, note_equity, revalue, trade

MAKER = int(Liquidity.MAKER)


@kernel
def fill_fee_nanos(instrument: Any, lots: int, price: int, liquidity: int) -> int:
    """Return what the venue takes for a fill; negative: a rebate."""
    notional = lots * abs(price) * instrument.tick_value_nanos
    if liquidity == MAKER:
        return fee_nanos(notional, lots, instrument.maker_fee_per_lot_nanos, instrument.maker_fee_ppm)
    return fee_nanos(notional, lots, instrument.taker_fee_per_lot_nanos, instrument.taker_fee_ppm)


@kernel
def _append_fill(state: Any, output: Any, i: int, e: int, order: Any, report: Any, event_no: int, ts: int) -> Any:
    """Append a fill row without its money and return it."""
    account = state.account[0]
    row = output.fills[output.counts[2]]
    output.counts[2] += 1
    row.fill_no = account.next_fill_no
    account.next_fill_no += 1
    row.order_no = order.order_no
    row.intent_no = order.intent_no
    row.event_no = event_no
    row.ts_event = ts
    row.ts_venue = report.ts_venue
    row.ts_sent = order.ts_sent
    row.price = report.price
    row.size = report.lots
    row.bid_price = report.bid_price
    row.ask_price = report.ask_price
    row.decision_bid = order.decision_bid
    row.decision_ask = order.decision_ask
    row.instrument_id = i
    row.reason = order.reason
    row.engine = e
    row.liquidity = report.liquidity
    row.is_exit = order.is_exit
    row.side = order.side
    return row


@kernel
def book_trade(
    state: Any, parameters: Any, output: Any, i: int, e: int, role: int, report: Any, event_no: int, ts: int
) -> None:
    """Book the trade of an order of (instrument, engine, role) that is received at ``ts``.

    Its lots are committed at the price reserved for them, which the receiver of the report takes off the reservation.
    """
    account, market, currency = (
        state.account[0],
        state.markets[i],
        state.currencies[parameters.shares[i].currency_index],
    )
    position, order, instrument = state.positions[i, e], state.orders[i, e, role], parameters.instruments[i]
    fee = fill_fee_nanos(instrument, report.lots, report.price, report.liquidity)
    held, cash = position.lots, account.cash_nanos
    committed = committed_by_fill(position.committed_nanos, held, order.side, report.lots, order.reserved_per_lot_nanos)
    add_committed(account, market, currency, position, e, committed)
    realised = trade(account, position, order.side, report.lots, report.price, instrument.tick_value_nanos, fee)
    row = _append_fill(state, output, i, e, order, report, event_no, ts)
    row.cash_nanos = account.cash_nanos - cash + fee
    row.fee_nanos = fee
    row.realised_nanos = realised
    row.position_after = position.lots
    revalue(account, position, market.bid, market.ask, instrument.tick_value_nanos)
    note_equity(account)
