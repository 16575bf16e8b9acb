"""`chimera train`, `attribute` and `release`: the batch steps by hand, the same code as the Dagster assets."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from chimera_platform.cli import options as o
from chimera_platform.cli.common_options import accept_common_options
from chimera_platform.cli.output import emit, say
from chimera_platform.workdir import WorkDir

if TYPE_CHECKING:
    from chimera_platform.releases import ReleaseStore

releases = typer.Typer(help="Releases: list, show, promote, roll back.", no_args_is_help=True)


def train(workdir: o.WorkdirOption = o.DEFAULT_WORKDIR, seed: o.SeedOption = 7, as_json: o.JsonOption = False) -> None:
    """Train the signal model on the warehouse, judge it against the one in force, promote it if the gates allow.

    Example: chimera train --workdir chimera-data
    """
    from pipelines.run import train as train_step

    emit(train_step(WorkDir(workdir).require(), seed=seed, progress=say), as_json=as_json, title="train")


def attribute(
    workdir: o.WorkdirOption = o.DEFAULT_WORKDIR,
    gates: Annotated[
        bool, typer.Option("--gates", help="Say what each gate saved or cost instead: what it held back, carried out.")
    ] = False,
    as_json: o.JsonOption = False,
) -> None:
    """Split each engine's net profit into alpha, spread, slippage and fees; the parts add up exactly.

    Example: chimera attribute --workdir chimera-data
    """
    from pipelines import run

    step = run.attribute_gates if gates else run.attribute
    emit(step(WorkDir(workdir).require(), progress=say), as_json=as_json, title="gates" if gates else "attribution")


def _store(workdir: o.WorkdirOption) -> ReleaseStore:
    from chimera_platform.releases import ReleaseStore

    return ReleaseStore(WorkDir(workdir).require().releases)


@releases.command("list")
@accept_common_options
def list_releases(workdir: o.WorkdirOption = o.DEFAULT_WORKDIR, as_json: o.JsonOption = False) -> None:
    """List the releases, the current one, and every change of it.

    Example: chimera release list
    """
    store = _store(workdir)
    history = [asdict(each) for each in store.history()]
    emit({"current": store.current(), "releases": store.list(), "history": history}, as_json=as_json)


@releases.command("show")
@accept_common_options
def show(
    release_id: Annotated[str, typer.Argument(help="The release's id.")],
    workdir: o.WorkdirOption = o.DEFAULT_WORKDIR,
    as_json: o.JsonOption = False,
) -> None:
    """Verify a release and show its parameters, weights, provenance and gates.

    Example: chimera release show 0123456789abcdef0123456789abcdef
    """
    release = _store(workdir).load(release_id)
    emit(
        {
            "release_id": release.id,
            "parameters": release.parameters,
            "weights": release.weights,
            "model": release.trees is not None,
            "target_model": release.target_trees is not None,
            "threshold": release.threshold,
            "manifest": release.manifest,
        },
        as_json=as_json,
    )


@releases.command("promote")
@accept_common_options
def promote(
    release_id: Annotated[str, typer.Argument(help="The release's id.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, for the record.")] = "by hand",
    workdir: o.WorkdirOption = o.DEFAULT_WORKDIR,
    as_json: o.JsonOption = False,
) -> None:
    """Make a verified release the current one; a running flow takes it up between two batches.

    Example: chimera release promote 0123456789abcdef0123456789abcdef --reason "better in London hours"
    """
    store = _store(workdir)
    previous = store.current()
    store.promote(release_id, reason)
    emit({"release_id": release_id, "previous": previous, "promoted": True}, as_json=as_json)


@releases.command("rollback")
@accept_common_options
def rollback(
    reason: Annotated[str, typer.Option("--reason", help="Why, for the record.")] = "by hand",
    workdir: o.WorkdirOption = o.DEFAULT_WORKDIR,
    as_json: o.JsonOption = False,
) -> None:
    """Make the release before the current one current again.

    Example: chimera release rollback
    """
    store = _store(workdir)
    previous = store.current()
    emit({"release_id": store.rollback(reason), "previous": previous, "promoted": True}, as_json=as_json)
