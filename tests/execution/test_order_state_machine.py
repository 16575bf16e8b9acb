"""Invariant: whatever a venue says, in whatever order and how often, an order moves only along its table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from chimera_platform.execution.order_state import (
    ORDER_DTYPE,
    Outcome,
    apply_report,
    is_applied,
    note_cancel,
    note_replace,
    open_lots,
    start_order,
)
from chimera_platform.execution.order_state_page import order_state_page
from chimera_platform.execution.order_states import NEXT_STATES, OrderInput
from chimera_platform.execution.records import OrderStatus, OrderType
from chimera_platform.execution.reports import REPORT_DTYPE, ReportKind
from tests.reference.order_state import NaiveOrder

S, K = OrderStatus, ReportKind
ORDER_NO, SIDE, PRICE = 7, 1, 100
ENDS = (S.FILLED, S.CANCELLED, S.REJECTED, S.EXPIRED)
Record = np.ndarray[Any, Any]


def sent(size: int, order_type: OrderType = OrderType.LIMIT) -> Record:
    order = np.zeros(1, ORDER_DTYPE)
    order["order_no"], order["side"], order["size"], order["price"] = ORDER_NO, SIDE, size, PRICE
    order["order_type"] = order_type
    start_order(order[0])
    return order


def report(kind: ReportKind, exec_no: int, **fields: int) -> Record:
    row = np.zeros(1, REPORT_DTYPE)
    for name, value in {"order_no": ORDER_NO, "side": SIDE, "kind": kind, "exec_no": exec_no, **fields}.items():
        row[name] = value
    return row


class Venue:
    """An honest venue: its own order, and the reports it has written."""

    def __init__(self, size: int, order_type: OrderType) -> None:
        self.size, self.filled, self.price, self.order_type = size, 0, PRICE, order_type
        self.status: OrderStatus | None = None
        self.is_triggered = False
        self.exec_no = 0

    @property
    def is_over(self) -> bool:
        return self.status in ENDS

    def write(self, kind: ReportKind, **fields: int) -> Record:
        self.exec_no += 1
        known = {"size": self.size, "filled": self.filled, "price": self.price}
        return report(kind, self.exec_no, **{**known, **fields})

    def accept(self, is_accepted: bool) -> Record:
        self.status = S.NEW if is_accepted else S.REJECTED
        return self.write(K.NEW if is_accepted else K.REJECTED)

    def trade(self, lots: int) -> Record:
        self.filled += lots
        self.status = S.FILLED if self.filled == self.size else S.PARTIALLY_FILLED
        return self.write(K.TRADE, lots=lots)

    def trigger(self) -> Record:
        self.is_triggered = True
        return self.write(K.TRIGGERED)

    def end(self, status: OrderStatus) -> Record:
        self.status = status
        return self.write(K.CANCELLED if status is S.CANCELLED else K.EXPIRED)

    def replace(self, price: int, size: int) -> Record:
        if self.is_over or size < self.filled:
            return self.write(K.CANCEL_REJECTED)
        self.price, self.size = price, size
        if self.filled == size:
            self.status = S.FILLED
        return self.write(K.REPLACED)


class HonestVenue(RuleBasedStateMachine):
    """A venue whose reports come late, twice and in any order; at the end of the day all of them have come."""

    @initialize(size=st.integers(1, 12), order_type=st.sampled_from([OrderType.LIMIT, OrderType.STOP]))
    def send(self, size: int, order_type: OrderType) -> None:
        self.order, self.naive = sent(size, order_type), NaiveOrder(ORDER_NO, SIDE, size, PRICE, order_type)
        self.venue = Venue(size, order_type)
        self.on_the_way: list[Record] = []  # reports
        self.received: list[Record] = []
        self.asked: list[tuple[str, int, int]] = []  # requests on their way
        self.trades = 0
        self.is_honest = True

    # ---- the client -----------------------------------------------------------------------------------------

    @rule()
    def ask_for_cancel(self) -> None:
        before = S(self.order["status"][0])
        is_sent = note_cancel(self.order[0])
        assert is_sent == self.naive.cancel()
        if is_sent:
            assert S(self.order["status"][0]) in NEXT_STATES[before][OrderInput.CANCEL]
            self.asked.append(("cancel", 0, 0))

    @rule(size=st.integers(1, 14), price=st.integers(90, 110))
    def ask_for_replacement(self, size: int, price: int) -> None:
        before = S(self.order["status"][0])
        is_sent = note_replace(self.order[0], price, size)
        assert is_sent == self.naive.replace(price, size)
        if is_sent:
            assert S(self.order["status"][0]) in NEXT_STATES[before][OrderInput.REPLACE]
            self.asked.append(("replace", price, size))

    # ---- the venue ------------------------------------------------------------------------------------------

    @precondition(lambda self: self.venue.status is None)
    @rule(is_accepted=st.sampled_from([True, True, True, False]))
    def accept(self, is_accepted: bool) -> None:
        self.on_the_way.append(self.venue.accept(is_accepted))

    @precondition(lambda self: self.venue.status and not self.venue.is_over and self.trades < 8)
    @rule(lots=st.integers(1, 5))
    def trade(self, lots: int) -> None:
        self.trades += 1
        self.on_the_way.append(self.venue.trade(min(lots, self.venue.size - self.venue.filled)))

    @precondition(lambda self: self.venue.status and not self.venue.is_over)
    @rule(status=st.sampled_from([S.CANCELLED, S.EXPIRED]))
    def end(self, status: OrderStatus) -> None:
        self.on_the_way.append(self.venue.end(status))

    @precondition(lambda self: self.venue.order_type is OrderType.STOP and not self.venue.is_triggered)
    @precondition(lambda self: self.venue.status and not self.venue.is_over)
    @rule()
    def trigger(self) -> None:
        self.on_the_way.append(self.venue.trigger())

    @precondition(lambda self: self.asked and self.venue.status)
    @rule()
    def answer(self) -> None:
        what, price, size = self.asked.pop(0)
        if what == "replace":
            self.on_the_way.append(self.venue.replace(price, size))
        else:
            over = self.venue.is_over
            self.on_the_way.append(self.venue.write(K.CANCEL_REJECTED) if over else self.venue.end(S.CANCELLED))

    # ---- the wire -------------------------------------------------------------------------------------------

    @precondition(lambda self: self.on_the_way)
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        self.receive(self.on_the_way.pop(data.draw(st.integers(0, len(self.on_the_way) - 1))))

    @precondition(lambda self: self.received)
    @rule(data=st.data())
    def deliver_again(self, data: st.DataObject) -> None:
        before = self.order.copy()
        outcome = self.receive(data.draw(st.sampled_from(self.received)))
        if self.is_honest:
            assert outcome in (Outcome.DUPLICATE, Outcome.LATE)
            assert self.order == before

    def receive(self, row: Record) -> Outcome:
        before = self.order.copy()
        status, filled = S(before["status"][0]), int(before["filled"][0])
        expected = self.naive.apply(row[0])
        outcome = Outcome(apply_report(self.order[0], row[0]))
        self.received.append(row)
        assert outcome is expected
        after = self.order[0]
        if not is_applied(outcome):
            assert self.order.tobytes() == before.tobytes()
            return outcome
        assert S(after["status"]) in NEXT_STATES[status][OrderInput(row["kind"][0])]
        assert after["filled"] - filled == (row["lots"][0] if row["kind"][0] == K.TRADE else 0)
        assert (outcome is Outcome.LATE_FILL) == (status in ENDS)
        if status in ENDS:
            assert after["status"] in (status, S.FILLED)
        return outcome

    @invariant()
    def the_order_is_what_its_definition_says(self) -> None:
        if not hasattr(self, "order"):
            return
        order, naive = self.order[0], self.naive
        assert S(order["status"]) is naive.status
        assert (order["filled"], order["reported"]) == (len(naive.booked), naive.reported)
        assert (order["size"], order["price"]) == (naive.size, naive.price)
        assert bool(order["is_open"]) == naive.is_open
        assert order["filled"] <= order["reported"] <= order["size"]
        assert (order["status"] == S.FILLED) == (order["filled"] == order["size"])
        rest = naive.reported if naive.is_over else naive.size
        assert open_lots(order) == rest - len(naive.booked)

    def teardown(self) -> None:
        if not hasattr(self, "order") or not self.is_honest:
            return
        while self.on_the_way:
            self.receive(self.on_the_way.pop())  # the last one first
        order = self.order[0]
        assert order["filled"] == order["reported"] == self.venue.filled
        if self.venue.is_over:
            assert S(order["status"]) is self.venue.status
            assert order["is_open"] == 0


class InventingVenue(HonestVenue):
    """A venue that also reports what never happened."""

    @rule(
        kind=st.integers(0, 9),
        exec_no=st.integers(0, 12),
        lots=st.integers(-1, 6),
        filled=st.integers(-1, 14),
        size=st.integers(0, 14),
        order_no=st.sampled_from([ORDER_NO, ORDER_NO, ORDER_NO, 8]),
        side=st.sampled_from([SIDE, SIDE, SIDE, -SIDE]),
    )
    def invent(self, kind: int, exec_no: int, **fields: int) -> None:
        self.is_honest = False
        self.receive(report(kind, exec_no, price=PRICE, **fields))  # type: ignore[arg-type]


TestHonestVenue = HonestVenue.TestCase
TestInventingVenue = InventingVenue.TestCase
TestHonestVenue.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestInventingVenue.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)


def outcomes(order: Record, *reports: Record) -> list[Outcome]:
    return [Outcome(apply_report(order[0], row[0])) for row in reports]


def test_a_trade_that_overtakes_the_acknowledgement_is_booked_and_the_acknowledgement_is_late() -> None:
    order = sent(10)
    assert outcomes(order, report(K.TRADE, 2, lots=4, filled=4), report(K.NEW, 1)) == [Outcome.APPLIED, Outcome.LATE]
    assert order["status"] == S.PARTIALLY_FILLED


def test_a_cancelled_order_stays_open_until_the_fills_that_its_venue_counted_have_come() -> None:
    order = sent(10)
    assert outcomes(order, report(K.NEW, 1), report(K.CANCELLED, 3, filled=6)) == [Outcome.APPLIED] * 2
    assert (order["status"][0], order["is_open"][0], open_lots(order[0])) == (S.CANCELLED, 1, 6)
    assert outcomes(order, report(K.TRADE, 2, lots=6, filled=6)) == [Outcome.LATE_FILL]
    assert (order["status"][0], order["is_open"][0], order["filled"][0]) == (S.CANCELLED, 0, 6)


def test_a_venue_that_trades_after_its_own_cancel_is_booked_up_to_the_size_and_no_further() -> None:
    order = sent(10)
    late = [report(K.TRADE, 3, lots=10, filled=10), report(K.TRADE, 4, lots=1, filled=11)]
    expected = [Outcome.APPLIED, Outcome.LATE_FILL, Outcome.ILLEGAL]
    assert outcomes(order, report(K.CANCELLED, 2), *late) == expected
    assert order["status"] == S.FILLED


def test_a_fill_beyond_the_old_size_shows_that_the_replacement_is_in_force() -> None:
    order = sent(10)
    outcomes(order, report(K.NEW, 1))
    assert note_replace(order[0], 101, 20)
    assert outcomes(order, report(K.TRADE, 3, lots=15, filled=15, size=20)) == [Outcome.APPLIED]
    assert (order["size"][0], order["price"][0], order["status"][0]) == (20, 101, S.PENDING_REPLACE)
    replaced = report(K.REPLACED, 2, size=20, price=101)
    assert outcomes(order, replaced, replaced) == [Outcome.APPLIED, Outcome.DUPLICATE]
    assert order["status"] == S.PARTIALLY_FILLED


def test_a_trade_that_covers_lots_that_are_known_in_part_is_illegal() -> None:
    order = sent(10)
    trades = [report(K.TRADE, 1, lots=4, filled=4), report(K.TRADE, 2, lots=4, filled=6)]
    assert outcomes(order, *trades) == [Outcome.APPLIED, Outcome.ILLEGAL]


@pytest.mark.parametrize("kind", [K.REPLACED, K.CANCEL_REJECTED])
def test_an_answer_to_nothing_that_was_asked_is_unsolicited(kind: ReportKind) -> None:
    order = sent(10)
    assert outcomes(order, report(K.NEW, 1), report(kind, 2, size=5)) == [Outcome.APPLIED, Outcome.UNSOLICITED]


def test_only_one_request_is_on_its_way_at_a_time() -> None:
    order = sent(10)
    assert note_replace(order[0], 99, 5)
    assert not note_cancel(order[0])
    outcomes(order, report(K.CANCEL_REJECTED, 2))
    assert note_cancel(order[0])
    assert not note_cancel(order[0])
    assert not note_replace(order[0], 99, 5)


def test_a_slot_that_was_never_used_knows_no_report() -> None:
    assert outcomes(np.zeros(1, ORDER_DTYPE), report(K.NEW, 1, order_no=0)) == [Outcome.UNSOLICITED]


def test_every_state_is_reached_from_the_first_one_and_every_state_but_the_ends_can_end() -> None:
    reached, frontier = {S.PENDING_NEW}, [S.PENDING_NEW]
    while frontier:
        following = {then for states in NEXT_STATES[frontier.pop()].values() for then in states} - reached
        reached |= following
        frontier += following
    assert reached == set(S) == set(NEXT_STATES)
    for status in set(S) - set(ENDS):
        assert {S.CANCELLED, S.EXPIRED} <= {then for states in NEXT_STATES[status].values() for then in states}


def test_the_page_of_states_is_up_to_date() -> None:
    page = Path(__file__).parents[2] / "docs" / "order-states.md"
    assert page.read_text(encoding="utf-8") == order_state_page(), (
        "run python -m chimera_platform.execution.order_state_page docs/order-states.md"
    )
