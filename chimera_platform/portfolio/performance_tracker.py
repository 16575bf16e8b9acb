"""How each engine has done of late: what the flow knows of it after every completed trade.

A *trade* is complete when its position is flat. Its *return* is net profit (fees taken off) over the notional that was
committed to it, so that engines with large and small sizes compare. Of these returns the tracker keeps

- exponentially weighted mean and variance: the k-th last trade weighs ``decay ** k``, ``decay = 0.5 ** (1 /
  half_life_trades)``, every weight divided by their sum, so that the first trades are not pulled towards zero. The
  variance is the unbiased one of reliability weights, ``sum(w d²) / (W - W2 / W)`` with W and W2 the sums of the
  weights and of their squares: ``pandas.Series.ewm(halflife=..., adjust=True).var()``;
- the last :data:`WINDOW` trades as they are, for win rate, profit factor, Sortino ratio and drawdown.

A trade costs a few divisions; the windowed figures walk the window and are for reading now and then.

The decayed sums follow West (1979), "Updating mean and variance estimates", with all weights scaled by ``decay`` per
trade. The effective number of trades ``W² / W2`` is Kish's (1965).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pydantic import Field, model_validator

from chimera_platform.kernels import record_kernel
from chimera_platform.settings import Settings, record_dtype, to_record

WINDOW = 256
"""Trades in the window."""


class PerformanceTrackingSettings(Settings):
    """What counts as performance, and how far and how fast engine weights follow it."""

    enable_dynamic_rebalancing: bool = Field(
        True, description="whether engine weights follow performance between releases; false: the release's weights"
    )
    rebalance_interval_seconds: float = Field(
        10.0, ge=0.01, le=86_400.0, description="event time between rebalancings, seconds"
    )
    min_trades_before_rebalance: int = Field(
        20, ge=2, le=1_000_000, description="completed trades before an engine's weight leaves the release's"
    )
    half_life_trades: float = Field(
        100.0, ge=1.0, le=1e6, description="trades after which a trade counts half in mean and variance"
    )
    shrinkage_trades: float = Field(
        200.0, ge=0.0, le=1e6, description="effective trades at which a measured Sharpe ratio counts half, against none"
    )
    temperature: float = Field(
        0.25, ge=0.001, le=100.0, description="shrunken Sharpe ratio per trade that multiplies a weight by e"
    )
    weight_band: float = Field(
        0.5, ge=0.0, le=1.0, description="how far a weight may leave the release's, as a fraction of it"
    )
    max_weight: float = Field(
        1.5, ge=1.0, le=10.0, description="largest weight; above 1 an engine uses what is taken from the others"
    )
    smoothing: float = Field(
        0.25, gt=0.0, le=1.0, description="share of the way to its target that a weight goes in one rebalancing"
    )
    max_step: float = Field(0.05, gt=0.0, le=10.0, description="largest change of a weight in one rebalancing")
    min_change: float = Field(
        0.01, ge=0.0, le=1.0, description="a weight that is no further from its target than this stays as it is"
    )

    @model_validator(mode="after")
    def _can_move(self) -> PerformanceTrackingSettings:
        if self.min_change > self.max_step:
            raise ValueError(f"min_change is {self.min_change}; expected at most max_step ({self.max_step})")
        return self


_PARAMETERS = record_dtype(PerformanceTrackingSettings)
PERFORMANCE_TRACKING_DTYPE = np.dtype(
    [
        *((name, _PARAMETERS[name]) for name in _PARAMETERS.names or ()),
        ("decay", "<f8"),  # of the weight of a trade with each one that follows
        ("rebalance_interval_ns", "<i8"),
    ],
    align=True,
)


def performance_tracking_record(settings: PerformanceTrackingSettings) -> np.ndarray[Any, Any]:
    """Return ``settings`` as PERFORMANCE_TRACKING_DTYPE, shape (1,)."""
    record = np.zeros(1, PERFORMANCE_TRACKING_DTYPE)
    plain = to_record(settings)
    for name in plain.dtype.names or ():
        record[name] = plain[name]
    record["decay"] = 0.5 ** (1.0 / settings.half_life_trades)
    record["rebalance_interval_ns"] = round(settings.rebalance_interval_seconds * 1e9)
    return record


PERFORMANCE_DTYPE = np.dtype(
    [
        ("trades", "<i8"),  # completed
        ("net_nanos", "<i8"),  # of all of them
        ("last_ts", "<i8"),  # ns UTC of the last one's end
        ("next", "<i8"),  # where the next trade goes in the window
        ("weight_sum", "<f8"),  # of the trades' weights, the last one's being 1
        ("weight_square_sum", "<f8"),
        ("mean", "<f8"),  # weighted mean return
        ("deviation_sum", "<f8"),  # weighted sum of squared deviations from it
        ("window_nanos", "<i8", (WINDOW,)),  # net profit
        ("window_return", "<f8", (WINDOW,)),
    ],
    align=True,
)


def new_performances(engines: int) -> np.ndarray[Any, Any]:
    """Return PERFORMANCE_DTYPE of shape ``(engines,)`` before the first trade."""
    return np.zeros(engines, PERFORMANCE_DTYPE)


@record_kernel
def note_trade(performance: Any, settings: Any, net_nanos: int, committed_nanos: int, ts: int) -> None:
    """Take in a completed trade.

    Parameters
    ----------
    performance : PERFORMANCE_DTYPE record of the engine.
    settings : PERFORMANCE_TRACKING_DTYPE record.
    net_nanos : profit, fees of entry and exits taken off.
    committed_nanos : most notional that was committed to it at once; what is below one nano counts as one.
    ts : ns UTC at which the position became flat.
    """
    traded = float(net_nanos) / float(max(committed_nanos, 1))
    performance.window_nanos[performance.next] = net_nanos
    performance.window_return[performance.next] = traded
    performance.next = (performance.next + 1) % WINDOW
    performance.trades += 1
    performance.net_nanos += net_nanos
    performance.last_ts = ts
    decay = settings.decay
    performance.weight_sum = decay * performance.weight_sum + 1.0
    performance.weight_square_sum = decay * decay * performance.weight_square_sum + 1.0
    apart = traded - performance.mean
    performance.mean += apart / performance.weight_sum
    performance.deviation_sum = decay * performance.deviation_sum + apart * (traded - performance.mean)


@record_kernel
def effective_trades(performance: Any) -> float:
    """Return how many equally weighted trades would tell as much; 0 before the first."""
    if performance.trades == 0:
        return 0.0
    return performance.weight_sum * performance.weight_sum / performance.weight_square_sum


@record_kernel
def return_variance(performance: Any) -> float:
    """Return the weighted variance of the return per trade; NaN of fewer than two trades."""
    if performance.trades < 2:
        return math.nan
    weight = performance.weight_sum
    return max(performance.deviation_sum, 0.0) / (weight - performance.weight_square_sum / weight)


@record_kernel
def sharpe_per_trade(performance: Any) -> float:
    """Return weighted mean over weighted standard deviation of the return per trade; NaN while not defined.

    Not defined of fewer than two trades, nor where all returns are alike to within rounding.
    """
    deviation = math.sqrt(return_variance(performance))
    if not deviation > 1e-12 * abs(performance.mean):
        return math.nan
    return performance.mean / deviation


@record_kernel
def sharpe_error(performance: Any) -> float:
    """Return the standard error of :func:`sharpe_per_trade`, ``sqrt((1 + S² / 2) / n)`` of n effective trades.

    Of independent, normal returns (Lo 2002, "The statistics of Sharpe ratios", eq. 9).
    """
    found = sharpe_per_trade(performance)
    return math.sqrt((1.0 + 0.5 * found * found) / effective_trades(performance))


@record_kernel
def window_trades(performance: Any) -> int:
    """Return how many trades the windowed figures are about."""
    return min(performance.trades, WINDOW)


@record_kernel
def win_rate(performance: Any) -> float:
    """Return the share of the window's trades with a profit; NaN before the first."""
    wins = 0
    for k in range(window_trades(performance)):
        if performance.window_nanos[k] > 0:
            wins += 1
    return float(wins) / float(window_trades(performance))


@record_kernel
def profit_factor(performance: Any) -> float:
    """Return the window's profits over its losses, in money; infinite without losses, NaN without either."""
    won, lost = 0.0, 0.0
    for k in range(window_trades(performance)):
        net = float(performance.window_nanos[k])
        won += max(net, 0.0)
        lost += max(-net, 0.0)
    return won / lost


@record_kernel
def downside_deviation(performance: Any) -> float:
    """Return ``sqrt(mean(min(return, 0)²))`` of the window's trades; NaN before the first."""
    total = 0.0
    for k in range(window_trades(performance)):
        below = min(performance.window_return[k], 0.0)
        total += below * below
    return math.sqrt(total / float(window_trades(performance)))


@record_kernel
def window_mean(performance: Any) -> float:
    """Return the plain mean of the window's returns; NaN before the first."""
    total = 0.0
    for k in range(window_trades(performance)):
        total += performance.window_return[k]
    return total / float(window_trades(performance))


@record_kernel
def sortino_per_trade(performance: Any) -> float:
    """Return the window's mean return over its downside deviation; infinite without a loss, NaN without a return."""
    return window_mean(performance) / downside_deviation(performance)


@record_kernel
def window_drawdown(performance: Any) -> float:
    """Return the deepest fall of the window's compounded returns below their peak, a fraction, at least 0."""
    count = window_trades(performance)
    first = performance.next if count == WINDOW else 0
    value, peak, deepest = 1.0, 1.0, 0.0
    for k in range(count):
        value *= 1.0 + performance.window_return[(first + k) % WINDOW]
        peak = max(peak, value)
        deepest = max(deepest, 1.0 - value / peak)
    return deepest
