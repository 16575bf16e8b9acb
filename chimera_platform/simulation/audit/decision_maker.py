"""What is audited: anything that turns events into decisions, from a fresh state at each call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from chimera_platform.configuration import Configuration, with_parameters
from chimera_platform.coordinator import Coordinator, CoordinatorOutput
from chimera_platform.decision_path import merge_intents, split_by_instrument
from chimera_platform.engines.step import SymbolEngines
from chimera_platform.market.instruments import Universe
from chimera_platform.simulation.backtest.fused import FusedPath

if TYPE_CHECKING:
    from chimera_platform.releases import Release

Array = np.ndarray[Any, Any]
Decisions = CoordinatorOutput
BATCH_SIZE = 65_536


class DecisionMaker(Protocol):
    """A whole run at a call, always from the same fresh state, from several threads at once.

    Every row that comes back carries the ``event_no`` (index in ``events``) at which it happened.
    """

    @property
    def universe(self) -> Universe:
        """The instruments; an event's ``instrument_id`` is an index into it."""

    def intents(self, events: Array) -> Array:
        """Return what the engines want, INTENT_DTYPE by (event_no, instrument_id, engine)."""

    def execute(self, events: Array, intents: Array) -> Decisions:
        """Return what came of ``intents`` on ``events``."""

    def run(self, events: Array, ends: Sequence[int] = ()) -> Decisions:
        """Return intents and what came of them; ``ends`` are where batches end, whatever pleases where there are none.

        Both halves in one: ``run(events)`` and ``execute(events, intents(events))`` give the same rows.
        """


class PlatformDecisions:
    """The platform's own decision path under one configuration and release: ``run`` as backtests do it, in one loop;
    the two halves as the live flow does, engines first.

    Parameters
    ----------
    universe : the instruments.
    configuration : the settings.
    release : in force from the first event to the last; None: the configuration alone.

    Attributes
    ----------
    configuration, release : a release's parameters stand in the configuration, where they can be varied.
    """

    def __init__(self, universe: Universe, configuration: Configuration, release: Release | None = None) -> None:
        if release is not None:
            configuration = with_parameters(configuration, release.parameters)
            release = replace(release, parameters={})
        self.universe, self.configuration, self.release = universe, configuration, release

    def under(self, configuration: Configuration, universe: Universe | None = None) -> PlatformDecisions:
        """Return the same under another configuration, or other fees."""
        return type(self)(universe or self.universe, configuration, self.release)

    def intents(self, events: Array) -> Array:
        """See :meth:`DecisionMaker.intents`."""
        parts = []
        for instrument_id, positions in split_by_instrument(events):
            engines = SymbolEngines(self.universe, instrument_id, self.configuration)
            engines.apply_release(self.release, 0)
            parts.append(engines.run(events.take(positions), 0, positions))
        return merge_intents(parts)

    def execute(self, events: Array, intents: Array) -> Decisions:
        """See :meth:`DecisionMaker.execute`."""
        coordinator = Coordinator(self.universe, self.configuration)
        coordinator.apply_release(self.release, 0)
        outputs = []
        for start, end in _batches(len(events), ()):
            low, high = np.searchsorted(intents["event_no"], (start, end))
            outputs.append(coordinator.run(events[start:end], start, intents[low:high]))
        return joined(outputs)

    def run(self, events: Array, ends: Sequence[int] = ()) -> Decisions:
        """See :meth:`DecisionMaker.run`."""
        path = FusedPath(self.universe, self.configuration)
        path.apply_release(self.release, 0)
        return joined([path.run(events[start:end], start) for start, end in _batches(len(events), ends)])


def joined(outputs: Sequence[Decisions]) -> Decisions:
    """Return the tables of consecutive batches as one."""
    if len(outputs) == 1:
        return outputs[0]
    return Decisions(*(np.concatenate(tables) for tables in zip(*outputs, strict=True)))


def _batches(count: int, ends: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of each batch; at least one, which may be empty."""
    start = 0
    for end in ends or range(BATCH_SIZE, count, BATCH_SIZE):
        if start < end < count:
            yield start, end
            start = end
    yield start, count
