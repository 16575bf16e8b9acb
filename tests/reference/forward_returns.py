"""Forward returns, blocks and lift by their plain definitions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence


def price_after(path: Sequence[tuple[int, int, int]], event_no: int) -> int:
    """Return the price of the last (event_no, ts, price) at or before an event; 0 without one."""
    known = [price for number, _, price in path if number <= event_no]
    return known[-1] if known else 0


def change(path: Sequence[tuple[int, int, int]], event_no: int, ts: int, horizon: int, last_ts: int) -> float:
    """Return the change, in ticks of a price in half ticks, from an event over ``horizon`` ns."""
    start = price_after(path, event_no)
    later = [price for _, at, price in path if at <= ts + horizon]
    if start == 0 or not later or later[-1] == 0 or ts + horizon > last_ts:
        return math.nan
    return (later[-1] - start) / 2


def replicate_counts(bins: int, block_length: float, random: Callable[[], float]) -> list[int]:
    """Return how often each bin is drawn by a stationary bootstrap; ``random`` gives numbers uniform in [0, 1)."""
    series = [int(random() * bins)]
    while len(series) < bins:
        begins = random() * block_length < 1.0
        series.append(int(random() * bins) if begins else (series[-1] + 1) % bins)
    return [series.count(k) for k in range(bins)]


def block_length(series: Sequence[float]) -> float:
    """Return the optimal mean block length of the stationary bootstrap, term by term (Patton et al. 2009)."""
    n = len(series)
    mean = sum(series) / n

    def covariance(lag: int) -> float:
        return sum((series[t] - mean) * (series[t - lag] - mean) for t in range(lag, n)) / n

    run, limit = max(5, int(math.log10(n))), 2.0 * math.sqrt(math.log10(n) / n)
    lags_max = math.ceil(math.sqrt(n)) + run
    small = [abs(covariance(k) / covariance(0)) < limit for k in range(1, lags_max + 1)]
    last = next((m for m in range(lags_max - run + 1) if all(small[m : m + run])), None)
    if last is None:
        last = max(k + 1 for k, is_small in enumerate(small) if not is_small)
    width = min(2 * max(last, 1), lags_max)
    g, d = 0.0, covariance(0)
    for lag in range(1, width + 1):
        weight = 1.0 if lag / width <= 0.5 else 2.0 * (1.0 - lag / width)
        g += 2.0 * weight * lag * covariance(lag)
        d += 2.0 * weight * covariance(lag)
    length = (2.0 * g * g / (2.0 * d * d)) ** (1 / 3) * n ** (1 / 3)
    return min(max(length, 1.0), math.ceil(min(3 * math.sqrt(n), n / 3)))
