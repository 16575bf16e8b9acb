"""What the fitted microprices look like, for Dagster's page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from pipelines.plots import figure_of, markdown_of

PLOTTED_MAX = 6  # instruments, the first by symbol


def microprice_plot(accepted: Mapping[str, Mapping[str, Any]]) -> dg.MarkdownMetadataValue:
    """Draw the adjustment against the imbalance, a line a spread row, a panel an instrument."""
    shown = list(accepted)[:PLOTTED_MAX]
    columns = min(max(len(shown), 1), 3)
    rows = -(-max(len(shown), 1) // columns)
    figure, axes = figure_of(columns, width=4.0 * columns, height=3.0 * rows, rows=rows)
    for ax in axes[len(shown) :]:
        ax.set_axis_off()
    for symbol, ax in zip(shown, axes, strict=False):
        table = accepted[symbol]
        bins, step, lines = table["imbalance_bins"], table["spread_step"], table["rows"]
        middles = [(j + 0.5) / bins for j in range(bins)]
        for k, line in enumerate(lines):
            last = "" if k + 1 < len(lines) else " and wider"
            ax.plot(middles, line, marker="o", markersize=3, label=f"to {(k + 1) * step} ticks{last}")
        ax.set(title=symbol, xlabel="queue imbalance", ylabel="microprice - mid, half ticks")
        ax.legend(frameon=False, fontsize=7, title="spread", title_fontsize=7)
    return markdown_of(figure, "fitted microprices")


def trials_markdown(trials: Mapping[str, Mapping[str, Any]]) -> dg.MarkdownMetadataValue:
    """Return the trials as a table."""
    lines = [
        "| symbol | days | states | error of the mid | of the microprice | accepted |",
        "|---|---|---|---|---|---|",
    ]
    for symbol, trial in trials.items():
        errors = ["" if trial[name] is None else f"{trial[name]:.4g}" for name in ("error_mid", "error_fitted")]
        verdict = f"no: {trial['reason']}" if trial["reason"] else "yes"
        lines.append(f"| {symbol} | {len(trial['days'])} | {trial['states']:,} | {' | '.join(errors)} | {verdict} |")
    return dg.MetadataValue.md("\n".join(lines))
