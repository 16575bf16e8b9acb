"""High- and low-volume nodes of a volume profile that are more than noise.

The profile is smoothed; each of its peaks but the highest is paired with the valley that parts it from higher
ground. A pair's strength is sqrt(n)·(sqrt(peak share) - sqrt(valley share)): square roots make the noise of counts
alike at all heights. Null hypothesis: the profile is unimodal and smooth, namely the isotonic fit (up to the mode,
down after it) of the smoothed profile. Profiles of about n draws from it, smoothed alike, give the distribution of the
*strongest* chance pair; a pair's p-value is its rank there, and Benjamini & Hochberg's (1995) procedure over all
pairs keeps the false discovery rate below the level. P-values from the maximum are already valid for all pairs at
once, so the procedure as a whole is conservative.

Prints are not independent draws: successive prices are close to each other. ``effective_count`` below the number of
prints widens the null; without it one draw a lot is assumed, which is optimistic for large prints.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from chimera_platform.errors import DataError
from chimera_platform.microstructure.volume_profile_bootstrap import random_key, significant_pairs

Array = np.ndarray[Any, Any]


class VolumeNode(NamedTuple):
    """A peak of volume and the valley that parts it from higher ground."""

    high_price: int  # ticks, high-volume node
    low_price: int  # ticks, low-volume node
    strength: float  # in standard errors of a root count, about
    p_value: float


def find_nodes(
    prices: Array,
    lots: Array,
    *,
    bandwidth: float = 2.0,
    level: float = 0.05,
    draws: int = 399,
    seed: int = 7,
    effective_count: int | None = None,
) -> list[VolumeNode]:
    """Return the significant nodes of a profile, lowest price first.

    Parameters
    ----------
    prices, lots : shape (n,): ticks of the bins, ascending, and volume in lots, as ``VolumeProfiles.histogram`` gives.
    bandwidth : of the Gaussian smoothing, in bins.
    level : false discovery rate.
    draws : bootstrap profiles; at least 1 / level of them are needed to find anything.
    seed : of the bootstrap.
    effective_count : independent draws that the profile is worth; the total volume when None.

    Raises
    ------
    DataError : lengths differ, a negative volume, or a bandwidth, level or count that is out of range.
    """
    if len(prices) != len(lots) or np.any(np.asarray(lots) < 0):
        raise DataError(f"profile of {len(prices)} prices and {len(lots)} volumes; expected as many, none negative")
    if bandwidth <= 0 or not 0 < level < 1 or draws < 1 or (effective_count is not None and effective_count < 1):
        raise DataError(
            f"bandwidth {bandwidth}, level {level}, draws {draws}, effective_count {effective_count}; "
            "expected > 0, between 0 and 1, >= 1, >= 1"
        )
    total = int(np.sum(lots))
    if len(lots) < 3 or total == 0:
        return []
    count = effective_count or total
    bins, figures = np.zeros((len(lots), 2), np.int64), np.zeros((len(lots), 2))
    volumes, key = np.array(lots, np.float64), random_key(seed, 0)
    found = significant_pairs(volumes, float(count), bandwidth, level, draws, key, bins, figures)
    rows = zip(bins[:found].tolist(), figures[:found].tolist(), strict=True)
    return [VolumeNode(int(prices[peak]), int(prices[valley]), *row) for (peak, valley), row in rows]
