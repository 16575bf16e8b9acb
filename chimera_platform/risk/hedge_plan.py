"""Where a hedge goes and how large it is: the arithmetic behind :mod:`chimera_platform.risk.hedge_controller`.

Everything is in standard deviations over the risk horizon, account's currency: ``u_i`` of one lot of instrument i at
its mid, ``b_i`` lots times that, signed, ``c_ij`` the shrunken correlation of returns
(:mod:`chimera_platform.risk.covariance`). A book's variance is ``V = sum b_i S_i`` with the *slope*
``S_i = sum_j c_ij b_j``; an order of risk z, signed, in j changes it by ``2 z S_j + z^2``.

The kernels take, besides what they name: ``settings``, record of ``HedgeSettings``; ``markets``, HEDGE_MARKET_DTYPE
(instruments,); ``work``, f8 (WORK_ROWS, instruments); ``betas``, BETA_DTYPE (pairs,); ``market_risk``, ``moments``,
``portfolio``, ``covariance``: the online covariance and the record of its settings; ``variance``: of the book with its
hedges; ``room``: hedge risk that may be added.
"""

from __future__ import annotations

import math
from typing import Any

from chimera_platform.kernels import kernel
from chimera_platform.risk.beta import beta_variance
from chimera_platform.risk.portfolio_risk import pair_evidence, shrunk_correlation

_SLOPES, _NET, _LOTS, _RELIEF = 0, 1, 2, 3
WORK_ROWS = 4
_LOTS_MAX = 1e9


@kernel
def measure(markets: Any, work: Any, market_risk: Any, moments: Any, portfolio: Any, covariance: Any) -> Any:
    """Fill each lot's risk and the slopes of what is held; return (net variance, variance, hedge risk, held).

    Net: of the engines alone; hedge risk: sum of the hedges' own. O(held^2).
    """
    scale, count, hedge_risk = math.sqrt(covariance.horizon_samples), 0, 0.0
    for i in range(markets.shape[0]):
        m = markets[i]
        m.lot_risk = m.lot_value * market_risk[i].volatility * scale
        work[_SLOPES, i], work[_NET, i] = 0.0, 0.0
        hedged = m.hedge_lots + m.working_lots
        if m.net_lots != 0 or hedged != 0:
            markets[count].held = i
            count += 1
            hedge_risk += abs(float(hedged)) * m.lot_risk
    for k in range(count):
        _add_slopes(markets, work, market_risk, moments, portfolio, k)
    net_variance, variance = 0.0, 0.0
    for k in range(count):
        i = markets[k].held
        m = markets[i]
        net_variance += float(m.net_lots) * m.lot_risk * work[_NET, i]
        variance += book_risk(m) * work[_SLOPES, i]
    return max(net_variance, 0.0), max(variance, 0.0), hedge_risk, count


@kernel
def book_risk(market: Any) -> float:
    """Return the signed risk of all lots in an instrument, hedges with those on their way included."""
    return float(market.net_lots + market.hedge_lots + market.working_lots) * market.lot_risk


@kernel
def _add_slopes(markets: Any, work: Any, market_risk: Any, moments: Any, portfolio: Any, k: int) -> None:
    """Add to the slopes what the k-th instrument held and those before it have in common."""
    i = markets[k].held
    net_i, all_i = float(markets[i].net_lots) * markets[i].lot_risk, book_risk(markets[i])
    net, book = net_i, all_i
    for before in range(k):
        j = markets[before].held
        correlation = shrunk_correlation(market_risk, moments, portfolio, i, j)
        net += correlation * float(markets[j].net_lots) * markets[j].lot_risk
        book += correlation * book_risk(markets[j])
        work[_NET, j] += correlation * net_i
        work[_SLOPES, j] += correlation * all_i
    work[_NET, i] += net
    work[_SLOPES, i] += book


@kernel
def _fill_other_slopes(markets: Any, work: Any, market_risk: Any, moments: Any, portfolio: Any, held: int) -> None:
    """Fill the slopes of the instruments of which nothing is held; O(instruments * held)."""
    for j in range(markets.shape[0]):
        m = markets[j]
        if m.can_enter == 1 and m.net_lots == 0 and m.hedge_lots + m.working_lots == 0:
            slope = 0.0
            for k in range(held):
                i = markets[k].held
                slope += shrunk_correlation(market_risk, moments, portfolio, i, j) * book_risk(markets[i])
            work[_SLOPES, j] = slope


@kernel
def lower_slope(
    settings: Any,
    markets: Any,
    betas: Any,
    market_risk: Any,
    moments: Any,
    portfolio: Any,
    covariance: Any,
    held: int,
    j: int,
    slope: float,
    variance: float,
) -> float:
    """Return how large ``|S_j|`` is at the least, 0 where its sign is not certain.

    Two bounds, of which the smaller counts. That of the covariance: its standard error as of a regression,
    ``sqrt((V - S_j^2) / samples)``, and the risk of all whose correlation with j is not known taken against. That of
    the pairs with a Kalman filter: its beta in place of theirs, and its standard error.
    """
    samples = max(min(float(market_risk[j].samples), 2.0 / covariance.gain - 1.0), 1.0)
    low = abs(slope) - settings.beta_confidence * math.sqrt(max(variance - slope * slope, 0.0) / samples)
    for k in range(held):
        i = markets[k].held
        if i != j:
            unseen = covariance.unseen_correlation * (1.0 - pair_evidence(market_risk, moments, covariance, i, j))
            low -= unseen * abs(book_risk(markets[i]))
    shift, error, found = 0.0, 0.0, False
    for p in range(betas.shape[0]):
        pair, i = betas[p], betas[p].instrument_id
        if pair.hedge_id == j and pair.samples >= settings.beta_samples_min and book_risk(markets[i]) != 0.0:
            ratio = market_risk[j].volatility / market_risk[i].volatility
            estimate = pair.beta * ratio - shrunk_correlation(market_risk, moments, portfolio, i, j)
            shift += book_risk(markets[i]) * estimate
            error += abs(book_risk(markets[i])) * ratio * math.sqrt(beta_variance(pair))
            found = True
    if found:
        if (slope + shift) * slope <= 0.0:
            return 0.0
        low = min(low, abs(slope + shift) - settings.beta_confidence * error)
    return max(low, 0.0)


@kernel
def _entry_lots(settings: Any, market: Any, slope: float, low: float, room: float) -> int:
    """Return the signed lots of the largest hedge, in an instrument without one, that the controller's rules allow."""
    lots = int(min(min(low, room) / market.lot_risk, _LOTS_MAX))
    side = -1 if slope > 0.0 else 1
    if market.net_lots != 0:
        return side * min(lots, abs(market.net_lots)) if market.net_lots * side < 0 else 0
    return side * lots if settings.enable_cross_symbol else 0


@kernel
def plan_entry(
    settings: Any,
    markets: Any,
    work: Any,
    betas: Any,
    market_risk: Any,
    moments: Any,
    portfolio: Any,
    covariance: Any,
    held: int,
    variance: float,
    room: float,
) -> Any:
    """Return (instrument, signed lots) of the hedge that removes most risk per cost, (-1, 0) for none."""
    _fill_other_slopes(markets, work, market_risk, moments, portfolio, held)
    risk, best = math.sqrt(variance), 0.0
    for j in range(markets.shape[0]):
        market, slope = markets[j], work[_SLOPES, j]
        work[_RELIEF, j], work[_LOTS, j] = 0.0, 0.0
        if market.can_enter == 0 or market.hedge_lots != 0 or not market.lot_risk > 0.0:
            continue
        if not min(abs(slope), room) >= market.lot_risk:
            continue
        low = lower_slope(
            settings, markets, betas, market_risk, moments, portfolio, covariance, held, j, slope, variance
        )
        lots = _entry_lots(settings, market, slope, low, room)
        size = float(abs(lots)) * market.lot_risk
        work[_LOTS, j] = lots
        work[_RELIEF, j] = risk - math.sqrt(max(variance - 2.0 * size * low + size * size, 0.0))
        best = max(best, work[_RELIEF, j])
    return _cheapest(settings, markets, work, best)


@kernel
def _cheapest(settings: Any, markets: Any, work: Any, best: float) -> Any:
    """Return (instrument, signed lots) of most relief per cost among those near the best, (-1, 0) for none."""
    chosen, most = -1, 0.0
    for j in range(markets.shape[0]):
        relief = work[_RELIEF, j]
        if relief > 0.0 and relief >= settings.least_relief * best:
            worth = relief / max(abs(work[_LOTS, j]) * markets[j].lot_cost, 1e-9)
            if worth > most:
                chosen, most = j, worth
    if chosen < 0:
        return -1, 0
    return chosen, int(work[_LOTS, chosen])


@kernel
def plan_replacement(
    settings: Any,
    markets: Any,
    work: Any,
    betas: Any,
    market_risk: Any,
    moments: Any,
    portfolio: Any,
    covariance: Any,
    held: int,
    variance: float,
    room: float,
) -> Any:
    """Return (instrument, signed lots) of the end of a hedge far below what its instrument would take without it."""
    for j in range(markets.shape[0]):
        market = markets[j]
        if market.hedge_lots == 0 or market.can_exit == 0 or market.can_enter == 0 or not market.lot_risk > 0.0:
            continue
        own = float(market.hedge_lots) * market.lot_risk
        slope = work[_SLOPES, j] - own
        rest = max(variance - 2.0 * own * work[_SLOPES, j] + own * own, 0.0)
        low = lower_slope(settings, markets, betas, market_risk, moments, portfolio, covariance, held, j, slope, rest)
        lots = _entry_lots(settings, market, slope, low, room + abs(own))
        if float(abs(market.hedge_lots)) < settings.replace_below * float(abs(lots)):
            return j, -market.hedge_lots
    return -1, 0


@kernel
def _exit_lots(settings: Any, market: Any, slope: float, excess: float) -> int:
    """Return by how many lots a hedge is to be reduced, unsigned: what is too much of it, and what adds to the risk."""
    held = abs(market.hedge_lots)
    if not market.lot_risk > 0.0:
        return held if math.isinf(excess) else 0
    lots = 0
    if excess > 0.0:
        lots = math.ceil(min(excess / market.lot_risk, _LOTS_MAX))
    if float(market.hedge_lots) * slope > 0.0:  # less of it carries less risk
        harmful = min(abs(slope) / market.lot_risk, _LOTS_MAX)
        # beyond half of what is held, the book with the hedge carries more risk than without
        if harmful >= max(settings.minimum_change * float(held), 1.0) or 2.0 * harmful > float(held):
            lots = max(lots, int(harmful + 0.5))
    return min(lots, held)


@kernel
def plan_exit(settings: Any, markets: Any, work: Any, excess: float) -> Any:
    """Return (instrument, signed lots) of the reduction due, of the hedge that helps least; (-1, 0) for none.

    ``excess``: hedge risk above what is allowed; infinite where all of it is to go.
    """
    chosen, lots, most = -1, 0, -math.inf
    for j in range(markets.shape[0]):
        market = markets[j]
        if market.hedge_lots == 0 or market.can_exit == 0:
            continue
        reduced = _exit_lots(settings, market, work[_SLOPES, j], excess)
        harm = work[_SLOPES, j] if market.hedge_lots > 0 else -work[_SLOPES, j]
        if reduced > 0 and (chosen < 0 or harm > most):
            chosen, lots, most = j, -reduced if market.hedge_lots > 0 else reduced, harm
    return chosen, lots
