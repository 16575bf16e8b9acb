"""What a live flow does when its circuit breaker triggers: it throws the kill switch of its work folder.

Within the run the breaker holds the account flat by itself, at the very event. The switch is what outlasts the run.
"""

from __future__ import annotations

import logging

from chimera_platform.kill_switch import BREAKER, KillSwitch
from chimera_platform.risk.circuit_breaker import BreakerView
from streaming.items import Batch

log = logging.getLogger(__name__)


class BreakerWatch:
    """Throws ``switch`` while the breaker is triggered and no kill answers it yet.

    A batch that is decided anew after a restart, with later changes on record, has been answered before: a person may
    have reset the switch since. Where the process died before it could throw, nothing is on record, and it is thrown.
    """

    def __init__(self, switch: KillSwitch) -> None:
        self._switch = switch

    def note_triggered(self, batch: Batch, breaker: BreakerView) -> None:
        """Throw the switch unless that has been done; called after each batch that leaves the breaker triggered."""
        if batch.killed or not batch.at_front or self._switch.is_thrown():
            return
        self._switch.throw(BREAKER, breaker.sentence)
        log.error("circuit breaker %s; run `chimera kill --reset` once it is understood", breaker.sentence)
