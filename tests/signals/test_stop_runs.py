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
from chimera_platform.signals.stop_runs import StopRunSettings
from chimera_platform.simulation.market.simulator import SimulatedMarket
from tests.reference.detectors_stop_runs import stop_runs
from tests.reference.event_streams import Record, event_streams, make_events

SECOND, MINUTE = 1_000_000_000, 60_000_000_000
KNOWN = load_instruments()
UNIVERSE = Universe([KNOWN["XAUUSD"]])
EAGER = StopRunSettings(
    least_minutes=3,
    most_minutes=6,
    age_minutes=1,
    gap_ms=1000,
    volume_multiple=1.9,
    norm_trades=20.0,
    warm_trades=2,
    return_ms=30_000,
)


def said(
    events: np.ndarray[Any, Any],
    chosen: StopRunSettings = EAGER,
    cut: int = 10**9,
    universe: Universe = UNIVERSE,
) -> np.ndarray[Any, Any]:
    stream = DetectorStream(universe, DetectorSettings(stop_runs=chosen))
    parts = [stream.run(events[i : i + cut], i) for i in range(0, max(len(events), 1), cut)]
    rows = np.concatenate(parts)
    return rows[rows["detector"] == Detector.STOP_RUN]


def at(price: int, side: int) -> int:
    """Mirror an up run's prices for a down run."""
    return price if side == BUY else 200 - price


def quote(s: float, ask: int, side: int = BUY) -> Record:
    """The side that is run through shows ``ask``, the other one stays at 90 (mirrored for a run downwards)."""
    low, high = (90, ask) if side == BUY else (at(ask, side), 110)
    return {
        "ts_event": int(s * SECOND),
        "kind": EventKind.QUOTE,
        "price": low,
        "size": 5,
        "ask_price": high,
        "ask_size": 5,
    }


def trade(
    s: float, price: int, size: int = 10, side: int = BUY, kind: EventKind = EventKind.TRADE, **more: int
) -> Record:
    sign = side if kind == EventKind.TRADE else -side
    return {"ts_event": int(s * SECOND), "kind": kind, "side": sign, "price": at(price, side), "size": size, **more}


def history(side: int = BUY, high: int = 105) -> list[Record]:
    """Rows 0 to 8: ``high`` was shown in the second of five minutes, else 100; four single lots of the other side."""
    shown = [quote(60 * k, high if k == 1 else 100, side) for k in range(5)]
    return shown + [trade(241 + 2 * k, 100, 1, -side) for k in range(4)]


def run(side: int = BUY, kind: EventKind = EventKind.TRADE) -> list[Record]:
    """Rows 9 to 13: two trades inside, two beyond the high, then the touch stands at 108."""
    return [trade(250 + 0.1 * k, price, 3, side, kind) for k, price in enumerate((101, 105, 106, 107))] + [
        quote(251, 108, side)
    ]


@pytest.mark.parametrize("side", [BUY, SELL])
def test_a_rush_through_a_high_forms_and_its_return_confirms_the_reversal(side: int) -> None:
    rows = said(make_events(*history(side), *run(side), quote(260, 106, side), quote(261, 105, side)))
    assert rows["stage"].tolist() == [Stage.FORMING, Stage.CONFIRMED] and rows["event_no"].tolist() == [13, 15]
    assert (rows["side"] == -side).all() and (rows["size"] == 12).all() and (rows["ts_start"] == 250 * SECOND).all()
    assert (rows["price_low"] == min(at(105, side), at(107, side))).all()
    assert (rows["price_high"] == max(at(105, side), at(107, side))).all()
    # six lots and two ticks beyond the high, which was shown three minutes before
    assert rows["evidence"][:, 1:].tolist() == [[6.0, 2.0, 3.0], [6.0, 2.0, 3.0]]
    weights = 0.95 ** np.arange(8)
    mean = (3 * weights[:4].sum() + weights[4:].sum()) / weights.sum()
    assert rows["evidence"][:, 0] == pytest.approx([12 / mean] * 2)
    r = rows["evidence"][:, 0] / EAGER.volume_multiple * (0.5, 1.0)
    assert rows["strength"] == pytest.approx(r / (1 + r))


def test_executions_of_resting_orders_are_trades_too() -> None:
    orders = run(kind=EventKind.EXECUTE)
    assert said(make_events(*history(), *orders))["stage"].tolist() == [Stage.FORMING]
    hidden = [{**row, "flags": EventFlag.LAST | EventFlag.HIDDEN} for row in orders[:-1]]
    assert len(said(make_events(*history(), *hidden, orders[-1]))) == 0
    nobody = [{**row, "side": 0} for row in run()[:-1]]
    assert len(said(make_events(*history(), *nobody, orders[-1]))) == 0


def test_a_real_breakout_fails() -> None:
    rows = said(make_events(*history(), *run(), quote(281, 109), quote(281.1, 109), quote(282, 100)))
    assert rows["stage"].tolist() == [Stage.FORMING, Stage.FAILED] and rows["event_no"].tolist() == [13, 15]
    assert rows["strength"][1] == 0.0


def test_a_young_high_or_one_that_has_been_passed_since_is_no_extreme() -> None:
    passed = [quote(60 * k, 105 if k == 1 else 106 if k == 3 else 100) for k in range(5)]
    lots = [trade(241 + 2 * k, 100, 1, SELL) for k in range(4)]
    assert len(said(make_events(*passed, *lots, *run()))) == 0
    young = [quote(60 * k, 105 if k == 3 else 100) for k in range(5)]
    assert len(said(make_events(*young, *lots, *run()))) == 0
    short = [quote(60 * k, 105 if k == 2 else 100) for k in range(2, 5)]
    assert len(said(make_events(*short, *lots, *run()))) == 0, "two minutes have been seen, three are asked for"


def test_too_little_volume_too_slowly_or_without_leaving_the_extreme_is_no_rush() -> None:
    small = {**run()[2], "size": 1}, {**run()[3], "size": 1}
    asks = EAGER.model_copy(update={"volume_multiple": 2.1})
    assert len(said(make_events(*history(), *small, quote(251, 108)), asks)) == 0
    assert len(said(make_events(*history(), small[0], {**small[1], "size": 9}, quote(251, 108)), asks)) == 1
    slow = [trade(250 + 1.1 * k, price, 3) for k, price in enumerate((101, 105, 106, 107))]
    assert len(said(make_events(*history(), *slow, quote(255, 108)))) == 0
    assert len(said(make_events(*history(), *run()[:-1], quote(251, 105)))) == 0


def test_one_order_alone_is_no_rush_however_many_prices_it_trades_at() -> None:
    fills = [{**row, "flags": 0} for row in run()[:-1]]
    alone = [*fills[:3], {**fills[3], "flags": EventFlag.LAST}, quote(251, 108)]
    assert len(said(make_events(*history(), *alone))) == 0
    # the last record of a source event need not be a trade, nor show a book that can be traded
    two = [*fills[:2], {**quote(250.1, 100), "ask_price": 90}, *fills[2:], quote(251, 108)]
    assert said(make_events(*history(), *two))["stage"].tolist() == [Stage.FORMING]


def test_a_farther_extreme_that_has_stood_counts_where_the_nearer_one_is_young() -> None:
    shown = [quote(60, 112), quote(120, 105), *(quote(60 * k, 100) for k in range(3, 6)), quote(360, 103)]
    lots = [trade(361 + 2 * k, 100, 1, SELL) for k in range(4)]
    far = [trade(370 + 0.1 * k, price, 3) for k, price in enumerate((101, 104, 106))]
    rows = said(make_events(*shown, *lots, *far, quote(371, 108)))
    assert rows["stage"].tolist() == [Stage.FORMING]
    assert rows["price_low"].tolist() == [105] and rows["evidence"][:, 3].tolist() == [4.0]
    near = [{**row, "price": min(row["price"], 104)} for row in far]
    assert len(said(make_events(*shown, *lots, *near, quote(371, 108)))) == 0


def test_the_farthest_extreme_that_was_gone_through_counts_and_the_rush_may_go_on() -> None:
    shown = [quote(60, 112), quote(120, 107), quote(180, 105), quote(240, 100), quote(300, 100), quote(360, 100)]
    lots = [trade(361 + 2 * k, 100, 1, SELL) for k in range(4)]
    first = [trade(370 + 0.1 * k, price, 3) for k, price in enumerate((101, 106, 106))]
    more = [trade(370.5 + 0.1 * k, price, 3) for k, price in enumerate((107, 108))]
    rows = said(make_events(*shown, *lots, *first, quote(370.4, 107), *more, quote(371, 109), quote(372, 107)))
    assert rows["stage"].tolist() == [Stage.FORMING, Stage.CONFIRMED]
    assert rows["price_low"].tolist() == [105, 107] and rows["price_high"].tolist() == [106, 108]
    assert rows["size"].tolist() == [9, 15] and rows["evidence"][:, 3].tolist() == [3.0, 4.0]


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
def test_an_open_run_fails_where_the_market_is_not_seen_and_nothing_is_carried_over(breaker: Record) -> None:
    broken = {**breaker, "ts_event": 252 * SECOND}
    rows = said(make_events(*history(), *run(), broken, quote(253, 100)))
    assert rows["stage"].tolist() == [Stage.FORMING, Stage.FAILED]
    early = {**breaker, "ts_event": 249 * SECOND}
    assert len(said(make_events(*history(), early, *run()))) == 0


def test_crossed_quotes_are_neither_extremes_nor_returns() -> None:
    crossed = {**quote(252, 80), "price": 90}
    rows = said(make_events(*history(), *run(), crossed, quote(253, 108)))
    assert rows["stage"].tolist() == [Stage.FORMING]


@st.composite
def extreme_streams(draw: st.DrawFn) -> Any:
    """Quotes that wander between extremes over minutes, with rushes through them, breaks and odd records."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return wandering(rng, draw(st.integers(20, 150)), draw(st.sampled_from((0, 10**15))))


def wandering(rng: np.random.Generator, steps: int, shift: int = 0) -> np.ndarray[Any, Any]:
    rows: list[Record] = []
    ts, mid = 0, 100

    def quoted(low: int, high: int) -> None:
        size = int(rng.random() > 0.02)
        rows.append(
            {
                "ts_event": ts,
                "kind": EventKind.QUOTE,
                "price": shift + low,
                "size": size,
                "ask_price": shift + high,
                "ask_size": 3,
            }
        )

    for _ in range(steps):
        ts = max(
            0,
            ts
            + int(
                rng.choice([0, SECOND, 10 * SECOND, 30 * SECOND, 100 * SECOND, -5], p=[0.1, 0.3, 0.2, 0.25, 0.13, 0.02])
            ),
        )
        what = rng.random()
        if what < 0.55:
            mid = int(np.clip(mid + rng.integers(-2, 3), 94, 106))
            quoted(mid - int(rng.integers(0, 3)), mid + int(rng.integers(0, 3)))
        elif what < 0.72:
            side = int(rng.choice([1, -1, 0], p=[0.49, 0.49, 0.02]))
            rows.append({"ts_event": ts, "kind": EventKind.TRADE, "side": side, "price": shift + mid, "size": 1})
        elif what < 0.985:
            side = int(rng.choice([1, -1]))
            reach = int(rng.integers(1, 10))
            for k in range(1, reach + 1):
                ts += int(rng.choice([0, SECOND // 10]))
                flags = EventFlag.LAST if rng.random() < 0.7 else 0
                kind = int(rng.choice([EventKind.TRADE, EventKind.EXECUTE]))
                sign = side if kind == EventKind.TRADE else -side
                head = {"ts_event": ts, "kind": kind, "side": sign, "flags": flags}
                rows.append({**head, "price": shift + mid + side * k, "size": int(rng.integers(0, 5))})
            far = mid + side * (reach + 1)
            quoted(*((mid - 1, far) if side > 0 else (far, mid + 1)))
            if rng.random() < 0.5:
                ts += SECOND
                quoted(mid - 1, mid + 1)
        else:
            rows.append({"ts_event": ts, "kind": EventKind.CLEAR, "flags": EventFlag.LAST})
    return make_events(*rows)


@given(st.one_of(event_streams(), extreme_streams()))
@settings(max_examples=200, deadline=None)
def test_the_kernel_says_what_the_definition_says(events: np.ndarray[Any, Any]) -> None:
    """On every stream the kernel's rows equal the plain-Python reference; they are finite, strengths in [0, 1]."""
    rows = said(events)
    assert rows.tobytes() == stop_runs(events, EAGER).tobytes()
    assert np.isfinite(rows["evidence"]).all() and ((rows["strength"] >= 0) & (rows["strength"] <= 1)).all()


def test_the_streams_of_the_comparison_reach_every_stage() -> None:
    events = wandering(np.random.default_rng(5), 1500)
    rows = said(events)
    assert set(rows["stage"]) == set(Stage) and set(rows["side"]) == {1, -1} and len(rows) > 60
    assert (rows["evidence"][:, 3] > 3).any(), "none went through a farther extreme"
    assert rows.tobytes() == stop_runs(events, EAGER).tobytes()


@given(extreme_streams())
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


def test_the_definition_agrees_on_a_simulated_market() -> None:
    simulated = SimulatedMarket.from_url("sim://?symbols=XAUUSD&days=1&seed=8&stop_runs_a_day=60", KNOWN)
    events = next(iter(simulated.batches(12_000)))
    rows = said(events, StopRunSettings())
    assert len(rows) > 5 and rows.tobytes() == stop_runs(events, StopRunSettings()).tobytes()


@pytest.mark.real_data
def test_the_definition_agrees_on_real_orders(real_data: Path) -> None:
    archive = real_data / "lobster" / "LOBSTER_SampleFile_GOOG_2012-06-21_10.zip"
    source = open_source([archive], "lobster", KNOWN)
    events = next(iter(source.batches(30_000)))
    chosen = StopRunSettings(least_minutes=2, volume_multiple=1.0)
    rows = said(events, chosen, universe=source.universe)
    assert len(rows) > 5 and rows.tobytes() == stop_runs(events, chosen).tobytes()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"least_minutes": 1}, "least_minutes"),
        ({"volume_multiple": 0.0}, "volume_multiple"),
        ({"most_minutes": 63}, "most_minutes"),
        ({"age_minutes": 10}, "age_minutes 10 must be below least_minutes 10"),
        ({"least_minutes": 31}, "at most most_minutes 30"),
        ({"depth": 3}, "depth"),
    ],
)
def test_settings_out_of_bounds_are_refused_by_name(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        StopRunSettings(**changes)
