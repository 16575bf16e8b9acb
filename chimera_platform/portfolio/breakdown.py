"""Who earned it: the trades of a run by engine, strategy, symbol, session, regime, side or day.

Each trade is in one group of each breakdown, so the groups' money adds up to the total, to the nano.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any

import numpy as np
import polars as pl

from chimera_platform.execution.records import Engine, IntentReason
from chimera_platform.market.city_sessions import CitySession, city_sessions
from chimera_platform.portfolio.daily_returns import DAYS_PER_YEAR
from chimera_platform.portfolio.event_time import DAY_NS
from chimera_platform.portfolio.ratios import ratio, sharpe, sortino
from chimera_platform.portfolio.trades import NANOS, trade_metrics
from chimera_platform.regimes.names import Regime

Array = np.ndarray[Any, Any]
UNKNOWN = "unknown"


def _names(kind: type[IntEnum]) -> Callable[[int], str]:
    known = {int(member): member.name.lower() for member in kind}
    return lambda key: known.get(key, UNKNOWN)


_KEYS: dict[str, tuple[Callable[[Array], Array], Callable[[int], str]]] = {
    "engine": (lambda trades: trades["engine"], _names(Engine)),
    "strategy": (lambda trades: trades["reason"], _names(IntentReason)),
    "symbol": (lambda trades: trades["instrument_id"], str),
    "session": (lambda trades: city_sessions(trades["ts_open"]), _names(CitySession)),
    "regime": (lambda trades: trades["regime"], _names(Regime)),
    "side": (lambda trades: trades["side"], lambda side: "long" if side > 0 else "short"),
    "day": (lambda trades: trades["ts_open"] // DAY_NS, lambda day: str(np.datetime64(day, "D"))),
}
BREAKDOWNS = tuple(_KEYS)
"""By what trades can be told apart; session and day are those of a trade's first fill."""


def breakdown(
    trades: Array,
    by: str,
    symbols: Sequence[str] = (),
    days: Array | None = None,
    starting_equity: float = math.nan,
) -> pl.DataFrame:
    """Return one row per group of trades, ordered by the groups' numbers.

    Parameters
    ----------
    trades : TRADE_DTYPE array.
    by : one of :data:`BREAKDOWNS`; KeyError otherwise.
    symbols : names by instrument_id, for ``by="symbol"``; a number without a name is shown as it is.
    days : UTC day numbers of the run, ascending; with them and ``starting_equity`` (currency units) a group has
        ``sharpe``, ``sortino`` and ``calmar`` of its daily profit over the starting equity, NaN otherwise.

    Returns
    -------
    Frame of ``group``, ``lots``, ``realised_nanos``, ``fees_nanos``, ``net_nanos`` (of all the group's trades, open
    ones too), ``net_profit`` (currency units), all of :func:`~chimera_platform.portfolio.trades.trade_metrics`,
    ``max_drawdown`` of the closed trades' cumulated profit (currency units), ``sharpe``, ``sortino``, ``calmar``.
    """
    keys, found = group_keys(trades, by)
    rows = [
        {"group": _name(key, by, symbols), **group_metrics(trades[keys == key], days, starting_equity)} for key in found
    ]
    empty = {"group": "", **group_metrics(trades[:0], days, starting_equity)}
    kinds = {str: pl.String, int: pl.Int64, float: pl.Float64}
    return pl.DataFrame(rows, schema={column: kinds[type(value)] for column, value in empty.items()})


def group_keys(trades: Array, by: str) -> tuple[Array, list[int]]:
    """Return the number of each trade's group, int (n,), and the groups' numbers in the order of :func:`breakdown`."""
    keys = _KEYS[by][0](trades)
    return keys, np.unique(keys).tolist()


def group_names(trades: Array, by: str, symbols: Sequence[str] = ()) -> list[str]:
    """Return the name of each trade's group."""
    return [_name(key, by, symbols) for key in _KEYS[by][0](trades).tolist()]


def _name(key: int, by: str, symbols: Sequence[str]) -> str:
    return symbols[key] if by == "symbol" and key < len(symbols) else _KEYS[by][1](key)


def group_metrics(trades: Array, days: Array | None = None, starting_equity: float = math.nan) -> dict[str, Any]:
    """Return the columns of :func:`breakdown` but ``group`` for one group of trades."""
    closed = trades[trades["position"] == 0]
    closed = closed[np.argsort(closed["ts_close"], kind="stable")]
    curve = np.concatenate([[0.0], np.cumsum(closed["net_nanos"]) / NANOS])
    drawdown = float((np.maximum.accumulate(curve) - curve).max())
    return {
        "lots": int(trades["size"].sum()),
        "realised_nanos": int(trades["realised_nanos"].sum()),
        "fees_nanos": int(trades["fees_nanos"].sum()),
        "net_nanos": int(trades["net_nanos"].sum()),
        "net_profit": int(trades["net_nanos"].sum()) / NANOS,
        **trade_metrics(trades),
        "max_drawdown": drawdown,
        **_daily_ratios(closed, days, starting_equity, drawdown),
    }


def _daily_ratios(closed: Array, days: Array | None, starting_equity: float, drawdown: float) -> dict[str, float]:
    """Return the ratios of the group's profit of each day, by the days on which its trades closed."""
    if days is None or len(days) == 0 or not starting_equity > 0.0:
        return dict.fromkeys(("sharpe", "sortino", "calmar"), math.nan)
    at = np.searchsorted(days, closed["ts_close"] // DAY_NS)
    inside = at < len(days)
    profit = np.bincount(at[inside], weights=closed["net_nanos"][inside] / NANOS, minlength=len(days))
    returns = profit / starting_equity
    year = math.sqrt(DAYS_PER_YEAR)
    return {
        "sharpe": sharpe(returns) * year,
        "sortino": sortino(returns) * year,
        "calmar": ratio(float(returns.mean()) * DAYS_PER_YEAR, drawdown / starting_equity),
    }
