"""How a run performed: the metrics of its fills and marks.

Money is in units of the account's currency. Definitions (``docs`` and tests repeat them naively):

- A *trade* is all fills of one intent, entry and exits; it counts once its position is closed.
- *Daily returns* are taken between the equity at the end of each UTC day on which there were market events, the first
  day against the starting equity. Annualised with 252 days.
- *Drawdown* is taken on every mark, the finest equity curve that there is.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from chimera_platform.execution.records import Engine

DAYS_PER_YEAR = 252
_DAY_NS = 86_400_000_000_000
_NANOS = 1e9


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
    best_trade: float
    worst_trade: float
    average_hold_seconds: float  # first fill to last fill of a closed trade
    median_hold_seconds: float
    longest_hold_seconds: float
    sharpe_per_trade: float  # mean / standard deviation (ddof 1) of the trades' net profits, not annualised
    sharpe: float  # mean / standard deviation (ddof 1) of daily returns × sqrt(252), risk-free rate 0
    sortino: float  # mean / sqrt(mean(min(r, 0)²)) of daily returns × sqrt(252); all days in the denominator
    max_drawdown: float  # deepest fall of equity below its peak, >= 0
    max_drawdown_ratio: float  # deepest fall as a share of the peak that it fell from, in [0, 1]
    calmar: float  # compound annual growth rate / max_drawdown_ratio
    annual_return: float  # compound: (final / starting equity) ** (252 / days) - 1
    days: int  # UTC days with market events
    turnover: float  # sum of |price × size| over all fills
    fills: int

    def as_dict(self) -> dict[str, float | int | None]:
        """Return the metrics by name; what is not finite becomes None, so that the result is plain JSON."""
        return {name: _plain(value) for name, value in asdict(self).items()}


METRIC_NAMES: tuple[str, ...] = tuple(field.name for field in fields(Performance))
PERCENT_METRICS = frozenset(
    {"win_rate", "return_total", "max_drawdown_ratio", "annual_return", "probability_of_profit"}
)
"""Shown as percentages."""


TRADE_DTYPE = np.dtype(
    [
        ("intent_no", "<i8"),
        ("ts_open", "<i8"),  # ns UTC of the first fill
        ("ts_close", "<i8"),  # ns UTC of the last fill
        ("size", "<i8"),  # lots bought or sold to open
        ("position", "<i8"),  # signed lots still open; 0: closed
        ("realised_nanos", "<i8"),  # before fees
        ("fees_nanos", "<i8"),
        ("net_nanos", "<i8"),
        ("instrument_id", "<i4"),
        ("engine", "u1"),
        ("side", "i1"),
    ]
)


def trades_of(fills: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the trades in the order of their first fills.

    Parameters
    ----------
    fills : FILL_DTYPE array in ``fill_no`` order.

    Returns
    -------
    TRADE_DTYPE array, one row per intent that has fills; ``position`` 0 marks the closed ones.
    """
    numbers, first, group = np.unique(fills["intent_no"], return_index=True, return_inverse=True)
    trades = np.zeros(len(numbers), TRADE_DTYPE)
    trades["intent_no"] = numbers
    opening = fills[first]
    for name in ("instrument_id", "engine", "side"):
        trades[name] = opening[name]
    trades["ts_open"] = opening["ts_event"]
    np.maximum.at(trades["ts_close"], group, fills["ts_event"])
    np.add.at(trades["size"], group, np.where(fills["is_exit"] == 0, fills["size"], 0))
    np.add.at(trades["position"], group, fills["side"].astype(np.int64) * fills["size"])
    np.add.at(trades["realised_nanos"], group, fills["realised_nanos"])
    np.add.at(trades["fees_nanos"], group, fills["fee_nanos"])
    trades["net_nanos"] = trades["realised_nanos"] - trades["fees_nanos"]
    return trades[np.argsort(first, kind="stable")]


def daily_equity(
    marks: np.ndarray[Any, Any], days: np.ndarray[Any, Any], starting_equity: float
) -> np.ndarray[Any, Any]:
    """Return the equity at the end of each day, shape (len(days),).

    Parameters
    ----------
    marks : MARK_DTYPE array in ``mark_no`` order.
    days : UTC day numbers (ns // 86,400e9), ascending; a day without marks keeps the equity of the day before.
    """
    last = np.searchsorted(marks["ts_event"] // _DAY_NS, days, side="right")
    curve = np.concatenate([[starting_equity], marks["equity_nanos"] / _NANOS])
    return curve[last]


def measure(
    fills: np.ndarray[Any, Any], marks: np.ndarray[Any, Any], days: np.ndarray[Any, Any], starting_equity: float
) -> Performance:
    """Return the metrics of a run.

    Parameters
    ----------
    fills, marks : FILL_DTYPE and MARK_DTYPE arrays in row-number order; the marks' last equity is the final one.
    days : UTC day numbers with market events, ascending.
    starting_equity : currency units.
    """
    trades = trades_of(fills)
    curve = np.concatenate([[starting_equity], marks["equity_nanos"] / _NANOS])
    final = float(curve[-1])
    gross, fees = float(fills["realised_nanos"].sum()) / _NANOS, float(fills["fee_nanos"].sum()) / _NANOS
    drawdown, drawdown_ratio = _drawdown(curve)
    returns = _daily_returns(marks, days, starting_equity)
    annual = _annual_return(final / starting_equity, len(days))
    return Performance(
        net_profit=final - starting_equity,
        gross_profit=gross,
        fees=fees,
        open_profit=final - starting_equity - gross + fees,
        final_equity=final,
        return_total=final / starting_equity - 1.0,
        **trade_metrics(trades),
        sharpe=_sharpe(returns) * math.sqrt(DAYS_PER_YEAR),
        sortino=_sortino(returns) * math.sqrt(DAYS_PER_YEAR),
        max_drawdown=drawdown,
        max_drawdown_ratio=drawdown_ratio,
        calmar=_ratio(annual, drawdown_ratio),
        annual_return=annual,
        days=len(days),
        turnover=float(np.abs(fills["cash_nanos"] / _NANOS).sum()),
        fills=len(fills),
    )


def trade_metrics(trades: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Return those metrics of :class:`Performance` that are about trades alone.

    Parameters
    ----------
    trades : TRADE_DTYPE array, of one engine, instrument or all.
    """
    closed = trades[trades["position"] == 0]
    net, hold = closed["net_nanos"] / _NANOS, (closed["ts_close"] - closed["ts_open"]) / 1e9
    wins, losses = net[net > 0], net[net < 0]
    return {
        "trades": len(closed),
        "open_trades": len(trades) - len(closed),
        "win_rate": _ratio(len(wins), len(closed)),
        "profit_factor": _ratio(float(wins.sum()), -float(losses.sum())),
        "average_trade": _mean(net),
        "average_win": _mean(wins),
        "average_loss": _mean(losses),
        "best_trade": float(net.max()) if len(net) else math.nan,
        "worst_trade": float(net.min()) if len(net) else math.nan,
        "average_hold_seconds": _mean(hold),
        "median_hold_seconds": float(np.median(hold)) if len(hold) else math.nan,
        "longest_hold_seconds": float(hold.max()) if len(hold) else math.nan,
        "sharpe_per_trade": _sharpe(net),
    }


def engine_metrics(trades: np.ndarray[Any, Any]) -> dict[str, dict[str, float | int | None]]:
    """Return engine in lower case → profit and fees of all its trades, and its :func:`trade_metrics`."""
    found = {}
    for engine in Engine:
        own = trades[trades["engine"] == engine]
        money = {"net_profit": own["net_nanos"].sum() / _NANOS, "fees": own["fees_nanos"].sum() / _NANOS}
        found[engine.name.lower()] = {name: _plain(value) for name, value in (money | trade_metrics(own)).items()}
    return found


def _daily_returns(
    marks: np.ndarray[Any, Any], days: np.ndarray[Any, Any], starting_equity: float
) -> np.ndarray[Any, Any]:
    curve = np.concatenate([[starting_equity], daily_equity(marks, days, starting_equity)])
    return curve[1:] / curve[:-1] - 1.0


def _drawdown(curve: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Return the deepest fall below the running peak, in money and as a share of that peak."""
    peak = np.maximum.accumulate(curve)
    fall = peak - curve
    return float(fall.max()), float((fall / peak).max())


def _sharpe(values: np.ndarray[Any, Any]) -> float:
    if len(values) < 2:
        return math.nan
    return _ratio(float(values.mean()), float(values.std(ddof=1)))


def _sortino(values: np.ndarray[Any, Any]) -> float:
    if len(values) < 2:
        return math.nan
    return _ratio(float(values.mean()), math.sqrt(float(np.mean(np.minimum(values, 0.0) ** 2))))


def _annual_return(growth: float, days: int) -> float:
    """Compound ``growth`` over ``days`` to a year; NaN where it is beyond all numbers, -1 where equity is gone."""
    if days == 0:
        return math.nan
    if growth <= 0.0:
        return -1.0
    exponent = math.log(growth) * DAYS_PER_YEAR / days
    return math.expm1(exponent) if exponent < 700.0 else math.nan


def _mean(values: np.ndarray[Any, Any]) -> float:
    return float(values.mean()) if len(values) else math.nan


def _ratio(numerator: float, denominator: float) -> float:
    """Return the ratio; infinite with the numerator's sign over zero, NaN for zero over zero."""
    if denominator == 0.0:
        return math.copysign(math.inf, numerator) if numerator != 0.0 else math.nan
    return numerator / denominator


def _plain(value: Any) -> float | int | None:
    if isinstance(value, int):
        return value
    return float(value) if math.isfinite(value) else None
