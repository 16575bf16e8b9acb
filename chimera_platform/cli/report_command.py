"""`chimera report`: performance and execution quality of what a flow recorded, as HTML pages and text."""

from __future__ import annotations

from typing import Annotated

import typer

from chimera_platform.cli import options as o
from chimera_platform.cli.output import emit
from chimera_platform.workdir import WorkDir


def report(
    date: Annotated[str | None, typer.Option("--date", help="UTC day, YYYY-MM-DD; all days of each run.")] = None,
    workdir: o.WorkdirOption = o.DEFAULT_WORKDIR,
    seed: o.SeedOption = 7,
    as_json: o.JsonOption = False,
) -> None:
    """Write performance, attribution, execution quality and Monte Carlo of each recorded run as a page, and sum it up.

    A page needs nothing beside it and no network; it stands in the work folder's reports.

    Example: chimera report --date 2024-01-02
    """
    from chimera_platform.simulation.report import summary_lines
    from chimera_platform.simulation.report.recorded import write_recorded_reports

    written = write_recorded_reports(WorkDir(workdir).require(), date, seed)
    found = [{"run": each.run_id, "report": str(each.path), **summary_lines(each.run)} for each in written]
    if as_json:
        emit({"date": date, "reports": found}, as_json=True)
        return
    for each in found:
        emit(each, as_json=False, title=f"report of {date}" if date else "report")
