"""What does the hedge controller cost at a tick of the clock?

Universes of 3 and 300 instruments, all quoted and moving together, of which engines hold 3, 30 or all. ``follow`` is a
tick at which the score is followed and no order is due, ``plan`` one at which the best hedge among all instruments is
looked for. One thread; figures are its processor time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.figures import Figure, Scale, timed
from chimera_platform.kernels import kernel
from chimera_platform.risk.beta import follow_betas
from chimera_platform.risk.covariance import (
    CovarianceSettings,
    covariance_record,
    new_market_risk,
    new_moments,
    new_portfolio_risk,
    sample_returns,
)
from chimera_platform.risk.hedge_controller import NEVER_TRADED, HedgeSettings, new_hedge, plan_hedge
from chimera_platform.settings import to_record

FOLLOW_GOAL_NS = {30: 10_000.0}
SIZES = ((3, 3), (300, 3), (300, 30), (300, 300))  # instruments, and how many of them the engines hold
_EQUITY, _DRAWDOWN, _MINUTE, _SAMPLES = 10**14, 0.02, 60_000_000_000, 300
_NEVER = NEVER_TRADED


def measure(scale: Scale) -> Iterator[Figure]:
    for instruments, held in SIZES:
        yield from _measure(instruments, held, scale)


def _measure(instruments: int, held: int, scale: Scale) -> Iterator[Figure]:
    arguments = _arguments(instruments, held)
    ticks = 5_000_000 // (held * held + 500)
    for what, run in (("follow", _follow), ("plan", _plan)):
        done = timed(lambda: (*arguments, ticks), run, scale.repeats)
        detail = {"instruments": instruments, "held": held, "ticks": ticks, **done.spread(ticks)}
        goal = FOLLOW_GOAL_NS.get(held) if what == "follow" else None
        yield Figure(f"hedging.{what}.{held}_of_{instruments}", done.cpu_ns_per(ticks), "ns", goal, detail)


def _follow(arguments: tuple[Any, ...]) -> None:
    _ticks(*arguments, False)


def _plan(arguments: tuple[Any, ...]) -> None:
    _ticks(*arguments, True)


def _arguments(instruments: int, held: int) -> tuple[Any, ...]:
    """Return what a tick takes, after the markets have been sampled for a while."""
    settings, covariance = HedgeSettings(pairs=(("S0", "S1"), ("S1", "S0"))), CovarianceSettings()
    hedge = new_hedge(settings, tuple(f"S{k}" for k in range(instruments)))
    record, parameters = covariance_record(covariance)[0], to_record(settings)[0]
    market_risk, moments = new_market_risk(instruments, covariance), new_moments(instruments, covariance)
    portfolio, returns = new_portfolio_risk()[0], np.zeros(instruments)
    rng = np.random.default_rng(7)
    moves = rng.normal(size=(_SAMPLES, instruments)) + rng.normal(size=(_SAMPLES, 1))
    for k, mids in enumerate(1e6 * np.exp(2e-4 * np.cumsum(moves, axis=0))):
        sample_returns(market_risk, moments, portfolio, returns, mids, record, (k + 1) * _MINUTE)
        follow_betas(hedge.betas, parameters, returns)
    markets = hedge.markets
    markets["lot_value"], markets["lot_cost"], markets["can_enter"], markets["can_exit"] = 2_000.0, 1.0, 1, 1
    markets["net_lots"][:held] = rng.integers(50, 100, held)
    state = hedge.state[0]
    return state, parameters, markets, hedge.work, hedge.betas, market_risk, moments, portfolio, record


@kernel
def _ticks(
    state: Any,
    settings: Any,
    markets: Any,
    work: Any,
    betas: Any,
    market_risk: Any,
    moments: Any,
    portfolio: Any,
    covariance: Any,
    count: int,
    is_planned: bool,
) -> int:
    total = 0
    for k in range(count):
        state.traded_ts = _NEVER if is_planned else k
        i, _ = plan_hedge(
            state, settings, markets, work, betas, market_risk, moments, portfolio, covariance, _EQUITY, _DRAWDOWN, k
        )
        total += i
    return total
