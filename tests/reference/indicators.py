"""Indicators by their definitions: every value afresh from all closes up to its bar."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

Floats = list[float]
NAN = float("nan")


def bars(times: Sequence[int], mids: Sequence[int], interval: int) -> list[tuple[int, int, int]]:
    """(close, high, low) of each interval with mids that has ended; a time that runs back counts as the latest."""
    groups: dict[int, list[int]] = {}
    now = 0
    for ts, mid in zip(times, mids, strict=True):
        now = max(now, ts)
        groups.setdefault(now // interval, []).append(mid)
    return [(group[-1], max(group), min(group)) for group in list(groups.values())[:-1]]


def ema(closes: Sequence[int], n: int) -> Floats:
    values: Floats = []
    for i, close in enumerate(closes):
        if i < n - 1:
            values.append(NAN)
        elif i == n - 1:
            values.append(sum(closes[:n]) / n)
        else:
            values.append(2 / (n + 1) * close + (1 - 2 / (n + 1)) * values[-1])
    return values


def rsi(closes: Sequence[int], n: int) -> Floats:
    values: Floats = []
    for i in range(len(closes)):
        changes = [closes[j] - closes[j - 1] for j in range(1, i + 1)]
        if len(changes) < n:
            values.append(NAN)
            continue
        gain, loss = sum(max(c, 0) for c in changes[:n]) / n, sum(max(-c, 0) for c in changes[:n]) / n
        for change in changes[n:]:
            gain, loss = ((n - 1) * gain + max(change, 0)) / n, ((n - 1) * loss + max(-change, 0)) / n
        values.append(100 * gain / (gain + loss) if gain + loss > 0 else 50.0)
    return values


def band(closes: Sequence[int], n: int) -> tuple[float, float]:
    """(mean, population standard deviation) of the last n closes."""
    if len(closes) < n:
        return NAN, NAN
    last = closes[-n:]
    mean = sum(last) / n
    return mean, math.sqrt(sum((c - mean) ** 2 for c in last) / n)


def efficiency(closes: Sequence[int], n: int) -> float:
    if len(closes) <= n:
        return NAN
    path = sum(abs(closes[-i] - closes[-i - 1]) for i in range(1, n + 1))
    return abs(closes[-1] - closes[-1 - n]) / path if path else 0.0


def swings(closes: Sequence[int], k: int, sign: int) -> list[int]:
    """Indices of confirmed lows (sign +1) or highs (-1)."""
    signed = [sign * c for c in closes]
    return [
        i
        for i in range(k, len(closes) - k)
        if all(signed[j] > signed[i] for j in range(i - k, i)) and min(signed[i : i + k + 1]) == signed[i]
    ]


def divergence(closes: Sequence[int], strengths: Sequence[float], k: int, n: int) -> tuple[int, int]:
    """(side, how many bars there were when it was confirmed) of the latest divergence within the last n bars."""
    best = (0, 0)
    for sign in (1, -1):
        found = swings(closes, k, sign)
        if len(found) < 2 or found[-2] < len(closes) - n:
            continue
        a, b = found[-2:]
        fell, rose = sign * closes[b] < sign * closes[a], sign * strengths[b] > sign * strengths[a]
        if fell and rose and b + k + 1 > best[1]:
            best = (sign, b + k + 1)
    return best


def trend(fast: float, slow: float, deviation: float, deviations: float) -> int:
    gap: Any = fast - slow
    if math.isnan(gap) or math.isnan(deviation) or gap == 0 or abs(gap) < deviations * deviation:
        return 0
    return 1 if gap > 0 else -1
