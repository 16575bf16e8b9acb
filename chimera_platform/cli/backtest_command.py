"""`chimera backtest`: the same kernels as the live flow, without Bytewax."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chimera_platform.cli import options as o
from chimera_platform.cli.output import emit, errors


def backtest(
    source: o.SourceArgument = None,
    format: o.FormatOption = None,
    feed: o.FeedOption = None,
    symbols: o.SymbolsOption = None,
    engine: Annotated[str, typer.Option("--engine", help="v2; v1 is not available yet.")] = "v2",
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
