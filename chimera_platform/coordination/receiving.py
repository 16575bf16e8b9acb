"""What the coordinator hears from venues: each report moves an order, and with it reservation, position and money.

An order's reservation is that of the lots it can still fill: it shrinks with each fill and goes back with the order's
end. What is not applied changes nothing; a report that contradicts what is known, or that is of no order, is counted.
"""

from __future__ import annotations

from typing import Any

from chimera_platform.execution.fills import book_trade
from chimera_platform.execution.order_state import ILLEGAL, UNSOLICITED, apply_report, is_applied, open_lots
from chimera_platform.execution.orders import ROLE_COUNT, append_order_event
from chimera_platform.execution.records import OrderReason
from chimera_platform.execution.reports import ReportKind
from chimera_platform.kernels import kernel
from chimera_platform.portfolio.exposure import add_reserved
from chimera_platform.portfolio.marks import append_mark
from chimera_platform.simulation.exchange.reports_ring import drop_report, has_report, next_report

_TRADE, _CANCEL_REJECTED = int(ReportKind.TRADE), int(ReportKind.CANCEL_REJECTED)
_NONE = int(OrderReason.NONE)


@kernel
def receive_report(state: Any, parameters: Any, output: Any, i: int, report: Any, event_no: int, ts: int) -> None:
    """Take in one report of instrument ``i`` at ``ts`` (ns UTC)."""
    account, e, role = state.account[0], report.slot // ROLE_COUNT, report.slot % ROLE_COUNT
    order, position = state.orders[i, e, role], state.positions[i, e]
    before = open_lots(order)
    outcome = apply_report(order, report)
    if not is_applied(outcome):
        # the answer to a cancel may come when the slot has its next order already
        if outcome == ILLEGAL or (outcome == UNSOLICITED and report.kind != _CANCEL_REJECTED):
            account.refused_reports += 1
        return
    reserved = (open_lots(order) - before) * order.reserved_per_lot_nanos
    currency = state.currencies[parameters.shares[i].currency_index]
    add_reserved(account, state.markets[i], currency, position, e, reserved)
    reason = order.reason if report.reason == _NONE else report.reason
    if report.kind == _TRADE:
        book_trade(state, parameters, output, i, e, role, report, event_no, ts)
    append_order_event(
        state, output, i, e, order, reason, event_no, ts, report.ts_venue, report.bid_price, report.ask_price
    )
    if report.kind == _TRADE:
        append_mark(state, parameters, output, i, e, event_no, ts)


@kernel
def receive_reports(state: Any, parameters: Any, output: Any, i: int, event_no: int, ts: int) -> None:
    """Take in all reports of instrument ``i`` that are there at ``ts``, each at the time at which it came.

    A report of what waited for the end of a source event bears the venue's earlier time; it is known no earlier than
    what has been seen already.
    """
    exchange_market, seen_ts = state.exchange_markets[i], state.markets[i].seen_ts
    while has_report(exchange_market, ts):
        report = next_report(exchange_market)
        receive_report(state, parameters, output, i, report, event_no, max(min(report.ts_received, ts), seen_ts))
        drop_report(exchange_market)
