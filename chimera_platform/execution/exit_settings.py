"""How positions are left: where the stop stands, how it follows, what the target is, and how long there is."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Any

import numpy as np
from pydantic import Field, model_validator

from chimera_platform.settings import Settings, record_dtype, to_record

PARTIALS_MAX = 2
"""Most parts of a position that leave before the rest."""

_PPM = 1_000_000
_CLOSED_BEFORE_MAX = 0.95


class TargetSource(StrEnum):
    """Where the target's distance comes from."""

    ENGINE = "engine"  # the intent
    RATIO = "ratio"  # take_profit_ratio times the stop's distance
    MODEL = "model"  # the move that the release's target model predicts; the intent's where it predicts none


class TargetSourceCode(IntEnum):
    """Kernel form of :class:`TargetSource`."""

    ENGINE = 0
    RATIO = 1
    MODEL = 2


class ExitSettings(Settings):
    """Stop, target and holding time of every position; with the defaults they are the engine's, the stop bounded.

    'Stop' as a unit is the distance from the average entry price to the stop as it was set at entry.
    """

    max_stop_fraction: float = Field(
        0.02, ge=0.0, le=0.5, description="largest stop distance, fraction of the entry price; 0: unbounded"
    )
    stop_volatility_floor: float = Field(
        0.0, ge=0.0, le=20.0, description="smallest stop distance, volatilities over volatility_horizon_ns; 0: none"
    )
    stop_volatility_cap: float = Field(
        0.0, ge=0.0, le=50.0, description="largest stop distance, volatilities over volatility_horizon_ns; 0: unbounded"
    )
    volatility_horizon_ns: int = Field(
        0,
        ge=0,
        le=86_400_000_000_000,
        description="ns over which the volatility of the last minute is extended; 0: the time the position may be held",
    )
    target_source: TargetSource = Field(TargetSource.ENGINE, description="engine, ratio or model")
    take_profit_ratio: float = Field(
        2.0, ge=0.0, le=20.0, description="target distance with target_source ratio, stops; 0: the engine's"
    )
    model_target_min: float = Field(
        0.5, ge=0.0, le=20.0, description="smallest target distance with target_source model, stops"
    )
    model_target_max: float = Field(
        5.0, gt=0.0, le=50.0, description="largest target distance with target_source model, stops"
    )
    trail_distance: float = Field(
        0.0, ge=0.0, le=20.0, description="distance of the trailing stop from the best price, stops; 0: it stays put"
    )
    trail_after: float = Field(1.0, ge=0.0, le=20.0, description="profit from which the stop trails, stops; 0: at once")
    break_even_after: float = Field(
        0.0, ge=0.0, le=20.0, description="profit from which the stop is at entry and cost, stops; 0: never"
    )
    first_partial_at: float = Field(
        0.5, gt=0.0, lt=1.0, description="share of the target distance at which a first part leaves"
    )
    first_partial_share: float = Field(
        0.0, ge=0.0, le=_CLOSED_BEFORE_MAX, description="share of the entered lots that leaves there; 0: none"
    )
    second_partial_at: float = Field(
        0.75, gt=0.0, lt=1.0, description="share of the target distance at which a second part leaves"
    )
    second_partial_share: float = Field(
        0.0, ge=0.0, le=_CLOSED_BEFORE_MAX, description="share of the entered lots that leaves there; 0: none"
    )
    max_hold_ns: int = Field(
        0, ge=0, le=30 * 86_400_000_000_000, description="longest holding time, ns; 0: the engine's alone"
    )

    @model_validator(mode="after")
    def _be_in_order(self) -> ExitSettings:
        if 0.0 < self.stop_volatility_cap < self.stop_volatility_floor:
            raise ValueError(
                f"stop_volatility_cap {self.stop_volatility_cap} of at least stop_volatility_floor "
                f"{self.stop_volatility_floor}, or 0"
            )
        if self.model_target_max < self.model_target_min:
            raise ValueError(
                f"model_target_max {self.model_target_max} of at least model_target_min {self.model_target_min}"
            )
        if min(self.first_partial_share, self.second_partial_share) > 0.0 and (
            self.second_partial_at <= self.first_partial_at
        ):
            raise ValueError(
                f"second_partial_at {self.second_partial_at} above first_partial_at {self.first_partial_at}"
            )
        if self.first_partial_share + self.second_partial_share > _CLOSED_BEFORE_MAX:
            raise ValueError(f"first_partial_share + second_partial_share of at most {_CLOSED_BEFORE_MAX}")
        return self


EXIT_SETTINGS_DTYPE = np.dtype(
    [
        *((name, record_dtype(ExitSettings)[name]) for name in record_dtype(ExitSettings).names or ()),
        ("target_source", "<i8"),  # TargetSourceCode
        ("partial_at", "<f8", (PARTIALS_MAX,)),  # shares of the target distance, rising
        (
            "partial_ppm",
            "<i8",
            (PARTIALS_MAX,),
        ),  # of the entered lots, that have left after each; 0: no such part
    ],
    align=True,
)


def exit_parameters(settings: ExitSettings) -> np.ndarray[Any, Any]:
    """Return ``settings`` as a structured array of shape (1,) in :data:`EXIT_SETTINGS_DTYPE`."""
    record, plain = np.zeros(1, EXIT_SETTINGS_DTYPE), to_record(settings)
    for name in plain.dtype.names or ():
        record[name] = plain[name]
    record["target_source"] = TargetSourceCode[settings.target_source.name]
    given = (
        (settings.first_partial_at, settings.first_partial_share),
        (settings.second_partial_at, settings.second_partial_share),
    )
    parts = [(at, round(share * _PPM)) for at, share in given if share > 0.0]
    for k, (at, ppm) in enumerate(parts):
        record["partial_at"][0, k] = at
        record["partial_ppm"][0, k] = ppm + (record["partial_ppm"][0, k - 1] if k else 0)
    return record
