"""Risk of exposures pair by pair, and the most lots within a limit by trying."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence


def variance(
    exposures: Sequence[float],
    volatilities: Sequence[float],
    correlations: Sequence[Sequence[float]],
    evidence: Sequence[Sequence[float]],
    unseen: float,
) -> float:
    total = 0.0
    for i, x in enumerate(exposures):
        for j, y in enumerate(exposures):
            size = abs(x * y) * volatilities[i] * volatilities[j]
            sign = math.copysign(1.0, x) * math.copysign(1.0, y)
            known = sign * correlations[i][j]
            if i == j:
                total += size
            elif evidence[i][j] > 0.0:
                total += size * min(known + unseen * (1.0 - evidence[i][j]), 1.0)
            else:
                total += size * max(known, unseen)
    return total


def most_lots(is_within: Callable[[int], bool]) -> int:
    """Return the most lots that are allowed, counted up one by one."""
    lots = 0
    while is_within(lots + 1):
        lots += 1
    return lots
