"""How a simulated venue treats orders, and the kernel form of it."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Any

import numpy as np
from pydantic import Field, field_validator

from chimera_platform.settings import Settings, record_dtype, to_record

WALK_LEVELS_MAX = 64
QUANTILES_MAX = 101
_HOUR_NS = 3_600_000_000_000
_LEGS = ("feed", "order", "report")


class QueueModel(StrEnum):
    """Who leaves a queue when lots ahead of or behind an order are withdrawn."""

    RISK_AVERSE = "risk_averse"  # those behind, until the level is smaller than what was ahead
    PROBABILISTIC = "probabilistic"  # in proportion to powers of the lots ahead and behind
    LOGARITHMIC = "logarithmic"  # in proportion to log(1 + lots) ahead and behind
    EXACT = "exact"  # the order that was withdrawn: L3 only; elsewhere as RISK_AVERSE


class SelfTradePrevention(StrEnum):
    """What happens before two orders of the account would trade with each other."""

    NONE = "none"  # they trade
    CANCEL_INCOMING = "cancel_incoming"
    CANCEL_RESTING = "cancel_resting"
    CANCEL_BOTH = "cancel_both"


class QueueModelCode(IntEnum):
    """Kernel form of :class:`QueueModel`."""

    RISK_AVERSE = 0
    PROBABILISTIC = 1
    LOGARITHMIC = 2
    EXACT = 3


class SelfTradeCode(IntEnum):
    """Kernel form of :class:`SelfTradePrevention`."""

    NONE = 0
    CANCEL_INCOMING = 1
    CANCEL_RESTING = 2
    CANCEL_BOTH = 3


class VenueSettings(Settings):
    """How the simulated venue treats orders.

    Each latency is constant, or drawn for every message from the quantiles of recorded latencies: equally spaced
    ones from the smallest to the largest, linear in between.
    """

    order_latency_ns: int = Field(
        5_000_000, ge=0, le=60_000_000_000, description="from sending an order or a cancel to the venue's book, ns"
    )
    report_latency_ns: int = Field(
        5_000_000, ge=0, le=60_000_000_000, description="from what happens at the venue to its report's arrival, ns"
    )
    feed_latency_ns: int = Field(
        0, ge=0, le=60_000_000_000, description="from an event at the venue to the decision that it leads to, ns"
    )
    order_latency_quantiles_ns: tuple[int, ...] = Field(
        (), max_length=QUANTILES_MAX, description="recorded latencies' quantiles, in place of order_latency_ns, ns"
    )
    report_latency_quantiles_ns: tuple[int, ...] = Field(
        (), max_length=QUANTILES_MAX, description="the same in place of report_latency_ns, ns"
    )
    feed_latency_quantiles_ns: tuple[int, ...] = Field(
        (), max_length=QUANTILES_MAX, description="the same in place of feed_latency_ns, ns"
    )
    queue_model: QueueModel = Field(QueueModel.RISK_AVERSE, description="who leaves a queue when lots are withdrawn")
    queue_power: float = Field(2.0, ge=0.1, le=10.0, description="exponent of the probabilistic queue model")
    max_walk_levels: int = Field(
        10, ge=1, le=WALK_LEVELS_MAX, description="most price levels that one order takes from the book on arrival"
    )
    protection_ppm: int = Field(
        5_000,
        ge=0,
        le=1_000_000,
        description="a market order trades no further from the touch it meets than this, millionths of that price",
    )
    impact_coefficient: float = Field(
        0.5, ge=0.0, le=10.0, description="Y of the square-root law, see exchange/impact.py; 0: no impact"
    )
    impact_half_life_ns: int = Field(
        600_000_000_000, ge=1_000_000, le=24 * _HOUR_NS, description="half of the own volume's impact is gone after, ns"
    )
    reject_probability: float = Field(0.0, ge=0.0, le=1.0, description="share of orders refused without a cause")
    messages_per_second: int = Field(0, ge=0, le=1_000_000, description="orders, cancels, replaces; 0: no limit")
    message_burst: int = Field(10, ge=1, le=1_000_000, description="messages at once before the limit binds")
    max_order_lots: int = Field(0, ge=0, le=2**31 - 1, description="larger orders are refused, lots; 0: no limit")
    price_band_ppm: int = Field(
        0, ge=0, le=1_000_000, description="limits further beyond the touch are refused, millionths; 0: no limit"
    )
    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.CANCEL_RESTING
    seed: int = Field(7, ge=0, le=2**63 - 1, description="of drawn latencies and refusals")

    @field_validator("order_latency_quantiles_ns", "report_latency_quantiles_ns", "feed_latency_quantiles_ns")
    @classmethod
    def _ascend(cls, quantiles: tuple[int, ...]) -> tuple[int, ...]:
        if list(quantiles) != sorted(quantiles) or any(not 0 <= q <= 60_000_000_000 for q in quantiles):
            raise ValueError(f"{list(quantiles)[:5]}…: expected ascending latencies from 0 to 60,000,000,000 ns")
        return quantiles


VENUE_DTYPE = np.dtype(
    [
        *((name, record_dtype(VenueSettings)[name]) for name in record_dtype(VenueSettings).names or ()),
        ("queue_model", "<i8"),  # QueueModelCode
        ("self_trade_prevention", "<i8"),  # SelfTradeCode
        # quantile tables: a constant latency is a table of one
        *((f"{leg}_quantiles_ns", "<i8", (QUANTILES_MAX,)) for leg in _LEGS),
        *((f"{leg}_quantiles", "<i8") for leg in _LEGS),  # how many are in use, at least 1
    ],
    align=True,
)


def venue_record(settings: VenueSettings) -> np.ndarray[Any, Any]:
    """Return the kernel form of ``settings``: VENUE_DTYPE, shape (1,)."""
    record, scalars = np.zeros(1, VENUE_DTYPE), to_record(settings)
    for name in scalars.dtype.names or ():
        record[name] = scalars[name]
    record["queue_model"] = QueueModelCode[settings.queue_model.name]
    record["self_trade_prevention"] = SelfTradeCode[settings.self_trade_prevention.name]
    for leg in _LEGS:
        table = getattr(settings, f"{leg}_latency_quantiles_ns") or (getattr(settings, f"{leg}_latency_ns"),)
        record[f"{leg}_quantiles_ns"][0, : len(table)] = table
        record[f"{leg}_quantiles"] = len(table)
    return record
