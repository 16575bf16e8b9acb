"""The one resource: which work folder all assets are about."""

import os

import dagster as dg
from pydantic import Field

from chimera_platform.workdir import WorkDir

WORKDIR_VARIABLE = "CHIMERA_WORKDIR"
DEFAULT_WORKDIR = "chimera-data"


def default_workdir() -> str:
    """Return ``$CHIMERA_WORKDIR``, or ``chimera-data`` in the current folder."""
    return os.environ.get(WORKDIR_VARIABLE) or DEFAULT_WORKDIR


class WorkDirResource(dg.ConfigurableResource):
    """The work folder of journal, warehouse and releases."""

    path: str = Field(default_factory=default_workdir, description="folder; default $CHIMERA_WORKDIR or chimera-data")

    @property
    def workdir(self) -> WorkDir:
        """The work folder, which must exist."""
        return WorkDir(self.path).require()
