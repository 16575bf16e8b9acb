"""`chimera venue`: scripted orders at the simulated venue, and its reports of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chimera_platform.cli import options as o
from chimera_platform.cli.output import emit

if TYPE_CHECKING:
    import numpy as np

    from chimera_platform.market.sources import EventSource
    from chimera_platform.simulation.exchange.settings import VenueSettings


class _CountedSource:
    """A source that counts the events it has handed out."""

    def __init__(self, source: EventSource) -> None:
        self.universe, self.description, self.events, self._source = source.universe, source.description, 0, source

    def batches(self, batch_size: int, start: int = 0) -> Iterator[np.ndarray[Any, Any]]:
        for batch in self._source.batches(batch_size, start):
            self.events += len(batch)
            yield batch


def _settings(config: Path | None, venue: str) -> VenueSettings:
    """Return how the instrument's venue treats orders, from the configuration."""
    from chimera_platform.configuration import load_configuration

    configuration = load_configuration(config)
    return configuration.venues.get(venue, configuration.venue)


def venue(
    source: o.SourceArgument = None,
    orders: Annotated[Path, typer.Option("--orders", help="CSV file of new, cancel and replace rows.")] = ...,  # type: ignore[assignment]
    out: o.OutOption = ...,  # type: ignore[assignment]
    symbol: Annotated[
        str | None, typer.Option("--symbol", help="The instrument of the orders; the source's only one else.")
    ] = None,
    format: o.FormatOption = None,
    feed: o.FeedOption = None,
    instruments: o.InstrumentsOption = None,
    config: o.ConfigOption = None,
    seed: o.SeedOption = 7,
    as_json: o.JsonOption = False,
) -> None:
    """Send scripted orders of one instrument to the simulated venue and write what it reports.

    The file's columns are ts_ns, action, id, side, type, tif, size, price, stop_price, display_size, expire_ts, end_ts:
    action is new, cancel or replace, type market, limit, stop, stop_limit, twap, vwap, iceberg or post_only, tif gtc,
    ioc, fok, gtd or day; real prices and sizes, times in ns UTC. How the venue behaves stands under [venue] of
    --config.

    Example: chimera venue messages_and_book.zip --orders orders.csv --out reports.parquet
    """
    from chimera_platform.cli.data_commands import open_events
    from chimera_platform.cli.parquet_file import write_parquet
    from chimera_platform.errors import ConfigurationError
    from chimera_platform.execution.reports import ReportKind
    from chimera_platform.simulation.exchange.order_script import ScriptAction, run_script
    from chimera_platform.simulation.exchange.order_script_file import load_script
    from chimera_platform.simulation.exchange.report_table import report_table

    events = _CountedSource(open_events(source, format, feed, symbol, instruments, seed))
    symbols = events.universe.symbols
    if symbol is None and len(symbols) > 1:
        raise ConfigurationError(f"--symbol is missing; the source has {', '.join(symbols)}")
    name = symbol or symbols[0]
    instrument = events.universe[events.universe.index(name)]
    script = load_script(orders, instrument)
    reports = run_script(events, name, _settings(config, instrument.venue), script)
    write_parquet([report_table(reports, instrument)], out)
    kinds = reports["kind"]
    result = {
        "events": events.events,
        "orders": int((script["action"] == ScriptAction.NEW).sum()),
        "reports": len(reports),
        "fills": int((kinds == ReportKind.TRADE).sum()),
        "rejects": int(((kinds == ReportKind.REJECTED) | (kinds == ReportKind.CANCEL_REJECTED)).sum()),
        "out": str(out),
    }
    emit(result, as_json=as_json, title="venue")
