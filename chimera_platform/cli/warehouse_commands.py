"""`chimera ingest`, `rebuild` and `sql`: the warehouse."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated, Literal

import typer

from chimera_platform.cli import options as o
from chimera_platform.cli.output import emit, say
from chimera_platform.errors import WarehouseError
from chimera_platform.workdir import WorkDir


def _progress(what: str, done: int, total: int) -> None:
    say(f"{what} ({done} of {total} segments)")


def ingest(workdir: o.WorkdirOption = o.DEFAULT_WORKDIR, as_json: o.JsonOption = False) -> None:
    """Bring the journal's new segments into the warehouse; doing it twice changes nothing.

    Example: chimera ingest --workdir chimera-data
    """
    from warehouse.ingest import ingest as bring_in

    emit(asdict(bring_in(WorkDir(workdir).require(), progress=_progress)), as_json=as_json, title="ingest")


def rebuild(workdir: o.WorkdirOption = o.DEFAULT_WORKDIR, as_json: o.JsonOption = False) -> None:
    """Make the warehouse again from the journal: every table, labels and attribution included.

    Example: chimera rebuild --workdir chimera-data
    """
    from pipelines.run import derive_learning_tables
    from warehouse.rebuild import rebuild as make_again

    folders = WorkDir(workdir).require()
    result = make_again(folders, progress=_progress)
    derive_learning_tables(folders, progress=say)
    emit(asdict(result), as_json=as_json, title="rebuild")


def sql(
    query: Annotated[str, typer.Argument(help="One SQL statement that reads.")],
    format: Annotated[Literal["table", "csv", "json"], typer.Option("--format", help="How rows are shown.")] = "table",
    workdir: o.WorkdirOption = o.DEFAULT_WORKDIR,
    as_json: o.JsonOption = False,
) -> None:
    """Ask the warehouse; read-only, also while a run writes.

    Example: chimera sql "SELECT reason, count(*) FROM core.decisions GROUP BY ALL"
    """
    import polars as pl

    from warehouse.query import run_sql

    frame = run_sql(WorkDir(workdir).require(), query)
    if as_json or format == "json":
        emit({"columns": frame.columns, "rows": frame.rows(named=True), "count": len(frame)}, as_json=True)
    elif format == "csv":
        nested = [name for name, dtype in frame.schema.items() if dtype.is_nested()]
        if nested:
            raise WarehouseError(f"columns {', '.join(nested)} hold lists or structs, which CSV cannot; use --json")
        frame.write_csv(sys.stdout)
    else:
        with pl.Config(tbl_rows=50, tbl_cols=-1, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True):
            print(frame)
