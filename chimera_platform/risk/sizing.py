"""How many lots a trade is worth: four sizing methods, none of which ever goes above the engine's wish times a cap.

With E the equity, s, t and k the distances of stop and target and the cost of the round trip in ticks, v the value of
a tick on a lot:

- ``engine``: as many as the engine asked for;
- ``fixed_fraction``: the loss at the stop, cost included, is ``risk_fraction`` of equity: ``E risk_fraction / ((s + k)
  v)``;
- ``volatility_target``: the position's volatility over the risk horizon is ``target_volatility`` of equity;
- ``kelly``: the fraction that maximises expected log growth, shrunken, times ``kelly_fraction``. Where the release's
  model gives the chance p that the trade ends above its cost, the bet wins ``b = (t - k) / (s + k)`` times its stake,
  and loses it at the stop: ``f = p - (1 - p) / b`` of equity at stake. A trade that its time ends counts as if it had
  reached target or stop. Without a model the engine's own trades count, whose returns on notional have mean m and
  variance q over n effective trades: ``f = m / q`` of equity as notional. Before ``kelly_min_trades``, and without a
  model, the fixed fraction.

Shrinkage: the edge counts ``n / (n + kelly_prior_trades)``, the posterior mean under a prior of no edge that is worth
that many trades, and the variance of the estimate adds to that of the trades. An edge that is not above zero at the
one-sided confidence ``kelly_confidence`` is none: no lots. For the model, n is ``kelly_model_trades``, the number of
cases that its calibration may be trusted as. The loss at the stop is never above ``kelly_max_risk`` of equity.

The default is ``engine``: sizes by Kelly need a calibrated model or a record of trades, which a new installation has
not, and without an edge that is shown they are zero, so that an engine that has lost its edge stays out until a model
vouches for it. The other limits of risk hold whatever the method.

What always holds: never more than the cap; less equity, a wider stop, more volatility, more cost or less edge never
gives more lots; money in another unit gives the same lots. Kelly (1956); Thorp (2006) for half Kelly; Baker & McHale
(2013) for shrinkage under uncertainty of the estimate.
"""

from __future__ import annotations

import math
from enum import IntEnum, StrEnum
from statistics import NormalDist
from typing import Any

import numpy as np
from pydantic import Field

from chimera_platform.kernels import kernel
from chimera_platform.portfolio.positions import MAX_POSITION_LOTS
from chimera_platform.settings import Settings, record_dtype, to_record


class SizingMethod(StrEnum):
    """What decides how many lots a trade is worth."""

    ENGINE = "engine"  # what the engine asks for
    FIXED_FRACTION = "fixed_fraction"  # the loss at the stop is a fraction of equity
    VOLATILITY_TARGET = "volatility_target"  # the position's volatility is a fraction of equity
    KELLY = "kelly"  # expected log growth


class SizingCode(IntEnum):
    """Kernel form of :class:`SizingMethod`."""

    ENGINE = 0
    FIXED_FRACTION = 1
    VOLATILITY_TARGET = 2
    KELLY = 3


ENGINE, FIXED_FRACTION = int(SizingCode.ENGINE), int(SizingCode.FIXED_FRACTION)
VOLATILITY_TARGET, KELLY = int(SizingCode.VOLATILITY_TARGET), int(SizingCode.KELLY)


class SizingSettings(Settings):
    """How many lots a trade is worth."""

    method: SizingMethod = Field(SizingMethod.ENGINE, description="engine, fixed_fraction, volatility_target or kelly")
    max_scale: float = Field(
        1.0,
        gt=0.0,
        le=100.0,
        description="most lots, as a multiple of what the engine asks for; 1: sizing only shrinks",
    )
    risk_fraction: float = Field(
        0.005, gt=0.0, le=0.5, description="loss at the stop, cost included, fraction of equity (fixed_fraction)"
    )
    target_volatility: float = Field(
        0.005, gt=0.0, le=1.0, description="volatility of a position over the risk horizon, fraction of equity"
    )
    kelly_fraction: float = Field(0.5, ge=0.0, le=1.0, description="share of the shrunken Kelly fraction that is used")
    kelly_max_risk: float = Field(
        0.02, gt=0.0, le=0.5, description="most that a trade sized by Kelly may lose at its stop, fraction of equity"
    )
    kelly_confidence: float = Field(
        0.95, ge=0.5, lt=1.0, description="one-sided confidence at which an edge must be above zero"
    )
    kelly_prior_trades: float = Field(
        50.0, ge=0.0, le=1e6, description="trades without any edge that are put beside those on record"
    )
    kelly_min_trades: int = Field(
        30, ge=2, le=1_000_000, description="trades on record before they count; the fixed fraction before"
    )
    kelly_model_trades: float = Field(
        1_000.0, ge=1.0, le=1e9, description="cases that the calibration of the model's probability may be trusted as"
    )


_PARAMETERS = record_dtype(SizingSettings)
SIZING_DTYPE = np.dtype(
    [
        *((name, _PARAMETERS[name]) for name in _PARAMETERS.names or ()),
        ("method", "<i8"),  # SizingCode
        ("kelly_deviations", "<f8"),  # standard errors that an edge must be above zero
    ],
    align=True,
)


def sizing_record(settings: SizingSettings) -> np.ndarray[Any, Any]:
    """Return ``settings`` as SIZING_DTYPE, shape (1,)."""
    record, numbers = np.zeros(1, SIZING_DTYPE), to_record(settings)
    for name in numbers.dtype.names or ():
        record[name] = numbers[name]
    record["method"] = SizingCode[settings.method.name]
    record["kelly_deviations"] = NormalDist().inv_cdf(settings.kelly_confidence)
    return record


@kernel
def round_trip_cost_ticks(
    spread_ticks: int, price_ticks: int, tick_value_nanos: int, fee_per_lot_nanos: int, fee_ppm: int
) -> float:
    """Return what entering and leaving one lot as a taker costs: the spread and two fees, in ticks.

    Parameters
    ----------
    fee_per_lot_nanos, fee_ppm : of one side, see ``INSTRUMENT_DTYPE``'s taker fees; negative is a rebate.
    """
    fees = 2.0 * (float(fee_per_lot_nanos) / float(tick_value_nanos) + abs(float(price_ticks)) * float(fee_ppm) * 1e-6)
    return float(spread_ticks) + fees


@kernel
def lots_at_risk(fraction: float, loss_ticks: float, tick_value_nanos: int, equity_nanos: int) -> float:
    """Return the lots, not rounded, whose loss over ``loss_ticks`` is ``fraction`` of equity; infinite without loss."""
    if loss_ticks <= 0.0:
        return math.inf
    return fraction * float(equity_nanos) / (loss_ticks * float(tick_value_nanos))


@kernel
def kelly_of_bet(settings: Any, probability: float, win_ticks: float, loss_ticks: float) -> float:
    """Return the fraction of equity to stake on a bet that wins or loses so many ticks, shrunken, before the share.

    ``f = p - (1 - p) / b`` with ``b = win / loss`` is zero at ``p0 = 1 / (1 + b)``; p must be above p0 by
    ``kelly_deviations`` standard errors of a share of ``kelly_model_trades`` cases whose expectation is p0.

    Parameters
    ----------
    settings : SIZING_DTYPE record.
    probability : of winning, calibrated.
    win_ticks, loss_ticks : net of cost.
    """
    if win_ticks <= 0.0:
        return 0.0
    if loss_ticks <= 0.0:
        return 1.0
    cases, even = settings.kelly_model_trades, loss_ticks / (win_ticks + loss_ticks)
    if probability - even <= settings.kelly_deviations * math.sqrt(even * (1.0 - even) / cases):
        return 0.0
    shrinkage = cases / (cases + settings.kelly_prior_trades)
    return shrinkage * max(probability - (1.0 - probability) * loss_ticks / win_ticks, 0.0)


@kernel
def kelly_of_trades(settings: Any, trades: float, mean: float, variance: float) -> float:
    """Return notional over equity that maximises expected log growth, shrunken, before the share.

    The posterior of the mean under a prior of no edge is ``m n / (n + n0)`` with variance ``q / (n + n0)``, which adds
    to the variance q of a trade: ``f = m n / (n + n0) / (q (1 + 1 / (n + n0)))``.

    Parameters
    ----------
    settings : SIZING_DTYPE record.
    trades : effective number of trades on record.
    mean, variance : of their returns on notional.
    """
    if not (mean > 0.0 and variance > 0.0):
        return 0.0
    if mean <= settings.kelly_deviations * math.sqrt(variance / trades):
        return 0.0
    weight = trades + settings.kelly_prior_trades
    return mean * trades / weight / (variance * (1.0 + 1.0 / weight))


@kernel
def sized_lots(
    settings: Any,
    wanted: int,
    model_score: float,
    stop_ticks: int,
    target_ticks: float,
    cost_ticks: float,
    tick_value_nanos: int,
    lot_notional_nanos: int,
    equity_nanos: int,
    symbol_risk: float,
    trades: float,
    mean_return: float,
    variance_return: float,
) -> int:
    """Return the lots that the sizing method gives a trade, within [0, ``floor(wanted * max_scale)``].

    By the method ``engine`` that is ``wanted`` as it is.

    Parameters
    ----------
    settings : SIZING_DTYPE record.
    wanted : lots that the engine asked for.
    model_score : calibrated chance that the trade ends above its cost; NaN where there is no model.
    stop_ticks, target_ticks : distances from the entry price.
    cost_ticks : of the round trip, see :func:`round_trip_cost_ticks`.
    tick_value_nanos : of one tick on one lot.
    lot_notional_nanos : absolute, of one lot at the entry price.
    equity_nanos : of the account; none at all gives no lots, except by the method ``engine``.
    symbol_risk : volatility of a lot over the risk horizon, fraction of equity.
    trades, mean_return, variance_return : the engine's completed trades: effective number, and mean and variance of
        their net returns on notional.
    """
    if settings.method == ENGINE:
        return wanted
    if equity_nanos <= 0 or wanted <= 0:
        return 0
    cap = min(float(wanted) * settings.max_scale, float(MAX_POSITION_LOTS))
    loss_ticks = float(stop_ticks) + cost_ticks
    if settings.method == VOLATILITY_TARGET:
        return _whole(settings.target_volatility / symbol_risk, cap)
    has_model = model_score == model_score
    if settings.method == FIXED_FRACTION or not (has_model or trades >= float(settings.kelly_min_trades)):
        return _whole(lots_at_risk(settings.risk_fraction, loss_ticks, tick_value_nanos, equity_nanos), cap)
    most = min(lots_at_risk(settings.kelly_max_risk, loss_ticks, tick_value_nanos, equity_nanos), cap)
    if has_model:
        stake = settings.kelly_fraction * kelly_of_bet(settings, model_score, target_ticks - cost_ticks, loss_ticks)
        return _whole(lots_at_risk(stake, loss_ticks, tick_value_nanos, equity_nanos), most) if stake > 0.0 else 0
    leverage = settings.kelly_fraction * kelly_of_trades(settings, trades, mean_return, variance_return)
    return _whole(leverage * float(equity_nanos) / float(lot_notional_nanos), most)


@kernel
def _whole(lots: float, cap: float) -> int:
    """Return the whole lots in ``lots``, at most ``cap``; none where it is not a number."""
    return int(max(min(lots, cap), 0.0)) if lots == lots else 0
