"""Carrying out a reconciliation: on the coordinator's state and rows, and on the simulated venue.

Where client and venue differ in an instrument, the reports that are on their way are taken in first: only what is then
still different is a difference. Steps are carried out and planned anew until the plan is empty.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from chimera_platform.coordination.entries import refresh_market
from chimera_platform.coordination.parameters import CoordinatorParameters
from chimera_platform.coordination.receiving import receive_report, receive_reports
from chimera_platform.coordination.risk_rows import append_risk_event
from chimera_platform.coordination.state import CoordinatorState, Rows, new_rows
from chimera_platform.errors import ReconciliationError
from chimera_platform.execution.adjustments import Adjustment, AdjustmentKind, ClientBooks, ReconciliationSettings
from chimera_platform.execution.exit_plan import start_plain_plan
from chimera_platform.execution.order_state import start_order
from chimera_platform.execution.orders import ENTRY, ROLE_COUNT, append_order_event, new_order
from chimera_platform.execution.quality import start_execution
from chimera_platform.execution.reconciliation import plan_adjustments
from chimera_platform.execution.records import Liquidity, OrderReason, RiskEventKind
from chimera_platform.execution.reports import REPORT_DTYPE, ReportKind
from chimera_platform.execution.venue_statement import VenueStatement
from chimera_platform.kernels import kernel
from chimera_platform.portfolio.exposure import add_reserved
from chimera_platform.risk.allocator import lot_notional_nanos
from chimera_platform.simulation.exchange.records import REPORTS_MAX, VenueOrderState
from chimera_platform.simulation.exchange.statement import close_slot, forget_reports, withdraw_order

ROUNDS_MAX = 6
NO_INTENT = -1
_ROWS = 2 * REPORTS_MAX + 64
_ADJUSTMENT, _FLATTEN = int(OrderReason.ADJUSTMENT), int(OrderReason.FLATTEN)
_RISK_ADJUSTMENT = int(RiskEventKind.ADJUSTMENT)
_NEVER_USED = int(VenueOrderState.NONE)
_TRADE, _TAKER = int(ReportKind.TRADE), int(Liquidity.TAKER)

StatementSource = Callable[[Collection[int]], VenueStatement]
"""Asks the venue; given the numbers of the client's orders."""


@kernel
def begin_reconciling(state: Any, i: int) -> None:
    """Let the client know an instrument's touch, and look at it from the next event on."""
    market = state.markets[i]
    refresh_market(market, state.exchange_markets[i])
    market.is_active = 1
    market.is_at_venue = 1


@kernel
def take_in_adjustment(state: Any, parameters: Any, output: Any, i: int, report: Any, event_no: int, ts: int) -> None:
    """Take in a report that the plan of a reconciliation has written."""
    receive_report(state, parameters, output, i, report, event_no, ts)


@kernel
def take_in_all(state: Any, parameters: Any, output: Any, i: int, event_no: int, ts: int) -> None:
    """Take in the reports of an instrument that are there at ``ts``."""
    receive_reports(state, parameters, output, i, event_no, ts)


@kernel
def book_position(
    state: Any, parameters: Any, output: Any, i: int, e: int, role: int, report: Any, event_no: int, ts: int
) -> None:
    """Book lots that no order explains: as an order of their own that fills at once, by ``report``'s side and price.

    The slot is free. An entry is closed again by the usual path: nobody has asked for it. Its lots count as exposure at
    ``report``'s price, or at that of the lots that they are added to: all of a position's have one.
    """
    position, market, account = state.positions[i, e], state.markets[i], state.account[0]
    per_lot = state.orders[i, e, ENTRY].reserved_per_lot_nanos
    if role == ENTRY and position.lots == 0:
        start_plain_plan(position, 1, 1, 1)
        position.intent_no = NO_INTENT
        per_lot = lot_notional_nanos(report.price, parameters.instruments[i].tick_value_nanos)
    order = new_order(state, i, e, role, report.side, report.lots, _ADJUSTMENT, position.intent_no, ts)
    start_order(order)
    start_execution(order.execution, order.side, 0, market.bid, market.ask, ts)
    if role == ENTRY:
        order.reserved_per_lot_nanos = per_lot
        currency = state.currencies[parameters.shares[i].currency_index]
        add_reserved(account, market, currency, position, e, report.lots * per_lot)
    append_order_event(state, output, i, e, order, _ADJUSTMENT, event_no, ts, 0, report.bid_price, report.ask_price)
    report.order_no = order.order_no
    receive_report(state, parameters, output, i, report, event_no, ts)
    if role == ENTRY:
        position.exit_reason = _FLATTEN


@kernel
def note_adjustment(
    state: Any, output: Any, kind: int, engine: int, i: int, lots: int, order_no: int, event_no: int, ts: int
) -> None:
    """Write a step down: AdjustmentKind, lots and order number."""
    append_risk_event(state, output, _RISK_ADJUSTMENT, kind, engine, i, float(lots), float(order_no), event_no, ts)


def client_orders(state: CoordinatorState) -> set[int]:
    """Return the numbers of the orders that the client knows."""
    return set(state.orders["order_no"][state.orders["status"] != 0].tolist())


def client_books(state: CoordinatorState, parameters: CoordinatorParameters) -> ClientBooks:
    """Return what the client knows, with the present touch of each market."""
    markets = state.exchange_markets
    tick_values = parameters.instruments["tick_value_nanos"]
    return ClientBooks(state.orders, state.positions["lots"], markets["bid"], markets["ask"], tick_values)


class Reconciliation:
    """One reconciliation of a coordinator's books.

    Parameters
    ----------
    state, parameters : the coordinator's.
    settings : limits of what is adjusted without a person.
    event_no, ts : of the first event after it, and the time (ns UTC) up to which the market is known.
    """

    def __init__(
        self,
        state: CoordinatorState,
        parameters: CoordinatorParameters,
        settings: ReconciliationSettings,
        event_no: int,
        ts: int,
    ) -> None:
        self._state, self._parameters, self._settings = state, parameters, settings
        self._at = (event_no, ts)
        self._rows: Rows | None = None
        self.parts: list[list[np.ndarray[Any, Any]]] = []

    def run(self, statement_of: StatementSource) -> None:
        """Resolve every difference; the rows of it are in ``parts``, by table in the order of ``Rows``.

        Raises
        ------
        ReconciliationError : what cannot be resolved; the state is not to be used any further.
        """
        steps: list[Adjustment] = []
        for turn in range(ROUNDS_MAX):
            statement = statement_of(client_orders(self._state))
            steps = plan_adjustments(client_books(self._state, self._parameters), statement, self._settings)
            if not steps:
                return
            if turn == 0:
                for i in sorted({step.instrument_id for step in steps}):
                    self._drain(i)
                continue
            for step in steps:
                self._carry_out(step)
            for i in {step.instrument_id for step in steps}:
                self._settle_slots(i)
        raise ReconciliationError(f"client and venue still differ after {ROUNDS_MAX} rounds: {steps[0]}")

    def _drain(self, i: int) -> None:
        """Take in what is on its way, without the reports of orders that the client does not know."""
        forget_reports(self._state.exchange, i, client_orders(self._state))
        begin_reconciling(self._state, i)
        market, (event_no, ts) = self._state.exchange_markets[i], self._at
        market["reports"]["ts_received"][:] = np.minimum(market["reports"]["ts_received"], ts)
        take_in_all(self._state, self._parameters, self._output(), i, event_no, ts)
        self._collect()

    def _carry_out(self, step: Adjustment) -> None:
        state, output, i = self._state, self._output(), step.instrument_id
        event_no, ts = self._at
        order_no = step.order_no
        if step.kind is AdjustmentKind.WITHDRAWAL:
            withdraw_order(state.exchange, i, order_no)
        elif step.kind is AdjustmentKind.POSITION:
            report = self._position_report(step)
            book_position(state, self._parameters, output, i, step.engine, step.role, report, event_no, ts)
            order_no = int(report["order_no"])
        else:
            assert step.report is not None
            report = step.report[0]
            report["ts_venue"] = report["ts_venue"] or ts
            take_in_adjustment(state, self._parameters, output, i, report, event_no, ts)
            market = state.exchange_markets[i]
            market["next_exec_no"] = max(int(market["next_exec_no"]), int(report["exec_no"]) + 1)
        note_adjustment(state, output, int(step.kind), step.engine, i, step.lots, order_no, event_no, ts)
        self._collect()

    def _position_report(self, step: Adjustment) -> Any:
        market = self._state.exchange_markets[step.instrument_id]
        report = np.zeros(1, REPORT_DTYPE)[0]
        report["exec_no"], report["kind"], report["liquidity"] = market["next_exec_no"], _TRADE, _TAKER
        report["slot"] = step.engine * ROLE_COUNT + step.role
        report["side"] = 1 if step.lots > 0 else -1
        report["lots"] = report["size"] = report["filled"] = abs(step.lots)
        report["price"], report["ts_venue"] = step.price, self._at[1]
        report["bid_price"], report["ask_price"] = market["bid"], market["ask"]
        market["next_exec_no"] += 1
        return report

    def _settle_slots(self, i: int) -> None:
        """Let the venue's slots hold the client's orders that the venue did not know: as ended."""
        for e, role in np.ndindex(self._state.orders.shape[1:]):
            order, slot = self._state.orders[i, e, role], e * ROLE_COUNT + role
            at_venue = self._state.exchange_orders[i, slot]
            is_known = at_venue["state"] != _NEVER_USED and at_venue["order_no"] == order["order_no"]
            if order["status"] != 0 and not is_known:
                terms = [int(order[name]) for name in ("order_no", "side", "price", "size", "filled")]
                close_slot(self._state.exchange, i, slot, *terms)

    def _output(self) -> Rows:
        self._rows = self._rows or new_rows(_ROWS)
        self._rows.counts[:] = 0
        return self._rows

    def _collect(self) -> None:
        assert self._rows is not None
        counts = self._rows.counts.tolist()
        self.parts.append([rows[:n].copy() for rows, n in zip(self._rows, counts, strict=False)])
