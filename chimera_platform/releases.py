"""Releases: what batch work hands to the running flow (architecture rule 3).

A release is an immutable folder named after its content: ``parameters.json``, ``weights.json``, ``model.json`` and
``target_model.json`` (where there are such models), ``microprice.json`` (where microprices are fitted) and
``manifest.json``, which holds the hash of each file, the model's threshold and where everything came from. The
release's id is the first 32 hex digits of the manifest's SHA-256, so nothing in the folder can change without the id
betraying it. ``CURRENT`` names the promoted one and is swapped atomically; ``promotions.jsonl`` says when and why.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chimera_platform.errors import ReleaseError
from chimera_platform.learning.model_inputs import MODEL_INPUT_NAMES
from chimera_platform.learning.target_inputs import TARGET_INPUT_NAMES
from chimera_platform.release_content import (
    FORMAT,
    MANIFEST,
    MICROPRICE,
    MODEL,
    PARAMETER_SECTIONS,
    PARAMETERS,
    TARGET_MODEL,
    WEIGHTS,
    Release,
    canonical_json,
    manifest_files,
    parse_release,
    sha256,
)
from chimera_platform.release_microprice import Tables, microprice_values

__all__ = ["PARAMETER_SECTIONS", "Promotion", "Release", "ReleaseStore", "canonical_json", "release_loader"]

_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Promotion:
    """One change of the pointer: a line of ``promotions.jsonl``."""

    at: str  # UTC, ISO 8601
    action: str  # promote | rollback
    id: str
    previous: str | None
    reason: str


class ReleaseStore:
    """The releases of one work folder.

    Parameters
    ----------
    folder : made at the first :meth:`create`; reading from a folder that isn't there finds no releases.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)

    # ---- releases -----------------------------------------------------------------------------------------

    def create(
        self,
        parameters: Mapping[str, Mapping[str, float]],
        weights: Mapping[str, float],
        model_json: bytes | None,
        threshold: float,
        manifest: Mapping[str, Any],
        microprice: Tables | None = None,
        target_json: bytes | None = None,
    ) -> Release:
        """Write a release and return it; the same content gives the same id and is written once.

        Parameters
        ----------
        parameters : overrides of the sections in :data:`PARAMETER_SECTIONS`, checked against their bounds.
        weights : engine name → weight in [0, 1]; engines not named keep the configuration's.
        model_json : XGBoost's JSON model over :data:`MODEL_INPUT_NAMES`, or None.
        threshold : [0, 1].
        manifest : provenance (warehouse snapshot, trained days, run ids, validation report, gates): JSON values.
        microprice : symbol → fitted table (``MICROPRICE_DTYPE``, shape (1,)); symbols not named are unfitted.
        target_json : XGBoost's JSON model over :data:`TARGET_INPUT_NAMES`, or None.

        Raises
        ------
        ReleaseError
            If a value is out of bounds or the folder cannot be written; nothing is left behind.
        """
        files = {PARAMETERS: canonical_json(parameters), WEIGHTS: canonical_json(weights)}
        if model_json is not None:
            files[MODEL] = model_json
        if microprice:
            files[MICROPRICE] = canonical_json(microprice_values(microprice))
        if target_json is not None:
            files[TARGET_MODEL] = target_json
        own = {
            "format": FORMAT,
            "threshold": float(threshold),
            "model_inputs": list(MODEL_INPUT_NAMES) if model_json is not None else [],
            "files": {name: {"sha256": sha256(data), "bytes": len(data)} for name, data in files.items()},
        }
        if target_json is not None:
            own["target_inputs"] = list(TARGET_INPUT_NAMES)
        if own.keys() & manifest.keys():
            raise ReleaseError(f"a release's provenance cannot set {', '.join(sorted(own.keys() & manifest.keys()))}")
        files[MANIFEST] = canonical_json({**manifest, **own})
        release_id = sha256(files[MANIFEST])[:32]
        release = parse_release(release_id, files, where="the new release")
        with self._locked(f"write release {release_id}"):
            if (self.folder / release_id).exists():
                return self.load(release_id)
            self._write_folder(release_id, files)
        return release

    def load(self, release_id: str) -> Release:
        """Return the release after checking every file against its hash.

        Raises
        ------
        ReleaseError
            If it isn't there, or a file is missing or altered (named, with what to do).
        """
        return parse_release(release_id, self._verified(release_id), where=str(self.folder / release_id))

    def model_json(self, release_id: str) -> bytes | None:
        """Return the verified bytes of a release's model, None where it has none."""
        return self._verified(release_id).get(MODEL)

    def target_json(self, release_id: str) -> bytes | None:
        """Return the verified bytes of a release's target model, None where it has none."""
        return self._verified(release_id).get(TARGET_MODEL)

    def take_over(self, release_id: str, other: ReleaseStore) -> None:
        """Copy a release from another store, verified; nothing happens where it is already here (a replay's need)."""
        if (self.folder / release_id).is_dir():
            return
        files = other._verified(release_id)
        with self._locked(f"take over release {release_id}"):
            if not (self.folder / release_id).exists():
                self._write_folder(release_id, files)

    def _verified(self, release_id: str) -> dict[str, bytes]:
        """Return the release's files by name, each equal to its hash."""
        if not _ID.fullmatch(release_id):
            raise ReleaseError(f"release id {release_id!r}: expected 32 lower-case hex digits (chimera release list)")
        path = self.folder / release_id
        if not path.is_dir():
            raise ReleaseError(f"no release {release_id} in {self.folder}; see `chimera release list`")
        files = {MANIFEST: _read(path / MANIFEST)}
        if sha256(files[MANIFEST])[:32] != release_id:
            raise _altered(path / MANIFEST, f"its hash is not the release's id {release_id}")
        for name, entry in manifest_files(files[MANIFEST], str(path)).items():
            files[name] = _read(path / name)
            if sha256(files[name]) != entry["sha256"]:
                raise _altered(path / name, "its hash is not the one in manifest.json")
        return files

    def list(self) -> tuple[str, ...]:
        """Return the ids of the stored releases, oldest first; they are not verified."""
        if not self.folder.is_dir():
            return ()
        found = [p for p in self.folder.iterdir() if p.is_dir() and _ID.fullmatch(p.name)]
        return tuple(p.name for p in sorted(found, key=lambda p: (p.stat().st_mtime_ns, p.name)))

    # ---- promotion ----------------------------------------------------------------------------------------

    def current(self) -> str | None:
        """Return the id of the promoted release, None before the first promotion; it is not verified."""
        pointer = self.folder / "CURRENT"
        try:
            text = pointer.read_text(encoding="ascii", errors="replace").strip()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ReleaseError(f"cannot read {pointer}: {error.strerror}") from error
        if not _ID.fullmatch(text):
            raise ReleaseError(
                f"{pointer} holds {text[:40]!r}, not a release id; promote one with `chimera release promote ID`"
            )
        return text

    def promote(self, release_id: str, reason: str = "by hand") -> Release:
        """Verify a release, then make it the current one; a release that fails leaves the old one in force."""
        release = self.load(release_id)
        with self._locked(f"promote release {release_id}"):
            previous = self._current_or_none()
            if previous != release_id:
                self._point("promote", release_id, previous, reason, self._effective_history(previous))
        return release

    def rollback(self, reason: str = "by hand") -> str:
        """Make the release that was in force before the current one current again, and return its id.

        Rolling back twice goes two releases back. Raises ReleaseError if there is none before, or it is altered.
        """
        with self._locked("roll back"):
            current = self._current_or_none()
            history = self._effective_history(current)
            stack: list[str] = []
            for entry in history:
                if entry.action == "rollback":
                    stack.pop()
                else:
                    stack.append(entry.id)
            if len(stack) < 2:
                raise ReleaseError(f"nothing to roll back to: no release was in force before {current}")
            target = stack[-2]
            self.load(target)
            self._point("rollback", target, current, reason, history)
        return target

    def history(self) -> tuple[Promotion, ...]:
        """Return every change of the pointer, oldest first."""
        with contextlib.suppress(ReleaseError):
            return self._effective_history(self.current())
        return self._read_history()

    # ---- on disk ------------------------------------------------------------------------------------------

    def _current_or_none(self) -> str | None:
        """Return the current id; a pointer that cannot be read counts as none, so that promoting mends it."""
        try:
            return self.current()
        except ReleaseError:
            return None

    def _read_history(self) -> tuple[Promotion, ...]:
        path = self.folder / "promotions.jsonl"
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return ()
        try:
            return tuple(Promotion(**json.loads(line)) for line in lines)
        except (ValueError, TypeError) as error:
            raise ReleaseError(f"{path} is damaged ({error}); move it away: promotion starts a new one") from error

    def _effective_history(self, current: str | None) -> tuple[Promotion, ...]:
        """Return the history without a last entry whose swap of the pointer never happened (a crash between)."""
        history = self._read_history()
        if history and history[-1].id != current and history[-1].previous == current:
            return history[:-1]
        return history

    def _point(self, action: str, to: str, previous: str | None, reason: str, history: tuple[Promotion, ...]) -> None:
        """Record the change, then swap the pointer: a crash between leaves the old release in force."""
        entry = Promotion(datetime.now(UTC).isoformat(timespec="seconds"), action, to, previous, reason)
        lines = [canonical_json(asdict(e)) + b"\n" for e in [*history, entry]]
        _replace_file(self.folder / "promotions.jsonl", b"".join(lines))
        _replace_file(self.folder / "CURRENT", f"{to}\n".encode())

    def _write_folder(self, release_id: str, files: Mapping[str, bytes]) -> None:
        for left_over in self.folder.glob(".new-*"):
            shutil.rmtree(left_over)
        temporary = self.folder / f".new-{uuid.uuid4().hex}"
        try:
            temporary.mkdir()
            for name, data in files.items():
                _write_synced(temporary / name, data)
            _sync_folder(temporary)
            temporary.rename(self.folder / release_id)
            _sync_folder(self.folder)
        except OSError:
            shutil.rmtree(temporary, ignore_errors=True)
            raise

    @contextlib.contextmanager
    def _locked(self, doing: str) -> Iterator[None]:
        """Hold the store's lock, and turn the operating system's refusals into ReleaseError."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / ".lock").open("ab") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise ReleaseError(f"cannot {doing} in {self.folder}: {error.strerror or error}") from error


def release_loader(store: ReleaseStore, use_model: bool = True) -> Callable[[str], Release | None]:
    """Return a loader from release id to verified release; the empty id is the built-in defaults, None.

    With ``use_model`` False the release's models are left out; its parameters and weights still count.
    """

    @functools.lru_cache(maxsize=8)
    def load(release_id: str) -> Release | None:
        if not release_id:
            return None
        release = store.load(release_id)
        return release if use_model else replace(release, trees=None, target_trees=None)

    return load


# ---- files ----------------------------------------------------------------------------------------------------


def _altered(path: Path, how: str) -> ReleaseError:
    return ReleaseError(
        f"{path} was altered: {how}; the release is refused. Restore the folder from a copy, or promote another"
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ReleaseError(
            f"{path} is missing; the release is refused. Restore the folder from a copy, or promote another"
        ) from None
    except OSError as error:
        raise ReleaseError(f"cannot read {path}: {error.strerror}") from error


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace_file(path: Path, data: bytes) -> None:
    """Write ``path`` so that a reader sees the old content or the new, never a part."""
    temporary = path.with_name(f".{path.name}.new")
    _write_synced(temporary, data)
    temporary.replace(path)
    _sync_folder(path.parent)
