"""The report's charts: equity and drawdown, cones of resampled paths, and the nulls' distributions."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.simulation.report.drawing import Chart, legend, thinned
from chimera_platform.simulation.report.reported_run import ReportedRun

Array = np.ndarray[Any, Any]


def equity_charts(run: ReportedRun) -> str:
    """Return the account's equity and how far it was below its peak, over time."""
    if len(run.marks) == 0:
        return '<p class="note">Nothing was traded: equity stayed as it was.</p>'
    start = run.event_days["first_ts"][0] if len(run.event_days) else run.marks["ts_event"][0]
    ts = np.concatenate([[start], run.marks["ts_event"]])
    equity = np.concatenate([[run.starting_equity], run.marks["equity_nanos"] / 1e9])
    below = equity - np.maximum.accumulate(equity)
    span = float(ts[0]), float(ts[-1])
    upper = Chart("Equity over time", span, _room(equity))
    upper.line(np.array(span), np.full(2, run.starting_equity), "zero")
    upper.steps(*thinned(ts, equity), "line")
    lower = Chart("Equity below its peak over time", span, (float(below.min()) * 1.05, 0.0), height=150)
    x, y = thinned(ts, below)
    lower.band(np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1], np.zeros(2 * len(y) - 1), "fall")
    return (
        f"<figure>{upper.svg('time')}<figcaption>Equity, at every mark</figcaption></figure>"
        f"<figure>{lower.svg('time')}<figcaption>Below the peak</figcaption></figure>"
    )


def cone_charts(cone: dict[str, Any] | None, actual: Array, unit: str) -> str:
    """Return the quantiles of resampled profit and drawdown along the path, with the path that was.

    Parameters
    ----------
    cone : of a summary; None: nothing to draw.
    actual : profit of each trade or day, in the order in which they came, currency units.
    unit : what the path is counted in.
    """
    if cone is None or len(actual) == 0:
        return '<p class="note">Too little to resample.</p>'
    at = np.array(cone["at"])
    curve = np.concatenate([[0.0], np.cumsum(actual)])
    fall = np.maximum.accumulate(np.maximum.accumulate(curve) - curve)
    drawn = []
    for name, values, caption in (
        ("profit", curve, "Profit"),
        ("drawdown", fall, "Deepest fall below the peak so far"),
    ):
        quantiles = {q: np.array(v) for q, v in cone[name].items()}
        everything = np.concatenate([*quantiles.values(), values])
        chart = Chart(f"{caption} by number of {unit}", (0.0, float(at[-1])), _room(everything), height=230)
        chart.band(at, quantiles["0.05"], quantiles["0.95"], "wide")
        chart.band(at, quantiles["0.25"], quantiles["0.75"], "middle")
        chart.line(at, quantiles["0.5"], "median")
        chart.line(*thinned(np.arange(len(values)), values), "line")
        drawn.append(f"<figure>{chart.svg('count')}<figcaption>{caption}, by {unit}</figcaption></figure>")
    keys = legend(
        [("line", "this run"), ("median", "median path"), ("middle", "half of the paths"), ("wide", "nine in ten")]
    )
    return "".join(drawn) + keys


def null_chart(null: dict[str, Any] | None, title: str) -> str:
    """Return the totals of a null's paths with what was earned."""
    if null is None or null["histogram"] is None:
        return '<p class="note">No trade to hold against chance.</p>'
    edges, counts = np.array(null["histogram"]["edges"]), np.array(null["histogram"]["counts"], float)
    observed = null["observed"]
    low, high = _room(np.append(edges, observed))
    chart = Chart(title, (low, high), (0.0, float(counts.max()) * 1.08), height=200)
    chart.bars(edges, counts, "bar")
    chart.upright(observed, "observed", f"this run {observed:,.2f}")
    return f"<figure>{chart.svg()}<figcaption>{title}: paths by total profit</figcaption></figure>"


def _room(values: Array) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    room = (high - low) * 0.04
    return low - room, high + room
