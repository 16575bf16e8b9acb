"""How long do 1,000 resampled paths of 10,000 trades take?

By processor time, one thread, summaries and cones included: the stationary block bootstrap of the trades, the same
trades with random sides, and the same trades at random times of a simulated week's mids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.figures import Figure, Scale, timed
from chimera_platform.portfolio.market_path import MARKET_PATH_DTYPE, MarketPaths
from chimera_platform.portfolio.monte_carlo import PATHS, bootstrap, random_sides
from chimera_platform.portfolio.random_entries import random_entries
from chimera_platform.portfolio.resampled_paths import cone_points
from chimera_platform.portfolio.trade_moves import TradeMoves
from chimera_platform.portfolio.trades import TRADE_DTYPE

TRADES, SEED = 10_000, 7
GOAL_MS = 50.0
_SECONDS, _START = 5 * 86_400, 1_700_438_400 * 10**9


def measure(scale: Scale) -> Iterator[Figure]:
    profits = np.random.default_rng(SEED).normal(0.1, 1.0, TRADES)
    moves, market = _week()
    for name, goal, work in (
        ("trades", GOAL_MS, lambda: bootstrap(profits, SEED)),
        ("trades_in_blocks_of_10", GOAL_MS, lambda: bootstrap(profits, SEED, block_length=10.0)),
        ("random_sides", None, lambda: random_sides(moves, SEED)),
        ("random_entries", None, lambda: random_entries(moves, market, np.uint64(SEED), PATHS, cone_points)),
    ):
        yield _figure(name, goal, work, scale.repeats)


def _figure(name: str, goal: float | None, work: Callable[[], Any], repeats: int) -> Figure:
    timing = timed(lambda: None, lambda _: work(), repeats)
    detail = {"trades": TRADES, "paths": PATHS, "wall_ms": timing.median_s * 1e3}
    return Figure(f"monte_carlo.{name}", timing.median_cpu_s * 1e3, "ms", goal, detail)


def _week() -> tuple[TradeMoves, MarketPaths]:
    """Return trades of up to half a minute over a random walk of five days, a mid a second."""
    random = np.random.default_rng(SEED)
    mids = 1_000_000 + np.cumsum(random.integers(-3, 4, _SECONDS))
    paths = np.zeros(1, MARKET_PATH_DTYPE)
    paths["origin_ts"], paths["step_ns"], paths["count"] = _START, 10**9, _SECONDS
    entries = np.sort(random.integers(0, _SECONDS - 30, TRADES))
    holds = random.integers(1, 30, TRADES)
    trades = np.zeros(TRADES, TRADE_DTYPE)
    trades["ts_open"], trades["size"] = _START + entries * 10**9, 1
    trades["ts_close"], trades["side"] = trades["ts_open"] + holds * 10**9, random.choice([-1, 1], TRADES)
    moved = trades["side"] * (mids[entries + holds] - mids[entries]) / 2.0
    return TradeMoves(trades, moved, np.full(TRADES, 0.5)), MarketPaths(paths, mids[None], np.array([10**9]))
