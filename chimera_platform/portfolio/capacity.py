"""Capacity: how many times larger the same trades could be before their own impact eats what they earn.

Assumption: an order of Q lots that takes pays Y σ sqrt(Q / V) ticks a lot more than it paid in the run (square-root
law; Almgren et al. 2005, Tóth et al. 2011), σ² and V being variance and volume of the market over the same time;
what rests pays nothing, and every trade stays as it was but for its size. With sizes times m, what the trades earn
grows with m and the impact with m^(3/2), so both are equal at m = (earned / impact at m = 1)². An estimate: neither
the decay of impact nor that of the signal is in it, and what the venue charged for impact already is charged again.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chimera_platform.execution.records import Liquidity

Array = np.ndarray[Any, Any]

MARKET_ACTIVITY_DTYPE = np.dtype(
    [
        ("volume_rate", "<f8"),  # lots/s traded by the whole market over the run; NaN or 0: unknown
        ("variance_rate", "<f8"),  # ticks²/s of the mid; NaN: unknown
        ("tick_value_nanos", "<i8"),  # of one tick on one lot
    ]
)
"""What a run saw of each market, one row by instrument_id."""


def capacity(fills: Array, activity: Array, impact_coefficient: float) -> float:
    """Return the size multiple at which impact eats the mean profit per trade.

    Parameters
    ----------
    fills : FILL_DTYPE rows of the trades in question; what they realised, less fees, is what they earned.
    activity : MARKET_ACTIVITY_DTYPE array by instrument_id.
    impact_coefficient : Y, about 1.

    Returns
    -------
    float
        At least 0. NaN where the trades earned nothing, where nothing was taken, or where the market that was taken
        from showed no volume or no movement.
    """
    earned = float((fills["realised_nanos"] - fills["fee_nanos"]).sum())
    taken = fills[fills["liquidity"] == Liquidity.TAKER]
    if not earned > 0.0 or len(taken) == 0:
        return math.nan
    _, first, order = np.unique(taken["order_no"], return_index=True, return_inverse=True)
    lots = np.bincount(order, weights=taken["size"])
    market = activity[taken["instrument_id"][first]]
    with np.errstate(divide="ignore", invalid="ignore"):  # no volume: infinite, and so undefined
        ticks = impact_coefficient * np.sqrt(market["variance_rate"] * lots / market["volume_rate"])
    impact = float((lots * market["tick_value_nanos"] * ticks).sum())
    return (earned / impact) ** 2 if math.isfinite(impact) and impact > 0.0 else math.nan
