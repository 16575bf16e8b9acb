"""Whatever a feed sends, detectors say finite, well-formed rows, whole lives, and the same for any cut into batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from chimera_platform.market.book import BOOK_LEVELS
from chimera_platform.market.events import BUY, SELL, EventFlag, EventKind, StatusCode
from chimera_platform.market.instruments import Universe, load_instruments
from chimera_platform.signals.absorption import AbsorptionSettings
from chimera_platform.signals.detector_stream import DetectorStream
from chimera_platform.signals.detectors import DetectorSettings
from chimera_platform.signals.icebergs import IcebergSettings
from chimera_platform.signals.records import Detector, Stage
from chimera_platform.signals.sweeps import SweepSettings
from tests.reference.event_streams import Record, make_events

MS, SECOND = 1_000_000, 1_000_000_000
UNIVERSE = Universe([load_instruments()["XAUUSD"]])
# Easy to meet, so that a few records go through every stage.
EAGER = DetectorSettings(
    sweeps=SweepSettings(window_ms=500, levels=3, forming_levels=2, orders=1),
    icebergs=IcebergSettings(synthetic_refills=2),
    absorption=AbsorptionSettings(
        volume_multiple=2.0, warm_trades=1, window_ms=60_000, displacement_share=1.0, hold_ms=30
    ),
)
HUGE = 1 << 45  # ticks and lots: far beyond any market, and sums of a few still fit


def level(side: int, price: int, size: int, **more: int) -> Record:
    return {"kind": EventKind.LEVEL, "side": side, "price": price, "size": size, **more}


def bought(price: int, size: int, **more: int) -> Record:
    return {"kind": EventKind.TRADE, "side": BUY, "price": price, "size": size, **more}


def status(code: StatusCode) -> Record:
    return {"kind": EventKind.STATUS, "price": code}


def ladder(middle: int = 100, size: int = 10) -> list[Record]:
    """Ten levels a side."""
    return [level(side, middle - side * k, size) for k in range(1, 11) for side in (BUY, SELL)]


def episode(middle: int = 100, size: int = 10) -> list[Record]:
    """A sweep of four ask levels that comes back, refills of one ask, trades into a level that holds."""
    rows: list[Record] = []
    for k in range(1, 5):
        rows += [bought(middle + k, size), level(SELL, middle + k, 0)]
    rows += [level(SELL, middle + k, size) for k in range(1, 5)]
    for _ in range(4):
        rows += [bought(middle + 1, size), level(SELL, middle + 1, 0), level(SELL, middle + 1, size)]
    sold = {"kind": EventKind.TRADE, "side": SELL, "price": middle - 1, "size": size}
    return [*rows, *[row for k in range(3) for row in (sold, level(BUY, middle - 1, size + k))], *ladder(middle, size)]


def played(records: list[Record], step_ns: int = 20 * MS) -> np.ndarray[Any, Any]:
    """Return the records ``step_ns`` apart, each a source event of its own unless it says otherwise."""
    return make_events(*({"ts_event": SECOND + i * step_ns, "seq": i, **row} for i, row in enumerate(records)))


def with_pause(pause: list[Record]) -> list[Record]:
    """An episode of which the middle is interrupted, and another one."""
    first = episode()
    return [*ladder(), *first[:19], *pause, *first[19:], *ladder(), *episode()]


SNAPSHOT = [{**row, "flags": EventFlag.SNAPSHOT} for row in ladder()]
REBUILD = [{"kind": EventKind.CLEAR, "flags": 0}, *SNAPSHOT, level(BUY, 99, 10)]

AWKWARD: dict[str, Callable[[], np.ndarray[Any, Any]]] = {
    "nothing but a status": lambda: played([status(StatusCode.SESSION_OPEN)]),
    "trades before any book": lambda: played([bought(100 + k, 5) for k in range(6)]),
    "locked book": lambda: played([*ladder(), level(BUY, 101, 5), *episode()]),
    "crossed book": lambda: played([*ladder(), level(BUY, 103, 5), *episode()]),
    "bids only": lambda: played([row for row in [*ladder(), *episode()] if row.get("side") == BUY]),
    "asks only": lambda: played([row for row in [*ladder(), *episode()] if row["kind"] != 6 or row["side"] == SELL]),
    "sizes of zero": lambda: played([*ladder(), *({**row, "size": 0} for row in episode()), *episode()]),
    "no side": lambda: played([*ladder(), *({**row, "side": 0} for row in episode()), *episode()]),
    "huge prices": lambda: played([*ladder(HUGE), *episode(HUGE)]),
    "prices below zero": lambda: played([*ladder(-HUGE), *episode(-HUGE), *ladder(0), *episode(0)]),
    "huge sizes": lambda: played([*ladder(size=HUGE), *episode(size=HUGE), *episode(size=1)]),
    "thousands of levels": lambda: played([*deep_book(), *episode()], step_ns=MS),
    "equal timestamps": lambda: played([*ladder(), *episode(), *episode()], step_ns=0),
    "one source event": lambda: played([*ladder(), *({**row, "flags": 0} for row in episode()), level(BUY, 98, 3)]),
    "time that goes back": lambda: played([*ladder(), *episode(), *episode()], step_ns=-100 * MS),
    "time that leaps": lambda: played([*ladder(), *episode(), *episode()], step_ns=86_400 * SECOND),
    "session break": lambda: played(
        with_pause([status(StatusCode.SESSION_CLOSE), *episode(), status(StatusCode.SESSION_OPEN)])
    ),
    "halt": lambda: played(with_pause([status(StatusCode.HALT), *episode(), status(StatusCode.RESUME)])),
    "clear without a snapshot": lambda: played(with_pause([{"kind": EventKind.CLEAR}])),
    "rebuild": lambda: played(with_pause(REBUILD)),
    "lost messages": lambda: played(with_pause([status(StatusCode.GAP), *episode()[:6], *REBUILD])),
    "order without an id": lambda: played(orders(0)),
    "order with a negative id": lambda: played(orders(-7)),
    "quotes": lambda: played(list(quotes())),
}
OVER_THE_BREAK = ("clear without a snapshot", "rebuild", "lost messages")


def deep_book() -> Iterator[Record]:
    for k in range(1, BOOK_LEVELS + 500):
        yield level(BUY, 100 - k, 10, flags=0)
        yield level(SELL, 100 + k, 10, flags=0)


def orders(order_id: int) -> list[Record]:
    at = {"side": SELL, "price": 101, "size": 5, "order_id": order_id}
    own, more = {"kind": EventKind.EXECUTE, **at}, {"kind": EventKind.ADD, **at}
    return [*ladder(), *[row for _ in range(4) for row in (more, own)], {"kind": EventKind.DELETE, **at}, own]


def quotes() -> Iterator[Record]:
    for k in range(40):
        bid, ask = 100 + k % 3, 101 + (k % 5) - (k % 2)
        yield {"kind": EventKind.QUOTE, "price": bid, "size": k % 4, "ask_price": ask, "ask_size": k % 3}
        yield bought(ask, k % 2)


def said(events: np.ndarray[Any, Any], cut: int) -> np.ndarray[Any, Any]:
    stream = DetectorStream(UNIVERSE, EAGER)
    return np.concatenate([stream.run(events[i : i + cut], i) for i in range(0, len(events), cut)])


@pytest.mark.parametrize("name", AWKWARD)
def test_an_awkward_stream_gives_well_formed_rows(name: str) -> None:
    events = AWKWARD[name]()
    rows = said(events, len(events))
    assert np.isfinite(rows["strength"]).all() and np.isfinite(rows["evidence"]).all()
    assert ((rows["strength"] >= 0) & (rows["strength"] <= 1)).all()
    assert (rows["price_low"] <= rows["price_high"]).all() and (rows["size"] >= 0).all()
    assert np.isin(rows["side"], (BUY, SELL)).all() and np.isin(rows["detector"], list(Detector)).all()
    assert (np.diff(rows["event_no"]) >= 0).all() and (rows["ts_event"] == events["ts_event"][rows["event_no"]]).all()
    assert said(events, 3).tobytes() == rows.tobytes()


@pytest.mark.parametrize("name", AWKWARD)
def test_stages_follow_one_another_as_a_life_does(name: str) -> None:
    events = AWKWARD[name]()
    lives: dict[tuple[int, int], list[int]] = {}
    for row in said(events, len(events)):
        lives.setdefault((int(row["detector"]), int(row["detection_no"])), []).append(int(row["stage"]))
    whole = [Stage.FORMING, Stage.CONFIRMED, Stage.FAILED]
    for life in lives.values():
        assert life == sorted(set(life), key=whole.index)


def test_the_episode_of_these_tests_is_seen_by_several_detectors() -> None:
    rows = said(played([*ladder(), *episode(), *episode()], step_ns=20 * MS), 10**6)
    assert set(rows["detector"]) >= {Detector.SWEEP, Detector.ICEBERG, Detector.ABSORPTION}


@pytest.mark.parametrize("name", OVER_THE_BREAK)
def test_nothing_begun_before_the_book_was_lost_is_confirmed_after(name: str) -> None:
    events = AWKWARD[name]()
    broken = np.flatnonzero((events["kind"] == EventKind.CLEAR) | (events["kind"] == EventKind.STATUS))[0]
    rows = said(events, len(events))
    assert (rows["event_no"] < broken).any()
    late = rows[(rows["event_no"] > broken) & (rows["stage"] == Stage.CONFIRMED)]
    assert (late["ts_start"] >= events["ts_event"][broken]).all()
