"""Plots for Dagster's pages: small PNGs inside Markdown."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Any

import dagster as dg
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chimera_platform.execution.records import Engine
from chimera_platform.workdir import WorkDir
from warehouse.connection import connect

BLUE, ORANGE, GREY, RED, GREEN = "#2b6cb0", "#dd6b20", "#a0aec0", "#c53030", "#2f855a"
_INPUTS_SHOWN = 12  # of the signal model, by gain


def figure_of(columns: int = 1, width: float = 7.0, height: float = 3.0, rows: int = 1) -> tuple[Figure, list[Axes]]:
    """Return a figure, sizes in inches, and its axes row by row."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = [figure.add_subplot(rows, columns, k + 1) for k in range(rows * columns)]
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes


def markdown_of(figure: Figure, title: str) -> dg.MarkdownMetadataValue:
    """Return the figure as Markdown with a small PNG in it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()})")


def days_plot(counts: Mapping[str, float], what: str) -> dg.MarkdownMetadataValue:
    """Draw one bar a day."""
    figure, (ax,) = figure_of(height=2.5)
    ax.bar(list(counts), list(counts.values()), color=BLUE)
    ax.set_ylabel(what)
    ax.tick_params(axis="x", labelrotation=30)
    return markdown_of(figure, f"{what} by day")


def profit_plot(workdir: WorkDir) -> dg.MarkdownMetadataValue:
    """Draw net profit by day and engine, summed over runs and symbols."""
    connection = connect(workdir)
    try:
        rows = connection.execute(
            "SELECT engine, CAST(day AS VARCHAR), sum(pnl) FROM core.engine_pnl_daily GROUP BY ALL ORDER BY ALL"
        ).fetchall()
    finally:
        connection.close()
    figure, (ax,) = figure_of(height=2.8)
    colours = dict(zip((engine.name.lower() for engine in Engine), (BLUE, ORANGE, GREEN, RED), strict=True))
    for engine in sorted({row[0] for row in rows}):
        colour, mine = colours.get(engine, GREY), [(day, pnl) for name, day, pnl in rows if name == engine]
        ax.plot([day for day, _ in mine], [pnl for _, pnl in mine], marker="o", color=colour, label=engine)
    ax.axhline(0.0, color=GREY, linewidth=0.8)
    ax.set_ylabel("net profit, currency")
    ax.tick_params(axis="x", labelrotation=30)
    if rows:
        ax.legend(frameon=False)
    return markdown_of(figure, "net profit by day")


def outcomes_plot(won: Mapping[str, int], lost: Mapping[str, int], unlabelled: Mapping[str, int]) -> Any:
    """Draw what became of the intents, stacked by day."""
    figure, (ax,) = figure_of(height=2.8)
    days, base = list(won), [0] * len(won)
    for name, part, colour in (("won", won, BLUE), ("lost", lost, ORANGE), ("unlabelled", unlabelled, GREY)):
        heights = [part[day] for day in days]
        ax.bar(days, heights, bottom=base, color=colour, label=name)
        base = [a + b for a, b in zip(base, heights, strict=True)]
    ax.set_ylabel("intents")
    ax.tick_params(axis="x", labelrotation=30)
    ax.legend(frameon=False)
    return markdown_of(figure, "outcomes of intents by day")


def attribution_plot(engines: Mapping[str, Mapping[str, float]]) -> dg.MarkdownMetadataValue:
    """Draw each engine's parts and what they leave."""
    figure, (ax,) = figure_of(height=2.8)
    parts = (
        ("mid_alpha", 1, BLUE),
        ("spread", -1, ORANGE),
        ("slippage", -1, RED),
        ("fee", -1, GREY),
        ("net", 1, "black"),
    )
    width = 0.16
    for k, (name, sign, colour) in enumerate(parts):
        values = [sign * engine[name] for engine in engines.values()]
        ax.bar([n + (k - 2) * width for n in range(len(engines))], values, width, color=colour, label=name)
    ax.set_xticks(range(len(engines)), list(engines))
    ax.axhline(0.0, color=GREY, linewidth=0.8)
    ax.set_ylabel("currency")
    ax.legend(frameon=False, ncols=5, fontsize=8)
    return markdown_of(figure, "where the profit came from")


def model_plot(challenger: Mapping[str, Any]) -> dg.MarkdownMetadataValue:
    """Draw the calibration on unseen days, the threshold curve, and what the model looks at."""
    figure, (calibration, threshold, importance) = figure_of(3, width=12.0, height=3.2)
    table = challenger.get("evaluation", {}).get("calibration", [])
    calibration.plot([0, 1], [0, 1], color=GREY, linewidth=0.8)
    calibration.plot([r["predicted"] for r in table], [r["won"] for r in table], marker="o", color=BLUE)
    calibration.set(xlabel="predicted", ylabel="won", title="calibration, unseen days")
    curve = challenger["report"]["threshold_curve"]
    threshold.plot([r["threshold"] for r in curve], [r["net_bps_sum"] for r in curve], color=BLUE)
    threshold.axvline(challenger["threshold"], color=ORANGE)
    threshold.set(xlabel="threshold", ylabel="net value kept, bps", title="threshold, validation")
    gains = sorted(challenger["report"]["importance"].items(), key=lambda item: item[1])[-_INPUTS_SHOWN:]
    importance.barh([name for name, _ in gains], [gain for _, gain in gains], color=BLUE)
    importance.tick_params(axis="y", labelsize=7)
    importance.set_title(f"gain of the first {len(gains)} inputs")
    return markdown_of(figure, "signal model")


def weights_plot(weights: Mapping[str, float]) -> dg.MarkdownMetadataValue:
    """Draw the engine weights."""
    figure, (ax,) = figure_of(width=4.0, height=2.2)
    ax.bar(list(weights), list(weights.values()), color=BLUE)
    ax.set(ylim=(0, 1.05), ylabel="weight")
    return markdown_of(figure, "engine weights")


def gates_markdown(gates: list[dict[str, Any]]) -> dg.MarkdownMetadataValue:
    """Return the gates as a table."""
    lines = ["| gate | passed | reason |", "|---|---|---|"]
    lines += [f"| {gate['gate']} | {'yes' if gate['passed'] else '**no**'} | {gate['reason']} |" for gate in gates]
    return dg.MetadataValue.md("\n".join(lines))
