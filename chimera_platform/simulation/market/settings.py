"""Settings of the simulated market, and what is known of the symbols that it can imitate."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pydantic import Field, model_validator

from chimera_platform.market.instruments import Instrument
from chimera_platform.settings import Settings


class RegimeSettings(Settings):
    """One state of the volatility regime."""

    dwell_minutes: float = Field(default=30.0, ge=1.0, le=10_000.0, description="mean stay, min")
    volatility: float = Field(default=1.0, gt=0.0, le=20.0, description="efficient price's volatility, relative")
    activity: float = Field(default=1.0, gt=0.0, le=20.0, description="order flow, relative")
    half_spread: float = Field(
        default=1.5, ge=0.1, le=50.0, description="makers' distance from fair value, quote steps"
    )
    maker_lag_s: float = Field(default=8.0, ge=0.1, le=600.0, description="time constant of makers' view, s")
    depth: float = Field(default=1.0, gt=0.0, le=10.0, description="order size, relative")
    informed: float = Field(
        default=0.3, ge=0.0, le=1.0, description="share of market orders that know the efficient price"
    )
    follow: float = Field(
        default=0.6, ge=0.0, le=1.0, description="share of the makers at a touch who move with fair value together"
    )
    lean: float = Field(default=0.7, ge=0.0, le=1.0, description="how far limit orders and cancels lean on it")
    noise: float = Field(default=0.0, ge=0.0, le=1.0, description="how far the flow leans on nothing at all")


class MarketSettings(Settings):
    """How the simulated market behaves; every number is part of the stream's identity."""

    rate: float = Field(
        default=0.42, ge=0.05, le=200.0, description="actions a second and symbol; one makes 3.6 records on average"
    )
    correlation: float = Field(
        default=0.7, ge=-0.99, le=0.99, description="of efficient returns, each symbol with the first"
    )
    volatility: float = Field(default=1.0, ge=0.05, le=10.0, description="multiplies every symbol's daily volatility")
    session_open_hour: int = Field(default=0, ge=0, le=23, description="h UTC; inside the venues' hours all the year")
    session_hours: int = Field(
        default=21, ge=1, le=24, description="h; the session ends on the UTC date that it opens on"
    )
    feed_latency_us: int = Field(default=400, ge=0, le=10_000_000, description="ts_recv - ts_event at least, µs")
    feed_jitter_us: int = Field(default=150, ge=0, le=10_000_000, description="mean of the exponential part on top, µs")
    price_step_ms: int = Field(default=500, ge=10, le=10_000, description="grid of the efficient price, ms")
    lean_scale: float = Field(
        default=2.5, gt=0.0, le=1000.0, description="gap at which the flow leans fully, quote steps"
    )
    limit_share: float = Field(default=0.5, ge=0.2, le=0.8, description="of the flow: new limit orders")
    market_share: float = Field(
        default=0.11, ge=0.005, le=0.4, description="of the flow: market orders; the rest cancels"
    )
    near_share: float = Field(default=0.42, ge=0.0, le=1.0, description="of limit orders: placed at the touch")
    join_share: float = Field(default=0.7, ge=0.0, le=1.0, description="of those: joining the touch or improving it")
    near_reach: float = Field(
        default=1.0, ge=0.0, le=100.0, description="mean distance of the others from where makers quote, quote steps"
    )
    refill_share: float = Field(
        default=0.9, ge=0.0, le=1.0, description="of limit orders: into a spread wider than makers want it"
    )
    placement_tail: float = Field(
        default=1.0, ge=0.2, le=5.0, description="exponent of the power law of orders' distance behind the touch"
    )
    placement_offset: float = Field(
        default=9.0, ge=0.0, le=100.0, description="distance at which that power law sets in, quote steps"
    )
    cancel_touch: float = Field(
        default=0.35,
        ge=0.05,
        le=1.0,
        description="rate of cancels of an order at the touch, relative to just behind it",
    )
    cancel_reach: float = Field(
        default=10.0, ge=0.1, le=1000.0, description="distance at which an order's rate of cancels has halved, steps"
    )
    stale_share: float = Field(default=0.9, ge=0.0, le=1.0, description="of cancels: of a touch too near fair value")
    metaorder_share: float = Field(
        default=0.6, ge=0.0, le=1.0, description="of market orders: pieces of a large order, worked one by one"
    )
    metaorder_tail: float = Field(
        default=1.6, gt=1.0, le=5.0, description="exponent of the power law of a large order's number of pieces"
    )
    market_units: float = Field(default=8.0, ge=1.0, le=1000.0, description="mean market order, size units")
    market_tail: float = Field(
        default=1.2, ge=0.2, le=20.0, description="exponent of the power law of the steps that one goes into the book"
    )
    order_units: float = Field(default=6.0, ge=1.0, le=1000.0, description="mean order size, size units of the symbol")
    orders_a_side: int = Field(default=70, ge=30, le=120, description="resting orders that cancels settle to")
    burst_branching: float = Field(
        default=0.45, ge=0.0, le=0.9, description="share of the flow set off by market orders"
    )
    burst_decay_s: float = Field(default=2.0, ge=0.1, le=600.0, description="time constant of a burst, s")
    liquidity_s: float = Field(default=45.0, ge=1.0, le=100_000.0, description="time constant of liquidity, s")
    liquidity_spread: float = Field(
        default=0.93, ge=0.0, le=2.0, description="of liquidity: standard deviation of new orders' log mean size"
    )
    noise_s: float = Field(default=60.0, ge=1.0, le=3600.0, description="time constant of what flow leans on, s")
    jump_share: float = Field(
        default=0.0015, ge=0.0, le=0.1, description="of steps of the efficient prices' grid: the larger ones"
    )
    jump_size: float = Field(default=20.0, ge=1.0, le=100.0, description="of those, relative to the others")
    sweeps_a_day: float = Field(default=24.0, ge=0.0, le=10_000.0, description="mean a symbol and session")
    sweep_levels: int = Field(default=5, ge=2, le=20, description="price levels that a sweep takes at least")
    sweep_window_ms: int = Field(default=50, ge=1, le=1_000, description="time within which it takes them, ms")
    sweep_impact: float = Field(default=0.6, ge=0.0, le=1.0, description="share of sweeps whose price change stays")
    icebergs_a_day: float = Field(default=30.0, ge=0.0, le=10_000.0, description="mean a symbol and session")
    iceberg_peak_units: int = Field(default=6, ge=1, le=1_000, description="lots displayed, size units of the symbol")
    iceberg_refills: int = Field(
        default=8, ge=1, le=100, description="refills of an iceberg that trades completely, at most"
    )
    iceberg_life_s: float = Field(default=300.0, ge=1.0, le=86_400.0, description="withdrawn after this long, s")
    compressions_a_day: float = Field(
        default=7.0, ge=0.0, le=100.0, description="mean a session, of all symbols at once"
    )
    compression_minutes: float = Field(default=35.0, ge=5.0, le=600.0, description="mean length, min")
    compression_volatility: float = Field(default=0.3, gt=0.0, le=1.0, description="relative, inside a compression")
    breakout_share: float = Field(default=0.7, ge=0.0, le=1.0, description="of compressions that end in a trend")
    trend_minutes: float = Field(default=25.0, ge=2.0, le=600.0, description="mean length, min")
    trend_strength: float = Field(default=0.6, ge=0.0, le=5.0, description="mean move of a trend, daily volatilities")
    episode_difficulty: int = Field(
        default=1, ge=1, le=3, description="of news and what follows: 1 clear, 3 near the usual flow"
    )
    news_a_day: float = Field(default=0.0, ge=0.0, le=1_000.0, description="mean a session, of all symbols at once")
    news_strength: float = Field(default=0.4, ge=0.0, le=5.0, description="mean jump, daily volatilities")
    news_s: float = Field(default=60.0, ge=1.0, le=3_600.0, description="makers stay back so long, s")
    droughts_a_day: float = Field(default=0.0, ge=0.0, le=1_000.0, description="mean a symbol and session")
    drought_s: float = Field(default=60.0, ge=1.0, le=3_600.0, description="orders stay away so long, s")
    absorptions_a_day: float = Field(default=0.0, ge=0.0, le=1_000.0, description="mean a symbol and session")
    absorption_s: float = Field(default=90.0, ge=5.0, le=3_600.0, description="the attack lasts at most, s")
    absorption_break_share: float = Field(
        default=0.3, ge=0.0, le=1.0, description="of absorptions whose refills stop under attack"
    )
    stacked_absorptions_a_day: float = Field(
        default=0.0, ge=0.0, le=1_000.0, description="mean a symbol and session; two attacks of absorption_s each"
    )
    stop_runs_a_day: float = Field(
        default=0.0, ge=0.0, le=1_000.0, description="mean a symbol and session; those without an extreme near fail"
    )
    stop_run_window_ms: int = Field(default=400, ge=1, le=5_000, description="time within which the burst runs, ms")
    stop_run_age_s: float = Field(
        default=180.0, ge=0.0, le=600.0, description="since when the extreme has stood at least that one breaks, s"
    )
    stop_run_s: float = Field(default=180.0, ge=5.0, le=3_600.0, description="prices are given to return, s")
    overnight: float = Field(default=0.3, ge=0.0, le=5.0, description="gap between sessions, daily volatilities")
    calm: RegimeSettings = RegimeSettings(
        dwell_minutes=50.0,
        volatility=0.6,
        activity=0.8,
        half_spread=0.6,
        maker_lag_s=1.2,
        follow=0.58,
        informed=0.3,
        lean=0.1,
        noise=0.55,
    )
    active: RegimeSettings = RegimeSettings(
        dwell_minutes=30.0,
        volatility=1.25,
        activity=1.4,
        half_spread=0.7,
        maker_lag_s=5.0,
        follow=0.74,
        informed=0.6,
        lean=0.85,
        noise=0.2,
    )
    stressed: RegimeSettings = RegimeSettings(
        dwell_minutes=11.0,
        volatility=1.85,
        activity=1.4,
        half_spread=1.3,
        maker_lag_s=1.0,
        follow=0.1,
        depth=0.5,
        informed=0.1,
        lean=0.0,
        noise=1.0,
    )

    @model_validator(mode="after")
    def _is_consistent(self) -> MarketSettings:
        if self.session_open_hour + self.session_hours > 24:
            raise ValueError("session_open_hour + session_hours must be at most 24: a session lies within a UTC date")
        if self.limit_share + self.market_share >= 0.95:
            raise ValueError("limit_share + market_share must stay below 0.95: orders must also be cancelled")
        return self


class SymbolProfile(Settings):
    """What a symbol looks like: start price, volatility, and the step its makers quote in."""

    price: float = Field(gt=0.0, description="price currency, at the start")
    daily_volatility: float = Field(
        default=0.012, gt=0.0, le=0.5, description="standard deviation of a session's return"
    )
    quote_step: float = Field(gt=0.0, description="price currency; a whole number of ticks is made of it")


PROFILES = {
    "XAUUSD": SymbolProfile(price=2050.0, daily_volatility=0.008, quote_step=0.1),
    "XAGUSD": SymbolProfile(price=23.5, daily_volatility=0.014, quote_step=0.002),
    "EURUSD": SymbolProfile(price=1.09, daily_volatility=0.005, quote_step=0.00002),
    "GC": SymbolProfile(price=2060.0, daily_volatility=0.009, quote_step=0.1),
    "BTCUSDT": SymbolProfile(price=43000.0, daily_volatility=0.03, quote_step=2.0),
}

PROFILE_DTYPE = np.dtype(
    [
        ("start_price", "<f8"),  # quote steps
        ("day_volatility", "<f8"),  # of a session's return
        ("loading", "<f8"),  # on the common factor
        ("quote_ticks", "<i8"),  # ticks a quote step
        ("size_unit", "<i8"),  # lots
    ]
)


def profile_of(instrument: Instrument) -> SymbolProfile:
    """Return the symbol's profile; one that fits its tick size where the symbol is not among :data:`PROFILES`."""
    if instrument.symbol in PROFILES:
        return PROFILES[instrument.symbol]
    tick = float(instrument.tick_size)
    price = max(float(instrument.reference_price or 100), 20_000 * tick)
    return SymbolProfile(price=price, quote_step=max(tick, price * 4e-5))


def profile_records(instruments: tuple[Instrument, ...], settings: MarketSettings) -> np.ndarray[Any, Any]:
    """Return the symbols' kernel form: array of shape (n,) of :data:`PROFILE_DTYPE`.

    One common factor carries the correlation: the first symbol loads on it with sqrt(|ρ|), the others with
    sign(ρ)·sqrt(|ρ|), so each correlates with the first at ρ and the others among each other at |ρ|.
    """
    records = np.zeros(len(instruments), PROFILE_DTYPE)
    rho = settings.correlation
    for i, (record, instrument) in enumerate(zip(records, instruments, strict=True)):
        profile = profile_of(instrument)
        tick = float(instrument.tick_size)
        ticks = max(1, round(profile.quote_step / tick))
        record["quote_ticks"] = ticks
        record["start_price"] = profile.price / (tick * ticks)
        record["day_volatility"] = profile.daily_volatility * settings.volatility
        record["loading"] = math.sqrt(abs(rho)) * (1.0 if i == 0 or rho >= 0 else -1.0)
        record["size_unit"] = max(1, instrument.assumed_size // 20)
    return records
