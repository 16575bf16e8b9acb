"""One symbol's known facts, computed from its observation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chimera_platform.microstructure.market_facts import (
    area_under_curve,
    autocorrelation,
    before_next_move,
    flow_over_intervals,
    hill_exponent,
    shuffled_within,
    weighted_quantiles,
    windowed_r_squared,
)
from chimera_platform.simulation.facts.observation import Observation

SECOND_NS = 1_000_000_000
WINDOW_NS = 1800 * SECOND_NS  # half hours, as Cont, Kukanov & Stoikov fit
INTERVALS_MIN = 20  # of a window that a line is fitted to
MOVES_MIN = 50  # of the mid, for an AUC
HORIZONS_S = (1, 10, 60)
SPREAD_LEVELS = (0.5, 0.95, 0.99)
SIGN_LAGS = tuple(range(1, 51))
RETURN_S = 10
RETURN_LAGS = (1, 6, 30)
PAUSE_NS = 600 * SECOND_NS  # without a price for so long, the market is taken to be closed
SEED = 1


@dataclass(frozen=True)
class Facts:
    """One symbol's facts; NaN where the data does not have what it takes.

    Attributes
    ----------
    hours : hours between first and last event.
    spread_bp : time-weighted quantiles of the spread at SPREAD_LEVELS, basis points of the mid.
    depth : time-weighted mean depth by level as a multiple of the first level's, shape (LEVELS,).
    touch_orders : depth of the first level in mean market orders.
    tail : Hill exponent of market orders' size, largest 5 %.
    signs : autocorrelation of market orders' signs at SIGN_LAGS; ``sign_count`` orders.
    clustering : autocorrelation of absolute returns over RETURN_S seconds at RETURN_LAGS.
    ofi, ofi_shuffled : R² of the mid's change on OFI by HORIZONS_S, and with OFI permuted within half hours.
    auc, auc_shuffled : of queue imbalance for the next move of the mid, ``moves`` of them; and with it permuted.
    cancel_ratio : share of the lots leaving the book that are withdrawn.
    """

    hours: float
    spread_bp: np.ndarray[Any, Any]
    depth: np.ndarray[Any, Any]
    touch_orders: float
    tail: float
    signs: np.ndarray[Any, Any]
    sign_count: int
    clustering: np.ndarray[Any, Any]
    ofi: np.ndarray[Any, Any]
    ofi_shuffled: np.ndarray[Any, Any]
    auc: float
    auc_shuffled: float
    moves: int
    cancel_ratio: float


def facts_of(seen: Observation) -> Facts:
    """Return the facts of one symbol."""
    auc, auc_shuffled, moves = _queue_imbalance(seen)
    ofi, ofi_shuffled = _order_flow(seen)
    signs = seen.trade_sign[seen.trade_sign != 0]
    touch = seen.depth[0]
    mean_order = float(seen.trade_size.mean()) if len(seen.trade_size) else float("nan")
    with np.errstate(invalid="ignore"):
        depth = np.where(seen.depth > 0, seen.depth, np.nan) / (touch if touch > 0 else np.nan)
    return Facts(
        hours=float(seen.ts[-1] - seen.ts[0]) / 3.6e12,
        spread_bp=_spread_quantiles(seen),
        depth=depth,
        touch_orders=float(touch) / mean_order if touch > 0 else float("nan"),
        tail=hill_exponent(seen.trade_size),
        signs=autocorrelation(signs, SIGN_LAGS),
        sign_count=len(signs),
        clustering=autocorrelation(np.abs(_returns(seen)), RETURN_LAGS),
        ofi=ofi,
        ofi_shuffled=ofi_shuffled,
        auc=auc,
        auc_shuffled=auc_shuffled,
        moves=moves,
        cancel_ratio=seen.cancel_ratio,
    )


def _spread_quantiles(seen: Observation) -> np.ndarray[Any, Any]:
    stood = seen.tradable[:-1]
    relative = seen.spread[:-1][stood] / seen.mid[:-1][stood] * 1e4
    return weighted_quantiles(relative, np.diff(seen.ts)[stood].astype(np.float64), SPREAD_LEVELS)


def _order_flow(seen: Observation) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    fitted, control = [], []
    for horizon in HORIZONS_S:
        start, flow, change = flow_over_intervals(seen.ts, seen.mid, seen.flow, seen.tradable, horizon * SECOND_NS)
        window = start // WINDOW_NS
        fitted.append(windowed_r_squared(flow, change, window, INTERVALS_MIN))
        control.append(windowed_r_squared(shuffled_within(flow, window, SEED), change, window, INTERVALS_MIN))
    return np.array(fitted), np.array(control)


def _queue_imbalance(seen: Observation) -> tuple[float, float, int]:
    signal, rises = before_next_move(seen.ts, seen.mid, seen.imbalance, seen.tradable, SEED)
    if len(signal) < MOVES_MIN:
        return float("nan"), float("nan"), len(signal)
    permuted = np.random.default_rng(SEED).permutation(signal)
    return area_under_curve(signal, rises), area_under_curve(permuted, rises), len(signal)


def _returns(seen: Observation) -> np.ndarray[Any, Any]:
    """Return log returns over RETURN_S seconds of the mid, of trades where there are no quotes; NaN over pauses."""
    ts, price = seen.ts[seen.tradable], seen.mid[seen.tradable]
    if len(ts) == 0:
        ts, price = seen.trade_ts, seen.trade_price
    if len(ts) < 2:
        return np.zeros(0)
    step = RETURN_S * SECOND_NS
    grid = np.arange(ts[0] // step + 1, ts[-1] // step + 1, dtype=np.int64) * step
    at = np.searchsorted(ts, grid, side="left") - 1
    returns = np.diff(np.log(price[at]))
    fresh = grid - ts[at] < PAUSE_NS
    return np.where(fresh[1:] & fresh[:-1] & (np.diff(ts[at]) < PAUSE_NS), returns, np.nan)
