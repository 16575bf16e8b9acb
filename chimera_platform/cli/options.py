"""Options that several commands share, each written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chimera_platform.errors import ConfigurationError

WorkdirOption = Annotated[
    Path, typer.Option("--workdir", help="Journal, warehouse, releases and recovery are kept here.")
]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="TOML file of settings over the built-in ones.")]
InstrumentsOption = Annotated[
    Path | None, typer.Option("--instruments", help="TOML file of instruments over the built-in ones.")
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Seed of everything random.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout; logs and progress on stderr.")]
FormatOption = Annotated[
    str | None,
    typer.Option("--format", help="lobster, binance, oanda, comex, csv, parquet or journal; guessed where it can be."),
]
SymbolsOption = Annotated[str | None, typer.Option("--symbols", help="Only these instruments, separated by commas.")]
SourceArgument = Annotated[
    list[Path] | None, typer.Argument(metavar="SOURCE...", help="Files or folders of market data.", show_default=False)
]
FeedOption = Annotated[
    str | None,
    typer.Option("--feed", help="Feed URL: sim://?symbols=XAUUSD,XAGUSD&seed=7 or replay:PATH?speed=10."),
]
BatchOption = Annotated[int, typer.Option("--batch-size", min=1, help="Most events in a batch.")]
WorkersOption = Annotated[int, typer.Option("--workers", min=1, max=64, help="Worker threads of the flow.")]
FreshOption = Annotated[bool, typer.Option("--fresh", help="Start over instead of continuing this command's run.")]
OutOption = Annotated[Path, typer.Option("--out", help="The Parquet file to write.")]

DEFAULT_WORKDIR = Path("chimera-data")
DEFAULT_SYMBOLS = "XAUUSD,XAGUSD"


def with_seed(feed: str, seed: int) -> str:
    """Return the feed URL with ``--seed`` in it where it is the simulator's and names none."""
    if not feed.startswith("sim:") or "seed=" in feed:
        return feed
    return f"{feed}{'&' if '?' in feed else '?'}seed={seed}"


def split_symbols(text: str | None) -> tuple[str, ...]:
    """Return the symbols of a comma-separated list; ConfigurationError for an empty name in it."""
    if text is None:
        return ()
    symbols = tuple(part.strip() for part in text.split(","))
    if not all(symbols):
        raise ConfigurationError(f"--symbols is {text!r}; expected names and commas, such as {DEFAULT_SYMBOLS}")
    return symbols
