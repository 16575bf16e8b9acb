"""What the coordinator hears from venues: each report moves an order, and with it reservation, position and money.

An order's reservation is that of the lots it can still fill: it shrinks with each fill and goes back with the order's
end. What is not applied changes nothing; a report that contradicts what is known, or that is of no order, is counted.
"""

from __future__ import annotations

from typing import Any

from chimera_platform.coordination.exposing import follow_exposure
from chimera_platform.coordination.risk_rows import ALL_ENGINES, NO_INSTRUMENT, append_risk_event
from chimera_platform.execution.exit_plan import note_entry_fill
from chimera_platform.execution.fills import book_trade
from chimera_platform.execution.order_state import ILLEGAL, UNSOLICITED, apply_report, is_applied, open_lots
from chimera_platform.execution.orders import ENTRY, ROLE_COUNT, append_order_event
from chimera_platform.execution.quality import note_answer, note_execution, note_order_end, quality_score
from chimera_platform.execution.records import ENGINE_COUNT, OrderReason, RiskEventKind
from chimera_platform.execution.reports import ReportKind
from chimera_platform.kernels import kernel
from chimera_platform.portfolio.exposure import add_reserved
from chimera_platform.portfolio.marks import append_mark
from chimera_platform.portfolio.performance_tracker import note_trade
from chimera_platform.risk.latency_pause import NS_IN_MS, note_ack
from chimera_platform.risk.reject_escalation import ACCOUNT, is_fault, note_reject, reject_score
from chimera_platform.simulation.exchange.reports_ring import drop_report, has_report, next_report

_TRADE, _CANCEL_REJECTED = int(ReportKind.TRADE), int(ReportKind.CANCEL_REJECTED)
_REJECTED = int(ReportKind.REJECTED)
_NONE = int(OrderReason.NONE)
_REJECTS, _LATENCY = int(RiskEventKind.REJECTS), int(RiskEventKind.LATENCY)
_QUALITY = int(RiskEventKind.QUALITY)


@kernel
def append_reject_steps(state: Any, parameters: Any, output: Any, changed: int, event_no: int, ts: int) -> None:
    """Append whose step has changed, a bit each as of :mod:`chimera_platform.risk.reject_escalation`."""
    rejects, adaptive = state.desk[0].rejects, parameters.settings[0].risk_adaptive
    for who in range(ENGINE_COUNT + 1):
        if changed >> who & 1:
            step, engine = rejects[who].step, ALL_ENGINES if who == ACCOUNT else who
            score = reject_score(rejects, adaptive, who, ts)
            threshold = adaptive.reject_escalation_threshold
            append_risk_event(state, output, _REJECTS, step, engine, NO_INSTRUMENT, score, threshold, event_no, ts)


@kernel
def note_answer_time(state: Any, parameters: Any, output: Any, order: Any, event_no: int, ts: int) -> None:
    """Take in the venue's first answer to an order: how long it took."""
    latency, adaptive = state.desk[0].latency, parameters.settings[0].risk_adaptive
    if order.execution.answer_ts == 0:
        taken = ts - order.ts_sent
        if note_ack(latency, adaptive, taken, ts):
            append_risk_event(
                state,
                output,
                _LATENCY,
                latency.state,
                ALL_ENGINES,
                NO_INSTRUMENT,
                float(taken) / NS_IN_MS,
                adaptive.latency_threshold_ms,
                event_no,
                ts,
            )
    note_answer(order.execution, ts)


@kernel
def note_end(state: Any, parameters: Any, output: Any, i: int, e: int, order: Any, event_no: int, ts: int) -> None:
    """Take in that an order has ended, with all its fills known."""
    quality, settings = state.desk[0].qualities[e], parameters.settings[0].latency_attribution
    if note_order_end(quality, order.execution, settings, order.size):
        score, threshold = quality_score(quality), settings.quality_score_threshold
        append_risk_event(state, output, _QUALITY, quality.is_low, e, NO_INSTRUMENT, score, threshold, event_no, ts)


@kernel
def note_position(state: Any, parameters: Any, i: int, e: int, ts: int) -> None:
    """Take in that a trade has changed a position: one that is flat again was a trade of its engine."""
    desk, position = state.desk[0], state.positions[i, e]
    desk.is_holding_changed = 1
    position.most_committed_nanos = max(position.most_committed_nanos, position.committed_nanos)
    if position.lots == 0:
        net = position.realised_nanos - position.fees_nanos
        settings = parameters.settings[0].performance_tracking
        note_trade(desk.performances[e], settings, net - position.flat_net_nanos, position.most_committed_nanos, ts)
        position.flat_net_nanos = net
        position.most_committed_nanos = 0
        desk.is_rebalancing = 1


@kernel
def receive_trade(
    state: Any, parameters: Any, output: Any, i: int, e: int, role: int, report: Any, event_no: int, ts: int
) -> None:
    """Book a trade, and let plan and records of the position follow."""
    order, position = state.orders[i, e, role], state.positions[i, e]
    note_execution(order.execution, order.side, report.price, report.lots, ts)
    if role == ENTRY:
        note_entry_fill(position, report.lots, position.lots, ts)
    book_trade(state, parameters, output, i, e, role, report, event_no, ts)
    note_position(state, parameters, i, e, ts)


@kernel
def receive_report(state: Any, parameters: Any, output: Any, i: int, report: Any, event_no: int, ts: int) -> None:
    """Take in one report of instrument ``i`` at ``ts`` (ns UTC)."""
    account, e, role = state.account[0], report.slot // ROLE_COUNT, report.slot % ROLE_COUNT
    order, position = state.orders[i, e, role], state.positions[i, e]
    before, was_open = open_lots(order), order.is_open
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
    note_answer_time(state, parameters, output, order, event_no, ts)
    if report.kind == _TRADE:
        receive_trade(state, parameters, output, i, e, role, report, event_no, ts)
    elif report.kind == _REJECTED and is_fault(report.reason):
        changed = note_reject(state.desk[0].rejects, parameters.settings[0].risk_adaptive, e, ts)
        append_reject_steps(state, parameters, output, changed, event_no, ts)
    append_order_event(
        state, output, i, e, order, reason, event_no, ts, report.ts_venue, report.bid_price, report.ask_price
    )
    if report.kind == _TRADE:
        append_mark(state, parameters, output, i, e, event_no, ts)
    if was_open == 1 and order.is_open == 0:
        note_end(state, parameters, output, i, e, order, event_no, ts)
    follow_exposure(state, parameters, i, e, ts)


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
