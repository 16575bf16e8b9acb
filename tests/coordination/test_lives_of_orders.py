"""Hand-worked lives of orders from intent to fill; prices in ticks, times in ms after the start."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from chimera_platform.coordinator import Coordinator, CoordinatorOutput
from chimera_platform.execution.records import ENGINE_COUNT, Liquidity, OrderReason, OrderStatus
from chimera_platform.market.events import EventFlag, StatusCode
from chimera_platform.market.instruments import Universe
from chimera_platform.simulation.exchange.settings import VenueSettings
from tests.reference.coordinator_streams import MILLISECOND, START, instrument, plain_sections
from tests.reference.market_script import BUY, SELL, MarketScript

FEES = {"maker_per_lot": "-0.5", "maker_ppm": 10, "taker_per_lot": "1.25", "taker_ppm": 20}
UNIVERSE = Universe([instrument("X", tick_size="0.5", fees=FEES)])


def coordinator(latency_ms: int = 5, **venue: Any) -> Coordinator:
    latencies = {"order_latency_ns": latency_ms * MILLISECOND, "report_latency_ns": 0}
    settings = VenueSettings(**{**latencies, "protection_ppm": 50_000, **venue})
    return Coordinator(UNIVERSE, plain_sections(venue=settings))


def held(its: Coordinator) -> int:
    """What the account has committed and reserved, nanos."""
    return int(its.state.account["committed_nanos"][0] + its.state.account["reserved_nanos"][0])


def life(output: CoordinatorOutput, order_no: int = 0) -> list[tuple[OrderStatus, float, int]]:
    """Status, ms after the start and lots filled of each event of an order."""
    rows = output.orders[output.orders["order_no"] == order_no]
    return [(OrderStatus(r["status"]), (r["ts_event"] - START) / MILLISECOND, int(r["filled"])) for r in rows]


def trades(output: CoordinatorOutput) -> list[tuple[float, int, int, Liquidity]]:
    """ms after the start, price, lots and liquidity of each fill."""
    fills = output.fills
    return [((f["ts_event"] - START) / MILLISECOND, f["price"], f["size"], Liquidity(f["liquidity"])) for f in fills]


def test_a_market_order_trades_at_its_arrival_on_the_quote_that_stood_then() -> None:
    script = MarketScript().quote(0, 1000, 1002).intent(BUY, 10).quote(4, 1001, 1003).quote(9, 1005, 1007)
    output = script.run(coordinator(latency_ms=5))
    assert life(output) == [(OrderStatus.PENDING_NEW, 0, 0), (OrderStatus.NEW, 5, 0), (OrderStatus.FILLED, 5, 10)]
    assert trades(output) == [(5, 1003, 10, Liquidity.TAKER)]
    fill = output.fills[0]
    assert (fill["decision_bid"], fill["decision_ask"], fill["bid_price"], fill["ask_price"]) == (
        1000,
        1002,
        1001,
        1003,
    )
    assert fill["event_no"] == 2


def test_an_event_at_the_very_time_of_arrival_comes_first() -> None:
    script = MarketScript().quote(0, 1000, 1002).intent(BUY, 10).quote(5, 1005, 1007).quote(6, 1000, 1002)
    assert trades(script.run(coordinator(latency_ms=5))) == [(5, 1007, 10, Liquidity.TAKER)]


def test_an_order_stays_pending_until_an_event_shows_that_its_time_has_come() -> None:
    output = MarketScript().quote(0, 1000, 1002).intent(BUY, 10).quote(5, 1000, 1002).run(coordinator(latency_ms=5))
    assert life(output) == [(OrderStatus.PENDING_NEW, 0, 0)]


def test_fees_and_cash_of_a_taker_are_exact() -> None:
    output = MarketScript().quote(0, 1000, 1002).intent(BUY, 10).quote(9, 1000, 1002).run(coordinator())
    fill = output.fills[0]
    assert fill["cash_nanos"] == -10 * 1002 * 500_000_000
    assert fill["fee_nanos"] == 10 * 1_250_000_000 + 5_010_000_000_000 * 20 // 1_000_000


def test_a_maker_gets_its_rebate() -> None:
    script = MarketScript().quote(0, 1000, 1002).intent(BUY, 10, limit=1000).quote(9, 1000, 1002).quote(10, 998, 999)
    output = script.run(coordinator())
    assert trades(output) == [(10, 1000, 10, Liquidity.MAKER)]
    assert output.fills[0]["fee_nanos"] == -10 * 500_000_000 + 5_000_000_000_000 * 10 // 1_000_000


def test_a_market_order_walks_the_levels_and_the_rest_finds_no_liquidity() -> None:
    script = MarketScript().ladder(0, {99: 5}, {100: 3, 101: 4, 104: 2}).intent(BUY, 20).level(9, BUY, 98, 1)
    output = script.run(coordinator())
    assert [t[1:3] for t in trades(output)] == [(100, 3), (101, 4), (104, 2)]
    assert life(output)[-1] == (OrderStatus.CANCELLED, 5, 9)
    assert output.orders["reason"][-1] == OrderReason.NO_LIQUIDITY
    assert output.marks["reserved_nanos"][-1] == 11 * 100 * 500_000_000


@pytest.mark.parametrize(
    ("venue", "expected"),
    [({"max_walk_levels": 2}, [(100, 3), (101, 4)]), ({"protection_ppm": 10_000}, [(100, 3), (101, 4)])],
)
def test_a_walk_ends_at_the_level_limit_and_at_the_protection_band(venue: Any, expected: Any) -> None:
    script = MarketScript().ladder(0, {99: 5}, {100: 3, 101: 4, 104: 2}).intent(BUY, 20).level(9, BUY, 98, 1)
    assert [t[1:3] for t in trades(script.run(coordinator(**venue)))] == expected


def test_a_sell_walks_down_the_bids() -> None:
    script = MarketScript().ladder(0, {99: 5, 98: 6, 90: 9}, {100: 3}).intent(SELL, 20).level(9, SELL, 103, 1)
    assert [t[1:3] for t in trades(script.run(coordinator()))] == [(99, 5), (98, 6)]


@pytest.mark.parametrize("code", [StatusCode.GAP, StatusCode.HALT, StatusCode.SESSION_CLOSE])
def test_an_order_that_meets_an_untradable_book_is_rejected_and_its_reservation_goes_back(code: StatusCode) -> None:
    script = MarketScript().quote(0, 1000, 1002).intent(BUY, 10).status(3, code).quote(9, 1000, 1002)
    its = coordinator()
    output = script.run(its)
    assert life(output)[-1] == (OrderStatus.REJECTED, 5, 0)
    assert output.orders["reason"][-1] == OrderReason.VENUE_CLOSED
    assert held(its) == 0


def test_a_limit_order_trades_its_marketable_part_and_rests_with_the_rest() -> None:
    script = MarketScript().ladder(0, {99: 5}, {100: 3, 101: 4, 102: 9}).intent(BUY, 10, limit=101)
    output = script.level(9, BUY, 98, 1).run(coordinator())
    assert [t[1:] for t in trades(output)] == [(100, 3, Liquidity.TAKER), (101, 4, Liquidity.TAKER)]
    assert life(output)[-1] == (OrderStatus.PARTIALLY_FILLED, 5, 7)


def test_lots_taken_on_arrival_are_not_taken_again_while_the_market_still_shows_them() -> None:
    script = MarketScript().ladder(0, {99: 5}, {100: 3, 101: 4, 102: 9}).intent(BUY, 10, limit=101)
    script.level(9, BUY, 98, 1).level(10, BUY, 97, 1)
    assert sum(t[2] for t in trades(script.run(coordinator()))) == 7
    script.level(11, SELL, 100, 0).level(12, SELL, 101, 0).level(13, SELL, 101, 2)
    assert trades(script.run(coordinator()))[-1] == (13, 101, 2, Liquidity.MAKER)


def test_a_limit_without_time_to_live_is_immediate_or_cancel() -> None:
    script = MarketScript().ladder(0, {99: 5}, {100: 3, 101: 4}).intent(BUY, 10, limit=100, time_to_live_ns=0)
    output = script.level(9, BUY, 98, 1).run(coordinator())
    assert [t[1:3] for t in trades(output)] == [(100, 3)]
    assert life(output)[-1][0] is OrderStatus.CANCELLED


def test_a_limit_order_expires_at_its_time_and_gives_its_reservation_back() -> None:
    script = MarketScript().quote(0, 1000, 1002).intent(BUY, 10, limit=990, time_to_live_ns=40 * MILLISECOND)
    its = coordinator()
    output = script.quote(40, 1000, 1002).quote(900, 980, 981).run(its)
    assert life(output)[-1] == (OrderStatus.EXPIRED, 40, 0)
    assert output.orders["reason"][-1] == OrderReason.TIME_TO_LIVE
    assert held(its) == 0


def test_an_order_that_expired_inside_a_source_event_does_not_fill_with_its_later_records() -> None:
    script = MarketScript().quote(0, 1000, 1002).intent(BUY, 10, limit=1000, time_to_live_ns=40 * MILLISECOND)
    script.quote(9, 1000, 1002).level(39, BUY, 998, 5, flags=0).trade(41, SELL, 999, 50).quote(50, 1000, 1002)
    assert life(script.run(coordinator()))[-1] == (OrderStatus.EXPIRED, 40, 0)


def resting(size: int = 10) -> MarketScript:
    """A bid of ``size`` lots at 99 rests behind the five shown there, from 5 ms on."""
    return MarketScript().ladder(0, {99: 5, 98: 7, 97: 7}, {101: 3}).intent(BUY, size, limit=99).level(8, BUY, 96, 1)


def test_a_resting_order_fills_only_with_what_trades_behind_the_queue_ahead() -> None:
    script = resting().trade(10, SELL, 99, 4).trade(11, SELL, 99, 3).trade(12, SELL, 99, 50)
    assert trades(script.run(coordinator())) == [(11, 99, 2, Liquidity.MAKER), (12, 99, 8, Liquidity.MAKER)]


def test_a_trade_through_the_price_fills_whatever_is_ahead() -> None:
    assert trades(resting().trade(10, SELL, 98, 6).run(coordinator())) == [(10, 99, 6, Liquidity.MAKER)]


def test_cancels_shorten_the_queue_to_what_is_still_displayed() -> None:
    script = resting().level(9, BUY, 99, 1).trade(10, SELL, 99, 4)
    assert trades(script.run(coordinator())) == [(10, 99, 3, Liquidity.MAKER)]


def test_lots_that_join_the_level_later_stand_behind() -> None:
    script = resting().level(9, BUY, 99, 500).trade(10, SELL, 99, 6)
    assert trades(script.run(coordinator())) == [(10, 99, 1, Liquidity.MAKER)]


@pytest.mark.parametrize("fields", [{"aggressor": BUY}, {"price": 100}, {"flags": EventFlag.LAST | EventFlag.HIDDEN}])
def test_a_trade_that_cannot_have_met_the_order_does_not_fill_it(fields: dict[str, int]) -> None:
    trade = {"aggressor": SELL, "price": 98, "size": 50, **fields}
    assert trades(resting().trade(10, **trade).run(coordinator())) == []


def test_a_print_of_unknown_aggressor_counts() -> None:
    assert trades(resting().trade(10, 0, 99, 8).run(coordinator())) == [(10, 99, 3, Liquidity.MAKER)]


def test_no_trade_fills_while_the_venue_is_halted() -> None:
    assert trades(resting().status(9, StatusCode.HALT).trade(10, SELL, 98, 50).run(coordinator())) == []


def test_an_opposite_quote_that_touches_the_limit_fills_what_it_shows_once() -> None:
    script = MarketScript().quote(0, 1000, 1002).intent(SELL, 30, limit=1003).quote(9, 1000, 1002)
    script.quote(10, 1003, 1004, 8).quote(11, 1003, 1004, 8).quote(12, 1003, 1004, 11).quote(13, 1000, 1002)
    script.quote(14, 1004, 1005, 9)
    fills = trades(script.run(coordinator()))
    assert [t[:3] for t in fills] == [(10, 1003, 8), (12, 1003, 3), (14, 1003, 9)]


def test_the_queue_is_unknown_outside_the_displayed_depth_until_the_price_is_shown() -> None:
    script = MarketScript().ladder(0, {99: 5}, {101: 3}).intent(BUY, 10, limit=97).level(8, SELL, 104, 1)
    script.trade(9, SELL, 97, 50).level(10, BUY, 97, 6).trade(11, SELL, 97, 7)
    assert trades(script.run(coordinator())) == [(11, 97, 1, Liquidity.MAKER)]


def test_an_exit_cancels_what_is_left_of_the_entry_and_the_cancel_has_latency() -> None:
    script = MarketScript().ladder(0, {99: 50, 95: 90}, {101: 4}).intent(BUY, 10, limit=101, stop_distance=3)
    script.level(9, BUY, 99, 0).level(10, SELL, 101, 2).level(17, SELL, 102, 9).level(30, SELL, 103, 9)
    output = script.run(coordinator())
    assert life(output, 0)[3:] == [(OrderStatus.PENDING_CANCEL, 9, 4), (OrderStatus.CANCELLED, 14, 4)]
    assert life(output, 1)[-1] == (OrderStatus.FILLED, 14, 4)
    assert output.fills["position_after"][-1] == 0


def test_fills_between_the_sending_of_a_cancel_and_its_arrival_count_and_are_closed_too() -> None:
    script = MarketScript().ladder(0, {99: 50, 95: 90}, {101: 4}).intent(BUY, 10, limit=101, stop_distance=3)
    script.level(9, BUY, 99, 0).level(10, SELL, 101, 6).level(17, SELL, 102, 9).level(30, SELL, 103, 9)
    output = script.run(coordinator())
    assert life(output, 0)[3:] == [(OrderStatus.PENDING_CANCEL, 9, 4), (OrderStatus.PENDING_CANCEL, 10, 6),
                                   (OrderStatus.CANCELLED, 14, 6)]  # fmt: skip
    exits = output.fills[output.fills["is_exit"] == 1]
    assert exits["size"].tolist() == [4, 2]
    assert exits["position_after"].tolist() == [2, 0]


@pytest.mark.parametrize(
    ("bid_then", "hold_ms", "reason", "at_ms"),
    [(995, 10**6, OrderReason.STOP, 20), (1012, 10**6, OrderReason.TARGET, 20), (1001, 25, OrderReason.TIME, 30)],
)
def test_a_position_is_closed_at_its_stop_its_target_or_its_time(
    bid_then: int, hold_ms: int, reason: OrderReason, at_ms: float
) -> None:
    distances = {"stop_distance": 7, "target_distance": 10, "max_hold_ns": hold_ms * MILLISECOND}
    script = MarketScript().quote(0, 1000, 1002).intent(BUY, 10, **distances).quote(9, 1000, 1002)
    for at in (20, 30, 40, 50):
        script.quote(at, bid_then, bid_then + 2)
    output = script.run(coordinator())
    leave = output.orders[output.orders["order_no"] == 1]
    assert leave["reason"].tolist() == [reason] * 3
    assert leave["ts_sent"][0] == START + at_ms * MILLISECOND
    assert leave["intent_no"].tolist() == [0] * 3
    assert output.fills["position_after"].tolist() == [10, 0]
    assert output.fills["realised_nanos"][1] == (bid_then - 1002) * 10 * 500_000_000


def test_one_tick_short_of_stop_and_target_the_position_is_held() -> None:
    script = MarketScript().quote(0, 1000, 1002).intent(BUY, 10, stop_distance=7, target_distance=10)
    output = script.quote(9, 1000, 1002).quote(20, 996, 998).quote(30, 1011, 1013).run(coordinator())
    assert len(output.fills) == 1


def test_an_exit_that_the_venue_refuses_is_sent_again_when_the_market_opens() -> None:
    script = MarketScript().quote(0, 1000, 1002).intent(BUY, 10, stop_distance=7).quote(9, 1000, 1002)
    script.quote(20, 990, 992).status(22, StatusCode.HALT).quote(30, 980, 982).status(40, StatusCode.RESUME)
    output = script.quote(50, 981, 983).run(coordinator())
    assert life(output, 1)[-1] == (OrderStatus.REJECTED, 25, 0)
    assert life(output, 2)[-1] == (OrderStatus.FILLED, 45, 10)


def test_positions_are_marked_at_the_start_at_fills_and_once_an_interval() -> None:
    script = MarketScript().quote(0, 1000, 1002).intent(BUY, 10)
    for second in range(1, 200):
        script.quote(second * 1_000, 1000 + second, 1002 + second)
    marks = script.run(coordinator()).marks
    assert ((marks["ts_event"] - START) / 1e9).tolist() == [0] * ENGINE_COUNT + [0.005, 61, 121, 181]
    assert marks["value_nanos"][ENGINE_COUNT + 1] == 10 * (1001 + 61) * 500_000_000
    steps = np.diff(marks["equity_nanos"][ENGINE_COUNT:])
    assert steps.tolist() == [10 * d * 500_000_000 for d in (61, 60, 60)]


def test_a_fill_moves_money_and_reservation_when_its_report_is_received_not_when_it_happens() -> None:
    its = coordinator(latency_ms=5, report_latency_ns=20 * MILLISECOND)
    script = MarketScript().quote(0, 1000, 1002).intent(BUY, 10).quote(9, 1000, 1002).quote(24, 1010, 1012)
    before = script.run(its)
    assert len(before.fills) == 0
    assert its.state.positions["lots"].tolist() == [[0] * ENGINE_COUNT]
    assert held(its) == 10 * 1002 * 500_000_000
    assert its.state.exchange_orders["filled"][0, 0] == 10
    script.quote(25, 1010, 1012)
    output = script.run(coordinator(latency_ms=5, report_latency_ns=20 * MILLISECOND))
    fill = output.fills[0]
    assert ((fill["ts_venue"] - START) / MILLISECOND, (fill["ts_event"] - START) / MILLISECOND) == (5, 25)
    assert (fill["bid_price"], fill["ask_price"], fill["price"]) == (1000, 1002, 1002)
    assert life(output) == [(OrderStatus.PENDING_NEW, 0, 0), (OrderStatus.NEW, 25, 0), (OrderStatus.FILLED, 25, 10)]


def test_a_snapshot_taken_while_reports_are_on_their_way_loses_none() -> None:
    script = MarketScript().quote(0, 1000, 1002).intent(BUY, 10).quote(9, 1000, 1002)
    its = coordinator(report_latency_ns=20 * MILLISECOND)
    script.run(its)
    other = coordinator(report_latency_ns=20 * MILLISECOND)
    other.restore(pickle.loads(pickle.dumps(its.snapshot())))
    assert other.state_hash() == its.state_hash()
    later = MarketScript().quote(40, 1001, 1003)
    assert [trades(later.run(each)) for each in (its, other)] == [[(25, 1002, 10, Liquidity.TAKER)]] * 2


def test_what_the_entry_fills_while_the_exit_is_on_its_way_is_closed_by_a_further_exit() -> None:
    script = MarketScript().ladder(0, {99: 50, 95: 90}, {101: 4}).intent(BUY, 10, limit=101, stop_distance=3)
    script.level(16, BUY, 99, 0).level(17, SELL, 101, 6).level(40, SELL, 102, 9).level(60, SELL, 103, 9)
    output = script.level(90, SELL, 104, 9).run(coordinator(report_latency_ns=10 * MILLISECOND))
    exits = output.orders[(output.orders["is_exit"] == 1) & (output.orders["status"] == OrderStatus.PENDING_NEW)]
    assert exits["size"].tolist() == [4, 2]
    assert output.fills["position_after"].tolist()[-1] == 0
