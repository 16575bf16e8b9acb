"""How often the coordinator does what need not be done at every event."""

from __future__ import annotations

from pydantic import Field

from chimera_platform.settings import Settings


class CoordinationSettings(Settings):
    """The coordinator's clock: what is estimated, watched or balanced over time is done when it ticks.

    A tick is the first event at or after each whole interval of event time, so it falls on the same events in a
    backtest, a replay and a live run.
    """

    clock_interval_ns: int = Field(
        1_000_000_000, ge=10_000_000, le=60_000_000_000, description="time between ticks, ns of event time"
    )
