"""Invariant: the session's bins hold every lot at its price; levels are those of the lots counted afresh."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.kernels import kernel
from chimera_platform.market.events import EventKind
from chimera_platform.market.instruments import load_instruments
from chimera_platform.market.sources import open_source
from chimera_platform.microstructure.session_profile import (
    NODES_A_SESSION,
    SESSION_PROFILE_DTYPE,
    SessionProfileSettings,
    update_session_profile,
)
from chimera_platform.microstructure.volume_profile import PROFILE_BINS
from chimera_platform.settings import to_record
from tests.reference.event_streams import SECOND, event_streams, make_events
from tests.reference.session_profile import counted, developing, levels_in_ticks, session_prints
from tests.reference.volume_profile import DAY

Array = np.ndarray[Any, Any]
MIDNIGHT = 19_000 * DAY
HOUR = DAY // 24
DEFAULTS = SessionProfileSettings()


@kernel
def run_events(params: Any, states: Any, events: Any) -> None:
    for i in range(events.shape[0]):
        update_session_profile(params, states[0], events[i])


def run(events: Array, chosen: SessionProfileSettings = DEFAULTS, states: Array | None = None) -> Array:
    states = np.zeros(1, SESSION_PROFILE_DTYPE) if states is None else states
    run_events(to_record(chosen)[0], states, events)
    return states


def bins_of(state: Any) -> dict[int, int]:
    session = state["session"]
    if session["volume"] == 0:
        return {}
    bins = np.arange(int(session["low"]), int(session["high"]) + 1)
    lots = session["lots"][bins % PROFILE_BINS]
    return dict(zip(bins[lots > 0].tolist(), lots[lots > 0].tolist(), strict=True))


def prints(prices: Array, start: int, end: int, size: int = 1) -> Array:
    """Prints of these prices, evenly from ``start`` until ``end``."""
    times = start + np.arange(len(prices)) * ((end - start) // len(prices))
    events = np.zeros(len(prices), make_events({}).dtype)
    events["kind"], events["flags"], events["size"] = EventKind.TRADE, 1, size
    events["price"], events["ts_event"] = prices, times
    return events


@st.composite
def print_streams(draw: st.DrawFn) -> Array:
    """Prints over midnight, on few prices or many, with silences of all lengths."""
    scale = draw(st.sampled_from([1, 1, 700, 3_000]))
    ts, rows = MIDNIGHT - draw(st.integers(0, 90)) * SECOND, []
    for _ in range(draw(st.integers(1, 40))):
        ts += draw(st.sampled_from([0, SECOND // 2, SECOND, 7 * SECOND, 61 * SECOND, -SECOND]))
        kind = draw(st.sampled_from([EventKind.TRADE, EventKind.EXECUTE, EventKind.ADD]))
        price, size = draw(st.integers(-3, 9)) * scale, draw(st.integers(0, 5))
        rows.append({"kind": kind, "price": price, "size": size, "ts_event": ts})
    return make_events(*rows)


@settings(max_examples=60, deadline=None)
@given(st.one_of(print_streams(), event_streams(start_ns=MIDNIGHT - 20 * SECOND)), st.sampled_from([0, 2]))
def test_bins_and_levels_are_those_of_the_prints_counted_afresh(events: Array, finest: int) -> None:
    chosen = SessionProfileSettings(finest_bin=finest, levels_seconds=2, levels_growth_permille=200)
    states, before = np.zeros(1, SESSION_PROFILE_DTYPE), None
    state, days = states[0], np.maximum.accumulate(events["ts_event"]) // DAY
    checked = sorted({0, *range(6, len(events), 6), *(np.flatnonzero(np.diff(days)) + 1), len(events)})
    for begin, end in pairwise(checked):
        run(events[begin:end], chosen, states)
        rows, power = session_prints(events[:end]), int(state["bin_power"])
        assert state["session"]["volume"] + state["outside"] == sum(size for _, size in rows)
        if state["outside"] == 0:
            assert bins_of(state) == counted(rows, power)
        if before and before[0] != state["day"] and before[1]:
            assert tuple(state["finished"].tolist()) == levels_in_ticks(before[1], before[2], 700)
        is_small = state["outside"] == 0 and np.ptp([0, *(p for p, _ in rows)]) < 40  # brute force tries all ranges
        before = (int(state["day"]), rows if is_small else [], power)


@settings(max_examples=80, deadline=None)
@given(print_streams().filter(lambda events: abs(events["price"]).max() < 10))
def test_developing_levels_are_measured_when_they_are_due(events: Array) -> None:
    chosen = SessionProfileSettings(levels_seconds=5, levels_growth_permille=300)
    state = run(events, chosen)[0]
    wanted = developing(events, 700, 5 * SECOND, 300)
    assert (tuple(state["developing"].tolist()) if state["developing"]["volume"] else None) == wanted


@settings(max_examples=30, deadline=None)
@given(print_streams(), st.lists(st.integers(0, 40), max_size=5))
def test_the_state_does_not_depend_on_how_the_stream_is_cut(events: Array, cuts: list[int]) -> None:
    whole, cut = run(events), np.zeros(1, SESSION_PROFILE_DTYPE)
    for begin, end in pairwise(sorted({0, len(events), *(min(c, len(events)) for c in cuts)})):
        run(events[begin:end], states=cut)
        cut = np.frombuffer(bytearray(cut.tobytes()), SESSION_PROFILE_DTYPE)  # as a snapshot would
    assert cut.tobytes() == whole.tobytes()
    assert SESSION_PROFILE_DTYPE.itemsize < 65_536


def test_bins_widen_with_the_range_and_no_lot_is_lost() -> None:
    rng = np.random.default_rng(1)
    prices = 2_000_000 + np.cumsum(rng.integers(-300, 301, 20_000))
    state = run(prints(prices, MIDNIGHT, MIDNIGHT + HOUR, size=3))[0]
    assert state["bin_power"] > 2
    assert state["outside"] == 0
    assert bins_of(state) == counted([(int(p), 3) for p in prices], int(state["bin_power"]))
    assert np.ptp(prices) < PROFILE_BINS * 2 ** int(state["bin_power"]) <= 4 * np.ptp(prices)


def test_bins_become_finer_again_in_quiet_sessions() -> None:
    rng = np.random.default_rng(1)
    states = run(prints(2_000_000 + np.cumsum(rng.integers(-300, 301, 20_000)), MIDNIGHT, MIDNIGHT + HOUR))
    wide = int(states[0]["bin_power"])
    for day in range(1, wide + 3):
        run(prints(np.array([100, 101]), MIDNIGHT + day * DAY, MIDNIGHT + day * DAY + HOUR), states=states)
    assert wide > 0 == states[0]["bin_power"]


def test_a_single_wild_print_is_left_out_but_not_a_market_that_stays_away() -> None:
    states = run(prints(np.repeat(1_000, 10), MIDNIGHT, MIDNIGHT + HOUR))
    run(prints(np.array([10**15]), MIDNIGHT + HOUR, MIDNIGHT + 2 * HOUR, size=4), states=states)
    assert (states[0]["outside"], states[0]["bin_power"], bins_of(states[0])) == (4, 0, {1_000: 10})
    run(prints(np.repeat(90_000, 20), MIDNIGHT + HOUR, MIDNIGHT + 2 * HOUR), states=states)
    assert bins_of(states[0]) == {90_000: 14}  # six more strays filled the measure, the next began the profile anew
    assert states[0]["outside"] == 4 + 6 + 10


def test_the_finished_session_stays_through_days_without_prints() -> None:
    states = run(prints(np.repeat([10, 11, 10], 4), MIDNIGHT, MIDNIGHT + HOUR))
    for day in (1, 2, 3):
        run(make_events({"kind": EventKind.ADD, "ts_event": MIDNIGHT + day * DAY}), states=states)
        assert states[0]["finished"].tolist() == (10, 10, 11, 12)
        assert states[0]["developing"]["volume"] == states[0]["session"]["volume"] == 0


def test_a_time_that_runs_back_counts_into_the_session_under_way() -> None:
    states = run(prints(np.array([10]), MIDNIGHT, MIDNIGHT + 1))
    run(prints(np.array([20]), MIDNIGHT - DAY, MIDNIGHT - DAY + 1), states=states)
    assert bins_of(states[0]) == {10: 1, 20: 1}
    assert states[0]["finished"]["volume"] == 0


# ---- nodes ------------------------------------------------------------------------------------------------------


def drawn(seed: int, count: int, *modes: tuple[float, float, float]) -> Array:
    """Independent prices from a mixture of normals (weight, centre, width)."""
    rng = np.random.default_rng(seed)
    which = rng.choice(len(modes), count, p=[weight for weight, _, _ in modes])
    centre, width = (np.array([mode[k] for mode in modes])[which] for k in (1, 2))
    return np.round(rng.normal(centre, width)).astype(np.int64)


def nodes_of(state: Any, which: slice = slice(None)) -> list[tuple[int, int]]:
    count = int(state["node_count"])
    pairs = zip(state["node_high"][:count].tolist(), state["node_low"][:count].tolist(), strict=True)
    return list(pairs)[which]


def day_of(prices: Array, day: int = 0) -> Array:
    return prints(prices, MIDNIGHT + day * DAY, MIDNIGHT + (day + 1) * DAY)


def after_a_day(prices: Array, states: Array | None = None, **chosen: Any) -> Any:
    states = run(day_of(prices), SessionProfileSettings(**chosen), states)
    run(make_events({"kind": EventKind.ADD, "ts_event": MIDNIGHT + DAY}), SessionProfileSettings(**chosen), states)
    return states[0]


def test_sessions_of_one_mode_have_nodes_as_rarely_as_the_level_says() -> None:
    runs, level = 200, 0.05
    found = sum(after_a_day(drawn(i, 3_000, (1, 1_000, 40)))["node_count"] > 0 for i in range(runs))
    allowed = runs * level + 3 * np.sqrt(runs * level * (1 - level))
    print(f"{found} of {runs} null sessions with a node, level {level}, allowed {allowed:.1f}")
    assert found <= allowed


def test_a_second_mode_is_found_where_it_is() -> None:
    found = 0
    for seed in range(20):
        state = after_a_day(drawn(seed, 3_000, (0.6, 1_000, 30), (0.4, 1_150, 30)))
        if state["node_count"] == 1:
            (high, low), found = nodes_of(state)[0], found + 1
            assert abs(high - 1_150) <= 25
            assert abs(low - 1_085) <= 25
            assert state["node_strength"][0] > 2
    print(f"{found} of 20 second modes found")
    assert found >= 18


def test_a_price_that_lingers_is_worth_fewer_draws_than_its_prints() -> None:
    def worth(prices: Array, parts: int) -> float:
        state = run(day_of(prices), SessionProfileSettings(visits_a_range=parts))[0]
        squares = state["visit_squares"] + float(state["visit_lots"]) ** 2
        return float(state["session"]["volume"]) ** 2 / squares

    independent = drawn(1, 5_000, (1, 1_000, 40))
    lingering = 1_000 + np.cumsum(np.random.default_rng(1).integers(-1, 2, 5_000))
    assert worth(independent, 128) > 4_000
    assert worth(lingering, 128) < 3_000
    assert worth(lingering, 16) < 200
    assert worth(np.repeat(independent[:50], 100), 128) < 60


def test_random_walks_have_no_more_nodes_than_the_level_says_where_visits_are_long() -> None:
    runs, found = 150, {16: 0, 128: 0}
    for seed in range(runs):
        prices = 100_000 + np.cumsum(np.random.default_rng(seed).integers(-1, 2, 20_000))
        for parts in found:
            found[parts] += int(after_a_day(prices, visits_a_range=parts)["node_count"] > 0)
    print(f"random walks with a node, of {runs}, by parts of the range: {found}")
    assert found[16] <= runs * 0.05 + 3 * np.sqrt(runs * 0.05 * 0.95)
    assert found[128] > runs // 2, "what the module says about short visits"


def test_nodes_develop_by_the_hour_and_those_of_the_session_before_stay() -> None:
    states, chosen = np.zeros(1, SESSION_PROFILE_DTYPE), SessionProfileSettings(nodes_prints=1_000)
    yesterday = nodes_of(after_a_day(drawn(1, 3_000, (0.6, 1_000, 30), (0.4, 1_150, 30)), states))
    assert len(yesterday) == states[0]["node_finished"] == 1
    today = day_of(drawn(2, 9_000, (0.6, 2_000, 30), (0.4, 2_150, 30)), day=1)
    counts = []
    for part in np.split(today, np.flatnonzero(np.diff(today["ts_event"] // HOUR)) + 1):
        run(part, chosen, states)
        counts.append(int(states[0]["node_count"]))
        assert nodes_of(states[0], slice(1)) == yesterday
    assert counts[0] == 1  # nothing is known within the first hour
    assert counts[-1] == 2
    assert abs(nodes_of(states[0])[1][0] - 2_150) <= 25


def test_nodes_do_not_depend_on_later_prints() -> None:
    chosen = SessionProfileSettings(nodes_prints=500)
    first = drawn(3, 4_000, (0.5, 1_000, 20), (0.3, 1_100, 20), (0.2, 1_200, 20))
    other = np.concatenate([first[:2_000], first[2_000:] + 500])
    before = day_of(first)["ts_event"] < MIDNIGHT + 12 * HOUR
    same = [run(day_of(prices)[before], chosen) for prices in (first, other)]
    assert same[0].tobytes() == same[1].tobytes()
    assert nodes_of(same[0][0])
    assert nodes_of(run(day_of(first), chosen)[0]) != nodes_of(run(day_of(other), chosen)[0])


def test_the_bootstrap_repeats_with_its_seed() -> None:
    prices = drawn(2, 700, (0.6, 1_000, 30), (0.4, 1_105, 30))
    found = {seed: [nodes_of(after_a_day(prices, seed=seed)) for _ in range(2)] for seed in range(30)}
    assert all(once == again for once, again in found.values())
    assert len({str(once) for once, _ in found.values()}) == 2, "a profile at the edge: the seed decides"


def test_no_more_than_the_strongest_nodes_are_kept_in_order_of_price() -> None:
    modes = [(1 / 12, 1_000 + 100 * k, 12.0) for k in range(12)]
    state = after_a_day(drawn(5, 60_000, *modes), nodes_bandwidth=1.0)
    highs = [high for high, _ in nodes_of(state)]
    assert len(highs) == NODES_A_SESSION
    assert highs == sorted(highs)


def test_a_search_takes_well_under_a_millisecond() -> None:
    states = np.zeros(1, SESSION_PROFILE_DTYPE)
    after_a_day(drawn(0, 3_000, (0.6, 1_000, 30), (0.4, 1_150, 30)), states)
    best = float("inf")
    for day in range(1, 8):
        run(day_of(drawn(day, 3_000, (0.6, 1_000, 30), (0.4, 1_150, 30)), day), states=states)
        end = make_events({"kind": EventKind.ADD, "ts_event": MIDNIGHT + (day + 1) * DAY})
        began = time.process_time()
        run(end, states=states)
        best = min(best, time.process_time() - began)
    print(f"end of a session: {1e6 * best:.0f} µs")
    assert best < 0.6e-3  # the goal is half of it; a machine shared with others is given twice as long


@pytest.mark.real_data
def test_two_gold_days_hold_every_lot_and_their_levels(real_data: Any) -> None:
    source = open_source([real_data / "comex/tick"], "comex", load_instruments(), ["GC"])
    states, seen = np.zeros(1, SESSION_PROFILE_DTYPE), []
    for events in source.batches(20_000):
        seen.append(events[events["kind"] == EventKind.TRADE])
        run(events, states=states)
    trades, state = np.concatenate(seen), states[0]
    days = trades["ts_event"] // DAY
    last, before = (trades[days == day] for day in np.unique(days)[[-1, -2]])
    assert bins_of(state) == counted([(int(t["price"]), int(t["size"])) for t in last], 0)
    assert tuple(state["finished"].tolist()) == levels_in_ticks(
        [(int(t["price"]), int(t["size"])) for t in before], 0, 700
    )
    for parts in (16, 32, 64, 128):
        finished = []
        for day in np.unique(days):
            states = np.zeros(1, SESSION_PROFILE_DTYPE)
            for part in (trades[days == day], make_events({"kind": EventKind.ADD, "ts_event": int(day + 1) * DAY})):
                run(part, SessionProfileSettings(visits_a_range=parts), states)
            finished.append(nodes_of(states[0]))
        print(f"gold, {parts} parts of the range a visit: nodes (high, low) by day {finished}")
