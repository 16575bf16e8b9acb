"""Engine weights between releases: each engine's share of capital follows what it has earned for its risk.

A release sets each engine's *prior* weight and with it the bounds ``prior * (1 - band)`` and ``min(prior * (1 + band),
max_weight)``, which hold at all times. Every ``rebalance_interval_seconds`` of event time each weight goes a part of
the way to its target:

    score_e  = S_e * n_e / (n_e + shrinkage_trades)         S: weighted Sharpe ratio per trade, n: effective trades
    target_e = prior_e * exp(score_e / temperature) * scale,  then into the bounds
    step_e   = smoothing * (target_e - weight_e), at most max_step either way

The score is the posterior mean of a Sharpe ratio whose prior is normal around zero with variance ``1 /
shrinkage_trades`` per trade, the error of the measurement being ``1 / n``: few trades or a restless record count for
little. ``scale`` keeps the sum of share times weight where the priors have it: capital moves to the better engine, none
is made. So what counts is being better than the others, and where all are alike nothing moves.

An engine with fewer than ``min_trades_before_rebalance`` trades has score 0 and its prior as the target. Hedges are not
for earning: their weight is always 1. With dynamic rebalancing off every weight is its prior.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from chimera_platform.execution.records import ENGINE_COUNT, Engine
from chimera_platform.kernels import record_kernel
from chimera_platform.portfolio.performance_tracker import effective_trades, sharpe_per_trade

HEDGE = int(Engine.HEDGE)
_SCORE_LIMIT = 30.0  # temperatures: exp() of more would only meet the bounds

WEIGHTS_DTYPE = np.dtype(
    [
        ("weight", "<f8", (ENGINE_COUNT,)),  # in force
        ("previous", "<f8", (ENGINE_COUNT,)),  # before the last rebalancing or release
        ("target", "<f8", (ENGINE_COUNT,)),  # at the last rebalancing or release
        ("prior", "<f8", (ENGINE_COUNT,)),  # of the release in force
        ("lower", "<f8", (ENGINE_COUNT,)),
        ("upper", "<f8", (ENGINE_COUNT,)),
        ("share", "<f8", (ENGINE_COUNT,)),  # of the account cap that a weight of 1 means
        ("next_rebalance_ts", "<i8"),  # ns UTC
        ("rebalancings", "<i8"),  # that changed a weight
    ],
    align=True,
)


def new_weights(shares: Sequence[float]) -> np.ndarray[Any, Any]:
    """Return WEIGHTS_DTYPE of shape (1,): every engine at weight 1 and held there until a prior is set.

    Parameters
    ----------
    shares : of the account cap, by Engine; in what proportion one engine's weight is worth another's.
    """
    record = np.zeros(1, WEIGHTS_DTYPE)
    for name in ("weight", "previous", "target", "prior", "lower", "upper"):
        record[name] = 1.0
    record["share"][0] = shares
    return record


@record_kernel
def is_measured(performance: Any, settings: Any) -> bool:
    """Return whether an engine has traded enough for its weight to leave the prior."""
    return settings.enable_dynamic_rebalancing == 1 and performance.trades >= settings.min_trades_before_rebalance


@record_kernel
def shrunken_score(performance: Any, settings: Any) -> float:
    """Return the Sharpe ratio per trade, shrunken to 0 the more the fewer effective trades are behind it."""
    if not is_measured(performance, settings):
        return 0.0
    sharpe = sharpe_per_trade(performance)
    if math.isnan(sharpe):
        return 0.0
    trades = effective_trades(performance)
    return sharpe * trades / (trades + settings.shrinkage_trades)


@record_kernel
def tilt(performance: Any, settings: Any) -> float:
    """Return the factor on an engine's prior before capital is shared out, > 0."""
    exponent = shrunken_score(performance, settings) / settings.temperature
    return math.exp(max(-_SCORE_LIMIT, min(exponent, _SCORE_LIMIT)))


@record_kernel
def set_targets(weights: Any, performances: Any, settings: Any) -> None:
    """Set each engine's target weight, within its bounds."""
    before, after = 0.0, 0.0
    for e in range(ENGINE_COUNT):
        if e != HEDGE:
            capital = weights.share[e] * weights.prior[e]
            before += capital
            after += capital * tilt(performances[e], settings)
    scale = before / after if after > 0.0 else 1.0
    for e in range(ENGINE_COUNT):
        target = weights.prior[e]
        if e != HEDGE and is_measured(performances[e], settings):
            target *= tilt(performances[e], settings) * scale
        weights.target[e] = max(weights.lower[e], min(target, weights.upper[e]))


@record_kernel
def is_rebalance_due(weights: Any, ts: int) -> bool:
    """Return whether :func:`rebalance` has something to look at; one comparison."""
    return ts >= weights.next_rebalance_ts


@record_kernel
def rebalance(weights: Any, performances: Any, settings: Any, ts: int) -> int:
    """Move the weights towards their targets if it is time.

    Parameters
    ----------
    weights : WEIGHTS_DTYPE record.
    performances : PERFORMANCE_DTYPE array by Engine.
    settings : PERFORMANCE_TRACKING_DTYPE record.
    ts : ns UTC, event time.

    Returns
    -------
    Bit e is set where engine e's weight has changed; ``previous`` holds the weights before.
    """
    if ts < weights.next_rebalance_ts:
        return 0
    interval = settings.rebalance_interval_ns
    weights.next_rebalance_ts = (ts // interval + 1) * interval
    set_targets(weights, performances, settings)
    changed = 0
    for e in range(ENGINE_COUNT):
        weight, target = weights.weight[e], weights.target[e]
        weights.previous[e] = weight
        apart = target - weight
        if abs(apart) > settings.min_change:
            step = max(-settings.max_step, min(settings.smoothing * apart, settings.max_step))
            weights.weight[e] = max(weights.lower[e], min(weight + step, weights.upper[e]))
            if weights.weight[e] != weight:
                changed |= 1 << e
    if changed != 0:
        weights.rebalancings += 1
    return changed


@record_kernel
def set_priors(weights: Any, performances: Any, settings: Any, priors: Any) -> int:
    """Put a release's weights in force as priors, with their bounds, at once.

    A weight that has been measured is carried over into the new bounds; all others become their prior.

    Parameters
    ----------
    weights, performances, settings : as for :func:`rebalance`.
    priors : f8 by Engine, at least 0; that of hedges does not count.

    Returns
    -------
    Bit e is set where engine e's weight has changed; ``previous`` holds the weights before.
    """
    band = settings.weight_band if settings.enable_dynamic_rebalancing == 1 else 0.0
    changed = 0
    for e in range(ENGINE_COUNT):
        prior = 1.0 if e == HEDGE else priors[e]
        is_free = e != HEDGE
        weights.prior[e] = prior
        weights.lower[e] = prior * (1.0 - band) if is_free else 1.0
        weights.upper[e] = max(prior, min(prior * (1.0 + band), settings.max_weight)) if is_free else 1.0
        before = weights.weight[e]
        after = before if is_free and is_measured(performances[e], settings) else prior
        weights.previous[e] = before
        weights.weight[e] = max(weights.lower[e], min(after, weights.upper[e]))
        if weights.weight[e] != before:
            changed |= 1 << e
    set_targets(weights, performances, settings)
    return changed
