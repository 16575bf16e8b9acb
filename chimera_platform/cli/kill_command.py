"""`chimera kill`: hold every flow of a work folder flat, until a person resets it."""

from __future__ import annotations

import getpass
import json
from dataclasses import asdict
from pathlib import Path
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
    its next event. A flow whose circuit breaker triggers throws the switch itself; --reset resets the breaker, too.

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
        {
            "killed": thrown is not None,
            "kill": asdict(thrown) if thrown else None,
            "circuit_breaker": _last_breaker(folder.telemetry),
            "history": switch.history(),
        },
        as_json=as_json,
        title="kill switch",
    )


def _last_breaker(telemetry: Path) -> str | None:
    """Return the circuit breaker's state as the newest telemetry of a coordinator has it, None where there is none."""
    newest_first = sorted(telemetry.glob("*.jsonl"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in newest_first:
        for line in reversed(path.read_text(encoding="utf-8").splitlines()):
            try:
                content = json.loads(line)
            except ValueError:
                continue  # half a line of a process that died
            if content.get("events") and "breaker" in content:  # a worker that does not coordinate sees no events
                return str(content["breaker"])
    return None
