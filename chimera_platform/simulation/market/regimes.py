"""Latent state of the simulated market: regimes, correlated efficient prices, compressions and trends.

Nothing here touches a book. The efficient price follows a discretised diffusion with rare large steps, common to all
symbols, on a fixed grid of event time (Merton 1976), its volatility the product of time of day, a market-wide Markov
regime and the symbol's own phase; makers see it late. Sizes of new orders follow a slow liquidity of each symbol, so
that the impact of order flow, which goes with one over the depth (Cont, Kukanov & Stoikov 2014), varies by the minute.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chimera_platform.kernels import kernel
from chimera_platform.settings import to_record
from chimera_platform.simulation.market.episodes import EpisodeKind, VolatilityRegime
from chimera_platform.simulation.market.random_numbers import exponential, normal, uniform
from chimera_platform.simulation.market.settings import MarketSettings, RegimeSettings

COMPRESSION, TREND = int(EpisodeKind.COMPRESSION), int(EpisodeKind.TREND)
NO_PHASE = 0
CALM, ACTIVE, STRESSED = int(VolatilityRegime.CALM), int(VolatilityRegime.ACTIVE), int(VolatilityRegime.STRESSED)
SECOND_NS = 1_000_000_000
PULL_S = 2400.0  # time constant with which a compression holds the price

# Relative activity by hour of the day, UTC.
DAY_CURVE = np.array(
    [
        *(0.7, 0.8, 0.8, 0.7, 0.6, 0.6, 0.7, 1.0),  # 00 to 08: Asia
        *(1.3, 1.3, 1.2, 1.1, 1.3, 1.7, 1.9, 1.8),  # 08 to 16: London, then New York
        *(1.4, 1.1, 0.9, 0.8, 0.6, 0.5, 0.5, 0.6),  # 16 to 24
    ]
)

SYMBOL_DTYPE = np.dtype(
    [
        ("efficient", "<f8"),  # quote steps: the price that the informed know
        ("fair", "<f8"),  # quote steps: makers' view of it, late
        ("noise", "<f8"),  # standard normal, mean-reverting: what the uninformed believe
        ("liquidity", "<f8"),  # standard normal, mean-reverting: logarithm of the depth, standardised
        ("depth", "<f8"),  # size of new limit orders, relative, of mean 1
        ("excitation", "<f8"),  # events a second set off by earlier market orders
        ("metaorder_left", "<i8"),  # market orders that the large order being worked still needs
        ("metaorder_side", "<i8"),  # BID or ASK: the side that it takes
        ("anchor", "<f8"),  # quote steps: middle of the compression
        ("drift", "<f8"),  # relative change of the efficient price a second
        ("phase_end", "<i8"),  # ns UTC
        ("phase", "<i8"),  # NO_PHASE, COMPRESSION or TREND
        ("phase_episode", "<i8", (4,)),  # start_ts, first_event_no, start price in quote steps, direction
        ("iceberg_slot", "<i8"),  # of the book; NO_ORDER where there is none
        ("iceberg_end", "<i8"),  # ns UTC: withdrawn then
        ("iceberg_start", "<i8"),  # ns UTC
        ("iceberg_first", "<i8"),  # event_no of its ADD
        ("iceberg_traded", "<i8"),  # lots
        ("iceberg_refills", "<i8"),
        ("iceberg_peak", "<i8"),  # lots
        ("iceberg_hidden", "<i8"),  # lots, at the start
        ("scenario", "<i8"),  # EpisodeKind of the news, drought, absorption (or stacked) or stop run; 0: none
        ("scenario_side", "<i8"),  # BID or ASK: emptied, absorbing or taken; news: BID where prices fall
        ("scenario_price", "<i8"),  # quote steps: as the episode's price
        ("scenario_last", "<i8"),  # quote steps: last price of a stop run's burst
        ("scenario_start", "<i8"),  # ns UTC
        ("scenario_end", "<i8"),  # ns UTC: over then
        ("scenario_until", "<i8"),  # ns UTC: an absorbing level is refilled so long
        ("scenario_first", "<i8"),  # event_no of its first event
        ("scenario_lots", "<i8"),  # lots: as the episode's size
        ("scenario_count", "<i8"),  # as the episode's levels
        ("scenario_peak", "<i8"),  # lots: as the episode's peak
        ("scenario_calm", "<i8"),  # ns UTC: stacked absorption: the first attack stops
        ("scenario_lift", "<i8"),  # ns UTC: stacked absorption: from here on the defence moves to the second level
        ("scenario_second", "<i8"),  # ns UTC: stacked absorption: second attack's start; 0: not begun
        ("scenario_before", "<i8", (2,)),  # stacked absorption: the first level's price (quote steps) and refills
        ("extreme", "<i8", (2, 2)),  # quote steps: lowest bid, highest ask of the current and the previous stretch
        ("extreme_ts", "<i8", (2, 2)),  # ns UTC: when each was first reached in its stretch
        ("extreme_end", "<i8"),  # ns UTC: the current stretch's end; 0: none has begun
    ]
)


def regime_records(settings: MarketSettings) -> np.ndarray[Any, Any]:
    """Return the three regimes' kernel form, indexed by :class:`VolatilityRegime`.

    Volatility and activity are scaled so that their long-run means (of the variance, of the flow) are 1.
    """
    sections: tuple[RegimeSettings, ...] = (settings.calm, settings.active, settings.stressed)
    records = np.concatenate([to_record(section) for section in sections])
    share = stationary_shares(records["dwell_minutes"])
    records["volatility"] /= math.sqrt(float(share @ records["volatility"] ** 2))
    records["activity"] /= float(share @ records["activity"])
    return records


# Calm and stressed spells are left for the active regime; an active one ends in stress two times in five.
STRESS_SHARE = 0.4


def stationary_shares(dwell: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the share of time in each regime, shape (3,), given the mean stays, shape (3,)."""
    visits = np.array([1.0 - STRESS_SHARE, 1.0, STRESS_SHARE])
    return visits * dwell / float(visits @ dwell)


def day_curve(settings: MarketSettings) -> np.ndarray[Any, Any]:
    """Return the relative activity by hour UTC, shape (24,), of mean 1 over the session."""
    hours = slice(settings.session_open_hour, settings.session_open_hour + settings.session_hours)
    return DAY_CURVE / DAY_CURVE[hours].mean()


@kernel
def next_regime(regime: Any, dwell_minutes: Any, step_s: Any, random: Any) -> Any:
    """Return the regime after one step of the grid."""
    if uniform(random) >= step_s / (60.0 * dwell_minutes):
        return regime
    if regime != ACTIVE:
        return ACTIVE
    return STRESSED if uniform(random) < STRESS_SHARE else CALM


@kernel
def enter_phase(symbol: Any, phase: Any, end: Any, ts: Any, event_no: Any, direction: Any) -> None:
    """Begin a phase of the symbol; its ground truth is written when it ends."""
    symbol.phase = phase
    symbol.phase_end = end
    symbol.phase_episode[0] = ts
    symbol.phase_episode[1] = event_no
    symbol.phase_episode[2] = int(symbol.efficient)
    symbol.phase_episode[3] = direction
    symbol.anchor = symbol.efficient
    symbol.drift = 0.0


@kernel
def phase_ns(mean_minutes: Any, random: Any) -> Any:
    """Return the length of a phase, ns: half of its mean is certain, the rest exponential."""
    half_s = 30.0 * mean_minutes
    return int((half_s + exponential(random, half_s)) * SECOND_NS)


@kernel
def start_trend(
    parameters: Any, symbol: Any, profile: Any, common: Any, end: Any, ts: Any, event_no: Any, random: Any
) -> None:
    """Begin a trend whose move is between half and one and a half of the mean strength.

    Directions correlate as returns do: a symbol follows the ``common`` one with probability (1 + loading) / 2.
    """
    direction = common if uniform(random) < 0.5 * (1.0 + profile.loading) else -common
    move = parameters.trend_strength * profile.day_volatility * (0.5 + uniform(random))
    enter_phase(symbol, TREND, end, ts, event_no, direction)
    symbol.drift = direction * move / (60.0 * parameters.trend_minutes)


@kernel
def step_reverting(value: Any, step: Any, random: Any) -> Any:
    """Return the next value of a mean-reverting standard normal; ``step`` is in units of its time constant."""
    keep = math.exp(-step)
    return keep * value + math.sqrt(1.0 - keep * keep) * normal(random)


@kernel
def step_price(
    parameters: Any, regime: Any, symbol: Any, scale: Any, innovation: Any, step_s: Any, random: Any
) -> None:
    """Move one symbol's efficient price, makers' view, noise and liquidity by one step of the grid.

    Parameters
    ----------
    scale : standard deviation of the step's relative return outside phases.
    innovation : standard normal, correlated across symbols.
    """
    change = scale * innovation + symbol.drift * step_s
    if symbol.phase == COMPRESSION:
        pull = (symbol.anchor - symbol.efficient) / symbol.efficient * step_s / PULL_S
        change = parameters.compression_volatility * scale * innovation + pull
    symbol.efficient *= 1.0 + change
    symbol.fair += (symbol.efficient - symbol.fair) * (1.0 - math.exp(-step_s / regime.maker_lag_s))
    symbol.noise = step_reverting(symbol.noise, step_s / parameters.noise_s, random)
    symbol.liquidity = step_reverting(symbol.liquidity, step_s / parameters.liquidity_s, random)
    symbol.depth = math.exp(parameters.liquidity_spread * (symbol.liquidity - 0.5 * parameters.liquidity_spread))
    symbol.excitation *= math.exp(-step_s / parameters.burst_decay_s)
