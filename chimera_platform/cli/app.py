"""The command line: a contract for users, docs, CI and outside checks. Each command's module imports what it needs."""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import Annotated

import typer

from chimera_platform import __version__
from chimera_platform.cli import options as o
from chimera_platform.cli import unavailable
from chimera_platform.cli.audit_command import audit
from chimera_platform.cli.backtest_command import backtest
from chimera_platform.cli.bench import bench
from chimera_platform.cli.common_options import accept_common_options
from chimera_platform.cli.compare_command import compare
from chimera_platform.cli.config_command import configuration
from chimera_platform.cli.data_commands import bars, book, features
from chimera_platform.cli.demo import demo
from chimera_platform.cli.doctor import doctor
from chimera_platform.cli.events_command import events
from chimera_platform.cli.flow_commands import replay, run
from chimera_platform.cli.kill_command import kill
from chimera_platform.cli.learning_commands import attribute, releases, train
from chimera_platform.cli.output import emit
from chimera_platform.cli.quality_command import quality
from chimera_platform.cli.report_command import report
from chimera_platform.cli.serve import serve
from chimera_platform.cli.signals_command import signals
from chimera_platform.cli.sweep_command import sweep
from chimera_platform.cli.venue_command import venue
from chimera_platform.cli.warehouse_commands import ingest, rebuild, sql
from chimera_platform.configuration_layers import note_command_line, take_assignments
from chimera_platform.errors import ChimeraError

app = typer.Typer(
    name="chimera",
    help="Order-flow trading: live flow, journal, warehouse, learning and releases in one loop.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def _main(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error; goes anywhere.")] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="One setting over file and environment; goes anywhere."),
    ] = None,
) -> None:
    """Order-flow trading: live flow, journal, warehouse, learning and releases in one loop."""


def version(as_json: o.JsonOption = False) -> None:
    """Print the version.

    Example: chimera version
    """
    emit({"version": __version__}, as_json=as_json)


for _command in (
    demo,
    run,
    replay,
    backtest,
    venue,
    audit,
    compare,
    sweep,
    events,
    book,
    features,
    bars,
    signals,
    ingest,
    rebuild,
    sql,
    train,
    attribute,
    quality,
    report,
    kill,
    doctor,
    bench,
    serve,
    version,
):
    app.command()(accept_common_options(_command))
app.add_typer(releases, name="release")
app.add_typer(configuration, name="config")
for _name in unavailable.COMMANDS:
    app.command(_name, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(
        unavailable.unavailable(_name)
    )


def main() -> None:
    """Run the command line; exit status 0 done, 1 the work failed, 2 wrong usage."""
    arguments = sys.argv[1:]
    debug = "--debug" in arguments
    arguments = [each for each in arguments if each != "--debug"]
    logging.basicConfig(
        level=logging.DEBUG if debug else logging.WARNING,
        format="%(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    logging.getLogger("numba").setLevel(logging.WARNING)
    try:
        arguments, assignments = take_assignments(arguments)
        note_command_line(assignments, os.environ)
        app(args=arguments, prog_name="chimera")
    except (ChimeraError, OSError) as error:
        _fail(error, arguments, debug)


def _fail(error: ChimeraError | OSError, arguments: list[str], debug: bool) -> None:
    if debug:
        logging.getLogger("chimera").exception("the work failed")
    message = " ".join(str(error).split())
    if "--json" in arguments:
        print(json.dumps({"error": message, "kind": type(error).__name__}))
    print(f"chimera: {message}", file=sys.stderr)
    sys.exit(1)
