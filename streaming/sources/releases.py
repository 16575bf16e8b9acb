"""What is in force at which event: recorded changes first, then release and kill switch as they change.

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
from chimera_platform.kill_switch import KillSwitch
from chimera_platform.releases import ReleaseStore

log = logging.getLogger(__name__)

Records = np.ndarray[Any, Any]


@dataclass(slots=True, frozen=True)
class ReleaseInForce:
    """One entry of the timeline: ``event_no`` is the first event decided under it."""

    release_no: int
    event_no: int
    release_id: str
    killed: bool


class ReleaseTimeline:
    """The releases of a run, and whether it is killed, by the sequencer's position.

    Parameters
    ----------
    recorded : RELEASE_CHANGE_DTYPE rows of earlier executions of this run, or of the journal that is replayed.
    record : called with one new RELEASE_CHANGE_DTYPE row; returns once it is on disk.
    store, switch : the releases and the kill switch; followed only if ``follow``.
    """

    def __init__(
        self,
        recorded: Records,
        record: Callable[[Records], None],
        store: ReleaseStore,
        switch: KillSwitch,
        *,
        follow: bool,
    ) -> None:
        self._changes = [
            ReleaseInForce(
                int(row["release_no"]), int(row["event_no"]), bytes(row["release_id"]).decode(), bool(row["killed"])
            )
            for row in recorded
        ]
        self._record, self._store, self._switch, self._follow = record, store, switch, follow
        self._refused: str | None = None

    @property
    def empty(self) -> bool:
        """Whether not even the first release has been recorded."""
        return not self._changes

    def add(self, release_id: str, event_no: int, ts_event: int, *, killed: bool = False) -> None:
        """Record that ``release_id`` is in force from ``event_no`` on, and whether the account is held flat."""
        row = np.zeros(1, RELEASE_CHANGE_DTYPE)
        row["release_no"], row["event_no"], row["ts_event"] = len(self._changes), event_no, ts_event
        row["release_id"], row["killed"] = release_id.encode(), killed
        self._record(row)
        self._changes.append(ReleaseInForce(len(self._changes), event_no, release_id, killed))

    def at(self, event_no: int) -> ReleaseInForce:
        """Return the release in force for event ``event_no``."""
        return next(change for change in reversed(self._changes) if change.event_no <= event_no)

    def next_change(self, event_no: int) -> int | None:
        """Return the event at which the next recorded change after ``event_no`` applies."""
        return next((change.event_no for change in self._changes if change.event_no > event_no), None)

    def poll(self, event_no: int, ts_event: int) -> None:
        """Obey the kill switch and take up a newly promoted release from ``event_no`` on.

        A release that is corrupt is refused, the old one stays.
        """
        if not self._follow or self.next_change(event_no) is not None:
            return
        self._obey(event_no, ts_event)
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
        self.add(promoted, event_no, ts_event, killed=self._changes[-1].killed)
        self._refused = None
        log.info("release %s in force from event %d", promoted, event_no)

    def _obey(self, event_no: int, ts_event: int) -> None:
        before, thrown = self._changes[-1], self._switch.is_thrown()
        if thrown == before.killed:
            return
        self.add(before.release_id, event_no, ts_event, killed=thrown)
        kill = self._switch.kill()
        if thrown and kill is not None:
            log.warning("killed by %s (%s): held flat from event %d", kill.by, kill.reason, event_no)
        else:
            log.warning("the kill switch was reset: risk may be taken from event %d", event_no)
