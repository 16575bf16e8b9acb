"""What the account would lose in markets that its history need not hold.

Four scenarios on what is held, net over the engines, each as a fraction of equity; a gain is negative:

- *spread*: everything is left at ``spread_multiple`` times the present half-spread from the mid (positions are valued
  at the mid, so leaving costs half a spread even without stress);
- *gap up*, *gap down*: all prices jump by ``gap`` at once, in the same direction;
- *correlation*: every pair of positions moves against the account together, all correlations at 1 or -1, whichever is
  worse: then volatilities add up, and the value at risk is z * sum(|value| * volatility).
"""

from __future__ import annotations

import math
from enum import StrEnum
from statistics import NormalDist
from typing import Any

import numpy as np
from pydantic import Field

from chimera_platform.kernels import record_kernel
from chimera_platform.settings import Settings


class StressScenario(StrEnum):
    """The scenarios, in the order of STRESS_DTYPE's fields."""

    SPREAD = "spread"
    GAP_UP = "gap_up"
    GAP_DOWN = "gap_down"
    CORRELATION = "correlation"


class StressSettings(Settings):
    """How far the stress scenarios go."""

    spread_multiple: float = Field(5.0, ge=1.0, le=1_000.0, description="spread on leaving, times the present one")
    gap: float = Field(0.03, gt=0.0, lt=1.0, description="jump of all prices, fraction of the price")


STRESS_SETTINGS_DTYPE = np.dtype(
    [
        ("spread_multiple", "<f8"),
        ("gap", "<f8"),  # fraction
        ("z", "<f8"),  # standard normal quantile of the confidence; positive
    ]
)

STRESS_DTYPE = np.dtype(
    [
        ("spread", "<f8"),  # loss, fraction of equity
        ("gap_up", "<f8"),
        ("gap_down", "<f8"),
        ("correlation", "<f8"),  # over the risk horizon; NaN while a held instrument's volatility is unknown
    ]
)


def stress_record(settings: StressSettings, var_confidence: float) -> np.ndarray[Any, Any]:
    """Return STRESS_SETTINGS_DTYPE, shape (1,); ``var_confidence``: that of value at risk."""
    record = np.zeros(1, STRESS_SETTINGS_DTYPE)
    record["spread_multiple"] = settings.spread_multiple
    record["gap"] = settings.gap
    record["z"] = NormalDist().inv_cdf(var_confidence)
    return record


def new_stress() -> np.ndarray[Any, Any]:
    """Return STRESS_DTYPE, shape (1,), of an account that holds nothing."""
    return np.zeros(1, STRESS_DTYPE)


@record_kernel
def apply_stress(stress: Any, values: Any, half_spreads: Any, volatilities: Any, equity: float, settings: Any) -> None:
    """Write the scenarios' losses into ``stress``.

    Parameters
    ----------
    stress : STRESS_DTYPE record.
    values : signed market value held of each instrument, f8 (instruments,), nanos or any other unit.
    half_spreads : half of each instrument's present spread as a fraction of its mid, f8 (instruments,).
    volatilities : standard deviation of each instrument's return over the risk horizon, f8 (instruments,).
    equity : in the same unit; where it is not positive, losses are infinite as a fraction of it.
    settings : STRESS_SETTINGS_DTYPE record.
    """
    gross, net, crossing, deviations = 0.0, 0.0, 0.0, 0.0
    for i in range(values.shape[0]):
        value = values[i]
        if value != 0.0:
            gross += abs(value)
            net += value
            crossing += abs(value) * half_spreads[i]
            deviations += abs(value) * volatilities[i]
    if gross == 0.0:
        stress.spread, stress.gap_up, stress.gap_down, stress.correlation = 0.0, 0.0, 0.0, 0.0
    elif not equity > 0.0:
        stress.spread, stress.gap_up, stress.gap_down, stress.correlation = math.inf, math.inf, math.inf, math.inf
    else:
        stress.spread = settings.spread_multiple * crossing / equity
        stress.gap_up = -settings.gap * net / equity
        stress.gap_down = settings.gap * net / equity
        stress.correlation = settings.z * deviations / equity


@record_kernel
def worst_stress(stress: Any) -> float:
    """Return the largest of the scenarios' losses, fraction of equity; at least 0, those unknown left out."""
    worst = 0.0
    if stress.spread > worst:
        worst = stress.spread
    if stress.gap_up > worst:
        worst = stress.gap_up
    if stress.gap_down > worst:
        worst = stress.gap_down
    if stress.correlation > worst:
        worst = stress.correlation
    return worst
