"""The pages of trading days, and what the Dagster UI shows of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dagster as dg

from chimera_platform.simulation.report.recorded import WrittenReport, write_recorded_reports
from chimera_platform.workdir import WorkDir


def write_day_reports(workdir: WorkDir, days: Sequence[str]) -> list[WrittenReport]:
    """Write a page for each run on each of ``days`` (``YYYY-MM-DD``); DataError where a day has no events."""
    return [each for day in days for each in write_recorded_reports(workdir, day)]


def report_metadata(written: Sequence[WrittenReport]) -> dict[str, Any]:
    """Return the latest page as a path and as a link, and all pages with their main figures as a table."""
    head = (
        "| day | run | trades | net profit | deepest drawdown | p of entries | page |\n|---|---|--:|--:|--:|--:|---|\n"
    )
    found: dict[str, Any] = {"dagster/row_count": len(written), "pages": dg.MetadataValue.md(head + _rows(written))}
    if written:
        page = written[-1].path.absolute()
        found |= {"page": dg.MetadataValue.path(page), "link": dg.MetadataValue.url(page.as_uri())}
    return found


def _rows(written: Sequence[WrittenReport]) -> str:
    lines = []
    for each in written:
        m, null = each.run.metrics, each.run.monte_carlo["null"] or {}
        p = null.get("p_value")
        lines.append(
            f"| {each.day} | {each.run_id} | {m.trades:,} | {m.net_profit:,.2f} | {m.max_drawdown_ratio:.2%} | "
            f"{'–' if p is None else f'{p:.3f}'} | [{each.path.name}]({each.path.absolute().as_uri()}) |"
        )
    return "\n".join(lines)
