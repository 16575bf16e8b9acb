"""An extreme is young where the touch reached it first within the last two minutes before the run."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind
from chimera_platform.market.instruments import Universe, load_instruments
from chimera_platform.signals.extremes import breaks_young_extreme
from chimera_platform.simulation.market.episodes import EPISODE_DTYPE, EpisodeKind

SECOND = 1_000_000_000
START = 10_000


class Quotes:
    """Quotes of one symbol: (second, bid), the ask two ticks above."""

    def __init__(self, rows: list[tuple[int, int]]) -> None:
        self.universe, self.description = Universe([load_instruments()["XAUUSD"]]), "quotes"
        self.events = np.zeros(len(rows), EVENT_DTYPE)
        for row, (second, bid) in zip(self.events, rows, strict=True):
            row["ts_event"], row["flags"], row["kind"] = second * SECOND, EventFlag.LAST, EventKind.QUOTE
            row["price"], row["size"], row["ask_price"], row["ask_size"] = bid, 1, bid + 2, 1

    def batches(self, batch_size: int, start: int = 0) -> Iterator[np.ndarray]:
        yield self.events[start:]


def run(side: int, price: int, kind: EpisodeKind = EpisodeKind.STOP_RUN) -> np.ndarray:
    row = np.zeros(1, EPISODE_DTYPE)
    row["kind"], row["side"], row["price"], row["start_ts"] = kind, side, price, START * SECOND
    return row


@pytest.mark.parametrize(
    ("ago", "young"), [(30, True), (119, True), (120, False), (600, False), (1_799, False)], ids=str
)
@pytest.mark.parametrize("side", [1, -1])
def test_age_counts_from_when_the_touch_first_reached_the_extreme(side: int, ago: int, young: bool) -> None:
    there = 110 if side > 0 else 90
    quotes = Quotes(
        [(START - 3_000, 100), (START - ago, there), (START - ago + 1, 100), (START - 5, 100), (START, 130)]
    )
    price = there + 2 if side > 0 else there
    assert breaks_young_extreme(quotes, run(side, price)).tolist() == [young]


def test_an_extreme_reached_again_is_as_old_as_the_first_time() -> None:
    quotes = Quotes([(START - 3_000, 100), (START - 500, 110), (START - 400, 100), (START - 20, 110), (START - 5, 100)])
    assert breaks_young_extreme(quotes, run(1, 112)).tolist() == [False]


def test_other_episodes_have_no_extreme() -> None:
    quotes = Quotes([(START - 10, 110)])
    assert breaks_young_extreme(quotes, run(1, 112, EpisodeKind.SWEEP)).tolist() == [False]
    assert breaks_young_extreme(quotes, run(1, 112)).tolist() == [True]
