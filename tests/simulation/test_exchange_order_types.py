"""Hand-worked lives of each order type and time in force at the simulated exchange."""

from __future__ import annotations

import pytest

from chimera_platform.execution.records import OrderType, TimeInForce
from chimera_platform.market.events import StatusCode
from tests.reference.exchange_scenario import BUY, SELL, Scenario, ns

STOP, STOP_LIMIT, ICEBERG = OrderType.STOP, OrderType.STOP_LIMIT, OrderType.ICEBERG
POST_ONLY, TWAP, VWAP = OrderType.POST_ONLY, OrderType.TWAP, OrderType.VWAP
IOC, FOK, DAY, GTD, GTC = TimeInForce.IOC, TimeInForce.FOK, TimeInForce.DAY, TimeInForce.GTD, TimeInForce.GTC

BIDS, ASKS = {99: 5, 98: 6}, {101: 3, 102: 4, 103: 10}


def book(**venue: object) -> Scenario:
    return Scenario(**venue).ladder(0, BIDS, ASKS)  # type: ignore[arg-type]


# ---- one order on one book: (type, time in force, side, size, price) and what is reported at once

AT_ONCE = [
    (OrderType.MARKET, IOC, BUY, 5, 0, ["NEW", "TRADE 3@101 TAKER", "TRADE 2@102 TAKER"]),
    (OrderType.MARKET, FOK, BUY, 17, 0, ["NEW", "TRADE 3@101 TAKER", "TRADE 4@102 TAKER", "TRADE 10@103 TAKER"]),
    (OrderType.MARKET, FOK, BUY, 18, 0, ["NEW", "CANCELLED NOT_ALL_AT_ONCE"]),
    (OrderType.MARKET, GTC, SELL, 12, 0, ["NEW", "TRADE 5@99 TAKER", "TRADE 6@98 TAKER", "CANCELLED NO_LIQUIDITY"]),
    (OrderType.LIMIT, GTC, BUY, 5, 101, ["NEW", "TRADE 3@101 TAKER"]),
    (OrderType.LIMIT, GTC, BUY, 5, 100, ["NEW"]),
    (OrderType.LIMIT, DAY, SELL, 5, 102, ["NEW"]),
    (OrderType.LIMIT, IOC, BUY, 5, 101, ["NEW", "TRADE 3@101 TAKER", "CANCELLED NO_LIQUIDITY"]),
    (OrderType.LIMIT, IOC, BUY, 5, 100, ["NEW", "CANCELLED NO_LIQUIDITY"]),
    (OrderType.LIMIT, FOK, BUY, 7, 102, ["NEW", "TRADE 3@101 TAKER", "TRADE 4@102 TAKER"]),
    (OrderType.LIMIT, FOK, BUY, 8, 102, ["NEW", "CANCELLED NOT_ALL_AT_ONCE"]),
    (OrderType.LIMIT, FOK, BUY, 1, 100, ["NEW", "CANCELLED NOT_ALL_AT_ONCE"]),
    (POST_ONLY, GTC, BUY, 5, 100, ["NEW"]),
    (POST_ONLY, GTC, BUY, 5, 101, ["REJECTED WOULD_TAKE"]),
    (POST_ONLY, GTC, SELL, 5, 99, ["REJECTED WOULD_TAKE"]),
    (ICEBERG, GTC, BUY, 20, 101, ["NEW", "TRADE 3@101 TAKER"]),
]


@pytest.mark.parametrize(("kind", "tif", "side", "size", "price", "expected"), AT_ONCE)
def test_an_order_on_arrival(
    kind: OrderType, tif: TimeInForce, side: int, size: int, price: int, expected: list[str]
) -> None:
    venue = book().order(0, 1, side, size, price, kind, tif, display_size=2).tick(9)
    assert venue.reports() == [f"1 5 {line}" for line in expected]


# ---- what the venue refuses: (settings, type, side, size, price, stop price) and the reason

REFUSED = [
    ({"max_order_lots": 9}, OrderType.LIMIT, BUY, 10, 100, 0, "SIZE_LIMIT"),
    ({}, OrderType.LIMIT, BUY, 0, 100, 0, "SIZE_LIMIT"),
    ({"price_band_ppm": 20_000}, OrderType.LIMIT, BUY, 1, 104, 0, "PRICE_BAND"),
    ({"price_band_ppm": 20_000}, OrderType.LIMIT, SELL, 1, 97, 0, "PRICE_BAND"),
    ({"price_band_ppm": 20_000}, STOP_LIMIT, BUY, 1, 120, 110, "PRICE_BAND"),
    ({}, STOP, BUY, 1, 0, 100, "STOP_REACHED"),
    ({}, STOP, SELL, 1, 0, 100, "STOP_REACHED"),
    ({"reject_probability": 1.0}, OrderType.LIMIT, BUY, 1, 100, 0, "VENUE_REJECT"),
]


@pytest.mark.parametrize(("settings", "kind", "side", "size", "price", "stop", "reason"), REFUSED)
def test_the_venue_refuses_with_a_reason(
    settings: dict[str, float], kind: OrderType, side: int, size: int, price: int, stop: int, reason: str
) -> None:
    venue = book(**settings).trade(1, BUY, 100, 1).order(2, 1, side, size, price, kind, stop_price=stop).tick(9)
    assert venue.reports() == [f"1 7 REJECTED {reason}"]


def test_limits_far_from_the_other_side_are_inside_the_price_band() -> None:
    assert book(price_band_ppm=20_000).order(0, 1, BUY, 1, 50).order(0, 2, BUY, 1, 103).tick(9).reports(1) == [
        "1 5 NEW"
    ]


def test_messages_beyond_the_throttle_are_refused_until_it_has_recovered() -> None:
    venue = book(messages_per_second=100, message_burst=2)  # one more each 10 ms
    for number, at_ms in enumerate((0, 1, 2, 12, 13)):
        venue.order(at_ms, number, BUY, 1, 90)
    assert venue.tick(30).reports() == [
        "0 5 NEW",
        "1 6 NEW",
        "2 7 REJECTED THROTTLED",
        "3 17 NEW",
        "4 18 REJECTED THROTTLED",
    ]


def test_a_throttled_cancel_or_replacement_leaves_the_order_as_it_is() -> None:
    venue = book(messages_per_second=1, message_burst=1).order(0, 1, BUY, 1, 90).cancel(1, 1).tick(9)
    venue.replace(10, 1, 2, 91).tick(20)
    assert venue.reports() == ["1 5 NEW", "1 6 CANCEL_REJECTED THROTTLED", "1 15 CANCEL_REJECTED THROTTLED"]


def test_the_chance_of_a_refusal_is_that_of_the_settings_and_the_seed_decides_whom() -> None:
    def refused(seed: int) -> list[str]:
        venue = book(reject_probability=0.3, seed=seed)
        for number in range(200):
            venue.order(number, number, BUY, 1, 90)
        return [line for line in venue.tick(300).reports() if "VENUE_REJECT" in line]

    assert 40 <= len(refused(1)) <= 80
    assert refused(1) == refused(1) != refused(2)


# ---- stops


def test_a_buy_stop_is_triggered_by_a_trade_at_its_price_and_takes_the_book_after_that_event() -> None:
    venue = book().trade(1, BUY, 100, 1).order(2, 1, BUY, 4, 0, STOP, GTC, stop_price=102).trade(8, BUY, 101, 1)
    venue.level(9, SELL, 101, 0).trade(10, BUY, 102, 1).trade(11, BUY, 90, 1)
    assert venue.reports() == ["1 7 NEW", "1 10 TRIGGERED", "1 10 TRADE 4@102 TAKER"]


def test_a_trade_beyond_the_stop_within_a_source_event_triggers_it_at_that_events_end() -> None:
    venue = book().trade(1, BUY, 100, 1).order(2, 1, SELL, 2, 0, STOP, GTC, stop_price=98).tick(8)
    venue.trade(9, SELL, 97, 1, flags=0).trade(9, SELL, 99, 1, flags=0).level(9, BUY, 99, 0)
    assert venue.reports() == ["1 7 NEW", "1 9 TRIGGERED", "1 9 TRADE 2@98 TAKER"]


def test_a_stop_limit_rests_at_its_limit_once_triggered() -> None:
    venue = book().trade(1, BUY, 100, 1).order(2, 1, BUY, 5, 101, STOP_LIMIT, GTC, stop_price=101).trade(9, BUY, 101, 1)
    venue.level(10, SELL, 101, 0).trade(11, SELL, 101, 9)
    assert venue.reports() == ["1 7 NEW", "1 9 TRIGGERED", "1 9 TRADE 3@101 TAKER", "1 11 TRADE 2@101 MAKER"]


def test_in_a_market_of_quotes_only_the_touch_triggers_stops() -> None:
    venue = Scenario().quote(0, 1000, 1002).order(0, 1, BUY, 5, 0, STOP, GTC, stop_price=1004)
    venue.order(0, 2, SELL, 5, 0, STOP, GTC, stop_price=998)
    venue.quote(9, 1001, 1003).quote(10, 1002, 1004).quote(11, 997, 999).quote(12, 1000, 1002)
    assert venue.reports() == [
        "1 5 NEW",
        "2 5 NEW",
        "1 10 TRIGGERED",
        "1 10 TRADE 5@1004 TAKER",
        "2 11 TRIGGERED",
        "2 11 TRADE 5@997 TAKER",
    ]


def test_a_stop_that_waits_can_be_cancelled_expire_and_be_moved() -> None:
    venue = book().trade(1, BUY, 100, 1)
    for number in (1, 2, 3):
        venue.order(2, number, BUY, 1, 0, STOP, GTC, stop_price=105, expire_ts=ns(20) if number == 2 else 0)
    venue.cancel(10, 1).replace(10, 3, 1, 103).tick(19, 21).trade(22, BUY, 103, 1)
    assert venue.reports() == [
        "1 7 NEW",
        "2 7 NEW",
        "3 7 NEW",
        "1 15 CANCELLED",
        "3 15 REPLACED",
        "2 20 EXPIRED TIME_TO_LIVE",
        "3 22 TRIGGERED",
        "3 22 TRADE 1@101 TAKER",
    ]


# ---- icebergs


def test_an_iceberg_shows_a_part_at_a_time_and_each_goes_to_the_end_of_the_queue() -> None:
    venue = Scenario().ladder(0, {98: 5}, {101: 3}).order(0, 1, BUY, 5, 99, ICEBERG, display_size=2)
    venue.tick(9).level(10, BUY, 99, 4)  # others join behind the first part
    venue.trade(11, SELL, 99, 3, flags=0).level(11, BUY, 99, 3)  # 2 lots are the part's; the next is behind 3
    venue.trade(12, SELL, 99, 2, flags=0).level(12, BUY, 99, 1)  # 1 is ahead
    venue.trade(13, SELL, 99, 9, flags=0).level(13, BUY, 99, 0)  # 1 to the others, 2 to the part
    venue.trade(14, SELL, 99, 9)
    assert venue.trades() == ["1 11 TRADE 2@99 MAKER", "1 13 TRADE 2@99 MAKER", "1 14 TRADE 1@99 MAKER"]


def test_a_trade_beyond_its_price_fills_all_parts_of_an_iceberg() -> None:
    venue = Scenario().ladder(0, {98: 5}, {101: 3}).order(0, 1, BUY, 5, 99, ICEBERG, display_size=2)
    assert venue.tick(9).trade(11, SELL, 98, 9).trades() == ["1 11 TRADE 5@99 MAKER"]


def test_an_own_stop_meets_the_next_part_of_an_own_iceberg_that_the_same_event_has_filled() -> None:
    venue = Scenario(self_trade_prevention="none").ladder(0, {98: 5}, {101: 3}).trade(1, BUY, 100, 1)
    venue.order(1, 1, BUY, 5, 99, ICEBERG, display_size=2).order(2, 2, SELL, 9, 0, STOP, GTC, stop_price=99)
    venue.tick(9).trade(10, SELL, 99, 2)
    assert venue.reports()[2:] == [
        "1 10 TRADE 2@99 MAKER",
        "2 10 TRIGGERED",
        "2 10 TRADE 2@99 TAKER",
        "1 10 TRADE 2@99 MAKER",
        "2 10 TRADE 1@99 TAKER",
        "1 10 TRADE 1@99 MAKER",
        "2 10 TRADE 5@98 TAKER",
        "2 10 CANCELLED NO_LIQUIDITY",
    ]


# ---- algorithms


def test_a_twap_trades_equal_slices_over_its_time() -> None:
    venue = Scenario().quote(0, 1000, 1002).order(0, 1, BUY, 10, 0, TWAP, GTC, display_size=2, end_ts=ns(105))
    for number in range(12):
        venue.quote(6 + 10 * number, 1000, 1002 + number)
    assert venue.reports() == [
        "1 5 NEW",
        "1 5 TRADE 2@1002 TAKER",
        "1 25 TRADE 2@1003 TAKER",
        "1 45 TRADE 2@1005 TAKER",
        "1 65 TRADE 2@1007 TAKER",
        "1 85 TRADE 2@1009 TAKER",
    ]


def test_a_twap_makes_up_for_a_slice_that_found_too_little_and_gives_up_at_its_end() -> None:
    venue = Scenario().quote(0, 1000, 1002, 100, 1).order(0, 1, BUY, 9, 0, TWAP, GTC, display_size=3, end_ts=ns(35))
    venue.quote(6, 1000, 1002, 100, 0).quote(7, 1000, 1003, 100, 4).quote(16, 1000, 1004, 100, 2)
    venue.quote(30, 1000, 1005, 100, 1).quote(40, 1000, 1002)
    assert venue.reports() == [
        "1 5 NEW",
        "1 5 TRADE 1@1002 TAKER",
        "1 15 TRADE 4@1003 TAKER",
        "1 25 TRADE 2@1004 TAKER",
        "1 35 TRADE 1@1005 TAKER",
        "1 35 CANCELLED NO_LIQUIDITY",
    ]


def test_a_twap_with_a_limit_pays_no_more() -> None:
    venue = Scenario().quote(0, 1000, 1002).order(0, 1, BUY, 4, 1002, TWAP, GTC, display_size=2, end_ts=ns(25))
    venue.quote(6, 1000, 1003).quote(30, 1000, 1002)
    assert venue.reports() == ["1 5 NEW", "1 5 TRADE 2@1002 TAKER", "1 25 CANCELLED NO_LIQUIDITY"]


def minute_of_trades(lots: int = 10) -> Scenario:
    """A market that trades ``lots`` each second, for two minutes."""
    venue = Scenario(impact_coefficient=0.0).ladder(0, {99: 1_000}, {101: 1_000})
    for second in range(1, 121):
        venue.trade(1_000 * second, BUY, 101, lots)
    return venue


def test_a_vwap_keeps_step_with_the_volume_that_the_market_trades() -> None:
    venue = minute_of_trades().order(120_000, 1, BUY, 20, 0, VWAP, GTC, end_ts=ns(130_005))
    rows = venue.trade(122_000, BUY, 101, 50).trade(123_000, BUY, 101, 20).trade(140_000, BUY, 101, 1).trades()
    # about 100 lots are expected in its 10 s: half of them have traded after 2 s, seven tenths after 3 s
    assert rows == ["1 122000 TRADE 10@101 TAKER", "1 123000 TRADE 4@101 TAKER", "1 130005 TRADE 6@101 TAKER"]


def test_a_vwap_without_a_known_volume_is_a_twap() -> None:
    venue = Scenario().quote(0, 1000, 1002).order(0, 1, BUY, 4, 0, VWAP, GTC, display_size=2, end_ts=ns(25))
    assert venue.quote(6, 1000, 1003).quote(30, 1000, 1002).reports() == [
        "1 5 NEW",
        "1 5 TRADE 2@1002 TAKER",
        "1 15 TRADE 2@1003 TAKER",
    ]


def test_a_running_algorithm_can_be_cancelled_and_made_smaller() -> None:
    venue = Scenario().quote(0, 1000, 1002)
    for number in (1, 2):
        venue.order(0, number, BUY, 6, 0, TWAP, GTC, display_size=2, end_ts=ns(35))
    venue.cancel(5, 1).replace(6, 2, 4, 0).quote(6, 1000, 1002).quote(40, 1000, 1002)
    assert venue.reports(1) == ["1 5 NEW", "1 5 TRADE 2@1002 TAKER", "1 10 CANCELLED"]
    assert venue.reports(2) == ["2 5 NEW", "2 5 TRADE 2@1002 TAKER", "2 11 REPLACED", "2 20 TRADE 2@1002 TAKER"]


# ---- times in force


def test_a_day_order_expires_when_the_session_closes_and_others_stay() -> None:
    venue = Scenario().quote(0, 1000, 1002).order(0, 1, BUY, 4, 990, tif=DAY).order(0, 2, BUY, 4, 990, tif=GTC)
    venue.order(0, 3, BUY, 4, 0, STOP, DAY, stop_price=1010)
    venue.status(9, StatusCode.SESSION_CLOSE).status(20, StatusCode.SESSION_OPEN).quote(21, 980, 982)
    assert venue.reports() == [
        "1 5 NEW",
        "2 5 NEW",
        "3 5 NEW",
        "1 9 EXPIRED SESSION_CLOSE",
        "3 9 EXPIRED SESSION_CLOSE",
        "2 21 TRADE 4@990 MAKER",
    ]


def test_a_good_till_date_order_expires_at_its_date() -> None:
    venue = Scenario().quote(0, 1000, 1002).order(0, 1, BUY, 4, 990, tif=GTD, expire_ts=ns(50)).quote(60, 1000, 1002)
    assert venue.reports() == ["1 5 NEW", "1 50 EXPIRED TIME_TO_LIVE"]


# ---- replacements


def test_a_smaller_size_at_the_same_price_keeps_the_place_in_the_queue() -> None:
    venue = Scenario().ladder(0, {99: 5}, {101: 3}).order(0, 1, BUY, 4, 99).tick(6).level(7, BUY, 99, 50)
    venue.replace(10, 1, 3, 99).tick(16).trade(17, SELL, 99, 7)
    assert venue.reports() == ["1 5 NEW", "1 15 REPLACED", "1 17 TRADE 2@99 MAKER"]


@pytest.mark.parametrize(("size", "price"), [(5, 99), (4, 98)])
def test_a_larger_size_or_another_price_goes_to_the_end_of_the_queue(size: int, price: int) -> None:
    venue = Scenario().ladder(0, {99: 5, 98: 5}, {101: 3}).order(0, 1, BUY, 4, 99).tick(6)
    venue.level(7, BUY, 99, 50).level(7, BUY, 98, 50)
    venue.replace(10, 1, size, price).tick(16).trade(17, SELL, price, 49)
    assert venue.reports() == ["1 5 NEW", "1 15 REPLACED"]
    assert venue.trade(18, SELL, price, 3).trades() == ["1 18 TRADE 2@99 MAKER".replace("99", str(price))]


def test_a_replacement_across_the_touch_takes() -> None:
    venue = book().order(0, 1, BUY, 4, 98).replace(6, 1, 4, 102).tick(20)
    assert venue.reports() == ["1 5 NEW", "1 11 REPLACED", "1 11 TRADE 3@101 TAKER", "1 11 TRADE 1@102 TAKER"]


def test_a_replacement_to_no_more_than_is_filled_ends_the_order() -> None:
    venue = book().order(0, 1, BUY, 5, 101).replace(6, 1, 3, 101).tick(20)
    assert venue.reports() == ["1 5 NEW", "1 5 TRADE 3@101 TAKER", "1 11 CANCELLED"]


@pytest.mark.parametrize(
    ("settings", "kind", "size", "price", "reason"),
    [
        ({"max_order_lots": 9}, OrderType.LIMIT, 10, 98, "SIZE_LIMIT"),
        ({"price_band_ppm": 10_000}, OrderType.LIMIT, 4, 104, "PRICE_BAND"),
        ({}, POST_ONLY, 4, 101, "WOULD_TAKE"),
    ],
)
def test_a_replacement_that_the_venue_does_not_accept_leaves_the_order_as_it_is(
    settings: dict[str, int], kind: OrderType, size: int, price: int, reason: str
) -> None:
    venue = book(**settings).order(0, 1, BUY, 4, 97, kind).replace(6, 1, size, price).tick(12)
    venue.trade(20, SELL, 96, 50)
    assert venue.reports() == ["1 5 NEW", f"1 11 CANCEL_REJECTED {reason}", "1 20 TRADE 4@97 MAKER"]


def test_messages_about_one_order_arrive_in_the_order_of_their_sending() -> None:
    quantiles = (0, 40_000_000)
    for seed in range(20):
        venue = book(order_latency_quantiles_ns=quantiles, seed=seed)
        venue.order(0, 1, BUY, 4, 90).replace(1, 1, 3, 91).cancel(2, 1).tick(100)
        kinds = [line.split()[2] for line in venue.reports()]
        assert kinds == ["NEW", "REPLACED", "CANCELLED"]


# ---- self-trade prevention: an own sell of 4 rests at 100, an own buy of 6 comes at 101


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("none", ["2 11 TRADE 4@100 TAKER", "1 11 TRADE 4@100 MAKER", "2 11 TRADE 2@101 TAKER"]),
        ("cancel_incoming", ["2 11 CANCELLED SELF_TRADE"]),
        ("cancel_resting", ["1 11 CANCELLED SELF_TRADE", "2 11 TRADE 3@101 TAKER"]),
        ("cancel_both", ["1 11 CANCELLED SELF_TRADE", "2 11 CANCELLED SELF_TRADE"]),
    ],
)
def test_own_orders_that_would_trade_with_each_other(mode: str, expected: list[str]) -> None:
    venue = book(self_trade_prevention=mode).order(0, 1, SELL, 4, 100).order(6, 2, BUY, 6, 101).tick(20)
    assert venue.reports() == ["1 5 NEW", "2 11 NEW", *expected]


def test_lots_displayed_before_an_own_order_at_its_price_trade_before_it() -> None:
    venue = book(self_trade_prevention="none").order(0, 1, SELL, 4, 101).tick(6).level(7, SELL, 101, 9)
    venue.order(8, 2, BUY, 10, 101).tick(20)
    assert venue.trades() == [
        "2 13 TRADE 3@101 TAKER",
        "2 13 TRADE 4@101 TAKER",
        "1 13 TRADE 4@101 MAKER",
        "2 13 TRADE 3@101 TAKER",
    ]


@pytest.mark.parametrize(
    ("mode", "fills"), [("none", True), ("cancel_incoming", False), ("cancel_resting", False), ("cancel_both", False)]
)
def test_fill_or_kill_counts_own_orders_only_where_they_may_trade(mode: str, fills: bool) -> None:
    venue = book(self_trade_prevention=mode).order(0, 1, SELL, 4, 100).order(6, 2, BUY, 7, 101, tif=FOK).tick(20)
    assert bool(venue.trades(2)) == fills
    assert venue.reports(1)[-1] == ("1 11 TRADE 4@100 MAKER" if fills else "1 5 NEW")


def test_a_post_only_order_that_would_meet_an_own_order_is_refused() -> None:
    venue = book().order(0, 1, SELL, 4, 100).order(6, 2, BUY, 6, 100, POST_ONLY).tick(20)
    assert venue.reports(2) == ["2 11 REJECTED WOULD_TAKE"]


def test_an_own_order_behind_the_last_level_that_a_walk_takes_is_not_met() -> None:
    venue = book(max_walk_levels=1).order(0, 1, SELL, 4, 102).order(6, 2, BUY, 9, 103, tif=IOC).tick(20)
    assert venue.reports(2) == ["2 11 NEW", "2 11 TRADE 3@101 TAKER", "2 11 CANCELLED NO_LIQUIDITY"]
    assert venue.reports(1) == ["1 5 NEW"]
