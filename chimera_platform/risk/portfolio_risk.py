"""What the positions and open entries of an account risk together, and what one more lot would add.

With x_i the signed exposure (nanos), σ_i the volatility per sample interval and c_ij the shrunken correlation,

    variance = sum_i (x_i σ_i)² + 2 sum_{i<j} |x_i σ_i| |x_j σ_j| min(s c_ij + u (1 - w_ij), 1),   s = sign(x_i x_j)

w_ij is the pair's evidence and u ``unseen_correlation``: what has not been seen together is counted in the direction
that hurts; without any evidence the correlation is u, or ``s c_ij`` where that is larger. The sum is never below x'Σx
of the shrunken covariance Σ, so never negative, never above the sum of |x_i| σ_i squared (all correlations at their
worst), and equal to x'Σx once all pairs are known.

Risk is ``sqrt(variance × horizon / sample interval) / equity``. It stays current in O(held instruments) per change of
one exposure; every sample computes it afresh. From a decision's three numbers, the risk P, the slope b (covariance of a
lot with the portfolio) and the risk of a lot s, the risk with n more lots is ``sqrt(P² + 2 b n + s² n²)``. That is
exact, except for a trade that reduces a net position while pairs are not fully known: then it is an upper bound.
"""

from __future__ import annotations

import math
from typing import Any

from chimera_platform.kernels import kernel
from chimera_platform.portfolio.positions import MAX_POSITION_LOTS


@kernel
def exposure_nanos(lots: int, mid2: int, tick_value_nanos: int) -> float:
    """Return signed lots at a mid (in half ticks) in nanos; the sign is that of the lots also at negative prices.

    A mid of zero counts as half a tick: what is held is never left out.
    """
    return float(lots) * (0.5 * float(max(abs(mid2), 1))) * float(tick_value_nanos)


@kernel
def shrunk_correlation(market_risk: Any, moments: Any, portfolio: Any, i: int, j: int) -> float:
    """Return the shrunken correlation of two instruments, within [-1, 1]."""
    if i == j:
        return 1.0
    covariance = moments[i, j] if j < i else moments[j, i]
    measured = covariance * (market_risk[i].inverse_deviation * market_risk[j].inverse_deviation)
    shrunk = measured + portfolio.intensity * (portfolio.mean_correlation - measured)
    return min(max(shrunk, -1.0), 1.0)


@kernel
def shrunk_covariance(market_risk: Any, moments: Any, portfolio: Any, i: int, j: int) -> float:
    """Return the shrunken covariance of two instruments' log returns per sample interval."""
    correlation = shrunk_correlation(market_risk, moments, portfolio, i, j)
    return correlation * (market_risk[i].volatility * market_risk[j].volatility)


@kernel
def pair_evidence(market_risk: Any, moments: Any, settings: Any, i: int, j: int) -> float:
    """Return in [0, 1] how far the correlation of two different instruments is known; 0 before ``min_samples``."""
    if min(market_risk[i].samples, market_risk[j].samples) < settings.min_samples:
        return 0.0
    return min(moments[j, i] if j < i else moments[i, j], 1.0)


@kernel
def feared_correlation(
    market_risk: Any, moments: Any, portfolio: Any, settings: Any, i: int, j: int, sign: float
) -> float:
    """Return the correlation times ``sign`` (1, -1: of both exposures' product) that risk counts, within [-1, 1]."""
    known = sign * shrunk_correlation(market_risk, moments, portfolio, i, j)
    evidence = pair_evidence(market_risk, moments, settings, i, j)
    if evidence == 0.0:
        return max(known, settings.unseen_correlation)
    return min(known + settings.unseen_correlation * (1.0 - evidence), 1.0)


@kernel
def covariance_with_others(market_risk: Any, moments: Any, portfolio: Any, settings: Any, i: int, side: int) -> float:
    """Return the covariance of one nano of instrument i on ``side`` with all exposures but its own, nanos."""
    total = 0.0
    for k in range(portfolio.held_count):
        j = market_risk[k].held
        if j == i:
            continue
        other = market_risk[j].exposure
        sign = float(side) if other > 0.0 else -float(side)
        feared = feared_correlation(market_risk, moments, portfolio, settings, i, j, sign)
        total += abs(other) * market_risk[j].volatility * feared
    return total * market_risk[i].volatility


@kernel
def _variance_with(market_risk: Any, moments: Any, portfolio: Any, settings: Any, i: int, exposure: float) -> float:
    """Return what an exposure in instrument i adds to the variance of all others."""
    if exposure == 0.0:
        return 0.0
    side = 1 if exposure > 0.0 else -1
    own = exposure * market_risk[i].volatility
    others = covariance_with_others(market_risk, moments, portfolio, settings, i, side)
    return own * own + 2.0 * abs(exposure) * others


@kernel
def _variance_after(market_risk: Any, moments: Any, portfolio: Any, settings: Any, i: int, exposure: float) -> float:
    """Return the portfolio's variance with another exposure of instrument i."""
    before = market_risk[i].exposure
    if before * exposure > 0.0:  # of one side: what the others have in common with it is asked once
        side = 1 if exposure > 0.0 else -1
        others = covariance_with_others(market_risk, moments, portfolio, settings, i, side)
        variance = market_risk[i].volatility * market_risk[i].volatility
        added = (exposure - before) * (exposure + before) * variance + 2.0 * (abs(exposure) - abs(before)) * others
    else:
        added = _variance_with(market_risk, moments, portfolio, settings, i, exposure)
        added -= _variance_with(market_risk, moments, portfolio, settings, i, before)
    return max(portfolio.variance + added, 0.0)


@kernel
def worse_exposure(
    market_risk: Any, moments: Any, portfolio: Any, settings: Any, i: int, most: float, least: float
) -> float:
    """Return which of two exposures (nanos) of instrument i risks more beside the others, of equals the larger.

    With all buying and with all selling entries filled: the variance is convex, so no other fills risk more.
    """
    if most == least:
        return most
    upper = _variance_with(market_risk, moments, portfolio, settings, i, most)
    lower = _variance_with(market_risk, moments, portfolio, settings, i, least)
    if upper == lower:
        return most if abs(most) >= abs(least) else least
    return most if upper > lower else least


@kernel
def set_exposure(market_risk: Any, moments: Any, portfolio: Any, settings: Any, i: int, exposure: float) -> None:
    """Change the exposure of one instrument and carry the portfolio's variance along; O(held instruments).

    Parameters
    ----------
    exposure : nanos, signed, see :func:`exposure_nanos` and :func:`worse_exposure`.
    """
    market = market_risk[i]
    if exposure == market.exposure:
        return
    portfolio.variance = _variance_after(market_risk, moments, portfolio, settings, i, exposure)
    market.exposure = exposure
    if exposure != 0.0 and market.held_at < 0:
        market.held_at = portfolio.held_count
        market_risk[portfolio.held_count].held = i
        portfolio.held_count += 1
    elif exposure == 0.0:
        _drop(market_risk, portfolio, market)


@kernel
def _drop(market_risk: Any, portfolio: Any, market: Any) -> None:
    """Take an instrument off the list of those with an exposure: the last one moves to its place."""
    portfolio.held_count -= 1
    last = market_risk[portfolio.held_count].held
    market_risk[market.held_at].held = last
    market_risk[last].held_at = market.held_at
    market.held_at = -1
    if portfolio.held_count == 0:
        portfolio.variance = 0.0


@kernel
def refresh_portfolio(market_risk: Any, moments: Any, portfolio: Any, settings: Any) -> None:
    """Compute the variance of all exposures afresh, O(held²): after each sample, and it stops rounding errors."""
    variance = 0.0
    for k in range(portfolio.held_count):
        i = market_risk[k].held
        exposure = market_risk[i].exposure
        side = 1 if exposure > 0.0 else -1
        own = exposure * market_risk[i].volatility
        variance += own * own
        variance += abs(exposure) * covariance_with_others(market_risk, moments, portfolio, settings, i, side)
    portfolio.variance = variance


@kernel
def portfolio_risk(portfolio: Any, settings: Any, equity_nanos: int) -> float:
    """Return the volatility of all exposures over the risk horizon, fraction of equity; infinite without equity."""
    if portfolio.held_count == 0:
        return 0.0
    if equity_nanos <= 0:
        return math.inf
    return math.sqrt(portfolio.variance * settings.horizon_samples) / float(equity_nanos)


@kernel
def symbol_risk(market: Any, settings: Any, lot_notional_nanos: int, equity_nanos: int) -> float:
    """Return the volatility of one lot alone over the risk horizon, fraction of equity; infinite without equity."""
    if equity_nanos <= 0:
        return math.inf
    return float(lot_notional_nanos) * market.volatility * math.sqrt(settings.horizon_samples) / float(equity_nanos)


@kernel
def risk_at(
    market_risk: Any, moments: Any, portfolio: Any, settings: Any, i: int, exposure: float, equity_nanos: int
) -> float:
    """Return what :func:`portfolio_risk` would be with another exposure (nanos) of instrument i; O(held)."""
    if exposure == market_risk[i].exposure:
        return portfolio_risk(portfolio, settings, equity_nanos)
    if equity_nanos <= 0:
        return math.inf
    variance = _variance_after(market_risk, moments, portfolio, settings, i, exposure)
    return math.sqrt(variance * settings.horizon_samples) / float(equity_nanos)


@kernel
def risk_slope(
    market_risk: Any,
    moments: Any,
    portfolio: Any,
    settings: Any,
    i: int,
    side: int,
    exposure: float,
    lot_notional_nanos: int,
    equity_nanos: int,
) -> float:
    """Return the covariance of one lot of instrument i on ``side`` with the portfolio, fraction of equity squared.

    Over the risk horizon; infinite without equity. O(held instruments).

    Parameters
    ----------
    exposure : of instrument i, nanos: what the lot would come on top of. With open entries that is the net position
        with those of the lot's own side filled, as no fill of the other side may be counted on.
    """
    if equity_nanos <= 0:
        return math.inf
    volatility, equity = market_risk[i].volatility, float(equity_nanos)
    own = float(side) * exposure * volatility * volatility
    others = covariance_with_others(market_risk, moments, portfolio, settings, i, side)
    return (own + others) / equity * (float(lot_notional_nanos) / equity) * settings.horizon_samples


@kernel
def risk_after(portfolio_risk: float, risk_slope: float, symbol_risk: float, lots: int) -> float:
    """Return the portfolio's risk with so many lots more: ``sqrt(P² + 2 b n + s² n²)``."""
    if lots == 0:
        return portfolio_risk
    n = float(lots)
    return math.sqrt(max(portfolio_risk * portfolio_risk + n * (2.0 * risk_slope + symbol_risk * symbol_risk * n), 0.0))


@kernel
def lots_within_risk(portfolio_risk: float, risk_slope: float, symbol_risk: float, limit: float) -> int:
    """Return the most lots n >= 0 with ``risk_after(n) <= max(limit, portfolio_risk)``.

    Above the limit only what reduces the risk is allowed, up to where the risk is again what it is now. The larger
    root of ``s² n² + 2 b n - (bound² - P²) = 0``, in the form that does not cancel; at most MAX_POSITION_LOTS.

    Parameters
    ----------
    portfolio_risk, symbol_risk, limit : fractions of equity, all over one horizon.
    risk_slope : see :func:`risk_slope`.
    """
    if not (math.isfinite(portfolio_risk) and math.isfinite(risk_slope) and math.isfinite(symbol_risk)):
        return 0
    bound = max(limit, portfolio_risk)
    room = (bound - portfolio_risk) * (bound + portfolio_risk)
    square = symbol_risk * symbol_risk
    root = math.sqrt(risk_slope * risk_slope + square * room)
    if risk_slope > 0.0:
        most = room / (risk_slope + root)
    elif square > 0.0:
        most = (root - risk_slope) / square
    else:
        return MAX_POSITION_LOTS
    lots = int(min(most, float(MAX_POSITION_LOTS)))
    if lots < MAX_POSITION_LOTS and risk_after(portfolio_risk, risk_slope, symbol_risk, lots + 1) <= bound:
        return lots + 1  # the root was rounded down across a whole lot
    if lots > 0 and risk_after(portfolio_risk, risk_slope, symbol_risk, lots) > bound:
        return lots - 1
    return lots


@kernel
def trade_risk(stop_ticks: int, tick_value_nanos: int, equity_nanos: int) -> float:
    """Return the loss of one lot at its stop, fraction of equity; infinite without equity."""
    if equity_nanos <= 0:
        return math.inf
    return float(stop_ticks) * float(tick_value_nanos) / float(equity_nanos)
