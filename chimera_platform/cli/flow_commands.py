"""`chimera run` and `chimera replay`: the live flow."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from chimera_platform.cli import options as o
from chimera_platform.cli.output import emit, say
from chimera_platform.errors import ConfigurationError

_SIMULATOR_SPEED = 600.0  # pace of the simulator in `run` unless told otherwise: ten market minutes a second


def run(
    symbols: o.SymbolsOption = None,
    duration: Annotated[
        float | None, typer.Option("--duration", min=0.001, help="Stop after this many seconds of the feed's own time.")
    ] = None,
    no_ml: Annotated[bool, typer.Option("--no-ml", help="Leave the release's signal model out.")] = False,
    feed: o.FeedOption = None,
    speed: Annotated[
        float | None,
        typer.Option("--speed", min=1e-6, help="Market seconds per second; the simulator's: 600."),
    ] = None,
    backfill: Annotated[
        float,
        typer.Option("--backfill", min=0, help="Market seconds at the start that go as fast as possible."),
    ] = 0.0,
    workers: o.WorkersOption = 1,
    batch_size: o.BatchOption = 1024,
    fresh: o.FreshOption = False,
    workdir: o.WorkdirOption = o.DEFAULT_WORKDIR,
    config: o.ConfigOption = None,
    instruments: o.InstrumentsOption = None,
    seed: o.SeedOption = 7,
    statistics: Annotated[
        float | None,
        typer.Option("--statistics", min=0.1, help="Seconds between telemetry lines; otherwise the configuration's."),
    ] = None,
    as_json: o.JsonOption = False,
) -> None:
    """Run the live flow until the feed ends, the duration is over, or Ctrl-C.

    A run that was stopped or killed is continued by the same command; promoted releases are taken up while running.

    Example: chimera run --symbols XAUUSD,XAGUSD --duration 30
    """
    if feed is None:
        feed = f"sim://?symbols={symbols or o.DEFAULT_SYMBOLS}"
        symbols = None
    feed = o.with_seed(feed, seed)
    if feed.startswith("sim:"):
        speed = speed or _SIMULATOR_SPEED
    deployment = _deployment(
        workdir=workdir,
        feed=feed,
        symbols=o.split_symbols(symbols),
        config=config,
        instruments=instruments,
        batch_size=batch_size,
        speed=speed,
        backfill_s=backfill,
        duration_s=duration,
        use_model=not no_ml,
        statistics_s=statistics,
    )
    say(f"run {deployment.run_id} on {feed}; Ctrl-C stops it in order")
    emit(_run(deployment, workers, fresh), as_json=as_json, title="run")


def replay(
    source: o.SourceArgument = None,
    format: o.FormatOption = None,
    feed: o.FeedOption = None,
    symbols: o.SymbolsOption = None,
    batch_size: o.BatchOption = 1024,
    workers: o.WorkersOption = 1,
    release: Annotated[
        str | None, typer.Option("--release", help="Hold to this release; a journal brings its own unless named.")
    ] = None,
    no_ml: Annotated[bool, typer.Option("--no-ml", help="Leave the release's signal model out.")] = False,
    fresh: o.FreshOption = False,
    workdir: o.WorkdirOption = o.DEFAULT_WORKDIR,
    config: o.ConfigOption = None,
    instruments: o.InstrumentsOption = None,
    seed: o.SeedOption = 7,
    as_json: o.JsonOption = False,
) -> None:
    """Send a recorded stream through the live flow, as fast as possible.

    The digest depends on the events, the settings and the release only: not on batch size, workers or restarts.

    Example: chimera replay ../shared/data/oanda --symbols XAUUSD --workers 2
    """
    deployment = _deployment(
        workdir=workdir,
        paths=tuple(source or ()),
        format=format,
        feed=feed and o.with_seed(feed, seed),
        symbols=o.split_symbols(symbols),
        config=config,
        instruments=instruments,
        batch_size=batch_size,
        release=release,
        use_model=not no_ml,
        segment_age_s=0.0,
    )
    say(f"replay {deployment.run_id} of {', '.join(map(str, source or ())) or feed}")
    emit(_run(deployment, workers, fresh), as_json=as_json, title="replay")


def _deployment(**fields: Any) -> Any:
    from streaming.deployment import Deployment

    if bool(fields.get("paths")) == bool(fields.get("feed")):
        raise typer.BadParameter("name either files to read or a --feed URL", param_hint="SOURCE")
    symbols = fields["symbols"]
    if fields.get("feed") and symbols:
        if "symbols=" in fields["feed"]:
            raise ConfigurationError("name the symbols either with --symbols or inside the --feed URL, not both")
        fields["feed"] += ("&" if "?" in fields["feed"] else "?") + "symbols=" + ",".join(symbols)
        fields["symbols"] = ()
    return Deployment(**fields)


def _run(deployment: Any, workers: int, fresh: bool) -> dict[str, Any]:
    from streaming.run import run_flow

    return run_flow(deployment, workers=workers, fresh=fresh, say=say)
