"""What the same trades could have brought in another order and mixture: a seeded bootstrap of a run's trades.

Each path draws as many trades as there were, with replacement (Efron 1979). It assumes that trades are independent
of each other; clustered losses make the true spread wider.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chimera_platform.kernels import kernel

PATHS = 1_000
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_MIX_A, _MIX_B = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_S27, _S30, _S31, _S32 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(32)


@kernel
def _paths(profits: Any, seed: Any, totals: Any, drawdowns: Any) -> None:
    """Fill one total and one deepest drawdown per path.

    Trades are drawn by SplitMix64 (Steele, Lea and Flood 2014): the upper 32 bits, scaled to the number of trades.
    """
    count = np.uint64(profits.shape[0])
    state = np.uint64(seed)
    for path in range(totals.shape[0]):
        total, peak, drawdown = 0.0, 0.0, 0.0
        for _ in range(profits.shape[0]):
            state += _GAMMA
            z = (state ^ (state >> _S30)) * _MIX_A
            z = (z ^ (z >> _S27)) * _MIX_B
            z ^= z >> _S31
            total += profits[np.int64(((z >> _S32) * count) >> _S32)]
            peak = max(peak, total)
            drawdown = max(drawdown, peak - total)
        totals[path] = total
        drawdowns[path] = drawdown


def bootstrap(profits: np.ndarray[Any, Any], seed: int, paths: int = PATHS) -> dict[str, Any]:
    """Resample trades and summarise the paths.

    Parameters
    ----------
    profits : net profit of each closed trade, currency units, shape (n,), n < 2**32.
    seed : of the draws; the same seed gives the same result on every machine.
    paths : how many, at least 1.

    Returns
    -------
    dict
        ``paths``, ``trades``, ``seed``; of the paths' total profit ``mean``, ``median``, ``std`` (ddof 1; 0 for a
        single path), ``best``, ``worst``, ``quantiles`` ("0.05" → value, linear interpolation),
        ``probability_of_profit`` (share of totals above 0), ``var_95`` (minus the 5 % quantile) and
        ``expected_shortfall_95`` (minus the mean of what is at or below it); of the paths' deepest drawdown
        ``drawdown_median`` and ``drawdown_95`` (95 % quantile). All None without trades.
    """
    totals, drawdowns = np.empty(paths), np.empty(paths)
    head: dict[str, Any] = {"paths": paths, "trades": len(profits), "seed": seed}
    if len(profits) == 0:
        return head | dict.fromkeys(_SUMMARY)
    _paths(np.ascontiguousarray(profits, "<f8"), np.uint64(seed % 2**64), totals, drawdowns)
    quantiles = np.quantile(totals, QUANTILES)
    low = float(np.quantile(totals, 0.05))
    values = (
        float(math.fsum(totals) / paths),
        float(np.median(totals)),
        float(totals.std(ddof=1)) if paths > 1 else 0.0,
        float(totals.max()),
        float(totals.min()),
        {str(q): float(v) for q, v in zip(QUANTILES, quantiles, strict=True)},
        float(np.mean(totals > 0.0)),
        -low,
        -float(totals[totals <= low].mean()),
        float(np.median(drawdowns)),
        float(np.quantile(drawdowns, 0.95)),
    )
    return head | dict(zip(_SUMMARY, values, strict=True))


_SUMMARY = (
    "mean",
    "median",
    "std",
    "best",
    "worst",
    "quantiles",
    "probability_of_profit",
    "var_95",
    "expected_shortfall_95",
    "drawdown_median",
    "drawdown_95",
)
