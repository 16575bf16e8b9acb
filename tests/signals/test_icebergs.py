from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from chimera_platform.market.events import BUY, SELL, EventFlag, EventKind, StatusCode
from chimera_platform.market.instruments import Universe, load_instruments
from chimera_platform.signals.detector_stream import DetectorStream
from chimera_platform.signals.detectors import DetectorSettings
from chimera_platform.signals.iceberg_candidates import GROUPS, SUSPECTS_MAX, WAYS
from chimera_platform.signals.icebergs import IcebergSettings
from chimera_platform.signals.records import Detector, Stage
from tests.reference.event_streams import Record, make_events

MS = 1_000_000
UNIVERSE = Universe([load_instruments()["XAUUSD"]])


def stream_of(**changes: Any) -> DetectorStream:
    return DetectorStream(UNIVERSE, DetectorSettings(icebergs=IcebergSettings(**changes)))


def said(*rows: Record, stream: DetectorStream | None = None, **changes: Any) -> np.ndarray[Any, Any]:
    found = (stream or stream_of(**changes)).run(make_events(*rows), 0)
    return found[found["detector"] == Detector.ICEBERG]


def order(kind: EventKind, ms: float, size: int = 5, order_id: int = 7, price: int = 99, **more: int) -> Record:
    return {
        "kind": kind,
        "ts_event": int(ms * MS),
        "side": BUY,
        "price": price,
        "size": size,
        "order_id": order_id,
    } | more


def asks() -> Record:
    return {"kind": EventKind.ADD, "side": SELL, "price": 101, "size": 10, "order_id": 1}


def refilled(ms: float, size: int = 5, back: int = 5, **more: int) -> list[Record]:
    """One source event that trades an order away and shows it again."""
    return [order(EventKind.EXECUTE, ms, size, flags=0, **more), order(EventKind.ADD, ms, back, **more)]


# ---- native ------------------------------------------------------------------------------------------------------


def test_an_order_shown_again_under_its_own_id_is_an_iceberg() -> None:
    rows = said(asks(), order(EventKind.ADD, 0), *refilled(1))
    assert rows["stage"].tolist() == [Stage.CONFIRMED] and rows["event_no"].tolist() == [3]
    row = rows[0]
    assert (row["price_low"], row["price_high"], row["size"], row["side"]) == (99, 99, 5, BUY)
    assert row["evidence"].tolist() == [5.0, 1.0, 5.0, 1.0] and row["strength"] == 0.5 and row["ts_start"] == MS


def test_a_refill_shows_the_least_share_of_what_was_shown_at_most() -> None:
    for back, stages in [(4, [Stage.CONFIRMED]), (3, [])]:
        events = [asks(), order(EventKind.ADD, 0), *refilled(1, back=back)]
        assert said(*events, refill_share_min=0.8)["stage"].tolist() == stages


def test_further_refills_count_towards_a_higher_threshold() -> None:
    events = [asks(), order(EventKind.ADD, 0), *refilled(1), *refilled(2), *refilled(3, back=2)]
    rows = said(*events, native_refills=3)
    assert rows["stage"].tolist() == [Stage.FORMING, Stage.CONFIRMED] and rows["event_no"].tolist() == [5, 7]
    # 15 lots traded, 5 shown at most, 12 came back in parts of 5, 5 and 2
    assert rows["size"][1] == 15
    assert rows["evidence"][1].tolist() == [5.0, 3.0, 12.0, 144 / (3 * 54)]


def test_an_iceberg_that_is_withdrawn_or_traded_through_has_failed() -> None:
    begun = [asks(), order(EventKind.ADD, 0), *refilled(1)]
    rows = said(*begun, order(EventKind.DELETE, 2))
    assert rows["stage"].tolist() == [Stage.CONFIRMED, Stage.FAILED] and rows["event_no"].tolist() == [3, 4]
    tick = {"kind": EventKind.STATUS, "price": StatusCode.RESUME}
    used_up = [*begun, order(EventKind.EXECUTE, 2)]
    rows = said(*used_up, {**tick, "ts_event": 502 * MS}, {**tick, "ts_event": 502 * MS + 1})
    assert rows["stage"].tolist() == [Stage.CONFIRMED, Stage.FAILED] and rows["event_no"].tolist() == [3, 6]
    assert rows["size"][1] == 10


def test_what_rests_untouched_is_forgotten() -> None:
    begun = [asks(), order(EventKind.ADD, 0), *refilled(1)]
    late = order(EventKind.ADD, 2000, order_id=9)
    assert len(said(*begun, late, order(EventKind.DELETE, 2001), idle_ms=1999)) == 2
    assert len(said(*begun, late, order(EventKind.DELETE, 2001), idle_ms=1998)) == 1


@pytest.mark.parametrize(
    "events",
    [
        [order(EventKind.EXECUTE, 1), order(EventKind.ADD, 1, order_id=8)],
        [order(EventKind.EXECUTE, 1), order(EventKind.ADD, 1, price=98)],
        [order(EventKind.EXECUTE, 1), order(EventKind.ADD, 1, side=SELL)],
        [order(EventKind.EXECUTE, 1), order(EventKind.ADD, 502)],
        [order(EventKind.EXECUTE, 1, 2), order(EventKind.DELETE, 1, 3), order(EventKind.ADD, 1)],
        [order(EventKind.EXECUTE, 1, flags=EventFlag.LAST | EventFlag.HIDDEN), order(EventKind.ADD, 1)],
        [order(EventKind.EXECUTE, 1), order(EventKind.ADD, 1, flags=EventFlag.LAST | EventFlag.SNAPSHOT)],
        [order(EventKind.EXECUTE, 1, 0), order(EventKind.ADD, 1)],
        [order(EventKind.EXECUTE, 1, order_id=0), order(EventKind.ADD, 1, order_id=0)],
        [order(EventKind.EXECUTE, 1), {"kind": EventKind.CLEAR}, order(EventKind.ADD, 1)],
        [order(EventKind.EXECUTE, 1), {"kind": EventKind.STATUS, "price": StatusCode.GAP}, order(EventKind.ADD, 1)],
    ],
    ids=[
        "other id",
        "other price",
        "other side",
        "too late",
        "changed by its owner",
        "hidden execution",
        "snapshot",
        "nothing traded",
        "no id",
        "cleared book",
        "lost messages",
    ],
)
def test_what_is_no_iceberg_is_none(events: list[Record]) -> None:
    assert len(said(asks(), order(EventKind.ADD, 0), *events)) == 0


def test_size_that_comes_back_at_the_last_moment_counts() -> None:
    at_501 = order(EventKind.ADD, 501)
    assert len(said(asks(), order(EventKind.ADD, 0), order(EventKind.EXECUTE, 1), at_501)) == 1
    assert len(said(*BOOK, bought(1, 5), level(2, 0), level(501, 5), synthetic_refills=1)) == 1


def test_the_table_is_bounded_and_loses_the_least_recently_traded() -> None:
    stream = stream_of()
    others = [order(EventKind.EXECUTE, 2, 1, order_id=k) for k in range(100, 100 + 20 * GROUPS * WAYS)]
    rows = said(asks(), order(EventKind.EXECUTE, 1), *others, order(EventKind.ADD, 2), stream=stream)
    assert len(rows) == 0
    assert 0.9 * GROUPS * WAYS < stream.states["icebergs"]["candidates"]["count"][0] <= GROUPS * WAYS
    few = others[:3]
    assert len(said(asks(), order(EventKind.EXECUTE, 1), *few, order(EventKind.ADD, 2))) == 1


def test_more_icebergs_at_once_than_are_watched_are_counted() -> None:
    stream = stream_of()
    many = [each for k in range(100, 102 + SUSPECTS_MAX) for each in refilled(1, order_id=k, price=99)]
    rows = said(asks(), *many, stream=stream)
    assert len(rows) == SUSPECTS_MAX and stream.states["icebergs"]["candidates"]["missed"][0] == 2


# ---- synthetic ---------------------------------------------------------------------------------------------------


def level(ms: float, size: int, price: int = 101, side: int = SELL, **more: int) -> Record:
    return {"kind": EventKind.LEVEL, "ts_event": int(ms * MS), "side": side, "price": price, "size": size} | more


def bought(ms: float, size: int, price: int = 101) -> Record:
    return {"kind": EventKind.TRADE, "ts_event": int(ms * MS), "side": BUY, "price": price, "size": size}


def used_up_and_back(ms: float, size: int, back: int) -> list[Record]:
    return [bought(ms, size), level(ms, 0), level(ms + 100, back)]


BOOK = [level(0, 9, 99, BUY), level(0, 5), level(0, 20, 102)]


def test_a_level_that_comes_back_three_times_is_an_iceberg() -> None:
    rows = said(*BOOK, *used_up_and_back(1000, 5, 5), *used_up_and_back(2000, 5, 5), *used_up_and_back(3000, 5, 5))
    assert rows["stage"].tolist() == [Stage.FORMING, Stage.CONFIRMED] and rows["event_no"].tolist() == [8, 11]
    assert (rows["side"] == SELL).all() and (rows["price_low"] == 101).all()
    assert rows["evidence"][1].tolist() == [5.0, 3.0, 15.0, 1.0] and rows["size"][1] == 15
    assert rows["strength"][1] == 0.75


def test_prints_beyond_the_displayed_size_count_as_hidden_before_the_level_is_seen_again() -> None:
    # 12 lots trade against 5 displayed, then the level shows 3: 7 + 3 were hidden.
    rows = said(*BOOK, bought(1, 4), bought(2, 8), level(3, 3), synthetic_refills=1)
    assert rows["evidence"].tolist() == [[5.0, 1.0, 10.0, 1.0]]


def test_irregular_refills_stay_a_suspicion() -> None:
    events = [*used_up_and_back(1000, 5, 1), *used_up_and_back(2000, 1, 30), *used_up_and_back(3000, 30, 5)]
    assert said(*BOOK, *events)["stage"].tolist() == [Stage.FORMING]
    assert said(*BOOK, *events, regularity=0.4)["stage"].tolist() == [Stage.FORMING, Stage.CONFIRMED]


@pytest.mark.parametrize(
    "events",
    [
        [bought(1, 4), level(2, 1), level(3, 5)],
        [bought(1, 5), level(2, 0), level(502, 5)],
        [level(1, 0), level(2, 5)],
        [bought(1, 5, 103), level(2, 5, 103)],
        [bought(1, 5), level(2, 5, flags=EventFlag.LAST | EventFlag.WINDOW)],
        [{**bought(1, 5), "side": 0}, level(2, 5)],
    ],
    ids=["not used up", "too late", "nothing traded", "not displayed", "view only", "no aggressor"],
)
def test_what_may_be_anything_is_not_counted(events: list[Record]) -> None:
    assert len(said(*BOOK, *events, synthetic_refills=1)) == 0
    assert len(said(*BOOK, bought(1, 5), level(2, 5), synthetic_refills=1)) == 1


def test_a_level_that_is_traded_through_has_failed() -> None:
    gone = [bought(2000, 5), level(2000, 0), level(2600, 21, 102)]
    rows = said(*BOOK, *used_up_and_back(1000, 5, 5), *gone, synthetic_refills=1)
    assert rows["stage"].tolist() == [Stage.CONFIRMED, Stage.FAILED] and rows["event_no"][1] == 8


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"refill_ms": -1}, "refill_ms"),
        ({"native_refills": 0}, "native_refills"),
        ({"synthetic_refills": 0}, "synthetic_refills"),
        ({"regularity": 1.5}, "regularity"),
        ({"idle_ms": 0}, "idle_ms"),
        ({"peak": 5}, "peak"),
    ],
)
def test_settings_out_of_bounds_are_refused_by_name(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        IcebergSettings(**changes)
