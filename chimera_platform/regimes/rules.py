"""The regime by rules, from completed bars, spread and depth, each ranked in the instrument's own history.

Five measures are taken once a 1-minute bar. A *rank* is the share of the last values that are smaller, ties half.

- Volatility: the square root of the average of (high - low)² / (4 ln 2) (Parkinson 1980) with exponential weights.
- Spread and touch depth at the bar's end, averaged alike.
- Band width: the Bollinger deviation; *compressed* where its rank is low.
- Efficiency of the 1-minute closes, signed by the direction of the trend.

Each rule gives a degree between 0 and 1, linear between two thresholds: *stress* (mean rank of volatility, spread
and thinness), *breakout* (how far a close leaves the band shortly after a compression; fading, and void once the
price is back in the middle of that band), *trend* (efficiency, where the EMAs do not point the other way). What one
rule leaves is shared by the next, and what all leave is a range, active in proportion to the rank of the volatility.
The six shares sum to one, like a classifier's probabilities. The regime in force changes when another one leads by a
margin for some bars in a row (for stress and breakout: at once); its share is the confidence.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field

from chimera_platform.regimes.names import REGIME_COUNT
from chimera_platform.settings import Settings

HISTORY_MAX = 512  # bars, a power of two
VOLATILITY, SPREAD, DEPTH, WIDTH = range(4)  # what is ranked
MEASURES = 4


class RegimeRuleSettings(Settings):
    """Thresholds of the rules."""

    history_bars: int = Field(480, ge=30, le=512, description="past values that the present one is ranked among, bars")
    history_bars_min: int = Field(60, ge=20, le=512, description="confidence is 0 before as many, bars")
    smoothing_bars: int = Field(8, ge=1, le=60, description="mean age of volatility, spread and depth, bars")
    stress_low: float = Field(0.70, ge=0.5, le=0.85, description="mean rank where stress begins")
    stress_high: float = Field(0.92, ge=0.86, le=1.0, description="mean rank of certain stress")
    trend_low: float = Field(0.25, ge=0.05, le=0.35, description="efficiency where a trend begins")
    trend_high: float = Field(0.60, ge=0.4, le=1.0, description="efficiency of a certain trend")
    compression_quantile: float = Field(0.2, ge=0.02, le=0.5, description="rank below which the band is compressed")
    release_bars: int = Field(10, ge=1, le=60, description="a breakout follows a compression within this, bars")
    breakout_low: float = Field(2.0, ge=1.0, le=2.5, description="distance where a breakout begins, deviations")
    breakout_high: float = Field(3.5, ge=2.6, le=8.0, description="distance of a certain breakout, deviations")
    breakout_bars: int = Field(15, ge=2, le=120, description="a breakout fades away over this, bars")
    switch_margin: float = Field(0.10, ge=0.0, le=0.5, description="lead that a new regime needs, share")
    switch_bars: int = Field(3, ge=1, le=30, description="bars in a row that it leads; not for stress and breakout")


REGIME_STATE_DTYPE = np.dtype(
    [
        ("regime", "<i8"),  # Regime in force
        ("confidence", "<f8"),  # [0, 1]: its share; 0 before there is enough history
        ("shares", "<f8", (REGIME_COUNT,)),  # by Regime, sum to 1; all 0 before there is enough history
        ("bars", "<i8"),  # seen so far
        ("challenger", "<i8"),  # Regime that leads but is not in force
        ("challenger_bars", "<i8"),  # in a row
        ("level", "<f8", (MEASURES,)),  # smoothed: half ticks², half ticks, lots; of WIDTH the last one, half ticks
        ("rank", "<f8", (MEASURES,)),  # [0, 1]
        ("values", "<i8", (MEASURES,)),  # how many are ranked
        ("compressed_bar", "<i8"),  # value of `bars` at the last compressed one; 0: none yet
        ("band_middle", "<f8"),  # half ticks, of the bar before; NaN early
        ("band_deviation", "<f8"),  # half ticks
        ("breakout_bar", "<i8"),  # value of `bars` when it began
        ("breakout_side", "<i8"),  # +1 up, -1 down, 0 none under way
        ("breakout_degree", "<f8"),  # [0, 1], as it began
        ("breakout_middle", "<f8"),  # half ticks: void once the price is back here
        ("history", "<f8", (MEASURES, HISTORY_MAX)),  # rings
    ]
)
