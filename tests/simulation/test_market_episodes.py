from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from chimera_platform.market.events import BUY, SELL, EventKind
from chimera_platform.market.instruments import load_instruments
from chimera_platform.simulation.market.episodes import EpisodeKind, VolatilityRegime
from chimera_platform.simulation.market.simulator import SimulatedMarket
from tests.reference.order_by_order_book import OrderByOrderBook

URL = "sim://?days=2&rate=0.25&seed=21&sweeps_a_day=60&icebergs_a_day=60&sweep_levels=4&sweep_window_ms=30"
LEVELS, WINDOW_NS = 4, 30 * 10**6


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return SimulatedMarket.from_url(URL, load_instruments())


@pytest.fixture(scope="module")
def events(market: SimulatedMarket) -> np.ndarray:
    return np.concatenate(list(market.batches(65_536)))


@pytest.fixture(scope="module")
def sweeps(market: SimulatedMarket) -> np.ndarray:
    truth = market.ground_truth()
    return truth[truth["kind"] == EpisodeKind.SWEEP]


@pytest.fixture(scope="module")
def icebergs(market: SimulatedMarket) -> np.ndarray:
    truth = market.ground_truth()
    return truth[truth["kind"] == EpisodeKind.ICEBERG]


def test_a_sweep_takes_at_least_the_levels_within_the_window(events: np.ndarray, sweeps: np.ndarray) -> None:
    assert 60 < len(sweeps) < 400
    assert set(sweeps["side"]) == {BUY, SELL}
    books = [OrderByOrderBook(), OrderByOrderBook()]
    starts = {int(s["first_event_no"]): s for s in sweeps}
    for number, event in enumerate(events):
        sweep = starts.get(number)
        if sweep is not None:
            book = books[sweep["instrument_id"]]
            resting = -int(sweep["side"])
            before = dict(book.levels[resting])
            mine = events[number : int(sweep["last_event_no"]) + 1]
            assert (mine["kind"] == EventKind.EXECUTE).all() and (mine["side"] == resting).all()
            assert (mine["instrument_id"] == sweep["instrument_id"]).all()
            assert mine["ts_event"][-1] - mine["ts_event"][0] <= WINDOW_NS
            assert (mine["ts_event"][0], mine["ts_event"][-1]) == (sweep["start_ts"], sweep["end_ts"])
            assert mine["size"].sum() == sweep["size"]
            assert (mine["price"][0], mine["price"][-1]) == (sweep["price"], sweep["end_price"])
            taken = defaultdict(int)
            for trade in mine:
                taken[int(trade["price"])] += int(trade["size"])
            emptied = [price for price, size in taken.items() if before[price] == size]
            assert len(emptied) == sweep["levels"] >= LEVELS
            nearest_first = sorted(before, reverse=resting == BUY)
            assert sorted(emptied, reverse=resting == BUY) == nearest_first[: len(emptied)]
        books[event["instrument_id"]].apply(event)


def test_an_iceberg_refills_as_recorded(events: np.ndarray, icebergs: np.ndarray) -> None:
    assert 60 < len(icebergs) < 400
    for iceberg in icebergs:
        mine = events[events["order_id"] == iceberg["order_id"]]
        assert (mine["price"] == iceberg["price"]).all() and (mine["side"] == iceberg["side"]).all()
        added = mine[mine["kind"] == EventKind.ADD]
        executed = mine[mine["kind"] == EventKind.EXECUTE]
        assert added["ts_event"][0] == iceberg["start_ts"] and added["size"][0] == iceberg["peak"]
        assert events["order_id"][iceberg["first_event_no"]] == iceberg["order_id"]
        assert len(added) - 1 == iceberg["levels"]
        assert executed["size"].sum() == iceberg["size"] <= iceberg["peak"] + iceberg["hidden"]
        shown = 0
        for before, record in zip([None, *mine], mine, strict=False):
            if record["kind"] == EventKind.ADD:
                if before is not None:  # a refill follows at once what emptied the display
                    assert before["kind"] == EventKind.EXECUTE and shown == 0 and before["seq"] == record["seq"]
                shown += int(record["size"])
            else:
                shown -= int(record["size"])
            assert 0 <= shown <= iceberg["peak"]


def test_icebergs_trade_more_than_they_show_and_no_other_order_does(events: np.ndarray, icebergs: np.ndarray) -> None:
    assert (icebergs["size"] > icebergs["peak"]).mean() > 0.3
    first_shown: dict[int, int] = {}
    traded: defaultdict[int, int] = defaultdict(int)
    for event in events[events["order_id"] > 0]:
        order_id = int(event["order_id"])
        first_shown.setdefault(order_id, int(event["size"]))
        if event["kind"] == EventKind.EXECUTE:
            traded[order_id] += int(event["size"])
    exceeding = {k for k, size in traded.items() if size > first_shown[k]}
    assert exceeding == set(icebergs["order_id"][icebergs["size"] > icebergs["peak"]])


def test_without_episodes_there_are_none() -> None:
    quiet = "sim://?days=1&rate=0.3&sweeps_a_day=0&icebergs_a_day=0&compressions_a_day=0"
    assert len(SimulatedMarket.from_url(quiet, load_instruments()).ground_truth()) == 0


def test_ground_truth_is_in_order_of_its_end_and_refers_to_the_stream(
    market: SimulatedMarket, events: np.ndarray
) -> None:
    truth = market.ground_truth()
    assert (np.diff(truth["end_ts"]) >= 0).all()
    assert (truth["start_ts"] <= truth["end_ts"]).all()
    assert (truth["first_event_no"] >= 0).all() and (truth["last_event_no"] < len(events)).all()
    rarer = {k for k in EpisodeKind if k >= EpisodeKind.NEWS}
    assert set(truth["kind"]) == {int(k) for k in set(EpisodeKind) - rarer}
    assert truth.tobytes() == SimulatedMarket.from_url(URL, load_instruments()).ground_truth().tobytes()


def test_regimes_cover_every_session_without_gaps(market: SimulatedMarket, events: np.ndarray) -> None:
    regimes = market.regimes()
    assert set(regimes["regime"]) == {int(r) for r in VolatilityRegime}
    joined = regimes["start_ts"][1:] == regimes["end_ts"][:-1]
    assert (~joined).sum() == market.days - 1  # only between sessions
    assert (regimes["regime"][1:][joined] != regimes["regime"][:-1][joined]).all()
    assert (regimes["end_ts"] - regimes["start_ts"]).sum() == market.days * 21 * 3600 * 10**9
    for regime in regimes:
        mine = events["ts_event"][regime["first_event_no"] : regime["end_event_no"]]
        assert mine.min() >= regime["start_ts"] and mine.max() <= regime["end_ts"]


def test_trends_go_their_way_and_compressions_stay_narrow() -> None:
    truth = SimulatedMarket.from_url("sim://?days=20&rate=0.1&seed=5", load_instruments()).ground_truth()
    trends = truth[truth["kind"] == EpisodeKind.TREND]
    move = (trends["end_price"] - trends["price"]) * trends["side"]
    print(f"{len(trends)} trends, {np.mean(move > 0):.0%} end in their direction")
    assert len(trends) > 40 and np.mean(move > 0) > 0.85
    narrow = truth[truth["kind"] == EpisodeKind.COMPRESSION]
    relative = [np.abs(e["end_price"] / e["price"] - 1.0) for e in (narrow, trends)]
    assert np.median(relative[0]) < 0.25 * np.median(relative[1])
    share = len(trends) / len(narrow)
    assert 0.55 < share < 0.85  # 70 % of compressions are to break out
