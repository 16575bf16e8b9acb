"""How a run performed: the metrics of its fills and marks.

Money is in units of the account's currency. Definitions (``docs`` and tests repeat them naively):

- A *trade* is all fills of one intent, entry and exits; it counts once its position is closed.
- *Daily returns* are taken between the equity at the end of each UTC day on which there were market events, the first
  day against the starting equity. Annualised with 252 days.
- *Drawdown* is taken on every mark, the finest equity curve that there is.
- *Event time* stands still between the last event of a UTC day and the first one of the next.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from chimera_platform.execution.records import Engine
from chimera_platform.portfolio.capacity import capacity
from chimera_platform.portfolio.daily_returns import annual_return, daily_equity, daily_returns, return_metrics
from chimera_platform.portfolio.drawdown import drawdown_metrics
from chimera_platform.portfolio.event_time import DAY_DTYPE, EventClock
from chimera_platform.portfolio.gross_exposure import exposure_metrics
from chimera_platform.portfolio.ratios import plain, ratio
from chimera_platform.portfolio.trades import NANOS, TRADE_DTYPE, trade_metrics, trades_of

__all__ = [
    "METRIC_NAMES",
    "PERCENT_METRICS",
    "TRADE_DTYPE",
    "Performance",
    "daily_equity",
    "engine_metrics",
    "measure",
    "trade_metrics",
    "trades_of",
]


@dataclass(frozen=True)
class Performance:
    """The metrics of a run; NaN where one is not defined (no trades, fewer than two days, no losing trade)."""

    net_profit: float  # final equity - starting equity
    gross_profit: float  # realised by all fills, before fees
    fees: float  # paid; negative: net rebates
    open_profit: float  # of the positions still open, at the last mid
    final_equity: float
    return_total: float  # net_profit / starting equity
    trades: int  # closed
    open_trades: int
    win_rate: float  # share of the closed trades with a net profit above 0
    profit_factor: float  # sum of net profits of winning trades / -sum of losing ones; infinite without losing ones
    average_trade: float  # mean net profit of the closed trades
    average_win: float
    average_loss: float  # <= 0
    best_trade: float  # the largest win
    worst_trade: float  # the largest loss
    payoff_ratio: float  # average_win / -average_loss
    expectancy: float  # average_trade / -average_loss: what a trade earns per unit that a losing one loses
    winning_streak: int  # most winning trades in a row, by the time of closing
    losing_streak: int  # a trade that earns nothing ends either
    average_hold_seconds: float  # first fill to last fill of a closed trade
    median_hold_seconds: float
    hold_seconds_95: float  # 95 % quantile
    longest_hold_seconds: float
    sharpe_per_trade: float  # mean / standard deviation (ddof 1) of the trades' net profits, not annualised
    sharpe: float  # mean / standard deviation (ddof 1) of daily returns × sqrt(252), risk-free rate 0
    sortino: float  # mean / sqrt(mean(min(r, 0)²)) of daily returns × sqrt(252); all days in the denominator
    volatility: float  # standard deviation (ddof 1) of daily returns × sqrt(252)
    downside_volatility: float  # sqrt(mean(min(r, 0)²)) of daily returns × sqrt(252)
    skew: float  # third standardised moment of daily returns
    kurtosis: float  # fourth standardised moment of daily returns - 3
    daily_var_95: float  # minus the 5 % quantile of daily returns (linear interpolation)
    daily_expected_shortfall_95: float  # minus the mean of the floor(0.05 (n - 1)) + 1 lowest daily returns
    tail_ratio: float  # |95 % quantile| / |5 % quantile| of daily returns
    stability: float  # R² of a straight line through the cumulated daily log returns
    best_day: float  # highest daily return
    worst_day: float
    winning_days: float  # share of the days with a return above 0
    max_drawdown: float  # deepest fall of equity below its peak, >= 0
    max_drawdown_ratio: float  # deepest fall as a share of the peak that it fell from, in [0, 1]
    max_drawdown_seconds: float  # event time of the deepest in money, from peak to recovery, or to the end
    max_drawdown_days: float  # days with events that it touched
    max_drawdown_open: int  # 1: not recovered at the end
    longest_drawdown_seconds: float  # event time of the longest of all falls
    time_under_water: float  # share of event time below the peak
    time_in_market: float  # share of event time with any position open
    mean_gross_exposure: float  # sum of the positions' absolute values over equity, mean over event time
    max_gross_exposure: float
    calmar: float  # compound annual growth rate / max_drawdown_ratio
    annual_return: float  # compound: (final / starting equity) ** (252 / days) - 1
    days: int  # UTC days with market events
    turnover: float  # sum of |price × size| over all fills
    turnover_per_day: float  # turnover / days / mean equity at the ends of the days
    capacity: float  # size multiple at which square-root impact eats the profit (portfolio/capacity.py)
    fills: int

    def as_dict(self) -> dict[str, float | int | None]:
        """Return the metrics by name; what is not finite becomes None, so that the result is plain JSON."""
        return {name: plain(value) for name, value in asdict(self).items()}


METRIC_NAMES: tuple[str, ...] = tuple(field.name for field in fields(Performance))
PERCENT_METRICS = frozenset(
    {
        "win_rate",
        "return_total",
        "max_drawdown_ratio",
        "annual_return",
        "probability_of_profit",
        "volatility",
        "downside_volatility",
        "daily_var_95",
        "daily_expected_shortfall_95",
        "best_day",
        "worst_day",
        "winning_days",
        "time_under_water",
        "time_in_market",
        "mean_gross_exposure",
        "max_gross_exposure",
    }
)
"""Shown as percentages."""


def measure(
    fills: np.ndarray[Any, Any],
    marks: np.ndarray[Any, Any],
    days: np.ndarray[Any, Any],
    starting_equity: float,
    activity: np.ndarray[Any, Any] | None = None,
    impact_coefficient: float = 1.0,
    trades: np.ndarray[Any, Any] | None = None,
) -> Performance:
    """Return the metrics of a run.

    Parameters
    ----------
    fills, marks : FILL_DTYPE and MARK_DTYPE arrays in row-number order; the marks' last equity is the final one.
    days : DAY_DTYPE rows of the days with market events, ascending. Their numbers alone (int64) do as well; what is
        about event time is then not defined.
    starting_equity : currency units.
    activity : MARKET_ACTIVITY_DTYPE rows by instrument_id, for the capacity; None leaves it undefined.
    impact_coefficient : Y of the square-root law, for the capacity.
    trades : TRADE_DTYPE rows of the fills; None: those that the fills alone show.
    """
    numbers, clock, start_ts = _days_and_clock(days, marks)
    curve = np.concatenate([[starting_equity], marks["equity_nanos"] / NANOS])
    final = float(curve[-1])
    gross, fees = float(fills["realised_nanos"].sum()) / NANOS, float(fills["fee_nanos"].sum()) / NANOS
    falls = drawdown_metrics(curve, np.concatenate([[start_ts], marks["ts_event"]]), clock)
    annual = annual_return(final / starting_equity, len(numbers))
    turnover = float(np.abs(fills["cash_nanos"] / NANOS).sum())
    mean_equity = float(daily_equity(marks, numbers, starting_equity).mean()) if len(numbers) else math.nan
    return Performance(
        net_profit=final - starting_equity,
        gross_profit=gross,
        fees=fees,
        open_profit=final - starting_equity - gross + fees,
        final_equity=final,
        return_total=final / starting_equity - 1.0,
        **trade_metrics(trades_of(fills) if trades is None else trades),
        **return_metrics(daily_returns(marks, numbers, starting_equity)),
        **falls,
        **exposure_metrics(marks, clock),
        calmar=ratio(annual, falls["max_drawdown_ratio"]),
        annual_return=annual,
        days=len(numbers),
        turnover=turnover,
        turnover_per_day=turnover / len(numbers) / mean_equity if len(numbers) else math.nan,
        capacity=capacity(fills, activity, impact_coefficient) if activity is not None else math.nan,
        fills=len(fills),
    )


def engine_metrics(trades: np.ndarray[Any, Any]) -> dict[str, dict[str, float | int | None]]:
    """Return engine in lower case → profit and fees of all its trades, and its :func:`trade_metrics`."""
    found = {}
    for engine in Engine:
        own = trades[trades["engine"] == engine]
        money = {"net_profit": own["net_nanos"].sum() / NANOS, "fees": own["fees_nanos"].sum() / NANOS}
        found[engine.name.lower()] = {name: plain(value) for name, value in (money | trade_metrics(own)).items()}
    return found


def _days_and_clock(
    days: np.ndarray[Any, Any], marks: np.ndarray[Any, Any]
) -> tuple[np.ndarray[Any, Any], EventClock | None, int]:
    """Return the day numbers, event time, and when the run began: at its first event, or at its first mark."""
    first_mark = int(marks["ts_event"][0]) if len(marks) else 0
    if days.dtype != DAY_DTYPE:
        return days, None, first_mark
    return days["day"], EventClock(days), int(days["first_ts"][0]) if len(days) else first_mark
