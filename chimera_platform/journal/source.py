"""The journal as an event source: a run replayed from what it saw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from chimera_platform.errors import JournalError
from chimera_platform.journal.manifest import NAME, RunManifest
from chimera_platform.journal.reader import JournalReader
from chimera_platform.market.instruments import Instrument, Universe


def find_run(path: Path) -> Path:
    """Return the one run's folder at or below ``path`` (a run, a journal or a work folder)."""
    if not path.exists():
        raise JournalError(f"{path}: no such file or folder")
    for pattern in (NAME, f"*/{NAME}", f"journal/*/{NAME}"):
        found = sorted(path.glob(pattern)) if path.is_dir() else []
        if len(found) > 1:
            names = ", ".join(p.parent.name for p in found)
            raise JournalError(f"{path}: holds {len(found)} runs ({names}); name the folder of one of them")
        if found:
            return found[0].parent
    raise JournalError(f"{path}: no run's journal here (no {NAME})")


def run_instruments(manifest: RunManifest) -> list[Instrument]:
    """Return the run's instruments in index order; JournalError naming the run where the manifest has them wrong."""
    try:
        return [Instrument.model_validate(settings) for settings in manifest.instruments]
    except ValidationError as error:
        raise JournalError(
            f"run {manifest.run_id}: run.json describes an instrument that is not one ({error.errors()[0]['msg']}). "
            "Restore run.json from a backup"
        ) from error


class JournalSource:
    """The events of a recorded run, in their order, with the instruments of that run.

    Parameters
    ----------
    path : a run's folder, or a journal or work folder that holds one run.
    instruments : accepted for uniformity with other sources and not used: the run's manifest has its own.
    """

    def __init__(self, path: Path, instruments: Mapping[str, Instrument] | None = None) -> None:
        del instruments
        self.reader = JournalReader(find_run(path))
        self.universe = Universe(run_instruments(self.reader.manifest))
        self._description: str | None = None

    @property
    def description(self) -> str:
        """Identity of the content: the same for a copy of the journal in another place."""
        if self._description is None:
            self._description = f"journal:{self.reader.content_identity('events')}"
        return self._description

    @property
    def release_schedule(self) -> np.ndarray[Any, Any]:
        """Which release took over at which event, as RELEASE_CHANGE_DTYPE rows in order."""
        return self.reader.read("releases")

    @property
    def releases_folder(self) -> Path:
        """Where the releases that the run took up are kept: beside its journal."""
        return self.reader.run_folder.parent.parent / "releases"

    @property
    def events(self) -> int:
        """Number of events."""
        return self.reader.rows("events")

    def batches(self, batch_size: int, start: int = 0) -> Iterator[np.ndarray[Any, Any]]:
        """Yield EVENT_DTYPE batches from event ``start`` on, each of ``batch_size`` but the last."""
        return self.reader.batches("events", batch_size, start)
