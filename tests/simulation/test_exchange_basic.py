"""Hand-worked lives of market and limit orders at the simulated exchange."""

from __future__ import annotations

import numpy as np
import pytest

from chimera_platform.execution.records import TimeInForce
from chimera_platform.market.events import EventFlag, StatusCode
from tests.reference.exchange_scenario import BUY, MILLISECOND, SELL, START, Scenario, ns

LAST = int(EventFlag.LAST)


def test_a_market_order_trades_at_its_arrival_on_the_quote_that_stood_then() -> None:
    venue = Scenario().quote(0, 1000, 1002).order(0, 7, BUY, 10).quote(4, 1001, 1003).quote(9, 1005, 1007)
    assert venue.reports() == ["7 5 NEW", "7 5 TRADE 10@1003 TAKER"]
    trade = venue.rows()[1]
    assert (trade["bid_price"], trade["ask_price"], trade["size"], trade["filled"]) == (1001, 1003, 10, 10)


def test_an_event_at_the_very_time_of_arrival_comes_first() -> None:
    venue = Scenario().quote(0, 1000, 1002).order(0, 1, BUY, 10).quote(5, 1005, 1007).quote(6, 1000, 1002)
    assert venue.trades() == ["1 5 TRADE 10@1007 TAKER"]


def test_nothing_is_reported_until_an_event_shows_that_the_time_has_come() -> None:
    assert Scenario().quote(0, 1000, 1002).order(0, 1, BUY, 10).quote(5, 1000, 1002).reports() == []


def test_a_market_order_walks_the_levels_and_the_rest_finds_no_liquidity() -> None:
    venue = Scenario().ladder(0, {99: 5}, {100: 3, 101: 4, 104: 2}).order(0, 1, BUY, 20).tick(9)
    assert venue.reports() == [
        "1 5 NEW",
        "1 5 TRADE 3@100 TAKER",
        "1 5 TRADE 4@101 TAKER",
        "1 5 TRADE 2@104 TAKER",
        "1 5 CANCELLED NO_LIQUIDITY",
    ]


def test_a_market_order_stops_at_its_protection() -> None:
    ladder = Scenario(protection_ppm=20_000).ladder(0, {99: 5}, {100: 3, 102: 4, 103: 2})
    assert ladder.order(0, 1, BUY, 20).tick(9).trades() == ["1 5 TRADE 3@100 TAKER", "1 5 TRADE 4@102 TAKER"]


def test_no_more_levels_are_taken_than_the_venue_allows() -> None:
    ladder = Scenario(max_walk_levels=2).ladder(0, {99: 5}, {100: 3, 101: 4, 102: 2})
    assert ladder.order(0, 1, BUY, 20).tick(9).trades() == ["1 5 TRADE 3@100 TAKER", "1 5 TRADE 4@101 TAKER"]


def test_a_sell_order_takes_the_bids() -> None:
    venue = Scenario().ladder(0, {99: 5, 98: 7}, {100: 3}).order(0, 1, SELL, 8).tick(9)
    assert venue.trades() == ["1 5 TRADE 5@99 TAKER", "1 5 TRADE 3@98 TAKER"]


def test_a_displayed_lot_is_taken_once() -> None:
    venue = Scenario().ladder(0, {99: 5}, {100: 3, 101: 4})
    venue.order(0, 1, BUY, 2).order(1, 2, BUY, 2).tick(9)
    assert venue.trades() == ["1 5 TRADE 2@100 TAKER", "2 6 TRADE 1@100 TAKER", "2 6 TRADE 1@101 TAKER"]


def test_a_level_that_comes_anew_can_be_taken_anew() -> None:
    venue = Scenario().ladder(0, {99: 5}, {100: 3, 101: 4}).order(0, 1, BUY, 3)
    venue.level(10, SELL, 100, 0).level(11, SELL, 100, 6).order(12, 2, BUY, 6).tick(20)
    assert venue.trades(2) == ["2 17 TRADE 6@100 TAKER"]


def test_an_immediate_limit_takes_down_to_its_price_and_the_rest_is_cancelled() -> None:
    venue = Scenario().ladder(0, {99: 5}, {100: 3, 101: 4, 102: 4})
    venue.order(0, 1, BUY, 9, 101, tif=TimeInForce.IOC).tick(9)
    assert venue.reports() == [
        "1 5 NEW",
        "1 5 TRADE 3@100 TAKER",
        "1 5 TRADE 4@101 TAKER",
        "1 5 CANCELLED NO_LIQUIDITY",
    ]


def test_the_rest_of_a_marketable_limit_rests_and_fills_as_maker() -> None:
    venue = Scenario().ladder(0, {99: 5}, {100: 3, 102: 4}).order(0, 1, BUY, 5, 101)
    venue.level(9, SELL, 100, 0).trade(10, SELL, 101, 1).trade(11, SELL, 100, 9)
    assert venue.reports() == [
        "1 5 NEW",
        "1 5 TRADE 3@100 TAKER",
        "1 10 TRADE 1@101 MAKER",
        "1 11 TRADE 1@101 MAKER",
    ]


def test_a_resting_order_waits_behind_what_was_displayed_before_it() -> None:
    venue = Scenario().ladder(0, {99: 5}, {101: 3}).order(0, 1, BUY, 4, 99).tick(9)
    venue.trade(10, SELL, 99, 3).trade(11, SELL, 99, 3).trade(12, SELL, 99, 10)
    assert venue.trades() == ["1 11 TRADE 1@99 MAKER", "1 12 TRADE 3@99 MAKER"]


def test_a_printed_lot_fills_one_of_two_own_orders_the_better_price_first_then_the_earlier() -> None:
    venue = Scenario().ladder(0, {98: 5}, {103: 3})
    venue.order(0, 1, BUY, 4, 99).order(1, 2, BUY, 4, 99).order(2, 3, BUY, 4, 100).tick(9)
    venue.trade(10, SELL, 99, 10)
    assert sorted(venue.trades()) == ["1 10 TRADE 4@99 MAKER", "2 10 TRADE 2@99 MAKER", "3 10 TRADE 4@100 MAKER"]


def test_an_opposite_side_that_reaches_the_price_fills_once_what_it_shows() -> None:
    venue = Scenario().quote(0, 1000, 1002).order(0, 1, BUY, 10, 1000).quote(9, 1000, 1002)
    venue.quote(10, 998, 1000, 100, 4).quote(11, 998, 1000, 100, 4).quote(12, 998, 999, 100, 4).quote(13, 998, 999)
    assert venue.trades() == ["1 10 TRADE 4@1000 MAKER", "1 12 TRADE 4@1000 MAKER", "1 13 TRADE 2@1000 MAKER"]


def test_an_arrival_waits_for_the_end_of_a_source_event_under_way() -> None:
    venue = Scenario().ladder(0, {99: 5}, {100: 3}).order(0, 1, BUY, 3)
    venue.level(4, SELL, 100, 0, flags=0).level(6, SELL, 102, 3, flags=LAST).tick(7)
    assert venue.trades() == ["1 5 TRADE 3@102 TAKER"]


@pytest.mark.parametrize("code", [StatusCode.HALT, StatusCode.SESSION_CLOSE, StatusCode.GAP])
def test_a_market_that_is_not_open_refuses_orders(code: StatusCode) -> None:
    venue = Scenario().quote(0, 1000, 1002).order(0, 1, BUY, 10).status(3, code).status(9, code)
    assert venue.reports() == ["1 5 REJECTED VENUE_CLOSED"]


def test_a_resting_order_outlives_a_halt_and_can_be_cancelled_in_it() -> None:
    venue = Scenario().quote(0, 1000, 1002).order(0, 1, BUY, 10, 990).order(0, 2, BUY, 10, 991)
    venue.status(9, StatusCode.HALT).cancel(10, 1).quote(16, 980, 985).status(17, StatusCode.RESUME)
    assert venue.reports() == ["1 5 NEW", "2 5 NEW", "1 15 CANCELLED", "2 17 TRADE 10@991 MAKER"]


def test_a_cancel_takes_its_time_and_the_order_can_fill_until_then() -> None:
    venue = Scenario().ladder(0, {98: 5}, {101: 3}).order(0, 1, BUY, 4, 99).cancel(10, 1)
    venue.trade(14, SELL, 99, 1).trade(15, SELL, 99, 1).trade(16, SELL, 99, 1)
    assert venue.reports() == ["1 5 NEW", "1 14 TRADE 1@99 MAKER", "1 15 TRADE 1@99 MAKER", "1 15 CANCELLED"]


def test_a_cancel_of_a_filled_order_comes_too_late() -> None:
    venue = Scenario().quote(0, 1000, 1002).order(0, 1, BUY, 4).cancel(1, 1).quote(9, 1000, 1002)
    assert venue.reports() == ["1 5 NEW", "1 5 TRADE 4@1002 TAKER", "1 6 CANCEL_REJECTED TOO_LATE"]


def test_an_order_expires_at_its_time() -> None:
    venue = Scenario().quote(0, 1000, 1002).order(0, 1, BUY, 4, 990, expire_ts=ns(8)).quote(8, 1000, 1002)
    assert venue.reports() == ["1 5 NEW"]
    assert venue.quote(9, 1000, 1002).reports() == ["1 5 NEW", "1 8 EXPIRED TIME_TO_LIVE"]


def test_an_order_that_arrives_after_its_expiry_does_not_trade() -> None:
    venue = Scenario().quote(0, 1000, 1002).order(0, 1, BUY, 4, 1002, expire_ts=ns(4)).quote(9, 1000, 1002)
    assert venue.reports() == ["1 5 NEW", "1 5 EXPIRED TIME_TO_LIVE"]


def test_what_is_due_between_two_events_happens_in_the_order_of_time() -> None:
    venue = Scenario().ladder(0, {99: 5}, {100: 3}).order(3, 1, BUY, 2, 100).order(1, 2, BUY, 2, 100)
    venue.order(0, 3, BUY, 2, 90).cancel(2, 3).tick(20)
    assert venue.reports() == [
        "3 5 NEW",
        "2 6 NEW",
        "2 6 TRADE 2@100 TAKER",
        "3 7 CANCELLED",
        "1 8 NEW",
        "1 8 TRADE 1@100 TAKER",
    ]


def test_reports_take_their_latency_and_never_overtake_one_another() -> None:
    quantiles = (0, 10 * MILLISECOND)
    venue = Scenario(latency_ms=1, report_latency_quantiles_ns=quantiles).quote(0, 1000, 1002)
    for number in range(50):
        venue.order(number, number, BUY, 1)
    rows = venue.quote(100, 1000, 1002).rows()
    assert len(rows) == 100
    assert np.all(np.diff(rows["ts_received"]) >= 0)
    assert np.all(np.diff(rows["exec_no"]) == 1)
    delays = rows["ts_received"] - rows["ts_venue"]
    assert delays.min() >= 0
    assert 5 * MILLISECOND < delays.max() <= 10 * MILLISECOND
    assert rows["ts_venue"][0] == START + MILLISECOND


def test_no_report_is_lost_where_more_are_under_way_than_can_wait() -> None:
    venue = Scenario(latency_ms=1, report_latency_ns=60_000 * MILLISECOND).quote(0, 1000, 1002)
    for number in range(400):
        venue.order(0, number, BUY, 1, 900)
    for at_ms in range(5, 15):
        venue.quote(at_ms, 1000, 1002)
    rows = venue.rows()
    assert rows["order_no"].tolist() == list(range(400))
    assert rows["exec_no"].tolist() == list(range(400))
    assert set(rows["ts_venue"].tolist()) == {ns(1)}


def test_latencies_are_drawn_anew_for_each_message_within_the_recorded_ones() -> None:
    recorded = (2 * MILLISECOND, 4 * MILLISECOND, 20 * MILLISECOND)
    venue = Scenario(order_latency_quantiles_ns=recorded, feed_latency_ns=MILLISECOND).quote(0, 1000, 1002)
    for number in range(180):
        venue.order(0, number, BUY, 1, 900)
    delays = (venue.quote(50, 1000, 1002).rows()["ts_venue"] - START) / MILLISECOND - 1
    assert 2 <= delays.min() < 2.5
    assert 18 < delays.max() <= 20
    assert 3.5 < np.median(delays) < 4.5
    assert len(set(delays.tolist())) > 150


def test_a_taker_that_follows_its_own_volume_meets_worse_prices_and_the_other_side_does_not() -> None:
    venue = Scenario(impact_coefficient=1.0)
    for second in range(120):
        mid = 1_000 + 5 * (second % 2)  # 5 ticks up or down and 10 lots, each second
        venue.quote(1_000 * second, mid - 1, mid + 1, 10_000).trade(1_000 * second + 1, BUY, mid + 1, 10)
    venue.order(119_500, 1, BUY, 1_000).order(119_600, 2, BUY, 1).order(119_600, 3, SELL, 1).tick(119_700)
    assert venue.trades() == [
        "1 119505 TRADE 1000@1006 TAKER",
        "2 119605 TRADE 1@1056 TAKER",  # sigma 5 ticks, sqrt(1000 / 10) = 10
        "3 119605 TRADE 1@1004 TAKER",
    ]


def test_a_limit_is_not_passed_by_impact() -> None:
    venue = Scenario(impact_coefficient=1.0)
    for second in range(120):
        mid = 1_000 + 5 * (second % 2)
        venue.quote(1_000 * second, mid - 1, mid + 1, 10_000).trade(1_000 * second + 1, BUY, mid + 1, 10)
    venue.order(119_500, 1, BUY, 1_000).order(119_600, 2, BUY, 1, 1055, tif=TimeInForce.IOC)
    assert venue.tick(119_700).reports(2) == ["2 119605 NEW", "2 119605 CANCELLED NO_LIQUIDITY"]
