"""Estimators of the known facts about order books and order flow: plain NumPy over arrays, one definition each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def weighted_quantiles(values: np.ndarray[Any, Any], weights: np.ndarray[Any, Any], levels: Sequence[float]) -> Floats:
    """Return for each level the smallest value whose share of the weight, up to it, reaches the level.

    With ``weights`` the times for which the values stood, the time-weighted quantiles; NaN where there is no weight.
    """
    total = float(weights.sum())
    if total <= 0.0:
        return np.full(len(levels), np.nan)
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order]) / total
    at = np.searchsorted(reached, np.asarray(levels) - 1e-12)
    return np.asarray(values[order][np.minimum(at, len(order) - 1)], np.float64)


def hill_exponent(sizes: np.ndarray[Any, Any], share: float = 0.05) -> float:
    """Return the tail exponent α of P(size > x) ~ x^-α by Hill (1975) over the largest ``share`` of the sizes.

    α = k / Σ log(x_i / x_{k+1}) over the k largest; NaN for fewer than 20 of them, or a tail without spread.
    """
    positive = np.sort(sizes[sizes > 0].astype(np.float64))[::-1]
    k = int(share * len(positive))
    if k < 20:
        return float("nan")
    logs = np.log(positive[:k] / positive[k]).sum()
    return float(k / logs) if logs > 0.0 else float("nan")


def autocorrelation(series: np.ndarray[Any, Any], lags: Sequence[int]) -> Floats:
    """Return the sample autocorrelation at each lag, Σ (x_t - x̄)(x_{t+k} - x̄) / Σ (x_t - x̄)².

    NaN in ``series`` are gaps: pairs that touch one are left out, and numerator and denominator are means over what
    there is. NaN is returned for a constant series and for fewer than 30 pairs.
    """
    centred = series.astype(np.float64) - np.nanmean(series) if len(series) else np.zeros(0)
    variance = float(np.nanmean(centred**2)) if len(centred) else 0.0
    found = np.full(len(lags), np.nan)
    for i, lag in enumerate(lags):
        products = centred[: len(centred) - lag] * centred[lag:] if lag < len(centred) else np.zeros(0)
        products = products[~np.isnan(products)]
        if len(products) >= 30 and variance > 0.0:
            found[i] = products.mean() / variance
    return found


def r_squared(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> float:
    """Return the share of the variance of ``y`` that a straight line in ``x`` explains; NaN if either is constant."""
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1] ** 2)


def windowed_r_squared(
    x: np.ndarray[Any, Any], y: np.ndarray[Any, Any], window: np.ndarray[Any, Any], smallest: int
) -> float:
    """Return the mean over windows of the R² of ``y`` on ``x``, a line fitted to each window with enough points.

    Cont, Kukanov & Stoikov (2014) fit half hours, because the slope goes with the depth of the book.

    Parameters
    ----------
    x, y, window : same shape; ``window`` numbers the window of each point.
    smallest : points that a window must have.
    """
    fits = [
        r_squared(x[mine], y[mine])
        for number in np.unique(window)
        if np.count_nonzero(mine := window == number) >= smallest
    ]
    known = [fit for fit in fits if not np.isnan(fit)]
    return float(np.mean(known)) if known else float("nan")


def shuffled_within(x: np.ndarray[Any, Any], window: np.ndarray[Any, Any], seed: int) -> np.ndarray[Any, Any]:
    """Return ``x`` permuted inside each window (sorted, contiguous): the control that keeps everything but time."""
    keys = np.random.default_rng(seed).random(len(x))
    return np.asarray(x[np.lexsort((keys, window))])


def area_under_curve(score: np.ndarray[Any, Any], positive: np.ndarray[Any, Any]) -> float:
    """Return the probability that a positive scores above a negative, ties counting half; NaN without both.

    By ranks (Mann & Whitney 1947); equal to the area under the ROC curve.
    """
    ups = int(np.count_nonzero(positive))
    downs = len(positive) - ups
    if ups == 0 or downs == 0:
        return float("nan")
    _, group, counts = np.unique(score, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(counts) - 0.5 * (counts - 1)
    return float((mean_rank[group][positive].sum() - 0.5 * ups * (ups + 1)) / (ups * downs))


def tick_test(prices: np.ndarray[Any, Any]) -> Integers:
    """Return the sign of the last price change at each trade (Lee & Ready 1991), 0 before the first change."""
    change = np.sign(np.diff(prices, prepend=prices[:1])).astype(np.int64)
    last = np.maximum.accumulate(np.where(change != 0, np.arange(len(change)), 0))
    return np.asarray(change[last])


def flow_over_intervals(
    ts: np.ndarray[Any, Any],
    mid: np.ndarray[Any, Any],
    flow: np.ndarray[Any, Any],
    valid: np.ndarray[Any, Any],
    length_ns: int,
) -> tuple[Integers, Floats, Floats]:
    """Return start, summed flow and change of the mid of the intervals [g, g + length), g a multiple of the length.

    The change is from the last mid before g to the last one before g + length. Intervals that begin in, or contain,
    a state that is not valid are left out.

    Parameters
    ----------
    ts : shape (n,), ns, never decreasing.
    mid, flow, valid : shape (n,); the state after each event, and the event's flow.
    """
    if len(ts) == 0:
        return np.zeros(0, np.int64), np.zeros(0), np.zeros(0)
    grid = np.arange(ts[0] // length_ns + 1, ts[-1] // length_ns + 1, dtype=np.int64) * length_ns
    before = np.searchsorted(ts, grid, side="left") - 1  # last row before each point
    first, last = before[:-1], before[1:]
    summed = np.concatenate([[0.0], np.cumsum(np.where(valid, flow, 0))])
    bad = np.concatenate([[0], np.cumsum(~valid)])
    whole = bad[last + 1] == bad[first]
    change = mid[last] - mid[first]
    return grid[:-1][whole], (summed[last + 1] - summed[first + 1])[whole], change[whole]


def before_next_move(
    ts: np.ndarray[Any, Any],
    mid: np.ndarray[Any, Any],
    signal: np.ndarray[Any, Any],
    valid: np.ndarray[Any, Any],
    seed: int,
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return the signal at one random time of every spell of constant mid, and whether the mid rises at its end.

    Times are uniform over the spell, as in Gould & Bonart (2016); spells without duration, or ended by a state that
    is not valid, are left out.
    """
    moved = np.flatnonzero(np.diff(mid, prepend=np.nan) != 0)  # first row of each spell; NaN starts one every row
    if len(moved) < 2:
        return np.zeros(0), np.zeros(0, np.bool_)
    bad = np.concatenate([[0], np.cumsum(~valid)])
    start, end = moved[:-1], moved[1:]
    usable = (bad[end + 1] == bad[start]) & (ts[end] > ts[start])
    start, end = start[usable], end[usable]
    share = np.random.default_rng(seed).random(len(start))
    at = ts[start] + (share * (ts[end] - ts[start])).astype(np.int64)
    row = np.clip(np.searchsorted(ts, at, side="right") - 1, start, end - 1)
    return np.asarray(signal[row], np.float64), np.asarray(mid[end] > mid[start])
