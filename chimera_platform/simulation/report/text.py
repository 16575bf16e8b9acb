"""The report in a few lines of text."""

from __future__ import annotations

from typing import Any

from chimera_platform.execution.records import Liquidity
from chimera_platform.portfolio.breakdown import breakdown
from chimera_platform.portfolio.execution_costs import PARTS, fill_costs, order_outcomes
from chimera_platform.portfolio.ratios import plain
from chimera_platform.simulation.report.reported_run import ReportedRun


def summary_lines(run: ReportedRun) -> dict[str, Any]:
    """Return performance and execution quality as plain values: metrics, by engine and strategy, costs, nulls."""
    costs, outcomes, lots = fill_costs(run.fills), order_outcomes(run.orders), int(run.fills["size"].sum())
    made = int(run.fills["size"][run.fills["liquidity"] == Liquidity.MAKER].sum())
    by = {
        key: {row["group"]: row["net_profit"] for row in breakdown(run.trades, key, run.symbols).iter_rows(named=True)}
        for key in ("engine", "strategy", "symbol", "session", "regime")
    }
    return {
        "events": run.events,
        "days": len(run.event_days),
        "metrics": run.metrics.as_dict(),
        "net_profit_by": by,
        "execution": {
            "orders": outcomes["orders"],
            "fill_ratio": plain(outcomes["fill_ratio"]),
            "maker_share": made / lots if lots else None,
            **{name: int(costs[name].sum()) / 2e9 for name in PARTS},
        },
        "p_value_of_entries": (run.monte_carlo["null"] or {}).get("p_value"),
        "p_value_of_sides": (run.monte_carlo["null_sides"] or {}).get("p_value"),
        "seed": run.monte_carlo["seed"],
    }
