"""Value at risk of what is held now, estimated as the market moves.

Every ``sample_interval_ns`` of event time the instruments' returns over that interval, all on the covariance's one
grid, enter a ring. From it follows what the *present* positions would have won or lost over each past interval, as a
fraction of the present equity (historical simulation of the current portfolio: positions that are gone do not count,
and a new one counts with all of its history). The kernels that the warehouse measures with turn that series into VaR
and ES by three methods; the figures of one interval times sqrt(horizon / interval) are those over the risk horizon, as
if returns were independent.

An interval for which the return of any held instrument is unknown is left out; with fewer than ``min_samples`` left,
the figures are NaN and the gate's value is 0. So an instrument whose market was closed for the whole window says
nothing until it has been open for ``min_samples`` intervals: what it may do then is for stress and portfolio risk,
which have a prior.
"""

from __future__ import annotations

import math
from enum import IntEnum, StrEnum
from typing import Any

import numpy as np
from pydantic import Field, model_validator

from chimera_platform.kernels import record_kernel
from chimera_platform.risk.tail_risk import (
    QUANTILES_DTYPE,
    cornish_fisher_tail,
    filtered_tail,
    historical_tail,
    quantiles_record,
)
from chimera_platform.settings import Settings

WINDOW_MAX = 5_000


class VarMethod(StrEnum):
    """Which estimate the gate and the limits read."""

    WORST = "worst"  # the largest of the three
    HISTORICAL = "historical"
    CORNISH_FISHER = "cornish_fisher"
    FILTERED = "filtered"


class VarMethodCode(IntEnum):
    """Kernel form of :class:`VarMethod`."""

    WORST = 0
    HISTORICAL = 1
    CORNISH_FISHER = 2
    FILTERED = 3


class ValueAtRiskSettings(Settings):
    """How value at risk and expected shortfall of what is held are estimated."""

    var_confidence: float = Field(
        0.95, ge=0.51, le=0.999, description="share of horizons whose loss is within value at risk"
    )
    window: int = Field(
        500, ge=20, le=WINDOW_MAX, description="sample intervals of the past that are looked at (covariance section)"
    )
    min_samples: int = Field(60, ge=20, le=WINDOW_MAX, description="intervals without which value at risk is unknown")
    filter_decay: float = Field(
        0.94, gt=0.0, lt=1.0, description="of the filtered method's variance, from one sample interval to the next"
    )
    method: VarMethod = Field(VarMethod.WORST, description="which estimate is compared with the limit")

    @model_validator(mode="after")
    def _enough_fit_in(self) -> ValueAtRiskSettings:
        if self.min_samples > self.window:
            raise ValueError(f"min_samples is {self.min_samples}; expected no more than window ({self.window})")
        return self


VAR_SETTINGS_DTYPE = np.dtype(
    [
        ("quantiles", QUANTILES_DTYPE),
        ("horizon_factor", "<f8"),  # sqrt(risk horizon / sample interval)
        ("filter_decay", "<f8"),
        ("min_samples", "<i8"),
        ("method", "<i8"),  # VarMethodCode
    ],
    align=True,
)

VAR_DTYPE = np.dtype(
    [
        ("count", "<i8"),  # samples in the ring
        ("next_index", "<i8"),  # column of the ring that the next sample is written to
        ("samples", "<i8"),  # intervals behind the figures; 0 while nothing is held
        ("var_historical", "<f8"),  # over the risk horizon, fraction of equity; NaN while unknown
        ("var_cornish_fisher", "<f8"),
        ("var_filtered", "<f8"),
        ("es_historical", "<f8"),  # expected shortfall, the same way
        ("es_cornish_fisher", "<f8"),
        ("es_filtered", "<f8"),
    ]
)

WORST = int(VarMethodCode.WORST)
HISTORICAL, CORNISH_FISHER = int(VarMethodCode.HISTORICAL), int(VarMethodCode.CORNISH_FISHER)


def value_at_risk_record(
    settings: ValueAtRiskSettings, sample_interval_ns: int, horizon_ns: int
) -> np.ndarray[Any, Any]:
    """Return VAR_SETTINGS_DTYPE, shape (1,).

    Parameters
    ----------
    sample_interval_ns, horizon_ns : the covariance section's interval of the returns, and the time that risk is
        stated for; ns.
    """
    record = np.zeros(1, VAR_SETTINGS_DTYPE)
    record["quantiles"] = quantiles_record(settings.var_confidence)
    record["horizon_factor"] = math.sqrt(horizon_ns / sample_interval_ns)
    record["filter_decay"] = settings.filter_decay
    record["min_samples"] = settings.min_samples
    record["method"] = VarMethodCode[settings.method.name]
    return record


def new_value_at_risk() -> np.ndarray[Any, Any]:
    """Return VAR_DTYPE, shape (1,), before the first sample: nothing is held, so nothing is at risk."""
    return np.zeros(1, VAR_DTYPE)


def new_return_ring(instruments: int, window: int) -> np.ndarray[Any, Any]:
    """Return the ring of returns, f8 (instruments, window): an instrument's past lies together, as it is summed."""
    return np.full((instruments, window), np.nan)


@record_kernel
def note_returns(var: Any, ring: Any, returns: Any) -> None:
    """Enter one sample; one without any known return is none.

    Parameters
    ----------
    var : VAR_DTYPE record.
    ring : f8 (instruments, window); holds relative returns, which profits are linear in.
    returns : log return of each instrument over the interval, f8 (instruments,); NaN where unknown.
    """
    is_known = False
    for i in range(ring.shape[0]):
        is_known = is_known or returns[i] == returns[i]
    if not is_known:
        return
    for i in range(ring.shape[0]):
        ring[i, var.next_index] = math.expm1(returns[i])
    var.next_index = var.next_index + 1 if var.next_index + 1 < ring.shape[1] else 0
    var.count = min(var.count + 1, ring.shape[1])


@record_kernel
def measure(var: Any, ring: Any, profits: Any, scratch: Any, values: Any, equity: float, settings: Any) -> None:
    """Write the figures of what is held into ``var``.

    Parameters
    ----------
    var : VAR_DTYPE record.
    ring : f8 (instruments, window).
    profits, scratch : f8 (window,), overwritten.
    values : signed market value held of each instrument, f8 (instruments,), nanos or any other unit; what is zero costs
        nothing.
    equity : in the same unit. Where it is not positive, the loss is infinite as a fraction of it.
    settings : VAR_SETTINGS_DTYPE record.
    """
    held = add_profits(var, ring, profits, values)
    if held == 0 or not equity > 0.0:
        _set_all(var, 0.0 if held == 0 else math.inf)
        return
    n = 0
    for k in range(var.count):
        if math.isfinite(profits[k]):
            profits[n] = profits[k] / equity
            n += 1
    if n < settings.min_samples:
        _set_all(var, math.nan)
        return
    level, factor = settings.quantiles.level, settings.horizon_factor
    var.samples = n
    value_at_risk, shortfall = historical_tail(profits, n, scratch, level)
    var.var_historical, var.es_historical = value_at_risk * factor, shortfall * factor
    value_at_risk, shortfall = cornish_fisher_tail(profits, n, settings.quantiles)
    var.var_cornish_fisher, var.es_cornish_fisher = value_at_risk * factor, shortfall * factor
    value_at_risk, shortfall = filtered_tail(profits, n, scratch, level, settings.filter_decay)
    var.var_filtered, var.es_filtered = value_at_risk * factor, shortfall * factor


@record_kernel
def add_profits(var: Any, ring: Any, profits: Any, values: Any) -> int:
    """Write what is held would have won over each past interval, oldest first; return how many instruments are held."""
    count, window = var.count, ring.shape[1]
    oldest = var.next_index if count == window else 0
    newer = count - oldest  # samples from the oldest to the ring's end
    for k in range(count):
        profits[k] = 0.0
    held = 0
    for i in range(ring.shape[0]):
        value = values[i]
        if value != 0.0:
            held += 1
            for k in range(newer):
                profits[k] += value * ring[i, oldest + k]
            for k in range(oldest):
                profits[newer + k] += value * ring[i, k]
    return held


@record_kernel
def _set_all(var: Any, figure: float) -> None:
    var.samples = 0
    var.var_historical = figure
    var.var_cornish_fisher = figure
    var.var_filtered = figure
    var.es_historical = figure
    var.es_cornish_fisher = figure
    var.es_filtered = figure


@record_kernel
def gate_value_at_risk(var: Any, settings: Any) -> float:
    """Return the value at risk that is compared with the limit, fraction of equity; 0 while unknown."""
    if settings.method == WORST:
        figure = max(var.var_historical, var.var_cornish_fisher, var.var_filtered)
    elif settings.method == HISTORICAL:
        figure = var.var_historical
    elif settings.method == CORNISH_FISHER:
        figure = var.var_cornish_fisher
    else:
        figure = var.var_filtered
    return figure if figure > 0.0 else 0.0
