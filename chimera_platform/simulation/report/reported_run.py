"""What a report is about: the rows of a run and what has been computed of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from chimera_platform.portfolio.performance import Performance

if TYPE_CHECKING:
    from chimera_platform.simulation.backtest.run import BacktestResult

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class ReportedRun:
    """A run, or a day of one.

    Attributes
    ----------
    title : heading of the page.
    description : where the events came from.
    symbols : by instrument_id.
    events : how many there were.
    notes : further facts for the head of the page.
    digest : of intents, orders and fills; None of a part of a run.
    starting_equity : currency units.
    event_days : DAY_DTYPE rows.
    intents, decisions, orders, fills, marks : rows with at least
        :data:`~chimera_platform.simulation.backtest.ledger.SUMMARY_FIELDS`.
    trades : TRADE_DTYPE rows.
    metrics, monte_carlo : as of a backtest.
    settings : those in force, by section.
    """

    title: str
    description: str
    symbols: tuple[str, ...]
    events: int
    notes: tuple[str, ...]
    digest: str | None
    starting_equity: float
    event_days: Array
    intents: Array
    decisions: Array
    orders: Array
    fills: Array
    marks: Array
    trades: Array
    metrics: Performance
    monte_carlo: dict[str, Any]
    settings: dict[str, Any]


def of_backtest(result: BacktestResult) -> ReportedRun:
    """Return what a report of a backtest is about."""
    return ReportedRun(
        title=f"Backtest of {', '.join(result.symbols)}",
        description=result.description,
        symbols=result.symbols,
        events=result.events,
        notes=(f"decided at {result.events_per_second:,.0f} events a second",),
        digest=result.digest,
        starting_equity=result.starting_equity,
        event_days=result.event_days,
        intents=result.intents,
        decisions=result.decisions,
        orders=result.orders,
        fills=result.fills,
        marks=result.marks,
        trades=result.trades,
        metrics=result.metrics,
        monte_carlo=result.monte_carlo,
        settings=result.settings,
    )
