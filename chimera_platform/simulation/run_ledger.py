"""What is kept of a run while it goes on: its digest, its counts, and what its metrics need."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.configuration import Configuration
from chimera_platform.coordinator import CoordinatorOutput
from chimera_platform.digest import RunDigest
from chimera_platform.execution.records import FILL_DTYPE, MARK_DTYPE
from chimera_platform.portfolio.performance import Performance, measure

Array = np.ndarray[Any, Any]


class RunLedger:
    """The account of one run, written batch by batch.

    Parameters
    ----------
    configuration : of the run; its starting equity is read.
    """

    def __init__(self, configuration: Configuration) -> None:
        self.starting_equity = float(configuration.account.starting_equity)
        self.events = self.intents = 0
        self.days: set[int] = set()
        self._digest = RunDigest()
        self._fills, self._marks = [np.zeros(0, FILL_DTYPE)], [np.zeros(0, MARK_DTYPE)]

    def take(self, events: int, days: set[int], output: CoordinatorOutput) -> None:
        """Take over what a batch brought.

        Parameters
        ----------
        events : how many the batch had.
        days : their UTC day numbers.
        output : the rows.
        """
        self.events += events
        self.days |= days
        self.intents += len(output.intents)
        self._digest.update(output.intents, output.orders, output.fills)
        for kept, rows in ((self._fills, output.fills), (self._marks, output.marks)):
            if len(rows):
                kept.append(rows)

    @property
    def digest(self) -> str:
        """Of the rows so far."""
        return self._digest.hexdigest()

    @property
    def fills(self) -> int:
        """How many there were so far."""
        return sum(map(len, self._fills))

    def performance(self) -> Performance:
        """Return the metrics of the run so far."""
        days = np.array(sorted(self.days), np.int64)
        return measure(np.concatenate(self._fills), np.concatenate(self._marks), days, self.starting_equity)
