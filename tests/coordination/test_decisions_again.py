"""A journaled decision can be taken again: from its row, the settings and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from chimera_platform.coordinator import Coordinator
from chimera_platform.execution.records import DecisionReason
from tests.reference.coordinator_streams import UNIVERSE, configurations, intents, market
from tests.reference.decision_rows import MANY, decided
from tests.reference.governor import governor

R = DecisionReason
TAKEN = ("size_allocated", "size_approved", "reason", "binding", "approved", "size_multiplier")


@pytest.mark.parametrize("seed", range(6))
def test_each_decision_of_a_busy_market_follows_from_its_row(seed: int) -> None:
    events, sections = market(seed, 3_000), configurations(seed)
    rows = Coordinator(UNIVERSE, sections).run(events, 0, intents(seed, events)).decisions
    assert len({R(reason) for reason in rows["reason"]}) >= 4
    for row in rows:
        # how many lots the covariances leave room for is the one input that is not in the row
        room = int(row["size_approved"]) if row["binding"] == R.PORTFOLIO_RISK else MANY
        blank = np.array([row])
        for name in TAKEN:
            blank[name] = 0
        again = decided(blank, room, sections.risk, sections.risk_adaptive)[0]
        assert again.tobytes() == row.tobytes()
        expected = governor(row, sections.risk, sections.risk_adaptive, room)
        assert (expected.reason, expected.binding, expected.lots) == (
            row["reason"],
            row["binding"],
            row["size_approved"],
        )
