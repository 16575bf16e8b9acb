"""Where a hedge goes and how large it is: the arithmetic behind :mod:`chimera_platform.risk.hedge_controller`.

All exposures and standard deviations are in the account's currency; the formulas stand there.

The kernels take, besides what they name: ``settings``, record of ``HedgeSettings``; ``markets``, HEDGE_MARKET_DTYPE
(instruments,); ``work``, f8 (WORK_ROWS, instruments), whose slopes :func:`measure` fills; ``betas``, BETA_DTYPE
(pairs,); ``covariance``, f8 (instruments, instruments), of returns over one sampling interval, of which ``horizon`` are
in the risk horizon; ``samples``, returns that the covariance stands on; ``variance``, of the book with its hedges.
"""

from __future__ import annotations

import math
from typing import Any

from chimera_platform.kernels import kernel
from chimera_platform.risk.beta import beta_variance

_SLOPES, _NET, _LOTS, _RELIEF = 0, 1, 2, 3
WORK_ROWS = 4


@kernel
def _add_row(work: Any, row: int, covariance: Any, i: int, factor: float) -> None:
    """Add ``factor`` times the covariances of ``i`` to a row: no sum runs along it, so many columns go at a time."""
    for j in range(work.shape[1]):
        work[row, j] += factor * covariance[i, j]


@kernel
def measure(markets: Any, work: Any, covariance: Any, horizon: float) -> Any:
    """Fill the slopes ``C (x + h)`` and return (net variance, book variance, hedge risk), account's currency."""
    net_variance, variance, hedge_risk = 0.0, 0.0, 0.0
    for j in range(work.shape[1]):
        work[_NET, j], work[_SLOPES, j] = 0.0, 0.0
    for i in range(markets.shape[0]):
        m = markets[i]
        if m.net_lots != 0:
            _add_row(work, _NET, covariance, i, float(m.net_lots) * m.lot_value * horizon)
        held = abs(float(m.hedge_lots + m.working_lots) * m.lot_value)
        if held != 0.0:
            _add_row(work, _SLOPES, covariance, i, float(m.hedge_lots + m.working_lots) * m.lot_value * horizon)
            hedge_risk += held * math.sqrt(max(covariance[i, i] * horizon, 0.0))
    for i in range(markets.shape[0]):
        m = markets[i]
        work[_SLOPES, i] += work[_NET, i]
        if m.net_lots != 0:
            net_variance += float(m.net_lots) * m.lot_value * work[_NET, i]
        total = m.net_lots + m.hedge_lots + m.working_lots
        if total != 0:
            variance += float(total) * m.lot_value * work[_SLOPES, i]
    return max(net_variance, 0.0), max(variance, 0.0), hedge_risk


@kernel
def _lower_slope(
    settings: Any, markets: Any, betas: Any, covariance: Any, horizon: float, samples: float, j: int, y: float, v: float
) -> float:
    """Return ``|y_j|`` at the end of its confidence interval that is nearer to 0, and 0 where that is beyond it."""
    own = covariance[j, j] * horizon
    spread = math.sqrt(max(v * own - y * y, 0.0) / samples)
    low = abs(y) - settings.beta_confidence * spread
    shift, error, found = 0.0, 0.0, False
    for p in range(betas.shape[0]):
        pair = betas[p]
        if pair.hedge_id == j and pair.samples >= settings.samples_min:
            m = markets[pair.instrument_id]
            w = float(m.net_lots + m.hedge_lots + m.working_lots) * m.lot_value
            if w != 0.0:
                shift += w * (pair.beta * own - covariance[pair.instrument_id, j] * horizon)
                error += abs(w) * own * math.sqrt(beta_variance(pair))
                found = True
    if found:
        if (y + shift) * y <= 0.0:
            return 0.0
        low = min(low, abs(y + shift) - settings.beta_confidence * error)
    return max(low, 0.0)


@kernel
def _entry_lots(settings: Any, market: Any, y: float, low: float, own: float, room: float) -> int:
    """Return the signed lots of the largest hedge in an instrument without one that the module's rules allow."""
    exposure = min(low / own, room / math.sqrt(own))
    lots = int(min(exposure / market.lot_value, 1e9))
    side = -1 if y > 0.0 else 1
    if market.net_lots != 0:
        return side * min(lots, abs(market.net_lots)) if market.net_lots * side < 0 else 0
    return side * lots if settings.enable_cross_symbol else 0


@kernel
def plan_entry(
    settings: Any,
    markets: Any,
    work: Any,
    betas: Any,
    covariance: Any,
    horizon: float,
    samples: float,
    variance: float,
    room: float,
) -> Any:
    """Return (instrument, signed lots) of the hedge that removes most risk per cost, (-1, 0) for none."""
    risk, best = math.sqrt(variance), 0.0
    for j in range(markets.shape[0]):
        market, own, y = markets[j], covariance[j, j] * horizon, work[_SLOPES, j]
        work[_RELIEF, j], work[_LOTS, j] = 0.0, 0.0
        if market.can_enter == 0 or market.hedge_lots != 0 or not (market.lot_value > 0.0 and own > 0.0):
            continue
        low = _lower_slope(settings, markets, betas, covariance, horizon, samples, j, y, variance)
        if not low > 0.0:
            continue
        lots = _entry_lots(settings, market, y, low, own, room)
        exposure = abs(lots) * market.lot_value
        after = variance - 2.0 * exposure * low + exposure * exposure * own
        work[_LOTS, j], work[_RELIEF, j] = lots, risk - math.sqrt(max(after, 0.0))
        best = max(best, work[_RELIEF, j])
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
    covariance: Any,
    horizon: float,
    samples: float,
    variance: float,
    room: float,
) -> Any:
    """Return (instrument, signed lots) of the end of a hedge far below what its instrument would take without it."""
    for j in range(markets.shape[0]):
        market, own = markets[j], covariance[j, j] * horizon
        if market.hedge_lots == 0 or market.can_exit == 0 or market.can_enter == 0:
            continue
        if not (market.lot_value > 0.0 and own > 0.0):
            continue
        held = float(market.hedge_lots) * market.lot_value
        y = work[_SLOPES, j] - held * own
        v = max(variance - 2.0 * held * work[_SLOPES, j] + held * held * own, 0.0)
        low = _lower_slope(settings, markets, betas, covariance, horizon, samples, j, y, v)
        lots = _entry_lots(settings, market, y, low, own, room + abs(held) * math.sqrt(own))
        if float(abs(market.hedge_lots)) < settings.replace_below * float(abs(lots)):
            return j, -market.hedge_lots
    return -1, 0


@kernel
def _exit_lots(settings: Any, market: Any, y: float, own: float, excess: float) -> int:
    """Return by how many lots a hedge is to be reduced, unsigned: what is too much of it, and what adds to the risk."""
    held = abs(market.hedge_lots)
    if not (market.lot_value > 0.0 and own > 0.0):
        return held
    lots = 0
    if excess > 0.0:
        lots = math.ceil(min(excess / (math.sqrt(own) * market.lot_value), 1e9))
    if market.hedge_lots * y > 0.0:  # less of it carries less risk
        harmful = min(abs(y) / (own * market.lot_value), 1e9)
        if harmful >= max(settings.minimum_change * held, 1.0):
            lots = max(lots, int(harmful))
    return min(lots, held)


@kernel
def plan_exit(settings: Any, markets: Any, work: Any, covariance: Any, horizon: float, excess: float) -> Any:
    """Return (instrument, signed lots) of the reduction due, of the hedge that helps least; (-1, 0) for none.

    ``excess``: hedge risk above what is allowed, account's currency; infinite where all of it is to go.
    """
    chosen, lots, most = -1, 0, -math.inf
    for j in range(markets.shape[0]):
        market = markets[j]
        if market.hedge_lots == 0 or market.can_exit == 0:
            continue
        own = covariance[j, j] * horizon
        reduced = _exit_lots(settings, market, work[_SLOPES, j], own, excess)
        harm = work[_SLOPES, j] / math.sqrt(own) * (1.0 if market.hedge_lots > 0 else -1.0) if own > 0.0 else 0.0
        if reduced > 0 and (chosen < 0 or harm > most):
            chosen, lots, most = j, -reduced if market.hedge_lots > 0 else reduced, harm
    return chosen, lots
