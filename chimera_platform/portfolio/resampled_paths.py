"""Kernels that follow resampled paths of profit, and what is said of the paths.

Random numbers are SplitMix64's (:mod:`chimera_platform.splitmix`); a path's sequence depends on the seed and its own
number alone, so paths can be shared out over threads.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chimera_platform.kernels import kernel
from chimera_platform.splitmix import GAMMA, mix64

Array = np.ndarray[Any, Any]
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
CONE_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
CONE_POINTS = 100
HISTOGRAM_BINS = 40
_S11, _S32, _LOWER = np.uint64(11), np.uint64(32), np.uint64(0xFFFFFFFF)
_HALF = 2.0**32
_UNIT = 2.0**-53
_ONE = np.uint64(1)


@kernel
def path_state(seed: Any, path: int) -> Any:
    """Return the generator's state (u8) before the first draw of a path; ``seed`` u8."""
    return mix64(seed + GAMMA * (np.uint64(path) + _ONE))


@kernel
def below(bits: Any, count: int) -> Any:
    """Return a number in [0, count) from 64 random bits (u8), count below 2**32."""
    return np.int64(((bits >> _S32) * np.uint64(count)) >> _S32)


@kernel
def unit(bits: Any) -> float:
    """Return a number in (0, 1] from 64 random bits (u8)."""
    return float((bits >> _S11) + _ONE) * _UNIT


@kernel
def follow(profits: Any, at: Any, totals: Any, falls: Any) -> None:
    """Write total and deepest fall so far after each count of profits in ``at`` (ascending, from 0 on)."""
    total, peak, fall = 0.0, 0.0, 0.0
    totals[0], falls[0] = 0.0, 0.0
    for k in range(1, at.shape[0]):
        for i in range(at[k - 1], at[k]):
            total += profits[i]
            if total > peak:
                peak = total
            if peak - total > fall:
                fall = peak - total
        totals[k], falls[k] = total, fall


@kernel
def block_paths(profits: Any, seed: Any, block_length: float, at: Any, totals: Any, falls: Any) -> None:
    """Fill one row per path of the stationary bootstrap (Politis & Romano 1994).

    The next profit drawn is the one after the last, the first after the very last; or, with probability 1 /
    ``block_length``, any. One draw serves both: its upper half says which, its lower half whether.
    """
    count = profits.shape[0]
    threshold = np.uint64(_HALF / max(block_length, 1.0))
    for path in range(totals.shape[0]):
        state = path_state(seed, path) + GAMMA
        position = below(mix64(state), count) - 1
        total, peak, fall = 0.0, 0.0, 0.0
        totals[path, 0], falls[path, 0] = 0.0, 0.0
        for k in range(1, at.shape[0]):
            for _ in range(at[k - 1], at[k]):
                state += GAMMA
                bits = mix64(state)
                anywhere = below(bits, count)
                following = position + 1 if position + 1 < count else 0
                position = anywhere if bits & _LOWER < threshold else following
                total += profits[position]
                if total > peak:
                    peak = total
                if peak - total > fall:
                    fall = peak - total
            totals[path, k], falls[path, k] = total, fall


@kernel
def flipped_paths(moves: Any, costs: Any, seed: Any, at: Any, totals: Any, falls: Any) -> None:
    """Fill one row per path in which each move counts with a random sign, its cost as it was."""
    profits = np.empty(moves.shape[0])
    for path in range(totals.shape[0]):
        state = path_state(seed, path)
        for i in range(moves.shape[0]):
            state += GAMMA
            sign = 1.0 if mix64(state) >> np.uint64(63) == _ONE else -1.0
            profits[i] = sign * moves[i] - costs[i]
        follow(profits, at, totals[path], falls[path])


def cone_points(count: int) -> Array:
    """Return after how many of ``count`` profits a cone is drawn: int64, from 0 to ``count``, about a hundred."""
    return np.unique(np.round(np.linspace(0, count, min(count, CONE_POINTS) + 1)).astype(np.int64))


def summary(totals: Array, falls: Array, at: Array) -> dict[str, Any]:
    """Return what the paths say; the keys are :data:`SUMMARY`.

    Parameters
    ----------
    totals, falls : profit and deepest fall below the peak so far, shape (paths, points).
    at : counts of profits at the points, int64 (points,).

    Returns
    -------
    dict
        Of the paths' total profit ``mean``, ``median``, ``std`` (ddof 1; 0 for a single path), ``best``, ``worst``,
        ``quantiles`` ("0.05" → value, linear interpolation), ``probability_of_profit`` (share of totals above 0),
        ``var_95`` (minus the 5 % quantile) and ``expected_shortfall_95`` (minus the mean of what is at or below it);
        of the paths' deepest drawdown ``drawdown_median`` and ``drawdown_95`` (95 % quantile); ``cone``: ``at``, and
        ``profit`` and ``drawdown`` by quantile: each a list over ``at``, the drawdown being the deepest so far;
        ``histogram`` of the totals: ``edges`` (one more than there are bins) and ``counts``.
    """
    last, deepest = np.ascontiguousarray(totals[:, -1]), falls[:, -1]
    low = float(np.quantile(last, 0.05))
    quantiles = np.quantile(last, QUANTILES).tolist()
    counts, edges = np.histogram(last, HISTOGRAM_BINS)
    return {
        "mean": math.fsum(last) / len(last),
        "median": float(np.median(last)),
        "std": float(last.std(ddof=1)) if len(last) > 1 else 0.0,
        "best": float(last.max()),
        "worst": float(last.min()),
        "quantiles": {str(q): v for q, v in zip(QUANTILES, quantiles, strict=True)},
        "probability_of_profit": float(np.mean(last > 0.0)),
        "var_95": -low,
        "expected_shortfall_95": -float(last[last <= low].mean()),
        "drawdown_median": float(np.median(deepest)),
        "drawdown_95": float(np.quantile(deepest, 0.95)),
        "cone": {"at": at.tolist(), "profit": _by_quantile(totals), "drawdown": _by_quantile(falls)},
        "histogram": {"edges": edges.tolist(), "counts": counts.tolist()},
    }


SUMMARY = (
    "mean",
    "median",
    "std",
    "best",
    "worst",
    "quantiles",
    "probability_of_profit",
    "var_95",
    "expected_shortfall_95",
    "drawdown_median",
    "drawdown_95",
    "cone",
    "histogram",
)


def _by_quantile(values: Array) -> dict[str, list[float]]:
    """Return the quantiles over the paths at each point, as :func:`numpy.quantile` does by default."""
    ordered = np.sort(np.ascontiguousarray(values.T), axis=1)
    place = np.array(CONE_QUANTILES) * (ordered.shape[1] - 1)
    low = np.floor(place).astype(np.int64)
    high = np.minimum(low + 1, ordered.shape[1] - 1)
    found = ordered[:, low] + (ordered[:, high] - ordered[:, low]) * (place - low)
    return {str(q): found[:, k].tolist() for k, q in enumerate(CONE_QUANTILES)}
