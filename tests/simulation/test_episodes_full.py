"""Rarer episodes of the simulated market: none by default, each as recorded where it is asked for."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import pytest

from chimera_platform.errors import ConfigurationError
from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind
from chimera_platform.market.instruments import load_instruments
from chimera_platform.simulation.market.episodes import EpisodeKind
from chimera_platform.simulation.market.simulator import SimulatedMarket

SECOND_NS = 10**9
QUIET = "sim://?symbols=XAUUSD&days=1&seed=11&sweeps_a_day=0&icebergs_a_day=0&compressions_a_day=0"
STEP = 100  # ticks of XAUUSD's quote step
RARER = {
    EpisodeKind.NEWS: "news_a_day",
    EpisodeKind.DROUGHT: "droughts_a_day",
    EpisodeKind.ABSORPTION: "absorptions_a_day",
    EpisodeKind.STOP_RUN: "stop_runs_a_day",
    EpisodeKind.STACKED_ABSORPTION: "stacked_absorptions_a_day",
}


def market(more: str) -> SimulatedMarket:
    return SimulatedMarket.from_url(QUIET + more, load_instruments())


def stream(source: SimulatedMarket) -> np.ndarray:
    return np.concatenate([*source.batches(65_536), np.zeros(0, EVENT_DTYPE)])


@dataclass
class Tape:
    """A one-symbol stream, its ground truth, and the book after each record."""

    events: np.ndarray
    truth: np.ndarray
    touch: dict[int, np.ndarray]  # side -> ticks
    lots: dict[int, np.ndarray]  # side -> lots resting

    def between(self, start_ts: int, end_ts: int) -> slice:
        return slice(*np.searchsorted(self.events["ts_event"], [start_ts, end_ts]).tolist())

    def ends(self, rows: slice) -> np.ndarray:
        """Indices of the rows that end a source event."""
        return rows.start + np.flatnonzero(self.events["flags"][rows] & EventFlag.LAST)

    def traded(self, rows: slice) -> int:
        mine = self.events[rows]
        return int(mine["size"][mine["kind"] == EventKind.EXECUTE].sum())


def tape_of(kind: EpisodeKind, more: str) -> Tape:
    source = market(more)
    events, truth = stream(source), source.ground_truth()
    levels: dict[int, dict[int, int]] = {1: {}, -1: {}}
    touch = {side: np.zeros(len(events), np.int64) for side in (1, -1)}
    lots = {side: np.zeros(len(events), np.int64) for side in (1, -1)}
    best, total = {1: 0, -1: 0}, {1: 0, -1: 0}
    columns = (events[name].tolist() for name in ("kind", "side", "price", "size"))
    for i, (record, side, price, size) in enumerate(zip(*columns, strict=True)):
        if record == EventKind.CLEAR:
            levels, total, best = {1: {}, -1: {}}, {1: 0, -1: 0}, {1: 0, -1: 0}
        elif record != EventKind.STATUS:
            change = size if record == EventKind.ADD else -size
            level = levels[side]
            level[price] = level.get(price, 0) + change
            total[side] += change
            if level[price] == 0:
                del level[price]
            best[side] = max(levels[1], default=0) if side == 1 else min(levels[-1], default=0)
        for s in (1, -1):
            touch[s][i], lots[s][i] = best[s], total[s]
    assert set(truth["kind"]) == {int(kind)}
    return Tape(events, truth, touch, lots)


@pytest.fixture(scope="module")
def news() -> Tape:
    return tape_of(EpisodeKind.NEWS, "&news_a_day=25")


@pytest.fixture(scope="module")
def droughts() -> Tape:
    return tape_of(EpisodeKind.DROUGHT, "&droughts_a_day=60")


@pytest.fixture(scope="module")
def absorptions() -> Tape:
    return tape_of(EpisodeKind.ABSORPTION, "&absorptions_a_day=60")


@pytest.fixture(scope="module")
def stop_runs() -> Tape:
    return tape_of(EpisodeKind.STOP_RUN, "&stop_runs_a_day=150")


@pytest.fixture(scope="module")
def stacks() -> Tape:
    return tape_of(EpisodeKind.STACKED_ABSORPTION, "&stacked_absorptions_a_day=60")


def test_the_default_stream_is_the_one_that_published_figures_were_made_with() -> None:
    source = SimulatedMarket.from_url("sim://?symbols=XAUUSD,XAGUSD&seed=7", load_instruments())
    first = next(iter(source.batches(50_000)))
    assert len(first) == 50_000
    digest = hashlib.sha256(np.ascontiguousarray(first).tobytes()).hexdigest()
    assert digest == "0a345e0ee02a398c3cd4974ee0600c67af66d89633e0a2dbaf6a2fa4bbe800e4"
    assert not set(source.ground_truth()["kind"]) & {int(k) for k in RARER}


def test_a_stream_full_of_the_usual_episodes_is_unchanged_too() -> None:
    source = SimulatedMarket.from_url("sim://?sweeps_a_day=1000&icebergs_a_day=1000&seed=3", load_instruments())
    first = next(iter(source.batches(50_000)))
    digest = hashlib.sha256(np.ascontiguousarray(first).tobytes()).hexdigest()
    assert digest == "0bfced5a0603487dd2f1a7af03a08d0cc1cbd24a753c25a54d4a76a593162abd"


@pytest.mark.parametrize("kind", RARER)
def test_each_kind_comes_about_as_often_as_asked_and_one_at_a_time_a_symbol(kind: EpisodeKind) -> None:
    url = f"sim://?days=4&seed=8&rate=0.3&{RARER[kind]}=20"
    truth = SimulatedMarket.from_url(url, load_instruments()).ground_truth()
    mine = truth[truth["kind"] == kind]
    few = 0.1 if kind == EpisodeKind.STOP_RUN else 0.6  # runs without an extreme near do not happen
    assert few * 160 < len(mine) < 1.4 * 160
    assert set(mine["instrument_id"]) == {0, 1} and set(mine["side"]) == {1, -1}
    assert (mine["difficulty"] == 1).all() and (truth["difficulty"][truth["kind"] != kind] == 0).all()
    assert (np.diff(truth["end_ts"]) >= 0).all()
    for i in (0, 1):
        own = np.sort(mine[mine["instrument_id"] == i], order="start_ts")
        assert (own["start_ts"][1:] >= own["end_ts"][:-1]).all()


@pytest.mark.parametrize("kind", RARER)
def test_the_same_seed_gives_the_same_episodes(kind: EpisodeKind) -> None:
    more = f"&{RARER[kind]}=20"
    assert stream(market(more)).tobytes() == stream(market(more)).tobytes()
    assert market(more).ground_truth().tobytes() == market(more).ground_truth().tobytes()
    assert stream(market(more))[:50_000].tobytes() != stream(market(""))[:50_000].tobytes()


@pytest.mark.parametrize("more", ["&episode_difficulty=0", "&episode_difficulty=4", "&droughts_a_day=-1"])
def test_settings_outside_their_bounds_are_refused(more: str) -> None:
    with pytest.raises(ConfigurationError, match=more.strip("&").partition("=")[0]):
        market(more)


def test_news_moves_the_mid_its_way_within_a_minute(news: Tape) -> None:
    moves, usual = [], []
    mid = 0.5 * (news.touch[1] + news.touch[-1])
    for row in news.truth:
        during = news.between(row["start_ts"], row["start_ts"] + 60 * SECOND_NS)
        before = news.between(row["start_ts"] - 60 * SECOND_NS, row["start_ts"])
        moves.append(row["side"] * (mid[during.stop - 1] - mid[during.start - 1]))
        usual.append(abs(mid[before.stop - 1] - mid[before.start - 1]))
    print(f"{len(moves)} news: mid moves {np.median(moves) / STEP:.0f} steps, {np.median(usual) / STEP:.0f} before")
    assert np.mean(np.array(moves) > 0) > 0.95
    assert np.median(moves) > 5.0 * np.median(usual)
    jump = (news.truth["end_price"] - news.truth["price"]) * news.truth["side"]
    assert (jump > 0).mean() > 0.95


def test_makers_step_back_and_trading_bursts_after_news(news: Tape) -> None:
    wider, busier = [], []
    for row in news.truth:
        during = news.between(row["start_ts"] + 2 * SECOND_NS, row["start_ts"] + 60 * SECOND_NS)
        before = news.between(row["start_ts"] - 58 * SECOND_NS, row["start_ts"])
        spread = [np.mean((news.touch[-1] - news.touch[1])[news.ends(rows)]) for rows in (during, before)]
        wider.append(spread[0] / spread[1])
        busier.append(news.traded(during) / max(news.traded(before), 1))
    print(f"spread times {np.median(wider):.1f}, volume times {np.median(busier):.1f}")
    assert np.median(wider) > 2.0
    assert np.median(busier) > 3.0


def test_a_drought_begins_with_the_deletions_that_it_records(droughts: Tape) -> None:
    assert len(droughts.truth) > 30
    for row in droughts.truth:
        first, side = int(row["first_event_no"]), int(row["side"])
        mine = droughts.events[first : first + int(row["levels"])]
        assert (mine["kind"] == EventKind.DELETE).all() and (mine["side"] == side).all()
        assert mine["size"].sum() == row["size"] < row["peak"]
        assert droughts.lots[side][first - 1] == row["peak"] and droughts.touch[side][first - 1] == row["price"]
        assert mine["ts_event"][0] == row["start_ts"] and mine["ts_event"][-1] - row["start_ts"] < SECOND_NS // 10


def test_only_a_side_with_its_usual_number_of_orders_dries_up_and_no_large_one_is_left(droughts: Tape) -> None:
    resting: dict[int, tuple[int, int]] = {}  # order -> (side, lots)
    begins = {int(row["first_event_no"]): row for row in droughts.truth}
    columns = (droughts.events[name].tolist() for name in ("kind", "side", "size", "order_id"))
    checks = {}
    for i, (record, side, size, order) in enumerate(zip(*columns, strict=True)):
        if i in begins:
            row = begins[i]
            mine = [lots for s, lots in resting.values() if s == row["side"]]
            assert len(mine) >= 70 and sum(mine) == row["peak"]
            checks[i + int(row["levels"])] = (int(row["side"]), sum(mine) // len(mine))
        if i in checks:
            side_then, mean = checks[i]
            large = [lots for s, lots in resting.values() if s == side_then and lots > mean]
            assert len(large) <= 5, "those without which too few price levels would be left"
        if record == EventKind.CLEAR:
            resting.clear()
        elif record == EventKind.ADD:
            resting[order] = (side, resting.get(order, (side, 0))[1] + size)
        elif record != EventKind.STATUS:
            left = resting[order][1] - size
            if left > 0:
                resting[order] = (side, left)
            else:
                del resting[order]
    assert len(checks) == len(droughts.truth)


def test_depth_stays_away_on_one_side_until_the_drought_is_over(droughts: Tape) -> None:
    gone, other, back = [], [], []
    for row in droughts.truth[droughts.truth["end_ts"] - droughts.truth["start_ts"] > 55 * SECOND_NS]:
        side, before = int(row["side"]), int(row["first_event_no"]) - 1
        during = droughts.between(row["start_ts"] + SECOND_NS, row["end_ts"])
        after = droughts.between(row["end_ts"] + 240 * SECOND_NS, row["end_ts"] + 300 * SECOND_NS)
        gone.append(np.mean(droughts.lots[side][during]) / row["peak"])
        other.append(np.mean(droughts.lots[-side][during]) / droughts.lots[-side][before])
        if after.stop > after.start:
            back.append(np.mean(droughts.lots[side][after]) / row["peak"])
    print(
        f"depth against before: {np.median(gone):.2f}, other side {np.median(other):.2f}, later {np.median(back):.2f}"
    )
    assert np.median(gone) < 0.35 and np.quantile(gone, 0.9) < 0.6
    assert np.median(other) > 0.8
    assert np.median(back) > 2.0 * np.median(gone)


def test_an_absorbing_level_takes_the_volume_that_is_recorded_and_is_refilled(absorptions: Tape) -> None:
    assert len(absorptions.truth) > 30
    for row in absorptions.truth:
        rows = slice(int(row["first_event_no"]), int(row["last_event_no"]) + 1)
        mine = absorptions.events[rows]
        here = mine[(mine["price"] == row["price"]) & (mine["side"] == row["side"])]
        assert here["size"][here["kind"] == EventKind.EXECUTE].sum() == row["size"]
        assert (here["kind"] == EventKind.ADD).sum() >= row["levels"]
        assert row["outcome"] in (0, 1)


def test_a_level_that_holds_is_never_empty_and_one_that_breaks_is_passed(absorptions: Tape) -> None:
    held = absorptions.truth["outcome"] == 1
    assert 0.5 < held.mean() < 0.95
    for row in absorptions.truth:
        side = int(row["side"])
        rows = slice(int(row["first_event_no"]), int(row["last_event_no"]) + 1)
        ends = absorptions.ends(rows)
        inside = (absorptions.touch[side][ends] - row["price"]) * side >= 0
        if row["outcome"] == 1:
            assert inside.all() and (row["end_price"] - row["price"]) * side >= 0
        else:
            passed = np.flatnonzero(~inside)
            assert 0 < len(passed) <= 3 and passed[0] == len(inside) - len(passed)  # one action: up to 3 source events
            assert (row["end_price"] - row["price"]) * side < 0


def test_absorbed_volume_stands_out_against_the_flow_before(absorptions: Tape) -> None:
    ratio = []
    for row in absorptions.truth[absorptions.truth["outcome"] == 1]:
        length = int(row["end_ts"] - row["start_ts"])
        before = absorptions.traded(absorptions.between(row["start_ts"] - 5 * length, row["start_ts"])) / 5.0
        ratio.append(row["size"] / max(before, 1.0))
    print(f"absorbed against usual volume: {np.median(ratio):.1f}")
    assert np.median(ratio) > 5.0


def test_the_second_of_two_stacked_levels_is_a_step_or_two_nearer_to_the_market_and_soon(stacks: Tape) -> None:
    assert len(stacks.truth) > 30 and set(stacks.truth["side"]) == {1, -1}
    two = stacks.truth[stacks.truth["second_ts"] > 0]
    assert len(two) > 0.9 * len(stacks.truth)
    steps = (two["end_price"] - two["price"]) * two["side"] // STEP
    assert set(steps) == {1, 2}
    wait_s = (two["second_ts"] - two["start_ts"]) / SECOND_NS
    assert wait_s.min() >= 95.0 and wait_s.max() <= 136.0 + 30.0
    one = stacks.truth[stacks.truth["second_ts"] == 0]
    assert (one["end_price"] == one["price"]).all() and not one["outcome"].any() and not one["levels"].any()


def test_both_stacked_levels_take_the_volume_that_is_recorded_and_are_refilled(stacks: Tape) -> None:
    two = stacks.truth[stacks.truth["second_ts"] > 0]
    for row in two:
        mine = stacks.events[int(row["first_event_no"]) : int(row["last_event_no"]) + 1]
        early = mine["ts_event"] <= row["second_ts"]
        size = 0
        for price, during in ((row["price"], early), (row["end_price"], ~early)):
            here = mine[(mine["price"] == price) & (mine["side"] == row["side"]) & during]
            size += here["size"][here["kind"] == EventKind.EXECUTE].sum()
            assert (here["kind"] == EventKind.ADD).sum() >= row["levels"]
        assert size == row["size"]
    held = two[two["outcome"] == 1]
    assert (held["levels"] > 0).mean() > 0.9 and np.median(held["size"] / held["peak"]) > 10.0


def test_the_first_stacked_level_holds_until_the_second_takes_over_which_holds_or_is_passed(stacks: Tape) -> None:
    two = stacks.truth[stacks.truth["second_ts"] > 0]
    assert 0.5 < (two["outcome"] == 1).mean() < 0.95
    for row in two:
        side = int(row["side"])
        ends = stacks.ends(slice(int(row["first_event_no"]), int(row["last_event_no"]) + 1))
        early = stacks.events["ts_event"][ends] <= row["second_ts"]
        touch = stacks.touch[side][ends] * side
        assert (touch[early] >= row["price"] * side).all()
        inside = touch[~early] >= row["end_price"] * side
        if row["outcome"] == 1:
            assert inside.all()
        else:
            passed = np.flatnonzero(~inside)
            assert 0 < len(passed) <= 3 and passed[0] == len(inside) - len(passed)  # one action: up to 3 source events


def test_the_price_rests_between_two_stacked_attacks(stacks: Tape) -> None:
    attacked, resting = [], []
    for row in stacks.truth[stacks.truth["second_ts"] > 0]:
        calm = int(row["start_ts"]) + 90 * SECOND_NS
        attacked.append(stacks.traded(stacks.between(calm - 30 * SECOND_NS, calm)) / 30.0)
        length_s = (row["second_ts"] - calm) / SECOND_NS
        resting.append(stacks.traded(stacks.between(calm + 1, int(row["second_ts"]))) / length_s)
    print(f"lots a second: attacked {np.median(attacked):.0f}, between {np.median(resting):.0f}")
    assert np.median(attacked) > 4.0 * np.median(resting)


def test_a_stop_run_breaks_the_extreme_of_the_last_ten_minutes_in_a_burst(stop_runs: Tape) -> None:
    assert len(stop_runs.truth) > 40
    for row in stop_runs.truth:
        first, direction = int(row["first_event_no"]), int(row["side"])
        recent = stop_runs.ends(stop_runs.between(row["start_ts"] - 600 * SECOND_NS, row["start_ts"]))
        seen = stop_runs.touch[-direction][recent] * direction
        # The extreme is looked up every half a second: what stood for less may have been missed.
        assert (seen <= row["price"] * direction).mean() > 0.95
        both = stop_runs.ends(stop_runs.between(row["start_ts"] - 1200 * SECOND_NS, row["start_ts"]))
        reached = both[stop_runs.touch[-direction][both] * direction >= row["price"] * direction]
        assert row["start_ts"] - stop_runs.events["ts_event"][reached[0]] >= 180 * SECOND_NS
        burst = stop_runs.events[first:]
        burst = burst[: int(np.searchsorted(np.cumsum(burst["size"][:2000]), row["size"])) + 1]
        assert (burst["kind"] == EventKind.EXECUTE).all() and (burst["side"] == -direction).all()
        assert burst["size"].sum() == row["size"] and burst["price"][-1] == row["end_price"]
        assert burst["ts_event"][-1] - burst["ts_event"][0] <= 400 * 10**6
        assert (row["end_price"] - row["price"]) * direction > 0
        assert (stop_runs.touch[-direction][first + len(burst) - 1] - row["price"]) * direction > 0


def test_prices_return_from_most_stop_runs_and_the_record_says_from_which(stop_runs: Tape) -> None:
    assert 0.7 < stop_runs.truth["outcome"].mean() < 1.0
    for row in stop_runs.truth:
        touch = stop_runs.touch[-int(row["side"])][int(row["last_event_no"])]
        inside = (touch - row["price"]) * row["side"] <= 0
        assert inside == bool(row["outcome"])
        assert row["end_ts"] - row["start_ts"] <= 182 * SECOND_NS


def test_harder_episodes_are_nearer_to_the_usual_flow() -> None:
    asked = "&news_a_day=60&droughts_a_day=60&absorptions_a_day=60&stop_runs_a_day=200&days=2"
    asked += "&stacked_absorptions_a_day=30"
    url = QUIET.replace("days=1&", "") + asked
    size = defaultdict(list)
    for difficulty in (1, 2, 3):
        source = SimulatedMarket.from_url(f"{url}&episode_difficulty={difficulty}", load_instruments())
        truth = source.ground_truth()
        by_kind = {kind: truth[truth["kind"] == kind] for kind in RARER}
        for rows in by_kind.values():
            assert len(rows) > 20 and (rows["difficulty"] == difficulty).all()
        jumps, runs = by_kind[EpisodeKind.NEWS], by_kind[EpisodeKind.STOP_RUN]
        droughts, absorbed = by_kind[EpisodeKind.DROUGHT], by_kind[EpisodeKind.ABSORPTION]
        size["news, steps"].append(np.median((jumps["end_price"] - jumps["price"]) * jumps["side"]) / STEP)
        size["drought, share"].append(np.median(droughts["size"] / droughts["peak"]))
        size["absorption, peaks"].append(np.median(absorbed["size"] / absorbed["peak"]))
        stacked = by_kind[EpisodeKind.STACKED_ABSORPTION]
        size["stacked absorption, peaks"].append(np.median(stacked["size"] / stacked["peak"]))
        size["stop run, steps beyond"].append(np.median((runs["end_price"] - runs["price"]) * runs["side"]) / STEP)
    print(dict(size))
    for values in size.values():
        assert values[0] > 1.2 * values[1] and values[1] > 1.2 * values[2] > 0
