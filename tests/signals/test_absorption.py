from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.kernels import kernel
from chimera_platform.market.book import apply_event, best_ask, best_bid, is_tradable, new_books
from chimera_platform.market.events import BUY, SELL, EventKind, StatusCode
from chimera_platform.market.instruments import Universe, load_instruments
from chimera_platform.market.sources import open_source
from chimera_platform.signals.absorption import AbsorptionSettings
from chimera_platform.signals.detector_stream import DetectorStream
from chimera_platform.signals.detectors import DetectorSettings
from chimera_platform.signals.records import Detector, Stage
from chimera_platform.signals.scorecard import confirmed, score
from chimera_platform.simulation.market.episodes import EpisodeKind
from chimera_platform.simulation.market.simulator import SimulatedMarket
from tests.reference.detectors_absorption import absorptions
from tests.reference.event_streams import Record, event_streams, make_events

MS = 1_000_000
UNIVERSE = Universe([load_instruments()["XAUUSD"]])
EAGER = AbsorptionSettings(
    volume_multiple=2.0, warm_trades=1, window_ms=5000, hold_ms=1000, displacement_share=1.0, follow_ms=60_000
)


def said(events: Any, chosen: AbsorptionSettings = EAGER, cut: int = 10**6) -> np.ndarray[Any, Any]:
    stream = DetectorStream(UNIVERSE, DetectorSettings(absorption=chosen))
    rows = np.concatenate([stream.run(events[i : i + cut], i) for i in range(0, max(len(events), 1), cut)])
    return rows[np.isin(rows["detector"], (Detector.ABSORPTION, Detector.STACKED_ABSORPTION))]


def level(ms: float, side: int, price: int, size: int) -> Record:
    return {"ts_event": int(ms * MS), "kind": EventKind.LEVEL, "side": side, "price": price, "size": size}


def hit(ms: float, resting: int, price: int, size: int = 1, kind: int = EventKind.TRADE) -> Record:
    """A trade into the resting side: a print by its aggressor, an execution by its resting side."""
    side = -resting if kind == EventKind.TRADE else resting
    return {"ts_event": int(ms * MS), "kind": kind, "side": side, "price": price, "size": size}


def at(price: int, side: int) -> int:
    return price if side == BUY else 200 - price


def market(side: int = BUY) -> list[Record]:
    """Rows 0 to 2: the holding side at 99 and 98, the other at 101 (mirrored for asks)."""
    return [level(0, side, at(99, side), 50), level(0, side, at(98, side), 50), level(0, -side, at(101, side), 50)]


@pytest.mark.parametrize("kind", [EventKind.TRADE, EventKind.EXECUTE])
@pytest.mark.parametrize("side", [BUY, SELL])
def test_volume_into_a_level_forms_then_holds_then_breaks(side: int, kind: int) -> None:
    price = at(99, side)
    rows = said(
        make_events(
            *market(side),
            hit(1, side, price, kind=kind),
            hit(2, side, price, kind=kind),
            level(1001, -side, at(102, side), 5),
            level(1002, -side, at(102, side), 6),
            level(1500, side, price, 0),
        )
    )
    assert rows["stage"].tolist() == [Stage.FORMING, Stage.CONFIRMED, Stage.FAILED]
    assert rows["event_no"].tolist() == [4, 6, 7] and (rows["detection_no"] == 0).all()
    assert (rows["side"] == side).all() and (rows["size"] == 2).all() and (rows["ts_start"] == MS).all()
    # two lots, a mean trade of one, multiple two: r = hold; 1/2 / (1 + 1/2), then 1 / (1 + 1)
    assert rows["strength"] == pytest.approx([1 / 3, 1 / 2, 0.0])


def test_too_little_volume_or_volume_outside_the_window_says_nothing() -> None:
    assert len(said(make_events(*market(), hit(1, BUY, 99)))) == 0
    assert len(said(make_events(*market(), hit(1, BUY, 99), hit(5002, BUY, 99)))) == 0
    assert len(said(make_events(*market(), hit(1, BUY, 99), hit(5001, BUY, 99)))) == 1


def test_a_trade_during_the_hold_begins_the_hold_again() -> None:
    trades = [hit(1, BUY, 99), hit(2, BUY, 99), hit(900, BUY, 99)]
    rows = said(make_events(*market(), *trades, level(1500, SELL, 102, 1), level(1900, SELL, 102, 2)))
    assert rows["stage"].tolist() == [Stage.FORMING, Stage.CONFIRMED] and rows["event_no"].tolist() == [4, 7]


def test_two_confirmed_levels_within_reach_are_stacked() -> None:
    deep = [hit(1, BUY, 98), hit(1, BUY, 98), hit(2, BUY, 99), hit(2, BUY, 99)]
    rows = said(make_events(*market(), *deep, level(1002, SELL, 102, 1)))
    stack = rows[rows["detector"] == Detector.STACKED_ABSORPTION]
    assert len(stack) == 1 and stack["price_low"][0] == 98 and stack["price_high"][0] == 99
    assert stack["size"][0] == 4 and stack["evidence"][0, 0] == 2 and stack["strength"][0] == pytest.approx(0.75)


def stacked_after(ms: float, chosen: AbsorptionSettings) -> int:
    """How many stacks are said where 98 takes volume, is traded once more at 50 s, and 99 takes volume at ``ms``."""
    deep = [hit(1, BUY, 98), hit(2, BUY, 98), level(1500, SELL, 102, 1), hit(50_000, BUY, 98)]
    near = [hit(ms, BUY, 99), hit(ms + 1, BUY, 99), level(ms + 1001, SELL, 102, 2)]
    rows = said(make_events(*market(), *deep, *near), chosen)
    assert (rows["stage"] != Stage.FAILED).all()
    return int((rows["detector"] == Detector.STACKED_ABSORPTION).sum())


def test_a_level_is_followed_and_stacked_on_as_long_as_it_is_traded() -> None:
    assert stacked_after(108_000, EAGER) == 1  # confirmed at 1.5 s, followed for 60 s, but traded at 50 s
    assert stacked_after(109_001, EAGER) == 0
    patient = EAGER.model_copy(update={"follow_ms": 600_000, "stack_ms": 30_000})
    assert stacked_after(78_000, patient) == 1
    assert stacked_after(79_001, patient) == 0


def test_lost_messages_fail_a_forming_level() -> None:
    gap = {"ts_event": 3 * MS, "kind": EventKind.STATUS, "price": StatusCode.GAP}
    rows = said(make_events(*market(), hit(1, BUY, 99), hit(2, BUY, 99), gap))
    assert rows["stage"].tolist() == [Stage.FORMING, Stage.FAILED]


@given(event_streams())
@settings(max_examples=150, deadline=None)
def test_any_stream_gives_finite_rows_whatever_the_cut_and_the_future(events: np.ndarray[Any, Any]) -> None:
    """Rows are finite, strengths in [0, 1], the same for every cut, and a prefix gives a prefix of them."""
    rows = said(events)
    assert np.isfinite(rows["evidence"]).all() and ((rows["strength"] >= 0) & (rows["strength"] <= 1)).all()
    assert said(events, cut=7).tobytes() == rows.tobytes()
    half = len(events) // 2
    assert said(events[:half]).tobytes() == rows[rows["event_no"] < half].tobytes()


@st.composite
def battles(draw: st.DrawFn) -> Any:
    """Prints into a few prices of a book that now and then moves, is emptied, crossed or lost."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows, ms = market(), 1.0
    for _ in range(draw(st.integers(5, 90))):
        ms += float(rng.choice([0, 1, 100, 700, 4000]))
        side, what = int(rng.choice([1, -1])), rng.random()
        if what < 0.75:
            rows.append(hit(ms, side, 100 - side * int(rng.integers(-1, 5)), int(rng.integers(0, 5))))
        elif what < 0.98:
            rows.append(level(ms, side, 100 - side * int(rng.integers(0, 4)), int(rng.integers(0, 3))))
        else:
            rows.append({"ts_event": int(ms * MS), "kind": EventKind.CLEAR})
    return make_events(*rows)


@given(st.one_of(event_streams(), battles()))
@settings(max_examples=200, deadline=None)
def test_the_kernel_says_what_the_definition_says(events: np.ndarray[Any, Any]) -> None:
    """On every stream the kernel's rows equal the plain-Python reference, strengths to rounding."""
    names = ("event_no", "detector", "stage", "side", "price_low", "price_high", "size", "ts_start")
    chosen = EAGER.model_copy(update={"volume_multiple": 1.973, "displacement_share": 0.971})  # no ties to rounding
    rows, wanted = said(events, chosen), absorptions(events, chosen)
    assert [tuple(int(row[n]) for n in names) for row in rows] == [tuple(map(int, w[:-1])) for w in wanted]
    assert rows["strength"] == pytest.approx([w[-1] for w in wanted], abs=1e-9)


@given(battles(), st.integers(0, 8), st.integers(1, 4), st.sampled_from([0.0, 0.293, 0.511, 0.707, 0.97]))
@settings(max_examples=200, deadline=None)
def test_the_least_volume_attempts_and_flow_are_those_of_the_definition(
    events: np.ndarray[Any, Any], lots: int, attempts: int, flow: float
) -> None:
    """With any of the three limits the kernel's rows equal the plain-Python reference."""
    limits = {"lots_min": lots, "attempts_min": attempts, "flow_share_min": flow}
    chosen = EAGER.model_copy(update={"volume_multiple": 1.973, "displacement_share": 0.971} | limits)
    rows, wanted = said(events, chosen), absorptions(events, chosen)
    names = ("event_no", "detector", "stage", "side", "price_low", "price_high", "size", "ts_start")
    assert [tuple(int(row[n]) for n in names) for row in rows] == [tuple(map(int, w[:-1])) for w in wanted]


def formed(*trades: Record, **limits: Any) -> list[int]:
    """The trades after which a level is announced, from 1."""
    rows = said(make_events(*market(), *trades), EAGER.model_copy(update=limits))
    return [int(row["event_no"]) - 2 for row in rows if row["stage"] == Stage.FORMING]


def test_a_level_needs_the_least_number_of_lots() -> None:
    trades = [hit(k, BUY, 99) for k in range(1, 6)]
    assert formed(*trades) == [2]
    assert formed(*trades, lots_min=4) == [4]
    assert formed(*trades, lots_min=6) == []


def test_trades_at_one_time_are_one_attempt() -> None:
    trades = [hit(1, BUY, 99), hit(1, BUY, 99), hit(2, BUY, 99), hit(2, BUY, 99), hit(3, BUY, 99)]
    assert formed(*trades, attempts_min=1) == [2]
    assert formed(*trades, attempts_min=2) == [3]
    assert formed(*trades, attempts_min=3) == [5]


def test_the_flow_since_its_first_trade_must_be_against_the_level() -> None:
    trades = [
        hit(1, SELL, 101, 2),
        hit(2, BUY, 99),
        hit(3, SELL, 101),
        hit(4, BUY, 99),
        hit(5, BUY, 98),
        hit(6, BUY, 99),
    ]
    # since the level's first trade: 1 of 1, 1 of 2, 2 of 3, 3 of 4 (98 is sold into as well), 4 of 5
    only = {"volume_multiple": 1.5}  # one trade is too little
    assert formed(*trades, **only, flow_share_min=0.6)[-1:] == [4]
    assert formed(*trades, **only, flow_share_min=0.7)[-1:] == [5]
    assert formed(*trades, **only, flow_share_min=0.78)[-1:] == [6]
    assert formed(*trades, **only, flow_share_min=0.81)[-1:] != [6]


@kernel
def mids(books: Any, events: Any, out: Any) -> None:
    for i in range(events.shape[0]):
        apply_event(books[0], events[i])
        out[i] = (best_bid(books[0]) + best_ask(books[0])) / 2 if is_tradable(books[0]) else np.nan


def test_on_real_orders_the_definition_agrees_and_the_lift_is_not_significantly_negative(real_data: Path) -> None:
    archive = real_data / "lobster" / "LOBSTER_SampleFile_GOOG_2012-06-21_10.zip"
    events = np.concatenate(list(open_source([archive], "lobster", load_instruments()).batches(65_536)))
    chosen = AbsorptionSettings(volume_multiple=3.0, window_ms=5000, hold_ms=2000)
    part = events[:15_000]
    rows = said(part, chosen)
    assert len(rows) > 10
    names = ("event_no", "detector", "stage", "side", "price_low", "price_high", "size", "ts_start")
    assert [tuple(int(r[n]) for n in names) for r in rows] == [
        tuple(map(int, w[:-1])) for w in absorptions(part, chosen)
    ]

    rng, horizon, mid = np.random.default_rng(1), 60 * 1000 * MS, np.zeros(len(events))
    mids(new_books(1), events, mid)
    ts, mid = events["ts_event"][~np.isnan(mid)], mid[~np.isnan(mid)]

    def forward(t: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        now, then = (np.searchsorted(ts, t + later, "right") - 1 for later in (0, horizon))
        return mid[then] - mid[now]

    rows = said(events, chosen, cut=65_536)
    rows = rows[(rows["detector"] == Detector.ABSORPTION) & (rows["stage"] == Stage.CONFIRMED)]
    rows = rows[rows["ts_event"] < ts[-1] - horizon]
    random = forward(rng.integers(ts[0], ts[-1] - horizon, 20_000)) * rng.choice([-1, 1], 20_000)
    lift, block = rows["side"] * forward(rows["ts_event"]) - random.mean(), rows["ts_event"] // (600 * 1000 * MS)
    parts = [lift[block == b] for b in np.unique(block)]
    means = [np.concatenate([parts[j] for j in rng.integers(0, len(parts), len(parts))]).mean() for _ in range(1000)]
    low, high = np.percentile(means, [2.5, 97.5])
    print(
        f"GOOG: {len(lift)} confirmed, lift over random times at 60 s {lift.mean():.1f} ticks, "
        f"95 % {low:.1f} to {high:.1f}"
    )
    assert high >= 0  # the interval straddles zero: one day shows no edge, and no harm


def simulated(changes: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], float]:
    """Return what is said about levels, the ground truth, and the hours of the stream."""
    market = SimulatedMarket.from_url(f"sim://?symbols=XAUUSD&{changes}", load_instruments())
    events = np.concatenate(list(market.batches(65_536)))
    rows = said(events, AbsorptionSettings(), cut=65_536)
    return rows, market.ground_truth(), float(events["ts_event"][-1] - events["ts_event"][0]) / (3_600_000 * MS)


def test_clear_attacks_that_are_absorbed_are_found_and_little_else() -> None:
    rows, truth, _ = simulated("days=4&seed=31&absorptions_a_day=60&episode_difficulty=1")
    figures = score(rows, truth, Detector.ABSORPTION)
    print(f"clear: {figures}")
    assert figures.episodes > 80 and figures.recall > 0.9 and figures.precision > 0.9


def test_clear_stacked_attacks_are_found_by_both_levels_and_little_else() -> None:
    rows, truth, _ = simulated("days=4&seed=32&stacked_absorptions_a_day=40&episode_difficulty=1")
    figures = score(rows, truth, Detector.STACKED_ABSORPTION)
    print(f"stacked, clear: {figures}")
    assert figures.episodes > 50 and figures.recall > 0.9 and figures.precision > 0.9


def test_a_simulation_without_episodes_confirms_hardly_any_level() -> None:
    rows, truth, hours = simulated("days=2&seed=4")
    levels = confirmed(rows, Detector.ABSORPTION)
    print(f"simulator without episodes: {len(levels)} levels confirmed in {hours:.1f} h")
    assert not (truth["kind"] == EpisodeKind.ABSORPTION).any() and len(levels) / hours < 1
    assert len(confirmed(rows, Detector.STACKED_ABSORPTION)) / hours < 0.1
