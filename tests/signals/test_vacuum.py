from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from chimera_platform.market.events import BUY, SELL, EventFlag, EventKind, StatusCode
from chimera_platform.market.instruments import Universe, load_instruments
from chimera_platform.market.sources import open_source
from chimera_platform.signals.detector_stream import DetectorStream
from chimera_platform.signals.detectors import DetectorSettings
from chimera_platform.signals.records import Detector, Stage
from chimera_platform.signals.vacuum import BUCKETS, VacuumSettings, bucket_of, middle_of
from chimera_platform.simulation.market.simulator import SimulatedMarket
from tests.reference.detectors_vacuum import EDGES, vacuums
from tests.reference.event_streams import Record, event_streams, make_events

MS = 1_000_000
KNOWN = load_instruments()
UNIVERSE = Universe([KNOWN["XAUUSD"]])
EAGER = VacuumSettings(
    sample_ms=1,
    sample_records=1,
    levels=3,
    reach=1.0,
    low_quantile=0.5,
    thin_share=0.6,
    least_share=0.1,
    loss_share=0.5,
    withdrawn_share=0.6,
    window_ms=1000,
    hold_ms=500,
    refill_share=0.5,
    follow_ms=20_000,
    memory_samples=60,
    refresh_samples=4,
    warm_samples=5,
)


def said(
    events: np.ndarray[Any, Any], chosen: VacuumSettings = EAGER, cut: int = 10**9, universe: Universe = UNIVERSE
) -> np.ndarray[Any, Any]:
    stream = DetectorStream(universe, DetectorSettings(vacuum=chosen))
    parts = [stream.run(events[i : i + cut], i) for i in range(0, max(len(events), 1), cut)]
    rows = np.concatenate(parts)
    return rows[rows["detector"] == Detector.VACUUM]


def at(price: int, side: int) -> int:
    """Mirror the ask side's prices for bids."""
    return price if side == SELL else 200 - price


def order(ms: float, kind: EventKind, side: int, price: int, size: int = 10, **more: int) -> Record:
    return {"ts_event": int(ms * MS), "kind": kind, "side": side, "price": at(price, side), "size": size, **more}


def quiet_market(side: int = SELL) -> list[Record]:
    """Rows 0 to 23: five levels of ten lots a side, then fourteen small changes far behind the touch."""
    levels = [order(k, EventKind.ADD, s, 101 + k) for k in range(5) for s in (side, -side)]
    return levels + [order(100 * (k + 1), EventKind.ADD, -side, 150 + k, 1) for k in range(14)]


def pull(ms: float, side: int = SELL, levels: tuple[int, ...] = (1, 2, 3), kind: EventKind = EventKind.DELETE) -> Any:
    """Take ten lots off the levels at 101 + k, in one source event."""
    rows = [order(ms, kind, side, 101 + k, flags=0) for k in levels]
    rows[-1]["flags"] = EventFlag.LAST
    return rows


@pytest.mark.parametrize("side", [BUY, SELL])
def test_withdrawn_levels_form_a_vacuum_that_is_confirmed_while_it_stays_and_fails_when_refilled(side: int) -> None:
    rows = said(
        make_events(
            *quiet_market(side),
            *pull(3000, side),
            order(3400, EventKind.ADD, -side, 160, 1),
            order(3500, EventKind.ADD, -side, 161, 1),
            order(4000, EventKind.ADD, side, 102, 20),
        )
    )
    assert rows["stage"].tolist() == [Stage.FORMING, Stage.CONFIRMED, Stage.FAILED]
    assert rows["event_no"].tolist() == [26, 28, 29] and (rows["detection_no"] == 0).all()
    assert (rows["side"] == -side).all(), "the price would fall into the side that has gone"
    assert (rows["size"] == 20).all(), "what is farther than the third level's usual distance is not near"
    # Ten of the thirty lots are left at the touch, all others were withdrawn; a bucket's middle stands for the median.
    share = 10 / middle_of(bucket_of(30))
    assert rows["evidence"][:2].tolist() == [[share, 1.0, 1.0, 0.0], [share, 1.0, 1.0, 500.0]]
    assert rows["strength"][:2].tolist() == [1 - share, 1 - share]
    assert (rows["price_low"] == min(at(101, side), at(103, side))).all()
    assert (rows["price_high"] == max(at(101, side), at(103, side))).all()


def test_a_vacated_touch_is_part_of_the_zone() -> None:
    rows = said(make_events(*quiet_market(), *pull(3000, levels=(0, 1, 2, 3))))
    assert rows["stage"].tolist() == [Stage.FORMING]
    assert (rows["price_low"][0], rows["price_high"][0]) == (101, 107), "from the touch before to what is near now"


def test_levels_that_traded_away_are_none() -> None:
    assert len(said(make_events(*quiet_market(), *pull(3000, kind=EventKind.EXECUTE)))) == 0
    mixed = [*pull(3000, levels=(1,), kind=EventKind.EXECUTE), *pull(3001, levels=(0, 2, 3))]
    assert len(said(make_events(*quiet_market(), *mixed))) == 1, "two in three near lots were withdrawn"


def test_a_withdrawal_that_is_put_back_at_once_or_was_slow_is_none() -> None:
    back = [order(3001, EventKind.ADD, SELL, 102 + k, flags=0) for k in range(3)]
    back[-1]["flags"] = EventFlag.LAST
    gone = pull(3001)
    gone[-1]["flags"] = 0
    assert len(said(make_events(*quiet_market(), *gone, *back))) == 0
    slow = [row for k in (3, 2, 1) for row in pull(3000 + 2000 * (3 - k), levels=(k,))]
    two_thirds = EAGER.model_copy(update={"loss_share": 0.66})
    assert len(said(make_events(*quiet_market(), *slow), two_thirds)) == 0
    assert len(said(make_events(*quiet_market(), *pull(3000)), two_thirds)) == 1


def test_a_vacuum_that_the_touch_goes_through_is_confirmed_and_over() -> None:
    through = [order(3100, EventKind.ADD, SELL, 107, 1), order(3200, EventKind.EXECUTE, SELL, 101)]
    later = [order(4000, EventKind.ADD, SELL, 103 + k, 30) for k in range(3)]
    assert said(make_events(*quiet_market(), *pull(3000), *through, *later))["stage"].tolist() == [
        Stage.FORMING,
        Stage.CONFIRMED,
    ]


def test_levels_with_prints_give_what_orders_give() -> None:
    def level(ms: float, side: int, price: int, size: int, flags: int = EventFlag.LAST) -> Record:
        return order(ms, EventKind.LEVEL, side, price, size, flags=flags)

    book = [level(k, side, 101 + k, 10) for k in range(5) for side in (SELL, BUY)]
    far = [level(100 * (k + 1), BUY, 150 + k, 1) for k in range(14)]
    seen = [level(2000, SELL, 101 + k, 10) for k in range(5)]  # shown again: their size before is known
    gone = [level(3000, SELL, 102, 0, 0), level(3000, SELL, 103, 0)]
    assert said(make_events(*book, *far, *seen, *gone))["size"].tolist() == [20]
    prints = [
        {"ts_event": 2999 * MS, "kind": EventKind.TRADE, "side": BUY, "price": 102 + k, "size": 10} for k in range(2)
    ]
    assert len(said(make_events(*book, *far, *seen, *prints, *gone))) == 0
    window = [{**row, "flags": row["flags"] | EventFlag.WINDOW} for row in gone]
    assert len(said(make_events(*book, *far, *seen, *window))) == 0, "they left the view, not the market"


@pytest.mark.parametrize(
    "breaker",
    [
        {"kind": EventKind.CLEAR},
        {"kind": EventKind.STATUS, "price": StatusCode.GAP},
        {"kind": EventKind.STATUS, "price": StatusCode.HALT},
        {"kind": EventKind.STATUS, "price": StatusCode.SESSION_CLOSE},
        {"kind": EventKind.MODIFY, "side": SELL, "price": 102, "size": 3},
    ],
    ids=["clear", "gap", "halt", "close", "unresolved modification"],
)
def test_a_forming_vacuum_fails_where_the_market_is_not_seen(breaker: Record) -> None:
    rows = said(make_events(*quiet_market(), *pull(3000), {**breaker, "ts_event": 3100 * MS}))
    assert rows["stage"].tolist() == [Stage.FORMING, Stage.FAILED] and rows["strength"][1] >= 0
    later = [order(4000, EventKind.ADD, BUY, 160, 1), order(4100, EventKind.ADD, BUY, 161, 1)]
    assert len(said(make_events(*quiet_market(), *pull(3000), {**breaker, "ts_event": 3100 * MS}, *later))) == 2


def test_quotes_of_the_touch_alone_say_nothing() -> None:
    quotes = [
        {"kind": EventKind.QUOTE, "price": 100, "size": 50 if k % 7 else 1, "ask_price": 101, "ask_size": 50 - k % 50}
        for k in range(500)
    ]
    assert len(said(make_events(*({**quote, "ts_event": k * 50 * MS} for k, quote in enumerate(quotes))))) == 0


@given(st.integers(0, 2**62))
def test_buckets_are_a_quarter_octave(value: int) -> None:
    """A value lies in its bucket; the middle is within an eighth of it."""
    bucket = bucket_of(value)
    assert 0 <= bucket < BUCKETS and EDGES[bucket] <= value
    assert bucket + 1 == BUCKETS or value < EDGES[bucket + 1]
    assert abs(middle_of(bucket) - value) <= value / 8


@st.composite
def thinning_books(draw: st.DrawFn) -> Any:
    """Ladders by order or by level: now and then a side is pulled, traded away, refilled, cleared or halted."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return thinning(
        rng, draw(st.integers(30, 260)), by_order=draw(st.booleans()), shift=draw(st.sampled_from((0, 10**15)))
    )


def thinning(rng: np.random.Generator, steps: int, by_order: bool, shift: int = 0) -> np.ndarray[Any, Any]:
    rows: list[Record] = []
    sizes: dict[tuple[int, int], int] = {}
    ts = 0

    def put(side: int, price: int, size: int, trade: bool, last: bool) -> None:
        before = sizes.get((side, price), 0)
        sizes[side, price] = size
        flags = EventFlag.LAST if last else 0
        head = {"ts_event": ts, "price": price + shift, "flags": flags}
        if by_order:
            kinds = [EventKind.CANCEL, EventKind.DELETE]
            kind = EventKind.ADD if size > before else EventKind.EXECUTE if trade else kinds[int(rng.integers(2))]
            rows.append({**head, "kind": kind, "side": side, "size": abs(size - before)})
            return
        if trade:
            rows.append({**head, "kind": EventKind.TRADE, "side": -side, "size": max(before - size, 0)})
        rows.append({**head, "kind": EventKind.LEVEL, "side": side, "size": size})

    for _ in range(steps):
        ts += int(rng.choice([0, 1, 30 * MS, 300 * MS, 900 * MS, -5]))
        ts = max(ts, 0)
        side, what = int(rng.choice([1, -1])), rng.random()
        if what < 0.80:
            price = 100 - side * int(rng.integers(0 if rng.random() < 0.01 else 1, 8))
            put(side, price, int(rng.integers(0, 12)), trade=rng.random() < 0.2, last=rng.random() < 0.9)
        elif what < 0.985:
            trade, refill = rng.random() < 0.3, rng.random() < 0.4
            for k in range(1, 8):
                if refill or sizes.get((side, 100 - side * k), 0):
                    put(side, 100 - side * k, 10 if refill else int(rng.random() < 0.3), trade, last=k == 7)
        elif what < 0.995:
            codes = [StatusCode.HALT, StatusCode.SESSION_CLOSE][: 1 + int(rng.integers(2))]
            for code in (*codes, StatusCode.RESUME, StatusCode.SESSION_OPEN):
                rows.append({"ts_event": ts, "kind": EventKind.STATUS, "price": code})
        else:
            rows.append({"ts_event": ts, "kind": EventKind.CLEAR, "flags": EventFlag.LAST})
            sizes.clear()
    return make_events(*rows)


@given(st.one_of(event_streams(), thinning_books()))
@settings(max_examples=200, deadline=None)
def test_the_kernel_says_what_the_definition_says(events: np.ndarray[Any, Any]) -> None:
    """On every stream the kernel's rows equal the plain-Python reference; they are finite, strengths in [0, 1]."""
    rows = said(events)
    assert rows.tobytes() == vacuums(events, EAGER).tobytes()
    assert np.isfinite(rows["evidence"]).all() and ((rows["strength"] >= 0) & (rows["strength"] <= 1)).all()


@pytest.mark.parametrize("by_order", [True, False])
def test_the_streams_of_the_comparison_reach_every_stage(by_order: bool) -> None:
    events = thinning(np.random.default_rng(5), 4000, by_order)
    rows = said(events)
    assert set(rows["stage"]) == set(Stage) and set(rows["side"]) == {1, -1} and len(rows) > 40
    assert rows.tobytes() == vacuums(events, EAGER).tobytes()


@given(thinning_books())
@settings(max_examples=40, deadline=None)
def test_neither_the_cut_nor_the_future_changes_what_is_said(events: np.ndarray[Any, Any]) -> None:
    """Rows do not depend on batching; changing the events from one on leaves all rows before it."""
    rows, half = said(events), len(events) // 2
    assert said(events, cut=7).tobytes() == rows.tobytes()
    known = rows[rows["event_no"] < half]
    changed = events.copy()
    changed["size"][half:] += 5
    changed["price"][half:] -= 1
    after = said(changed)
    assert after[after["event_no"] < half].tobytes() == known.tobytes()


def market(difficulty: int, droughts: int = 40, seed: int = 8) -> tuple[SimulatedMarket, np.ndarray[Any, Any]]:
    simulated = SimulatedMarket.from_url(
        f"sim://?symbols=XAUUSD&days=1&seed={seed}&sweeps_a_day=0&icebergs_a_day=0&droughts_a_day={droughts}"
        f"&episode_difficulty={difficulty}",
        KNOWN,
    )
    return simulated, np.concatenate(list(simulated.batches(65_536)))


def test_the_definition_agrees_on_a_simulated_market() -> None:
    events = market(1)[1][:20_000]
    rows = said(events, VacuumSettings())
    assert len(rows) > 5 and rows.tobytes() == vacuums(events, VacuumSettings()).tobytes()


@pytest.mark.real_data
def test_the_definition_agrees_on_real_orders(real_data: Path) -> None:
    archive = real_data / "lobster" / "LOBSTER_SampleFile_GOOG_2012-06-21_10.zip"
    source = open_source([archive], "lobster", KNOWN)
    events = next(iter(source.batches(20_000)))
    chosen = VacuumSettings(loss_share=0.4, thin_share=0.6, low_quantile=0.3)
    rows = said(events, chosen, universe=source.universe)
    assert len(rows) > 10 and rows.tobytes() == vacuums(events, chosen).tobytes()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"levels": 1}, "levels"),
        ({"thin_share": 0.0}, "thin_share"),
        ({"window_ms": 1}, "window_ms"),
        ({"warm_samples": 2000}, "warm_samples 2000 must be below memory_samples 2000"),
        ({"depth": 3}, "depth"),
    ],
)
def test_settings_out_of_bounds_are_refused_by_name(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        VacuumSettings(**changes)
