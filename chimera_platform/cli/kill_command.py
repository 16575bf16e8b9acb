"""`chimera kill`: hold every flow of a work folder flat, until a person resets it."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from typing import Annotated

import typer

from chimera_platform.cli import options as o
from chimera_platform.cli.output import emit
from chimera_platform.errors import ConfigurationError
from chimera_platform.kill_switch import KillSwitch
from chimera_platform.workdir import WorkDir


def kill(
    reason: Annotated[str | None, typer.Option("--reason", help="Why; kept on record.")] = None,
    by: Annotated[str | None, typer.Option("--by", help="Who; the user of the system where left out.")] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Let flows take risk again.")] = False,
    status: Annotated[bool, typer.Option("--status", help="Only say whether it is thrown, and its history.")] = False,
    workdir: o.WorkdirOption = o.DEFAULT_WORKDIR,
    as_json: o.JsonOption = False,
) -> None:
    """Cancel all working entries, close all positions and refuse new ones, in every flow of the work folder.

    It stays so across restarts and in new runs until --reset. A running flow obeys within a twentieth of a second of
    its next event.

    Example: chimera kill --reason "prices look wrong"
    """
    folder = WorkDir(workdir).require() if status or reset else WorkDir(workdir).prepare()
    switch = KillSwitch(folder.path)
    if not status:
        if reason is None:
            raise ConfigurationError("--reason is missing; expected why, as it is kept on record")
        person = by if by is not None else getpass.getuser()
        if reset:
            switch.reset(person, reason)
        else:
            switch.throw(person, reason)
    thrown = switch.kill()
    emit(
        {"killed": thrown is not None, "kill": asdict(thrown) if thrown else None, "history": switch.history()},
        as_json=as_json,
        title="kill switch",
    )
