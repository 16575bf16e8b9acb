"""Variances, covariances and evidence from the whole history at once: the definition that the recursion has to meet."""

from __future__ import annotations

import math
from collections.abc import Sequence


def log_return(before: float, now: float) -> float:
    if before > 0 and now > 0:
        return math.log(now / before)
    larger = max(abs(before), abs(now))
    return (now - before) / larger if larger > 0 else math.nan


def returns_between(samples: Sequence[tuple[int, Sequence[float]]], interval: int, max_gap: int) -> list[list[float]]:
    """Return the returns per interval of each sample (time, mids); NaN where a mid is missing at either end."""
    rows, previous = [], None
    for ts, mids in samples:
        row = [math.nan] * len(mids)
        if previous is not None and ts - previous[0] <= max_gap:
            scale = math.sqrt(interval / (ts - previous[0]))
            row = [
                math.nan if math.isnan(a) or math.isnan(b) else scale * log_return(a, b)
                for a, b in zip(previous[1], mids, strict=True)
            ]
        rows.append(row)
        if not all(math.isnan(mid) for mid in mids):
            previous = (ts, mids)
    return rows


class HistoryCovariance:
    """What the past returns of one instrument or a pair make, each return with its own weight."""

    def __init__(self, rows: Sequence[Sequence[float]], half_life: float, prior_samples: float, prior: float) -> None:
        self.rows, self.half_life, self.prior_samples, self.prior = rows, half_life, prior_samples, prior

    def gain(self, n: int) -> float:
        """Return the weight of an instrument's n-th return when it comes, n from 1."""
        return max(1.0 - 0.5 ** (1.0 / self.half_life), 1.0 / (self.prior_samples + n))

    def weights(self, i: int) -> dict[int, float]:
        """Return, by sample, the square root of what the return of instrument i weighs now; -1 is the prior."""
        own = [t for t, row in enumerate(self.rows) if not math.isnan(row[i])]
        weights, left = {}, 1.0
        for n in range(len(own), 0, -1):
            weights[own[n - 1]] = math.sqrt(left * self.gain(n))
            left *= 1.0 - self.gain(n)
        weights[-1] = math.sqrt(left)
        return weights

    def variance(self, i: int) -> float:
        return sum(w * w * (self.prior if t < 0 else self.rows[t][i] ** 2) for t, w in self.weights(i).items())

    def covariance(self, i: int, j: int) -> float:
        a, b = self.weights(i), self.weights(j)
        return sum(a[t] * b[t] * self.rows[t][i] * self.rows[t][j] for t in a if t >= 0 and t in b)

    def evidence(self, i: int, j: int) -> float:
        a, b = self.weights(i), self.weights(j)
        return sum(a[t] * b[t] for t in a if t >= 0 and t in b)


def intensity(correlations: Sequence[float], mean: float, effective_samples: float) -> float:
    """Return the share of the mean in the combination with the least expected squared error."""
    noise = sum((1 - c * c) ** 2 for c in correlations) / max(effective_samples - 1, 1)
    spread = sum((c - mean) ** 2 for c in correlations)
    return min(noise / spread, 1.0) if spread > noise else 1.0
