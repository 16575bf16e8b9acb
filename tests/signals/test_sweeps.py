from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from chimera_platform.market.events import BUY, SELL, EventFlag, EventKind, StatusCode
from chimera_platform.market.instruments import Universe, load_instruments
from chimera_platform.signals.detector_stream import DetectorStream
from chimera_platform.signals.detectors import DetectorSettings
from chimera_platform.signals.records import Detector, Stage
from chimera_platform.signals.sweep_burst import STEPS_MAX
from chimera_platform.signals.sweep_returns import FOLLOWED_MAX
from chimera_platform.signals.sweeps import SweepSettings
from tests.reference.event_streams import Record, make_events

MS = 1_000_000
UNIVERSE = Universe([load_instruments()["XAUUSD"]])


def said(*rows: Record, **changes: Any) -> np.ndarray[Any, Any]:
    stream = DetectorStream(UNIVERSE, DetectorSettings(sweeps=SweepSettings(**changes)))
    found = stream.run(make_events(*rows), 0)
    return found[found["detector"] == Detector.SWEEP]


def at(price: int, aggressor: int) -> int:
    """Mirror the ask side's prices for a seller."""
    return price if aggressor == BUY else 200 - price


def ladder(aggressor: int = BUY, levels: int = 6) -> list[Record]:
    """Rows 0 to levels: one level on the aggressor's own side, then ten lots at 101, 102, … (mirrored for a seller)."""
    own = {"kind": EventKind.ADD, "side": aggressor, "price": at(99, aggressor), "size": 10}
    return [own] + [
        {"kind": EventKind.ADD, "side": -aggressor, "price": at(101 + k, aggressor), "size": 10} for k in range(levels)
    ]


def fill(ms: float, price: int, size: int = 10, aggressor: int = BUY, **more: int) -> Record:
    """One fill against the resting order at a price."""
    resting = {"kind": EventKind.EXECUTE, "side": -aggressor, "price": at(price, aggressor), "size": size}
    return {"ts_event": int(ms * MS), **resting, **more}


def sweep(aggressor: int = BUY, levels: int = 5, gap_ms: float = 4.0) -> list[Record]:
    """Two levels at once, then the others, in two source events."""
    first = [fill(1, 101, aggressor=aggressor, flags=0), fill(1, 102, aggressor=aggressor)]
    rest = [fill(1 + gap_ms, 101 + k, aggressor=aggressor, flags=0) for k in range(2, levels)]
    rest[-1]["flags"] = EventFlag.LAST
    return first + rest


def quote_back(ms: float, price: int, aggressor: int = BUY) -> Record:
    resting = {"kind": EventKind.ADD, "side": -aggressor, "price": at(price, aggressor), "size": 1}
    return {"ts_event": int(ms * MS), **resting}


@pytest.mark.parametrize("aggressor", [BUY, SELL])
def test_five_levels_in_two_orders_are_a_sweep_and_a_return_traps_what_was_bought_beyond(aggressor: int) -> None:
    rows = said(*ladder(aggressor), *sweep(aggressor), quote_back(1000, 101, aggressor))
    assert rows["stage"].tolist() == [Stage.CONFIRMED, Stage.FAILED]
    assert rows["event_no"].tolist() == [11, 12] and rows["detection_no"].tolist() == [0, 0]
    assert (rows["side"] == aggressor).all() and (rows["ts_start"] == MS).all() and (rows["size"] == 50).all()
    assert (rows["price_low"] == min(at(101, aggressor), at(105, aggressor))).all()
    assert (rows["price_high"] == max(at(101, aggressor), at(105, aggressor))).all()
    # five levels, 50 of the 60 lots displayed, 40 beyond the first price
    assert rows["evidence"].tolist() == [[5.0, 50 / 60, 40.0, 0.0], [5.0, 50 / 60, 40.0, 40.0]]
    assert rows["strength"].tolist() == [0.5, 0.5]


def test_a_quote_short_of_the_start_or_too_late_traps_nobody() -> None:
    assert len(said(*ladder(), *sweep(), quote_back(1000, 102))) == 1
    assert len(said(*ladder(), *sweep(), quote_back(30_006, 101))) == 1
    assert len(said(*ladder(), *sweep(), quote_back(30_005, 101))) == 2


def test_a_crossed_book_is_no_return() -> None:
    crossing = {"kind": EventKind.ADD, "side": BUY, "price": 105, "size": 1, "ts_event": 900 * MS}
    assert len(said(*ladder(), *sweep(), crossing, quote_back(1000, 101))) == 1


def test_the_same_levels_too_slowly_are_none() -> None:
    assert said(*ladder(), *sweep(gap_ms=50))["stage"].tolist() == [Stage.CONFIRMED]
    # The first two levels have left the window: three remain, in one order.
    assert said(*ladder(), *sweep(gap_ms=51))["stage"].tolist() == [Stage.FORMING]
    slow = [fill(30 * k, 101 + k) for k in range(6)]
    assert len(said(*ladder(levels=12), *slow)) == 0


def test_three_levels_announce_a_sweep_that_fails_with_the_window() -> None:
    rows = said(*ladder(), fill(1, 101), fill(2, 102), fill(3, 103), quote_back(60, 110))
    assert rows["stage"].tolist() == [Stage.FORMING, Stage.FAILED]
    assert rows["event_no"].tolist() == [9, 10] and rows["evidence"][:, 3].tolist() == [0, 0]


def test_one_large_order_is_a_sweep_only_where_one_is_enough() -> None:
    order = [fill(1, 101 + k, flags=0) for k in range(4)] + [fill(1, 105)]
    assert said(*ladder(), *order)["stage"].tolist() == [Stage.FORMING]
    assert said(*ladder(), *order, orders=1)["stage"].tolist() == [Stage.CONFIRMED]


def test_equal_timestamps_are_within_the_window() -> None:
    rows = said(*ladder(), *(fill(1, 101 + k) for k in range(5)))
    assert rows["stage"].tolist() == [Stage.FORMING, Stage.CONFIRMED]
    assert rows["event_no"].tolist() == [9, 11]


def test_a_level_that_is_not_used_up_is_not_taken() -> None:
    assert said(*ladder(), *sweep(levels=4), fill(6, 105, size=9))["stage"].tolist() == [Stage.FORMING]


def test_a_sweep_needs_the_least_number_of_lots() -> None:
    assert said(*ladder(), *sweep(), lots_min=50)["stage"].tolist() == [Stage.CONFIRMED]
    assert said(*ladder(), *sweep(), lots_min=51)["stage"].tolist() == [Stage.FORMING]
    assert said(*ladder(), *sweep(), fill(6, 106, size=1), lots_min=51)["stage"].tolist()[-1] == Stage.CONFIRMED


@pytest.mark.parametrize("aggressor", [BUY, SELL])
def test_a_sweep_moves_the_price_at_least_so_far(aggressor: int) -> None:
    moved = 4 / at(101, aggressor)
    for share, stage in [(moved * 0.999, Stage.CONFIRMED), (moved * 1.001, Stage.FORMING)]:
        assert said(*ladder(aggressor), *sweep(aggressor), move_min=share)["stage"].tolist() == [stage]


def test_most_of_the_depth_is_a_sweep_of_two_levels() -> None:
    two_of_three = [*ladder(levels=3), fill(1, 101), fill(2, 102)]
    rows = said(*two_of_three, depth_levels=3, depth_share=0.6)
    assert rows["stage"].tolist() == [Stage.CONFIRMED] and rows["evidence"][0].tolist() == [2.0, 20 / 30, 10.0, 0.0]
    assert len(said(*two_of_three, depth_levels=3, depth_share=0.7)) == 0
    assert len(said(*two_of_three, depth_levels=4, depth_share=0.6)) == 0, "the depth of four levels is not known"


def test_a_trade_of_the_other_side_ends_the_run() -> None:
    other = {"kind": EventKind.EXECUTE, "side": BUY, "price": 99, "size": 1, "ts_event": 4 * MS}
    rows = said(*ladder(), *sweep(levels=4, gap_ms=2), other, fill(5, 105))
    assert rows["stage"].tolist() == [Stage.FORMING, Stage.FAILED] and rows["event_no"][1] == 11


@pytest.mark.parametrize(
    "breaker",
    [
        {"kind": EventKind.CLEAR},
        {"kind": EventKind.STATUS, "price": StatusCode.GAP},
        {"kind": EventKind.MODIFY, "side": BUY, "price": 99, "size": 3},
    ],
    ids=["clear", "gap", "unresolved modification"],
)
def test_nothing_is_carried_over_lost_messages(breaker: Record) -> None:
    broken = {**breaker, "ts_event": 4 * MS}
    rows = said(*ladder(), *sweep(levels=4, gap_ms=2), broken, fill(5, 105))
    assert rows["stage"].tolist() == [Stage.FORMING, Stage.FAILED]
    assert len(said(*ladder(), *sweep(), {**breaker, "ts_event": 9 * MS}, quote_back(10, 101))) == 1


def test_hidden_and_empty_executions_say_nothing() -> None:
    hidden = [fill(1, 101 + k, flags=EventFlag.LAST | EventFlag.HIDDEN) for k in range(6)]
    assert len(said(*ladder(), *hidden)) == 0
    assert len(said(*ladder(), *(fill(1, 101 + k, size=0) for k in range(6)))) == 0


def test_prints_on_levels_make_a_sweep_too() -> None:
    levels = [{"kind": EventKind.LEVEL, "side": SELL, "price": 101 + k, "size": 10} for k in range(6)]
    bid = {"kind": EventKind.LEVEL, "side": BUY, "price": 99, "size": 10}
    prints = [
        {"kind": EventKind.TRADE, "side": BUY, "price": 101 + k, "size": 10, "ts_event": k * MS} for k in range(5)
    ]
    gone = {"kind": EventKind.LEVEL, "side": SELL, "size": 0, "ts_event": 9 * MS}
    rows = said(bid, *levels, *prints, *({**gone, "price": 101 + k} for k in range(5)))
    # Four prices are traded through with the fifth print; that the fifth level is gone shows with its update.
    assert rows["stage"].tolist() == [Stage.FORMING, Stage.CONFIRMED] and rows["event_no"].tolist() == [10, 16]
    assert rows["evidence"][1].tolist() == [5.0, 50 / 60, 40.0, 0.0]


def test_prints_without_a_book_count_what_was_traded_through() -> None:
    def prints(count: int, side: int = BUY) -> list[Record]:
        return [{"kind": EventKind.TRADE, "side": side, "price": 101 + k, "size": 1} for k in range(count)]

    assert said(*prints(5))["stage"].tolist() == [Stage.FORMING]
    rows = said(*prints(6))
    assert rows["stage"].tolist() == [Stage.FORMING, Stage.CONFIRMED] and rows["evidence"][1, 1] == 0.0
    assert len(said(*prints(6, side=0))) == 0


def test_a_run_past_every_bound_is_one_sweep_to_its_last_price() -> None:
    rows = said(
        *({"kind": EventKind.TRADE, "side": BUY, "price": 100 + k, "size": 1} for k in range(3 * STEPS_MAX)),
        {"kind": EventKind.QUOTE, "price": 90, "size": 1, "ask_price": 100, "ask_size": 1, "ts_event": 60 * MS},
    )
    assert rows["stage"].tolist() == [Stage.FORMING, Stage.CONFIRMED, Stage.FAILED]
    assert rows["price_high"][2] == 100 + 3 * STEPS_MAX - 1 and rows["size"][2] == 3 * STEPS_MAX
    assert rows["evidence"][2, 3] == 3 * STEPS_MAX - 1


def test_more_sweeps_than_are_followed_lose_the_oldest() -> None:
    sweeps = [
        {"kind": EventKind.TRADE, "side": BUY, "price": 100 + k, "size": 1, "ts_event": n * 100 * MS}
        for n in range(FOLLOWED_MAX + 2)
        for k in range(6)
    ]
    back = {"kind": EventKind.QUOTE, "price": 90, "size": 1, "ask_price": 100, "ask_size": 1, "ts_event": 2000 * MS}
    rows = said(*sweeps, back)
    failed = rows["detection_no"][rows["stage"] == Stage.FAILED]
    assert failed.tolist() == list(range(2, FOLLOWED_MAX + 2))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"levels": 1}, "levels"),
        ({"window_ms": 0}, "window_ms"),
        ({"depth_share": 0.0}, "depth_share"),
        ({"levels": STEPS_MAX + 1}, "levels"),
        ({"levels": 3, "forming_levels": 3}, "forming_levels 3 must be below levels 3"),
        ({"depth": 3}, "depth"),
        ({"orders": 0}, "orders"),
    ],
)
def test_settings_out_of_bounds_are_refused_by_name(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        SweepSettings(**changes)
