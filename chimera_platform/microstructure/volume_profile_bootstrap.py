"""The compiled half of :mod:`chimera_platform.microstructure.volume_profile_nodes`: smooth, fit, pair, draw, test.

Random numbers are a function of a key and a counter (splitmix64 of Steele, Lea & Flood 2014, read at any place), so
a bootstrap leaves no state behind. A drawn profile's bins are independent Poisson counts: given their total, which
the shares do not show, they are multinomial. Means below 2 are drawn exactly, by inversion; larger ones as
m + sqrt(m) z + (z² - 1) / 6 with a normal z out of 2,048 (Cornish & Fisher 1938).
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np

from chimera_platform.kernels import kernel

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_U11, _U27, _U30, _U31 = np.uint64(11), np.uint64(27), np.uint64(30), np.uint64(31)
_U53 = np.uint64(53)
_UNIT = 1.0 / (1 << 53)
_INVERSION_BELOW = 2.0
_POISSON_MAX = 32  # more has a chance below 1e-24 there
_QUANTILES = np.array([NormalDist().inv_cdf((k + 0.5) / 2048) for k in range(2048)])
_QUANTILES /= _QUANTILES.std()
_INVERSE = np.array([0.0, *(1.0 / k for k in range(1, _POISSON_MAX + 1))])


@kernel
def mixed(word: Any) -> Any:
    """Return 64 well mixed bits of a 64-bit word."""
    word = (word ^ (word >> _U30)) * _FIRST
    word = (word ^ (word >> _U27)) * _SECOND
    return word ^ (word >> _U31)


@kernel
def random_key(seed: int, number: int) -> Any:
    """Return the key of the ``number``-th bootstrap under ``seed``, a signed integer."""
    return np.int64(mixed(mixed(np.uint64(seed) + _GOLDEN) + np.uint64(number) * _GOLDEN))


@kernel
def random_word(key: Any, counter: int) -> Any:
    """Return the 64 random bits at ``counter``."""
    return mixed(np.uint64(key) + np.uint64(counter + 1) * _GOLDEN)


@kernel
def draw_counts(means: Any, none: Any, key: Any, counter: int, out: Any) -> None:
    """Fill ``out`` with Poisson counts of the ``means``, out of the random words from ``counter`` on.

    ``none`` holds exp(-mean) where the mean is below 2.
    """
    for i in range(means.shape[0]):
        mean, word = means[i], random_word(key, counter + i)
        if mean < _INVERSION_BELOW:
            rest, chance, k = (word >> _U11) * _UNIT, none[i], 0
            while rest >= chance and k < _POISSON_MAX:
                rest -= chance
                k += 1
                chance *= mean * _INVERSE[k]
            out[i] = k
        else:
            z = _QUANTILES[word >> _U53]
            out[i] = max(mean + math.sqrt(mean) * z + (z * z - 1.0) * (1.0 / 6.0), 0.0)


@kernel
def gaussian_weights(bandwidth: float) -> Any:
    """Return the weights of a Gaussian of ``bandwidth`` bins up to four of them away, summing to one."""
    reach = max(math.ceil(4.0 * bandwidth), 1)
    weights = np.empty(2 * reach + 1)
    total = 0.0
    for t in range(2 * reach + 1):
        weights[t] = math.exp(-0.5 * ((t - reach) / bandwidth) ** 2)
        total += weights[t]
    for t in range(2 * reach + 1):
        weights[t] /= total
    return weights


@kernel
def smooth(values: Any, weights: Any, padded: Any, out: Any) -> None:
    """Write the values' convolution with the weights; the profile is mirrored at its ends, so nothing leaks.

    ``padded`` is scratch of as many bins and one less than there are weights.
    """
    n, reach = values.shape[0], weights.shape[0] // 2
    padded[reach : reach + n] = values
    for t in range(1, reach + 1):
        back = (t - 1) % (2 * n)
        padded[reach - t] = values[back if back < n else 2 * n - 1 - back]
        padded[reach + n - 1 + t] = values[n - 1 - back if back < n else back - n]
    for i in range(n):
        out[i] = weights[reach] * padded[reach + i]
    t = 0
    while t + 1 < reach:  # two taps a pass: half the traffic with memory
        first, second = weights[t], weights[t + 1]
        a, b, c, d = padded[t:], padded[2 * reach - t :], padded[t + 1 :], padded[2 * reach - t - 1 :]
        for i in range(n):
            out[i] += first * (a[i] + b[i]) + second * (c[i] + d[i])
        t += 2
    if t < reach:
        a, b = padded[t:], padded[2 * reach - t :]
        for i in range(n):
            out[i] += weights[t] * (a[i] + b[i])


@kernel
def _fit_rising(values: Any, out: Any, means: Any, sizes: Any) -> None:
    """Write the least-squares non-decreasing fit (pool adjacent violators); ``means`` and ``sizes`` are scratch."""
    blocks = 0
    for i in range(values.shape[0]):
        mean, size = values[i], 1
        while blocks > 0 and means[blocks - 1] > mean:
            blocks -= 1
            mean = (means[blocks] * sizes[blocks] + mean * size) / (sizes[blocks] + size)
            size += sizes[blocks]
        means[blocks] = mean
        sizes[blocks] = size
        blocks += 1
    at = 0
    for block in range(blocks):
        for _ in range(sizes[block]):
            out[at] = means[block]
            at += 1


@kernel
def fit_unimodal(shares: Any, out: Any) -> None:
    """Write the isotonic fit that rises up to the first mode of ``shares`` and falls after it, summing to one."""
    n, mode = shares.shape[0], 0
    for i in range(n):
        if shares[i] > shares[mode]:
            mode = i
    means, sizes = np.empty(n), np.empty(n, np.int64)
    _fit_rising(shares[: mode + 1], out[: mode + 1], means, sizes)
    _fit_rising(shares[mode + 1 :][::-1], out[mode + 1 :][::-1], means, sizes)
    total = 0.0
    for i in range(n):
        total += out[i]
    for i in range(n):
        out[i] /= total


@kernel
def find_extremes(values: Any, scale: float, extremes: Any, heights: Any) -> int:
    """Write where the values turn, both ends included, and sqrt(value · scale) there; return how many."""
    count, last_sign, last_step = 1, 0, 0
    extremes[0] = 0
    for i in range(values.shape[0] - 1):
        sign = int(values[i + 1] > values[i]) - int(values[i + 1] < values[i])
        if sign != 0:
            if sign == -last_sign:
                extremes[count] = last_step + 1
                count += 1
            last_sign, last_step = sign, i
    extremes[count] = values.shape[0] - 1
    count += 1
    for k in range(count):
        heights[k] = math.sqrt(max(values[extremes[k]], 0.0) * scale)
    return count


@kernel
def _valley(heights: Any, count: int, peak: int, step: int) -> int:
    """Return the lowest extreme on the way from a peak to the next higher one; -1 where there is no higher one."""
    at, lowest = peak + step, peak
    while 0 <= at < count and heights[at] <= heights[peak]:
        if heights[at] < heights[lowest]:
            lowest = at
        at += step
    return lowest if 0 <= at < count else -1


@kernel
def pair_peaks(heights: Any, count: int, peaks: Any, valleys: Any) -> int:
    """Write each peak but the highest with the higher of its two valleys, as indices of extremes; return how many."""
    pairs, mode = 0, 0
    for i in range(1, count):
        if heights[i] > heights[mode]:
            mode = i
    for i in range(count):
        left_lower = i == 0 or heights[i - 1] < heights[i]
        right_lower = i == count - 1 or heights[i + 1] < heights[i]
        if i == mode or not (left_lower and right_lower):
            continue
        left, right = _valley(heights, count, i, -1), _valley(heights, count, i, 1)
        if left < 0 and right < 0:
            continue
        peaks[pairs] = i
        valleys[pairs] = right if left < 0 or (right >= 0 and heights[right] > heights[left]) else left
        pairs += 1
    return pairs


@kernel
def keep_significant(p_values: Any, count: int, level: float, kept: Any) -> None:
    """Mark the hypotheses that Benjamini & Hochberg (1995) reject at the false discovery rate ``level``."""
    line = -1.0
    for i in range(count):
        smaller = 0
        for j in range(count):
            smaller += int(p_values[j] <= p_values[i])
        if p_values[i] <= level * smaller / count:
            line = max(line, p_values[i])
    for i in range(count):
        kept[i] = p_values[i] <= line


@kernel
def significant_pairs(
    lots: Any, effective_count: float, bandwidth: float, level: float, draws: int, key: Any, bins: Any, figures: Any
) -> int:
    """Find the significant nodes of a profile, lowest price first.

    Parameters
    ----------
    lots : (n,) f8, volume by bin, n >= 3, not all zero.
    effective_count : independent draws that the profile is worth.
    bandwidth, level, draws : as of ``find_nodes``.
    key : as of :func:`random_key`.
    bins : (m, 2) i8 out: peak and valley; at most m pairs, the lowest ones, are written.
    figures : (m, 2) f8 out: strength and p-value.

    Returns
    -------
    How many were written.
    """
    n, weights = lots.shape[0], gaussian_weights(bandwidth)
    padded, shares = np.empty(n + weights.shape[0] - 1), np.empty(n)
    extremes, heights = np.empty(n + 1, np.int64), np.empty(n + 1)
    peaks, valleys = np.empty((2, n), np.int64), np.empty((2, n), np.int64)
    smooth(lots, weights, padded, shares)
    total = 0.0
    for i in range(n):
        total += shares[i]
    for i in range(n):
        shares[i] /= total
    pairs = pair_peaks(heights, find_extremes(shares, 1.0, extremes, heights), peaks[0], valleys[0])
    if pairs == 0:
        return 0
    strengths, beaten, top = np.empty(pairs), np.ones(pairs, np.int64), 0
    for k in range(pairs):
        strengths[k] = heights[peaks[0, k]] - heights[valleys[0, k]]
        top = k if strengths[k] > strengths[top] else top
        peaks[0, k], valleys[0, k] = extremes[peaks[0, k]], extremes[valleys[0, k]]
    means, none, sample, smoothed = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    fit_unimodal(shares, means)
    for i in range(n):
        means[i] *= effective_count
        none[i] = math.exp(-min(means[i], _INVERSION_BELOW))
    for draw in range(draws):
        draw_counts(means, none, key, draw * n, sample)
        smooth(sample, weights, padded, smoothed)
        chance = _strongest(smoothed, extremes, heights, peaks[1], valleys[1])
        for k in range(pairs):
            beaten[k] += int(chance >= strengths[k])
        if beaten[top] > level * (draws + 1):  # then not even the strongest pair can be kept
            return 0
    p_values, kept = beaten / (draws + 1), np.empty(pairs, np.bool_)
    keep_significant(p_values, pairs, level, kept)
    found = 0
    for k in range(pairs):
        if kept[k] and found < bins.shape[0]:
            bins[found, 0], bins[found, 1] = peaks[0, k], valleys[0, k]
            figures[found, 0], figures[found, 1] = math.sqrt(effective_count) * strengths[k], p_values[k]
            found += 1
    return found


@kernel
def _strongest(smoothed: Any, extremes: Any, heights: Any, peaks: Any, valleys: Any) -> float:
    """Return how high the most prominent second peak stands over its valley; 0 without one."""
    total, best = 0.0, 0.0
    for i in range(smoothed.shape[0]):
        total += smoothed[i]
    if total <= 0.0:
        return best
    count = find_extremes(smoothed, 1.0 / total, extremes, heights)
    for k in range(pair_peaks(heights, count, peaks, valleys)):
        best = max(best, heights[peaks[k]] - heights[valleys[k]])
    return best
