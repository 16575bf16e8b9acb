"""`chimera quality`: which days are fit to learn from, and a person's word for those that are not."""

from __future__ import annotations

import getpass
from typing import Annotated, Any

import typer

from chimera_platform.cli import options as o
from chimera_platform.cli.output import emit, say
from chimera_platform.errors import ConfigurationError
from chimera_platform.workdir import WorkDir


def quality(
    accept: Annotated[str | None, typer.Option("--accept", help="UTC day to learn from all the same.")] = None,
    why: Annotated[str | None, typer.Option("--why", help="Why it is accepted, for the record.")] = None,
    by: Annotated[str | None, typer.Option("--by", help="Who accepts it; the user of this machine.")] = None,
    run: Annotated[str | None, typer.Option("--run", help="Accept this run's day only.")] = None,
    check: Annotated[list[str] | None, typer.Option("--check", help="Accept this check only; may be repeated.")] = None,
    workdir: o.WorkdirOption = o.DEFAULT_WORKDIR,
    as_json: o.JsonOption = False,
) -> None:
    """Show every inspected day with what is wrong with it; accept a quarantined one by name and reason.

    What is accepted, and the limits, stand in the work folder's quality.toml.

    Example: chimera quality --accept 2024-03-05 --check gaps --why "known outage, the book was rebuilt"
    """
    from pipelines.quality import day_table, inspect_days, judge_again, uninspected_days
    from warehouse.ingest import ingest

    folders = WorkDir(workdir).require()
    if accept is not None:
        _accept(folders, {"day": accept, "why": why, "by": by or getpass.getuser(), "run": run, "checks": check or ()})
    elif why or by or run or check:
        raise ConfigurationError("--why, --by, --run and --check belong to an accepted day: name it with --accept DAY")
    ingest(folders)
    uninspected = uninspected_days(folders)
    if uninspected:
        say(f"inspecting {len(uninspected)} days")
        inspect_days(folders, uninspected)
    judged = judge_again(folders)
    days = day_table(folders)
    quarantined = [day for day in days if day["quarantined"]]
    emit(
        {
            "days": len(days),
            "quarantined": len(quarantined),
            "accepted": sum(bool(day["accepted"]) for day in days),
            "judged_anew": [f"{each.day}, run {each.run_id}" for each in judged],
            "findings": [day for day in days if day["reasons"]],
        },
        as_json=as_json,
        title="data quality",
    )


def _accept(workdir: WorkDir, content: dict[str, Any]) -> None:
    from pydantic import ValidationError

    from pipelines.quality_policy import Acceptance, QualityCheck, accept, policy_file

    if not content["why"]:
        raise ConfigurationError("an accepted day needs a reason: --why TEXT")
    try:
        acceptance = Acceptance.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        known = ", ".join(QualityCheck) if first["loc"][0] == "checks" else str(first["msg"])
        raise ConfigurationError(f"--{_option(first['loc'][0])} {first['input']!r}; expected: {known}") from error
    accept(workdir, acceptance)
    say(f"written to {policy_file(workdir)}")


def _option(field: object) -> str:
    return {"day": "accept", "checks": "check"}.get(str(field), str(field))
