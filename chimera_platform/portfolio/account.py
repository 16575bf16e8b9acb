"""The trading account: its settings and its running totals, exact in integer nanos of one currency."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
from pydantic import Field

from chimera_platform.execution.records import ENGINE_COUNT
from chimera_platform.settings import Settings

MAX_NOTIONAL_NANOS = 1 << 61
"""Largest notional, 2.3e9 of the currency, that a position, an order or all exposure together may reach.

Caps are clamped to it and fills and valuations are checked against it, so that cash + value, whose parts are
each within twice this bound, never leaves int64.
"""


class AccountSettings(Settings):
    """The account that the coordinator trades."""

    name: str = Field("main", pattern=r"^[A-Za-z0-9_-]{1,32}$", description="name; the coordinator's key in the flow")
    starting_equity: Decimal = Field(
        Decimal(1_000_000), gt=0, le=1_000_000_000, description="cash at the start of a run, in the account's currency"
    )
    mark_interval_ns: int = Field(
        60_000_000_000,
        ge=1_000_000,
        le=86_400_000_000_000,
        description="event time between two marks of an open position, ns",
    )

    @property
    def starting_equity_nanos(self) -> int:
        """Cash at the start of a run, in nanos of the account's currency."""
        return int(self.starting_equity * 1_000_000_000)


CLOSING_COMMAND, CLOSING_BREAKER = 1, 2
"""Who wants the account flat: a command (the kill switch among them), the circuit breaker."""

ACCOUNT_DTYPE = np.dtype(
    [
        ("starting_nanos", "<i8"),  # cash at the start of the run
        ("cash_nanos", "<i8"),  # starting cash + cash of all fills - fees
        ("value_nanos", "<i8"),  # sum of the positions' values at their last known mid
        ("realised_nanos", "<i8"),  # before fees
        ("fees_nanos", "<i8"),  # paid; negative: net rebates
        ("peak_equity_nanos", "<i8"),  # highest equity so far
        ("max_drawdown_nanos", "<i8"),  # deepest fall below the peak so far
        ("committed_nanos", "<i8"),  # of all engines and instruments, see chimera_platform.portfolio.exposure
        ("reserved_nanos", "<i8"),
        ("engine_committed_nanos", "<i8", (ENGINE_COUNT,)),  # by engine, in all instruments
        ("engine_reserved_nanos", "<i8", (ENGINE_COUNT,)),
        ("engine_weight", "<f8", (ENGINE_COUNT,)),  # in force: scales the engine's cap
        ("next_intent_no", "<i8"),
        ("next_order_no", "<i8"),
        ("next_order_event_no", "<i8"),
        ("next_fill_no", "<i8"),
        ("next_mark_no", "<i8"),
        ("next_risk_event_no", "<i8"),
        ("next_risk_mark_no", "<i8"),
        ("open_positions", "<i8"),  # (instrument, engine) with a position or a working entry
        ("refused_reports", "<i8"),  # of venues, that contradict what is known or belong to no order
        ("order_time_index", "<i8"),  # oldest entry of the ring of send times
        ("release_no", "<i4"),  # the release in force
        ("fault", "<i4"),  # 0, or the Fault that stops the run
        ("closing", "u1"),  # 0, or why there is no new risk and positions are closed: a sum of CLOSING_…
    ]
)
