"""Prints without an aggressor get the tick test's, however they are read."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from chimera_platform.market.events import EVENT_DTYPE, EventKind
from chimera_platform.market.instruments import Universe, load_instruments
from chimera_platform.signals.signed_prints import SignedPrints


class Prints:
    """A source of given prints of two symbols."""

    def __init__(self, rows: list[tuple[int, int, int]]) -> None:
        known = load_instruments()
        self.universe = Universe([known["GC"], known["XAUUSD"]])
        self.description = "prints"
        self.events = np.zeros(len(rows), EVENT_DTYPE)
        for row, (symbol, price, side) in zip(self.events, rows, strict=True):
            row["kind"], row["instrument_id"], row["price"], row["side"], row["size"] = (
                EventKind.TRADE,
                symbol,
                price,
                side,
                1,
            )

    def batches(self, batch_size: int, start: int = 0) -> Iterator[np.ndarray]:
        for first in range(start, len(self.events), batch_size):
            yield self.events[first : first + batch_size]


ROWS = [(0, 10, 0), (0, 11, 0), (1, 50, 0), (0, 11, 0), (0, 9, 0), (1, 49, 0), (0, 9, 1), (0, 9, 0), (1, 49, 0)]
SIGNS = [0, 1, 0, 1, -1, -1, 1, -1, -1]


@pytest.mark.parametrize("batch_size", [1, 2, 4, 100])
@pytest.mark.parametrize("start", [0, 3, 8])
def test_the_sign_is_that_of_the_last_change_of_the_symbols_price(batch_size: int, start: int) -> None:
    source = Prints(ROWS)
    batches = list(SignedPrints(source).batches(batch_size, start))
    assert [len(b) for b in batches[:-1]] == [batch_size] * (len(batches) - 1)
    assert np.concatenate(batches)["side"].tolist() == SIGNS[start:]
    assert source.events["side"].tolist() == [side for _, _, side in ROWS]


def test_the_description_says_so() -> None:
    assert SignedPrints(Prints(ROWS)).description == "prints; prints signed by the tick test"
