"""The engines' step, keyed by symbol."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from bytewax.operators import StatefulBatchLogic

from chimera_platform.engines.step import SymbolEngines
from chimera_platform.releases import Release
from streaming.items import EnginePart, SymbolPart

State = dict[str, Any]
ReleaseLoader = Callable[[str], Release | None]


class EngineLogic(StatefulBatchLogic[SymbolPart, EnginePart, State]):
    """Run one instrument's book, features and engines over its parts of the batches.

    The instrument is known from the first part, or from the state on resume: Bytewax does not tell a step its key.
    """

    def __init__(
        self, engines_of: Callable[[int], SymbolEngines], load_release: ReleaseLoader, state: State | None
    ) -> None:
        self._engines_of, self._load_release = engines_of, load_release
        self._engines: SymbolEngines | None = None
        self._instrument_id = -1
        self._release_no, self._release_id = -1, ""
        if state is not None:
            self._engines = self._open(state["instrument_id"])
            self._apply(state["release_no"], state["release_id"])
            self._engines.restore(state["engines"])

    def _open(self, instrument_id: int) -> SymbolEngines:
        self._instrument_id = instrument_id
        self._engines = self._engines_of(instrument_id)
        return self._engines

    def _apply(self, release_no: int, release_id: str) -> None:
        assert self._engines is not None
        self._engines.apply_release(self._load_release(release_id), release_no)
        self._release_no, self._release_id = release_no, release_id

    def on_batch(self, values: list[SymbolPart]) -> tuple[Iterable[EnginePart], bool]:
        """Decide on each part in turn."""
        engines = self._engines
        if engines is None:
            engines = self._open(values[0].instrument_id)
        decided = []
        for part in values:
            if part.release_no != self._release_no:
                self._apply(part.release_no, part.release_id)
            intents = engines.run(part.events, part.first_event_no, part.positions)
            decided.append(EnginePart(part.batch_no, intents, part.batch))
        return decided, StatefulBatchLogic.RETAIN

    def snapshot(self) -> State:
        """Return the instrument's whole state."""
        assert self._engines is not None
        return {
            "instrument_id": self._instrument_id,
            "release_no": self._release_no,
            "release_id": self._release_id,
            "engines": self._engines.snapshot(),
        }
