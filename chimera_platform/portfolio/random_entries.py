"""The null of entries: the same trades at random times of the same market and session.

Trades of one engine and instrument that were entered in one session (Asia, London, New York) are laid anew over all of
that session's time in the run: in random order, without overlap, every arrangement with the same chance (uniform
spacings of hard rods). Side, size, holding time, spread and fees stay the trade's own; what it earns is the move of the
mid from its new entry on. If entries know nothing, what the trades earned is one draw from these paths.

Holding times that depend on the path (stops, targets) do not spoil that: by Wald's identities the mean and the
variance of a martingale at a stopping time are those at a fixed time of the same expectation. Two engines' trades are
laid out independently of each other. Hedges are no entries of this kind and are left out beforehand.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from chimera_platform.execution.records import ENGINE_COUNT
from chimera_platform.kernels import kernel
from chimera_platform.market.city_sessions import city_sessions
from chimera_platform.portfolio.market_path import MarketPaths
from chimera_platform.portfolio.resampled_paths import SUMMARY, below, follow, path_state, summary, unit
from chimera_platform.portfolio.trade_moves import TradeMoves
from chimera_platform.splitmix import GAMMA, mix64

Array = np.ndarray[Any, Any]
_SESSIONS = 3
_HOLD, _GAIN, _COST = range(3)


@kernel
def _lay_out(state: Any, rods: Any, slots: float, starts: Any) -> Any:
    """Bring rods into a random order and write where each starts on [0, slots); return the state.

    The free length is cut by sorted uniform numbers, which are partial sums of exponential ones over their total.
    """
    count = rods.shape[0]
    for k in range(count - 1, 0, -1):
        state += GAMMA
        j = below(mix64(state), k + 1)
        for column in range(3):
            rods[k, column], rods[j, column] = rods[j, column], rods[k, column]
    total, gaps = 0.0, 0.0
    for k in range(count):
        state += GAMMA
        gaps -= math.log(unit(mix64(state)))
        starts[k] = gaps
        total += rods[k, _HOLD]
    state += GAMMA
    gaps -= math.log(unit(mix64(state)))
    scale = max(slots - total, 0.0) / max(gaps, 1e-300)
    before = 0.0
    for k in range(count):
        starts[k] = starts[k] * scale + before
        before += rods[k, _HOLD]
    return state


@kernel
def _place(state: Any, rods: Any, rows: Any, times: Any, mids: Any, starts: Any, out: Any) -> Any:
    """Write what the trades of one group earn in a random arrangement to ``out[rows]``; return the state.

    ``times``: numbers of the session's samples; ``mids``: all samples, half ticks, none missing. A fraction of a
    sample is held with its own probability.
    """
    slots = times.shape[0]
    state = _lay_out(state, rods, float(slots), starts)
    for k in range(rods.shape[0]):
        state += GAMMA
        held = np.int64(rods[k, _HOLD] + 1.0 - unit(mix64(state)))
        entry = times[min(np.int64(starts[k]), slots - 1)]
        leave = min(entry + held, mids.shape[0] - 1)
        out[rows[k]] = rods[k, _GAIN] * float(mids[leave] - mids[entry]) - rods[k, _COST]
    return state


@kernel
def _fill_paths(
    seed: Any,
    first_path: int,
    bounds: Any,
    rods: Any,
    rows: Any,
    time_bounds: Any,
    times: Any,
    mid_bounds: Any,
    mids: Any,
    at: Any,
    totals: Any,
    falls: Any,
) -> None:
    """Fill one row per path; group g has trades bounds[g]:bounds[g + 1], and so on for its times and mids.

    ``rods``: by trade the samples that it was held, its profit per half tick that the mid rises, its cost.
    """
    count = rows.shape[0]
    out, starts, shuffled = np.empty(count), np.empty(count), np.empty_like(rods)
    for path in range(totals.shape[0]):
        state = path_state(seed, first_path + path)
        shuffled[:] = rods
        for g in range(bounds.shape[0] - 1):
            a, b = bounds[g], bounds[g + 1]
            own_times = times[time_bounds[g] : time_bounds[g + 1]]
            own_mids = mids[mid_bounds[g, 0] : mid_bounds[g, 1]]
            state = _place(state, shuffled[a:b], rows[a:b], own_times, own_mids, starts[a:b], out)
        follow(out, at, totals[path], falls[path])


def random_entries(
    moves: TradeMoves, market: MarketPaths, seed: Any, paths: int, cone_points: Callable[[int], Array]
) -> dict[str, Any]:
    """Return the paths of the same trades at random times.

    Parameters
    ----------
    moves : of the closed trades.
    market : the mids of the run.
    seed : u8, of the draws.
    paths : how many, at least 1.
    cone_points : number of trades → after how many of them the cone is drawn.

    Returns
    -------
    dict
        ``paths``, ``trades`` (laid out), ``left_out`` (trades of a market without samples in their session),
        ``grid_seconds`` (the coarsest distance of two samples), ``observed`` (what the trades laid out earned),
        ``p_value`` ((1 + paths that earned at least that) / (1 + paths)), and what
        :func:`~chimera_platform.portfolio.resampled_paths.summary` returns; None where no trade could be laid out.
    """
    groups = _groups(moves.trades, market)
    used = np.concatenate([rows for rows, _, _ in groups]) if groups else np.zeros(0, np.int64)
    head: dict[str, Any] = {"paths": paths, "trades": len(used), "left_out": len(moves.trades) - len(used)}
    if len(used) == 0:
        return head | dict.fromkeys(("grid_seconds", "observed", "p_value", *SUMMARY))
    trades = moves.trades[used]
    steps = market.paths["step_ns"][trades["instrument_id"]]
    sized = trades["side"].astype(np.float64) * trades["size"]
    at = cone_points(len(used))
    totals, falls = np.empty((paths, len(at))), np.empty((paths, len(at)))
    mids, spans = _filled(market, sorted({symbol for _, symbol, _ in groups}))
    holds = (trades["ts_close"] - trades["ts_open"]) / steps
    gains = sized * market.tick_values[trades["instrument_id"]] / 2e9
    given = (
        _bounds([len(rows) for rows, _, _ in groups]),
        np.ascontiguousarray(np.column_stack([holds, gains, moves.cost[used]])),
        np.argsort(np.argsort(used)),  # where each stands in the order of closing among those laid out
        _bounds([len(times) for _, _, times in groups]),
        np.concatenate([times for _, _, times in groups]),
        np.array([spans[symbol] for _, symbol, _ in groups], np.int64),
        mids,
        at,
    )

    def fill(part: slice) -> None:
        _fill_paths(np.uint64(seed), part.start, *given, totals[part], falls[part])

    half = paths // 2
    with ThreadPoolExecutor(2) as threads:  # a path's draws depend on its number alone
        list(threads.map(fill, (slice(0, half), slice(half, paths))))
    observed = float((moves.moved[used] - moves.cost[used]).sum())
    return head | {
        "grid_seconds": float(steps.max()) / 1e9,
        "observed": observed,
        "p_value": (1 + int((totals[:, -1] >= observed).sum())) / (1 + paths),
        **summary(totals, falls, at),
    }


def _groups(trades: Array, market: MarketPaths) -> list[tuple[Array, int, Array]]:
    """Return (numbers of the trades, instrument_id, numbers of the session's samples) by engine, market, session."""
    sessions = city_sessions(trades["ts_open"])
    keys = (trades["instrument_id"].astype(np.int64) * ENGINE_COUNT + trades["engine"]) * _SESSIONS + sessions
    eligible: dict[tuple[int, int], Array] = {}
    found = []
    for key in np.unique(keys).tolist():
        symbol, session = key // (ENGINE_COUNT * _SESSIONS), key % _SESSIONS
        if (symbol, session) not in eligible:
            eligible[symbol, session] = _session_samples(market, symbol, session)
        times = eligible[symbol, session]
        if len(times):
            found.append((np.flatnonzero(keys == key), symbol, times))
    return found


def _session_samples(market: MarketPaths, symbol: int, session: int) -> Array:
    """Return the numbers of the samples with a mid that lie in the session."""
    path = market.paths[symbol]
    numbers = np.flatnonzero(market.samples[symbol, : path["count"]])
    if len(numbers) == 0:
        return numbers
    return numbers[city_sessions(path["origin_ts"] + numbers * path["step_ns"]) == session]


def _filled(market: MarketPaths, symbols: list[int]) -> tuple[Array, dict[int, tuple[int, int]]]:
    """Return the symbols' samples one after another, a missing one as the one before, and where each symbol's are."""
    parts, spans, start = [], {}, 0
    for symbol in symbols:
        mids = market.samples[symbol, : market.paths[symbol]["count"]]
        latest = np.maximum.accumulate(np.where(mids != 0, np.arange(len(mids)), 0))
        parts.append(mids[latest])
        spans[symbol] = (start, start + len(mids))
        start += len(mids)
    return np.concatenate(parts), spans


def _bounds(lengths: list[int]) -> Array:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
