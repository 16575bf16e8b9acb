"""What one run earned, in the few numbers that the audit's tables compare."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from chimera_platform.execution.records import Liquidity
from chimera_platform.market.instruments import Universe
from chimera_platform.portfolio.performance import trades_of
from chimera_platform.simulation.audit.decision_maker import Decisions
from chimera_platform.simulation.audit.settings import SpreadCost

Array = np.ndarray[Any, Any]
_DAY_NS = 86_400_000_000_000
_DAYS_PER_YEAR = 252


class Outcome(NamedTuple):
    """Money in the account's currency, positions that are still open valued at the mid of their last mark.

    Attributes
    ----------
    net_profit : after fees and spreads.
    trades : closed ones.
    sharpe_per_trade : mean / standard deviation (ddof 1) of the closed trades' net profits.
    sharpe : of daily returns, annualised by sqrt(252); NaN for a single day.
    fees : paid.
    spread : half-spreads paid by the fills that :class:`SpreadCost` names, against the mid at the fill.
    """

    net_profit: float
    trades: int
    sharpe_per_trade: float
    sharpe: float
    fees: float
    spread: float


def outcome_of(decisions: Decisions, universe: Universe, starting_equity: float, spread_cost: SpreadCost) -> Outcome:
    """Return the outcome of a run that started with ``starting_equity``."""
    fills, marks = decisions.fills, decisions.marks
    trades = trades_of(fills)
    net = trades["net_nanos"][trades["position"] == 0] / 1e9
    equity = marks["equity_nanos"] / 1e9
    profit = float(equity[-1] - starting_equity) if len(equity) else float(trades["net_nanos"].sum()) / 1e9
    return Outcome(
        profit,
        len(net),
        _ratio(net),
        _daily_sharpe(marks["ts_event"], equity, starting_equity),
        float(fills["fee_nanos"].sum()) / 1e9,
        float(half_spreads(fills, universe, spread_cost).sum()),
    )


def half_spreads(fills: Array, universe: Universe, spread_cost: SpreadCost) -> Array:
    """Return half the spread that stood at each fill times its size, money; 0 for fills that are not to pay it."""
    tick_value = universe.records["tick_value_nanos"][fills["instrument_id"]] / 1e9
    spread = np.maximum(fills["ask_price"] - fills["bid_price"], 0)
    pays = np.ones(len(fills), np.bool_)
    if spread_cost is SpreadCost.NONE:
        pays[:] = False
    elif spread_cost is SpreadCost.TAKER:
        pays = fills["liquidity"] == Liquidity.TAKER
    return np.where(pays, 0.5 * spread * fills["size"] * tick_value, 0.0)


def _daily_sharpe(times: Array, equity: Array, starting_equity: float) -> float:
    days, last = np.unique(times[::-1] // _DAY_NS, return_index=True)
    if len(days) < 2:
        return math.nan
    curve = np.concatenate([[starting_equity], equity[len(equity) - 1 - last]])
    return _ratio(curve[1:] / curve[:-1] - 1.0) * math.sqrt(_DAYS_PER_YEAR)


def _ratio(values: Array) -> float:
    if len(values) < 2:
        return math.nan
    deviation = float(values.std(ddof=1))
    return float(values.mean()) / deviation if deviation > 0 else math.nan
