"""The regimes that rules and classifiers tell apart."""

from __future__ import annotations

from enum import IntEnum


class Regime(IntEnum):
    """State of one instrument's market."""

    QUIET_RANGE = 0  # no direction, little movement by its own measure
    ACTIVE_RANGE = 1  # no direction, much movement
    TREND_UP = 2
    TREND_DOWN = 3
    BREAKOUT = 4  # out of a compressed range, still expanding
    STRESSED = 5  # wide spread, thin book, high volatility


REGIME_COUNT = len(Regime)
