"""The simulated venue: orders meet the replayed book, in event time."""

from __future__ import annotations

from pydantic import Field

from chimera_platform.settings import Settings

WALK_LEVELS_MAX = 64


class VenueSettings(Settings):
    """How the simulated venue treats orders."""

    order_latency_ns: int = Field(
        5_000_000, ge=0, le=60_000_000_000, description="from sending an order or a cancel to the venue's book, ns"
    )
    max_walk_levels: int = Field(
        10, ge=1, le=WALK_LEVELS_MAX, description="most price levels that one order takes from the book on arrival"
    )
    protection_ppm: int = Field(
        5_000,
        ge=0,
        le=1_000_000,
        description="a market order trades no further from the touch it meets than this, millionths of that price",
    )
