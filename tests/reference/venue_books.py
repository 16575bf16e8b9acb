"""Client and venue side by side in plain Python: what happened at the venue, what of it the client was told."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.execution.adjustments import Adjustment, AdjustmentKind, ClientBooks, ReconciliationSettings
from chimera_platform.execution.order_state import ORDER_DTYPE, apply_report, has_ended, is_applied, start_order
from chimera_platform.execution.orders import ROLE_COUNT
from chimera_platform.execution.reconciliation import plan_adjustments
from chimera_platform.execution.records import ENGINE_COUNT, OrderStatus, OrderType
from chimera_platform.execution.reports import REPORT_DTYPE, ReportKind
from chimera_platform.execution.venue_statement import EXECUTION_DTYPE, STATED_ORDER_DTYPE, VenueStatement

OPEN = (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED, OrderStatus.PENDING_NEW)
ENDED = {
    ReportKind.CANCELLED: OrderStatus.CANCELLED,
    ReportKind.REJECTED: OrderStatus.REJECTED,
    ReportKind.EXPIRED: OrderStatus.EXPIRED,
}
BID, ASK, TICK_VALUE = 999, 1001, 10_000_000


class VenueBooks:
    """One client and one venue, ``instruments`` instruments."""

    def __init__(self, instruments: int = 1) -> None:
        self.orders = np.zeros((instruments, ENGINE_COUNT, ROLE_COUNT), ORDER_DTYPE)
        self.lots = np.zeros((instruments, ENGINE_COUNT), np.int64)
        self.venue: dict[int, dict[str, Any]] = {}
        self.positions = np.zeros(instruments, np.int64)
        self.executions: list[tuple[int, np.ndarray[Any, Any]]] = []
        self.exec_no = np.zeros(instruments, np.int64)
        self.next_order_no = 1

    # ---- what happens

    def send(self, i: int, e: int, role: int, side: int, size: int, price: int = 1000) -> int:
        """Send a limit order; return its number."""
        order, number = self.orders[i, e, role], self.next_order_no
        self.next_order_no += 1
        for name, value in (("order_no", number), ("size", size), ("price", price), ("side", side)):
            order[name] = value
        order["order_type"] = OrderType.LIMIT
        start_order(order)
        self.venue[number] = {
            "i": i, "e": e, "role": role, "side": side, "size": size, "price": price, "filled": 0, "paid": 0,
            "status": OrderStatus.PENDING_NEW, "has_cancel": False,
        }  # fmt: skip
        return number

    def happen(self, number: int, kind: ReportKind, lots: int = 0, price: int = 1000, told: bool = True) -> None:
        """Let something happen to an order at the venue, and tell the client or not."""
        at = self.venue[number]
        if kind == ReportKind.TRADE:
            at["filled"] += lots
            at["paid"] += lots * price
            self.positions[at["i"]] += at["side"] * lots
            at["status"] = OrderStatus.FILLED if at["filled"] == at["size"] else OrderStatus.PARTIALLY_FILLED
        else:
            at["status"] = ENDED.get(kind, OrderStatus.NEW)
        report = self._report(number, kind, lots, price)
        if kind == ReportKind.TRADE:
            self.executions.append((at["i"], report))
        if told:
            self.tell(at["i"], at["e"], at["role"], report)

    def tell(self, i: int, e: int, role: int, report: np.ndarray[Any, Any]) -> None:
        """Give the client a report."""
        if is_applied(apply_report(self.orders[i, e, role], report[0])) and report["kind"] == ReportKind.TRADE:
            self.lots[i, e] += int(report["side"][0]) * int(report["lots"][0])

    def _report(self, number: int, kind: ReportKind, lots: int, price: int) -> np.ndarray[Any, Any]:
        at, report = self.venue[number], np.zeros(1, REPORT_DTYPE)
        report["order_no"], report["exec_no"], report["kind"] = number, self.exec_no[at["i"]], kind
        report["side"], report["size"], report["filled"] = at["side"], at["size"], at["filled"]
        report["lots"], report["price"] = lots, price if lots else at["price"]
        report["liquidity"] = 1 if lots else 0
        self.exec_no[at["i"]] += 1
        return report

    # ---- asking, and what follows

    def statement(self, lists_prices: bool = True, listed: float = 1.0, forgets_ended: bool = False) -> VenueStatement:
        """Return the venue's statement.

        Parameters
        ----------
        lists_prices : whether it says at what average price an order has filled.
        listed : the share of executions, the latest, that it still lists.
        forgets_ended : whether it says nothing of orders that have ended.
        """
        rows = []
        for number, at in self.venue.items():
            if forgets_ended and at["status"] not in OPEN:
                continue
            row = np.zeros(1, STATED_ORDER_DTYPE)
            row["order_no"], row["instrument_id"], row["slot"] = number, at["i"], -1
            for name in ("side", "size", "price", "filled", "status", "has_cancel"):
                row[name] = at[name]
            row["average_price"] = at["paid"] / at["filled"] if lists_prices and at["filled"] else np.nan
            rows.append(row)
        kept = self.executions[len(self.executions) - int(len(self.executions) * listed) :]
        executions = np.zeros(len(kept), EXECUTION_DTYPE)
        for k, (i, report) in enumerate(kept):
            executions[k]["instrument_id"] = i
            executions[k]["report"] = report[0]
        orders = np.concatenate(rows) if rows else np.zeros(0, STATED_ORDER_DTYPE)
        return VenueStatement(orders, executions, self.positions.copy(), self.exec_no.copy())

    def plan(self, statement: VenueStatement, settings: ReconciliationSettings) -> list[Adjustment]:
        """Return the steps for the present books."""
        instruments = len(self.lots)
        prices = [np.full(instruments, value, np.int64) for value in (BID, ASK, TICK_VALUE)]
        return plan_adjustments(ClientBooks(self.orders, self.lots, *prices), statement, settings)

    def reconcile(self, settings: ReconciliationSettings, **asked: Any) -> list[Adjustment]:
        """Carry plans out until there is nothing left to do; return all steps."""
        done: list[Adjustment] = []
        for _ in range(4):
            steps = self.plan(self.statement(**asked), settings)
            if not steps:
                return done
            for step in steps:
                self._carry_out(step)
            done += steps
        raise AssertionError(f"no end of adjustments: {steps}")

    def _carry_out(self, step: Adjustment) -> None:
        if step.kind is AdjustmentKind.WITHDRAWAL:
            if self.venue[step.order_no]["status"] in OPEN:
                self.venue[step.order_no]["status"] = OrderStatus.CANCELLED
        elif step.kind is AdjustmentKind.POSITION:
            order = self.orders[step.instrument_id, step.engine, step.role]
            assert not order["is_open"], "the slot of an adjustment is not free"
            order["status"] = 0
            self.lots[step.instrument_id, step.engine] += step.lots
        else:
            assert step.report is not None
            self.tell(step.instrument_id, step.engine, step.role, step.report)
            self.exec_no[step.instrument_id] = max(self.exec_no[step.instrument_id], int(step.report["exec_no"][0]) + 1)

    def difference(self) -> str:
        """Return in what client and venue differ, empty where they agree: orders, fills, openness, positions."""
        known = set()
        for order in self.orders[self.orders["status"] != 0]:
            at = self.venue.get(int(order["order_no"]))
            known.add(int(order["order_no"]))
            if at is None:
                if order["is_open"]:
                    return f"order {order['order_no']} is open"
                continue
            if at["filled"] != order["filled"]:
                return f"order {order['order_no']}: filled {order['filled']}, at the venue {at['filled']}"
            if (at["status"] in OPEN) == bool(has_ended(order)):
                return f"order {order['order_no']}: status {order['status']}, at the venue {at['status']}"
        strangers = [number for number, at in self.venue.items() if at["status"] in OPEN and number not in known]
        if strangers:
            return f"the venue works {strangers}, which the client does not know"
        if self.lots.sum(axis=1).tolist() != self.positions.tolist():
            return f"positions {self.lots.sum(axis=1)}, at the venue {self.positions}"
        return ""
