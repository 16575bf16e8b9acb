"""The simulated exchange against its definition, and what must hold whatever is sent to whatever market.

Invariants, one line each (:data:`INVARIANTS` and the tests at the end):

- the reports equal those of the naive exchange, in the same order;
- an order's fills are at most its size, and its reports count them;
- price and arrival priority among own resting orders are kept;
- a limit is never passed;
- fill-or-kill is all or nothing;
- post-only never takes, and immediate orders never rest;
- after its end an order only hears of messages that came too late;
- reports arrive in their order, none before it could have;
- nothing trades while the market is halted, closed or not known;
- own orders together never get more than was printed, nor a displayed lot twice;
- own orders trade with each other only where that is asked for;
- how the events are cut into batches changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chimera_platform.execution.records import Liquidity, OrderReason, OrderType, TimeInForce
from chimera_platform.execution.reports import ReportKind
from chimera_platform.market.book import apply_event, is_tradable, new_books
from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind, StatusCode
from chimera_platform.simulation.exchange.order_script import ScriptAction, run_script_on_events
from chimera_platform.simulation.exchange.settings import SelfTradePrevention, VenueSettings
from tests.reference.exchange import NaiveExchange, plain
from tests.reference.exchange_scenario import BUY, SELL, Scenario, ns
from tests.reference.exchange_scripts import MILLISECOND, START, ladders, markets, records, scripts, venues

ENDS = (ReportKind.CANCELLED, ReportKind.REJECTED, ReportKind.EXPIRED)
feeds = st.sampled_from(("l1", "l2", "l3"))
quick = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.data_too_large, HealthCheck.too_slow]
)


class Case:
    """One drawn market, script and venue, and what the exchange reports of it."""

    def __init__(self, events: Any, script: Any, venue: VenueSettings) -> None:
        self.events, self.script, self.venue = events, script, venue
        self.reports = run_script_on_events([events], 0, venue, script)
        self.orders = {int(row["id"]): row for row in script if row["action"] == ScriptAction.NEW}
        self.replaced = {int(row["id"]) for row in script if row["action"] == ScriptAction.REPLACE}

    def of(self, order_no: int, *kinds: ReportKind) -> Any:
        rows = self.reports[self.reports["order_no"] == order_no]
        return rows[np.isin(rows["kind"], [int(kind) for kind in kinds])] if kinds else rows

    def end_of(self, order_no: int) -> Any:
        """Return the report with which an order ended, None of one that lives; what comes too late follows it."""
        for report in self.of(order_no, *ENDS, ReportKind.TRADE):
            if report["kind"] != ReportKind.TRADE or report["filled"] == report["size"]:
                return report
        return None

    @property
    def trades(self) -> Any:
        return self.reports[self.reports["kind"] == ReportKind.TRADE]


@st.composite
def cases(draw: st.DrawFn, **fixed: Any) -> Case:
    events = draw(feeds.flatmap(markets))
    return Case(events, draw(scripts(np.unique(events["ts_event"]).tolist())), draw(venues(**fixed)))


def reports_are_those_of_the_naive_exchange(case: Case) -> None:
    assert plain(case.reports) == plain(NaiveExchange(case.venue).run(case.events, case.script))


def an_order_is_filled_up_to_its_size_at_most_and_its_reports_count_it(case: Case) -> None:
    for order_no in case.orders:
        filled = 0
        for report in case.of(order_no):
            filled += int(report["lots"])
            assert report["filled"] == filled <= max(int(report["size"]), filled * (report["kind"] == ReportKind.TRADE))
            assert (report["lots"] > 0) == (report["kind"] == ReportKind.TRADE)


def among_resting_own_orders_the_better_price_then_the_earlier_fills_first(case: Case) -> None:
    """Of two plain limit orders that both rest, the one with priority is filled before the other gets anything more."""
    plain_limits = [
        no for no, row in case.orders.items()
        if row["order_type"] in (OrderType.LIMIT, OrderType.POST_ONLY) and no not in case.replaced
    ]  # fmt: skip
    for first in plain_limits:
        for second in plain_limits:
            one, other = case.orders[first], case.orders[second]
            news = case.of(first, ReportKind.NEW), case.of(second, ReportKind.NEW)
            if first == second or one["side"] != other["side"] or not len(news[0]) or not len(news[1]):
                continue
            lead = int(one["side"]) * (int(one["price"]) - int(other["price"]))
            if lead < 0 or (lead == 0 and news[0]["exec_no"][0] > news[1]["exec_no"][0]):
                continue
            rested, over = int(news[0]["ts_venue"][0]), case.end_of(first)
            for fill in case.of(second, ReportKind.TRADE):
                is_maker, ts = fill["liquidity"] == Liquidity.MAKER, int(fill["ts_venue"])
                if is_maker and rested < ts:
                    assert over is not None and int(over["ts_venue"]) <= ts


def a_limit_is_never_passed(case: Case) -> None:
    for trade in case.trades:
        order = case.orders[int(trade["order_no"])]
        limits = [int(order["price"])]
        limits += [int(row["price"]) for row in case.script if row["id"] == trade["order_no"] and row["action"] == 3]
        if order["price"] and order["order_type"] not in (OrderType.MARKET, OrderType.STOP):
            assert max(int(order["side"]) * (limit - int(trade["price"])) for limit in limits) >= 0


def fill_or_kill_trades_all_at_once_or_nothing(case: Case) -> None:
    for order_no, order in case.orders.items():
        fills = case.of(order_no, ReportKind.TRADE)
        if order["time_in_force"] == TimeInForce.FOK and order["order_type"] not in (OrderType.TWAP, OrderType.VWAP):
            size = int(case.of(order_no)["size"][-1]) if len(fills) else 0
            assert fills["lots"].sum() == size
            assert len(np.unique(fills["ts_venue"])) <= 1


def post_only_never_takes_and_immediate_orders_never_rest(case: Case) -> None:
    for order_no, order in case.orders.items():
        fills, news = case.of(order_no, ReportKind.TRADE), case.of(order_no, ReportKind.NEW, ReportKind.TRIGGERED)
        if order["order_type"] == OrderType.POST_ONLY and order_no not in case.replaced:
            assert np.all(fills["liquidity"] == Liquidity.MAKER)
        immediate = order["time_in_force"] in (TimeInForce.IOC, TimeInForce.FOK)
        if immediate and order["order_type"] in (OrderType.LIMIT, OrderType.MARKET, OrderType.ICEBERG):
            assert np.all(fills["liquidity"] == Liquidity.TAKER)
            if len(news):
                last = case.of(order_no)
                last = last[last["kind"] != ReportKind.CANCEL_REJECTED][-1]
                assert last["kind"] in ENDS or last["filled"] == last["size"]
                assert last["ts_venue"] == news["ts_venue"][0]


def after_its_end_an_order_only_hears_what_came_too_late(case: Case) -> None:
    for order_no in case.orders:
        is_over = False
        for report in case.of(order_no):
            if is_over:
                assert (report["kind"], report["reason"]) == (ReportKind.CANCEL_REJECTED, OrderReason.TOO_LATE)
            is_over |= report["kind"] in ENDS or (
                report["kind"] == ReportKind.TRADE and report["filled"] == report["size"]
            )


def reports_arrive_in_their_order_and_not_before_they_can(case: Case) -> None:
    legs = {
        leg: getattr(case.venue, f"{leg}_latency_quantiles_ns") or (getattr(case.venue, f"{leg}_latency_ns"),)
        for leg in ("feed", "order", "report")
    }
    reports = case.reports
    assert reports["exec_no"].tolist() == list(range(len(reports)))
    assert np.all(np.diff(reports["ts_received"]) >= 0)
    assert np.all(reports["ts_received"] >= reports["ts_venue"] + legs["report"][0])
    assert np.all(reports["ts_received"] <= np.maximum.accumulate(reports["ts_venue"]) + legs["report"][-1])
    for order_no, order in case.orders.items():
        earliest = int(order["ts"]) + legs["feed"][0] + legs["order"][0]
        assert np.all(case.of(order_no)["ts_venue"] >= earliest)


def nothing_trades_while_the_market_is_not_tradable(case: Case) -> None:
    book, last, spans = new_books(1)[0], False, []  # [ts from which, ts to which] there is no market
    start = 0
    for event in case.events:
        apply_event(book, event)
        if not event["flags"] & EventFlag.LAST:
            continue
        now, ts = bool(is_tradable(book)), int(event["ts_event"])
        if last and not now:
            start = ts
        elif now and not last:
            spans.append((start, ts))
        last = now
    spans += [] if last else [(start, int(case.events["ts_event"][-1]) + 1)]
    for trade in case.trades:
        assert not any(low < trade["ts_venue"] < high for low, high in spans)


INVARIANTS: tuple[Callable[[Case], None], ...] = (
    reports_are_those_of_the_naive_exchange,
    an_order_is_filled_up_to_its_size_at_most_and_its_reports_count_it,
    among_resting_own_orders_the_better_price_then_the_earlier_fills_first,
    a_limit_is_never_passed,
    fill_or_kill_trades_all_at_once_or_nothing,
    post_only_never_takes_and_immediate_orders_never_rest,
    after_its_end_an_order_only_hears_what_came_too_late,
    reports_arrive_in_their_order_and_not_before_they_can,
    nothing_trades_while_the_market_is_not_tradable,
)


@given(case=cases())
@settings(quick, max_examples=200)
def test_every_invariant_holds_whatever_is_sent_to_whatever_market(case: Case) -> None:
    for holds in INVARIANTS:
        holds(case)


@pytest.mark.slow
@given(case=cases())
@settings(quick, max_examples=1_500)
def test_every_invariant_holds_in_thousands_of_markets(case: Case) -> None:
    for holds in INVARIANTS:
        holds(case)


def case_of(scenario: Scenario) -> Case:
    return Case(*scenario.records(), scenario.settings)


def two_bids(expire_ts: int = 0) -> Scenario:
    """A book of 98 to 103 with an own bid at 100, of one lot that may expire, and one at 99 of four."""
    return Scenario().ladder(0, {98: 5}, {103: 3}).order(0, 1, BUY, 1, 100, expire_ts=expire_ts).order(0, 2, BUY, 4, 99)


def test_an_order_whose_better_one_has_expired_fills_though_a_cancel_of_that_came_too_late() -> None:
    scenario = two_bids(expire_ts=ns(8)).cancel(4, 1).trade(10, SELL, 99, 3)
    assert scenario.reports() == [
        "1 5 NEW", "2 5 NEW", "1 8 EXPIRED TIME_TO_LIVE", "1 9 CANCEL_REJECTED TOO_LATE", "2 10 TRADE 3@99 MAKER",
    ]  # fmt: skip
    for holds in INVARIANTS:
        holds(case_of(scenario))


def test_an_order_whose_better_one_is_filled_fills_though_a_cancel_of_that_comes_too_late_after_both() -> None:
    scenario = two_bids().cancel(7, 1).trade(10, SELL, 99, 3).trade(11, SELL, 99, 1).tick(13)
    assert scenario.reports() == [
        "1 5 NEW", "2 5 NEW", "1 10 TRADE 1@100 MAKER", "2 10 TRADE 2@99 MAKER", "2 11 TRADE 1@99 MAKER",
        "1 12 CANCEL_REJECTED TOO_LATE",
    ]  # fmt: skip
    for holds in INVARIANTS:
        holds(case_of(scenario))


@pytest.mark.parametrize("refused", [ReportKind.CANCEL_REJECTED, None])
def test_a_fill_past_a_better_own_order_that_still_rests_breaks_priority(refused: ReportKind | None) -> None:
    case = case_of(two_bids(expire_ts=ns(8)).cancel(4, 1).trade(10, SELL, 99, 3))
    kept = [ReportKind.NEW, ReportKind.TRADE] + ([refused] if refused else [])
    case.reports = case.reports[np.isin(case.reports["kind"], [int(kind) for kind in kept])]  # 1 has not expired
    with pytest.raises(AssertionError):
        among_resting_own_orders_the_better_price_then_the_earlier_fills_first(case)


@given(case=cases(impact_coefficient=0.0, self_trade_prevention=SelfTradePrevention.CANCEL_RESTING))
@quick
def test_a_displayed_lot_is_taken_once(case: Case) -> None:
    """Takers get of a price what ever appeared there, all orders of a side what appeared against them or printed."""
    printed, book = 0, new_books(1)[0]
    appeared: dict[tuple[int, int], int] = defaultdict(int)  # (side, price): lots
    before: dict[tuple[int, int], int] = {}
    for event in case.events:
        is_print = event["kind"] in (EventKind.TRADE, EventKind.EXECUTE)
        printed += int(event["size"]) if is_print else 0
        apply_event(book, event)
        if event["flags"] & EventFlag.LAST:
            now = {
                (side, int(book[f"{name}_price"][k])): int(book[f"{name}_size"][k])
                for side, name in ((1, "bid"), (-1, "ask"))
                for k in range(int(book[f"{name}_count"]))
            }
            for at, lots in now.items():
                appeared[at] += max(lots - before.get(at, 0), 0)
            before = now
    trades = case.trades
    takers = trades[trades["liquidity"] == Liquidity.TAKER]
    for side, price in {(int(t["side"]), int(t["price"])) for t in takers}:
        mine = takers[(takers["side"] == side) & (takers["price"] == price)]
        assert mine["lots"].sum() <= appeared[-side, price]
    for side in (1, -1):
        against = sum(lots for (of, _), lots in appeared.items() if of == -side)
        assert trades["lots"][trades["side"] == side].sum() <= against + printed


def with_a_wide_book(events: Any) -> Any:
    """Return the events with the displayed book ten ticks further away: only prints reach own orders near 100."""
    wide = events.copy()
    is_level = wide["kind"] == EventKind.LEVEL
    wide["price"][is_level] -= 10 * wide["side"][is_level]
    return wide


@st.composite
def rivals(draw: st.DrawFn) -> Case:
    """Draw own limit orders of one side at three prices, which only prints reach, and cancels of them."""
    wide = with_a_wide_book(draw(markets("l2")))
    script = draw(scripts([START + at * MILLISECOND for at in range(3)]))
    script = script[script["action"] != ScriptAction.REPLACE]
    script["side"] = side = draw(st.sampled_from((1, -1)))
    new = script["action"] == ScriptAction.NEW
    script["order_type"][new], script["time_in_force"][new] = OrderType.LIMIT, TimeInForce.GTC
    script["price"][new] = 100 - side * (np.abs(100 - script["price"][new]) % 3)
    return Case(wide, script, draw(venues(reject_probability=0.0, messages_per_second=0, price_band_ppm=0)))


@given(case=rivals())
@settings(quick, max_examples=100)
def test_own_orders_that_compete_for_prints_get_them_by_price_and_arrival(case: Case) -> None:
    """The better-priced, then the earlier, of two own resting orders gets all its lots before the other gets more."""
    among_resting_own_orders_the_better_price_then_the_earlier_fills_first(case)


@given(events=markets("l2"), data=st.data(), venue=venues(reject_probability=0.0, messages_per_second=0))
@quick
def test_own_orders_together_never_get_more_than_was_printed(events: Any, data: st.DataObject, venue: Any) -> None:
    """Orders that the displayed book never reaches fill with prints only, and share each of them."""
    wide = with_a_wide_book(events)
    script = data.draw(scripts(np.unique(events["ts_event"]).tolist()))
    new = script["action"] == ScriptAction.NEW
    resting = np.isin(script["order_type"], (OrderType.LIMIT, OrderType.ICEBERG, OrderType.POST_ONLY))
    script = script[np.isin(script["id"], script["id"][new & resting]) & new]
    script["price"] = np.where(script["side"] > 0, np.minimum(script["price"], 100), np.maximum(script["price"], 101))
    trades = Case(wide, script, venue).trades
    assert np.all(trades["liquidity"] == Liquidity.MAKER)
    for ts in np.unique(trades["ts_venue"]):
        now = wide[(wide["ts_event"] == ts) & (wide["kind"] == EventKind.TRADE)]
        now = now[now["flags"] & (EventFlag.HIDDEN | EventFlag.SNAPSHOT) == 0]
        assert trades["lots"][trades["ts_venue"] == ts].sum() <= now["size"].sum()


@given(script=scripts([START + at * MILLISECOND for at in range(1, 40)]), venue=venues(), ladder=ladders())
@quick
def test_own_orders_trade_with_each_other_only_where_that_is_asked_for(
    script: Any, venue: VenueSettings, ladder: list[dict[str, int]]
) -> None:
    """In a market that stands still only an own order can fill a resting own order."""
    rows = [{**row, "ts_event": START} for row in ladder]
    rows[-1]["flags"] |= EventFlag.LAST
    still = {"kind": EventKind.STATUS, "price": StatusCode.RESUME, "flags": EventFlag.LAST}
    rows += [{**still, "ts_event": START + at * MILLISECOND} for at in range(1, 120)]
    trades = Case(records(EVENT_DTYPE, rows), script, venue).trades
    makers = trades[trades["liquidity"] == Liquidity.MAKER]
    if venue.self_trade_prevention is not SelfTradePrevention.NONE:
        assert len(makers) == 0
    names = ["ts_venue", "price", "lots"]
    takers = trades[trades["liquidity"] == Liquidity.TAKER]
    for maker in makers:
        assert np.any((takers[names] == maker[names]) & (takers["side"] == -maker["side"]))


@given(case=cases(), cuts=st.lists(st.integers(0, 40), max_size=4))
@quick
def test_how_events_are_cut_into_batches_changes_nothing(case: Case, cuts: list[int]) -> None:
    batches = np.split(case.events, sorted(min(cut, len(case.events)) for cut in cuts))
    assert plain(run_script_on_events(batches, 0, case.venue, case.script)) == plain(case.reports)
