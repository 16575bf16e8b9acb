"""Reconciliation: the client's books against the venue's statement, every difference resolved or the flow halted.

What may differ after a restart, and what is done:

- the venue counts fills that the client has not seen → reports of trades, at the execution's price where the venue
  lists it, otherwise at the order's average price or, within the limits of :class:`ReconciliationSettings`, at the mid;
- the client takes an order for open that has ended or is not known at the venue → the report of its end;
- an acceptance or the answer to a request was lost → that report;
- the venue works an order that the client does not know, or takes for ended → it is withdrawn;
- the position differs although all orders agree → an adjustment at the mid within the limits: engines that hold what
  the venue has not are reduced, the largest first; what nobody holds goes to the hedge book, to be closed. A working
  order in the way, which would do more than is then left to do, is withdrawn first, and the position waits for the
  statement after that;
- anything else, and any adjustment beyond the limits → :class:`ReconciliationError`, with nothing changed.

Synthetic reports go the way of all reports (:func:`~chimera_platform.execution.order_state.apply_report`), so that
reservations, positions and money follow by the same rules; a report that is known already is a duplicate and changes
nothing. The plan is made on copies: a function of books and statement. It is carried out and made anew until it is
empty.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from chimera_platform.errors import ReconciliationError
from chimera_platform.execution.adjustments import Adjustment, AdjustmentKind, ClientBooks, ReconciliationSettings
from chimera_platform.execution.order_state import Outcome, Request, apply_report, has_ended
from chimera_platform.execution.orders import ENTRY, EXIT, ROLE_COUNT
from chimera_platform.execution.records import Engine, Liquidity, OrderReason, OrderStatus
from chimera_platform.execution.reports import REPORT_DTYPE, ReportKind
from chimera_platform.execution.venue_statement import VenueStatement

_ENDS = {
    OrderStatus.CANCELLED: ReportKind.CANCELLED,
    OrderStatus.REJECTED: ReportKind.REJECTED,
    OrderStatus.EXPIRED: ReportKind.EXPIRED,
}


def plan_adjustments(
    books: ClientBooks, statement: VenueStatement, settings: ReconciliationSettings
) -> list[Adjustment]:
    """Return the steps that make the client's books agree with the venue's; none where they do.

    Raises
    ------
    ReconciliationError : a difference that nothing explains, or above the limits of ``settings``.
    """
    return _Plan(books, statement, settings).made()


class _Plan:
    """The client's books as they are going to be, and the steps that lead there."""

    def __init__(self, books: ClientBooks, statement: VenueStatement, settings: ReconciliationSettings) -> None:
        self._books, self._statement, self._settings = books, statement, settings
        self._orders = books.orders.copy()
        self._lots = books.lots.astype(np.int64)
        self._exec_no = statement.next_exec_no.copy()
        self._stated: dict[int, Any] = {int(row["order_no"]): row for row in statement.orders}
        self._executions: dict[int, list[Any]] = defaultdict(list)
        for row in statement.executions:
            self._executions[int(row["report"]["order_no"])].append(row["report"])
        self._unpriced = np.zeros(len(self._lots), np.int64)  # lots by instrument that are booked at the mid
        self._steps: list[Adjustment] = []

    def made(self) -> list[Adjustment]:
        """Return the steps."""
        for i, e, role in np.argwhere(self._orders["status"] != 0).tolist():
            self._reconcile_order(i, e, role)
        self._withdraw_strangers()
        for i in range(len(self._lots)):
            self._reconcile_position(i)
        return self._steps

    # ---- orders

    def _reconcile_order(self, i: int, e: int, role: int) -> None:
        order = self._orders[i, e, role]
        stated = self._stated.get(int(order["order_no"]))
        for execution in self._executions.get(int(order["order_no"]), []):
            self._tell(i, e, role, execution.copy())
        if stated is not None:
            self._check_terms(i, order, stated)
            self._answer_replacement(i, e, role, stated)
        self._book_missing(i, e, role, stated)
        is_open = stated is not None and _is_open(stated)
        if stated is not None and is_open and has_ended(order):
            self._withdraw(i, e, role, int(order["order_no"]))
        elif stated is not None and is_open:
            self._answer(i, e, role, stated)
        elif not has_ended(order):
            self._end(i, e, role, stated)

    def _check_terms(self, i: int, order: Any, stated: Any) -> None:
        where = self._where(i, order)
        if stated["side"] != order["side"] or stated["instrument_id"] != i:
            raise ReconciliationError(f"{where}: the venue has it on the other side or for another instrument")
        if stated["filled"] < order["filled"]:
            raise ReconciliationError(
                f"{where}: {order['filled']} lots are booked as filled, the venue counts {stated['filled']}"
            )

    def _answer_replacement(self, i: int, e: int, role: int, stated: Any) -> None:
        order = self._orders[i, e, role]
        if order["request"] == Request.REPLACE and stated["has_replace"]:
            return  # its answer is still to come, under either terms
        size, price = int(stated["size"]), int(stated["price"])
        if order["request"] == Request.REPLACE:
            if (size, price) == (int(order["replace_size"]), int(order["replace_price"])):
                self._report(i, e, role, ReportKind.REPLACED, size=size, price=price)
            elif not has_ended(order):
                self._report(i, e, role, ReportKind.CANCEL_REJECTED, reason=OrderReason.TOO_LATE)
        if (size, price) != (int(order["size"]), int(order["price"])):
            raise ReconciliationError(
                f"{self._where(i, order)}: {order['size']} lots at {order['price']} ticks were ordered, the venue has "
                f"{size} at {price}"
            )

    def _book_missing(self, i: int, e: int, role: int, stated: Any) -> None:
        """Book what the venue has counted as filled, and no execution told."""
        order = self._orders[i, e, role]
        gaps = [(int(order["gap_start"][k]), int(order["gap_end"][k])) for k in range(int(order["gaps"]))]
        counted = int(order["reported"])
        if stated is not None and stated["filled"] > counted:
            gaps.append((counted, int(stated["filled"])))
        for start, end in sorted(gaps):
            if end > int(order["size"]):
                raise ReconciliationError(
                    f"{self._where(i, order)}: {order['size']} lots were ordered, the venue has filled {end}"
                )
            average = float(stated["average_price"]) if stated is not None else np.nan
            price = round(average) if np.isfinite(average) else self._mid(i, end - start)
            self._report(
                i, e, role, ReportKind.TRADE, price=price, lots=end - start, filled=end, liquidity=Liquidity.TAKER
            )

    def _answer(self, i: int, e: int, role: int, stated: Any) -> None:
        """Tell the client what a working order's lost reports had said."""
        order = self._orders[i, e, role]
        if not order["is_acknowledged"] and stated["status"] != OrderStatus.PENDING_NEW:
            self._report(i, e, role, ReportKind.NEW)
        if stated["is_triggered"] and not order["is_triggered"] and order["stop_price"] != 0:
            self._report(i, e, role, ReportKind.TRIGGERED)
        if order["request"] == Request.CANCEL and not stated["has_cancel"]:
            self._report(i, e, role, ReportKind.CANCEL_REJECTED, reason=OrderReason.TOO_LATE)

    def _end(self, i: int, e: int, role: int, stated: Any) -> None:
        order = self._orders[i, e, role]
        status = OrderStatus.CANCELLED if stated is None else OrderStatus(int(stated["status"]))
        if status == OrderStatus.FILLED:
            raise ReconciliationError(
                f"{self._where(i, order)}: the venue has it as filled, with {stated['filled']} of {order['size']} lots"
            )
        kind = ReportKind.CANCELLED if order["filled"] > 0 else _ENDS[status]
        self._report(i, e, role, kind, reason=OrderReason.ADJUSTMENT)

    def _withdraw_strangers(self) -> None:
        known = {int(order["order_no"]) for order in self._orders[self._orders["status"] != 0]}
        for row in self._statement.orders:
            if _is_open(row) and int(row["order_no"]) not in known:
                self._withdraw(int(row["instrument_id"]), -1, -1, int(row["order_no"]))

    def _withdraw(self, i: int, e: int, role: int, order_no: int) -> None:
        self._steps.append(Adjustment(AdjustmentKind.WITHDRAWAL, i, e, role, order_no))

    # ---- positions

    def _reconcile_position(self, i: int) -> None:
        missing = int(self._statement.positions[i]) - int(self._lots[i].sum())
        if missing == 0:
            return
        price, side = self._mid(i, abs(missing)), 1 if missing > 0 else -1
        shares: list[tuple[int, int, int]] = []  # engine, role, lots
        for e in sorted(range(len(self._lots[i])), key=lambda e: (-abs(int(self._lots[i, e])), e)):
            held = int(self._lots[i, e])
            if held * side < 0 and missing != 0:
                lots = side * min(abs(held), abs(missing))
                shares.append((e, EXIT, lots))
                missing -= lots
        if missing != 0:
            shares.append((int(Engine.HEDGE), ENTRY, missing))
        in_the_way = [(e, role) for e, role, _ in shares if self._orders[i, e, role]["is_open"]]
        for e, role in in_the_way:
            self._withdraw(i, e, role, int(self._orders[i, e, role]["order_no"]))
        if not in_the_way:
            self._steps += [
                Adjustment(AdjustmentKind.POSITION, i, e, role, -1, lots, price) for e, role, lots in shares
            ]

    def _mid(self, i: int, lots: int) -> int:
        """Return the mid (ticks, rounded down) at which ``lots`` more are booked, if that may be done."""
        bid, ask = int(self._books.bid[i]), int(self._books.ask[i])
        if bid == 0 and ask == 0:
            raise ReconciliationError(f"instrument {i}: {lots} lots differ, and its market has no price yet")
        self._unpriced[i] += lots
        total, mid = int(self._unpriced[i]), (bid + ask) // 2
        worth = total * abs(mid) * int(self._books.tick_value_nanos[i])
        limit = self._settings.max_adjust_notional
        if total > self._settings.max_adjust_lots or worth > int(limit * 1_000_000_000):
            raise ReconciliationError(
                f"instrument {i}: {total} lots worth {worth / 1e9:.2f} differ between client and venue; expected at "
                f"most {self._settings.max_adjust_lots} lots worth {limit} (reconciliation.max_adjust_lots and "
                "max_adjust_notional). Trade the difference away at the venue, then start again"
            )
        return mid

    # ---- reports

    def _report(
        self,
        i: int,
        e: int,
        role: int,
        kind: ReportKind,
        *,
        price: int = 0,
        lots: int = 0,
        filled: int | None = None,
        size: int | None = None,
        reason: OrderReason = OrderReason.NONE,
        liquidity: int = 0,
    ) -> None:
        order = self._orders[i, e, role]
        report = np.zeros(1, REPORT_DTYPE)
        report["order_no"], report["exec_no"] = order["order_no"], self._exec_no[i]
        report["price"] = price if kind in (ReportKind.TRADE, ReportKind.REPLACED) else order["price"]
        report["lots"], report["size"] = lots, order["size"] if size is None else size
        report["filled"] = order["reported"] if filled is None else filled
        report["bid_price"], report["ask_price"] = self._books.bid[i], self._books.ask[i]
        report["reason"], report["kind"], report["liquidity"] = reason, kind, liquidity
        report["side"] = order["side"]
        self._exec_no[i] += 1
        self._tell(i, e, role, report[0])

    def _tell(self, i: int, e: int, role: int, report: Any) -> None:
        """Apply a report to the planned books and note it as a step, unless it is known already."""
        order = self._orders[i, e, role]
        report["slot"] = e * ROLE_COUNT + role
        outcome = Outcome(int(apply_report(order, report)))
        if outcome is Outcome.DUPLICATE:
            return
        if outcome not in (Outcome.APPLIED, Outcome.LATE_FILL):
            kind = ReportKind(int(report["kind"])).name
            raise ReconciliationError(f"{self._where(i, order)}: the venue's {kind} contradicts what it said before")
        lots = 0
        kind_of = {ReportKind.TRADE: AdjustmentKind.FILL} | dict.fromkeys(_ENDS.values(), AdjustmentKind.END)
        if report["kind"] == ReportKind.TRADE:
            lots = int(report["side"]) * int(report["lots"])
            self._lots[i, e] += lots
        kind_of_step = kind_of.get(ReportKind(int(report["kind"])), AdjustmentKind.ANSWER)
        price = int(report["price"]) if lots else 0
        told = np.zeros(1, REPORT_DTYPE)
        told[0] = report
        self._steps.append(Adjustment(kind_of_step, i, e, role, int(order["order_no"]), lots, price, told))

    def _where(self, i: int, order: Any) -> str:
        return f"order {order['order_no']} of instrument {i}"


def _is_open(stated: Any) -> bool:
    return int(stated["status"]) not in (OrderStatus.FILLED, *_ENDS)
