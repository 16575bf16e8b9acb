"""The hedge controller: takes back a part of what the engines carry together, when losses make it too much.

Risks are standard deviations over the risk horizon; *net* is what the engines' positions carry together (HEDGE left
out), through all correlations, *hedge risk* the sum of the hedges' own, as if they never offset each other:

    load     = min(net risk / equity / net_risk_budget, 1)
    pressure = min(drawdown / full_pressure_drawdown, 1)
    score    = load * (calm_weight + (1 - calm_weight) * pressure)

The score is in [0, 1], rises with net risk and with the drawdown, and is 0 when the engines are flat together. From
``hedge_threshold_score`` on a hedge is wanted, until the score is below ``release_ratio`` of it. Wanted is a hedge
risk of ``hedge_size_ratio`` of the net risk; not wanted, none.

**An extension never increases risk.** With ``S_j`` the slope of the book in instrument j and z the signed risk of an
order there (:mod:`chimera_platform.risk.hedge_plan`), the book's variance changes by ``2 z S_j + z^2``. It is sent
only if

1. z is opposite in sign to ``S_j`` and ``|z|`` is at most the lower confidence bound of ``|S_j|``: the variance falls
   strictly, for every ``S_j`` from that bound on;
2. where an engine holds j, the sum of all lots in j, hedge included, neither grows nor changes its sign;
3. hedge risk after it is at most ``hedge_size_ratio`` of net risk.

The bound allows for the standard error of the covariances, for pairs not yet seen together, and, for the pairs of
``pairs``, for the Kalman filter's beta (:mod:`chimera_platform.risk.beta`) and its error; where both disagree on the
sign there is no hedge. In the instrument that is held alone nothing has to be estimated: bound and slope are one.

Among the instruments in which an order can be sent, those are compared that remove at least ``least_relief`` of what
the best one would; it goes where it removes most risk per cost. A hedge that is held is not added to, as no position
is: one intent, one position. Another instrument may take the rest; a hedge that has become far too small for its
instrument is closed and opened anew. A reduction only takes hedge back, never turns it; a book without hedges carries
the engines' own risk and no more.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field, field_validator

from chimera_platform.execution.records import Engine, IntentReason, OrderType
from chimera_platform.kernels import kernel
from chimera_platform.microstructure.feature_names import FEATURE_COUNT
from chimera_platform.risk.beta import BetaSettings, new_betas
from chimera_platform.risk.hedge_plan import WORK_ROWS, measure, plan_entry, plan_exit, plan_replacement

_HEDGE, _REASON = int(Engine.HEDGE), int(IntentReason.HEDGE)
_MARKET = int(OrderType.MARKET)
NEVER_TRADED = -(1 << 62)
"""``traded_ts`` before the first order of the controller; ns."""
FARTHEST = 1 << 31
"""Stop and target of a hedge, ticks: it is the controller that ends it."""
LONGEST_NS = 1 << 60
"""Longest holding time of a hedge, ns."""


class HedgeSettings(BetaSettings):
    """When the engines' positions are hedged, how far, and with what."""

    enable_cross_engine_hedging: bool = Field(
        True, description="whether hedges are opened; switched off, those that are held are closed"
    )
    hedge_threshold_score: float = Field(0.3, gt=0.0, le=1.0, description="hedge score from which a hedge is wanted")
    hedge_size_ratio: float = Field(
        0.25, ge=0.0, le=1.0, description="risk of the hedge over the net risk of the engines' positions"
    )
    release_ratio: float = Field(
        0.5, ge=0.0, le=1.0, description="share of hedge_threshold_score below which a hedge is no longer wanted"
    )
    net_risk_budget: float = Field(
        0.05,
        gt=0.0,
        le=10.0,
        description="volatility of the engines' net positions over the risk horizon, fraction of equity, that is all "
        "they should carry",
    )
    full_pressure_drawdown: float = Field(
        0.02, gt=0.0, le=1.0, description="fall below peak equity, as a fraction, at which the pressure is full"
    )
    calm_weight: float = Field(
        0.5, ge=0.0, le=1.0, description="hedge score of a full risk budget without any drawdown"
    )
    minimum_change: float = Field(
        0.1, ge=0.0, le=1.0, description="least change of a hedge, as a share of what it should be"
    )
    replace_below: float = Field(
        0.5,
        ge=0.0,
        lt=1.0,
        description="a hedge below this share of what its instrument would take now, where no other can be opened "
        "beside it, is closed to be opened anew; 0: never",
    )
    cooldown_ns: int = Field(
        300_000_000_000,
        ge=0,
        le=86_400_000_000_000,
        description="time between any order of the controller and the next that extends a hedge, ns of event time",
    )
    enable_cross_symbol: bool = Field(
        True, description="whether an instrument that no engine holds may hedge others through its beta"
    )
    beta_confidence: float = Field(
        1.645, ge=0.0, le=10.0, description="standard errors by which a beta is taken as smaller than estimated"
    )
    beta_samples_min: int = Field(
        60, ge=2, le=1_000_000, description="returns of a pair before its followed beta counts"
    )
    least_relief: float = Field(
        0.5,
        ge=0.0,
        le=1.0,
        description="share of the best instrument's reduction of risk that a cheaper one must reach",
    )
    pairs: tuple[tuple[str, str], ...] = Field(
        (("XAUUSD", "XAGUSD"), ("XAGUSD", "XAUUSD")),
        max_length=64,
        description="symbol and hedge's symbol, whose beta a Kalman filter follows; pairs with a symbol that the "
        "run does not trade are left out",
    )

    @field_validator("pairs")
    @classmethod
    def _pairs_are_of_two(cls, pairs: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        for symbol, hedge in pairs:
            if symbol == hedge or pairs.count((symbol, hedge)) > 1:
                raise ValueError(f"two different symbols a pair, no pair twice; {symbol}, {hedge} is not")
        return pairs


HEDGE_DTYPE = np.dtype(
    [
        ("traded_ts", "<i8"),  # ns UTC of the controller's last order; NEVER_TRADED before the first
        ("score", "<f8"),  # [0, 1], as last computed
        ("net_risk", "<f8"),  # fraction of equity
        ("book_risk", "<f8"),  # the same with the hedges
        ("hedge_risk", "<f8"),  # gross, fraction of equity
        ("is_wanted", "u1"),  # 1: the score has reached its threshold and not yet fallen below the release
        ("is_replacing", "u1"),  # 1: a hedge was closed to be opened anew
    ],
    align=True,
)

HEDGE_MARKET_DTYPE = np.dtype(
    [
        ("net_lots", "<i8"),  # signed, held by all engines but HEDGE
        ("hedge_lots", "<i8"),  # signed, held as hedge
        ("working_lots", "<i8"),  # signed, by which hedge orders on their way can still change that
        ("lot_value", "<f8"),  # absolute, of one lot at the mid, account's currency; 0 while no price is known
        ("lot_cost", "<f8"),  # of a lot in and out: spread and fees, account's currency
        ("lot_risk", "<f8"),  # standard deviation of a lot over the risk horizon, account's currency
        ("held", "<i8"),  # entry k: the k-th instrument in which engines or hedges hold something
        ("can_enter", "u1"),  # 1: an order may be opened: tradable, fresh, spread within its limit, none on its way
        ("can_exit", "u1"),  # 1: a hedge may be closed: tradable, no order on its way
    ],
    align=True,
)


class Hedge(NamedTuple):
    """What the controller works on; ``markets`` and ``work`` are written anew at each call."""

    state: np.ndarray[Any, Any]  # HEDGE_DTYPE (1,)
    betas: np.ndarray[Any, Any]  # BETA_DTYPE (pairs,)
    markets: np.ndarray[Any, Any]  # HEDGE_MARKET_DTYPE (instruments,)
    work: np.ndarray[Any, Any]  # f8 (WORK_ROWS, instruments)


def new_hedge(settings: HedgeSettings, symbols: tuple[str, ...]) -> Hedge:
    """Return the controller's state before the first event; ``symbols`` stand at their instrument ids."""
    state = np.zeros(1, HEDGE_DTYPE)
    state["traded_ts"] = NEVER_TRADED
    n = len(symbols)
    return Hedge(state, new_betas(settings.pairs, symbols), np.zeros(n, HEDGE_MARKET_DTYPE), np.zeros((WORK_ROWS, n)))


@kernel
def hedge_score(settings: Any, net_risk: float, drawdown: float) -> float:
    """Return the score in [0, 1]; both arguments are fractions, see the module's formula."""
    load = min(max(net_risk, 0.0) / settings.net_risk_budget, 1.0)
    pressure = min(max(drawdown, 0.0) / settings.full_pressure_drawdown, 1.0)
    return load * (settings.calm_weight + (1.0 - settings.calm_weight) * pressure)


@kernel
def _is_any(markets: Any, is_working: bool) -> bool:
    """Return whether a hedge order is on its way anywhere (``is_working``), or an engine holds something."""
    found = False
    for j in range(markets.shape[0]):
        found = found or (markets[j].working_lots if is_working else markets[j].net_lots) != 0
    return found


@kernel
def follow_score(state: Any, settings: Any, score: float) -> bool:
    """Take in the score and return whether a hedge has become wanted, or no longer is."""
    before = state.is_wanted
    state.score = score
    if settings.enable_cross_engine_hedging == 0:
        state.is_wanted = 0
    elif score >= settings.hedge_threshold_score:
        state.is_wanted = 1
    elif score < settings.release_ratio * settings.hedge_threshold_score or score == 0.0:
        state.is_wanted = 0
    if state.is_wanted == 0:
        state.is_replacing = 0
    return state.is_wanted != before


@kernel
def plan_hedge(
    state: Any,
    settings: Any,
    markets: Any,
    work: Any,
    betas: Any,
    market_risk: Any,
    moments: Any,
    portfolio: Any,
    covariance: Any,
    equity_nanos: int,
    drawdown: float,
    ts: int,
) -> Any:
    """Return (instrument, signed lots) of the one order that is due at ``ts``, (-1, 0) for none.

    The order is an exit where a hedge is held there, which it reduces, an entry otherwise.

    Parameters
    ----------
    state, betas, markets, work : the parts of :class:`Hedge`, the first as a record; ``markets`` filled by the caller.
    settings : record of :class:`HedgeSettings`.
    market_risk, moments, portfolio, covariance : as :func:`~chimera_platform.risk.covariance.sample_returns` has them;
        the last is the record of its settings.
    equity_nanos : of the account.
    drawdown : below the peak, fraction of it.
    ts : ns UTC.
    """
    net_variance, variance, hedge_risk, held = measure(markets, work, market_risk, moments, portfolio, covariance)
    equity = max(float(equity_nanos) * 1e-9, 1e-9)
    net = math.sqrt(net_variance) if _is_any(markets, False) else 0.0
    state.net_risk, state.book_risk, state.hedge_risk = net / equity, math.sqrt(variance) / equity, hedge_risk / equity
    follow_score(state, settings, hedge_score(settings, net / equity, drawdown))
    limit = settings.hedge_size_ratio * net if state.is_wanted == 1 else 0.0
    excess = hedge_risk - limit if limit > 0.0 else math.inf
    i, lots = plan_exit(settings, markets, work, excess if excess > settings.minimum_change * limit else 0.0)
    room, is_due = limit - hedge_risk, state.is_replacing == 1 or ts - state.traded_ts >= settings.cooldown_ns
    if i < 0 and is_due and limit > 0.0 and room >= settings.minimum_change * limit and not _is_any(markets, True):
        i, lots = plan_entry(
            settings, markets, work, betas, market_risk, moments, portfolio, covariance, held, variance, room
        )
        state.is_replacing = 0
        if i < 0:
            i, lots = plan_replacement(
                settings, markets, work, betas, market_risk, moments, portfolio, covariance, held, variance, room
            )
            state.is_replacing = 1 if i >= 0 else 0
    if i >= 0:
        state.traded_ts = ts
    return i, lots


@kernel
def fill_hedge_market(
    market: Any,
    net_lots: int,
    hedge_lots: int,
    working_lots: int,
    bid: int,
    ask: int,
    tick_value_nanos: int,
    fee_per_lot_nanos: int,
    fee_ppm: int,
    can_enter: bool,
    can_exit: bool,
) -> None:
    """Write what :func:`plan_hedge` has to know of an instrument; prices in ticks, the fees those of a taker."""
    value = 0.5 * abs(float(bid + ask)) * float(tick_value_nanos) * 1e-9
    market.net_lots, market.hedge_lots, market.working_lots = net_lots, hedge_lots, working_lots
    market.lot_value = value
    fees = float(fee_per_lot_nanos) * 1e-9 + value * float(fee_ppm) * 1e-6
    market.lot_cost = float(ask - bid) * float(tick_value_nanos) * 1e-9 + 2.0 * fees
    market.can_enter = 1 if can_enter and working_lots == 0 else 0
    market.can_exit = 1 if can_exit and working_lots == 0 else 0


@kernel
def fill_hedge_intent(
    intent: Any, i: int, lots: int, bid: int, ask: int, regime: int, release_no: int, event_no: int, ts: int, seq: int
) -> None:
    """Write the intent of an extension: a market order with no stop, target or time that would ever be reached.

    It has no features and no model's opinion: the engines' model has nothing to say of it.
    """
    intent.intent_no = -1
    intent.event_no = event_no
    intent.ts_event = ts
    intent.seq = seq
    intent.limit_price = 0
    intent.size = abs(lots)
    intent.stop_distance = FARTHEST
    intent.target_distance = FARTHEST
    intent.max_hold_ns = LONGEST_NS
    intent.time_to_live_ns = 0
    intent.bid_price = bid
    intent.ask_price = ask
    intent.confidence = 1.0
    intent.predicted_move = math.nan
    intent.model_score = math.nan
    intent.model_threshold = math.nan
    for k in range(FEATURE_COUNT):
        intent.features[k] = math.nan
    intent.instrument_id = i
    intent.release_no = release_no
    intent.reason = _REASON
    intent.engine = _HEDGE
    intent.order_type = _MARKET
    intent.side = 1 if lots > 0 else -1
    intent.regime = regime
