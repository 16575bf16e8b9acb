"""Invariant: what engines decide on is, bit for bit, what the whole feature vector says, however often they ask."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chimera_platform.market.book import apply_event, is_tradable, new_books
from chimera_platform.market.instruments import Universe, load_instruments
from chimera_platform.microstructure.feature_names import FEATURE_COUNT
from chimera_platform.microstructure.feature_vector import (
    DECISION_FEATURES,
    write_decision_features,
    write_features,
)
from chimera_platform.microstructure.features import new_feature_states, new_feature_windows, update_features
from chimera_platform.microstructure.fitted_microprice import new_microprice_table
from tests.reference import random_market

UNIVERSE = Universe([load_instruments()["XAUUSD"]])
STREAMS = {
    "quotes": random_market.quotes(1_500, seed=3, step_ns=700_000_000),
    "depth": random_market.depth(3_000, seed=4),
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("every", [1, 7])
def test_what_engines_decide_on_is_what_the_whole_vector_says(name: str, every: int) -> None:
    book, microprice = new_books(1)[0], new_microprice_table()[0]
    kept: list[tuple[Any, Any]] = [(new_feature_states(UNIVERSE)[0], new_feature_windows(1)[0]) for _ in range(2)]
    compared = 0
    for number, event in enumerate(STREAMS[name]):
        apply_event(book, event)
        complete = [update_features(state, windows, book, event) for state, windows in kept]
        if not (all(complete) and is_tradable(book)):
            continue
        few, whole = np.full(FEATURE_COUNT, -7.5), np.empty(FEATURE_COUNT)
        write_decision_features(*kept[0], book, microprice, few)
        if number % every == 0:
            write_features(*kept[1], book, microprice, whole)
            np.testing.assert_array_equal(few[list(DECISION_FEATURES)], whole[list(DECISION_FEATURES)])
            after = np.empty(FEATURE_COUNT)
            write_features(*kept[0], book, microprice, after)
            np.testing.assert_array_equal(after, whole)
            compared += 1
    assert compared > 100
