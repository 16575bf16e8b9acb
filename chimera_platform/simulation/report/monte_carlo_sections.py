"""The report's answers to how much luck there is in the result."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.portfolio.daily_returns import daily_equity
from chimera_platform.simulation.report.charts import cone_charts, null_chart
from chimera_platform.simulation.report.formatting import money, number, percent, section, table, words
from chimera_platform.simulation.report.reported_run import ReportedRun

DAYS_OF_A_CONE = 10
_FIGURES = (
    "mean", "median", "std", "best", "worst", "var_95", "expected_shortfall_95", "probability_of_profit",
    "drawdown_median", "drawdown_95",
)  # fmt: skip
_KINDS = (
    ("trades", "trades in blocks"),
    ("by_days", "days in blocks"),
    ("null", "entries at random"),
    ("null_sides", "sides at random"),
)


def resampling_section(run: ReportedRun) -> str:
    """Return the cones of resampled trades, and of days where there are ten or more, and all kinds' figures."""
    carlo = run.monte_carlo
    closed = run.trades[run.trades["position"] == 0]
    profits = closed["net_nanos"][np.argsort(closed["ts_close"], kind="stable")] / 1e9
    parts = [_figures(carlo), "<h3>Trades in blocks</h3>", cone_charts(carlo["cone"], profits, "trades")]
    if carlo["by_days"]["cone"] is not None and len(run.event_days) >= DAYS_OF_A_CONE:
        equity = daily_equity(run.marks, run.event_days["day"], run.starting_equity)
        daily = np.diff(equity, prepend=run.starting_equity)
        parts += ["<h3>Days in blocks</h3>", cone_charts(carlo["by_days"]["cone"], daily, "days")]
    length = carlo["block_length"]
    blocks = (
        f" Blocks of trades are {length:.1f} long on average, as the trades' own dependence asks for." if length else ""
    )
    count = len(run.event_days)
    few = f" {count} days are few: mixtures of them say little." if 1 < count < DAYS_OF_A_CONE else ""
    return section(
        "How much luck is in the result",
        *parts,
        note=f"{carlo['paths']:,} paths each, seed {carlo['seed']}; the stationary bootstrap of trades and of days "
        f"keeps winning and losing spells together.{blocks}{few} VaR and expected shortfall are losses of the total, "
        "at 95 %.",
        anchor="monte-carlo",
    )


def null_section(run: ReportedRun) -> str:
    """Return what the same trades would have brought at random times, and with random sides."""
    entries, sides = run.monte_carlo["null"], run.monte_carlo["null_sides"]
    return section(
        "Do the decisions know something",
        _verdict("Entries", entries),
        null_chart(entries, "The same trades at random times"),
        _verdict("Sides", sides),
        null_chart(sides, "The same trades with random sides"),
        note="Each path keeps the trades' sizes, holding times, spreads and fees. Entries: laid anew, without overlap, "
        "over all time of the same session and market. Sides: bought or sold at random at the same times. p is the "
        "share of paths, this run counted among them, that did at least as well.",
        anchor="nulls",
    )


def _verdict(what: str, null: dict[str, Any] | None) -> str:
    if null is None or null["p_value"] is None:
        return ""
    left = f"; {null['left_out']} trades of markets without a mid are left out" if null.get("left_out") else ""
    p = null["p_value"]
    judged = "better than chance, at 5 %" if p <= 0.05 else "no better than chance can be"
    return (
        f"<p><b>{what}: {judged}.</b> p = {p:.3f}: the run earned {money(null['observed'])}, "
        f"chance {money(null['mean'])} on average (90 % of it within {money(null['quantiles']['0.05'])} and "
        f"{money(null['quantiles']['0.95'])}), over {null['trades']:,} trades{left}.</p>"
    )


def _figures(carlo: dict[str, Any]) -> str:
    kinds = [(name, carlo if key == "trades" else carlo[key]) for key, name in _KINDS]
    present = [(name, kind) for name, kind in kinds if kind is not None and kind["mean"] is not None]
    rows = [
        (
            words(figure),
            *((percent if figure == "probability_of_profit" else money)(kind[figure]) for _, kind in present),
        )
        for figure in _FIGURES
    ]
    rows.append(("p value", *(number(kind.get("p_value")) for _, kind in present)))
    return table(("total profit of a path", *(name for name, _ in present)), rows) if present else ""
