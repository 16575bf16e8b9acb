"""Hedges among the rows of a run."""

from __future__ import annotations

import numpy as np

from chimera_platform.execution.hedges import without_hedges
from chimera_platform.execution.records import INTENT_DTYPE, SIGNAL_ENGINES, Engine


def test_the_engines_that_forecast_are_all_but_the_hedging_one() -> None:
    assert set(Engine) - set(SIGNAL_ENGINES) == {Engine.HEDGE}
    assert [int(engine) for engine in SIGNAL_ENGINES] == list(range(len(SIGNAL_ENGINES)))


def test_hedges_are_left_out_and_the_rest_stays_in_order() -> None:
    intents = np.zeros(5, INTENT_DTYPE)
    intents["engine"], intents["intent_no"] = [0, 3, 2, 3, 1], range(5)
    assert without_hedges(intents)["intent_no"].tolist() == [0, 2, 4]
    assert len(without_hedges(intents[:0])) == 0


def test_rows_without_hedges_are_not_copied() -> None:
    intents = np.zeros(5, INTENT_DTYPE)
    assert without_hedges(intents) is intents
