"""What a gate is worth, on the average of an intent: the mean effect with its interval."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from chimera_platform.signals.block_bootstrap import bin_weights, interval, optimal_block_length

Array = np.ndarray[Any, Any]
INTENTS_MIN = 20  # below that an interval of a mean says nothing
BINS_MAX = 2_000
REPLICATES = 2_000
SEED = 20


class MeanEffect(NamedTuple):
    """Mean of effects with its 95 % interval, NaN of too few; ``block_length`` in effects."""

    mean: float
    low: float
    high: float
    block_length: float


def mean_effect(effects: Array) -> MeanEffect:
    """Return the mean of ``effects``, f8 (n,) in the order of time, n at least 1.

    The interval is that of the stationary bootstrap with the block length that the effects ask for, so that effects
    of one market move, which are much alike, do not count as many. More than :data:`BINS_MAX` effects are drawn in bins
    of consecutive ones.
    """
    width = -(-len(effects) // BINS_MAX)
    starts = np.arange(0, len(effects), width)
    sums = np.add.reduceat(effects, starts)
    counts = np.diff(np.append(starts, len(effects))).astype(float)
    length = optimal_block_length(sums / counts)
    low, high = float("nan"), float("nan")
    if len(effects) >= INTENTS_MIN:
        weights = bin_weights(len(sums), length, REPLICATES, SEED).astype(float)
        low, high = interval((weights @ sums) / (weights @ counts))
    return MeanEffect(float(effects.mean()), low, high, length * width)
