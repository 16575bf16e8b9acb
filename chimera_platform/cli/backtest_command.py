"""`chimera backtest`: the same kernels as the live flow, without Bytewax."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chimera_platform.cli import options as o
from chimera_platform.cli.data_commands import open_events
from chimera_platform.cli.output import emit, say
from chimera_platform.cli.sections_file import read_sections
from chimera_platform.errors import ConfigurationError
from chimera_platform.workdir import WorkDir

if TYPE_CHECKING:
    from chimera_platform.market.sources import EventSource
    from chimera_platform.releases import Release
    from chimera_platform.simulation.backtest.deciding import Change

V1_ENGINES = {"hft": {"version": 1}, "structure": {"version": 1}, "order_flow": {"enabled": 0}}
"""Parameters under which the first version's engines decide: the spread trigger and the crossing averages, alone."""

_PARAMETERS_EXAMPLE = '{"hft": {"cooldown_ns": 1}}'


def backtest(
    source: o.SourceArgument = None,
    format: o.FormatOption = None,
    feed: o.FeedOption = None,
    symbols: o.SymbolsOption = None,
    engine: Annotated[str, typer.Option("--engine", help="v2, or v1: the baseline engines alone.")] = "v2",
    params: Annotated[
        Path | None, typer.Option("--params", help="JSON file of parameters over the configuration's: section → key.")
    ] = None,
    release: Annotated[str | None, typer.Option("--release", help="Decide under this release.")] = None,
    no_ml: Annotated[bool, typer.Option("--no-ml", help="Leave the release's signal model out.")] = False,
    batch_size: o.BatchOption = 65_536,
    workdir: o.WorkdirOption = o.DEFAULT_WORKDIR,
    config: o.ConfigOption = None,
    instruments: o.InstrumentsOption = None,
    seed: o.SeedOption = 7,
    as_json: o.JsonOption = False,
) -> None:
    """Decide over recorded or simulated events and report metrics, Monte Carlo and an HTML page.

    The digest equals that of `chimera replay` of the same events under the same settings and release.

    Example: chimera backtest --feed "sim://?symbols=XAUUSD,XAGUSD&seed=7"
    """
    from chimera_platform.configuration import load_configuration, with_parameters
    from chimera_platform.execution.records import OrderStatus
    from chimera_platform.portfolio.monte_carlo import without_curves
    from chimera_platform.simulation.backtest.run import run_backtest
    from chimera_platform.simulation.report import write_report
    from chimera_platform.warm_up import warm_up

    if engine not in ("v1", "v2"):
        raise ConfigurationError(f"--engine is '{engine}'; expected v1 or v2")
    folders = WorkDir(workdir).prepare()
    warm_up(say, backtests=True)
    configuration = load_configuration(config)
    if params is not None:
        configuration = with_parameters(configuration, read_sections(params, "the parameters", _PARAMETERS_EXAMPLE))
    if engine == "v1":
        configuration = with_parameters(configuration, V1_ENGINES)
    events = open_events(source, format, feed, symbols, instruments, seed)
    first, schedule = _releases(folders, events, release, use_model=not no_ml)
    result = run_backtest(
        events, configuration, first, batch_size, schedule, seed, out_folder=folders.out, keep_rows=False
    )
    report = folders.reports / "backtest.html"
    write_report(result, report)
    emit(
        {
            "events": result.events,
            "intents": len(result.intents),
            "orders": int((result.orders["status"] == int(OrderStatus.PENDING_NEW)).sum()),
            "fills": len(result.fills),
            "digest": result.digest,
            "metrics": result.metrics.as_dict(),
            "monte_carlo": result.monte_carlo if as_json else without_curves(result.monte_carlo),
            "events_per_second": round(result.events_per_second),
            "seed": seed,
            "report": str(report),
        },
        as_json=as_json,
        title="backtest",
    )


def _releases(
    folders: WorkDir, events: EventSource, release_id: str | None, *, use_model: bool
) -> tuple[Release | None, list[Change]]:
    """Return the first release and the later changes by event: the named one alone, or those of a journal."""
    from chimera_platform.releases import ReleaseStore, release_loader
    from chimera_platform.simulation.backtest.deciding import Change

    if release_id is not None:
        return release_loader(ReleaseStore(folders.releases), use_model)(release_id), []
    recorded = getattr(events, "release_schedule", None)
    if recorded is None or len(recorded) == 0:
        return None, []
    load = release_loader(ReleaseStore(events.releases_folder), use_model)  # type: ignore[attr-defined]
    changes = [Change(int(row["event_no"]), load(row["release_id"].decode()), bool(row["killed"])) for row in recorded]
    return changes[0].release, changes[1:]
