"""Lift and forward returns: what moments of a kind say about the next seconds, against any other moment.

With direction d = ±1 of a moment and the mid's change Δ over a horizon that follows it:

- **lift** = P(d·Δ > 0 | moment) / P(d·Δ > 0): the denominator is the share of all seconds' first events after which
  the price moved that way, up and down weighted as the moments' directions are. 1 is no information. A busy time moves
  the price more often in *both* directions, so lift is above 1 for whatever speaks in busy times;
- **way** = P(d·Δ > 0 | moment, Δ ≠ 0): of the moments after which it moved, the share where it moved that way;
  that is free of the former effect, 0.5 is no information where the price does not drift;
- **mean signed return** d·Δ in ticks, and each in spreads of its own moment.

Intervals are those of :mod:`~chimera_platform.signals.block_bootstrap`: bins of ``bin_ns``, both the moments' and the
unconditional sums resampled together. The mean block is as long as :func:`optimal_block_length` finds for the bins'
summed signed returns, and at least the horizon and a bin, so that overlapping returns stay in their block. There is no
interval where fewer than ``BLOCKS_MIN`` such blocks fit into the sample, or of fewer than ``FEWEST`` moments.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from chimera_platform.signals.block_bootstrap import bin_weights, interval, optimal_block_length
from chimera_platform.signals.forward_returns import HORIZONS_NS

Array = np.ndarray[Any, Any]
REPLICATES, SEED = 1_000, 7
BLOCKS_MIN = 5
FEW = 30  # fewer moments are not spoken of as a sample
FEWEST = 10  # fewer have no interval
BIN_CHOICES_NS = tuple(s * 1_000_000_000 for s in (1, 2, 5, 10, 30, 60))
WIDE_BINS_NS = tuple(s * 1_000_000_000 for s in (60, 120, 300, 600, 1800, 3600))
BINS_WANTED, BINS_MAX = 400, 3_000
PLACEBO_SETS = 200
SUMS = (
    "known",  # moments
    "hits",
    "misses",
    "ticks",  # signed
    "spreads",
    "with_spread",  # moments
    "bullish",  # moments
    "bearish",
    "seconds",  # unconditional moments
    "ups",  # of them
    "downs",
)
"""What of a bin is summed up."""

_KNOWN, _HITS, _MISSES, _TICKS = range(4)

MOMENT_DTYPE = np.dtype(
    [
        ("ts_event", "<i8"),  # ns UTC
        ("direction", "<i8"),  # +1 up, -1 down; of unconditional moments 0
        ("spread", "<i8"),  # ticks; 0: none
        ("change", "<f8", (len(HORIZONS_NS),)),  # ticks; NaN: unknown
        ("session", "<i8"),  # CitySession
        ("regime", "<i8"),  # Regime, -1: not known yet
    ]
)


@dataclass(frozen=True)
class Estimate:
    """A figure and its interval; NaN where there is none."""

    value: float
    low: float
    high: float

    def leaves_out(self, value: float) -> bool:
        """Return whether the interval is known and does not hold ``value``."""
        return self.low > value or self.high < value


@dataclass(frozen=True)
class Edge:
    """What moments of one kind say over one horizon."""

    moments: int
    known: int  # of them with a return
    hits: int  # of those: moved that way
    misses: int  # moved the other way
    lift: Estimate
    way: Estimate
    ticks: Estimate
    spreads: Estimate
    block_s: float  # mean block length

    def as_dict(self) -> dict[str, Any]:
        """Return the figures by name; estimates as dicts."""
        return asdict(self)


def bin_width(span_ns: int) -> int:
    """Return the width of the bins, ns, for a sample of ``span_ns``.

    The narrowest width up to a minute with at most ``BINS_WANTED`` bins; of longer samples the narrowest from a minute
    on with at most ``BINS_MAX``, which bounds the memory, or an hour.
    """
    narrow = next((w for w in BIN_CHOICES_NS if span_ns <= BINS_WANTED * w), None)
    return narrow or next((w for w in WIDE_BINS_NS if span_ns <= BINS_MAX * w), WIDE_BINS_NS[-1])


def edge(moments: Array, every: Array, horizon: int, bin_ns: int, seed: int = SEED) -> Edge:
    """Return what ``moments`` say over one horizon.

    Parameters
    ----------
    moments : shape (n,), MOMENT_DTYPE with directions, in time order.
    every : shape (m,), MOMENT_DTYPE: unconditional moments of the same cell (symbol, session or regime).
    horizon : index into ``HORIZONS_NS``.
    bin_ns : width of the bins.
    seed : of the bootstrap.
    """
    return edge_of_sums(sums_by_bin(moments, every, horizon, bin_ns), len(moments), horizon, bin_ns, seed)


def edge_of_sums(sums: Array, moments: int, horizon: int, bin_ns: int, seed: int = SEED) -> Edge:
    """Return what moments say, of what is summed up by bin; for those who keep the sums and not the moments.

    Parameters
    ----------
    sums : shape (bins, len(SUMS)), in time order.
    moments : how many there are, those without a known return too.
    horizon, bin_ns, seed : as of :func:`edge`.
    """
    total = sums.sum(axis=0)
    length = max(optimal_block_length(sums[:, _TICKS]), 1.0 + HORIZONS_NS[horizon] / bin_ns)
    point = _figures(total[None])[:, 0]
    low = high = np.full(4, math.nan)
    if len(sums) >= BLOCKS_MIN * length and total[_KNOWN] >= FEWEST:
        replicates = _figures(_weights(len(sums), float(f"{length:.3g}"), seed) @ sums)
        low, high = np.array([interval(values) for values in replicates]).T
    lift, way, ticks, spreads = (Estimate(float(point[k]), float(low[k]), float(high[k])) for k in range(4))
    known, hits, misses = (int(total[k]) for k in (_KNOWN, _HITS, _MISSES))
    return Edge(moments, known, hits, misses, lift, way, ticks, spreads, length * bin_ns / 1e9)


def sums_by_bin(moments: Array, every: Array, horizon: int, bin_ns: int) -> Array:
    """Return :data:`SUMS` by bin in time order, shape (bins, len(SUMS)), of what has a known return.

    Parameters as of :func:`edge`; bins without a moment or an unconditional one are left out.
    """
    own = moments[~np.isnan(moments["change"][:, horizon])]
    free = every[~np.isnan(every["change"][:, horizon])]
    bins = np.union1d(own["ts_event"] // bin_ns, free["ts_event"] // bin_ns)
    sums = np.zeros((len(bins), len(SUMS)))
    if not len(bins):
        return sums
    at, among = np.searchsorted(bins, own["ts_event"] // bin_ns), np.searchsorted(bins, free["ts_event"] // bin_ns)
    signed, has_spread = own["direction"] * own["change"][:, horizon], own["spread"] > 0
    change = free["change"][:, horizon]
    relative = np.divide(signed, own["spread"], out=np.zeros(len(own)), where=has_spread)
    columns = [
        (at, None),
        (at, signed > 0),
        (at, signed < 0),
        (at, signed),
        (at, relative),
        (at, has_spread),
        (at, own["direction"] > 0),
        (at, own["direction"] < 0),
        (among, None),
        (among, change > 0),
        (among, change < 0),
    ]
    for k, (where, weight) in enumerate(columns):
        sums[:, k] = np.bincount(where, weight, len(bins))
    return sums


def _figures(sums: Array) -> Array:
    """Return lift, way, ticks and spreads, shape (4, n), of summed columns, shape (n, columns)."""
    n, hits, misses, ticks, spreads, with_spread, ups, downs, free, free_ups, free_downs = sums.T.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = (ups * free_ups + downs * free_downs) / free
        return np.array([hits / expected, hits / (hits + misses), ticks / n, spreads / with_spread])


@lru_cache(maxsize=8)
def _weights(bins: int, length: float, seed: int) -> Array:
    return bin_weights(bins, length, REPLICATES, seed)


def placebo(moments: Array, every: Array, horizon: int, seed: int = SEED) -> Estimate:
    """Return the mean signed return, ticks, of random unconditional moments in place of ``moments``.

    As many, with the same directions and sessions; the interval is that of the means of ``PLACEBO_SETS`` such sets.
    """
    random = np.random.default_rng(seed)
    own = moments[~np.isnan(moments["change"][:, horizon])]
    free = every[~np.isnan(every["change"][:, horizon])]
    total, count = np.zeros(PLACEBO_SETS), 0
    for session in np.unique(own["session"]).tolist():
        mine, pool = own[own["session"] == session], free[free["session"] == session]["change"][:, horizon]
        if len(pool):
            drawn = pool[random.integers(0, len(pool), (PLACEBO_SETS, len(mine)))]
            total += drawn @ mine["direction"]
            count += len(mine)
    if not count:
        return Estimate(math.nan, math.nan, math.nan)
    low, high = interval(total / count)
    return Estimate(float(total.mean() / count), low, high)
