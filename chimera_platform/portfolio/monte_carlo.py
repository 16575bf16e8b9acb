"""What else the same run could have brought: its trades and days resampled, and its entries and sides at random.

Two questions, two kinds of paths. *How much luck is in the result?* The stationary bootstrap (Politis & Romano 1994)
draws blocks of consecutive trades, or days, so that winning and losing spells stay together; the blocks' mean length is
that of Politis & White (2004, corrected by Patton et al. 2009). *Do the decisions know something?* The nulls keep the
trades and their costs but draw the moment of entry (:mod:`chimera_platform.portfolio.random_entries`) or the side.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.portfolio.market_path import MarketPaths
from chimera_platform.portfolio.random_entries import random_entries
from chimera_platform.portfolio.resampled_paths import (
    QUANTILES,
    SUMMARY,
    block_paths,
    cone_points,
    flipped_paths,
    summary,
)
from chimera_platform.portfolio.trade_moves import TradeMoves, without_hedge_moves
from chimera_platform.signals.block_bootstrap import optimal_block_length
from chimera_platform.splitmix import GAMMA, mix64

__all__ = ["PATHS", "QUANTILES", "bootstrap", "monte_carlo", "p_value", "random_sides", "without_curves"]
Array = np.ndarray[Any, Any]
PATHS = 1_000
_TRADES, _DAYS, _ENTRIES, _SIDES = range(4)
_LAID_OUT_MAX, _NULL_PATHS_MIN = 100_000_000, 200


def bootstrap(
    profits: Array, seed: int, paths: int = PATHS, block_length: float | None = None, stream: int = _TRADES
) -> dict[str, Any]:
    """Resample profits in blocks and summarise the paths.

    Parameters
    ----------
    profits : net profit of each closed trade, or of each day, in their order; currency units, shape (n,), n < 2**32.
    seed : of the draws; the same seed gives the same result on every machine.
    paths : how many, at least 1.
    block_length : mean length of the blocks, at least 1 (1: independent draws; Efron 1979); None: the optimal one.
    stream : number of the sequence of draws under the seed, so that several kinds do not share one.

    Returns
    -------
    dict
        ``paths``, ``trades`` (n), ``seed``, ``block_length``, and what
        :func:`~chimera_platform.portfolio.resampled_paths.summary` returns; all but the first three None without
        profits.
    """
    head: dict[str, Any] = {"paths": paths, "trades": len(profits), "seed": seed}
    if len(profits) == 0:
        return head | {"block_length": None} | dict.fromkeys(SUMMARY)
    values = np.ascontiguousarray(profits, "<f8")
    length = optimal_block_length(values) if block_length is None else float(block_length)
    at, totals, falls = _tables(len(values), paths)
    block_paths(values, _stream_seed(seed, stream), length, at, totals, falls)
    return head | {"block_length": length} | summary(totals, falls, at)


def random_sides(moves: TradeMoves, seed: int, paths: int = PATHS) -> dict[str, Any]:
    """Return the paths in which each trade's side is drawn anew, at its own times and costs (a sign-flip test).

    Parameters
    ----------
    moves : of the closed trades.
    seed, paths : as for :func:`bootstrap`.

    Returns
    -------
    dict
        As :func:`bootstrap` without ``block_length``, with ``observed`` (what the trades earned) and ``p_value``.
    """
    head: dict[str, Any] = {"paths": paths, "trades": len(moves.moved), "seed": seed}
    if len(moves.moved) == 0:
        return head | {"observed": None, "p_value": None} | dict.fromkeys(SUMMARY)
    at, totals, falls = _tables(len(moves.moved), paths)
    flipped_paths(moves.moved, moves.cost, _stream_seed(seed, _SIDES), at, totals, falls)
    observed = float((moves.moved - moves.cost).sum())
    return head | {"observed": observed, "p_value": p_value(observed, totals[:, -1])} | summary(totals, falls, at)


def p_value(observed: float, totals: Array) -> float:
    """Return (1 + paths that earned at least ``observed``) / (1 + paths): the chance of it under the null."""
    return (1 + int((totals >= observed).sum())) / (1 + len(totals))


def monte_carlo(
    profits: Array,
    daily_profits: Array,
    seed: int,
    moves: TradeMoves | None = None,
    market: MarketPaths | None = None,
    paths: int = PATHS,
) -> dict[str, Any]:
    """Return every kind of resampling of a run.

    Parameters
    ----------
    profits : net profit of each closed trade in the order of closing, currency units.
    daily_profits : change of equity over each day with events, currency units.
    seed, paths : as for :func:`bootstrap`.
    moves : of the closed trades, for the nulls, which leave out hedges: their moment and side follow from what is held;
        None leaves the nulls out.
    market : the mids that the run saw, for the null of entries; None leaves it out.

    Returns
    -------
    dict
        The keys of :func:`bootstrap` of the trades; ``by_days``: those of the days (``days`` instead of ``trades``),
        None for a single day, whose mixtures are all the same; ``null``:
        :func:`~chimera_platform.portfolio.random_entries.random_entries`, of fewer paths from 100,000 trades on, so
        that it takes seconds; ``null_sides``: :func:`random_sides`; each None where its input is missing.
    """
    by_days = bootstrap(daily_profits if len(daily_profits) > 1 else daily_profits[:0], seed, paths, stream=_DAYS)
    del by_days["trades"]
    by_days["days"] = len(daily_profits)
    null = null_sides = None
    if moves is not None:
        moves = without_hedge_moves(moves)
        null_sides = random_sides(moves, seed, paths)
        if market is not None:
            affordable = min(paths, max(_LAID_OUT_MAX // max(len(moves.moved), 1), _NULL_PATHS_MIN))
            null = random_entries(moves, market, _stream_seed(seed, _ENTRIES), affordable, cone_points)
            null["seed"] = seed
    return bootstrap(profits, seed, paths) | {"by_days": by_days, "null": null, "null_sides": null_sides}


def without_curves(result: dict[str, Any]) -> dict[str, Any]:
    """Return a result without the curves, for reading."""
    return {
        name: without_curves(value) if isinstance(value, dict) else value
        for name, value in result.items()
        if name not in ("cone", "histogram")
    }


def _tables(count: int, paths: int) -> tuple[Array, Array, Array]:
    at = cone_points(count)
    return at, np.empty((paths, len(at))), np.empty((paths, len(at)))


def _stream_seed(seed: int, stream: int) -> np.uint64:
    with np.errstate(over="ignore"):
        return np.uint64(mix64(np.uint64(seed % 2**64) + GAMMA * np.uint64(stream)))
