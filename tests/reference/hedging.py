"""The hedge controller's arithmetic in matrices: what a book risks, and what an order does to it.

Written from the formulas, in plain NumPy, with the covariance as the full matrix that it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chimera_platform.risk.beta import BetaSettings, follow_betas
from chimera_platform.risk.covariance import (
    CovarianceSettings,
    covariance_record,
    new_market_risk,
    new_moments,
    new_portfolio_risk,
    sample_returns,
)
from chimera_platform.risk.hedge_controller import HedgeSettings, new_hedge, plan_hedge
from chimera_platform.risk.portfolio_risk import shrunk_covariance
from chimera_platform.settings import to_record

Array = np.ndarray[Any, Any]
LOT_VALUE = 2_000.0
MINUTE_NS = 60_000_000_000
START = 1_700_000_000_000_000_000


def correlated_returns(samples: int, correlations: Array, seed: int, deviation: float = 4e-4) -> Array:
    """Return normal returns of one sampling interval, (samples, instruments)."""
    factor = np.linalg.cholesky(correlations + 1e-12 * np.eye(len(correlations)))
    return deviation * np.random.default_rng(seed).normal(size=(samples, len(correlations))) @ factor.T


@dataclass
class Desk:
    """A hedge controller on a covariance that has seen some returns; all orders can be sent unless said otherwise."""

    settings: HedgeSettings
    symbols: tuple[str, ...]
    returns: Array  # (samples, instruments)
    equity: float = 1e6

    def __post_init__(self) -> None:
        n, covariance = len(self.symbols), CovarianceSettings()
        self.covariance = covariance_record(covariance)[0]
        self.market_risk, self.moments = new_market_risk(n, covariance), new_moments(n, covariance)
        self.portfolio = new_portfolio_risk()[0]
        self.hedge = new_hedge(self.settings, self.symbols)
        self.parameters = to_record(self.settings)[0]
        self.ts, mids, out = START, np.full(n, 1e6), np.zeros(n)
        for row in [np.zeros(n), *self.returns]:
            mids = mids * np.exp(row)
            self.ts += MINUTE_NS
            sample_returns(self.market_risk, self.moments, self.portfolio, out, mids, self.covariance, self.ts)
            follow_betas(self.hedge.betas, to_record(BetaSettings())[0], out)
        markets = self.hedge.markets
        markets["lot_value"], markets["lot_cost"], markets["can_enter"], markets["can_exit"] = LOT_VALUE, 1.0, 1, 1

    def plan(self, drawdown: float = 0.02, after_ns: int = 10 * MINUTE_NS) -> tuple[int, int]:
        """Return the order that is due so much later."""
        self.ts += after_ns
        state, hedge = self.hedge.state[0], self.hedge
        i, lots = plan_hedge(
            state, self.parameters, hedge.markets, hedge.work, hedge.betas, self.market_risk, self.moments,
            self.portfolio, self.covariance, round(self.equity * 1e9), drawdown, self.ts,
        )  # fmt: skip
        return int(i), int(lots)

    def fill(self, i: int, lots: int) -> None:
        """Fill an order at once."""
        self.hedge.markets["hedge_lots"][i] += lots

    def matrix(self) -> Array:
        """Return the shrunken covariance over the risk horizon."""
        n = len(self.symbols)
        parts = (self.market_risk, self.moments, self.portfolio)
        whole = np.array([[shrunk_covariance(*parts, i, j) for j in range(n)] for i in range(n)])
        return np.asarray(whole * self.covariance["horizon_samples"])

    def risk(self, lots: Array) -> float:
        """Return the standard deviation of a book of so many lots, currency."""
        exposure = lots * self.hedge.markets["lot_value"]
        return float(np.sqrt(max(exposure @ self.matrix() @ exposure, 0.0)))

    def gross_risk(self, lots: Array) -> float:
        """Return the sum of the standard deviations of each instrument by itself, currency."""
        return float(np.abs(lots * self.hedge.markets["lot_value"]) @ np.sqrt(np.diag(self.matrix())))

    @property
    def net(self) -> Array:
        """Lots of the engines."""
        return np.asarray(self.hedge.markets["net_lots"])

    @property
    def hedged(self) -> Array:
        """Lots of the hedges."""
        return np.asarray(self.hedge.markets["hedge_lots"])
