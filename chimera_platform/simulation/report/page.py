"""The page: one HTML file that needs nothing beside it and no network."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from chimera_platform.errors import DataError
from chimera_platform.simulation.report.charts import equity_charts
from chimera_platform.simulation.report.execution_sections import attribution_section, costs_section
from chimera_platform.simulation.report.formatting import section
from chimera_platform.simulation.report.monte_carlo_sections import null_section, resampling_section
from chimera_platform.simulation.report.performance_sections import (
    metrics_section,
    periods_section,
    settings_section,
    tiles,
)
from chimera_platform.simulation.report.reported_run import ReportedRun, of_backtest
from chimera_platform.simulation.report.style import SCRIPT, STYLE
from chimera_platform.simulation.report.trade_section import trades_section

if TYPE_CHECKING:
    from chimera_platform.simulation.backtest.run import BacktestResult

_SOURCE_SHOWN = 240
_CONTENTS = (
    ("equity", "Equity"),
    ("returns", "Returns"),
    ("metrics", "Metrics"),
    ("attribution", "Who earned what"),
    ("costs", "Execution"),
    ("monte-carlo", "Luck"),
    ("nulls", "Skill"),
    ("trades-list", "Trades"),
    ("settings", "Settings"),
)


def write_report(result: BacktestResult, path: Path) -> None:
    """Write the page of a backtest; see :func:`write_page`."""
    write_page(of_backtest(result), path)


def write_page(run: ReportedRun, path: Path) -> None:
    """Write all that there is to say of a run as one HTML page.

    The page is written beside ``path`` and then put in its place, so it is never seen half-written.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(page(run), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise DataError(f"{path}: cannot write the report: {error.strerror or error}") from error


def page(run: ReportedRun) -> str:
    """Return the page."""
    body = [
        _header(run),
        tiles(run),
        section("Equity", equity_charts(run), anchor="equity"),
        periods_section(run),
        metrics_section(run),
        attribution_section(run),
        costs_section(run),
        resampling_section(run),
        null_section(run),
        trades_section(run),
        settings_section(run.settings),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(run.title)}</title><style>{STYLE}</style></head>\n<body>"
        + "\n".join(body)
        + f"<script>{SCRIPT}</script></body></html>\n"
    )


def _header(run: ReportedRun) -> str:
    days = run.event_days["day"].astype("datetime64[D]")
    when = f"{days[0]} to {days[-1]}, {len(days)} days" if len(np.atleast_1d(days)) > 1 else " ".join(map(str, days))
    facts = [f"{run.events:,} events{', ' + when if when else ''}", *run.notes, f"seed {run.monte_carlo['seed']}"]
    items = [html.escape("; ".join(facts)), _source(run.description)]
    if run.digest is not None:
        items.append(f"digest <code>{run.digest}</code>")
    links = "".join(f'<a href="#{anchor}">{name}</a>' for anchor, name in _CONTENTS)
    listed = "".join(f"<li>{item}</li>" for item in items)
    return f"<header><h1>{html.escape(run.title)}</h1><ul>{listed}</ul><nav>{links}</nav></header>"


def _source(description: str) -> str:
    """Return where the events came from; folded where that takes more than a line or two."""
    text = f"<code>{html.escape(description)}</code>"
    return (
        f"source {text}" if len(description) <= _SOURCE_SHOWN else f"<details><summary>source</summary>{text}</details>"
    )
