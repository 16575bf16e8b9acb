"""The fraction that maximises expected log growth, found by trying: the definition that closed forms have to meet."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence


def maximised(growth: Callable[[float], float], low: float, high: float) -> float:
    """Return where a concave function is largest, by golden sections."""
    ratio = (math.sqrt(5.0) - 1.0) / 2.0
    a, b = high - ratio * (high - low), low + ratio * (high - low)
    for _ in range(200):
        if growth(a) >= growth(b):
            high = b
        else:
            low = a
        a, b = high - ratio * (high - low), low + ratio * (high - low)
    return 0.5 * (low + high)


def bet(probability: float, payoff: float) -> float:
    """Return the stake, a fraction of capital, on a bet that wins ``payoff`` times it or loses it."""

    def growth(f: float) -> float:
        return probability * math.log1p(payoff * f) + (1.0 - probability) * math.log1p(-f)

    return maximised(growth, 0.0, 1.0 - 1e-12)


def trades(returns: Sequence[float]) -> float:
    """Return the notional over capital at which trades with these returns, all equally likely, grow capital fastest."""
    most = 1.0 / max(-min(returns), 1e-12)

    def growth(f: float) -> float:
        return sum(math.log1p(f * r) for r in returns)

    return maximised(growth, 0.0, most * (1.0 - 1e-9))
