"""Commands of the contract that are not built yet say so, instead of being missing or pretending."""

from __future__ import annotations

from collections.abc import Callable

import typer

from chimera_platform.errors import ConfigurationError

COMMANDS = {
    "scan": "the scanner over many instruments",
    "optimize": "the parameter search",
    "export": "a table as CSV, JSON or Parquet (`chimera sql --format csv` writes query results today)",
    "fix": "a FIX venue, or the order and market-data client",
    "dashboard": "API and web page (`make serve` opens the Dagster UI today)",
}


def unavailable(name: str) -> Callable[[typer.Context], None]:
    """Return the command ``name``, which answers that it is not available yet."""

    def command(context: typer.Context) -> None:
        raise ConfigurationError(f"`chimera {name}` is not available yet")

    command.__doc__ = f"Not available yet: {COMMANDS[name]}.\n\nExample: chimera {name}"
    return command
