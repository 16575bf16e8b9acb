"""Plots and tables of the detectors' signals for Dagster's pages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import dagster as dg
from matplotlib.axes import Axes

from chimera_platform.signals.forward_returns import HORIZONS_NS, horizon_names
from chimera_platform.signals.lift import FEW, Estimate
from pipelines.detector_scorecard import ALL, SignalEdge
from pipelines.plots import BLUE, GREY, ORANGE, figure_of, markdown_of

_SHADES = ("#2b6cb0", "#dd6b20", "#2f855a", "#805ad5", "#c53030", "#718096", "#b7791f", "#319795")


def detections_plot(by_day: Mapping[str, Mapping[str, int]]) -> dg.MarkdownMetadataValue:
    """Draw how often each signal spoke, stacked by day."""
    figure, (ax,) = figure_of(height=2.8)
    days = list(next(iter(by_day.values()), {}))
    base = [0] * len(days)
    for (name, counts), colour in zip(by_day.items(), _SHADES, strict=False):
        heights = [counts[day] for day in days]
        if any(heights):
            ax.bar(days, heights, bottom=base, color=colour, label=name.replace("_", " "))
            base = [a + b for a, b in zip(base, heights, strict=True)]
    ax.set_ylabel("signals")
    ax.tick_params(axis="x", labelrotation=30)
    if any(base):
        ax.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return markdown_of(figure, "signals by day")


def scorecard_plots(found: Sequence[SignalEdge]) -> dict[str, dg.MarkdownMetadataValue]:
    """Draw for each symbol the mean forward return and the share that moved the signal's way, by signal and horizon.

    Signals with fewer than ``FEW`` moments are left out: their curves say nothing.
    """
    plots = {}
    for symbol in dict.fromkeys(each.symbol for each in found):
        own = [e for e in found if e.symbol == symbol and e.part == ALL]
        signals = [s for s in dict.fromkeys(e.signal for e in own) if _count(own, s) >= FEW]
        if not signals:
            continue
        columns = min(2, len(signals))
        rows = math.ceil(len(signals) / columns)
        figure, axes = figure_of(2 * columns, width=6.0 * columns, height=2.8 * rows, rows=rows)
        for k, signal in enumerate(signals):
            mine = sorted((e for e in own if e.signal == signal), key=lambda e: e.horizon)
            title = f"{signal.replace('_', ' ')}, n {_count(own, signal)}"
            _curve(axes[2 * k], [e.edge.ticks for e in mine], 0.0, BLUE, "mean return, ticks", title)
            _curve(axes[2 * k + 1], [e.edge.way for e in mine], 0.5, ORANGE, "share its way", title)
        for ax in axes[2 * len(signals) :]:
            ax.set_axis_off()
        plots[f"returns {symbol}"] = markdown_of(figure, f"forward returns on {symbol}")
    return plots


def _count(found: Sequence[SignalEdge], signal: str) -> int:
    return max(e.edge.known for e in found if e.signal == signal)


def _curve(ax: Axes, estimates: Sequence[Estimate], nothing: float, colour: str, label: str, title: str) -> None:
    """Draw figures by horizon with their intervals; the level that says nothing is the grey line."""
    places = range(len(HORIZONS_NS))
    ax.axhline(nothing, color=GREY, linewidth=0.8)
    ax.plot(places, [e.value for e in estimates], color=colour, marker="o", markersize=3)
    for place, e in zip(places, estimates, strict=True):
        if math.isfinite(e.low):
            ax.plot([place, place], [e.low, e.high], color=colour, linewidth=2.5, alpha=0.35, solid_capstyle="butt")
    ax.set_xticks(list(places), list(horizon_names()))
    ax.set_ylabel(label, fontsize=8)
    ax.set_title(title, fontsize=9)
    ax.tick_params(labelsize=8)


def scorecard_markdown(found: Sequence[SignalEdge]) -> dg.MarkdownMetadataValue:
    """Return the table of all cells that have a return; those of few moments say so."""
    lines = [
        "| symbol | signal | part | after | n | lift | way | mean, ticks | |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for each in found:
        e = each.edge
        if e.known:
            name, after = each.signal.replace("_", " "), horizon_names()[each.horizon]
            figures = " | ".join(_text(x) for x in (e.lift, e.way, e.ticks))
            part = each.part.replace("_", " ")
            lines.append(f"| {each.symbol} | {name} | {part} | {after} | {e.known} | {figures} | {_said(each)} |")
    return dg.MetadataValue.md("\n".join(lines))


def _text(e: Estimate) -> str:
    if not math.isfinite(e.value):
        return "–"
    return f"{e.value:.2f}" + (f" [{e.low:.2f}, {e.high:.2f}]" if math.isfinite(e.low) else "")


def _said(each: SignalEdge) -> str:
    e = each.edge
    if e.known < FEW:
        return f"few (n < {FEW})"
    if not math.isfinite(e.ticks.low):
        return "too short"
    if not e.ticks.leaves_out(0.0):
        return "no edge shown"
    return "**its way**" if e.ticks.value > 0 else "**against it**"
