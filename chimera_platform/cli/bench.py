"""`chimera bench`: the benchmarks that the README quotes."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from chimera_platform.cli import options as o
from chimera_platform.cli.output import emit, errors
from chimera_platform.errors import ConfigurationError

_CHECKOUT = Path(__file__).resolve().parents[2]
_TABLE_WIDTH = 112


def bench(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Benchmarks to run; all unless named.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A tenth of the events: a look, not a result.")] = False,
    list_only: Annotated[
        bool, typer.Option("--list", help="List the benchmarks and the question each answers.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the stored results; benchmarks/results unless named.")
    ] = None,
    as_json: o.JsonOption = False,
) -> None:
    """Measure this machine and compare with the results stored on it before; ratio is figure over baseline.

    Example: chimera bench book_and_features --json
    """
    runner, figures, results = (_load(f"benchmarks.{name}") for name in ("runner", "figures", "results"))
    if list_only:
        emit({"benchmarks": runner.BENCHMARKS} if as_json else runner.BENCHMARKS, as_json=as_json)
        return
    try:
        wanted = runner.selected(names or [])
    except ConfigurationError as error:
        raise typer.BadParameter(str(error), param_hint="NAME") from error
    store = results.Results(out or _default_folder(results, quick))
    rows = runner.run(wanted, store, figures.QUICK if quick else figures.FULL, progress=errors.print)
    if as_json:
        emit({"results": rows, "folder": str(store.folder)}, as_json=True)
    else:
        _show(rows)
        errors.print(f"stored in {store.folder}")


def _default_folder(results: Any, quick: bool) -> Path:
    """Return where results go: quick ones apart, so that they are never taken for a baseline of full ones."""
    folder: Path = results.RESULTS
    return folder / "quick" if quick else folder


def _load(module: str) -> Any:
    """Import a module of ``benchmarks``, which is part of the checkout and not of the installed package."""
    if str(_CHECKOUT) not in sys.path:
        sys.path.append(str(_CHECKOUT))
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "benchmarks":
            raise ConfigurationError(f"the benchmarks need '{error.name}', which is not installed") from error
        raise ConfigurationError(
            f"{_CHECKOUT / 'benchmarks'}: no such package; the benchmarks are part of the source checkout and are not "
            "installed with the platform: run this command from a checkout set up with `make setup`"
        ) from error


def _show(rows: dict[str, dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("benchmark", "figure", "unit", "baseline", "ratio", "goal", ""):
        table.add_column(title, justify="left" if title in ("benchmark", "unit", "") else "right", no_wrap=True)
    for name, row in rows.items():
        reached = {None: "", True: "reached", False: "not reached"}[row["reached"]]
        numbers = [_number(row[key]) for key in ("figure", "baseline", "ratio", "goal")]
        table.add_row(name, numbers[0], row["unit"], numbers[1], numbers[2], numbers[3], reached)
    console = Console(highlight=False)
    console.width = max(console.width, _TABLE_WIDTH)  # a pipe counts as 80 columns, which would cut the numbers off
    console.print(table)


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
