"""An order as its client knows it, by definition: sets of lots, no intervals kept."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from chimera_platform.execution.order_state import GAPS_MAX, Outcome
from chimera_platform.execution.records import OrderStatus, OrderType
from chimera_platform.execution.reports import ReportKind

S, K, O = OrderStatus, ReportKind, Outcome  # noqa: E741
ENDS = {K.CANCELLED: S.CANCELLED, K.EXPIRED: S.EXPIRED, K.REJECTED: S.REJECTED}
STOPS = (OrderType.STOP, OrderType.STOP_LIMIT)


class NaiveOrder:
    """Lots are numbered from 0; a lot is booked, or counted by the venue without its fill being known."""

    def __init__(self, order_no: int, side: int, size: int, price: int, order_type: OrderType) -> None:
        self.order_no, self.side, self.size, self.price, self.order_type = order_no, side, size, price, order_type
        self.booked: set[int] = set()
        self.missing: set[int] = set()
        self.boundaries: set[int] = set()  # of trades, as counts of lots
        self.ended: OrderStatus | None = None
        self.request: str | None = None
        self.asked = (0, 0)  # price and size of the replacement
        self.is_acknowledged = self.is_triggered = False
        self.last = self.answer = -1

    @property
    def reported(self) -> int:
        return len(self.booked) + len(self.missing)

    @property
    def status(self) -> OrderStatus:
        if len(self.booked) == self.size:
            return S.FILLED
        if self.ended:
            return self.ended
        if self.request:
            return S.PENDING_CANCEL if self.request == "cancel" else S.PENDING_REPLACE
        if self.booked:
            return S.PARTIALLY_FILLED
        return S.NEW if self.is_acknowledged else S.PENDING_NEW

    @property
    def is_over(self) -> bool:
        return self.status in (S.FILLED, S.CANCELLED, S.REJECTED, S.EXPIRED)

    @property
    def is_open(self) -> bool:
        return not self.is_over or bool(self.missing)

    def cancel(self) -> bool:
        if self.is_over or self.request:
            return False
        self.request = "cancel"
        return True

    def replace(self, price: int, size: int) -> bool:
        if self.is_over or self.request or size <= len(self.booked):
            return False
        self.request, self.asked = "replace", (price, size)
        return True

    def holes(self, missing: set[int], boundaries: set[int]) -> int:
        """How many intervals the missing lots make, cut at the known boundaries."""
        lots = sorted(missing)
        return bool(lots) + sum(b != a + 1 or b in boundaries for a, b in pairwise(lots))

    def count(self, report: Any, size: int) -> Outcome:
        """Enter a trade's lots."""
        start, end = int(report["filled"] - report["lots"]), int(report["filled"])
        if report["lots"] <= 0 or start < 0 or max(end, self.reported) > size:
            return O.ILLEGAL
        covered, before = set(range(start, end)), self.reported
        new = set(range(before, start)) if start >= before else set()
        if covered <= self.booked:
            return O.DUPLICATE
        if start < before and not covered <= self.missing:
            return O.ILLEGAL
        if any(start < b < end for b in self.boundaries):
            return O.ILLEGAL
        missing = (self.missing | new) - covered
        boundaries = self.boundaries | {start, end} | ({before} if start >= before else set())
        if self.holes(missing, boundaries) > GAPS_MAX:
            return O.ILLEGAL
        self.missing, self.boundaries = missing, boundaries
        self.booked |= covered
        return O.APPLIED

    def in_force(self, report: Any) -> tuple[int, int]:
        if self.request == "replace" and report["size"] == self.asked[1] != self.size:
            return self.asked
        return self.price, self.size

    def apply(self, report: Any) -> Outcome:
        if report["order_no"] != self.order_no:
            return O.UNSOLICITED
        if report["side"] != self.side or report["kind"] not in list(K):
            return O.ILLEGAL
        kind, was_over = K(report["kind"]), self.is_over
        if kind is K.TRADE:
            price, size = self.in_force(report)
            outcome = self.count(report, size)
            if outcome is not O.APPLIED:
                return outcome
            self.price, self.size, self.is_acknowledged, self.last = price, size, True, int(report["exec_no"])
            return O.LATE_FILL if was_over else O.APPLIED
        return self.apply_state(kind, report)

    def refusal(self, kind: ReportKind, report: Any) -> Outcome | None:
        if report["exec_no"] in (self.last, self.answer):
            return O.DUPLICATE
        if kind in (K.REPLACED, K.CANCEL_REJECTED):
            if self.is_over or report["exec_no"] < self.answer:
                return O.LATE
            if self.request is None or (self.request == "cancel" and kind is K.REPLACED):
                return O.UNSOLICITED
            return O.ILLEGAL if kind is K.REPLACED and report["size"] < max(self.reported, 1) else None
        if self.is_over or (kind is K.NEW and self.is_acknowledged):
            return O.LATE
        if kind is K.TRIGGERED:
            if self.order_type not in STOPS:
                return O.ILLEGAL
            return O.LATE if self.is_triggered else None
        return O.ILLEGAL if kind is K.REJECTED and (self.reported or report["filled"] > 0) else None

    def apply_state(self, kind: ReportKind, report: Any) -> Outcome:
        refusal = self.refusal(kind, report)
        if refusal:
            return refusal
        price, size = self.in_force(report)
        if kind is K.REPLACED:
            price, size = int(report["price"]), int(report["size"])
        before, filled = self.reported, int(report["filled"])
        new = set(range(before, filled))
        boundaries = self.boundaries | ({before, filled} if new else set())
        if filled < 0 or max(before, filled) > size or self.holes(self.missing | new, boundaries) > GAPS_MAX:
            return O.ILLEGAL
        self.missing, self.boundaries = self.missing | new, boundaries
        self.price, self.size = price, size
        if kind in (K.REPLACED, K.CANCEL_REJECTED):
            self.answer, self.request = int(report["exec_no"]), None
        else:
            self.last = int(report["exec_no"])
        self.is_triggered |= kind is K.TRIGGERED
        self.is_acknowledged |= kind in (K.NEW, K.TRIGGERED, K.REPLACED)
        self.ended = ENDS.get(kind)
        if self.ended:
            self.request = None  # what was asked for has no order any more
        return O.APPLIED
