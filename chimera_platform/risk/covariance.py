"""How the instruments move, and move together: an online covariance of their log returns on one synchronous grid.

Every ``sample_interval_ns`` the mids of all instruments are looked at together. An instrument has a *return* where it
had a usable mid at this sample and at the one before, so all returns of a sample cover the same span; the move over a
closed session is none (stress scenarios carry gaps), and a closed market's estimates stand still. With r the returns,
``a`` the gain of an instrument (0 where it has no return) and D the diagonal matrix of ``sqrt(1 - a)``, the matrix is

    S <- D S D + g g',    g = sqrt(a) r,    diagonal before the first sample: the prior variance

Each instrument's variance is the exponentially weighted one over its own samples; both terms keep S positive
semidefinite whichever instruments are missing, which pairwise deletion would not (Higham 2002). The same recursion with
r = 1 gives each pair's *evidence* w in [0, 1]: the share of its covariance's weight that comes from common samples; a
covariance in S is attenuated by just that. While w < 1, risk counts the missing share in the direction that hurts, see
:mod:`chimera_platform.risk.portfolio_risk`: until pairs have been seen together they are taken as fully correlated.

The gain of the n-th sample is ``max(1 - 0.5 ** (1 / half_life), 1 / (prior_samples + n))``: a mean of all samples with
the prior among them first, exponentially weighted later.

*Shrinkage* goes to the constant correlation (Ledoit & Wolf 2004, "Honey, I shrunk the sample covariance matrix"), with
the intensity that minimises expected squared error where correlations have their Gaussian variance (Schäfer & Strimmer
2005): ``sum (1 - c²)² / (m - 1) / sum (c - mean c)²`` over all pairs, within [0, 1], m the effective samples. A convex
combination of two positive semidefinite matrices is one.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from pydantic import Field, model_validator

from chimera_platform.kernels import array_kernel, kernel
from chimera_platform.settings import Settings

DAY_NS = 86_400_000_000_000


class CovarianceSettings(Settings):
    """What the volatilities and correlations of the instruments are estimated from."""

    sample_interval_ns: int = Field(
        60_000_000_000, ge=1_000_000_000, le=DAY_NS, description="event time between two samples of all mids, ns"
    )
    half_life_samples: float = Field(
        120.0, ge=2.0, le=1e6, description="samples after which a return counts half in variances and covariances"
    )
    fast_half_life_samples: float = Field(
        10.0, ge=1.0, le=1e6, description="samples after which a return counts half in the present volatility"
    )
    slow_half_life_samples: float = Field(
        1_440.0, ge=2.0, le=1e7, description="samples after which a return counts half in the usual volatility"
    )
    min_samples: int = Field(
        20, ge=2, le=1_000_000, description="returns before an instrument's correlations and volatility ratio count"
    )
    prior_volatility: float = Field(
        0.015, gt=0.0, le=10.0, description="volatility before anything is known, fraction per square root of a day"
    )
    prior_samples: float = Field(20.0, ge=1.0, le=1e6, description="returns that the prior volatility counts for")
    min_volatility: float = Field(
        0.001,
        gt=0.0,
        le=10.0,
        description="least volatility that risk is taken with, fraction per square root of a day",
    )
    unseen_correlation: float = Field(
        1.0,
        ge=0.0,
        le=1.0,
        description="size of the correlation, in the direction that hurts, of pairs not seen together",
    )
    shrinkage: Literal["auto"] | float = Field(
        "auto", description="intensity in [0, 1] towards the constant correlation, or 'auto'"
    )
    max_gap_samples: int = Field(
        10, ge=1, le=100_000, description="longest time between two samples that still makes returns, sample intervals"
    )
    stale_after_ns: int = Field(
        300_000_000_000,
        ge=1_000_000,
        le=DAY_NS,
        description="age of the last quote from which a mid is not sampled, ns",
    )
    risk_horizon_ns: int = Field(
        DAY_NS, ge=1_000_000_000, le=30 * DAY_NS, description="time over which risk is stated, ns; by the square root"
    )

    @model_validator(mode="after")
    def _is_consistent(self) -> CovarianceSettings:
        if self.shrinkage != "auto" and not 0.0 <= self.shrinkage <= 1.0:
            raise ValueError(f"shrinkage is {self.shrinkage}; expected 'auto' or a number in [0, 1]")
        if self.fast_half_life_samples >= self.slow_half_life_samples:
            raise ValueError(
                f"fast_half_life_samples is {self.fast_half_life_samples}; "
                f"expected less than slow_half_life_samples ({self.slow_half_life_samples})"
            )
        return self


COVARIANCE_DTYPE = np.dtype(
    [
        ("sample_interval_ns", "<i8"),
        ("max_gap_ns", "<i8"),
        ("stale_after_ns", "<i8"),
        ("min_samples", "<i8"),
        ("gain", "<f8"),  # least weight of a new return
        ("fast_gain", "<f8"),
        ("slow_gain", "<f8"),
        ("prior_samples", "<f8"),
        ("prior_variance", "<f8"),  # per sample interval
        ("min_variance", "<f8"),  # per sample interval
        ("unseen_correlation", "<f8"),
        ("intensity", "<f8"),  # of shrinkage; NaN: from the data
        ("horizon_samples", "<f8"),  # sample intervals in the risk horizon
    ],
    align=True,
)


def covariance_record(settings: CovarianceSettings) -> np.ndarray[Any, Any]:
    """Return ``settings`` as COVARIANCE_DTYPE, shape (1,)."""
    record = np.zeros(1, COVARIANCE_DTYPE)
    for name in ("sample_interval_ns", "stale_after_ns", "min_samples", "prior_samples", "unseen_correlation"):
        record[name] = getattr(settings, name)
    record["max_gap_ns"] = settings.max_gap_samples * settings.sample_interval_ns
    for name in ("", "fast_", "slow_"):
        record[f"{name}gain"] = 1.0 - 0.5 ** (1.0 / getattr(settings, f"{name}half_life_samples"))
    for name in ("prior", "min"):
        daily = getattr(settings, f"{name}_volatility")
        record[f"{name}_variance"] = daily * daily * settings.sample_interval_ns / DAY_NS
    record["intensity"] = math.nan if settings.shrinkage == "auto" else settings.shrinkage
    record["horizon_samples"] = settings.risk_horizon_ns / settings.sample_interval_ns
    return record


MARKET_RISK_DTYPE = np.dtype(
    [
        ("mid", "<f8"),  # last one sampled; NaN before
        ("sampled_ts", "<i8"),  # ns UTC of that sample; -1 before
        ("samples", "<i8"),  # returns seen
        ("volatility", "<f8"),  # per square root of a sample interval, at least the smallest allowed
        ("inverse_deviation", "<f8"),  # 1 / sqrt(variance) as measured; 0 where that is 0
        ("fast_variance", "<f8"),  # per sample interval
        ("slow_variance", "<f8"),
        ("exposure", "<f8"),  # nanos, signed: lots × |mid| × tick value
        ("held", "<i8"),  # entry k: number of the k-th instrument with an exposure, k below held_count
        ("held_at", "<i8"),  # this instrument's place among those, -1 where it has none
    ],
    align=True,
)
"""What is known of each instrument; shape (instruments,)."""

PORTFOLIO_RISK_DTYPE = np.dtype(
    [
        ("sampled_ts", "<i8"),  # ns UTC of the last sample with a mid; -1 before
        ("next_sample_ts", "<i8"),  # ns UTC
        ("samples", "<i8"),  # samples with a return
        ("intensity", "<f8"),  # of shrinkage, [0, 1]
        ("mean_correlation", "<f8"),  # what is shrunk to
        ("variance", "<f8"),  # of the exposures together, nanos² per sample interval
        ("held_count", "<i8"),  # instruments with an exposure
    ],
    align=True,
)
"""What is known of all instruments together; shape (1,)."""


def new_market_risk(instruments: int, settings: CovarianceSettings) -> np.ndarray[Any, Any]:
    """Return MARKET_RISK_DTYPE of shape (instruments,) before the first sample: the prior volatility for all."""
    parameters = covariance_record(settings)[0]
    records = np.zeros(instruments, MARKET_RISK_DTYPE)
    records["mid"], records["sampled_ts"], records["held_at"] = math.nan, -1, -1
    records["volatility"] = math.sqrt(max(parameters["prior_variance"], parameters["min_variance"]))
    records["inverse_deviation"] = 1.0 / math.sqrt(parameters["prior_variance"])
    return records


def new_moments(instruments: int, settings: CovarianceSettings) -> np.ndarray[Any, Any]:
    """Return the matrix before the first sample, f8 (instruments, instruments).

    Diagonal: variances per sample interval. Below it, [i, j] with j < i: covariances. Above it: the pairs' evidence.
    """
    return np.diag(np.full(instruments, covariance_record(settings)[0]["prior_variance"]))


def new_portfolio_risk() -> np.ndarray[Any, Any]:
    """Return PORTFOLIO_RISK_DTYPE of shape (1,) before the first sample."""
    record = np.zeros(1, PORTFOLIO_RISK_DTYPE)
    record["sampled_ts"] = -1
    return record


@kernel
def usable_mid(bid: int, ask: int, is_tradable: int, seen_ts: int, settings: Any, ts: int) -> float:
    """Return the mid in ticks, NaN where the market is not tradable or was last heard of too long ago."""
    if is_tradable == 0 or ts - seen_ts >= settings.stale_after_ns:
        return math.nan
    return 0.5 * float(bid + ask)


@kernel
def log_return(before: float, now: float) -> float:
    """Return ln(now / before); NaN where either is NaN or both are zero.

    Where a price is not positive it is the change over the larger of both in absolute value: of the sign of the
    change, and within [-2, 2].
    """
    if before > 0.0 and now > 0.0:
        return math.log(now / before)
    return (now - before) / max(abs(before), abs(now))


@array_kernel
def sample_returns(
    market_risk: Any, moments: Any, portfolio: Any, returns: Any, mids: Any, settings: Any, ts: int
) -> None:
    """Take one sample of all mids: returns, variances, covariances, evidence, shrinkage.

    O(instruments²). What is held is to be valued again afterwards, see ``refresh_portfolio``.

    Parameters
    ----------
    market_risk : MARKET_RISK_DTYPE (instruments,).
    moments : f8 (instruments, instruments), see :func:`new_moments`.
    portfolio : PORTFOLIO_RISK_DTYPE record.
    returns : f8 (instruments,), filled with the log returns per sample interval, NaN where there is none.
    mids : f8 (instruments,), any unit; NaN where there is none or it is stale.
    settings : COVARIANCE_DTYPE record.
    ts : ns UTC, later than at the call before.
    """
    portfolio.next_sample_ts = (ts // settings.sample_interval_ns + 1) * settings.sample_interval_ns
    if _take_returns(market_risk, portfolio, returns, mids, settings, ts) == 0:
        return
    portfolio.samples += 1
    n = mids.shape[0]
    factors, sums = np.empty((4, n)), np.zeros((4, n))
    for i in range(n):
        _take_variance(market_risk[i], moments, factors, settings, i, returns[i])
    for i in range(n):
        if market_risk[i].samples > 0:  # the whole row is zero before
            _take_row(moments[i], factors, sums, i)
    _shrink(portfolio, settings, sums)


@kernel
def _take_returns(market_risk: Any, portfolio: Any, returns: Any, mids: Any, settings: Any, ts: int) -> int:
    """Fill in the returns since the last sample, keep the mids, and return how many returns there are."""
    previous_ts, span, count, any_mid = portfolio.sampled_ts, ts - portfolio.sampled_ts, 0, False
    scale = math.nan
    if previous_ts >= 0 and 0 < span <= settings.max_gap_ns:
        scale = math.sqrt(float(settings.sample_interval_ns) / float(span))
    for i in range(mids.shape[0]):
        market, mid = market_risk[i], mids[i]
        returns[i] = math.nan
        if mid != mid:
            continue
        if market.sampled_ts == previous_ts:
            returns[i] = scale * log_return(market.mid, mid)
            count += int(returns[i] == returns[i])
        market.mid, market.sampled_ts, any_mid = mid, ts, True
    if any_mid:
        portfolio.sampled_ts = ts
    return count


@kernel
def _take_variance(market: Any, moments: Any, factors: Any, settings: Any, i: int, value: float) -> None:
    """Carry an instrument's variances along and set its factors: what stays, what comes, evidence, 1 / deviation."""
    factors[0, i], factors[1, i], factors[2, i], factors[3, i] = 1.0, 0.0, 0.0, market.inverse_deviation
    if value != value:
        return
    market.samples += 1
    count, square = float(market.samples), value * value
    gain = max(settings.gain, 1.0 / (settings.prior_samples + count))
    variance = moments[i, i] + gain * (square - moments[i, i])
    moments[i, i] = variance
    market.volatility = math.sqrt(max(variance, settings.min_variance))
    market.inverse_deviation = 1.0 / math.sqrt(variance) if variance > 0.0 else 0.0
    market.fast_variance += max(settings.fast_gain, 1.0 / count) * (square - market.fast_variance)
    market.slow_variance += max(settings.slow_gain, 1.0 / count) * (square - market.slow_variance)
    factors[0, i], factors[1, i], factors[2, i] = math.sqrt(1.0 - gain), math.sqrt(gain) * value, math.sqrt(gain)
    factors[3, i] = market.inverse_deviation


@kernel
def _take_row(row: Any, factors: Any, sums: Any, i: int) -> None:
    """Carry row i along, covariances left of the diagonal and evidence right of it, and add it to sums by column.

    The sums are those of correlations, of their squares and fourth powers, and of evidence; by column, as additions
    that do not wait for each other go several at a time.
    """
    keep, drive, seen, inverse = factors[0], factors[1], factors[2], factors[3]
    first, second, fourth, evidence = sums[0], sums[1], sums[2], sums[3]
    keep_i, drive_i, seen_i, inverse_i = keep[i], drive[i], seen[i], inverse[i]
    for j in range(i):
        covariance = row[j] * (keep_i * keep[j]) + drive_i * drive[j]
        row[j] = covariance
        correlation = covariance * (inverse_i * inverse[j])
        square = correlation * correlation
        first[j] += correlation
        second[j] += square
        fourth[j] += square * square
    for j in range(i + 1, row.shape[0]):
        weight = row[j] * (keep_i * keep[j]) + seen_i * seen[j]
        row[j] = weight
        evidence[j] += weight


@kernel
def _shrink(portfolio: Any, settings: Any, sums: Any) -> None:
    """Set the mean correlation and the intensity of shrinkage towards it."""
    n = sums.shape[1]
    pairs = 0.5 * float(n) * float(n - 1)
    first, second, fourth, evidence = sums[0].sum(), sums[1].sum(), sums[2].sum(), sums[3].sum()
    if evidence <= 0.0:  # no pair was ever seen together
        portfolio.mean_correlation, portfolio.intensity = 0.0, 0.0
        return
    mean = min(max(first / evidence, -1.0 / float(n - 1)), 1.0)
    portfolio.mean_correlation = mean
    if settings.intensity == settings.intensity:
        portfolio.intensity = settings.intensity
        return
    effective = min(float(portfolio.samples), 2.0 / settings.gain - 1.0)
    noise = (pairs - 2.0 * second + fourth) / max(effective - 1.0, 1.0)
    spread = second - 2.0 * mean * first + mean * mean * pairs
    portfolio.intensity = min(noise / spread, 1.0) if spread > noise else 1.0


@kernel
def volatility_ratio(market: Any, settings: Any) -> float:
    """Return present over usual volatility of an instrument, NaN while unknown.

    Parameters
    ----------
    market : MARKET_RISK_DTYPE record.
    settings : COVARIANCE_DTYPE record.
    """
    if market.samples < settings.min_samples or market.slow_variance <= 0.0:
        return math.nan
    return math.sqrt(market.fast_variance / market.slow_variance)
