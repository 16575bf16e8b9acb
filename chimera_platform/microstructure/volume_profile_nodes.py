"""High- and low-volume nodes of a volume profile that are more than noise.

The profile is smoothed; each of its peaks but the highest is paired with the valley that parts it from higher
ground. A pair's strength is sqrt(n)·(sqrt(peak share) - sqrt(valley share)): square roots make the noise of counts
alike at all heights. Null hypothesis: the profile is unimodal and smooth, namely the isotonic fit (up to the mode,
down after it) of the smoothed profile. Profiles of n draws from it, smoothed alike, give the distribution of the
*strongest* chance pair; a pair's p-value is its rank there, and Benjamini & Hochberg's (1995) procedure over all
pairs keeps the false discovery rate below the level. P-values from the maximum are already valid for all pairs at
once, so the procedure as a whole is conservative.

Prints are not independent draws: successive prices are close to each other. ``effective_count`` below the number of
prints widens the null; without it one draw a lot is assumed, which is optimistic for large prints.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from chimera_platform.errors import DataError

Array = np.ndarray[Any, Any]


class VolumeNode(NamedTuple):
    """A peak of volume and the valley that parts it from higher ground."""

    high_price: int  # ticks, high-volume node
    low_price: int  # ticks, low-volume node
    strength: float  # in standard errors of a root count, about
    p_value: float


def smooth_profile(lots: Array, bandwidth: float) -> Array:
    """Return the profile as shares, convolved with a Gaussian of ``bandwidth`` bins; nothing leaks over the ends."""
    reach = max(int(np.ceil(4 * bandwidth)), 1)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / bandwidth) ** 2)
    weights /= weights.sum()
    padded = np.pad(np.asarray(lots, float), reach, mode="symmetric")
    smoothed = np.convolve(padded, weights, mode="valid")
    return np.asarray(smoothed / smoothed.sum())


def _rising_fit(values: Array) -> Array:
    """Return the least-squares non-decreasing fit (pool adjacent violators)."""
    blocks: list[tuple[float, int]] = []
    for value in values.tolist():
        mean, count = value, 1
        while blocks and blocks[-1][0] > mean:
            before, n = blocks.pop()
            mean, count = (before * n + mean * count) / (n + count), n + count
        blocks.append((mean, count))
    return np.repeat([m for m, _ in blocks], [n for _, n in blocks])


def unimodal_fit(shares: Array) -> Array:
    """Return the null: rising up to the mode of ``shares``, falling after it, summing to one."""
    mode = int(np.argmax(shares))
    fit = np.concatenate([_rising_fit(shares[: mode + 1]), _rising_fit(shares[mode + 1 :][::-1])[::-1]])
    return np.asarray(fit / fit.sum())


def peak_pairs(shares: Array) -> list[tuple[int, int, float]]:
    """Return (peak, valley, sqrt height of the peak over the valley) of each peak but the highest."""
    steps = np.flatnonzero(np.diff(shares) != 0)
    signs = np.sign(np.diff(shares)[steps])
    turns = np.flatnonzero(np.diff(signs) != 0)
    extremes = [0, *(int(steps[t]) + 1 for t in turns), len(shares) - 1]
    roots = np.sqrt(np.maximum(shares, 0.0))
    heights = roots[extremes]
    mode = int(np.argmax(heights))
    pairs = []
    for i in range(len(extremes)):
        left_lower = i == 0 or heights[i - 1] < heights[i]
        right_lower = i == len(extremes) - 1 or heights[i + 1] < heights[i]
        if i == mode or not (left_lower and right_lower):
            continue
        valleys = []
        for step in (-1, 1):
            j, valley = i + step, i
            while 0 <= j < len(extremes) and heights[j] <= heights[i]:
                valley = j if heights[j] < heights[valley] else valley
                j += step
            if 0 <= j < len(extremes):
                valleys.append(valley)
        if valleys:
            valley = max(valleys, key=lambda v: float(heights[v]))
            pairs.append((extremes[i], extremes[valley], float(heights[i] - heights[valley])))
    return pairs


def benjamini_hochberg(p_values: Array, level: float) -> Array:
    """Return which hypotheses are rejected at the false discovery rate ``level``."""
    order = np.argsort(p_values, kind="stable")
    passed = np.flatnonzero(p_values[order] <= level * np.arange(1, len(order) + 1) / max(len(order), 1))
    rejected = np.zeros(len(order), bool)
    if passed.size:
        rejected[order[: passed[-1] + 1]] = True
    return rejected


def find_nodes(
    prices: Array,
    lots: Array,
    *,
    bandwidth: float = 2.0,
    level: float = 0.05,
    draws: int = 399,
    seed: int = 7,
    effective_count: int | None = None,
) -> list[VolumeNode]:
    """Return the significant nodes of a profile, lowest price first.

    Parameters
    ----------
    prices, lots : shape (n,): ticks of the bins, ascending, and volume in lots, as ``VolumeProfiles.histogram`` gives.
    bandwidth : of the Gaussian smoothing, in bins.
    level : false discovery rate.
    draws : bootstrap profiles; at least 1 / level of them are needed to find anything.
    seed : of the bootstrap.
    effective_count : independent draws that the profile is worth; the total volume when None.

    Raises
    ------
    DataError : lengths differ, a negative volume, or a bandwidth, level or count that is out of range.
    """
    if len(prices) != len(lots) or np.any(np.asarray(lots) < 0):
        raise DataError(f"profile of {len(prices)} prices and {len(lots)} volumes; expected as many, none negative")
    if bandwidth <= 0 or not 0 < level < 1 or draws < 1 or (effective_count is not None and effective_count < 1):
        raise DataError(
            f"bandwidth {bandwidth}, level {level}, draws {draws}, effective_count {effective_count}; "
            "expected > 0, between 0 and 1, >= 1, >= 1"
        )
    total = int(np.sum(lots))
    if len(lots) < 3 or total == 0:
        return []
    count = effective_count or total
    shares = smooth_profile(lots, bandwidth)
    pairs = peak_pairs(shares)
    if not pairs:
        return []
    null, rng = unimodal_fit(shares), np.random.default_rng(seed)
    samples = rng.multinomial(count, null, size=draws)
    strongest = np.array([max((s for *_, s in peak_pairs(smooth_profile(x, bandwidth))), default=0.0) for x in samples])
    strength = np.array([s for *_, s in pairs])
    p_values = (1 + (strongest[None, :] >= strength[:, None]).sum(axis=1)) / (draws + 1)
    chosen = benjamini_hochberg(p_values, level)
    root = float(np.sqrt(count))
    nodes = [
        VolumeNode(int(prices[peak]), int(prices[valley]), root * s, float(p))
        for (peak, valley, s), p, keep in zip(pairs, p_values, chosen, strict=True)
        if keep
    ]
    return sorted(nodes)
