"""Which release is in force at which event: recorded changes first, then the promoted release as it changes.

A change is written to the journal, durably, before the first event decided under it is handed on. A resumed run
therefore meets every change at the event where it first applied, and a replay finds it in the journal.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chimera_platform.errors import ReleaseError
from chimera_platform.execution.records import RELEASE_CHANGE_DTYPE
from chimera_platform.releases import ReleaseStore

log = logging.getLogger(__name__)

Records = np.ndarray[Any, Any]


@dataclass(slots=True, frozen=True)
class ReleaseInForce:
    """One entry of the timeline: ``event_no`` is the first event decided under it."""

    release_no: int
    event_no: int
    release_id: str


class ReleaseTimeline:
    """The releases of a run, by the sequencer's position.

    Parameters
    ----------
    recorded : RELEASE_CHANGE_DTYPE rows of earlier executions of this run, or of the journal that is replayed.
    record : called with one new RELEASE_CHANGE_DTYPE row; returns once it is on disk.
    store : the releases; followed only if ``follow``.
    """

    def __init__(
        self, recorded: Records, record: Callable[[Records], None], store: ReleaseStore, *, follow: bool
    ) -> None:
        self._changes = [
            ReleaseInForce(int(row["release_no"]), int(row["event_no"]), bytes(row["release_id"]).decode())
            for row in recorded
        ]
        self._record, self._store, self._follow = record, store, follow
        self._refused: str | None = None

    @property
    def empty(self) -> bool:
        """Whether not even the first release has been recorded."""
        return not self._changes

    def add(self, release_id: str, event_no: int, ts_event: int) -> None:
        """Record that ``release_id`` is in force from ``event_no`` on."""
        row = np.zeros(1, RELEASE_CHANGE_DTYPE)
        row["release_no"], row["event_no"], row["ts_event"] = len(self._changes), event_no, ts_event
        row["release_id"] = release_id.encode()
        self._record(row)
        self._changes.append(ReleaseInForce(len(self._changes), event_no, release_id))

    def at(self, event_no: int) -> ReleaseInForce:
        """Return the release in force for event ``event_no``."""
        return next(change for change in reversed(self._changes) if change.event_no <= event_no)

    def next_change(self, event_no: int) -> int | None:
        """Return the event at which the next recorded change after ``event_no`` applies."""
        return next((change.event_no for change in self._changes if change.event_no > event_no), None)

    def poll(self, event_no: int, ts_event: int) -> None:
        """Take up a newly promoted release from ``event_no`` on; one that is corrupt is refused, the old one stays."""
        if not self._follow or self.next_change(event_no) is not None:
            return
        promoted = None
        try:
            promoted = self._store.current()
            if promoted is None or promoted in (self._changes[-1].release_id, self._refused):
                return
            self._store.load(promoted)
        except ReleaseError as error:
            if self._refused != (promoted or ""):
                log.error("release refused, %s stays: %s", self._changes[-1].release_id or "the built-in one", error)
                self._refused = promoted or ""
            return
        self.add(promoted, event_no, ts_event)
        self._refused = None
        log.info("release %s in force from event %d", promoted, event_no)
