"""Hedge ratios: how far one instrument moves when another does, followed while it drifts.

The model of a pair, on the returns of one sampling interval,

    r = beta_t * r_h + v,   v ~ N(0, R);      beta_t = beta_(t-1) + w,   w ~ N(0, q R / V)

with V the mean square of the hedge's returns: ``q`` is free of units, the process variance over the variance that a
single typical return leaves in beta. In steady state the filter looks back over about ``1 / sqrt(q)`` samples. It
is kept in information form, information = R / variance of beta, so that it starts from no knowledge at all:

    predict:  information' = information / (1 + information q / V)
    update:   information = information' + r_h ** 2,   beta += (r - beta r_h) r_h / information

With q = 0 this is recursive least squares: beta is the regression through the origin and R its residual variance,
because the squared innovations over ``1 + r_h ** 2 / information'`` add up to the residual sum of squares.

Source: Durbin and Koopman, Time Series Analysis by State Space Methods, sections 3.6 and 4.3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from pydantic import Field

from chimera_platform.kernels import kernel
from chimera_platform.settings import Settings

_NOISE_KNOWN_FROM = 20
"""Innovations before they are held against the noise's variance: that of fewer is itself too uncertain."""


class BetaSettings(Settings):
    """How fast hedge ratios may drift."""

    process_variance_ratio: float = Field(
        1e-4,
        ge=0.0,
        le=1.0,
        description="variance of beta's step between samples over the variance one typical sample leaves in it; "
        "the filter looks back over about 1/sqrt of it, in samples; 0: all samples count alike",
    )
    noise_memory: float = Field(
        1_000.0, ge=2.0, le=1e9, description="samples over which the variances of noise and returns are averaged"
    )


BETA_DTYPE = np.dtype(
    [
        ("beta", "<f8"),  # return of the instrument per return of its hedge
        ("information", "<f8"),  # R / variance of beta, in squared returns; 0: nothing is known
        ("noise_variance", "<f8"),  # R: of the return that the hedge does not explain
        ("hedge_variance", "<f8"),  # V: mean square of the hedge's return
        ("innovation", "<f8"),  # the last one, over its predicted standard deviation; 0 before there is one
        ("innovation_square", "<f8"),  # mean square of the same once the noise is known: near 1 where the model fits
        ("samples", "<i8"),  # returns that both instruments had
        ("innovations", "<i8"),  # of which beta had been known before
        ("instrument_id", "<i4"),
        ("hedge_id", "<i4"),
    ],
    align=True,
)


def new_betas(pairs: Sequence[Sequence[str]], symbols: Sequence[str]) -> np.ndarray[Any, Any]:
    """Return the state of ``pairs`` of (symbol, hedge's symbol) before the first sample, BETA_DTYPE (pairs,).

    Pairs with a symbol that is not among ``symbols``, whose places are the instrument ids, are left out.
    """
    known = [pair for pair in pairs if set(pair) <= set(symbols)]
    betas = np.zeros(len(known), BETA_DTYPE)
    for row, (symbol, hedge) in zip(betas, known, strict=True):
        row["instrument_id"], row["hedge_id"] = symbols.index(symbol), symbols.index(hedge)
    return betas


@kernel
def _mean_step(mean: float, value: float, count: int, memory: float) -> float:
    """Return a running mean after one more value: plain up to ``memory`` values, exponential from there on."""
    return mean + (value - mean) / min(float(count), memory)


@kernel
def beta_variance(state: Any) -> float:
    """Return the variance of the estimate of beta, infinite while it is not known."""
    if state.information <= 0.0 or state.innovations == 0:
        return math.inf
    return state.noise_variance / state.information


@kernel
def beta_bound(state: Any, z: float) -> float:
    """Return the end of beta's ``z``-sigma interval that is nearer to 0, 0 where the interval holds 0."""
    variance = beta_variance(state)
    if not variance < math.inf:
        return 0.0
    return math.copysign(max(abs(state.beta) - z * math.sqrt(variance), 0.0), state.beta)


@kernel
def follow_beta(state: Any, settings: Any, instrument_return: float, hedge_return: float) -> None:
    """Take in the two instruments' returns over one sampling interval; one that is NaN only lets time pass.

    Parameters
    ----------
    state : record of BETA_DTYPE.
    settings : record with ``process_variance_ratio`` and ``noise_memory``, see :class:`BetaSettings`.
    """
    if state.hedge_variance > 0.0:
        drift = settings.process_variance_ratio / state.hedge_variance
        state.information /= 1.0 + state.information * drift
    if not (math.isfinite(instrument_return) and math.isfinite(hedge_return)):
        return
    square = hedge_return * hedge_return
    state.samples += 1
    state.hedge_variance = _mean_step(state.hedge_variance, square, state.samples, settings.noise_memory)
    innovation = instrument_return - state.beta * hedge_return
    if state.information > 0.0:
        _note_innovation(state, settings, innovation, 1.0 + square / state.information)
    if square > 0.0:
        state.information += square
        state.beta += innovation * hedge_return / state.information


@kernel
def _note_innovation(state: Any, settings: Any, innovation: float, scale: float) -> None:
    """Carry the noise's variance along; ``scale`` is the innovation's predicted variance in units of it."""
    if state.noise_variance > 0.0:
        state.innovation = innovation / math.sqrt(state.noise_variance * scale)
        count = state.innovations - _NOISE_KNOWN_FROM + 1
        if count >= 1:
            square = state.innovation * state.innovation
            state.innovation_square = _mean_step(state.innovation_square, square, count, settings.noise_memory)
    state.innovations += 1
    state.noise_variance = _mean_step(
        state.noise_variance, innovation * innovation / scale, state.innovations, settings.noise_memory
    )


@kernel
def follow_betas(states: Any, settings: Any, returns: Any) -> None:
    """Take in one sample of all instruments' returns.

    Parameters
    ----------
    states : BETA_DTYPE (pairs,).
    returns : f8 (instruments,), of one sampling interval; NaN where an instrument has none.
    """
    for p in range(states.shape[0]):
        state = states[p]
        follow_beta(state, settings, returns[state.instrument_id], returns[state.hedge_id])
