"""`chimera serve`: the Dagster UI over a work folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from chimera_platform.cli import options as o
from chimera_platform.cli.output import errors
from chimera_platform.errors import ConfigurationError
from chimera_platform.workdir import WorkDir


def serve(
    workdir: o.WorkdirOption = o.DEFAULT_WORKDIR,
    port: Annotated[int, typer.Option("--port", min=1, max=65_535, help="Port of the web page.")] = 3000,
) -> None:
    """Open the Dagster UI (assets, checks, schedules, sensors) over a work folder; Ctrl-C ends it.

    Example: chimera serve --workdir chimera-data/demo --port 3000
    """
    folders = WorkDir(workdir).prepare()
    dagster = Path(sys.executable).parent / "dagster"
    if not dagster.exists():
        raise ConfigurationError(f"{dagster}: Dagster is not installed; run `make setup`")
    from pipelines.instance import prepare_home

    home = prepare_home(folders)
    environment = os.environ | {"CHIMERA_WORKDIR": str(folders.path.absolute()), "DAGSTER_HOME": str(home)}
    errors.print(f"Dagster UI on port {port} over {folders.path}")
    command = [str(dagster), "dev", "-m", "pipelines.definitions", "-h", "127.0.0.1", "-p", str(port)]
    raise typer.Exit(subprocess.run(command, env=environment, check=False).returncode)
