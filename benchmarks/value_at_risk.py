"""What does it cost to measure value at risk and stress of what is held?

Window of 500 returns; universes of 3 and 300 instruments of which some are held. ``measure`` is all three estimates of
VaR and ES, ``stress`` the four scenarios, ``sample`` one row of returns into the ring. One thread; figures are its
processor time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.figures import Figure, Scale, timed
from chimera_platform.kernels import kernel
from chimera_platform.risk.live_value_at_risk import (
    ValueAtRiskSettings,
    new_return_ring,
    new_value_at_risk,
    note_returns,
    value_at_risk_record,
)
from chimera_platform.risk.live_value_at_risk import measure as measure_value_at_risk
from chimera_platform.risk.stress import StressSettings, apply_stress, new_stress, stress_record

GOAL_NS = {300: 100_000.0}  # of a tick of the clock with all that it does
SIZES = ((3, 3), (300, 3), (300, 30), (300, 300))  # instruments, and how many of them are held
_EQUITY, _MINUTE, _DAY = 1e6, 60_000_000_000, 86_400_000_000_000
_COUNT = 2_000


def measure(scale: Scale) -> Iterator[Figure]:
    for instruments, held in SIZES:
        yield from _measure(instruments, held, scale)


def _measure(instruments: int, held: int, scale: Scale) -> Iterator[Figure]:
    settings = ValueAtRiskSettings()
    record = value_at_risk_record(settings, _MINUTE, _DAY)[0]
    stressing = stress_record(StressSettings(), settings.var_confidence)[0]
    rng = np.random.default_rng(7)
    returns = 1e-4 * rng.standard_t(4, (settings.window + 137, instruments))
    var, ring = new_value_at_risk()[0], new_return_ring(instruments, settings.window)
    _samples(var, ring, returns, len(returns))
    values = np.zeros(instruments)
    values[rng.choice(instruments, held, replace=False)] = 1e5 * rng.normal(size=held)
    work = np.zeros((2, settings.window))
    shares = np.full((2, instruments), 1e-3)
    name, detail = f"value_at_risk.{held}_of_{instruments}", {"instruments": instruments, "held": held}
    detail |= {"window": settings.window}
    measured = timed(lambda: var, lambda v: _measures(v, ring, work, values, record, _COUNT), scale.repeats)
    goal = GOAL_NS.get(instruments)
    yield Figure(f"{name}.measure", measured.cpu_ns_per(_COUNT), "ns", goal, detail | measured.spread(_COUNT))
    count = 100 * _COUNT
    stressed = timed(new_stress, lambda s: _stresses(s[0], values, shares, stressing, count), scale.repeats)
    yield Figure(f"{name}.stress", stressed.cpu_ns_per(count), "ns", None, detail | stressed.spread(count))
    count = 10 * _COUNT
    sampled = timed(lambda: var, lambda v: _samples(v, ring, returns, count), scale.repeats)
    yield Figure(f"{name}.sample", sampled.cpu_ns_per(count), "ns", None, detail | sampled.spread(count))


@kernel
def _measures(var: Any, ring: Any, work: Any, values: Any, settings: Any, count: int) -> None:
    for _ in range(count):
        measure_value_at_risk(var, ring, work[0], work[1], values, _EQUITY, settings)


@kernel
def _stresses(stress: Any, values: Any, shares: Any, settings: Any, count: int) -> None:
    for _ in range(count):
        apply_stress(stress, values, shares[0], shares[1], _EQUITY, settings)


@kernel
def _samples(var: Any, ring: Any, returns: Any, count: int) -> None:
    for k in range(count):
        note_returns(var, ring, returns[k % returns.shape[0]])
