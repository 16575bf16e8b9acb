"""The backtest's report: one HTML file that needs nothing beside it."""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chimera_platform.errors import DataError
from chimera_platform.execution.records import DecisionReason, Engine
from chimera_platform.portfolio.performance import PERCENT_METRICS
from chimera_platform.simulation.backtest import BacktestResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_POINTS_MAX = 4_000
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #222; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; } td, th { padding: .15rem .8rem .15rem 0; text-align: left; }
td.number { text-align: right; font-variant-numeric: tabular-nums; } img { max-width: 100%; }
code { word-break: break-all; color: #555; } .columns { display: flex; gap: 3rem; flex-wrap: wrap; }
"""


def write_report(result: BacktestResult, path: Path) -> None:
    """Write metrics, equity, Monte Carlo, engines and refusals of a backtest as one HTML page.

    The page is written beside ``path`` and then put in its place, so it is never seen half-written.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(_page(result), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise DataError(f"{path}: cannot write the report: {error.strerror or error}") from error


def _page(result: BacktestResult) -> str:
    carlo = result.monte_carlo
    quantiles = carlo["quantiles"] or {}
    sections = [
        f"<h1>Backtest of {html.escape(', '.join(result.symbols))}</h1>",
        f"<p>{result.events:,} events at {result.events_per_second:,.0f} a second, digest<br>"
        f"<code>{result.digest}</code></p>",
        f'<img alt="equity and drawdown" src="data:image/png;base64,{_equity_plot(result)}">',
        '<div class="columns"><div><h2>Account</h2>',
        _table([(name, _text(name, value)) for name, value in result.metrics.as_dict().items()]),
        "</div><div><h2>Engines</h2>",
        _engines(result),
        "<h2>Decisions</h2>",
        _table([(name, f"{count:,}") for name, count in _decisions(result)]),
        f"<h2>Monte Carlo</h2><p>{carlo['paths']:,} resamplings of {carlo['trades']:,} closed trades</p>",
        _table(
            [(f"total, {float(q):.0%} quantile", _text("", v)) for q, v in quantiles.items()]
            + [(name, _text(name, carlo[name])) for name in carlo if _is_shown(name, carlo[name])]
        ),
        "</div></div><h2>Source</h2>",
        f"<p><code>{html.escape(result.description)}</code></p>",
    ]
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Backtest</title><style>{_STYLE}</style>'
    return head + "".join(sections) + "</html>\n"


def _is_shown(name: str, value: Any) -> bool:
    return name not in ("paths", "trades") and not isinstance(value, dict)


def _engines(result: BacktestResult) -> str:
    names = list(result.engine_metrics)
    head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    rows = []
    for metric in next(iter(result.engine_metrics.values())):
        cells = "".join(
            f'<td class="number">{_text(metric, result.engine_metrics[name][metric])}</td>' for name in names
        )
        rows.append(f"<tr><td>{metric.replace('_', ' ')}</td>{cells}</tr>")
    return f"<table><tr><th></th>{head}</tr>{''.join(rows)}</table>"


def _decisions(result: BacktestResult) -> list[tuple[str, int]]:
    counts = np.bincount(result.decisions["reason"], minlength=len(DecisionReason))
    intents = [(f"intents {e.name.lower()}", int((result.intents["engine"] == e).sum())) for e in Engine]
    return intents + [(r.name.lower(), int(counts[r])) for r in DecisionReason if counts[r]]


def _table(rows: list[tuple[str, str]]) -> str:
    cells = (f'<tr><td>{html.escape(n.replace("_", " "))}</td><td class="number">{v}</td></tr>' for n, v in rows)
    return f"<table>{''.join(cells)}</table>"


def _text(name: str, value: Any) -> str:
    if value is None:
        return "–"
    if name in PERCENT_METRICS:
        return f"{value:.2%}"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


def _equity_plot(result: BacktestResult) -> str:
    """Return a PNG of equity and drawdown over time, base64."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.5), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    marks = result.marks[_thinned(len(result.marks))]
    equity = np.concatenate([[result.starting_equity], marks["equity_nanos"] / 1e9])
    times = marks["ts_event"].astype("datetime64[ns]")
    times = np.concatenate([times[:1], times]) if len(times) else np.zeros(1, "datetime64[ns]")
    _draw(upper, times, equity, "equity", "#1f6f8b")
    _draw(lower, times, equity - np.maximum.accumulate(equity), "below peak", "#b33939")
    buffer = io.BytesIO()
    canvas.print_png(buffer)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _draw(axes: Axes, times: np.ndarray[Any, Any], values: np.ndarray[Any, Any], label: str, color: str) -> None:
    axes.plot(times, values, linewidth=0.9, color=color)
    axes.set_ylabel(label)
    axes.grid(alpha=0.25)
    axes.ticklabel_format(axis="y", style="plain", useOffset=False)


def _thinned(count: int) -> np.ndarray[Any, Any]:
    """Return at most some thousand row numbers, the last one always among them."""
    if count <= _POINTS_MAX:
        return np.arange(count)
    return np.unique(np.linspace(0, count - 1, _POINTS_MAX).astype(np.int64))
