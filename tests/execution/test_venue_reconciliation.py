"""Reconciliation: after it the client's books are the venue's, or it has halted with a reason.

Invariant: whatever was lost, left over or done behind the client's back, orders, fills and positions of both agree
after the steps, or ReconciliationError was raised before any of them; a second reconciliation has nothing to do.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.errors import ReconciliationError
from chimera_platform.execution.adjustments import Adjustment, AdjustmentKind, ReconciliationSettings
from chimera_platform.execution.orders import ENTRY, EXIT
from chimera_platform.execution.records import Engine, OrderStatus
from chimera_platform.execution.reports import ReportKind
from tests.reference.venue_books import VenueBooks

HFT, STRUCTURE, ORDER_FLOW, HEDGE = (int(engine) for engine in Engine)
NEW, TRADE, CANCELLED, REJECTED = ReportKind.NEW, ReportKind.TRADE, ReportKind.CANCELLED, ReportKind.REJECTED
LIMITS = ReconciliationSettings()
WIDE = ReconciliationSettings(max_adjust_lots=1000, max_adjust_notional=Decimal(1_000_000_000))
NONE = ReconciliationSettings(max_adjust_lots=0)
FILL, END, ANSWER, WITHDRAWAL, POSITION = AdjustmentKind


def bought(books: VenueBooks, engine: int = HFT, lots: int = 5) -> int:
    """Let an engine buy, with every report received."""
    number = books.send(0, engine, ENTRY, 1, lots)
    books.happen(number, NEW)
    books.happen(number, TRADE, lots)
    return number


def kinds(steps: list[Adjustment]) -> list[AdjustmentKind]:
    return [step.kind for step in steps]


def status(books: VenueBooks, engine: int = HFT, role: int = ENTRY) -> OrderStatus:
    return OrderStatus(int(books.orders[0, engine, role]["status"]))


def test_books_that_agree_need_nothing() -> None:
    books = VenueBooks()
    bought(books)
    leave = books.send(0, HFT, EXIT, -1, 5)
    books.happen(leave, NEW)
    books.happen(leave, TRADE, 2)
    books.send(0, STRUCTURE, ENTRY, -1, 3)  # on its way
    assert books.reconcile(NONE) == []


def test_an_order_that_the_venue_does_not_know_has_ended() -> None:
    books = VenueBooks()
    number = books.send(0, HFT, ENTRY, 1, 5)
    books.happen(number, NEW)
    del books.venue[number]
    assert kinds(books.reconcile(NONE)) == [END]
    assert status(books) is OrderStatus.CANCELLED


@pytest.mark.parametrize("end", [CANCELLED, REJECTED, ReportKind.EXPIRED])
def test_an_end_that_was_not_reported_is_told_as_what_it_was(end: ReportKind) -> None:
    books = VenueBooks()
    books.happen(books.send(0, HFT, ENTRY, 1, 5), end, told=False)
    assert kinds(books.reconcile(NONE)) == [END]
    assert status(books).name == end.name


def test_missed_fills_are_booked_at_the_prices_of_their_executions() -> None:
    books = VenueBooks()
    number = books.send(0, HFT, ENTRY, 1, 5)
    books.happen(number, NEW)
    books.happen(number, TRADE, 1, 998)
    books.happen(number, TRADE, 2, 999, told=False)
    books.happen(number, TRADE, 2, 1000, told=False)
    steps = books.reconcile(NONE)
    assert [(s.kind, s.lots, s.price) for s in steps] == [(FILL, 2, 999), (FILL, 2, 1000)]
    assert books.lots[0, HFT] == 5 and status(books) is OrderStatus.FILLED


def test_a_fill_missed_between_two_others_is_booked_and_known_ones_are_not_booked_again() -> None:
    books = VenueBooks()
    number = books.send(0, HFT, ENTRY, -1, 6)
    books.happen(number, TRADE, 1, 1001)
    books.happen(number, TRADE, 2, 1002, told=False)
    books.happen(number, TRADE, 3, 1003)
    assert books.lots[0, HFT] == -4
    steps = books.reconcile(NONE)
    assert [(s.kind, s.lots, s.price) for s in steps] == [(FILL, -2, 1002)]


def test_fills_without_executions_are_booked_at_the_average_price() -> None:
    books = VenueBooks()
    number = books.send(0, HFT, ENTRY, 1, 5)
    books.happen(number, TRADE, 2, 990, told=False)
    books.happen(number, TRADE, 2, 995, told=False)
    books.happen(number, CANCELLED, told=False)
    steps = books.reconcile(NONE, listed=0.0)
    assert [(s.kind, s.lots, s.price) for s in steps] == [(FILL, 4, 992), (END, 0, 0)]


def test_fills_of_which_no_price_is_known_are_booked_at_the_mid_within_the_limits() -> None:
    books = VenueBooks()
    books.happen(books.send(0, HFT, ENTRY, 1, 5), TRADE, 5, 990, told=False)
    asked: dict[str, Any] = {"listed": 0.0, "lists_prices": False}
    with pytest.raises(ReconciliationError, match=r"5 lots worth 50\.00 differ .* at most 4 lots"):
        books.plan(books.statement(**asked), ReconciliationSettings(max_adjust_lots=4))
    steps = books.reconcile(ReconciliationSettings(max_adjust_lots=5), **asked)
    assert [(s.kind, s.lots, s.price) for s in steps] == [(FILL, 5, 1000)]


def test_a_lost_acceptance_is_told() -> None:
    books = VenueBooks()
    books.happen(books.send(0, HFT, ENTRY, 1, 5), NEW, told=False)
    assert kinds(books.reconcile(NONE)) == [ANSWER]
    assert status(books) is OrderStatus.NEW


def test_a_cancel_that_got_lost_may_be_sent_again() -> None:
    books = VenueBooks()
    number = books.send(0, HFT, ENTRY, 1, 5)
    books.happen(number, NEW)
    books.orders[0, HFT, ENTRY]["request"] = 1
    books.orders[0, HFT, ENTRY]["status"] = OrderStatus.PENDING_CANCEL
    books.venue[number]["has_cancel"] = True
    assert books.reconcile(NONE) == [], "it is on its way"
    books.venue[number]["has_cancel"] = False
    assert kinds(books.reconcile(NONE)) == [ANSWER]
    assert status(books) is OrderStatus.NEW


def test_an_order_that_the_client_does_not_know_is_withdrawn() -> None:
    books = VenueBooks()
    number = books.send(0, HFT, ENTRY, 1, 5)
    books.orders[0, HFT, ENTRY]["status"] = 0
    assert kinds(books.reconcile(NONE)) == [WITHDRAWAL]
    assert books.venue[number]["status"] is OrderStatus.CANCELLED


def test_an_order_that_the_client_takes_for_ended_is_withdrawn() -> None:
    books = VenueBooks()
    number = books.send(0, HFT, ENTRY, 1, 5)
    books.happen(number, CANCELLED)
    books.venue[number]["status"] = OrderStatus.NEW
    assert kinds(books.reconcile(NONE)) == [WITHDRAWAL]


def test_lots_that_the_venue_has_not_are_taken_from_who_holds_them_the_largest_first() -> None:
    books = VenueBooks()
    bought(books, HFT, 2)
    bought(books, STRUCTURE, 5)
    books.positions[0] = 1
    steps = books.reconcile(LIMITS)
    assert [(s.kind, s.engine, s.role, s.lots, s.price) for s in steps] == [
        (POSITION, STRUCTURE, EXIT, -5, 1000),
        (POSITION, HFT, EXIT, -1, 1000),
    ]


def test_lots_that_nobody_holds_go_to_the_hedge_book() -> None:
    books = VenueBooks()
    bought(books, HFT, 2)
    books.positions[0] = 5
    steps = books.reconcile(LIMITS)
    assert [(s.kind, s.engine, s.role, s.lots) for s in steps] == [(POSITION, HEDGE, ENTRY, 3)]


def test_a_working_exit_is_withdrawn_before_its_position_is_reduced() -> None:
    books = VenueBooks()
    bought(books)
    leave = books.send(0, HFT, EXIT, -1, 5)
    books.happen(leave, NEW)
    books.positions[0] = 3
    steps = books.reconcile(LIMITS)
    assert [(s.kind, s.lots) for s in steps] == [(WITHDRAWAL, 0), (END, 0), (POSITION, -2)]
    assert books.lots[0, HFT] == 3 and books.difference() == ""


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (ReconciliationSettings(max_adjust_lots=2), "3 lots worth 30.00 differ .* expected at most 2 lots"),
        (ReconciliationSettings(max_adjust_notional=Decimal("29.99")), "expected at most 10 lots worth 29.99"),
    ],
)
def test_a_position_beyond_the_limits_halts(limits: ReconciliationSettings, message: str) -> None:
    books = VenueBooks()
    books.positions[0] = 3
    with pytest.raises(ReconciliationError, match=message):
        books.reconcile(limits)
    assert kinds(books.reconcile(ReconciliationSettings(max_adjust_lots=3, max_adjust_notional=Decimal(30)))) == [
        POSITION
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"filled": 1}, "2 lots are booked as filled, the venue counts 1"),
        ({"size": 9}, "5 lots at 1000 ticks were ordered, the venue has 9 at 1000"),
        ({"price": 990}, "5 lots at 1000 ticks were ordered, the venue has 5 at 990"),
        ({"side": -1}, "on the other side"),
        ({"status": OrderStatus.FILLED}, "the venue has it as filled, with 2 of 5 lots"),
        ({"filled": 7}, "5 lots were ordered, the venue has filled 7"),
    ],
)
def test_a_statement_that_contradicts_what_is_known_halts(change: dict[str, Any], message: str) -> None:
    books = VenueBooks()
    number = books.send(0, HFT, ENTRY, 1, 5)
    books.happen(number, TRADE, 2)
    books.venue[number].update(change)
    before = (books.orders.tobytes(), books.lots.tobytes())
    with pytest.raises(ReconciliationError, match=message):
        books.reconcile(WIDE)
    assert (books.orders.tobytes(), books.lots.tobytes()) == before


ORDER = st.tuples(
    st.integers(0, 1),  # instrument
    st.integers(0, 3),  # engine
    st.sampled_from([ENTRY, EXIT]),
    st.sampled_from([1, -1]),  # side
    st.integers(1, 6),  # size
    st.lists(st.tuples(st.integers(1, 4), st.integers(990, 1010)), max_size=4),  # trades: lots, price
    st.sampled_from([None, None, CANCELLED, ReportKind.EXPIRED]),
    st.integers(0, 63),  # which of its reports get lost, bit by bit
    st.sampled_from(["as it is"] * 6 + ["lost at the venue", "unknown to the client", "cancel lost"]),
)


def live(books: VenueBooks, orders: Any) -> None:
    """Let the orders have their lives; the last of a slot is what is left of it."""
    for i, e, role, side, size, trades, end, lost, what in orders:
        if books.orders[i, e, role]["is_open"]:
            continue
        number = books.send(i, e, role, side, size)
        happened: list[tuple[ReportKind, int, int]] = [(NEW, 0, 1000)]
        left = size
        for lots, price in trades:
            if left > 0:
                happened.append((TRADE, min(lots, left), price))
                left -= min(lots, left)
        if end is not None and left > 0:
            happened.append((end, 0, 1000))
        for k, (kind, lots, price) in enumerate(happened):
            books.happen(number, kind, lots, price, told=not lost >> k & 1)
        order = books.orders[i, e, role]
        if what == "lost at the venue":
            del books.venue[number]
        elif what == "unknown to the client" and int(order["filled"]) == books.venue[number]["filled"]:
            order["status"], order["is_open"] = 0, 0
        elif what == "cancel lost" and order["is_open"] and order["request"] == 0:
            order["request"], order["status"] = 1, OrderStatus.PENDING_CANCEL


@settings(max_examples=400, deadline=None)
@given(
    orders=st.lists(ORDER, max_size=14),
    shifts=st.lists(st.integers(-6, 6), min_size=2, max_size=2),
    listed=st.sampled_from([0.0, 0.5, 1.0]),
    lists_prices=st.booleans(),
    forgets_ended=st.booleans(),
    limits=st.sampled_from([WIDE, WIDE, LIMITS, NONE]),
)
def test_client_and_venue_agree_afterwards_or_it_has_halted(
    orders: Any, shifts: list[int], listed: float, lists_prices: bool, forgets_ended: bool, limits: Any
) -> None:
    books = VenueBooks(2)
    live(books, orders)
    books.positions += shifts
    before = (books.orders.tobytes(), books.lots.tobytes())
    asked: dict[str, Any] = {"listed": listed, "lists_prices": lists_prices, "forgets_ended": forgets_ended}
    try:
        first = books.plan(books.statement(**asked), limits)
    except ReconciliationError:
        assert limits is not WIDE, "within wide limits every such difference can be resolved"
        assert (books.orders.tobytes(), books.lots.tobytes()) == before
        return
    assert (books.orders.tobytes(), books.lots.tobytes()) == before, "a plan changes nothing"
    try:
        books.reconcile(limits, **asked)
    except ReconciliationError:
        assert limits is not WIDE and first
        return
    assert books.plan(books.statement(**asked), NONE) == [], "a second reconciliation has something to do"
    if not forgets_ended:
        assert books.difference() == ""
    assert books.lots.sum(axis=1).tolist() == books.positions.tolist()
