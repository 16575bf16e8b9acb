"""The structure engine: a range that was compressed on several timeframes, and its breakout."""

from __future__ import annotations

from pydantic import Field

from chimera_platform.settings import Settings

LOOKBACK_BARS_MAX = 64
WIDTH_HISTORY_MAX = 128


class StructureSettings(Settings):
    """Parameters of the structure engine; the bounds are the optimiser's search space."""

    enabled: bool = Field(True, description="whether the engine emits intents")
    range_bars: int = Field(
        12, ge=2, le=LOOKBACK_BARS_MAX, description="completed bars that make the range, each timeframe"
    )
    history_bars: int = Field(
        48, ge=8, le=WIDTH_HISTORY_MAX, description="past widths of the range that the present one is ranked among"
    )
    compression_quantile: float = Field(
        0.35, ge=0.0, le=1.0, description="compressed: at most this share of the past widths is smaller"
    )
    timeframes_min: int = Field(2, ge=1, le=3, description="timeframes of 1, 5, 15 min that must be compressed")
    breakout_atr: float = Field(
        0.1, ge=0.0, le=3.0, description="how far beyond the range the mid must be, average 1 min bar ranges"
    )
    chase_atr: float = Field(
        0.75,
        ge=0.0,
        le=5.0,
        description="further beyond it than this, entry is a limit order, average 1 min bar ranges",
    )
    stop_atr_min: float = Field(1.0, ge=0.1, le=2.0, description="least stop distance, average 1 min bar ranges")
    stop_atr_max: float = Field(4.0, ge=2.0, le=20.0, description="largest stop distance, average 1 min bar ranges")
    reward_risk: float = Field(1.5, ge=0.25, le=10.0, description="target distance over stop distance")
    max_hold_ns: int = Field(
        900_000_000_000, ge=1_000_000_000, le=28_800_000_000_000, description="exit after this long, ns"
    )
    time_to_live_ns: int = Field(
        60_000_000_000, ge=1_000_000, le=3_600_000_000_000, description="cancel an unfilled limit entry after this, ns"
    )
    cooldown_ns: int = Field(
        120_000_000_000, ge=0, le=28_800_000_000_000, description="shortest time between two intents, ns"
    )
    order_notional: float = Field(50_000.0, ge=1.0, le=1e9, description="size wanted, account currency")
