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
_DAYS_MIN = 5


class Outcome(NamedTuple):
    """Money in the account's currency, positions that are still open valued at the mid of their last mark.

    Attributes
    ----------
    net_profit : after fees and spreads.
    trades : closed ones.
    sharpe_per_trade : mean / standard deviation (ddof 1) of the closed trades' net profits.
    sharpe : of daily returns, annualised by sqrt(252); NaN for fewer than five days with marks.
    fees : paid.
    spread : half-spreads paid by the fills that :class:`SpreadCost` names, as they stood at the fill.
    """

    net_profit: float
    trades: int
    sharpe_per_trade: float
    sharpe: float
    fees: float
    spread: float


def outcome_of(
    decisions: Decisions,
    universe: Universe,
    starting_equity: float,
    spread_cost: SpreadCost,
    spread_multiplier: float = 1.0,
) -> Outcome:
    """Return the outcome of a run that started with ``starting_equity``.

    Parameters
    ----------
    spread_cost : which fills pay a spread.
    spread_multiplier : at k, each of them pays k - 1 further half-spreads on top of its price.
    """
    fills, marks = decisions.fills, decisions.marks
    paid = half_spreads(fills, universe, spread_cost)
    extra = (spread_multiplier - 1.0) * paid
    trades = trades_of(fills)
    net = trades["net_nanos"] / 1e9 - _by_intent(fills, extra, trades)
    closed = net[trades["position"] == 0]
    extra_until = np.concatenate([[0.0], np.cumsum(extra)])
    equity = marks["equity_nanos"] / 1e9
    equity -= extra_until[np.searchsorted(fills["event_no"], marks["event_no"], side="right")]
    last = float(marks["equity_nanos"][-1]) / 1e9 - starting_equity - extra.sum() if len(marks) else float(net.sum())
    return Outcome(
        last,
        len(closed),
        _ratio(closed),
        _daily_sharpe(marks["ts_event"], equity, starting_equity),
        float(fills["fee_nanos"].sum()) / 1e9,
        spread_multiplier * float(paid.sum()),
    )


def _by_intent(fills: Array, amounts: Array, trades: Array) -> Array:
    """Return the sum of the fills' ``amounts`` for each trade."""
    sums = np.zeros(len(trades))
    order = np.argsort(trades["intent_no"])
    at = order[np.searchsorted(trades["intent_no"], fills["intent_no"], sorter=order)]
    np.add.at(sums, at, amounts)
    return sums


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
    if len(days) < _DAYS_MIN:
        return math.nan
    curve = np.concatenate([[starting_equity], equity[len(equity) - 1 - last]])
    return _ratio(curve[1:] / curve[:-1] - 1.0) * math.sqrt(_DAYS_PER_YEAR)


def _ratio(values: Array) -> float:
    if len(values) < 2:
        return math.nan
    deviation = float(values.std(ddof=1))
    return float(values.mean()) / deviation if deviation > 0 else math.nan
