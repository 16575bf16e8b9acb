"""``run.json``: what a run was, so that its journal can be replayed, priced and explained years later."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chimera_platform.errors import JournalError
from chimera_platform.journal.schema import SCHEMA_VERSION
from chimera_platform.journal.storage import make_folder, storage_error, write_atomically

NAME = "run.json"


@dataclass(frozen=True)
class RunManifest:
    """The description of a run.

    Parameters
    ----------
    run_id : folder name of the run.
    instruments : the universe in index order, each as its settings dumped to JSON values.
    source : the event source's canonical description.
    configuration : the configuration dumped to JSON values.
    versions : package name → version, for people; no part of the identity.
    created : ISO 8601 UTC; no part of the identity.
    """

    run_id: str
    instruments: list[dict[str, Any]]
    source: str
    configuration: dict[str, Any]
    versions: dict[str, str] = field(default_factory=dict)
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    schema: int = SCHEMA_VERSION

    def identity(self) -> str:
        """Return the canonical JSON of what must be equal for a run to be continued."""
        content = {k: v for k, v in asdict(self).items() if k not in ("versions", "created")}
        return json.dumps(content, sort_keys=True)

    def write(self, run_folder: Path) -> None:
        """Write ``run.json``, or check that the one there describes the same run; JournalError otherwise."""
        make_folder(run_folder)
        path = run_folder / NAME
        if path.exists():
            if RunManifest.read(run_folder).identity() != self.identity():
                raise JournalError(
                    f"{path}: this run was begun with another source, universe or configuration. "
                    "Continue it with the same options, or start over with --fresh"
                )
            return
        write_atomically(path, json.dumps(asdict(self), sort_keys=True, indent=1).encode())

    @classmethod
    def read(cls, run_folder: Path) -> RunManifest:
        """Return the manifest of a run; JournalError naming the file when it is missing or damaged."""
        path = run_folder / NAME
        try:
            manifest = cls(**json.loads(path.read_bytes()))
        except FileNotFoundError:
            raise JournalError(f"{run_folder}: not the journal of a run (no {NAME})") from None
        except OSError as error:
            raise storage_error(path, error) from error
        except (TypeError, ValueError) as error:
            raise JournalError(f"{path}: damaged run manifest ({error}). Restore it from a backup") from error
        if manifest.schema != SCHEMA_VERSION:
            raise JournalError(
                f"{path}: journal schema {manifest.schema}, this program reads {SCHEMA_VERSION}. "
                "Read it with the version that wrote it"
            )
        return manifest
