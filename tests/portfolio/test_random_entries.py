"""The null of entries: fair on noise, and it finds entries that know something."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

from chimera_platform.execution.records import FILL_DTYPE
from chimera_platform.market.city_sessions import CitySession, city_sessions
from chimera_platform.portfolio.market_path import MARKET_PATH_DTYPE, MarketPaths
from chimera_platform.portfolio.random_entries import random_entries
from chimera_platform.portfolio.resampled_paths import cone_points
from chimera_platform.portfolio.trade_moves import TradeMoves, trade_moves
from chimera_platform.portfolio.trades import TRADE_DTYPE, trades_of
from tests.reference import monte_carlo as naive

SECOND = 1_000_000_000
DAWN = 20_000 * 86_400 * SECOND  # a midnight UTC in October


def market_of(*mids: np.ndarray) -> MarketPaths:
    """Return markets with these half ticks, one a second from DAWN on, a tick on a lot being worth 2 units."""
    paths = np.zeros(len(mids), MARKET_PATH_DTYPE)
    paths["origin_ts"], paths["step_ns"], paths["count"] = DAWN, SECOND, [len(m) for m in mids]
    samples = np.zeros((len(mids), max(len(m) for m in mids)), np.int64)
    for row, mid in zip(samples, mids, strict=True):
        row[: len(mid)] = mid
    return MarketPaths(paths, samples, np.full(len(mids), 2 * 10**9))


def trades_at(mids: np.ndarray, entries: np.ndarray, holds: np.ndarray, side: int | np.ndarray, cost: float = 0.5):
    """Return moves of trades of one lot entered at these samples."""
    trades = np.zeros(len(entries), TRADE_DTYPE)
    trades["ts_open"] = DAWN + entries * SECOND
    trades["ts_close"], trades["side"], trades["size"] = trades["ts_open"] + holds * SECOND, side, 1
    moved = trades["side"] * (mids[entries + holds] - mids[entries]).astype(float)
    return TradeMoves(trades, moved, np.full(len(entries), cost))


def walk(random: np.random.Generator, count: int = 6_000) -> np.ndarray:
    return 100_000 + np.cumsum(random.integers(-3, 4, count))


def schedule(random: np.random.Generator, count: int, trades: int) -> tuple[np.ndarray, np.ndarray]:
    """Return entries and holds that do not overlap and fill about half of the time."""
    holds = random.integers(1, count // trades, trades)
    gaps = np.sort(random.integers(0, count - holds.sum() - 1, trades))
    return gaps + np.concatenate([[0], np.cumsum(holds)[:-1]]), holds


def test_a_path_is_the_same_trades_laid_out_anew_at_their_own_cost() -> None:
    random = np.random.default_rng(1)
    mids = walk(random, 300)
    moves = trades_at(mids, np.array([5, 40, 90, 200]), np.array([20, 7, 60, 3]), np.array([1, -1, -1, 1]), 0.25)
    found = random_entries(moves, market_of(mids), 77, 30, cone_points)
    expected = []
    for path in range(30):
        draws = naive.Draws(77, path)
        holds = [20.0, 7.0, 60.0, 3.0]
        total = 0.0
        for trade, start in naive.arrangement(holds, 300.0, draws):
            held = int(holds[trade] + 1.0 - draws.unit())
            entry = int(start)
            leave = min(entry + held, 299)
            total += int(moves.trades["side"][trade]) * float(mids[leave] - mids[entry]) - 0.25
        expected.append(total)
    assert found["best"] == pytest.approx(max(expected))
    assert found["worst"] == pytest.approx(min(expected))
    assert found["mean"] == pytest.approx(np.mean(expected))
    assert found["observed"] == pytest.approx((moves.moved - 0.25).sum())
    assert found["p_value"] == (1 + sum(e >= found["observed"] for e in expected)) / 31


@pytest.mark.parametrize("sides", ["long", "with the last move"])
def test_entries_that_know_nothing_give_p_values_that_are_evenly_spread(sides: str) -> None:
    random, values = np.random.default_rng(12), []
    for run in range(300):
        mids = walk(random)
        entries, holds = schedule(random, len(mids), 60)
        side = 1 if sides == "long" else np.where(mids[entries] >= mids[np.maximum(entries - 5, 0)], 1, -1)
        values.append(random_entries(trades_at(mids, entries, holds, side), market_of(mids), run, 199, cone_points))
    ordered = np.sort([value["p_value"] for value in values])
    assert np.abs(ordered - (np.arange(300) + 0.5) / 300).max() < 1.63 / np.sqrt(300)  # Kolmogorov-Smirnov at 1 %


def test_entries_that_know_where_the_market_goes_are_found_at_any_cost() -> None:
    random = np.random.default_rng(2)
    mids = walk(random)
    entries, holds = schedule(random, len(mids), 60)
    forward = mids[entries + holds] - mids[entries]
    side = np.where(random.random(60) < 0.75, np.sign(forward), -np.sign(forward)).astype(int)
    found = random_entries(trades_at(mids, entries, holds, side, 500.0), market_of(mids), 3, 999, cone_points)
    assert found["observed"] < 0.0
    assert found["p_value"] < 0.01


def test_the_seed_alone_decides() -> None:
    random = np.random.default_rng(2)
    mids = walk(random)
    moves = trades_at(mids, *schedule(random, len(mids), 20), 1)
    first = random_entries(moves, market_of(mids), 3, 50, cone_points)
    assert random_entries(moves, market_of(mids), 3, 50, cone_points) == first
    assert random_entries(moves, market_of(mids), 4, 50, cone_points) != first
    json.dumps(first, allow_nan=False)


def test_entries_stay_in_their_session_and_market() -> None:
    count = 20 * 3_600
    sessions = city_sessions(DAWN + np.arange(count) * SECOND)
    rising = np.where(sessions == CitySession.LONDON, np.cumsum(sessions == CitySession.LONDON), 0) + 1_000
    first = int(np.flatnonzero(sessions == CitySession.LONDON)[0])
    trades = trades_at(rising, np.array([first + 100]), np.array([60]), 1, 0.0)
    found = random_entries(trades, market_of(rising), 5, 300, cone_points)
    at_edge = -float(rising.max())  # London may end while the trade is held
    assert found["median"] == 60.0
    assert found["best"] == 60.0
    assert found["worst"] >= at_edge


def test_a_market_that_pauses_is_not_entered_while_it_does() -> None:
    mids = walk(np.random.default_rng(4), 1_000)
    mids[:500] = 5_000
    mids[500:] = 6_000
    mids[200:500] = 0
    moves = trades_at(np.where(mids == 0, 5_000, mids), np.array([100]), np.array([1]), 1, 0.0)
    found = random_entries(moves, market_of(mids), 5, 2_000, cone_points)
    assert found["worst"] == 0.0
    assert found["best"] == 0.0 or found["probability_of_profit"] < 0.01  # only the last one before the pause rises


def test_trades_of_a_market_without_samples_are_left_out_and_counted() -> None:
    mids = walk(np.random.default_rng(4), 1_000)
    moves = trades_at(mids, np.array([100, 300]), np.array([5, 5]), 1)
    moves.trades["instrument_id"] = [1, 0]
    found = random_entries(moves, market_of(mids, np.zeros(10, np.int64)), 5, 50, cone_points)
    assert (found["trades"], found["left_out"]) == (1, 1)
    assert found["observed"] == pytest.approx(moves.moved[1] - 0.5)
    nothing = random_entries(moves, market_of(np.zeros(10, np.int64), np.zeros(10, np.int64)), 5, 50, cone_points)
    assert (nothing["trades"], nothing["p_value"], nothing["mean"]) == (0, None, None)
    assert set(nothing) == set(found)


def test_a_trades_profit_is_the_markets_move_less_what_it_cost() -> None:
    fills = np.zeros(4, FILL_DTYPE)
    fills["intent_no"], fills["side"], fills["size"] = [0, 1, 0, 1], [1, -1, -1, 1], [2, 1, 2, 1]
    fills["ts_event"] = [1, 2, 5, 4]
    fills["price"] = [101, 99, 109, 95]
    fills["bid_price"], fills["ask_price"] = [99, 98, 110, 0], [101, 100, 112, 0]  # mids 100, 99, 111, none
    fills["fee_nanos"] = 10**8
    fills["realised_nanos"] = [0, 0, 2 * 8 * 10**9, 4 * 10**9]
    moves = trade_moves(fills, trades_of(fills), np.array([10**9]))
    assert moves.trades["intent_no"].tolist() == [1, 0]  # in the order of closing
    assert_allclose(moves.moved, [4.0, 22.0])
    assert_allclose(moves.cost, [0.2, 22.0 - 16.0 + 0.2])
    assert_allclose(moves.moved - moves.cost, moves.trades["net_nanos"] / 1e9)
