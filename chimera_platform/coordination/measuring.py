"""How risky the markets are and what is held: samples of all mids, and the figures that follow from them."""

from __future__ import annotations

import math
from typing import Any

from chimera_platform.coordination.desk import HALF_SPREADS, MIDS, RETURNS, VALUES, VOLATILITIES
from chimera_platform.coordination.exposing import expose, net_lots
from chimera_platform.kernels import kernel
from chimera_platform.risk.beta import follow_betas
from chimera_platform.risk.covariance import sample_returns, usable_mid
from chimera_platform.risk.live_value_at_risk import measure, note_returns
from chimera_platform.risk.portfolio_risk import refresh_portfolio
from chimera_platform.risk.stress import apply_stress


@kernel
def sample_markets(state: Any, parameters: Any, estimates: Any, ts: int) -> None:
    """Take a sample of all mids, and let volatilities, correlations, betas and what is held follow."""
    desk, settings, work = state.desk[0], parameters.settings[0], estimates.work
    portfolio = desk.portfolio
    for i in range(state.markets.shape[0]):
        market = state.exchange_markets[i]
        is_tradable = market.is_tradable if market.is_complete == 1 else 0
        quoted_ts = state.markets[i].quoted_ts
        work[MIDS, i] = usable_mid(market.bid, market.ask, is_tradable, quoted_ts, settings.covariance, ts)
    sample_returns(state.market_risk, state.moments, portfolio, work[RETURNS], work[MIDS], settings.covariance, ts)
    note_returns(desk.value_at_risk, estimates.returns, work[RETURNS])
    follow_betas(estimates.betas, settings.hedge_controller, work[RETURNS])
    for i in range(state.markets.shape[0]):  # all: an entry that was no risk beside the others may be one now
        expose(state, parameters, i)
    refresh_portfolio(state.market_risk, state.moments, portfolio, settings.covariance)
    desk.is_holding_changed = 1


@kernel
def fill_values(state: Any, parameters: Any, estimates: Any) -> None:
    """Write what is held of each instrument, net, in the account's currency, and what the stress scenarios ask."""
    work, covariance = estimates.work, parameters.settings[0].covariance
    scale = math.sqrt(covariance.horizon_samples)
    for i in range(state.markets.shape[0]):
        lots = net_lots(state.positions, i)
        work[VALUES, i] = 0.0
        if lots != 0:
            market = state.exchange_markets[i]
            mid2 = float(market.bid + market.ask)
            work[VALUES, i] = 0.5e-9 * float(lots) * abs(mid2) * float(parameters.instruments[i].tick_value_nanos)
            work[HALF_SPREADS, i] = float(market.ask - market.bid) / max(abs(mid2), 1.0)
            work[VOLATILITIES, i] = state.market_risk[i].volatility * scale


@kernel
def measure_risk(state: Any, parameters: Any, estimates: Any, equity_nanos: int) -> None:
    """Bring value at risk, expected shortfall and stress losses of what is held up to date."""
    desk, settings, work, series = state.desk[0], parameters.settings[0], estimates.work, estimates.series
    equity = float(equity_nanos) * 1e-9
    fill_values(state, parameters, estimates)
    measure(desk.value_at_risk, estimates.returns, series[0], series[1], work[VALUES], equity, settings.value_at_risk)
    apply_stress(desk.stress, work[VALUES], work[HALF_SPREADS], work[VOLATILITIES], equity, settings.stress)
    desk.is_holding_changed = 0
