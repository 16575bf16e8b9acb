"""The decision path's volume by price: the session under way, the one before, and the nodes that are no noise.

A session begins at 00:00 UTC. Prints are counted in bins of 2^n ticks, n as small as the session's range allows:
whenever a print lies beyond the span, neighbouring bins are joined. Levels and nodes are measured again at most so
often, and only once the volume has grown, so that an event costs one comparison and a print a few more.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from chimera_platform.microstructure.volume_profile import HISTOGRAM_DTYPE, LEVELS_DTYPE
from chimera_platform.settings import Settings

NODES_MAX = 16


class SessionProfileSettings(Settings):
    """How the session's profile is binned, and how often and how strictly it is searched for nodes."""

    finest_bin: int = Field(0, ge=0, le=20, description="smallest bin, as power of two of the tick")
    value_area_permille: int = Field(700, ge=1, le=1000, description="share of volume in the value area, per mille")
    levels_growth_permille: int = Field(
        50, ge=1, le=10_000, description="the value area is measured again when volume grew by this share, per mille"
    )
    levels_seconds: int = Field(60, ge=1, le=86_400, description="and not before this, seconds")
    nodes_growth_permille: int = Field(
        500, ge=1, le=10_000, description="nodes are searched again when volume grew by this share, per mille"
    )
    nodes_bandwidth: float = Field(2.0, ge=0.5, le=4.0, description="Gaussian smoothing, search bins")
    nodes_level: float = Field(0.05, ge=0.02, le=0.5, description="false discovery rate of nodes")
    nodes_draws: int = Field(99, ge=49, le=399, description="bootstrap profiles")
    seed: int = Field(7, ge=0, le=2**62, description="of the bootstrap")


SESSION_PROFILE_DTYPE = np.dtype(
    [
        ("session", HISTOGRAM_DTYPE),  # since 00:00 UTC; bins of 2^bin_power ticks
        ("developing", LEVELS_DTYPE),  # of the session under way, ticks and lots; the POC is of this moment
        ("finished", LEVELS_DTYPE),  # of the last session with prints, ticks and lots
        ("node_count", "<i8"),  # those of the finished session first, then the developing one's; by price in each
        ("node_high", "<i8", (NODES_MAX,)),  # ticks: high-volume node
        ("node_low", "<i8", (NODES_MAX,)),  # ticks: low-volume node that parts it from higher ground
        ("node_strength", "<f8", (NODES_MAX,)),  # standard errors of a root count, about
        ("node_finished", "<i8"),  # how many of them are the finished session's
        ("next_ts", "<i8"),  # ns UTC: before this there is nothing to do but count prints
    ]
)
