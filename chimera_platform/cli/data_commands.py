"""`chimera book`, `features` and `bars`: market data rebuilt by the same kernels as the live flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from chimera_platform.cli import options as o
from chimera_platform.cli.output import emit

if TYPE_CHECKING:
    from chimera_platform.market.sources import EventSource


def open_events(
    source: Any, format: str | None, feed: str | None, symbols: str | None, instruments: Any, seed: int = 7
) -> EventSource:
    """Return the source that a command's arguments name; wrong usage when they name none or two."""
    from chimera_platform.market.feeds import open_feed
    from chimera_platform.market.instruments import load_instruments
    from chimera_platform.market.sources import open_source

    known = load_instruments(instruments)
    if bool(source) == bool(feed):
        raise typer.BadParameter("name either files to read or a --feed URL", param_hint="SOURCE")
    if feed:
        return open_feed(o.with_seed(feed, seed), known).source
    return open_source(list(source), format, known, list(o.split_symbols(symbols)) or None)


def book(
    source: o.SourceArgument = None,
    out: o.OutOption = ...,  # type: ignore[assignment]
    levels: Annotated[int, typer.Option("--levels", min=1, max=1000, help="Levels a side.")] = 10,
    format: o.FormatOption = None,
    feed: o.FeedOption = None,
    symbols: o.SymbolsOption = None,
    instruments: o.InstrumentsOption = None,
    seed: o.SeedOption = 7,
    as_json: o.JsonOption = False,
) -> None:
    """Write the order book after every event, in real prices.

    Example: chimera book messages_and_book.zip --levels 10 --out book.parquet
    """
    from chimera_platform.cli.parquet_file import write_parquet
    from chimera_platform.market.depth_export import book_table

    table = book_table(open_events(source, format, feed, symbols, instruments, seed), levels)
    rows = write_parquet(table, out)
    result = {"events": table.events, "rows": rows, "gaps": table.gaps, "crossed": table.crossed, "out": str(out)}
    emit(result, as_json=as_json, title="book")


def features(
    source: o.SourceArgument = None,
    out: o.OutOption = ...,  # type: ignore[assignment]
    format: o.FormatOption = None,
    feed: o.FeedOption = None,
    symbols: o.SymbolsOption = None,
    instruments: o.InstrumentsOption = None,
    seed: o.SeedOption = 7,
    as_json: o.JsonOption = False,
) -> None:
    """Write every feature at every event.

    Example: chimera features ../shared/data/oanda --symbols XAUUSD --out features.parquet
    """
    from chimera_platform.cli.parquet_file import write_parquet
    from chimera_platform.microstructure.feature_names import FEATURE_NAMES
    from chimera_platform.microstructure.feature_stream import feature_table

    table = feature_table(open_events(source, format, feed, symbols, instruments, seed))
    rows = write_parquet(table, out)
    coarsened = table.stream.coalesced
    result = {"events": rows, "features": list(FEATURE_NAMES), "coarsened": coarsened, "out": str(out)}
    emit(result, as_json=as_json, title="features")


def bars(
    source: o.SourceArgument = None,
    interval: Annotated[
        str, typer.Option("--interval", help="tick, 1m, 5m, 15m, 30m, 1h, 4h, 1d or 1w; or 250t for 250 events.")
    ] = "1m",
    out: o.OutOption = ...,  # type: ignore[assignment]
    format: o.FormatOption = None,
    feed: o.FeedOption = None,
    symbols: o.SymbolsOption = None,
    instruments: o.InstrumentsOption = None,
    seed: o.SeedOption = 7,
    as_json: o.JsonOption = False,
) -> None:
    """Write bars: of the mid with bid and ask for quotes, of the prints for trades.

    Example: chimera bars ../shared/data/oanda --symbols XAUUSD --interval 1m --out bars.parquet
    """
    from chimera_platform.cli.parquet_file import write_parquet
    from chimera_platform.market.bar_table import bar_table

    rows = write_parquet(bar_table(open_events(source, format, feed, symbols, instruments, seed), interval), out)
    emit({"bars": rows, "interval": interval, "out": str(out)}, as_json=as_json, title="bars")
