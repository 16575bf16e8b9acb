"""`chimera audit`: whether a backtest of these data and parameters can be believed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chimera_platform.cli import options as o
from chimera_platform.cli.data_commands import open_events
from chimera_platform.cli.output import emit, say
from chimera_platform.cli.sections_file import read_sections
from chimera_platform.errors import ConfigurationError
from chimera_platform.workdir import WorkDir

if TYPE_CHECKING:
    from chimera_platform.simulation.audit.audit import AuditReport

_PARAMETERS_EXAMPLE = '{"hft": {"cooldown_ns": 1000000000}}'


def audit(
    source: o.SourceArgument = None,
    format: o.FormatOption = None,
    feed: o.FeedOption = None,
    symbols: o.SymbolsOption = None,
    params: Annotated[
        Path | None, typer.Option("--params", help="JSON file of parameters over the configuration's: section → key.")
    ] = None,
    release: Annotated[str | None, typer.Option("--release", help="Decide under this release.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the audit as a page: FILE.html or FILE.md.")] = None,
    events: Annotated[int, typer.Option("--events", min=2, help="Take the source's first events, so many.")] = 300_000,
    cuts: Annotated[int, typer.Option("--cuts", min=3, max=500, help="Points at which the stream is cut.")] = 12,
    spread_cost: Annotated[
        str, typer.Option("--spread-cost", help="Who pays further half-spreads at higher cost: none, taker or all.")
    ] = "taker",
    workdir: o.WorkdirOption = o.DEFAULT_WORKDIR,
    config: o.ConfigOption = None,
    instruments: o.InstrumentsOption = None,
    seed: o.SeedOption = 7,
    as_json: o.JsonOption = False,
) -> None:
    """Look for lookahead, stress cost and latency, and map the parameters around the present ones.

    Exit status 1 where decisions depend on the future, or differ from run to run.

    Example: chimera audit --feed "sim://?symbols=XAUUSD&seed=7" --events 100000 --out audit.html
    """
    from chimera_platform.configuration import load_configuration, with_parameters
    from chimera_platform.releases import ReleaseStore, release_loader
    from chimera_platform.simulation.audit.audit import run_audit
    from chimera_platform.simulation.audit.page import write_audit
    from chimera_platform.simulation.audit.settings import AuditSettings, SpreadCost
    from chimera_platform.warm_up import warm_up

    if out is not None and out.suffix not in (".html", ".md"):
        raise ConfigurationError(f"--out {out}: expected a name that ends in .html or .md")
    if spread_cost not in tuple(SpreadCost):
        raise ConfigurationError(f"--spread-cost is '{spread_cost}'; expected none, taker or all")
    settings = AuditSettings(cuts=cuts, spread_cost=SpreadCost(spread_cost))
    configuration = load_configuration(config)
    if params is not None:
        configuration = with_parameters(configuration, read_sections(params, "the parameters", _PARAMETERS_EXAMPLE))
    in_force = None
    if release is not None:
        in_force = release_loader(ReleaseStore(WorkDir(workdir).require().releases), use_model=True)(release)
    stream = open_events(source, format, feed, symbols, instruments, seed)
    warm_up(say, backtests=True)
    report = run_audit(stream, configuration, in_force, settings, seed, events, say)
    if out is not None:
        write_audit(report, out)
    if as_json:
        emit(_as_dict(report, out), as_json=True)
    else:
        _print(report, out)
    if report.is_disproved:
        raise typer.Exit(1)


def _as_dict(report: AuditReport, out: Path | None) -> dict[str, Any]:
    found = report.parameter_map
    return {
        "verdict": report.verdict.value,
        "lookahead": report.is_disproved,
        "answer": report.answer,
        "events": report.events,
        "whole": report.is_whole,
        "seed": report.seed,
        "seconds": round(report.seconds, 1),
        "outcome": report.outcome._asdict(),
        "checks": [finding.as_dict() for finding in report.findings],
        "parameter_map": {
            "net_profit": found.centre,
            "runs": found.runs,
            "curves": [
                {"parameter": c.parameter.label, "values": c.parameter.values, "net_profit": c.results}
                for c in found.curves
                if c.has_effect
            ],
            "heat_map": None
            if found.heat_map is None
            else {
                "first": found.heat_map.first.label,
                "first_values": found.heat_map.first.values,
                "second": found.heat_map.second.label,
                "second_values": found.heat_map.second.values,
                "net_profit": found.heat_map.results.tolist(),
            },
        },
        "out": None if out is None else str(out),
    }


def _print(report: AuditReport, out: Path | None) -> None:
    from chimera_platform.simulation.audit.markdown import summary

    for line in summary(report):
        print(line)
    if out is not None:
        print(f"\nfigures and pictures: {out}")
