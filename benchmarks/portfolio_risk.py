"""What does portfolio risk cost at a sample of all mids, at a decision, at a change of exposure?

Universes of 3 and 300 instruments, all quoted, with exposures in 3 and in 20 of them. ``sample`` is one
``sample_returns`` with all covariances, evidence and shrinkage; ``decision`` is risk before, slope, risk of a lot and
the lots within the limit; ``change`` is ``set_exposure``. One thread; figures are its processor time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.figures import Figure, Scale, timed
from chimera_platform.kernels import kernel
from chimera_platform.risk.covariance import (
    CovarianceSettings,
    covariance_record,
    new_market_risk,
    new_moments,
    new_portfolio_risk,
    sample_returns,
)
from chimera_platform.risk.portfolio_risk import (
    lots_within_risk,
    portfolio_risk,
    refresh_portfolio,
    risk_slope,
    set_exposure,
    symbol_risk,
)

SAMPLE_GOAL_NS = {300: 100_000.0}
SIZES = ((3, 3), (300, 20))  # instruments, and how many of them have an exposure
_EQUITY, _LOT, _MINUTE = 10**15, 2 * 10**12, 60_000_000_000
_DECISIONS = 10_000


def measure(scale: Scale) -> Iterator[Figure]:
    for instruments, held in SIZES:
        yield from _measure(instruments, held, scale)


def _measure(instruments: int, held: int, scale: Scale) -> Iterator[Figure]:
    settings = CovarianceSettings()
    record = covariance_record(settings)[0]
    market_risk, moments = new_market_risk(instruments, settings), new_moments(instruments, settings)
    portfolio, returns = new_portfolio_risk()[0], np.zeros(instruments)
    state = (market_risk, moments, portfolio, record)
    rng, samples = np.random.default_rng(7), 200_000 // (instruments + 100)
    moves = rng.normal(size=(samples, instruments)) + rng.normal(size=(samples, 1))
    mids = 100.0 * np.exp(2e-4 * np.cumsum(moves, axis=0))
    sampled = timed(lambda: mids, lambda m: _samples(*state, returns, m), scale.repeats)
    detail = {"instruments": instruments, "held": held, "samples": samples}
    name, ns = f"portfolio_risk.of_{instruments}", "ns"
    goal = SAMPLE_GOAL_NS.get(instruments)
    yield Figure(f"{name}.sample", sampled.cpu_ns_per(samples), ns, goal, detail | sampled.spread(samples))
    for i in range(held):
        set_exposure(*state, i, (-1.0) ** i * 1e14)
    decided = timed(lambda: state, lambda s: _decisions(*s, _DECISIONS), scale.repeats)
    yield Figure(f"{name}.decision", decided.cpu_ns_per(_DECISIONS), ns, None, detail | decided.spread(_DECISIONS))
    changed = timed(lambda: state, lambda s: _changes(*s, _DECISIONS), scale.repeats)
    yield Figure(f"{name}.change", changed.cpu_ns_per(_DECISIONS), ns, None, detail | changed.spread(_DECISIONS))


@kernel
def _samples(market_risk: Any, moments: Any, portfolio: Any, settings: Any, returns: Any, mids: Any) -> None:
    for k in range(mids.shape[0]):
        ts = portfolio.sampled_ts + _MINUTE
        sample_returns(market_risk, moments, portfolio, returns, mids[k], settings, ts)
        refresh_portfolio(market_risk, moments, portfolio, settings)


@kernel
def _decisions(market_risk: Any, moments: Any, portfolio: Any, settings: Any, count: int) -> int:
    lots = 0
    for k in range(count):
        i, side = k % market_risk.shape[0], 1 - 2 * (k & 1)
        slope = risk_slope(market_risk, moments, portfolio, settings, i, side, market_risk[i].exposure, _LOT, _EQUITY)
        now = portfolio_risk(portfolio, settings, _EQUITY)
        lots += lots_within_risk(now, slope, symbol_risk(market_risk[i], settings, _LOT, _EQUITY), 0.1)
    return lots


@kernel
def _changes(market_risk: Any, moments: Any, portfolio: Any, settings: Any, count: int) -> None:
    for k in range(count):
        set_exposure(market_risk, moments, portfolio, settings, 0, 1e14 + float(k))
