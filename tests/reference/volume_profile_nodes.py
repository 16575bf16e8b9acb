"""Nodes of a volume profile by their definition: NumPy, multinomial draws, every pair of extremes looked at."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


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


def strongest_by_chance(null: Array, count: int, bandwidth: float, draws: int, seed: int) -> Array:
    """Return the strength of the strongest pair in each of ``draws`` profiles of ``count`` multinomial draws."""
    samples = np.random.default_rng(seed).multinomial(count, null, size=draws)
    return np.array([max((s for *_, s in peak_pairs(smooth_profile(x, bandwidth))), default=0.0) for x in samples])


def nodes(
    lots: Array, bandwidth: float = 2.0, level: float = 0.05, draws: int = 399, seed: int = 7, count: int | None = None
) -> list[tuple[int, int, float, float]]:
    """Return (peak, valley, strength, p-value) of the significant nodes, lowest bin first."""
    shares, count = smooth_profile(lots, bandwidth), count or int(np.sum(lots))
    pairs = peak_pairs(shares)
    if not pairs:
        return []
    strongest = strongest_by_chance(unimodal_fit(shares), count, bandwidth, draws, seed)
    strength = np.array([s for *_, s in pairs])
    p_values = (1 + (strongest[None, :] >= strength[:, None]).sum(axis=1)) / (draws + 1)
    chosen = benjamini_hochberg(p_values, level)
    rows = zip(pairs, p_values, chosen, strict=True)
    return sorted((a, b, float(np.sqrt(count) * s), float(p)) for (a, b, s), p, keep in rows if keep)
