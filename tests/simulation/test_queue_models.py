"""Queues of own resting orders: prints are shared out once, withdrawals move the queue as each model says."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.execution.records import OrderType
from chimera_platform.market.book import apply_event, new_books
from chimera_platform.market.events import EventFlag, EventKind
from chimera_platform.simulation.exchange.members import MEMBERS_MAX, join_member, member_priority, new_members
from chimera_platform.simulation.exchange.queue_models import (
    cross_lots,
    displayed_at,
    join_queue,
    next_in_line,
    queue_on_book,
    queue_on_cancel,
    queue_on_trade,
)
from chimera_platform.simulation.exchange.records import EXCHANGE_MARKET_DTYPE, VENUE_ORDER_DTYPE, VenueOrderState
from chimera_platform.simulation.exchange.settings import QueueModel, VenueSettings, venue_record
from tests.reference.event_streams import make_events

BUY, SELL = 1, -1


class Desk:
    """One instrument's book and own orders, put there by hand."""

    def __init__(self, model: str = "risk_averse", slots: int = 4, **venue: Any) -> None:
        self.venue = venue_record(VenueSettings(queue_model=QueueModel(model), **venue))[0]
        self.market = np.zeros(1, EXCHANGE_MARKET_DTYPE)[0]
        self.orders = np.zeros(slots, VENUE_ORDER_DTYPE)
        self.members = new_members(1, model == "exact")[0]
        self.book = new_books(1)[0]

    def event(self, kind: EventKind, **fields: int) -> list[int]:
        """Let a record pass; return what it matched of each slot, which is filled."""
        record = make_events({"kind": kind, **fields})[0]
        queue_on_cancel(self.venue, self.market, self.orders, self.members, record)
        queue_on_trade(self.venue, self.market, self.orders, self.members, record)
        matched = self.orders["matched"].tolist()
        self.orders["filled"] += self.orders["matched"]
        self.orders["shown"] -= self.orders["matched"]
        self.orders["state"][(self.orders["filled"] == self.orders["size"])] = VenueOrderState.DONE
        apply_event(self.book, record)
        if record["flags"] & EventFlag.LAST:
            queue_on_book(self.venue, self.market, self.orders, self.book)
        return matched

    def level(self, side: int, price: int, size: int) -> None:
        self.event(EventKind.LEVEL, side=side, price=price, size=size)

    def trade(self, price: int, size: int, aggressor: int = SELL, **fields: int) -> list[int]:
        return self.event(EventKind.TRADE, side=aggressor, price=price, size=size, **fields)

    def join(self, slot: int, side: int, price: int, size: int, kind: int = OrderType.LIMIT, shown: int = 0) -> None:
        order = self.orders[slot]
        order["state"], order["side"], order["price"], order["size"] = VenueOrderState.WORKING, side, price, size
        order["order_type"], order["shown"] = kind, shown
        order["priority"] = self.market["next_priority"]
        self.market["next_priority"] += 1
        join_queue(order, self.book)

    def ahead(self, slot: int = 0) -> float:
        return float(self.orders["ahead"][slot])


def desk(model: str = "risk_averse", ahead: int = 10, **venue: Any) -> Desk:
    """A bid of 50 lots at 99 behind ``ahead`` others, with levels around it."""
    made = Desk(model, **venue)
    for side, price, size in ((BUY, 99, ahead), (BUY, 97, 5), (SELL, 101, 5)):
        made.level(side, price, size)
    made.join(0, BUY, 99, 50)
    return made


levels = st.dictionaries(st.integers(80, 120), st.integers(1, 9), max_size=20)


@given(bids=levels, asks=levels, price=st.integers(78, 122), side=st.sampled_from((1, -1)))
@settings(deadline=None)
def test_the_lots_at_a_price_are_found_and_infinite_beyond_the_last_level(
    bids: dict[int, int], asks: dict[int, int], price: int, side: int
) -> None:
    made = Desk()
    for of, shown in ((BUY, bids), (SELL, asks)):
        for at, size in shown.items():
            made.level(of, at, size)
    own = bids if side > 0 else asks
    beyond = not own or side * ((min(own) if side > 0 else max(own)) - price) > 0
    assert displayed_at(made.book, side, price) == (math.inf if beyond else own.get(price, 0))


own_orders = st.lists(st.tuples(st.integers(98, 101), st.integers(1, 9), st.integers(0, 12)), min_size=1, max_size=4)


@given(orders=own_orders, price=st.integers(97, 102), size=st.integers(1, 40))
@settings(deadline=None)
def test_a_print_fills_by_price_and_time_each_lot_once(orders: Any, price: int, size: int) -> None:
    made = Desk()
    for slot, (at, lots, ahead) in enumerate(orders):
        made.join(slot, BUY, at, lots)
        made.orders["ahead"][slot] = ahead
    rest, expected = [True] * size, {}
    ranked = sorted(range(len(orders)), key=lambda k: (-orders[k][0], k))
    gone = 0  # of others' lots at the price
    for k in ranked:
        at, lots, ahead = orders[k]
        if at < price:
            continue
        if at == price:
            before = min(max(ahead - gone, 0), len(rest))
            gone += before
            rest = rest[before:]
        expected[k] = min(lots, len(rest))
        rest = rest[expected[k] :]
    matched = made.trade(price, size)
    assert {k: n for k, n in enumerate(matched) if n} == {k: n for k, n in expected.items() if n}
    assert sum(matched) <= size


def test_an_order_behind_an_own_one_sees_the_markets_queue_shrink_by_what_the_own_one_left() -> None:
    made = desk(ahead=10)
    made.orders["size"][0] = 4
    made.level(BUY, 99, 16)
    made.join(1, BUY, 99, 50)
    assert made.trade(99, 12) == [2, 0, 0, 0]
    assert (made.ahead(0), made.ahead(1)) == (0, 6)
    assert made.trade(99, 10) == [2, 2, 0, 0]


@pytest.mark.parametrize("flags", [EventFlag.HIDDEN, EventFlag.SNAPSHOT])
def test_hidden_and_snapshot_records_are_no_prints(flags: int) -> None:
    assert desk().trade(98, 50, flags=EventFlag.LAST | flags) == [0, 0, 0, 0]


def test_a_print_of_the_other_side_or_of_a_better_price_moves_nothing() -> None:
    made = desk()
    assert made.trade(99, 50, BUY) == made.trade(100, 50) == [0, 0, 0, 0]
    assert made.ahead() == 10


def test_a_print_at_the_price_fills_the_part_of_an_iceberg_that_is_shown_one_beyond_it_all() -> None:
    made = desk(ahead=0)
    made.join(1, BUY, 98, 30, OrderType.ICEBERG, shown=10)
    made.orders["state"][0] = VenueOrderState.DONE
    assert made.trade(98, 25) == [0, 10, 0, 0]
    assert made.trade(97, 25) == [0, 20, 0, 0]


def test_orders_that_do_not_rest_take_no_part() -> None:
    made = desk(ahead=0)
    made.orders["order_type"][0] = OrderType.TWAP
    assert made.trade(98, 9) == [0, 0, 0, 0]
    made.orders["order_type"][0], made.orders["state"][0] = OrderType.STOP_LIMIT, VenueOrderState.WAITING
    assert made.trade(98, 9) == [0, 0, 0, 0]


def test_risk_averse_withdrawals_come_from_behind_while_there_are_any() -> None:
    made = desk()
    made.level(BUY, 99, 30)
    made.level(BUY, 99, 12)
    assert made.ahead() == 10
    made.level(BUY, 99, 7)
    assert made.ahead() == 7


@pytest.mark.parametrize(
    ("model", "expected"),
    # 30 lots, 10 ahead, 20 behind; 6 leave: f(20) / (f(20) + f(10)) of them were behind
    [("probabilistic", 10 - 6 * 100 / 500), ("logarithmic", 10 - 6 * math.log(11) / (math.log(21) + math.log(11)))],
)
def test_modelled_withdrawals_are_split_by_the_function_of_the_lots_ahead_and_behind(
    model: str, expected: float
) -> None:
    made = desk(model)
    made.level(BUY, 99, 30)
    made.level(BUY, 99, 24)
    assert made.ahead() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("model", ["probabilistic", "logarithmic"])
def test_what_traded_since_the_last_change_of_the_level_is_no_withdrawal(model: str) -> None:
    made = desk(model)
    made.level(BUY, 99, 30)
    made.trade(99, 3)
    made.trade(99, 1)
    assert made.ahead() == 6
    made.level(BUY, 99, 26)
    assert made.ahead() == 6


def test_the_power_decides_how_strongly_the_longer_part_loses() -> None:
    ahead = []
    for power in (0.5, 1.0, 2.0, 5.0):
        made = desk("probabilistic", queue_power=power)
        made.level(BUY, 99, 30)
        made.level(BUY, 99, 24)
        ahead.append(made.ahead())
    assert ahead == sorted(ahead)
    assert ahead[1] == pytest.approx(10 - 6 / 3)


moves = st.one_of(
    st.tuples(st.just("level"), st.integers(0, 40)), st.tuples(st.just("trade"), st.integers(1, 9))
)  # fmt: skip


@given(model=st.sampled_from(list(QueueModel)), script=st.lists(moves, max_size=30))
@settings(deadline=None)
def test_the_queue_ahead_never_grows_and_is_never_more_than_what_is_displayed(model: QueueModel, script: Any) -> None:
    made, before = desk(model), 10.0
    for what, lots in script:
        if what == "level":
            made.level(BUY, 99, lots)
            assert made.ahead() <= lots
        else:
            made.trade(99, lots)
        assert 0 <= made.ahead() <= before
        before = made.ahead()


def test_a_fraction_of_a_lot_ahead_never_gives_orders_more_than_the_print() -> None:
    made = desk("probabilistic", ahead=0)
    made.join(1, BUY, 99, 50)
    made.orders["size"][0] = 2
    made.orders["ahead"][:2] = 2.5
    assert made.trade(99, 5) == [2, 1, 0, 0]


def test_beyond_the_displayed_depth_the_queue_is_unknown_until_the_price_is_shown() -> None:
    for model in QueueModel:
        made = desk(model)
        made.join(1, BUY, 95, 10)
        assert made.ahead(1) == math.inf
        assert made.trade(95, 60) == [50, 0, 0, 0]
        made.level(BUY, 95, 6)
        assert made.ahead(1) == 6


def exact_desk() -> Desk:
    made = Desk("exact")
    for number, (side, price, size) in enumerate(((BUY, 99, 4), (BUY, 99, 6), (BUY, 97, 5), (SELL, 101, 5)), 1):
        made.event(EventKind.ADD, side=side, price=price, size=size, order_id=number)
    made.join(0, BUY, 99, 50)
    return made


def test_exact_queues_shrink_by_the_orders_ahead_and_not_by_those_behind() -> None:
    made = exact_desk()
    made.event(EventKind.ADD, side=BUY, price=99, size=20, order_id=9)
    made.event(EventKind.CANCEL, side=BUY, price=99, size=5, order_id=9)
    assert made.ahead() == 10
    made.event(EventKind.DELETE, side=BUY, price=99, size=4, order_id=1)
    assert made.ahead() == 6
    made.event(EventKind.DELETE, side=BUY, price=99, size=15, order_id=9)
    assert made.ahead() == 6


def test_an_order_between_two_own_ones_is_behind_the_first_and_ahead_of_the_second() -> None:
    made = exact_desk()
    made.event(EventKind.ADD, side=BUY, price=99, size=20, order_id=9)
    made.join(1, BUY, 99, 5)
    assert (made.ahead(0), made.ahead(1)) == (10, 30)
    made.event(EventKind.CANCEL, side=BUY, price=99, size=8, order_id=9)
    assert (made.ahead(0), made.ahead(1)) == (10, 22)


def test_the_execution_of_an_order_behind_proves_that_nobody_is_ahead() -> None:
    made = exact_desk()
    made.event(EventKind.ADD, side=BUY, price=99, size=20, order_id=9)
    assert made.event(EventKind.EXECUTE, side=BUY, price=99, size=7, order_id=9) == [7, 0, 0, 0]
    assert made.ahead() == 0


def test_without_order_ids_exact_is_risk_averse() -> None:
    made, plain = desk("exact"), desk("risk_averse")
    for lots in (30, 12, 7, 9):
        made.level(BUY, 99, lots)
        plain.level(BUY, 99, lots)
        assert made.ahead() == plain.ahead()


def test_a_full_table_forgets_who_is_ahead_of_all_and_then_turns_pessimistic() -> None:
    made = exact_desk()
    for number in range(MEMBERS_MAX + 5):
        made.event(EventKind.ADD, side=BUY, price=99, size=1, order_id=1000 + number)
    assert made.market["members_count"] == MEMBERS_MAX
    made.event(EventKind.DELETE, side=BUY, price=99, size=1, order_id=1000 + MEMBERS_MAX + 2)
    made.event(EventKind.DELETE, side=BUY, price=99, size=4, order_id=1)
    assert made.ahead() == 10
    made.orders["state"][0] = VenueOrderState.DONE
    made.join(1, BUY, 99, 5)
    ahead = made.ahead(1)
    made.event(EventKind.ADD, side=BUY, price=99, size=1, order_id=9)
    assert (made.market["members_count"], member_priority(made.members, 9)) == (1, 2)
    made.event(EventKind.DELETE, side=BUY, price=99, size=6, order_id=2)
    made.event(EventKind.DELETE, side=BUY, price=99, size=1, order_id=9)
    assert made.ahead(1) == ahead - 6


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 3)), max_size=120))
@settings(deadline=None)
def test_members_are_what_a_dictionary_says(script: list[tuple[int, int]]) -> None:
    made, known = Desk("exact"), {}
    made.join(0, BUY, 99, 10**6)
    for order_id, lots in script:
        fields = {"side": BUY, "price": 99, "order_id": order_id * 4096}
        if lots:
            made.market["next_priority"] += 1
            join_member(made.market, made.members, order_id * 4096, lots, 0)
            known[order_id] = (int(made.market["next_priority"]), lots)
        elif order_id in known:
            priority, left = known.pop(order_id)
            if left > 1:
                known[order_id] = (priority, left - 1)
            made.event(EventKind.CANCEL, size=1, **fields)
    assert made.market["members_count"] == len(known)
    for order_id in range(1, 41):
        assert member_priority(made.members, order_id * 4096) == known.get(order_id, (-1, 0))[0]


def test_the_next_in_line_is_the_best_price_then_the_earliest() -> None:
    made = Desk()
    for slot, (side, price) in enumerate(((BUY, 98), (BUY, 99), (SELL, 101), (BUY, 99))):
        made.join(slot, side, price, 1)
    line, k = [], next_in_line(made.orders, BUY, -1)
    while k >= 0:
        line.append(k)
        k = next_in_line(made.orders, BUY, k)
    assert line == [1, 3, 0]


def test_a_crossing_book_fills_from_the_best_level_and_each_displayed_lot_once() -> None:
    made = desk()
    made.join(1, BUY, 100, 7)
    made.level(BUY, 99, 0)
    made.level(SELL, 98, 3)
    made.level(SELL, 99, 9)
    got = [cross_lots(made.market, made.orders[k], made.book, 10) for k in (1, 0)]
    assert got == [7, 5]
    assert cross_lots(made.market, made.orders[0], made.book, 10) == 0
    made.level(SELL, 97, 4)
    assert cross_lots(made.market, made.orders[0], made.book, 1) == 4
